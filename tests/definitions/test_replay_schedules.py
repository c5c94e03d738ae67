"""``replay:`` in a connection: what may be written, and when it is due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from engine.definitions import project
from engine.definitions.schedule import ReplaySchedule
from engine.errors import DefinitionError

PROJECT = """\
datasets:
  web:
    timestamp: at
    fields: {{at: timestamp, device: string, customer: string}}
connections:
  shop:
    datasets:
      web:
        {part}
"""
STITCHED = "stitching: {persistent_id: device, person_id: customer}"
TUESDAY = datetime(2024, 3, 5, 10, 30, tzinfo=UTC)


def schedule(written: Any) -> ReplaySchedule:
    return ReplaySchedule.model_validate(written)


@pytest.mark.parametrize(
    ("written", "days", "back"),
    [("daily/1", 1, 1), ("weekly/7", 7, 7), ("weekly/14", 7, 14), ("weekly/30", 7, 30), ("daily/3", 1, 3)],
)
def test_short_forms_are_frequency_and_lookback(written: str, days: int, back: int) -> None:
    found = schedule(written)
    assert (found.every, found.lookback, found.at) == (timedelta(days=days), timedelta(days=back), "00:00")
    assert ReplaySchedule.model_validate_json(found.model_dump_json(exclude_defaults=True)) == found


def test_weeks_begin_on_monday_and_days_at_their_time() -> None:
    assert schedule("weekly/7").latest(TUESDAY) == datetime(2024, 3, 4, tzinfo=UTC)
    daily = schedule({"every": "1d", "lookback": "7d", "at": "13:00"})
    assert daily.latest(TUESDAY) == datetime(2024, 3, 4, 13, tzinfo=UTC)
    assert daily.following(TUESDAY) == datetime(2024, 3, 5, 13, tzinfo=UTC)
    often = schedule({"every": "6h", "lookback": "1d", "at": "3:00"})
    assert often.latest(TUESDAY) == datetime(2024, 3, 5, 9, tzinfo=UTC)
    assert often.text == "every 6h at 03:00, 1d back"


@given(
    st.timedeltas(timedelta(minutes=1), timedelta(days=40)),
    st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)),
    st.integers(0, 24 * 60 - 1),
)
def test_instants_are_a_period_apart_and_enclose_now(every: timedelta, now: datetime, minute: int) -> None:
    found = schedule({"every": every, "lookback": "1d", "at": minute})
    moment = now.replace(tzinfo=UTC)
    assert found.latest(moment) <= moment < found.following(moment) == found.latest(moment) + every
    assert found.latest(found.latest(moment)) == found.latest(moment)


@pytest.mark.parametrize(
    "written",
    ["hourly/1", "daily", "daily/0", "weekly/7d", {"every": "10s", "lookback": "1d"}, {"every": "1d"}]
    + [{"every": "1d", "lookback": "1d", "at": at} for at in ("24:00", "noon", 1440, True, "3:5")],
)
def test_what_is_no_schedule_is_refused(written: Any) -> None:
    with pytest.raises(ValidationError):
        schedule(written)


def load(folder: Path, part: str) -> Any:
    (folder / "project.yaml").write_text(PROJECT.format(part=part))
    return project.load(folder / "project.yaml")


def test_a_project_says_when_a_dataset_is_replayed(tmp_path: Path) -> None:
    text = STITCHED + "\n        replay: {every: 1d, lookback: 7d, at: 13:00}"
    part = load(tmp_path, text).connections["shop"].datasets["web"]
    assert part.replay == schedule({"every": "1d", "lookback": "7d", "at": "13:00"})


@pytest.mark.parametrize(
    ("part", "problem"),
    [
        ("person_id: customer\n        replay: daily/1", "nothing to replay without stitching"),
        (STITCHED + "\n        replay: monthly/1", "'monthly/1' is not a schedule"),
        (STITCHED + '\n        replay: {every: 1d, lookback: 1d, at: "25:00"}', "is not a time of day"),
        (STITCHED + "\n        replay: {every: 1d, lookback: 1d, on: monday}", "unknown key"),
    ],
)
def test_errors_name_file_and_line(tmp_path: Path, part: str, problem: str) -> None:
    with pytest.raises(DefinitionError, match=problem) as caught:
        load(tmp_path, part)
    assert "project.yaml" in caught.value.message and ":" in caught.value.message
    assert caught.value.hint
