"""Shapes of questions beside plain groups: arrays, rows, conditions, lookups, counts, extremes."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest
from sqlglot import exp, parse_one

from engine.errors import UnknownColumnError, UnsupportedError
from engine.report.request import (
    Aggregate,
    DimensionColumn,
    LookupJoin,
    MetricColumn,
    ReportRequest,
    TimeRange,
)
from tests.report.conftest import MINUTE


def sql(text: str) -> exp.Expression:
    return parse_one(text, read="duckdb")


def dimension(text: str) -> DimensionColumn:
    return DimensionColumn(text, sql(text))


def metric(text: str, aggregate=Aggregate.VALUE, condition=None, name=None) -> MetricColumn:
    return MetricColumn(name or text, aggregate, sql(text), condition and sql(condition))


def test_ex_dv_ie1_elements_that_break_the_rule_are_dropped_the_event_stays(ask):
    request = ReportRequest("shop", metrics=(metric("big_item_revenue"), metric("occurrences")))
    assert ask(request) == [(130.0, 6)]


def test_ex_dv_ie2_a_text_field_counts_events_that_match(ask):
    assert ask(ReportRequest("shop", metrics=(metric("purchases"),))) == [(2,)]


def test_elements_of_an_array_are_grouped_with_their_own_values(ask):
    request = ReportRequest("shop", (dimension("product"),), (metric("item_revenue"),))
    assert ask(request) == [("a", 51.0), ("b", 105.0), ("c", None), (None, 5.0)]


def test_what_belongs_to_the_event_counts_once_per_event_and_item(ask):
    request = ReportRequest(
        "shop", (dimension("product"),), (metric("orders"), metric("visitors"), metric("occurrences"))
    )
    assert ask(request) == [("a", 1, 1, 1), ("b", 3, 2, 2), ("c", None, 1, 1), (None, 2, 2, 4)]


def test_columns_with_conditions_of_their_own_count_an_event_once_each(ask):
    conditions = {"a": "product = 'a'", "known": "product IS NOT NULL"}
    metrics = tuple(metric("orders", condition=text, name=name) for name, text in conditions.items())
    assert ask(ReportRequest("shop", metrics=metrics)) == [(1, 3)]
    counts = tuple(metric(m.expression.sql(), Aggregate.COUNT, m.condition.sql(), m.name) for m in metrics)
    assert ask(ReportRequest("shop", metrics=counts)) == [(1, 2)]


def test_values_of_elements_that_are_excluded_are_no_value(ask):
    request = ReportRequest("shop", (dimension("product_ab"),), (metric("item_revenue"),))
    assert ask(request) == [("a", 51.0), ("b", 105.0), (None, 5.0)]


def test_a_segment_on_an_element_keeps_events_with_such_an_element(ask):
    request = ReportRequest("shop", metrics=(metric("item_revenue"),), segment=sql("product = 'a'"))
    assert ask(request) == [(76.0,)]


def test_lower_case_merges_spellings(ask):
    request = ReportRequest("shop", (dimension("page"),), (metric("occurrences"),))
    assert ask(request) == [("home", 4), ("pay", 2)]


def test_expressions_over_dimensions_group_in_the_engine(ask):
    request = ReportRequest("shop", (dimension("UPPER(channel)"),), (metric("visitors"),))
    assert ask(request) == [("EMAIL", 1), ("PAID", 2), (None, 2)]


def test_a_condition_is_a_segment_of_its_column_alone(ask):
    request = ReportRequest(
        "shop",
        (dimension("channel"),),
        (
            metric("occurrences"),
            metric("occurrences", condition="page = 'home'", name="home"),
            metric("orders_last", condition="page = 'pay'", name="paying"),
        ),
    )
    # The condition takes the touches away too: none of them lies on the page "pay".
    assert ask(request) == [("email", 1, 1, None), ("paid", 2, 2, None), (None, 3, 1, 3)]


def test_a_condition_on_the_grouped_dimension_filters_the_answer(ask):
    request = ReportRequest(
        "shop",
        (dimension("channel"),),
        (metric("orders_last", condition="channel = 'email'", name="m"),),
    )
    assert ask(request) == [("email", 1), ("paid", None), (None, None)]


def test_counts_extremes_and_distinct_values(ask):
    request = ReportRequest(
        "shop",
        metrics=(
            metric("orders", Aggregate.COUNT, name="n"),
            metric("orders", Aggregate.MAXIMUM, name="most"),
            metric("timestamp", Aggregate.MINIMUM, name="first"),
            metric("page", Aggregate.DISTINCT, name="pages"),
            metric("product", Aggregate.DISTINCT, name="products"),
        ),
    )
    assert ask(request)[0][:4] == (2, 2, datetime(1970, 1, 1), 2)


def test_distinct_values_of_elements(ask):
    request = ReportRequest(
        "shop",
        (dimension("channel"),),
        (metric("product", Aggregate.DISTINCT, name="products"),),
    )
    assert ask(request) == [("email", 0), ("paid", 1), (None, 2)]


def test_decimals_stay_decimal(ask):
    assert ask(ReportRequest("shop", metrics=(metric("price"),))) == [(Decimal("30.30"),)]
    once = ReportRequest("shop", (dimension("adobe_personid"),), (metric("price_once"),))
    assert ask(once) == [("ann", Decimal("10.10")), ("bob", Decimal("20.20"))]


def test_sums_of_expressions_are_per_event(ask):
    request = ReportRequest("shop", metrics=(metric("orders * 2 + 1"),))
    assert ask(request) == [(8,)]


def test_an_attributed_metric_is_not_part_of_an_expression(ask):
    with pytest.raises(UnsupportedError, match="orders_last"):
        ask(ReportRequest("shop", (dimension("channel"),), (metric("orders_last * 2"),)))


def test_an_attributed_metric_of_the_event_goes_to_its_last_element(ask):
    request = ReportRequest("shop", (dimension("product"),), (metric("orders_last"),))
    assert ask(request) == [("a", 1), ("b", 2), ("c", None), (None, None)]


def test_rows_show_people_and_sessions_on_their_first_event_in_the_range(ask):
    request = ReportRequest(
        "shop",
        (dimension("adobe_personid"), dimension("channel")),
        (metric("visitors"), metric("visits"), metric("occurrences"), metric("orders")),
        range=TimeRange(4 * MINUTE, None),
        row_level=True,
    )
    assert ask(request) == [
        ("ann", "paid", 0, 1, 1, None),
        ("ann", None, 0, 0, 1, 1),
        ("ann", None, 1, 1, 1, None),
        ("bob", None, 1, 1, 1, 2),
    ]


def test_a_row_shows_the_values_of_its_elements_in_one_text(ask):
    request = ReportRequest("shop", (dimension("product"), dimension("product_ab")), (), row_level=True)
    shown = [("a, b, a", "a, b, a"), ("b", "b"), ("c", None)]
    assert ask(request) == [*shown, (None, None), (None, None), (None, None)]


def test_a_row_has_no_text_for_elements_that_a_lookup_joins(ask):
    relation = sql("SELECT * FROM (VALUES ('a', 1)) AS t(sku, kind)")
    lookups = (LookupJoin("k", relation, sql("product = k.sku"), True),)
    with pytest.raises(UnsupportedError, match="product"):
        ask(ReportRequest("shop", (dimension("product"),), (), lookups=lookups, row_level=True))


def test_the_range_is_half_open_and_earlier_touches_still_count(ask):
    request = ReportRequest(
        "shop",
        (dimension("channel"),),
        (metric("orders_last"),),
        range=TimeRange(4 * MINUTE, 90 * MINUTE),
    )
    assert ask(request) == [("email", 1), ("paid", 2), (None, None)]


@pytest.mark.parametrize(
    ("outer", "expected"),
    [(False, [("push", 1, 1), ("pull", 2, 2)]), (True, [("pull", 2, 2), ("push", 1, 1), (None, 2, 3)])],
)
def test_a_lookup_is_joined_inside_the_report(ask, outer, expected):
    relation = sql("SELECT * FROM (VALUES ('email', 'push'), ('paid', 'pull')) AS t(channel, kind)")
    request = ReportRequest(
        "shop",
        (DimensionColumn("kind", sql("k.kind")),),
        (metric("visitors"), metric("occurrences")),
        lookups=(LookupJoin("k", relation, sql("channel = k.channel"), outer),),
    )
    assert ask(request) == sorted(expected, key=str)


def test_attribution_reaches_through_a_lookup(ask):
    relation = sql("SELECT * FROM (VALUES ('email', 'push'), ('paid', 'pull')) AS t(channel, kind)")
    request = ReportRequest(
        "shop",
        (DimensionColumn("kind", sql("k.kind")),),
        (metric("orders_last"),),
        lookups=(LookupJoin("k", relation, sql("channel = k.channel"), True),),
    )
    assert ask(request) == [("pull", 2), ("push", 1), (None, None)]


def test_unknown_components_are_named_with_the_closest(ask):
    with pytest.raises(UnknownColumnError) as caught:
        ask(ReportRequest("shop", metrics=(metric("ordres"),)))
    assert "orders" in str(caught.value.hint)
