"""The journey table of a connection: its files, their kinds, and how they are named.

``base/`` holds one bucket and one or more months per file; ``level0/`` the rows of one commit, in
journey order; ``masks/`` names rows whose copies in files of earlier commits are dead. The number
in a file's name is the version of the commit that added it.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from deltalake import DeltaTable

from engine.journeys.columns import DATASET, HASH_HIGH, TIME
from engine.lake.table import ROW

MASK_COLUMNS: Final = (DATASET, ROW, HASH_HIGH)
"""Columns of a mask: which row, and the bucket's side of the person that lost it."""


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
        bucket: bucket of a base file, else 0.
        buckets: number of buckets when it was written, else 1.
        min_time: earliest event time in µs; None for masks.
        max_time: latest event time in µs; None for masks.
    """

    path: str
    kind: Kind
    rows: int
    sequence: int
    bucket: int = 0
    buckets: int = 1
    min_time: int | None = None
    max_time: int | None = None

    def overlaps(self, start: int | None, end: int | None) -> bool:
        """Return whether the file may have rows with start ≤ time < end; None is open."""
        if self.min_time is None or self.max_time is None:
            return True
        return (start is None or self.max_time >= start) and (end is None or self.min_time < end)


@dataclass(frozen=True)
class Files:
    """The live files of one version, per kind, each in the order of commits."""

    table: Path
    version: int
    base: tuple[JourneyFile, ...] = ()
    level0: tuple[JourneyFile, ...] = ()
    masks: tuple[JourneyFile, ...] = ()

    @property
    def base_rows(self) -> int:
        """Rows in base files, dead copies included."""
        return sum(file.rows for file in self.base)

    @property
    def level0_rows(self) -> int:
        """Rows in level-0 files, dead copies included."""
        return sum(file.rows for file in self.level0)

    @property
    def runs(self) -> int:
        """Commits whose rows or masks are not merged into the base."""
        return len({file.sequence for file in (*self.level0, *self.masks)})

    @property
    def buckets(self) -> int:
        """Number of buckets of the base; 1 without a base."""
        return self.base[0].buckets if self.base else 1

    def absolute(self, file: JourneyFile) -> str:
        """Return the file's absolute path."""
        return str(self.table / file.path)


@lru_cache(maxsize=64)
def files(table: Path, version: int) -> Files:
    """Return the live files of a version."""
    actions = pa.table(DeltaTable(table, version=version).get_add_actions(flatten=True))
    found = [_file(row) for row in actions.to_pylist()]
    found.sort(key=lambda file: (file.sequence, file.path))
    return Files(
        table,
        version,
        *(tuple(file for file in found if file.kind is kind) for kind in Kind),
    )


def base_path(sequence: int, bucket: int, buckets: int, month: str) -> str:
    """Return the name of a new base file whose first month is ``month`` (``2024-01``)."""
    folder = f"b{bucket:04d}-of-{buckets:04d}"
    return f"{Kind.BASE}/{folder}/{month}-{_unique(sequence)}.parquet"


def level0_path(sequence: int) -> str:
    """Return the name of a new level-0 file."""
    return f"{Kind.LEVEL0}/{_unique(sequence)}.parquet"


def mask_path(sequence: int) -> str:
    """Return the name of a new mask."""
    return f"{Kind.MASK}/{_unique(sequence)}.parquet"


def sequence_of(path: str) -> int:
    """Return the number in a file's name: the version of the commit that it was written for."""
    return int(path.rpartition("/")[2].split("-")[-2])


def sweep(table: Path, version: int, folders: Iterable[str] = KINDS) -> int:
    """Remove files written for commits after a version, which no published world knows.

    Returns:
        The number of files removed.
    """
    removed = 0
    for folder in folders:
        # Names alone: every change of a home looks at all its files, so objects per file would tell.
        for place, inner, names in os.walk(table / folder):
            inner[:] = [name for name in inner if not name.startswith("_")]
            for name in names:
                if name.endswith(".parquet") and sequence_of(name) > version:
                    Path(place, name).unlink()
                    removed += 1
    return removed


def _unique(sequence: int) -> str:
    return f"{sequence:012d}-{uuid.uuid4().hex[:12]}"


def _file(action: dict[str, Any]) -> JourneyFile:
    path = action["path"]
    kind, folder = Kind(path.split("/")[0]), path.split("/")[1]
    bucket, buckets = (0, 1)
    if kind is Kind.BASE:
        bucket, buckets = (int(part) for part in folder[1:].split("-of-"))
    return JourneyFile(
        path=path,
        kind=kind,
        rows=action["num_records"],
        sequence=sequence_of(path),
        bucket=bucket,
        buckets=buckets,
        min_time=action.get(f"min.{TIME}"),
        max_time=action.get(f"max.{TIME}"),
    )
