"""Worked examples of persistence over real homes: the files and the statements of docs/persistence.md."""

from __future__ import annotations

import datetime
import re
from decimal import Decimal
from pathlib import Path

import pytest
from sqlglot import exp

from engine import flow
from engine.definitions.project import load
from engine.report import explain
from engine.report.request import Aggregate, DimensionColumn, MetricColumn, ReportRequest
from engine.world import Home
from tests.laws.shop_homes import asker

DOCS = Path(__file__).parents[2] / "docs"
DATASETS = ("hits", "colours", "searches", "shows", "methods", "orders")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = Home.create(tmp_path_factory.mktemp("persistence") / "home")
    flow.apply(home, load(DOCS / "examples" / "persistence.yaml"))
    for name in DATASETS:
        flow.ingest(home, name, [DOCS / "examples" / "persistence" / f"{name}.jsonl"])
    yield home
    home.close()


@pytest.fixture(scope="module")
def ask(home):
    return asker(home)


def by(ask, view, dimension, metric):
    rows = ask(f"SELECT {dimension}, SUM({metric}) FROM {view} GROUP BY 1")
    return {name: float(value) for name, value in rows if value is not None}


def shown(ask, dimension):
    rows = ask(f'SELECT "timestamp", "{dimension}" FROM hits_view ORDER BY 1')
    return [value for _, value in rows]


def test_ex_dv_p0_none(ask):
    assert shown(ask, "none") == [None, "C", "B", None, "A"]


def test_ex_dv_p1_most_recent(ask):
    assert shown(ask, "recent") == [None, "C", "B", "B", "A"]


def test_ex_dv_p2_original(ask):
    assert shown(ask, "original") == [None, "C", "C", "C", "C"]


def test_ex_dv_p3_all(ask):
    assert shown(ask, "every") == ["A", "A, B", "A, B, C", "A, B, C", "A, B, C"]
    counts = ask("SELECT every, COUNT(*), SUM(visitors), SUM(visits) FROM hits_view GROUP BY 1 ORDER BY 1")
    assert counts == [("A", 5, 1, 1), ("B", 4, 1, 1), ("C", 3, 1, 1)]


def test_ex_dv_p4_first_known(ask):
    assert shown(ask, "first_known") == ["C"] * 5


def test_ex_dv_p5_last_known(ask):
    assert shown(ask, "last_known") == ["A"] * 5


def test_ex_dv_b1_a_colour_stays_with_its_product(ask):
    assert by(ask, "colours_view", "colour_recent", "revenue") == {"neon orange": 2099}
    assert by(ask, "colours_view", "colour", "revenue") == {"white": 1600, "neon orange": 499}


def test_ex_dv_b2_a_search_term_is_bound_to_the_products_that_it_found(ask):
    assert by(ask, "searches_view", "term_original", "revenue") == {"boxing gloves": 204.97}
    assert by(ask, "searches_view", "term_recent", "revenue") == {"shoes": 204.97}
    bound = {"boxing gloves": 89.99, "tennis racket": 34.99, "shoes": 79.99}
    assert by(ask, "searches_view", "term", "revenue") == bound


def test_ex_dv_b3_a_search_belongs_to_a_profile(ask):
    assert by(ask, "shows_view", "search_recent", "starts") == {"grownup movie": 2, "kids show": 1}
    assert by(ask, "shows_view", "search", "starts") == {"kids show": 2, "grownup movie": 1}


def test_ex_dv_b4_the_persisted_method_is_bound_at_the_cart(ask):
    assert by(ask, "methods_view", "method_recent", "revenue") == {"browse": 419.98}
    assert by(ask, "methods_view", "method_original", "revenue") == {"search": 419.98}
    assert by(ask, "methods_view", "method", "revenue") == {"search": 399.99, "browse": 19.99}


def test_a_bound_dimension_works_all_over_sql(ask):
    assert ask(
        "SELECT product, term, SUM(revenue) FROM searches_view GROUP BY 1, 2 HAVING SUM(revenue) > 50"
    ) in (
        [("Tier 3 gloves", "boxing gloves", Decimal("89.99")), ("Skate shoes", "shoes", Decimal("79.99"))],
        [("Skate shoes", "shoes", Decimal("79.99")), ("Tier 3 gloves", "boxing gloves", Decimal("89.99"))],
    )
    filtered = ask("SELECT term, SUM(revenue) FROM searches_view WHERE term = 'shoes' GROUP BY 1")
    assert filtered == [("shoes", Decimal("79.99"))]
    # A segment takes whole events: the purchase has an element that was found by "shoes".
    assert ask("SELECT SUM(revenue) FROM searches_view WHERE term = 'shoes'") == [(Decimal("204.97"),)]
    conditional = "SELECT SUM(CASE WHEN term = 'shoes' THEN revenue END) FROM searches_view"
    assert ask(conditional) == [(Decimal("79.99"),)]
    assert ask("SELECT COUNT(DISTINCT term) FROM searches_view") == [(3,)]
    rows = ask('SELECT "timestamp", term, product FROM searches_view ORDER BY 1')
    assert rows[0][1] == "boxing gloves, boxing gloves, boxing gloves"
    assert rows[6][1:] == (
        "boxing gloves, tennis racket, shoes",
        "Tier 3 gloves, Shock absorb racket, Skate shoes",
    )


def test_a_metric_with_an_attribution_sees_the_raw_values(ask):
    for dimension in ("term", "term_recent", "term_original"):
        assert by(ask, "searches_view", dimension, "revenue_last") == {"shoes": 204.97}


def test_several_dimensions_persist_before_a_metric_is_attributed(ask):
    for dimension, values in (
        ("product", {"Tier 3 gloves", "Shock absorb racket", "Skate shoes"}),
        ("term_recent", {"shoes"}),
    ):
        rows = ask(f"SELECT term, {dimension}, SUM(revenue_last) FROM searches_view GROUP BY 1, 2")
        credited = [row for row in rows if row[2] is not None]
        assert {term: float(credit) for term, _, credit in credited} == {
            "boxing gloves": 89.99,
            "tennis racket": 34.99,
            "shoes": 79.99,
        }
        assert {value for _, value, _ in credited} == values


def test_explain_names_binding_and_deduplication(home):
    def steps(view, *names):
        columns = [MetricColumn(name, Aggregate.VALUE, exp.column(name)) for name in names[1:]]
        dimension = DimensionColumn(names[0], exp.column(names[0]))
        return explain(ReportRequest(view, (dimension,), tuple(columns)), home.current())

    told = "    term keeps its most recent value for each product, bound where searches is, "
    assert f"{told}expires with session" in steps("searches_view", "term", "revenue")
    once = "    revenue_once counts the first of each order_id in a person"
    assert once in steps("orders_view", "order_id", "revenue_once")


def test_a_dimension_that_keeps_all_works_all_over_sql(ask):
    # Either value makes the event count, and it counts once.
    assert ask("SELECT COUNT(*) FROM hits_view WHERE every IN ('B', 'C')") == [(4,)]
    assert ask("SELECT every, COUNT(*) FROM hits_view WHERE every = 'B' GROUP BY 1") == [("B", 4)]
    once = "SELECT SUM(CASE WHEN every IN ('A', 'B') THEN occurrences END) FROM hits_view"
    assert ask(once) == [(5,)]
    assert ask("SELECT LOWER(every) < 'c' AS early, COUNT(*) FROM hits_view GROUP BY 1 ORDER BY 1") == [
        (False, 3),
        (True, 5),
    ]
    assert ask("SELECT COUNT(DISTINCT every), COUNT(every), COUNT(*) FROM hits_view") == [(3, 5, 5)]
    assert ask("SELECT recent, every, COUNT(*) FROM hits_view GROUP BY 1, 2 ORDER BY 1, 2")[:2] == [
        ("A", "A", 1),
        ("A", "B", 1),
    ]


def test_orders_that_are_reported_twice_count_once(ask):
    assert ask("SELECT SUM(revenue), SUM(revenue_once), SUM(revenue_per_session) FROM orders_view") == [
        (197, 77, 147)
    ]
    rows = ask(
        "SELECT daterangeday, SUM(revenue_once), COUNT(revenue_once) FROM orders_view GROUP BY 1 ORDER BY 1"
    )
    assert [row[1:] for row in rows] == [(50, 1), (0, 0), (27, 2), (0, 0)]
    shown = ask('SELECT "timestamp", revenue_once, revenue_per_session FROM orders_view ORDER BY 1')
    assert [row[1:] for row in shown] == [(50, 0), (0, 50), (0, 50), (20, 20), (7, 7), (0, 20)]


def test_the_order_that_counts_is_looked_for_in_the_months_of_the_range(ask):
    question = "SELECT SUM(revenue_once) FROM orders_view WHERE \"timestamp\" >= '{}'"
    assert ask(question.format("2024-05-02")) == [(27,)]
    # In June order B is new: May is not touched.
    assert ask(question.format("2024-06-01")) == [(20,)]
    one = "SELECT order_id, SUM(revenue_once) FROM orders_view WHERE {} GROUP BY 1"
    assert ask(one.format("\"timestamp\" >= '2024-05-02' AND \"timestamp\" < '2024-05-03'")) == [("A", 0)]


def test_segments_take_events_away_before_duplicates_are_looked_for(ask):
    later = "daterangeday > DATE '2024-05-01'"
    asked = f"SELECT SUM(CASE WHEN {later} THEN revenue_once END) FROM orders_view"
    assert ask(asked) == [(77,)]


def _value(value):
    if value is None:
        return ""
    if isinstance(value, datetime.datetime):
        return str(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def test_the_page_shows_what_its_statements_answer(ask):
    page = (DOCS / "persistence.md").read_text()
    blocks = re.findall(r"^=> (SELECT.*?;)\n.*?\n[-+]+\n(.*?)^(?:```|\n)", page, re.S | re.M)
    assert len(blocks) >= 8
    for statement, table in blocks:
        printed = [[cell.strip() for cell in line.split("|")] for line in table.strip("\n").splitlines()]
        got = [[_value(value) for value in row] for row in ask(statement.rstrip(";"))]
        assert printed == got, statement
