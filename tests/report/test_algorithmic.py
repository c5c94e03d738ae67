"""Models that learn from all paths, through whole reports: EX-OWN-A2, the slow twin, and the laws."""

from __future__ import annotations

from unittest.mock import patch

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp, parse_one

from engine.cancellation import Cancellation
from engine.errors import CancelledError, UnsupportedError
from engine.report.local import answer
from engine.report.plan import Kind, plan
from engine.report.request import Aggregate, DimensionColumn, LookupJoin, MetricColumn, ReportRequest
from engine.report.tally import tallied_dimension
from engine.report.trace import Trace
from tests.oracle import algorithmic as slow
from tests.oracle import report as oracle
from tests.report import test_laws as laws

MODELS = ("algorithmic", "markov")
attributions = st.builds(
    oracle.Attribution,
    st.sampled_from(MODELS),
    st.sampled_from(["person", "session"]),
    st.sampled_from([None, 2 * laws.HOUR, 30 * laws.DAY]),
)

dense = st.lists(
    st.fixed_dictionaries(
        {
            "person": st.sampled_from("abcdefgh"),
            "time": st.integers(-6, 12).map(lambda n: laws.T0 + n * laws.HOUR),
            "channel": st.sampled_from([None, "email", "paid"]),
            "campaign": st.sampled_from([None, "x", "y"]),
            "revenue": st.sampled_from([None, None, None, 10.0, 30.5]),
            "orders": st.sampled_from([None, None, 1]),
        }
    ),
    min_size=15,
    max_size=40,
).map(lambda found: [dict(event, order=place) for place, event in enumerate(found)])
"""Many short journeys with few values, so that sets come again and weights hang on each path."""


@st.composite
def questions(draw):
    """One metric under a model that learns beside one that does not."""
    question = draw(laws.questions())
    groups = draw(
        st.sampled_from(
            [("channel",), ("channel", "day"), ("day", "person", "channel"), ("channel", "campaign")]
        )
    )
    source = draw(st.sampled_from(["revenue", "orders", "session_start"]))
    metrics = {"learned": (source, draw(attributions)), "plain": (source, None)}
    return oracle.Question(**{**question.__dict__, "groups": groups, "metrics": metrics})


def changed(question, **values):
    return oracle.Question(**{**question.__dict__, **values})


def credit_of(rows, metric="learned"):
    return {group: row[metric] for group, row in rows.items() if row[metric] is not None}


@settings(max_examples=80, deadline=None)
@given(laws.events | dense, questions(), laws.segments, st.sampled_from([1, 2, 3]))
def test_report_equals_oracle_however_it_is_partitioned(found, question, segment, cuts):
    text, condition = segment
    rows = laws.ask(question, found, text, cuts)
    expected = slow.credit(found, changed(question, segment=condition), "learned")
    assert credit_of(rows) == pytest.approx({k: v for k, v in expected.items() if v}, abs=1e-9)
    plain = oracle.report(found, changed(question, segment=condition, metrics={}))
    assert {g for g, row in rows.items() if row["events"]} == set(plain)
    assert all(rows[group]["people"] == row["people"] for group, row in plain.items())


@settings(max_examples=25, deadline=None)
@given(laws.events, questions(), laws.segments)
def test_conservation_and_time_nothing_is_lost_and_days_keep_their_totals(found, question, segment):
    for groups in (question.groups, ("channel", "day")):
        per_day = {"learned": {}, "plain": {}}
        for group, row in laws.ask(changed(question, groups=groups), found, segment[0]).items():
            day = group[groups.index("day")] if "day" in groups else None
            for name, totals in per_day.items():
                totals[day] = totals.get(day, 0.0) + (row[name] or 0.0)
        assert per_day["learned"] == pytest.approx(per_day["plain"], abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(laws.events, laws.events, questions())
def test_persons_who_do_not_count_change_nothing(found, others, question):
    strangers = laws.chunk_of(oracle.journeys(others))

    def mixed(cut):
        return laws.with_strangers(laws.chunk_of(cut), strangers)

    expected = slow.credit(found, question, "learned")
    rows = laws.ask(question, found, make=mixed)
    assert credit_of(rows) == pytest.approx({k: v for k, v in expected.items() if v}, abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(laws.events, questions())
def test_what_is_not_scanned_does_not_matter(found, question):
    everything = credit_of(laws.ask(question, found))
    assert credit_of(laws.ask(question, found, only_scanned=True)) == pytest.approx(everything, abs=1e-9)


def journeys(channels, count, converting, name):
    """Persons who touch some channels within minutes; some of them order in the end."""
    events = []
    for number in range(count):
        person = f"{name}{number}"
        for place, channel in enumerate(channels):
            events.append(event(person, place, channel=channel))
        if number < converting:
            events.append(event(person, len(channels), orders=1))
    return events


def event(person, minute, channel=None, orders=None, **more):
    event = {"person": person, "time": laws.T0 + minute * 60_000_000, "order": minute, "channel": channel}
    return {**event, "campaign": None, "revenue": None, "orders": orders, **more}


def question_of(model, groups=("channel",), **values):
    metrics = {"orders": ("orders", oracle.Attribution(model, "person", None))}
    return oracle.Question(30 * 60_000_000, laws.ZONE, groups, metrics, **values)


EXAMPLE = [
    *journeys(["A"], 100, 10, "a"),
    *journeys(["B"], 100, 20, "b"),
    *journeys(["A", "B"], 50, 20, "ab"),
]


@pytest.mark.parametrize("cuts", [1, 4])
def test_ex_own_a2_as_a_whole_report(cuts):
    rows = laws.ask(question_of("algorithmic"), EXAMPLE, cuts=cuts)
    assert credit_of(rows, "orders") == pytest.approx({("A",): 17.5, ("B",): 32.5})


def test_markov_as_a_whole_report():
    rows = laws.ask(question_of("markov"), EXAMPLE, cuts=3)
    # From A 10 of 150 convert and 50 go on to B, 40 of 150 from B: without B only 10 of 150 from A are left.
    start_a, start_b, convert_a, a_to_b, convert_b = 0.6, 0.4, 10 / 150, 50 / 150, 40 / 150
    whole = start_a * (convert_a + a_to_b * convert_b) + start_b * convert_b
    lost_a, lost_b = 1 - start_b * convert_b / whole, 1 - start_a * convert_a / whole
    a = 10 + 20 * lost_a / (lost_a + lost_b)
    assert credit_of(rows, "orders") == pytest.approx({("A",): a, ("B",): 50 - a})


def moved(events, hours, suffix):
    return [
        {**event, "time": event["time"] + hours * laws.HOUR, "person": event["person"] + suffix}
        for event in events
    ]


def test_paths_outside_the_range_teach_nothing():
    outside = [
        *moved(journeys(["A"], 50, 25, "a"), -2, "early"),
        *moved(journeys(["A"], 50, 0, "a"), 2, "late"),
    ]
    question = question_of("algorithmic", start=laws.T0, end=laws.T0 + laws.HOUR)
    rows = laws.ask(question, [*EXAMPLE, *outside])
    assert credit_of(rows, "orders") == pytest.approx({("A",): 17.5, ("B",): 32.5})


def test_touches_before_the_range_belong_to_paths_that_end_in_it():
    both = journeys(["A", "B"], 50, 20, "ab")
    early = moved([event for event in both if event["channel"] == "A"], -2, "")
    later = [event for event in both if event["channel"] != "A"]
    found = [*journeys(["A"], 100, 10, "a"), *journeys(["B"], 100, 20, "b"), *early, *later]
    rows = laws.ask(question_of("algorithmic", start=laws.T0), found)
    assert credit_of(rows, "orders") == pytest.approx({("A",): 17.5, ("B",): 32.5})


@pytest.mark.parametrize("model", MODELS)
def test_metrics_of_one_lane_learn_each_from_its_own_conversions(model):
    found = [*EXAMPLE, *(event(f"b{number}", 5, revenue=10.0) for number in range(40, 60))]
    asked = {name: (name, oracle.Attribution(model, "person", None)) for name in ("orders", "revenue")}
    together = laws.ask(changed(question_of(model), metrics=asked), found, cuts=2)
    for name, settings_ in asked.items():
        alone = laws.ask(changed(question_of(model), metrics={name: settings_}), found)
        assert credit_of(together, name) == credit_of(alone, name)
    assert credit_of(together, "revenue") == {("B",): 200.0}


def test_conversions_without_a_touch_go_to_no_value():
    found = [*EXAMPLE, event("nobody", 0, orders=3)]
    rows = laws.ask(question_of("algorithmic"), found)
    assert rows[None,]["orders"] == 3
    assert rows["A",]["orders"] == pytest.approx(17.5)


def ask_text(dimensions, metrics, lookups=(), model="algorithmic", found=EXAMPLE, cancellation=None):
    question = question_of(model)
    known = laws.definitions(question)
    columns = tuple(DimensionColumn(name, parse_one(text, read="duckdb")) for name, text in dimensions)
    planned = plan(ReportRequest("shop", columns, metrics, lookups=lookups), known)
    chunks = [laws.chunk_of(oracle.journeys(found)[cut::2]) for cut in range(2)]
    return planned, answer(planned, chunks, known, cancellation or Cancellation())


def orders(name="orders", condition=None):
    condition = condition and parse_one(condition, read="duckdb")
    return MetricColumn(name, Aggregate.VALUE, exp.column("m_orders", quoted=True), condition)


def test_expressions_lookups_and_conditions_of_columns():
    relation = parse_one("SELECT * FROM (VALUES ('A', 'first'), ('B', 'second')) AS t(code, title)")
    lookup = LookupJoin("k", relation, parse_one("channel = k.code"), outer=True)
    asked = [("title", "k.title"), ("lower", "lower(channel)")]
    metrics = (orders(), orders("only_a", "channel = 'A'"), orders("of_a", "lower(channel) = 'a'"))
    _, table = ask_text(asked, metrics, (lookup,))
    rows = {row["title"]: row for row in table.to_pylist() if row["orders"] is not None}
    assert rows["first"]["orders"] == pytest.approx(17.5)
    assert rows["second"]["orders"] == pytest.approx(32.5)
    # Columns with a condition of their own are segments: only touches and conversions on A are left.
    assert [rows[title]["only_a"] for title in ("first", "second")] == [None, None]


def test_a_condition_on_a_grouped_dimension_filters_the_rows():
    _, table = ask_text([("channel", "channel")], (orders(), orders("only_a", "channel = 'A'")))
    rows = {row["channel"]: row for row in table.to_pylist()}
    assert rows["A"]["only_a"] == rows["A"]["orders"] == pytest.approx(17.5)
    assert rows["B"]["only_a"] is None


def test_sums_are_doubles_and_lanes_of_sets_are_never_tallied():
    planned, table = ask_text([("channel", "channel")], (orders(),))
    assert table.schema.field("orders").type == pa.float64()
    (lane,) = [lane for lane in planned.lanes if lane.kind is Kind.SETS]
    assert tallied_dimension(planned, lane) is None


def test_nothing_at_all_gives_an_empty_answer_with_its_columns():
    for model in MODELS:
        _, table = ask_text(
            [("channel", "channel"), ("day", "daterangeday")], (orders(),), model=model, found=[]
        )
        assert table.num_rows == 0
        assert table.column_names == ["channel", "day", "orders"]


def test_too_much_to_learn_from_is_refused_with_a_remedy():
    # A chunk has 4 members in its sets of items, two chunks have 8.
    for where, most in (("algorithmic", 3), ("learned", 7)):
        with (
            patch(f"engine.report.{where}.MOST_MEMBERS", most),
            pytest.raises(UnsupportedError, match="too many different values") as raised,
        ):
            ask_text([("channel", "channel")], (orders(),))
        assert "fewer values" in (raised.value.hint or "")
    with patch("engine.report.algorithmic.MOST_MEMBERS", 4), patch("engine.report.learned.MOST_MEMBERS", 8):
        ask_text([("channel", "channel")], (orders(),))
    with (
        patch("engine.report.learned._MOST_ITEMS", 1),
        pytest.raises(UnsupportedError, match="and here are 2"),
    ):
        ask_text([("channel", "channel")], (orders(),), model="markov")


def test_credit_given_in_pieces_is_the_same():
    asked = [("channel", "channel"), ("day", "daterangeday"), ("person", "adobe_personid")]
    for model in MODELS:
        _, whole = ask_text(asked, (orders(),), model=model)
        with patch("engine.report.learned._AT_ONCE", 7):
            _, pieces = ask_text(asked, (orders(),), model=model)
        keys = [(name, "ascending") for name in whole.column_names[:-1]]
        assert pieces.sort_by(keys).to_pydict() == whole.sort_by(keys).to_pydict()


def test_conversions_are_apart_by_parts_of_time_and_by_expressions_of_it():
    found = [*EXAMPLE, *moved(EXAMPLE, 1, "later"), *moved(EXAMPLE, 24, "tomorrow")]
    for asked in ("timeparthourofday", "date_trunc('hour', timestamp)", "CAST(timestamp AS DATE)"):
        _, table = ask_text([("channel", "channel"), ("when", asked)], (orders(),), found=found)
        rows = [row for row in table.to_pylist() if row["orders"] is not None]
        for channel, whole in (("A", 17.5), ("B", 32.5)):
            parts = [row["orders"] for row in rows if row["channel"] == channel]
            assert sum(parts) == pytest.approx(3 * whole)
            assert len(parts) == (3 if "hour'" in asked else 2)


def test_the_steps_of_a_report_count_the_sums_that_chunks_hand_on():
    known = laws.definitions(question_of("markov"))
    column = DimensionColumn("channel", exp.column("channel", quoted=True))
    planned = plan(ReportRequest("shop", (column,), (orders(),)), known)
    trace = Trace(counting=True)
    answer(planned, [laws.chunk_of(oracle.journeys(EXAMPLE))], known, Cancellation(), trace)
    # The sets {A}, {B} and {A, B} for orders; A, B and no channel for the events.
    assert trace.taken["aggregation"].rows == 3 + 3
    assert trace.taken["aggregation"].size > 0


def test_weighing_can_be_cancelled():
    cancellation = Cancellation()
    with (
        patch(
            "engine.report.local.learned_credit",
            side_effect=lambda *a: [cancellation.cancel(), a[-1].check()],
        ),
        pytest.raises(CancelledError),
    ):
        ask_text([("channel", "channel")], (orders(),), cancellation=cancellation)
