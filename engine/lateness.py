"""How much of what came since a world was published is of a time before it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from engine.dataview.local_time import to_utc
from engine.lake.leaves import leaf_column
from engine.lake.table import LakeFile, files
from engine.world import Home, World


@dataclass(frozen=True)
class Lateness:
    """Rows of a dataset that one world shows, from batches that an earlier one does not show.

    Attributes:
        late: those of an event time before the earlier world was published.
    """

    dataset: str
    batches: int
    rows: int
    late: int


def lateness(home: Home, first: World, last: World, datasets: Iterable[str]) -> tuple[Lateness, ...]:
    """Return what came to datasets of events from one world to a later one; those without news are left out.

    Only files that hold both late rows and others are read, and of them the event time.
    """
    moment = to_utc(first.published_at.replace(tzinfo=None), "UTC")
    found = []
    for name in datasets:
        timestamp = last.definitions.datasets[name].timestamp
        new = _new_files(home, first, last, name)
        if timestamp is not None and new:
            late = sum(_late(file, timestamp, moment) for file in new)
            rows = sum(file.rows for file in new)
            found.append(Lateness(name, len({file.batch for file in new}), rows, late))
    return tuple(found)


def _new_files(home: Home, first: World, last: World, name: str) -> list[LakeFile]:
    table, version = home.dataset_path(name), first.datasets.get(name)
    known = set() if version is None else {file.batch for file in files(table, version)}
    return [file for file in files(table, last.datasets[name]) if file.batch not in known]


def _late(file: LakeFile, timestamp: str, moment: int) -> int:
    if file.min_time is None or file.max_time is None or file.min_time >= moment:
        return 0
    times = leaf_column(file.path, timestamp, pa.timestamp("us", tz="UTC"))
    assert times is not None  # noqa: S101 - it has statistics
    late = pc.less(times.cast(pa.int64()), moment)
    return int(pc.sum(late).as_py() or 0)
