"""Compaction in small steps, each one commit: runs are merged, split by bucket, and put into the base.

The rows that count stay the same, so answers do not change. What is below the thresholds waits: a
step rewrites no more than a bucket's months that something happened to, or some buckets' if they
are small; memory stays at a slice of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from itertools import groupby
from pathlib import Path
from typing import Final, TypeAlias

import polars as pl
import pyarrow as pa

from engine.journeys import lacking, runs, store
from engine.journeys.copies import live, masked
from engine.journeys.merge import merge_bucket
from engine.journeys.order import journey_order
from engine.journeys.runs import Progress
from engine.journeys.store import Files, JourneyFile, Kind
from engine.lake import delta

MAX_RUNS: Final = 16
"""More unsplit runs than this are merged."""
BASE_SHARE: Final = 8
"""Runs are split once they have more than one row for this many in the base files of their time."""
SPLIT_ROWS: Final = 1 << 14
"""Runs with fewer rows in all are never worth splitting: laying them over the base costs nothing."""
ROWS_PER_BUCKET: Final = 2_000_000
"""A bucket with more rows doubles when it is merged."""
MOST_BUCKETS: Final = 1 << 12
"""Buckets do not get smaller than this part of the hash space."""
STEP_ROWS: Final = 1 << 20
"""Small buckets are merged in one step until they have this many rows."""

Place: TypeAlias = tuple[int, int]
"""A bucket, and into how many like it the hash space is divided."""


class Work(Enum):
    """What can be due."""

    MERGE = "merge"
    SPLIT = "split"
    MERGE_RUNS = "merge runs"


Due: TypeAlias = Callable[[Files], Work | None]
"""Says what is to be done next, if anything."""


def due(files: Files) -> Work | None:
    """Return the most urgent work; None if nothing has piled up."""
    if files.split:
        return Work.MERGE
    if _split_is_due(files):
        return Work.SPLIT
    return Work.MERGE_RUNS if len(_runs(files)) > MAX_RUNS else None


def anything(files: Files) -> Work | None:
    """Return the next work towards a table that is nothing but base files."""
    if files.split:
        return Work.MERGE
    return Work.SPLIT if files.unsplit else None


def step(
    table: Path,
    version: int,
    schema: pa.Schema,
    buckets: int,
    progress: Progress | None = None,
    *,
    due: Due = due,
    otherwise: Callable[[Files], int | None] | None = None,
) -> int | None:
    """Do one piece of work in one commit; return the new version, None if there is nothing to do.

    Args:
        table: folder of the journey table.
        version: its newest version.
        schema: the connection's journey columns.
        buckets: the connection's initial number of buckets.
        progress: told how much of the step is done.
        due: says what is to be done.
        otherwise: does what is left to do when nothing is due, likewise.
    """
    files = store.files(table, version)
    work = due(files)
    if work is Work.MERGE:
        return merge(files, schema, progress)
    if work is Work.SPLIT:
        return split(files, schema, buckets, progress)
    if work is Work.MERGE_RUNS:
        return merge_runs(files, schema, progress)
    return None if otherwise is None else otherwise(files)


def compact_all(
    table: Path,
    version: int,
    schema: pa.Schema,
    buckets: int,
    progress: Progress | None = None,
    *,
    force: bool = True,
) -> int:
    """Do steps until nothing is left to do; return the version. Not forced, until nothing is due."""
    following: int | None = version
    while following is not None:
        version = following
        following = step(table, version, schema, buckets, progress, due=anything if force else due)
    return version


def merge(files: Files, schema: pa.Schema, progress: Progress | None = None) -> int:
    """Merge the next bucket that has split files into the base, or the next few if they are small."""
    places = _next_places(files)
    added: list[delta.NewFile] = []
    removed: list[str] = []
    for done, place in enumerate(places):
        _tell(progress, done, len(places))
        merged = merge_bucket(files, schema, place, _growth(files, place))
        added += merged.added
        removed += merged.removed
    return delta.commit(files.table, files.version, added, removed)


def split(files: Files, schema: pa.Schema, buckets: int, progress: Progress | None = None) -> int:
    """Write all unsplit rows and masks as files of one bucket each; return the new version."""
    rows, masks = _of_kind(files.unsplit, Kind.LEVEL0), _of_kind(files.unsplit, Kind.MASK)
    columns = runs.polars_columns(lacking.common(files.table, rows, schema))
    sequence, places = files.version + 1, covering(files.places, buckets)
    added: list[delta.NewFile] = []
    for found in _live_slices(files, columns, rows, progress):
        added += runs.split_rows(files.table, sequence, found, places)
    if files.base or files.split:
        dead = masked(files, masks, columns).collect()
        added += runs.split_mask(files.table, sequence, dead, places)
    return delta.commit(files.table, files.version, added, [file.path for file in files.unsplit])


def merge_runs(files: Files, schema: pa.Schema, progress: Progress | None = None) -> int:
    """Rewrite the newest unsplit runs as one run; return the new version."""
    sequence, newest = files.version + 1, _newest_runs(_runs(files))
    rows, masks = _of_kind(newest, Kind.LEVEL0), _of_kind(newest, Kind.MASK)
    columns = runs.polars_columns(lacking.common(files.table, rows, schema))
    added = [
        runs.write_level0(files.table, sequence, found)
        for found in _live_slices(files, columns, rows, progress)
    ]
    older = files.base or files.split or len(newest) < len(files.unsplit)
    if masks and older:
        added.append(runs.write_mask(files.table, sequence, masked(files, masks, columns).collect()))
    return delta.commit(files.table, files.version, added, [file.path for file in newest])


def grown_buckets(rows: int, buckets: int) -> int:
    """Return how many buckets this many rows want: a power of two, at least ``buckets``."""
    while rows > buckets * ROWS_PER_BUCKET and buckets < MOST_BUCKETS:
        buckets *= 2
    return buckets


def covering(known: Sequence[Place], buckets: int) -> list[Place]:
    """Divide the hash space into the known buckets and, between them, others of at most a share.

    Args:
        known: buckets that do not overlap, of any sizes.
        buckets: the other ones are at least so many times smaller than the whole.
    """
    around = {(bucket >> up, of >> up) for bucket, of in known for up in range(1, of.bit_length())}

    def cut(place: Place) -> list[Place]:
        if place in leaves or (place not in around and place[1] >= buckets):
            return [place]
        bucket, of = place
        return cut((2 * bucket, 2 * of)) + cut((2 * bucket + 1, 2 * of))

    leaves = set(known)
    return cut((0, 1))


def _split_is_due(files: Files) -> bool:
    unsplit = files.unsplit
    waiting = max(_rows(_of_kind(unsplit, Kind.LEVEL0)), _rows(_of_kind(unsplit, Kind.MASK)))
    beside = [file for file in files.base if any(_share_time(file, run) for run in unsplit)]
    return waiting > max(_rows(beside) // BASE_SHARE, SPLIT_ROWS)


def _share_time(file: JourneyFile, run: JourneyFile) -> bool:
    if run.min_time is None or run.max_time is None:
        return True
    return file.overlaps(run.min_time, run.max_time + 1)


def _runs(files: Files) -> list[list[JourneyFile]]:
    """Return the unsplit files commit by commit, oldest first."""
    return [list(members) for _, members in groupby(files.unsplit, key=lambda file: file.sequence)]


def _newest_runs(unsplit: Sequence[Sequence[JourneyFile]]) -> list[JourneyFile]:
    """Return the files of at least two runs, the newest, with all older ones that are not much larger.

    A run is rewritten only with half its rows or more on top, so a row is rewritten as often as the
    logarithm of all rows says.
    """
    *older, last = unsplit
    taken = list(last)
    for number, run in enumerate(reversed(older)):
        if number and _rows(run) > 2 * _rows(taken):
            break
        taken = [*run, *taken]
    return taken


def _next_places(files: Files) -> list[Place]:
    rows: dict[Place, int] = {}
    for file in (*files.base, *files.split):
        rows[file.place] = rows.get(file.place, 0) + file.rows
    waiting = {file.place for file in files.split}
    taken: list[Place] = []
    total = 0
    for place in (place for place in files.places if place in waiting):
        total += rows[place]
        if taken and total > STEP_ROWS:
            break
        taken.append(place)
    return taken


def _growth(files: Files, place: Place) -> int:
    """Return into how many buckets one is to be divided."""
    rows = _rows([file for file in (*files.base, *files.level0) if file.split and file.place == place])
    return max(1, grown_buckets(rows * place[1], place[1]) // place[1])


def _live_slices(
    files: Files, columns: pl.Schema, sources: Sequence[JourneyFile], progress: Progress | None
) -> Iterator[pl.DataFrame]:
    """Yield the live rows of level-0 files in journey order, a slice of the hash space at a time."""
    ranges = runs.hash_ranges(_rows(sources), MOST_BUCKETS) if sources else []
    for done, hashes in enumerate(ranges):
        _tell(progress, done, len(ranges))
        found = live(files, columns, list(columns), sources=sources, hashes=hashes).collect()
        if found.height:
            yield found[journey_order(found)]


def _of_kind(members: Sequence[JourneyFile], kind: Kind) -> list[JourneyFile]:
    return [file for file in members if file.kind is kind]


def _rows(members: Sequence[JourneyFile]) -> int:
    return sum(file.rows for file in members)


def _tell(progress: Progress | None, done: int, total: int) -> None:
    if progress is not None:
        progress("compaction", done, total)
