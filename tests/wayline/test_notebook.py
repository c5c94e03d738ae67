"""wayline.open(): the same answers as SQL, and one clear sentence for every mistake."""

from __future__ import annotations

import signal
import sys
import threading
import time
from datetime import UTC, date, datetime, timedelta, timezone

import polars as pl
import pytest

import wayline
from engine.applying import apply
from engine.errors import CancelledError
from tests.laws.shop_homes import asker
from tests.sqlfront.compare import same_rows
from tests.world.homes import make_home
from wayline import notebook


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    home = make_home(tmp_path_factory.mktemp("notebook"))
    view = home.current().definitions.data_views["shop"].model_copy(update={"time_zone": "Europe/Berlin"})
    apply(home, home.current().definitions.model_copy(update={"data_views": {"shop": view}}))
    yield home
    home.close()


@pytest.fixture(scope="module")
def opened(made):
    with wayline.open(made.root) as home:
        yield home


BERLIN = timezone(timedelta(hours=1))
RANGES = [
    (None, "TRUE"),
    ((date(2024, 1, 10), date(2024, 1, 20)), "timestamp >= '2024-01-10' AND timestamp < '2024-01-20'"),
    ((datetime(2024, 1, 10, 8, 30), None), "timestamp >= '2024-01-10 08:30'"),
    ((None, "2024-01-20T12:00"), "timestamp < '2024-01-20 12:00'"),
    ("2024-01-10/2024-01-20", "timestamp >= '2024-01-10' AND timestamp < '2024-01-20'"),
    ((datetime(2024, 1, 10, tzinfo=BERLIN), None), "timestamp >= '2024-01-10'"),
    ((datetime(2024, 1, 10, tzinfo=UTC), None), "timestamp >= '2024-01-10 01:00'"),
    (("2024-01-10T00:00:00Z", ""), "timestamp >= '2024-01-10 01:00'"),
]


@pytest.mark.parametrize(("window", "where"), RANGES)
def test_a_report_equals_the_same_question_in_sql(made, opened, window, where):
    sums = "SUM(occurrences), SUM(visitors), SUM(visits), SUM(revenue)"
    theirs = asker(made)(f"SELECT channel, {sums} FROM shop WHERE {where} GROUP BY 1")
    metrics = ["occurrences", "visitors", "visits", "revenue"]
    answer = opened.report("shop", dimensions="channel", metrics=metrics, range=window)
    assert len(answer) == len(theirs) > 0
    same_rows(answer.polars().rows(), theirs)


def test_rows_come_in_the_order_of_their_dimensions(opened):
    frame = opened.report("shop", dimensions=["daterangeday", "channel"], metrics="occurrences").polars()
    assert frame.equals(frame.sort("daterangeday", "channel", nulls_last=True))
    assert frame.height > 50


def test_a_component_may_be_spelled_in_any_case_and_named_twice(opened):
    answer = opened.report("shop", dimensions=["Channel", "channel"], metrics=["REVENUE", "revenue"])
    assert answer.arrow().column_names == ["channel", "revenue"]


@pytest.mark.parametrize("window", [("0001-01-01", None), ("0001-02-01", "9999-12-31"), (None, "9999-12-31")])
def test_a_range_may_reach_to_the_ends_of_the_calendar(opened, window):
    asked = ["revenue", "adobe_firsttimesessions"]
    everything = opened.report("shop", dimensions=None, metrics=asked, segments=None).polars()
    assert opened.report("shop", metrics=asked, range=window).polars().equals(everything)


def test_what_is_divided_by_zero_is_no_value(opened):
    for condition in ("revenue / 0 > 1", "revenue % 0 = 1", "revenue / (revenue - revenue) > 1"):
        assert opened.report("shop", metrics="occurrences", segments=condition).polars().item() == 0


def test_other_libraries_take_the_answer_as_it_lies(made, opened):
    answer = opened.report("shop", metrics="occurrences")
    assert pl.DataFrame(answer).equals(answer.polars())
    assert answer.pandas().to_dict("records") == answer.polars().to_dicts()
    assert "<table" in answer._repr_html_()
    assert answer.world == made.current().id


def test_what_there_is_can_be_listed(opened):
    assert opened.views() == ["shop"]
    frame = opened.components("shop").polars()
    assert {"channel", "revenue", "timestamp", "visitors"} <= set(frame["id"])
    assert "filterId" not in set(frame["id"])


# (view, what is asked, part of the message, part of the remedy)
MISTAKES = [
    ("shp", {"metrics": "revenue"}, 'data view "shp" does not exist', '"shop"'),
    ("shop", {"metrics": "revenu"}, '"revenu" does not exist', '"revenue"'),
    ("shop", {"dimensions": "revenue"}, '"revenue" is a metric', 'metrics=["revenue"]'),
    ("shop", {"metrics": ["channel"]}, '"channel" is a dimension', 'dimensions=["channel"]'),
    ("shop", {"dimensions": "filterName"}, '"filterName" holds no values', "segments="),
    ("shop", {}, "nothing is asked", "metrics="),
    ("shop", {"metrics": "revenue", "range": "2024-01"}, "is not a time", "2026-03-01"),
    ("shop", {"metrics": "revenue", "range": "2024-01-01"}, "is not a range", "2026-03-01"),
    ("shop", {"metrics": "revenue", "range": (1, 2)}, "1 is not a time", "datetime"),
    ("shop", {"metrics": "revenue", "range": ("2024-02-01", "2024-01-01")}, "ends before", "not included"),
    ("shop", {"metrics": "revenue", "range": (date(2024, 1, 1),) * 2}, "ends before", "first day after"),
    ("shop", {"metrics": "revenue", "segments": "chanel = 'x'"}, 'segments.0.where: there is no', '"channel"'),
    ("shop", {"metrics": "revenue", "segments": [{"were": "x"}]}, "segments.0.were: unknown key", '"where"'),
    ("shop", {"metrics": "revenue", "segments": {"container": "persons", "where": "TRUE"}}, "segments.0.con", ""),
    ("shop", {"metrics": "revenue", "segments": ["TRUE", 7]}, "segments.1", "Such as"),
    ("shop", {"metrics": "revenue", "segments": 7}, "segments.0", "Such as"),
    ("shop", {"metrics": "revenue", "segments": {"any": []}}, "segments.0: a segment needs", "Such as"),
    ("shop", {"metrics": ["revenue", None]}, "None is not the name", "visitors"),
    ("shop", {"metrics": "revenue", "range": 5}, "5 is not a time", "datetime"),
    ("shop", {"metrics": "revenue", "segments": "revenue > 'much'"}, "segments.0.where: Could not", "one type"),
]  # fmt: skip


@pytest.mark.parametrize(("view", "asked", "message", "remedy"), MISTAKES)
def test_a_mistake_is_one_sentence_with_a_remedy(opened, view, asked, message, remedy):
    with pytest.raises(wayline.WaylineError) as caught:
        opened.report(view, **asked)
    assert message in caught.value.message
    assert "\n" not in caught.value.message
    assert remedy in (caught.value.hint or "")
    assert getattr(caught.value, "__notes__", []) == ([caught.value.hint] if caught.value.hint else [])


def test_a_folder_that_is_no_home_is_refused(tmp_path):
    with pytest.raises(wayline.WaylineError, match="is not a wayline home"):
        wayline.open(tmp_path)


def test_pandas_is_only_needed_by_those_who_want_it(opened, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(wayline.WaylineError, match="pandas is not installed"):
        opened.report("shop", metrics="revenue").pandas()


@pytest.fixture
def interruptible():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_control_c_cancels_the_report(opened, interruptible, monkeypatch):
    ended = []

    def run(asked, home, world, cancellation):
        time.sleep(0.2)  # until the main thread waits
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        for _ in range(1000):
            time.sleep(0.005)
            try:
                cancellation.check()
            except CancelledError:
                ended.append(asked.view)
                raise

    monkeypatch.setattr(notebook, "run", run)
    with pytest.raises(KeyboardInterrupt):
        opened.report("shop", metrics="revenue")
    assert ended == ["shop"]
