"""Filter law and SQL law on a real home: stitched persons, persistence, attribution behind every answer."""

from __future__ import annotations

import pytest

from tests.laws import shop_homes as shop
from tests.sqlfront.compare import same_rows
from wayline import generate

METRICS = ("visitors", "visits", "occurrences", "revenue", "revenue_first", "revenue_last", "revenue_linear")
MEASURED = ", ".join(f"SUM({name}) AS {name}" for name in METRICS)
MARCH = "daterange >= DATE '2026-03-01' AND daterange < DATE '2026-03-15'"


@pytest.fixture(scope="module")
def ask(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    made = generate.generate(folder / "data", events=4_000, seed=31)
    home = shop.build(folder / "home", made, made.files["web"], made.files["calls"])
    yield shop.asker(home)
    home.close()


FILTERS = [
    (("channel",), "channel = 'email'"),
    (("channel",), "channel IN ('email', 'paid search', 'no such channel')"),
    (("channel",), "channel <> 'email'"),
    (("channel",), "channel IS NULL"),
    (("channel",), "channel IS NOT NULL AND NOT channel LIKE '%a%'"),
    (("channel",), "channel = 'email' OR channel IS NULL"),
    (("campaign",), "upper(campaign) LIKE 'EMAIL%'"),
    (("device_type",), "device_type IN ('mobile', 'app')"),
    (("channel", "campaign"), "channel = 'email' AND campaign IS NOT NULL"),
    (("channel", "campaign"), "channel = 'social' OR campaign LIKE '%brand'"),
    (("channel", "country"), "coalesce(channel, country) > 'm'"),
    (("adobe_personid", "channel"), "adobe_personid LIKE '%1' AND channel > 'd'"),
    (("channel", "daterangeday"), "channel <> 'sms' AND extract(dow FROM daterangeday) = 1"),
    (("call_reason",), "call_reason IS NOT NULL"),
]


@pytest.mark.parametrize("window", ["1 = 1", MARCH], ids=["all time", "two weeks"])
@pytest.mark.parametrize(("groups", "condition"), FILTERS)
def test_a_filter_on_grouped_dimensions_picks_rows(groups, condition, window, ask):
    names = ", ".join(groups)
    question = f"SELECT {names}, {MEASURED} FROM shop WHERE {window}"
    filtered = ask(f"{question} AND ({condition}) GROUP BY {names}")
    # LIMIT ends the measures: what stands outside of it sees rows and cannot become a part of the report.
    rows = f"({question} GROUP BY {names} LIMIT 1000000) AS answer"
    picked = ask(f"SELECT * FROM {rows} WHERE {condition}")
    same_rows(filtered, picked)
    if window == "1 = 1":
        assert 0 < len(picked) < len(ask(f"SELECT * FROM {rows}"))


def test_a_filter_on_what_was_bought_picks_rows(ask):
    question = (
        "SELECT item, SUM(item_revenue) AS value, SUM(units) AS units, SUM(visitors) AS people FROM shop"
    )
    picked = ask(f"SELECT * FROM ({question} GROUP BY item LIMIT 1000000) AS q WHERE item > 'S'")
    same_rows(ask(f"{question} WHERE item > 'S' GROUP BY item"), picked)


def test_a_filter_on_another_dimension_is_an_event_segment(ask):
    """The contrast: a condition on what is not grouped takes touches away, so it does not only pick rows."""
    filtered = ask("SELECT country, SUM(revenue_linear) FROM shop WHERE channel = 'email' GROUP BY country")
    by_both = ask(
        "SELECT country, SUM(r) FROM (SELECT country, channel, SUM(revenue_linear) AS r FROM shop"
        " GROUP BY 1, 2 LIMIT 1000000) AS t WHERE channel = 'email' GROUP BY country"
    )
    with pytest.raises(AssertionError):
        same_rows(filtered, by_both)


BASES = [
    f"SELECT channel AS k, {MEASURED} FROM shop GROUP BY channel",
    f"SELECT campaign AS k, {MEASURED} FROM shop WHERE {MARCH} AND device_type <> 'app' GROUP BY campaign",
    f"SELECT daterangeday AS k, {MEASURED} FROM shop WHERE {MARCH} AND channel = 'email' GROUP BY 1",
]
WRAPS = {
    "sub-select": "SELECT * FROM ({base}) AS q",
    "columns by name": "SELECT q.k, {columns} FROM ({base}) AS q",
    "CTE": "WITH q AS ({base}) SELECT * FROM q",
    "CTE of a CTE": "WITH a AS ({base}), b AS (SELECT k AS x, {columns} FROM a) SELECT * FROM b",
    "top of Power BI": 'select "_".* from ({base}) "_" where not "_"."visits" is null limit 1000001',
    "sorted": "SELECT * FROM (SELECT * FROM ({base}) AS q ORDER BY visits DESC) AS r",
}
LAYERS = {
    "sub-select": "SELECT k, {sums} FROM (SELECT {key} AS k, {columns} FROM shop WHERE {where}) q GROUP BY k",
    "filter outside": "SELECT {key} AS k, {sums} FROM (SELECT * FROM shop) AS q WHERE {where} GROUP BY 1",
    "CTE": "WITH q AS (SELECT * FROM shop WHERE {where}) SELECT {key}, {sums} FROM q GROUP BY {key}",
    "CTE with new names": (
        "WITH q(k, d, {columns}) AS (SELECT {key}, daterange, {columns} FROM shop"
        " WHERE {where}) SELECT k, {sums} FROM q GROUP BY k"
    ),
    "Power BI": (
        'select "_"."k", {sums} from (select "rows"."{key}" as "k", {columns} from (select * from'
        ' (select * from "public"."shop" "$Table") "_" where {where}) "rows") "_" group by "_"."k"'
    ),
    "in two parts": (
        "SELECT * FROM (SELECT {key} AS k, {sums} FROM shop AS s WHERE {where} GROUP BY s.{key}) AS q"
        " WHERE k IS NOT NULL UNION ALL SELECT {key}, {sums} FROM shop WHERE ({where}) AND {key} IS NULL"
        " GROUP BY {key}"
    ),
}
PARTS = [
    ("channel", "1 = 1"),
    ("campaign", f"{MARCH} AND device_type <> 'app'"),
    ("daterangeday", f"{MARCH} AND channel = 'email'"),
    ("country", "channel = 'email' OR campaign IS NULL"),
]


@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("base", BASES)
def test_wrapping_an_answer_changes_nothing(base, wrap, ask):
    wrapped = WRAPS[wrap].format(base=base, columns=", ".join(METRICS))
    same_rows(ask(wrapped), ask(base))


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize(("key", "where"), PARTS)
def test_layers_over_a_view_change_nothing(key, where, layer, ask):
    flat = ask(f"SELECT {key}, {MEASURED} FROM shop WHERE {where} GROUP BY {key}")
    names = {"key": key, "where": where, "columns": ", ".join(METRICS), "sums": MEASURED}
    assert flat
    same_rows(ask(LAYERS[layer].format(**names)), flat)
