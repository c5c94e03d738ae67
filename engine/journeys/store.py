"""The journey table of a connection: its files, their kinds, and how they are named.

``base/`` holds one bucket and one or more months per file; ``level0/`` the rows of one commit, in
journey order; ``masks/`` names rows whose copies in files of earlier commits are dead. Rows and
masks are of the whole hash space at first (unsplit), of one bucket once they are on their way into
the base (split). The number in a file's name is the version of the commit that added it.

Two things hold at every version: every unsplit file is newer than every split one, so a mask's
commit may be moved forward by compaction; and the buckets of base and split files, though of
different sizes, are equal or apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Final

import pyarrow as pa

from engine.journeys.columns import DATASET, HASH_HIGH, TIME
from engine.journeys.order import bucket_bounds
from engine.lake.delta import sequence_of, unique_name
from engine.lake.opened import file_actions
from engine.lake.table import ROW

MASK_COLUMNS: Final = (DATASET, ROW, HASH_HIGH)
"""What a mask names: which row, and the hash of the person that lost it."""
MASK_ROW: Final = (*MASK_COLUMNS, TIME)
"""Columns of a mask's file: the row's time says which months it hits; NULL in older homes."""


class Kind(StrEnum):
    """Kinds of files, by the folder that they are in."""

    BASE = "base"
    LEVEL0 = "level0"
    MASK = "masks"


KINDS: Final = tuple(Kind)
"""All kinds; each is a folder of the table."""


@dataclass(frozen=True)
class JourneyFile:
    """One file of a journey table.

    Attributes:
        path: relative to the table.
        sequence: version of the commit that added it.
        bucket: bucket of a base or split file, else 0.
        buckets: into how many buckets that one's size divides the hash space, else 1.
        split: whether it holds rows of its bucket alone; base files do.
        min_time: earliest event time in µs; None if not known, as in masks of older homes.
        max_time: latest event time in µs, likewise.
    """

    path: str
    kind: Kind
    rows: int
    sequence: int
    bucket: int = 0
    buckets: int = 1
    split: bool = False
    min_time: int | None = None
    max_time: int | None = None

    def overlaps(self, start: int | None, end: int | None) -> bool:
        """Return whether the file may have rows with start ≤ time < end; None is open."""
        if self.min_time is None or self.max_time is None:
            return True
        return (start is None or self.max_time >= start) and (end is None or self.min_time < end)

    def share(self, start: int, end: int) -> int:
        """Return about how many of its rows lie in start ≤ time < end, as if they were spread evenly."""
        if self.min_time is None or self.max_time is None:
            return self.rows
        inside = min(self.max_time + 1, end) - max(self.min_time, start)
        return self.rows * max(inside, 0) // (self.max_time + 1 - self.min_time)

    @property
    def place(self) -> tuple[int, int]:
        """The bucket that the file belongs to, and of how many."""
        return self.bucket, self.buckets

    @cached_property
    def hashes(self) -> tuple[int, int]:
        """First and last ``_hash_high`` that the file may have."""
        return bucket_bounds(self.bucket, self.buckets)

    def meets(self, hashes: tuple[int, int] | None) -> bool:
        """Return whether the file may have rows of a hash range; None is all of it."""
        first, last = self.hashes
        return hashes is None or (first <= hashes[1] and last >= hashes[0])


@dataclass(frozen=True)
class Files:
    """The live files of one version, per kind, each in the order of commits."""

    table: Path
    version: int
    base: tuple[JourneyFile, ...] = ()
    level0: tuple[JourneyFile, ...] = ()
    masks: tuple[JourneyFile, ...] = ()

    @property
    def runs(self) -> int:
        """Commits whose rows or masks are not merged into the base."""
        return len({file.sequence for file in (*self.level0, *self.masks)})

    @property
    def unsplit(self) -> tuple[JourneyFile, ...]:
        """Level-0 files and masks of the whole hash space, in the order of commits."""
        found = [file for file in (*self.level0, *self.masks) if not file.split]
        return tuple(sorted(found, key=lambda file: file.sequence))

    @property
    def split(self) -> tuple[JourneyFile, ...]:
        """Level-0 files and masks of one bucket each."""
        return tuple(file for file in (*self.level0, *self.masks) if file.split)

    @property
    def places(self) -> tuple[tuple[int, int], ...]:
        """The buckets of base and split files: (bucket, of how many), in the order of hashes."""
        found = {file.place: file.hashes for file in (*self.base, *self.split)}
        return tuple(sorted(found, key=lambda place: found[place]))

    def about(self, start: int, end: int) -> int:
        """Return about how many rows lie in start ≤ time < end, as if each file's were spread evenly."""
        return sum(file.share(start, end) for file in (*self.base, *self.level0))

    def absolute(self, file: JourneyFile) -> str:
        """Return the file's absolute path."""
        return str(self.table / file.path)


@lru_cache(maxsize=64)
def files(table: Path, version: int) -> Files:
    """Return the live files of a version."""
    actions = file_actions(table, version)
    nothing = pa.nulls(len(actions))
    told = [
        (actions[name] if name in actions.column_names else nothing).to_pylist()
        for name in ("path", "num_records", f"min.{TIME}", f"max.{TIME}")
    ]
    found = [*map(_file, *told)]
    found.sort(key=lambda file: (file.sequence, file.path))
    return Files(
        table,
        version,
        *(tuple(file for file in found if file.kind is kind) for kind in Kind),
    )


def base_path(sequence: int, bucket: int, buckets: int, month: str) -> str:
    """Return the name of a new base file whose first month is ``month`` (``2024-01``)."""
    return f"{Kind.BASE}/{_folder((bucket, buckets))}/{month}-{unique_name(sequence)}.parquet"


def level0_path(sequence: int, place: tuple[int, int] | None = None) -> str:
    """Return the name of a new level-0 file: unsplit, or split for a (bucket, of how many)."""
    return _path(Kind.LEVEL0, sequence, place)


def mask_path(sequence: int, place: tuple[int, int] | None = None) -> str:
    """Return the name of a new mask, unsplit or split likewise."""
    return _path(Kind.MASK, sequence, place)


def renumbered(path: str, sequence: int) -> str:
    """Return the name that a file has if it is written for the commit with this number."""
    folder, _, name = path.rpartition("/")
    *month, _, unique = name.split("-")
    return f"{folder}/{'-'.join([*month, f'{sequence:012d}', unique])}"


def _path(kind: Kind, sequence: int, place: tuple[int, int] | None) -> str:
    folder = kind if place is None else f"{kind}/{_folder(place)}"
    return f"{folder}/{unique_name(sequence)}.parquet"


def _folder(place: tuple[int, int]) -> str:
    return f"b{place[0]:04d}-of-{place[1]:04d}"


@lru_cache(maxsize=1 << 16)
def _file(path: str, rows: int, min_time: int | None, max_time: int | None) -> JourneyFile:
    """Return a file of that name; versions share most of theirs, and each change looks at two versions."""
    kind, *folders = path.split("/")[:-1]
    bucket, buckets = (int(part) for part in folders[0][1:].split("-of-")) if folders else (0, 1)
    return JourneyFile(
        path=path,
        kind=Kind(kind),
        rows=rows,
        sequence=sequence_of(path),
        bucket=bucket,
        buckets=buckets,
        split=bool(folders),
        min_time=min_time,
        max_time=max_time,
    )
