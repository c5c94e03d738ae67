"""How many rows of a window files are thought to have: what lies outside never counts, all of it does whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.journeys.store import Files, JourneyFile, Kind


def file(low: int | None, high: int | None, kind: Kind = Kind.BASE) -> JourneyFile:
    return JourneyFile("a.parquet", kind, 100, 1, min_time=low, max_time=high)


@pytest.mark.parametrize(
    ("start", "end", "rows"),
    [
        (0, 10, 0),
        (10, 11, 10),
        (10, 20, 100),
        (0, 99, 100),
        (15, 99, 50),
        (19, 20, 10),
        (20, 30, 0),
        (12, 12, 0),
    ],
)
def test_a_file_has_its_share_of_a_window(start: int, end: int, rows: int) -> None:
    assert file(10, 19).share(start, end) == rows


def test_files_of_one_instant_or_of_unknown_times_count_whole() -> None:
    assert file(5, 5).share(5, 6) == 100
    assert file(None, None).share(5, 6) == 100


def test_runs_count_as_the_base_does_and_masks_do_not() -> None:
    level0, mask = file(10, 19, Kind.LEVEL0), file(10, 19, Kind.MASK)
    files = Files(Path(), 1, base=(file(10, 19),), level0=(level0,), masks=(mask,))
    assert files.about(10, 15) == 100
