"""What a statement reads inside columns: paths, places in arrays, keys of identity maps, rows out of arrays."""

import pytest

from engine.definitions.model import Definitions
from sqlfront.dialect import parse
from sqlfront.front import open_front
from sqlfront.gate import OwnersGate
from sqlfront.planner.rewrites import lateral_views
from tests.journeys.support import ingest_rows, new_home
from tests.sqlfront.purchases import answers, purchases_home
from tests.world.homes import START


@pytest.fixture(scope="module")
def front(tmp_path_factory):
    home = purchases_home(tmp_path_factory.mktemp("nested"))
    yield open_front(home, OwnersGate())
    home.close()


@pytest.fixture(scope="module")
def nested(tmp_path_factory):
    """A front over one event, whose array has objects with arrays inside."""
    rows = {"type": "array", "fields": {"tags": {"type": "array", "items": "string"}}}
    dataset = {"kind": "event", "timestamp": "at", "event_id": "id"}
    fields = {"id": "string", "at": "timestamp", "rows": rows}
    definitions = Definitions.model_validate({"datasets": {"nested": {**dataset, "fields": fields}}})
    home = new_home(tmp_path_factory.mktemp("arrays"), definitions)
    values = [{"tags": ["a", "b"]}, {"tags": ["c", "d"]}]
    ingest_rows(home, "nested", [{"id": "1", "at": START, "rows": values}])
    yield open_front(home, OwnersGate())
    home.close()


@pytest.fixture
def ask(front):
    def query(sql, database="demo"):
        return answers(front, sql, database)

    return query


@pytest.mark.parametrize(
    "path",
    [
        "commerce.`order`.purchaseID",
        "commerce.order.purchaseID",
        "commerce['order'].purchaseID",
        "commerce['order']['purchaseID']",
        "(commerce).order.purchaseID",
        "p.commerce.`order`.`purchaseID`",
    ],
)
def test_paths_with_dots_and_brackets(ask, path):
    assert ask(f"SELECT {path} FROM purchases p ORDER BY at") == [("p1",), ("p2",), (None,)]


def test_parts_with_leading_digits_need_backquotes(ask):
    assert ask("SELECT commerce.`2ndLook` FROM purchases WHERE id = '1'") == [("seen p1",)]
    assert ask("SELECT commerce.2ndLook FROM purchases")[:2] == ("E", "42703")


def test_fields_that_are_not_there(ask):
    for path in ("commerce.nothing", "p.commerce.`order`.nothing"):
        assert ask(f"SELECT {path} FROM purchases p") == (
            "E",
            "42703",
            'column "commerce" has no field "nothing"',
        )


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("items[0].sku", ["hat", "hat", None]),
        ("items[1]['SKU']", ["shoe", None, None]),
        ("items[-1].sku", [None, None, None]),
        ("p.items[length(id) - 1].sku", ["hat", "hat", None]),
        ("tags[0]", ["new", "red", None]),
        ("filter(items, i -> i.price > 5)[0].sku", ["shoe", None, None]),
        ("identityMap['ECID'][0].id", ["e1", None, None]),
        ("identityMap['ECID'][1].id", ["e2", None, None]),
        ("identityMap['CRM'][0].id", ["c1", "c2", None]),
        ("identityMap[0].id", ["e1", "c2", None]),
        ("element_at(identityMap, 'ECID')[1].id", ["e2", None, None]),
        ("element_at(items, 1).sku", ["hat", "hat", None]),
        ("size(element_at(identityMap, 'ECID'))", ["2", "0", None]),
        ("map_keys(identityMap)", ["{CRM,ECID}", "{CRM}", None]),
        ("size(map_values(identityMap))", ["2", "1", None]),
        (
            "map_values(identityMap)",
            ['{{"(CRM,c1,f)"},{"(ECID,e1,t)","(ECID,e2,f)"}}', '{{"(CRM,c2,f)"}}', None],
        ),
    ],
)
def test_arrays_of_datasets_count_from_zero(ask, path, expected):
    assert ask(f"SELECT {path} FROM purchases p ORDER BY at") == [(value,) for value in expected]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT i[0].sku FROM (SELECT items AS i FROM purchases ORDER BY id LIMIT 1) s", "hat"),
        ("WITH c AS (SELECT * FROM purchases) SELECT items[1].sku FROM c WHERE id = '1'", "shoe"),
        ("SELECT t.x[0].sku FROM purchases AS t(a, b, c, d, x) WHERE a = '1'", "hat"),
        ("SELECT (SELECT p.items[1].sku) FROM purchases p WHERE id = '1'", "shoe"),
        ("SELECT max(t[0]) FROM (SELECT tags AS t FROM purchases UNION SELECT tags FROM purchases) u", "red"),
        ("SELECT count(*) FROM purchases a JOIN purchases b ON a.items[0].sku = b.items[0].sku", "4"),
        ("SELECT id FROM purchases WHERE tags[0] = 'new' ORDER BY items[0].price", "1"),
        ("SELECT items[0].sku FROM purchases GROUP BY items[0].sku HAVING items[0].sku IS NOT NULL", "hat"),
        (
            "SELECT SUM(s.revenue) FROM shop s JOIN purchases p ON s.currency = p.commerce.order.currency"
            " WHERE p.items[1].sku = 'shoe'",
            "10.5",
        ),
    ],
)
def test_they_do_so_wherever_they_are_read(ask, sql, expected):
    assert ask(sql) == [(expected,)]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("(ARRAY[7,8])[1]", "7"),
        ("(ARRAY[7,8])[0]", None),
        ("(ARRAY[7,8])[-1]", None),
        ("(string_to_array('a,b', ','))[1]", "a"),
        ("(SELECT (array_agg(id ORDER BY id))[1] FROM purchases)", "1"),
        ("(SELECT x[1] FROM (SELECT array_agg(id ORDER BY id) AS x FROM purchases) s)", "1"),
        ("(SELECT x[1] FROM (VALUES (ARRAY[7,8])) AS v(x))", "7"),
        ("(SELECT tags[1:1] FROM purchases WHERE id = '1')", "{new}"),
    ],
)
def test_other_arrays_and_slices_count_from_one(ask, written, expected):
    assert ask(f"SELECT {written}") == [(expected,)]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT items.sku FROM purchases ORDER BY id", ["{hat,shoe}", "{hat}", "{}"]),
        ("SELECT p.items.price FROM purchases p ORDER BY id", ["{4,6.5}", "{4}", "{}"]),
        ("SELECT (items).sku FROM purchases ORDER BY id", ["{hat,shoe}", "{hat}", "{}"]),
        ("SELECT items.sku[1] FROM purchases ORDER BY id", ["shoe", None, None]),
        ("SELECT filter(items, i -> i.price > 5).sku FROM purchases ORDER BY id", ["{shoe}", "{}", "{}"]),
        ("SELECT size(i.sku) FROM (SELECT items AS i, id FROM purchases) s ORDER BY id", ["2", "1", "0"]),
        ("SELECT x FROM purchases LATERAL VIEW explode(items.sku) e AS x", ["hat", "shoe", "hat"]),
        ("SELECT id FROM purchases WHERE 'shoe' = ANY(items.sku)", ["1"]),
        (
            "SELECT SUM(s.revenue) FROM shop s JOIN purchases p ON s.currency = p.commerce.order.currency"
            " WHERE p.items.sku[1] = 'shoe'",
            ["10.5"],
        ),
    ],
)
def test_a_field_of_an_array_of_objects_is_an_array(ask, sql, expected):
    assert ask(sql) == [(value,) for value in expected]


def test_a_field_within_arrays_of_arrays(nested):
    assert answers(nested, "SELECT rows.tags FROM nested") == [("{{a,b},{c,d}}",)]
    assert answers(nested, "SELECT rows.tags[1][0] FROM nested") == [("c",)]


@pytest.mark.parametrize(
    ("path", "state", "message"),
    [
        (
            """filter(items, i -> true)."sku"")) || version() || concat((1" """,
            "42703",
            'column "sku")) || version() || concat((1" not found in data type record',
        ),
        ("items.nothing", "42703", 'column "items" has no field "nothing"'),
        ("items[0].nothing", "42703", 'column "nothing" not found in data type record'),
        (
            "items[0].sku.nothing",
            "42809",
            "column notation .nothing applied to a value that is not of a composite type",
        ),
        (
            "identityMap.id",
            "42809",
            "column notation .id applied to a value that is not of a composite type",
        ),
    ],
)
def test_fields_that_no_object_has(ask, path, state, message):
    assert ask(f"SELECT {path} FROM purchases") == ("E", state, message)


@pytest.mark.parametrize(
    ("prepared", "given", "expected"),
    [
        ("AS SELECT items[$1].sku", "1", "shoe"),
        ("(int) AS SELECT items[$1].sku", "0", "hat"),
        ("(text) AS SELECT identityMap[$1][0].id", "'CRM'", "c1"),
        ("AS SELECT identityMap[$1][0].id", "'ECID'", "e1"),
    ],
)
def test_places_and_keys_can_be_parameters(ask, prepared, given, expected):
    statement = f"PREPARE asked {prepared} FROM purchases WHERE id = '1'; EXECUTE asked({given})"
    assert ask(statement) == [(expected,)]


def test_no_element_of_values_is_counted_from_the_end(ask):
    assert ask("VALUES ((ARRAY[1,2])[-1])") == [(None,)]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT id, explode(tags) FROM purchases", [("1", "new"), ("1", "red"), ("2", "red")]),
        (
            "SELECT id, posexplode(tags) FROM purchases",
            [("1", "0", "new"), ("1", "1", "red"), ("2", "0", "red")],
        ),
        (
            "SELECT id, inline(items) FROM purchases",
            [("1", "hat", "4"), ("1", "shoe", "6.5"), ("2", "hat", "4")],
        ),
        ("SELECT s.price FROM (SELECT inline(items) FROM purchases) s", [("4",), ("4",), ("6.5",)]),
        ("SELECT inline(ARRAY[struct(1 AS a, 2 AS b), struct(3 AS a, 4 AS b)])", [("1", "2"), ("3", "4")]),
        (
            "SELECT id, k, v[0].id FROM (SELECT id, explode(identityMap) AS (k, v) FROM purchases) s",
            [("1", "CRM", "c1"), ("1", "ECID", "e1"), ("2", "CRM", "c2")],
        ),
        (
            "SELECT id, x.sku FROM purchases LATERAL VIEW explode(items) e AS x",
            [("1", "hat"), ("1", "shoe"), ("2", "hat")],
        ),
        (
            "SELECT id, e.col FROM purchases p LATERAL VIEW OUTER explode(p.tags) e",
            [("1", "new"), ("1", "red"), ("2", "red"), ("3", None)],
        ),
        (
            "SELECT id, sku, place FROM purchases LATERAL VIEW inline(items) e"
            " LATERAL VIEW posexplode(tags) t AS place, tag WHERE tag = 'red'",
            [("1", "hat", "1"), ("1", "shoe", "1"), ("2", "hat", "0")],
        ),
        (
            "SELECT key, value[0].id FROM purchases LATERAL VIEW explode(identityMap) WHERE id = '2'",
            [("CRM", "c2")],
        ),
        (
            "SELECT id, (SELECT count(*) FROM (SELECT explode(p.tags) AS x) q WHERE q.x = 'red') FROM purchases p",
            [("1", "1"), ("2", "1"), ("3", "0")],
        ),
        (
            "SELECT currency, explode(ARRAY[1,2]) FROM shop WHERE currency = 'EUR'",
            [("EUR", "1"), ("EUR", "2")],
        ),
    ],
)
def test_rows_out_of_arrays(ask, sql, expected):
    assert sorted(ask(sql)) == expected


def test_rows_out_of_arrays_are_not_unique_by_what_the_rows_were(ask):
    rows = "SELECT device, explode(ARRAY[1,2]) AS n FROM (SELECT device FROM purchases GROUP BY 1) d"
    assert sorted(ask(f"SELECT device, count(*) FROM ({rows}) r GROUP BY 1")) == [("x", "2"), ("y", "2")]
    joined = f"SELECT SUM(s.revenue) FROM shop s JOIN ({rows}) r ON s.adobe_personid = r.device"
    assert ask(joined) == [("61",)]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT explode(items), explode(tags) FROM purchases",
        "SELECT upper(explode(tags)) FROM purchases",
        "SELECT id FROM purchases WHERE explode(tags) = 'x'",
        "SELECT inline(transform(items, i -> i)) FROM purchases",
        "SELECT posexplode(tags) AS (a, b, c) FROM purchases",
        "SELECT id AS (a, b) FROM purchases",
        "SELECT currency AS (a, b) FROM shop",
    ],
)
def test_rows_that_have_no_clear_meaning(ask, sql):
    assert ask(sql)[:2] == ("E", "0A000")


@pytest.mark.parametrize("database", ["demo?FLATTEN", "demo%3FFLATTEN", "prod:all?flatten"])
def test_ex_qs_fl_leaves_are_columns(ask, database):
    asked = """SELECT YEAR(at) AS year, SUM("commerce.order.priceTotal") AS revenue FROM purchases
        WHERE "commerce.purchases.value" > 0 GROUP BY 1;"""
    assert ask(asked, database) == [("2024", "30.5")]


def test_ex_qs_fl_names_that_are_not_flat_are_not_visible(ask):
    for written in ("commerce", "commerce.order.priceTotal", "purchases.commerce.order.priceTotal"):
        assert ask(f"SELECT {written} FROM purchases", "demo?FLATTEN")[:2] == ("E", "42703")


def test_ex_qs_fl_arrays_and_maps_are_not_flattened(ask):
    asked = (
        """SELECT "commerce.2ndLook", items[0].sku, identityMap['ECID'][0].id FROM purchases WHERE id = '1'"""
    )
    assert ask(asked, "demo?FLATTEN") == [("seen p1", "hat", "e1")]


def test_objects_and_arrays_as_json(ask):
    shown = "SELECT id, items, commerce.purchases AS p, tags, at FROM purchases ORDER BY at DESC LIMIT 2"
    assert ask(f"SET auto_to_json = true; {shown}") == [
        ("3", "[]", None, None, "2024-01-06 00:00:00+00"),
        ("2", '[{"SKU":"hat","price":4.0}]', '{"value":1.0}', '["red"]', "2024-01-05 01:00:00+00"),
    ]
    assert ask(shown)[1] == ("2", '{"(hat,4)"}', "(1)", "{red}", "2024-01-05 01:00:00+00")


def test_statements_without_objects_are_left_alone_by_json(ask):
    asked = "SELECT currency, SUM(revenue) FROM shop GROUP BY 1 ORDER BY 1"
    assert ask(f"SET auto_to_json = on; {asked}") == ask(asked)


def test_switches_are_on_or_off(ask):
    assert ask("SET auto_to_json = maybe")[:2] == ("E", "22023")
    assert ask("SHOW auto_to_json") == [("off",)]
    assert ask("SET drop_system_columns = no; SHOW drop_system_columns") == [("off",)]


@pytest.mark.parametrize(
    ("database", "source"),
    [
        ("demo", "_acp_system_metadata.acp_sourceBatchId"),
        ("demo?FLATTEN", '"_acp_system_metadata.acp_sourceBatchId"'),
    ],
)
def test_system_columns_tell_of_the_batch(front, ask, database, source):
    (batch,) = ask(f"SET drop_system_columns = false; SELECT DISTINCT {source} FROM purchases", database)
    assert ask("SET drop_system_columns = false; SELECT DISTINCT _acp_batchid FROM purchases") == [batch]
    assert ask("SET drop_system_columns = false; SELECT count(_acp_batchid) FROM sessions") == [("0",)]


def test_system_columns_tell_when_a_row_was_ingested(ask):
    asked = "SELECT to_timestamp(_acp_system_metadata.ingestTime / 1000.0) BETWEEN now() - interval '1 day' AND now()"
    assert ask(f"SET drop_system_columns = false; {asked} FROM purchases LIMIT 1") == [("t",)]


def test_system_columns_are_not_there_unless_asked_for(ask):
    assert ask("SELECT _acp_batchid FROM purchases")[:2] == ("E", "42703")
    assert len(ask("SELECT * FROM purchases")[0]) == 7
    assert len(ask("SET drop_system_columns = false; SELECT * FROM purchases")[0]) == 9


def test_a_column_of_a_dataset_hides_a_system_column_of_its_name(tmp_path):
    fields = {"id": "string", "at": "timestamp", "_acp_batchid": "string"}
    dataset = {"kind": "event", "timestamp": "at", "event_id": "id", "fields": fields}
    home = new_home(tmp_path, Definitions.model_validate({"datasets": {"loads": dataset}}))
    ingest_rows(home, "loads", [{"id": "1", "at": START, "_acp_batchid": "mine"}])
    front = open_front(home, OwnersGate())
    shown = "SET drop_system_columns = false; SELECT"
    assert answers(front, f"{shown} _acp_batchid FROM loads") == [("mine",)]
    assert len(answers(front, f"{shown} * FROM loads")[0]) == 4
    assert answers(front, f"{shown} _acp_system_metadata.ingestTime > 0 FROM loads") == [("t",)]
    home.close()


@pytest.mark.parametrize("source", ["explode(tags) AS t(x)", "purchases, LATERAL inline(items) i"])
def test_what_makes_rows_is_no_table(ask, source):
    refused = ask(f"SELECT * FROM {source}")
    assert refused[:2] == ("E", "0A000") and "in FROM is not supported" in refused[2]


@pytest.mark.parametrize(
    "view",
    [
        "LATERAL VIEW explode(read_text('/etc/passwd')) e AS x",
        "LATERAL VIEW read_csv('/etc/passwd') e AS x",
        "LATERAL VIEW OUTER posexplode(string_to_array(getenv('HOME'), '/')) e",
        "LATERAL VIEW inline(duckdb_settings()) e",
    ],
)
def test_lateral_view_opens_no_doors(ask, view):
    for wrapped in (
        "{}",
        "EXPLAIN {}",
        "PREPARE p AS {}",
        "COPY ({}) TO STDOUT",
        "CREATE TEMP TABLE t AS {}",
    ):
        asked = f"SELECT 1 FROM purchases {view}"
        assert ask(wrapped.format(asked))[:2] == ("E", "42501"), wrapped


def test_lateral_without_view_is_left_alone():
    tree = parse("SELECT x FROM t CROSS JOIN LATERAL (SELECT unnest(t.a) AS x) e")[0].tree
    assert lateral_views(tree.copy()) == tree


def test_a_place_that_is_no_whole_number_is_rounded(ask):
    assert ask("SELECT tags[0.4], tags[0.6] FROM purchases ORDER BY at") == [
        ("new", "red"),
        ("red", None),
        (None, None),
    ]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT explode(identityMap['ECID']) AS i FROM purchases", [("(ECID,e1,t)",), ("(ECID,e2,f)",)]),
        (
            "SELECT v.id FROM purchases LATERAL VIEW explode(identityMap['ECID']) e AS v",
            [("e1",), ("e2",)],
        ),
        (
            "SELECT k, v.id AS i FROM purchases LATERAL VIEW explode(identityMap) m AS k, w"
            " LATERAL VIEW explode(w) f AS v ORDER BY i",
            [("CRM", "c1"), ("CRM", "c2"), ("ECID", "e1"), ("ECID", "e2")],
        ),
        ("SELECT size(identityMap['ECID']) FROM purchases WHERE id = '1'", [("2",)]),
        ("SELECT size(filter(identityMap, x -> x.primary)) FROM purchases WHERE id = '1'", [("1",)]),
    ],
)
def test_identities_of_a_namespace_are_an_array(ask, sql, expected):
    assert ask(sql) == expected


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("explode(tags, items)", "explode of several values is not supported"),
        ("inline(items) AS x", "inline gives 2 columns, but 1 name was given"),
        ("explode(identityMap) AS x", "explode gives 2 columns, but 1 name was given"),
    ],
)
def test_what_makes_rows_leaves_out_nothing_that_was_written(ask, output, message):
    assert ask(f"SELECT {output} FROM purchases") == ("E", "0A000", message)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT transform(rows, r -> r.tags[0]) FROM nested", [("{a,c}",)]),
        ("SELECT filter(rows, r -> r.tags[0] = 'c')[0].tags[0] FROM nested", [("c",)]),
        ("SELECT transform(rows, r -> transform(r.tags, t -> r.tags[0])) FROM nested", [("{{a,a},{c,c}}",)]),
        ("SELECT aggregate(rows, '', (s, r) -> s || r.tags[0]) FROM nested", [("ac",)]),
        ("SELECT x.tags[0] AS t FROM (SELECT inline(rows) FROM nested) x ORDER BY 1", [("a",), ("c",)]),
        ("SELECT transform(ARRAY[ARRAY['x', 'y']], r -> r[1]) FROM nested", [("{x}",)]),
    ],
)
def test_arrays_inside_elements_count_from_zero_as_well(nested, sql, expected):
    assert answers(nested, sql) == expected
