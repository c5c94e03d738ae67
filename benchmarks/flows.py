"""What benchmarks do to a home, through the calls that the product itself uses; nothing else knows them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from benchmarks.home import CONNECTION, DATASET
from engine import flow, upkeep
from engine.catalog.records import ReplayRecord
from engine.journeys import store
from engine.world import Home
from wayline.generate import shop

WEEK: Final = timedelta(days=7)
QUARTER_END: Final = shop.START + shop.DAYS * shop.DAY
"""The first moment after the generated quarter, in microseconds."""


def append(home: Home, *files: Path) -> None:
    """Take files in as one batch and publish it."""
    flow.ingest(home, DATASET, files)


def replay(home: Home, lookback: timedelta = WEEK) -> ReplayRecord:
    """Restitch the last days of the quarter and publish that."""
    return flow.replay(home, CONNECTION, lookback=lookback, at=moment(QUARTER_END))


def settle(home: Home) -> None:
    """Merge everything that is not merged, so that measurements start from journeys in one piece."""
    upkeep.compact(home, CONNECTION)


def unmerged_runs(home: Home) -> int:
    """Return how many commits of the newest world's journeys are not merged into the base."""
    files = store.files(home.journeys_path(CONNECTION), home.current().journeys[CONNECTION])
    return files.runs


def moment(time: int) -> datetime:
    """Return microseconds since the epoch as a UTC time."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time)
