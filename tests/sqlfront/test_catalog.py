"""The catalogs: what is recognised, how it is rewritten, and what pgJDBC and psql get to see."""

import json
from pathlib import Path

import pyarrow as pa
import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st

from engine.cancellation import Cancellation
from engine.errors import WaylineError
from sqlfront.catalog import Catalog, Kind, Relation, RelationColumn, Relations, recognise
from sqlfront.catalog.relations import stable_oids
from sqlfront.catalog.rewrite import rewrite
from sqlfront.state import Caller
from sqlfront.wire.types import SCALARS, pg_name
from tests.sqlfront.fake_front import RELATIONS

PGJDBC = json.loads((Path(__file__).parent / "data" / "pgjdbc.json").read_text())
CALLER = Caller("ada", "demo", 7, {"server_version": "15.18", "jit": "off", "max_index_keys": "32"})


@pytest.fixture(scope="module")
def catalog():
    return Catalog(lambda caller: RELATIONS)


def plan(catalog, sql, declared=()):
    question = recognise(sql)
    assert question is not None
    return catalog.plan(question, CALLER, declared)


def rows(catalog, sql, *values):
    answer = plan(catalog, sql).run(values, Cancellation()).read_all()
    columns = [column.to_pylist() for column in answer.columns]
    return [list(row) for row in zip(*columns, strict=True)]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT version()",
        "select pg_catalog.version()",
        "SELECT current_database(), current_schema()",
        "SELECT current_user",
        "SELECT user",
        "SELECT 'web'::regclass",
        "SELECT set_config('search_path', '', false)",
        "SELECT * FROM pg_class",
        "SELECT * FROM pg_catalog.pg_type t",
        "SELECT table_name FROM information_schema.tables",
        "WITH t AS (SELECT oid FROM pg_class) SELECT * FROM t",
        "SELECT oid FROM pg_type WHERE oid = ANY($1::oid[])",
        "TABLE pg_class",
    ],
)
def test_recognised(sql):
    assert recognise(sql) is not None


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "SELECT now(), current_date",
        "SELECT * FROM web",
        "SELECT current_user FROM web",
        "SELECT pg_typeof(1)",
        'SELECT "user" FROM web',
        "SELECT x FROM web WHERE y = 'pg_class'",
        "SELECT pg_sum FROM web",
        "SELECT (oid FROM pg_class",
        "SELECT `pg_x` FROM web",
    ],
)
def test_not_recognised(sql):
    assert recognise(sql) is None


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT oid FROM pg_class", "SELECT oid FROM pg.pg_class AS pg_class"),
        ("SELECT 1 FROM demo.pg_catalog.pg_am a", "SELECT 1 FROM pg.pg_am AS a"),
        (
            "SELECT pg_catalog.format_type(a.b, 1) FROM pg_am a",
            "SELECT FORMAT_TYPE(a.b, 1) FROM pg.pg_am AS a",
        ),
        (
            "SELECT pg_catalog.pg_am.oid FROM pg_catalog.pg_am",
            "SELECT pg_am.oid FROM pg.pg_am AS pg_am",
        ),
        ("SELECT 'a'::regclass::oid", "SELECT CAST(REGCLASS_CAST('a') AS BIGINT)"),
        ("SELECT 'a'::regclass", "SELECT REGCLASS_NAME(REGCLASS_CAST('a'))"),
        (
            "SELECT ('a'::regclass)::text AS b",
            "SELECT CAST((REGCLASS_NAME(REGCLASS_CAST('a'))) AS TEXT) AS b",
        ),
        ("SELECT 1 WHERE 'a'::regclass = 1", "SELECT 1 WHERE REGCLASS_CAST('a') = 1"),
        (
            "SELECT x FROM (SELECT 'a'::regclass AS x) AS y",
            "SELECT x FROM (SELECT REGCLASS_CAST('a') AS x) AS y",
        ),
        ("SELECT a::regtype::text", "SELECT CAST(REGTYPE_NAME(a) AS TEXT)"),
        ("SELECT typinput::text", "SELECT REGPROC_NAME(typinput)"),
        ('SELECT a::"char", b::name[]', "SELECT CAST(a AS TEXT), CAST(b AS TEXT[])"),
        ("SELECT '{r,v}'::text[]", "SELECT CAST(['r', 'v'] AS TEXT[])"),
        (
            "SELECT a OPERATOR(pg_catalog.~) 'x' COLLATE pg_catalog.default",
            "SELECT REGEXP_MATCHES(a, 'x')",
        ),
        ("SELECT 1 WHERE a = ANY ('{r,v}')", "SELECT 1 WHERE a = ANY ['r', 'v']"),
        ("SELECT indkey[0]", "SELECT indkey[1]"),
        ("SELECT a::_regtype::text[]", "SELECT CAST(REGTYPE_NAMES(a) AS TEXT[])"),
        ("SELECT 1 WHERE a = ANY ('{16}'::_regtype)", "SELECT 1 WHERE a = ANY(REGTYPE_OIDS(['16']))"),
        ("SELECT s.a AS s, 1 FROM r AS s GROUP BY s", "SELECT s.a AS s, 1 FROM r AS s GROUP BY (s.a)"),
        (
            "SELECT FORMAT('%I.%s%%', a, b)",
            "SELECT (QUOTE_IDENT(CAST(a AS TEXT)) || '.' || CAST(b AS TEXT) || '%')",
        ),
        ("SELECT pg_catalog.format('%%', a)", "SELECT ('%')"),
        ("SELECT FORMAT(a, b)", "SELECT FORMAT(a, b)"),
        ("SELECT s.a AS b, 1 FROM r AS s GROUP BY b", "SELECT s.a AS b, 1 FROM r AS s GROUP BY b"),
        ("SELECT s.a AS s, 1 FROM r AS s GROUP BY s.a", "SELECT s.a AS s, 1 FROM r AS s GROUP BY s.a"),
        ("SELECT session_user, current_catalog", "SELECT SESSION_NAME(), CURRENT_DATABASE()"),
    ],
)
def test_rewritten(sql, expected):
    assert rewrite(sqlglot.parse_one(sql, read="postgres")).sql("duckdb") == expected


LISTING = """
SELECT n.nspname, c.relname,
  CASE c.relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' END AS kind,
  pg_catalog.pg_get_userbyid(c.relowner) AS owner
FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'v', '') AND n.nspname !~ '^pg_toast' AND n.nspname NOT LIKE 'pg\\_%'
  AND n.nspname <> 'information_schema' AND n.nspname <> 'pg_catalog'
  AND pg_catalog.pg_table_is_visible(c.oid)
ORDER BY 1, 2
"""


def test_relations_are_listed(catalog):
    assert rows(catalog, LISTING) == [
        ["public", "web", "view", "postgres"],
        ["public", "web_raw", "table", "postgres"],
    ]
    assert rows(
        catalog,
        "SELECT table_name, table_type FROM information_schema.tables "
        "WHERE table_schema = 'public' ORDER BY 1",
    ) == [["web", "VIEW"], ["web_raw", "BASE TABLE"]]
    assert rows(catalog, "SELECT viewname, viewowner FROM pg_views WHERE schemaname = 'public'") == [
        ["web", "postgres"]
    ]


def test_columns_with_types_and_descriptions(catalog):
    described = rows(
        catalog,
        "SELECT attname, format_type(atttypid, atttypmod), col_description(attrelid, attnum) "
        "FROM pg_attribute WHERE attrelid = 'public.web'::regclass AND attnum > 0 ORDER BY attnum",
    )
    assert described == [
        ["timestamp", "timestamp without time zone", None],
        ["channel", "text", "Where the person came from"],
        ["commerce.order.total", "double precision", "Order value"],
        ["visits", "bigint", None],
    ]
    raw = rows(
        catalog,
        "SELECT column_name, data_type, udt_name, numeric_precision, numeric_scale "
        "FROM information_schema.columns WHERE table_name = 'web_raw' ORDER BY ordinal_position",
    )
    assert raw == [
        ["id", "text", "text", None, None],
        ["received", "timestamp with time zone", "timestamptz", None, None],
        ["amount", "numeric", "numeric", 12, 2],
        ["tags", "ARRAY", "_text", None, None],
        ["device", "USER-DEFINED", "web_raw_device", None, None],
    ]
    assert rows(catalog, "SELECT obj_description('web'::regclass, 'pg_class')") == [["All web events"]]


def test_session_functions(catalog):
    assert rows(
        catalog,
        "SELECT version(), current_database(), current_schema(), current_user, session_user, "
        "pg_backend_pid(), current_setting('jit'), current_setting('no.such', true)",
    ) == [["PostgreSQL 15.18 (wayline)", "demo", "public", "ada", "ada", 7, "off", None]]
    query = plan(catalog, "SELECT version(), current_user, 1, 'x'::text, true, count(*) AS n")
    assert [column.name for column in query.columns] == [
        *("version", "current_user", "?column?", "text", "bool", "n"),
    ]


def test_results_have_postgresqls_types(catalog):
    query = plan(
        catalog,
        "SELECT oid, typname, typtype AS kind, typlen, typreceive, typname::text AS t, "
        "(SELECT nspname FROM pg_namespace n WHERE n.oid = typnamespace) AS ns FROM pg_type",
    )
    names = [pg_name(column.type) for column in query.columns]
    assert names == ["oid", "name", "char", "int2", "text", "text", "name"]
    assert rows(catalog, "SELECT typreceive FROM pg_type WHERE typname = 'bool'") == [["boolrecv"]]
    star = plan(catalog, "WITH t(a, b) AS (SELECT oid, relkind FROM pg_class) SELECT * FROM t")
    assert [pg_name(column.type) for column in star.columns] == ["oid", "char"]


def test_parameters_are_inferred(catalog):
    query = plan(
        catalog,
        "SELECT relname FROM pg_class WHERE oid = $1 AND relname = $2 AND oid = ANY($3::oid[]) "
        "AND relnatts > $4",
        [None, None, None, pa.int64()],
    )
    assert [pg_name(each) for each in query.parameters] == ["oid", "name", "_oid", "int8"]
    assert rows(catalog, "SELECT nspname FROM pg_namespace WHERE oid = $1", 2200) == [["public"]]


def test_arrays_of_types_refer_to_each_other(catalog):
    misnamed = """
        SELECT e.typname FROM pg_type a JOIN pg_type e ON a.typelem = e.oid
        WHERE a.oid = e.typarray AND a.typname <> '_' || e.typname
    """
    assert rows(catalog, misnamed) == []
    pair = "SELECT typarray, typelem FROM pg_type WHERE typname IN ('int4', '_int4') ORDER BY oid"
    assert rows(catalog, pair) == [[1007, 0], [0, 23]]


def test_types_agree_with_postgresql(catalog):
    known = rows(
        catalog, "SELECT oid, typname, typlen, typarray, typcategory FROM pg_type WHERE typcategory <> 'C'"
    )
    assert {(s.oid, s.name, s.size, s.array, s.category) for s in SCALARS} <= set(map(tuple, known))


def test_every_relation_has_a_row_type(catalog):
    assert rows(
        catalog,
        "SELECT t.typname, t.typtype, format_type(t.oid, NULL) FROM pg_class c JOIN pg_type t ON t.oid = c.reltype "
        "WHERE t.typrelid = c.oid AND c.relnamespace = 'public'::regnamespace ORDER BY 1",
    ) == [["web", "c", "web"], ["web_raw", "c", "web_raw"], ["web_raw_device", "c", "web_raw_device"]]


def test_objects_print_as_names(catalog):
    assert rows(
        catalog,
        "SELECT '{16,int4}'::regtype[], c.relowner::regrole, c.oid::regclass "
        "FROM pg_class c WHERE c.oid = 'web'::regclass",
    ) == [[["boolean", "integer"], "postgres", "web"]]
    assert rows(
        catalog, "SELECT typname FROM pg_type WHERE oid = ANY('{25,int4}'::regtype[]) ORDER BY 1"
    ) == [["int4"], ["text"]]
    arguments = "SELECT coalesce(proallargtypes::regtype[], proargtypes::regtype[])::text[] FROM pg_proc WHERE oid = 177"
    assert rows(catalog, arguments) == [[["integer", "integer"]]]


def test_settings_that_we_have_no_use_for(catalog):
    known = "SELECT setting, unit, vartype, source FROM pg_settings WHERE name IN ('work_mem', 'jit') ORDER BY name"
    assert rows(catalog, known) == [["off", None, "bool", "session"], ["4096", "kB", "integer", "default"]]
    assert rows(catalog, "SELECT current_setting('work_mem')") == [["4MB"]]


@pytest.mark.parametrize("name", PGJDBC)
def test_statements_of_pgjdbc(catalog, name):
    answer = rows(catalog, PGJDBC[name])
    if name.startswith("getTables"):
        types = [["web_raw_device", "TYPE"]] if name == "getTables_all" else []
        assert [row[2:4] for row in answer] == [["web_raw", "TABLE"], *types, ["web", "VIEW"]]
    elif name == "getColumns":
        assert [row[2] for row in answer] == [
            *("timestamp", "channel", "commerce.order.total", "visits"),
        ]
    elif name == "getTypeInfo":
        assert ["float8", 701] in answer
    elif name in ("getPrimaryKeys", "getImportedKeys", "getExportedKeys", "getFunctions"):
        assert answer == []
    elif name == "getSchemas":
        assert [row[0] for row in answer] == ["information_schema", "pg_catalog", "public", "system"]


def test_catalogs_follow_the_relations():
    relation = Relation("orders", Kind.VIEW, (RelationColumn("n", pa.int64()),))
    current = [Relations(1, ())]
    catalog = Catalog(lambda caller: current[0])
    listing = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    assert rows(catalog, listing) == []
    current[0] = Relations(2, (relation,))
    assert rows(catalog, listing) == [["orders"]]


@pytest.mark.parametrize(
    ("sql", "sqlstate"),
    [
        ("SELECT * FROM pg_class, read_csv('/etc/passwd')", "42501"),
        ("SELECT * FROM pg_class, \"read_text\"('/etc/passwd')", "42501"),
        ("SELECT (SELECT content FROM read_text('/etc/passwd')), version()", "42501"),
        ("SELECT * FROM pg_class, duckdb_settings()", "42501"),
        ("SELECT * FROM pg_class, query('SELECT 1')", "42501"),
        ("SELECT * FROM pg_class, arrow_scan(1, 2, 3)", "42501"),
        ("SELECT * FROM pg_class, checkpoint()", "42501"),
        ("SELECT getvariable('caller') FROM pg_class", "42501"),
        ("SELECT pg_read_file('/etc/passwd') FROM pg_class", "42501"),
        ("SELECT pg_no_such_function()", "42883"),
        ("SELECT no_such_function(), version()", "42883"),
        ("SELECT rolpassword FROM pg_authid", "42501"),
        ("SELECT passwd FROM pg_catalog.pg_shadow", "42501"),
        ("SELECT caller('user') FROM pg_class", "42501"),
        ("SELECT getenv('HOME') FROM pg_class", "42501"),
        ("WITH x AS (DELETE FROM pg_class RETURNING *) SELECT * FROM x, pg_class", "42501"),
        ("SELECT * INTO x FROM pg_class", "42501"),
        ("SELECT * FROM pg_class JOIN '/etc/passwd' ON true", "42501"),
        ("SELECT * FROM pg_class, pg_catalog.nothing", "42P01"),
        ("SELECT * FROM pg_class, web", "0A000"),
    ],
)
def test_catalogs_reach_nothing_else(catalog, sql, sqlstate):
    question = recognise(sql)
    with pytest.raises(WaylineError) as refused:
        catalog.plan(question, CALLER)
    assert refused.value.sqlstate == sqlstate


@given(st.sets(st.text(max_size=5), max_size=30), st.data())
def test_oids_are_stable_and_distinct(names, data):
    oids = stable_oids(names)
    assert len(set(oids.values())) == len(names)
    fewer = data.draw(st.sets(st.sampled_from(sorted(names)))) if names else set()
    assert all(oids[name] == oid for name, oid in stable_oids(fewer).items())
    assert all(2**31 > oid >= 100_000 for oid in oids.values())
