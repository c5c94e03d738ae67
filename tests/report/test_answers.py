"""Answers that are known: given again while nothing that they rest on changed, and never otherwise."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlglot import exp, parse_one

from engine import flow
from engine.cancellation import Cancellation
from engine.errors import CancelledError, InputError
from engine.report import answers, local, run
from engine.report.request import (
    Aggregate,
    DimensionColumn,
    LookupJoin,
    MetricColumn,
    ReportRequest,
    TimeRange,
)
from engine.report.trace import Trace
from tests.journeys.support import ingest_rows
from tests.world.homes import START, make_home, rows, shop


def column(name):
    return exp.column(name, quoted=True)


REQUEST = ReportRequest(
    view="shop",
    dimensions=(DimensionColumn("channel", column("channel")),),
    metrics=(MetricColumn("events", Aggregate.VALUE, column("occurrences")),),
)


@pytest.fixture
def home(tmp_path):
    made = make_home(tmp_path / "home", batches=2)
    yield made
    made.close()


@pytest.fixture
def worked_out(monkeypatch):
    """How often an answer was worked out."""
    monkeypatch.setenv("WAYLINE_RESULT_CACHE", "1MB")
    found, worked = [], local.answer

    def counted(*arguments):
        found.append(arguments)
        return worked(*arguments)

    monkeypatch.setattr(local, "answer", counted)
    return found


def ask(home, request=REQUEST, world=None):
    return run(request, home, world or home.current(), Cancellation())


def test_the_same_question_is_worked_out_once(home, worked_out):
    assert ask(home).equals(ask(home))
    assert len(worked_out) == 1


def test_names_of_columns_do_not_matter(home, worked_out):
    renamed = replace(
        REQUEST,
        dimensions=(replace(REQUEST.dimensions[0], name="c"),),
        metrics=(replace(REQUEST.metrics[0], name="n"),),
    )
    assert ask(home, renamed).column_names == ["c", "n"]
    assert ask(home).column_names == ["channel", "events"]
    assert ask(home).rename_columns(["c", "n"]).equals(ask(home, renamed))
    assert len(worked_out) == 1


def test_a_world_that_changes_other_things_does_not_matter(home, worked_out):
    ask(home)
    views = {name: view.model_dump() for name, view in shop().data_views.items()}
    flow.apply(
        home,
        shop().model_copy(update={"data_views": {**shop().data_views, "more": shop().data_views["shop"]}}),
    )
    assert home.current().definitions.data_views.keys() == {*views, "more"}
    ask(home)
    assert len(worked_out) == 1


def later_range(request):
    return replace(request, range=TimeRange(start=int(START.timestamp() + 20 * 86_400) * 1_000_000))


def with_segment(request):
    return replace(request, segment=parse_one("channel = 'paid'", dialect="duckdb"))


def with_condition(request):
    metric = replace(request.metrics[0], condition=parse_one("\"channel\" = 'paid'", dialect="duckdb"))
    return replace(request, metrics=(metric,))


@pytest.mark.parametrize("other", [later_range, with_segment, with_condition])
def test_another_question_is_another_answer(home, worked_out, other):
    assert not ask(home).equals(ask(home, other(REQUEST)))
    assert len(worked_out) == 2


def test_new_events_are_seen(home, worked_out):
    before, world = ask(home), home.current()
    ingest_rows(home, "web", rows(7))
    assert not ask(home).equals(before)
    assert ask(home, world=world).equals(before)
    assert len(worked_out) == 2


@pytest.mark.parametrize(
    "settings",
    [
        {"time_zone": "Asia/Tokyo"},
        {"dimensions": {"channel": {"field": "channel", "values": {"equals": "paid"}}}},
        {"segments": ["channel = 'paid'"]},
        {"sessions": {"timeout": "1m"}},
    ],
)
def test_a_changed_view_is_asked_anew(home, worked_out, settings):
    ask(home)
    definitions = shop().model_dump(mode="json")
    definitions["data_views"]["shop"] |= settings
    flow.apply(home, type(shop()).model_validate(definitions))
    ask(home)
    assert len(worked_out) == 2


@pytest.mark.parametrize("call", ["random()", "now()", "current_date", "age(timestamp '2024-01-01')"])
def test_what_changes_by_itself_is_not_kept(call):
    term = parse_one(f"{call} IS NULL OR channel = 'paid'", dialect="postgres")
    with_call = replace(REQUEST, metrics=(replace(REQUEST.metrics[0], condition=term),))
    assert not answers.is_lasting(with_call)


def test_a_joined_relation_is_asked_anew(home, worked_out):
    relation = parse_one("SELECT 'paid' AS name", dialect="duckdb")
    on = exp.EQ(this=column("channel"), expression=exp.column("name", table="l", quoted=True))
    joined = replace(REQUEST, lookups=(LookupJoin("l", relation, on, outer=True),))
    assert ask(home, joined).sort_by("channel").equals(ask(home, joined).sort_by("channel"))
    assert len(worked_out) == 2


def test_a_traced_question_is_worked_out(home, worked_out):
    ask(home)
    run(REQUEST, home, home.current(), Cancellation(), Trace(counting=True))
    assert len(worked_out) == 2


def test_a_cancelled_question_leaves_no_answer(home, worked_out):
    cancelled = Cancellation()
    cancelled.cancel()
    with pytest.raises(CancelledError):
        run(REQUEST, home, home.current(), cancelled)
    assert ask(home).num_rows == 3


def test_without_room_every_question_is_worked_out(home, worked_out, monkeypatch):
    for room in ("0", "1B"):
        monkeypatch.setenv("WAYLINE_RESULT_CACHE", room)
        ask(home), ask(home)
    assert len(worked_out) == 4


def test_a_wrong_size_is_refused(home, monkeypatch):
    monkeypatch.setenv("WAYLINE_RESULT_CACHE", "plenty")
    with pytest.raises(InputError, match="WAYLINE_RESULT_CACHE: 'plenty' is not a size"):
        ask(home)
