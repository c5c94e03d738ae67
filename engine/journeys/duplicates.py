"""Duplicates (docs/semantics.md): of the rows with one event id, which are events and which repeat one.

Per dataset and event id, in order of (timestamp, content): the first row wins, rows within the
window after the winner repeat it, the next row beyond the window is the next winner. The outcome is
a function of the set of rows, so a late row can push aside an earlier winner, or set free a row
that was a repeat.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from engine.journeys.digests import content_digests
from engine.journeys.intake import (
    IDENTITIES,
    Member,
    admissible,
    identities,
)
from engine.lake import event_ids
from engine.lake.hashes import Hashes, text_hashes
from engine.lake.rows import lake_rows, leaf
from engine.lake.table import ROW, LakeFile

_BLOCK: Final = 1 << 13
"""Rows of a lake file that are read together around a row that may have a wanted event id."""
_TOGETHER: Final = 1 << 4
"""Neighbouring blocks that are read as one at most; more rows than theirs shall not be in memory at once."""


@dataclass(frozen=True)
class Resolution:
    """What rows that come and go do to the events of a dataset.

    Attributes:
        events: identity rows that become events; most are new, some were repeats until now.
        revived: ``row, time`` of those that were repeats.
        dead: identity rows of earlier events that left, or that turned out to repeat another row.
        departed: identity rows that left, whether they were events or repeats.
    """

    events: pl.DataFrame
    revived: pl.DataFrame
    dead: pl.DataFrame
    departed: pl.DataFrame


def resolve(
    member: Member,
    arrivals: pl.DataFrame,
    *,
    departures: pl.DataFrame,
    earlier: Sequence[LakeFile],
    moved: Sequence[LakeFile],
    window: int,
) -> Resolution:
    """Decide which rows are events after some rows arrived and others left.

    Args:
        member: the dataset in its connection.
        arrivals: admitted identity rows that are new.
        departures: admitted identity rows that are no longer there.
        earlier: lake files of the rows that were there before and still are.
        moved: lake files of the rows that arrived or left.
        window: microseconds after a winner in which equal event ids repeat it.
    """
    history, names = _candidates(member, pl.concat([arrivals, departures]), earlier, window)
    places = ["row", "time"]
    if not len(names):
        return Resolution(arrivals, arrivals.clear().select(places), departures, departures)
    repeated = pl.col("event_id").is_in(names.implode())
    fresh, gone = arrivals.filter(repeated), departures.filter(repeated)
    everything = _with_content(member, pl.concat([history, fresh, gone]), [*earlier, *moved])
    before = winners(everything.join(fresh, on="row", how="anti"), window)
    after = winners(everything.join(gone, on="row", how="anti"), window)
    gained = after.join(before, on="row", how="anti")
    lost = before.join(after, on="row", how="anti")
    alone = pl.col("event_id").is_null() | ~repeated
    events = pl.concat([arrivals.filter(alone), gained.select(list(IDENTITIES))])
    revived = gained.join(history, on="row", how="semi")
    dead = pl.concat([departures.filter(alone), lost.select(list(IDENTITIES))])
    return Resolution(events, revived.select(places), dead, departures)


def winners(rows: pl.DataFrame, window: int) -> pl.DataFrame:
    """Return the rows that are events.

    Args:
        rows: identity rows with ``content``, all with an event id.
        window: microseconds after a winner in which equal event ids repeat it.
    """
    ordered = rows.sort("event_id", "time", "content", "row")
    name = pl.col("event_id")
    first = ordered.select(name.ne_missing(name.shift(1))).to_series().fill_null(True)
    spread = pl.col("time").max().over("event_id") - pl.col("time").min().over("event_id")
    if ordered.select((spread > window).any()).item():
        first = _next_winners(first.to_list(), ordered["time"].to_list(), window)
    return ordered.filter(first)


def _next_winners(first: list[bool], times: list[int], window: int) -> pl.Series:
    wins, winner = [], 0
    for starts, moment in zip(first, times, strict=True):
        win = starts or moment - winner > window
        winner = moment if win else winner
        wins.append(win)
    return pl.Series(wins, dtype=pl.Boolean)


def _candidates(
    member: Member, moved: pl.DataFrame, earlier: Sequence[LakeFile], window: int
) -> tuple[pl.DataFrame, pl.Series]:
    """Return earlier rows with the ids of moved ones, and all ids that occur twice."""
    none = pl.DataFrame(schema=IDENTITIES)
    if member.dataset.event_id is None:
        return none, pl.Series(dtype=pl.String)
    named = moved.filter(pl.col("event_id").is_not_null())
    if not named.height:
        return none, pl.Series(dtype=pl.String)
    history = _history(member, named, earlier, window)
    twice = named.filter(pl.col("event_id").hash().is_duplicated())["event_id"]
    return history, pl.concat([history["event_id"], twice]).unique()


def _history(member: Member, named: pl.DataFrame, earlier: Sequence[LakeFile], window: int) -> pl.DataFrame:
    """Read earlier rows with the moved rows' ids, as far as they can touch each other.

    Rows of one id that lie further apart than the window do not touch, so files are read outwards
    from the moved rows' times until nothing more is found.
    """
    found = [pl.DataFrame(schema=IDENTITIES)]
    wanted, unread = named.select("event_id").unique(), list(earlier)
    near = named.select("time")
    while near.height:
        low, high = near.select(low=pl.col("time").min(), high=pl.col("time").max()).row(0)
        files = [file for file in unread if touches(file, low - window, high + window)]
        if not files:
            break
        unread = [file for file in unread if file not in files]
        near = _with_ids(member, files, wanted)
        found.append(near)
        wanted = pl.concat(found).select("event_id").unique()
    return pl.concat(found)


def touches(file: LakeFile, low: int, high: int) -> bool:
    """Return whether a lake file may have rows with low ≤ time ≤ high."""
    if file.min_time is None or file.max_time is None:
        return False
    return file.min_time <= high and file.max_time >= low


def _with_ids(member: Member, files: Sequence[LakeFile], wanted: pl.DataFrame) -> pl.DataFrame:
    hashes = np.unique(text_hashes(wanted["event_id"]))
    blocks = list(_blocks(member, files, hashes))
    if not blocks:
        return pl.DataFrame(schema=IDENTITIES)
    rows = identities(member, pl.concat(blocks))
    return rows.join(wanted.lazy(), on="event_id", how="semi").filter(admissible()).collect()


def _blocks(member: Member, files: Sequence[LakeFile], hashes: Hashes) -> Iterator[pl.LazyFrame]:
    """Yield the blocks of lake files in which rows may have an event id of these hashes."""
    for file in files:
        places = event_ids.find(Path(file.path), str(member.dataset.event_id), hashes)
        if len(places):
            rows = lake_rows([file], member.dataset)
            for first, count in _stretches(np.unique(places // _BLOCK)):
                yield rows.slice(first * _BLOCK, count * _BLOCK)


def _stretches(blocks: npt.NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Yield first and number of neighbours among ascending blocks; a frame each would be a thread each."""
    ends = np.flatnonzero((np.diff(blocks) > 1) | (np.diff(blocks // _TOGETHER) > 0)) + 1
    for found in np.split(blocks, ends):
        yield int(found[0]), found.size


def _with_content(member: Member, rows: pl.DataFrame, files: Sequence[LakeFile]) -> pl.DataFrame:
    """Add ``content``: a digest where rows of one event id have one timestamp, else NULL."""
    tied = rows.filter(pl.struct("event_id", "time").is_duplicated()).select("row", "time", "event_id")
    if not tied.height:
        return rows.with_columns(content=pl.lit(None, pl.String))
    low, high = int(tied["time"].min()), int(tied["time"].max())  # type: ignore[arg-type]
    hashes = np.unique(text_hashes(tied["event_id"]))
    near = [file for file in files if touches(file, low, high)]
    paths = list(member.dataset.leaves())
    content = (
        pl.concat(list(_blocks(member, near, hashes)))
        .filter(pl.col(ROW).is_in(tied["row"].implode()))
        .select(ROW, *(leaf(path).alias(path) for path in paths))
        # While a lake file is written anew, a row lies in both.
        .unique(ROW)
        .collect()
    )
    digests = content.select(row=pl.col(ROW), content=content_digests(content.select(paths)))
    return rows.join(digests, on="row", how="left", maintain_order="left")
