"""Merges the split files of a bucket into its base, month by month; other months stay as they lie.

A bucket that has become too large is rewritten whole, into two or more smaller ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl
import pyarrow as pa

from engine.journeys import lacking, runs
from engine.journeys.columns import HASH_HIGH, TIME
from engine.journeys.copies import live, masked
from engine.journeys.order import bucket_bounds, journey_order
from engine.journeys.store import Files, JourneyFile, Kind
from engine.lake import delta

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Merged:
    """What a merge wrote, and which files that replaces."""

    added: list[delta.NewFile]
    removed: list[str]


@dataclass(frozen=True)
class _Stretch:
    """Some months of a bucket, numbered from year 0: a base file's, or one that no file covers.

    Attributes:
        rows: rows that it has before and gets, dead copies included.
        touched: whether rows of it come, go, or move to another bucket.
    """

    first: int
    last: int
    rows: int
    file: JourneyFile | None
    touched: bool


def merge_bucket(files: Files, schema: pa.Schema, place: tuple[int, int], factor: int) -> Merged:
    """Write a bucket's split rows into its base, and leave out what any mask names.

    Args:
        files: the files of the newest version.
        schema: the connection's journey columns.
        place: the bucket, and of how many.
        factor: into how many buckets it is divided; 1 leaves it as it is.
    """
    members = [file for file in files.split if file.place == place]
    sources = [file for file in members if file.kind is Kind.LEVEL0]
    schema = lacking.common(files.table, sources, schema)
    columns = runs.polars_columns(schema)
    arriving = live(files, columns, list(columns), sources=sources)
    if sum(file.rows for file in sources) <= runs.SLICE_ROWS:
        arriving = arriving.collect().lazy()
    base = [file for file in files.base if file.place == place]
    masks = masked(files, [file for file in members if file.kind is Kind.MASK], columns)
    added: list[delta.NewFile] = []
    removed = [file.path for file in members]
    for group in _groups(_stretches(base, arriving, masks, every=factor > 1)):
        removed += [stretch.file.path for stretch in group if stretch.file is not None]
        for rows in _rewritten(files, schema, group, arriving, _shares(place, factor, group)):
            added += runs.write_base(files.table, files.version + 1, rows, place[1] * factor)
    return Merged(added, removed)


def _stretches(
    base: Sequence[JourneyFile], arriving: pl.LazyFrame, masks: pl.LazyFrame, *, every: bool
) -> list[_Stretch]:
    """Return the months that the bucket has or gets, in order; those that lie together as one."""
    rows = dict(arriving.group_by(_month()).len().collect().iter_rows())
    hit: set[int | None] = set(masks.select(_month().unique()).collect()[TIME])
    changed = rows.keys() | hit
    found: list[_Stretch] = []
    covered: set[int] = set()
    for file in base:
        first, last = _number(file.min_time), _number(file.max_time)
        span = range(first, last + 1)
        covered.update(span)
        touched = every or None in hit or not changed.isdisjoint(span)
        count = file.rows + sum(rows.get(month, 0) for month in span)
        found.append(_Stretch(first, last, count, file, touched))
    found += [
        _Stretch(month, month, count, None, True) for month, count in rows.items() if month not in covered
    ]
    return sorted(found, key=lambda stretch: stretch.first)


def _groups(stretches: Sequence[_Stretch]) -> Iterator[list[_Stretch]]:
    """Put touched neighbours together until they are worth a pass; new months join a small neighbour."""
    group: list[_Stretch] = []
    for place, stretch in enumerate(stretches):
        around = [*stretches[max(place - 1, 0) : place], *stretches[place + 1 : place + 2]]
        joined = stretch.rows < runs.FILE_ROWS and any(near.file is None for near in around)
        if stretch.touched or joined:
            group.append(stretch)
        full = sum(member.rows for member in group) >= max(runs.FILE_ROWS, runs.SLICE_ROWS // 4)
        if group and (full or group[-1] is not stretch):
            yield group
            group = []
    if group:
        yield group


def _shares(place: tuple[int, int], factor: int, group: Sequence[_Stretch]) -> list[tuple[int, int]]:
    """Return the hash ranges in which a group is rewritten: bucket by bucket if it is large."""
    if sum(stretch.rows for stretch in group) <= runs.SLICE_ROWS:
        return [bucket_bounds(*place)]
    bucket, buckets = place
    return [bucket_bounds(bucket * factor + part, buckets * factor) for part in range(factor)]


def _rewritten(
    files: Files,
    schema: pa.Schema,
    group: Sequence[_Stretch],
    arriving: pl.LazyFrame,
    shares: Sequence[tuple[int, int]],
) -> Iterator[pl.DataFrame]:
    """Yield the rows of a group's months in journey order, a hash range at a time."""
    base = [stretch.file for stretch in group if stretch.file is not None]
    columns = runs.polars_columns(lacking.common(files.table, base, schema))
    new = arriving.filter(_month().is_between(group[0].first, group[-1].last)).select(list(columns))
    for hashes in shares:
        old = live(files, columns, list(columns), sources=base, hashes=hashes)
        rows = pl.concat([old, new.filter(pl.col(HASH_HIGH).is_between(*hashes))]).collect()
        if rows.height:
            yield rows[journey_order(rows)]


def _month() -> pl.Expr:
    moment = pl.col(TIME).cast(pl.Datetime("us"))
    return moment.dt.year() * 12 + moment.dt.month() - 1


def _number(time: int | None) -> int:
    """Return the month of a time in µs, numbered like ``_month``."""
    moment = _EPOCH + timedelta(microseconds=time or 0)
    return moment.year * 12 + moment.month - 1
