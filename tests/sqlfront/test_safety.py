import pytest

from engine.errors import ForbiddenError, SyntaxProblem, WaylineError
from sqlfront.dialect import parse
from sqlfront.functions import SAFE
from sqlfront.problems import UnknownFunctionError
from sqlfront.safety import check

FORBIDDEN = [
    # files
    "select * from read_csv('/etc/passwd')",
    "select * from read_csv_auto('/etc/passwd')",
    "select * from read_parquet('/tmp/x.parquet')",
    "select * from parquet_scan('/tmp/x.parquet')",
    "select * from parquet_metadata('/tmp/x.parquet')",
    "select * from parquet_schema('x')",
    "select * from read_json('/tmp/x')",
    "select * from read_json_auto('/tmp/x')",
    "select * from read_ndjson_objects('/tmp/x')",
    "select * from read_text('/etc/passwd')",
    "select * from read_blob('/etc/passwd')",
    "select * from glob('/**')",
    "select * from sniff_csv('/etc/passwd')",
    "select 1, (select content from read_text('/etc/passwd'))",
    "select * from web where channel in (select content from read_text('/etc/passwd'))",
    "with a as (select * from read_text('/etc/passwd')) select * from a",
    "select * from web, lateral read_text('/etc/passwd')",
    "select * from delta_scan('/tmp')",
    "select * from iceberg_scan('/tmp')",
    "select * from sqlite_scan('/tmp/a.db', 't')",
    "select * from postgres_query('db', 'select 1')",
    "select pg_read_file('/etc/passwd')",
    "select pg_ls_dir('/')",
    "select lo_import('/etc/passwd')",
    "select * from st_read('/tmp/x')",
    # the server and its settings
    "select getenv('HOME')",
    "select \"getenv\"('HOME')",
    "select * from getenv('HOME').web",
    "select current_setting('allowed_directories')",
    "select set_config('a', 'b', false)",
    "select getvariable('x')",
    "select * from duckdb_settings()",
    "select * from duckdb_secrets()",
    "select * from duckdb_functions()",
    "select * from pragma_version()",
    "select * from main.pragma_database_size()",
    "select system.main.getenv('HOME')",
    "select pg_sleep(100)",
    "select pg_terminate_backend(1)",
    "select nextval('s')",
    "select which_secret('s3://x', 's3')",
    "select write_log('x')",
    "select * from force_checkpoint()",
    # SQL in text
    "select * from query('select 1')",
    "select * from query_table('web')",
    "select * from json_execute_serialized_sql('x')",
    "select * from from_substrait('x')",
    "select dblink('select 1')",
    # statements
    "with a as (delete from web returning *) select * from a",
    "with a as (insert into web values (1) returning *) select * from a",
    "with a as (update web set x = 1 returning *) select * from a",
    "select * into temporary table x from web",
    "select * into x from web",
    "explain create table x (a int)",
    "explain insert into web values (1)",
    "explain delete from web",
    "explain drop table web",
    "explain update web set a = 1",
    "explain copy web to '/tmp/x'",
    "explain attach '/tmp/x.db'",
    "explain pragma version",
    "explain set threads = 1",
]
REFUSED = [
    ("select * from range(10)", "42883"),
    ("select * from json_each('{}')", "42883"),
    ("select no_such_function(1)", "42883"),
    ("select lenght(channel) from web", "42883"),
    ("select my_schema.lower('a')", "42883"),
    ("select list_transform([1], x -> x)", "42883"),
    ("select columns(*) from web", "42883"),
    ("select * from web tablesample (10)", "0A000"),
    ("select * from web for update", "0A000"),
    ("select @x", "0A000"),
    ("select :x", "0A000"),
    ("select * from web pivot (sum(a) for b in (1))", "0A000"),
    ("select * from a.b.c.d", "0A000"),
    ("select * exclude (a) from web", "0A000"),
    ("select {'a': 1}", "0A000"),
]
ALLOWED = [
    "select 1",
    "values (1)",
    "select a, sum(b) filter (where c), count(distinct d), rank() over (order by e) from web group by rollup (a)",
    "select extract(year from a), a::date, cast(b as numeric(10, 2)), a at time zone 'UTC', -b, not c from web",
    "select coalesce(a, 'x'), nullif(a, b), case when a then b end, if(a, b, c), a || b, a is null from web",
    "select * from web w join channels c using (channel) left join x on true cross join y natural join z",
    "select a from web where a in (select b from x) and exists (select 1) and a like 'x%' and b = any($1)",
    "select string_agg(a, ',' order by a), percentile_cont(0.5) within group (order by b), array_agg(c) from web",
    "select to_char(a, 'YYYY'), date_trunc('day', a), now(), current_date, a + interval '1 day' from web",
    "select pg_catalog.lower('a'), substring(a from 1 for 2), trim(both 'x' from a), position('a' in b) from web",
    "select * from generate_series(1, 3) as g, unnest(array[1, 2]) as u(x)",
    "with recursive r as (select 1 as n union all select n + 1 from r where n < 3) select * from r",
    "select a from web union select b from web intersect select c from web except select d from web",
    "select distinct on (a) a from web order by a desc nulls last limit 5 offset 2",
]


def tree(sql):
    return parse(sql)[0].tree


@pytest.mark.parametrize("sql", FORBIDDEN)
def test_hostile_statements_are_forbidden(sql):
    with pytest.raises(WaylineError) as caught:
        check(tree(sql))
    assert caught.value.sqlstate in ("42501", "42601")
    if caught.value.sqlstate == "42501":
        assert isinstance(caught.value, ForbiddenError)
        assert caught.value.hint


@pytest.mark.parametrize(("sql", "sqlstate"), REFUSED)
def test_what_is_not_on_the_list_is_refused(sql, sqlstate):
    with pytest.raises(WaylineError) as caught:
        check(tree(sql))
    assert caught.value.sqlstate == sqlstate


@pytest.mark.parametrize("sql", ALLOWED)
def test_questions_pass(sql):
    check(tree(sql))


def test_an_unknown_function_gets_a_suggestion():
    with pytest.raises(WaylineError) as caught:
        check(tree("select lenght('a')"))
    assert caught.value.hint == 'Did you mean "length"?'


@pytest.mark.parametrize(
    "sql",
    [
        "select * from '/etc/passwd'",
        'select * from "/tmp/x.parquet"',
        "select * from 'x.csv'",
        "select * from duckdb_tables",
        "select * from _report_1",
        "select * from _dataset_events",
        "select * from main.events",
        "select * from sqlite_master",
    ],
)
def test_only_tables_of_the_catalog_are_read(sql, ask):
    with pytest.raises(WaylineError) as caught:
        ask(sql)
    assert caught.value.sqlstate == "42501"


@pytest.mark.parametrize(
    "sql",
    [
        "select * from nope",
        "select * from information_schema.tables",
        "select * from pg_catalog.pg_class",
        "select * from reports_1",
        "select * from main_events",
        'select * from "my report.v2"',
    ],
)
def test_plain_names_that_are_unknown_do_not_exist(sql, ask):
    with pytest.raises(WaylineError) as caught:
        ask(sql)
    assert caught.value.sqlstate == "42P01"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('{outside}')",
        "SELECT * FROM '{outside}'",
        "SELECT * FROM read_text('{datasets}/../../{name}')",
        "SELECT * FROM glob('{folder}/*')",
        "COPY (SELECT 1) TO '{folder}/out.csv'",
        "ATTACH '{folder}/x.db'",
        "SET enable_external_access = true",
        "SET GLOBAL allowed_directories = ['/']",
        "RESET lock_configuration",
        "SET threads = 1",
        "INSTALL httpfs",
        "SELECT * FROM local_table",
    ],
)
def test_the_workspace_itself_reaches_nothing_outside(sql, workspace, home, tmp_path):
    local_table = [1]  # noqa: F841 - a Python variable that DuckDB must not find
    outside = tmp_path / "secret.csv"
    outside.write_text("a\n1\n")
    datasets = home.root / "datasets"
    text = sql.format(outside=outside, folder=tmp_path, name=outside.name, datasets=datasets)
    with pytest.raises(Exception, match=r"Permission|locked|not exist|disabled|Cannot"):
        workspace.cursor().execute(text)
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize("name", sorted(SAFE))
def test_every_function_on_the_list_can_be_called_by_its_name(name):
    for arguments in ("a", "a, b", "a, b, c", ""):
        try:
            parsed = tree(f"select {name}({arguments})")
        except (SyntaxProblem, UnknownFunctionError):
            continue
        check(parsed)
        return
    raise AssertionError(f"{name} cannot be parsed")
