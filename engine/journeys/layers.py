"""Newer runs over a base: layers of whole touched persons, and what they leave of everything below.

Commits are gathered into groups, each at least twice as large as the next newer one. The persons that
a group touches are taken whole into its layer and count nowhere below, so a further commit makes one
small layer anew and leaves the others as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import polars as pl
import pyarrow as pa

from engine.journeys import cache, overlay
from engine.journeys.chunks import (
    Part,
    Table,
    chunk_count,
    divided,
    gathered,
    held,
    joined,
    within,
)
from engine.journeys.columns import DATASET, EVENT_ID, HASH_HIGH, HASH_LOW, TIME
from engine.journeys.overlay import Keys, Mask, Numbers, Rows
from engine.journeys.present import Present, present
from engine.journeys.store import MASK_COLUMNS, Files, JourneyFile
from engine.lake.table import ROW

_BY: Final = (HASH_HIGH, HASH_LOW, TIME)
_TYPICAL: Final = 16
"""Events of a person, for a first guess at how large a layer will be."""
_MOST: Final = 1 << 12
_ROW_BYTES: Final = 128


class Source(Protocol):
    """Some persons' rows in journey order, decoded column by column."""

    @property
    def key(self) -> Any:
        """Names what it holds, for good."""

    def keys(self) -> Keys:
        """Return persons and times."""

    def column(self, name: str) -> pa.Array:
        """Return a column; strings as a dictionary with int32 indices."""

    def present(self, name: str) -> Present:
        """Return a column without its NULLs."""

    def weight(self, names: Iterable[str]) -> int:
        """Return about how many bytes it takes to work with some columns."""


@dataclass(frozen=True)
class Group:
    """Files of neighbouring commits, oldest first."""

    folder: Path
    runs: tuple[JourneyFile, ...]
    masks: tuple[JourneyFile, ...]

    @property
    def key(self) -> tuple[str, ...]:
        """Names what it holds."""
        return (str(self.folder), *(file.path for file in (*self.runs, *self.masks)))

    @property
    def rows(self) -> int:
        """Rows and masked rows."""
        return sum(file.rows for file in (*self.runs, *self.masks))

    def narrowed(self, hashes: tuple[int, int]) -> Group:
        """Leave out files that have no rows of some hashes."""
        return Group(self.folder, within(self.runs, hashes), within(self.masks, hashes))

    def touched(self, table: Table) -> Numbers:
        """Return the ``_hash_high`` of the persons that it mentions, ascending, distinct."""

        def make() -> Numbers:
            highs = [Part(table, [file]).keys().highs for file in self.runs]
            highs += [_mask(self.folder, file)[HASH_HIGH].to_numpy() for file in self.masks]
            return np.unique(np.concatenate([np.zeros(0, np.int64), *highs]))

        return cache.columns.get((self.key, "touched"), make, held)


def groups(files: Files) -> list[Group]:
    """Gather the commits of newer runs and masks into groups, oldest first."""
    newer = sorted((*files.level0, *files.masks), key=lambda file: file.sequence)
    found: list[Group] = []
    for _, members in groupby(newer, key=lambda file: file.sequence):
        commit = set(members)
        found.append(
            Group(
                files.table,
                tuple(file for file in files.level0 if file in commit),
                tuple(file for file in files.masks if file in commit),
            )
        )
        while len(found) > 1 and found[-2].rows < 2 * found[-1].rows:
            newest, older = found.pop(), found.pop()
            found.append(Group(files.table, older.runs + newest.runs, older.masks + newest.masks))
    return found


def layers(base: Sequence[Part], given: Sequence[Group], table: Table) -> list[Layer]:
    """Return the layers of the newest of some groups: one, or several that divide its persons."""
    newest = given[-1]
    guess = sum(file.rows for file in newest.runs) + _TYPICAL * len(newest.touched(table))
    every = (Layer(base, given, table, hashes) for hashes in divided(chunk_count(guess, _MOST)))
    # Masks may be all that is left: then there are no rows that they could hit.
    return [layer for layer in every if layer.has_sources]


def kept(source: Source, later: Sequence[Group], table: Table) -> Mask | None:
    """Return uint8[N]: 0 on the rows of persons that later groups touch; None where there are none."""
    if not later:
        return None

    def make() -> Mask | None:
        keys = source.keys()
        persons = overlay.persons_among(keys.highs, later[-1].touched(table))
        rows = overlay.rows_of_persons(keys.offsets, persons)
        return overlay.unmarked(kept(source, later[:-1], table), len(keys.times), rows)

    key = (source.key, "kept", tuple(group.key for group in later))
    return cache.columns.get(key, make, held)


@dataclass(frozen=True)
class Merged:
    """How a layer's rows come together.

    Attributes:
        rows: per source the rows that are taken from it.
        order: int32[N]; puts the rows taken, one source after the other, into journey order.
    """

    keys: Keys
    rows: tuple[Rows, ...]
    order: Rows

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self.keys.nbytes + self.order.nbytes + sum(rows.nbytes for rows in self.rows)


class Layer:
    """The persons that the newest of some groups touches, whole.

    Args:
        base: the parts of the base.
        given: groups of newer commits, oldest first.
        table: the journey table.
        hashes: first and last ``_hash_high`` of its persons.
    """

    def __init__(
        self, base: Sequence[Part], given: Sequence[Group], table: Table, hashes: tuple[int, int]
    ) -> None:
        narrow = [group.narrowed(hashes) for group in given]
        runs = [file for group in narrow for file in group.runs]
        self._table = table
        self._hashes = hashes
        self._newest = narrow[-1]
        self._base = [part for part in base if part.touches(hashes)]
        self._sources = [*self._base, *(Part(table, [file]) for file in runs)]
        self._masks = [file for group in narrow for file in group.masks]
        masks = tuple(file.path for file in self._masks)
        self.key = (tuple(part.key for part in self._sources), masks, self._newest.key, hashes)

    @property
    def has_sources(self) -> bool:
        """Whether there are files that may have rows of its persons."""
        return bool(self._sources)

    def keys(self) -> Keys:
        """Return persons and times of the rows in journey order."""
        return self._merged().keys

    def column(self, name: str) -> pa.Array:
        """Return a column in journey order; strings as a dictionary with int32 indices."""
        return cache.columns.get((self.key, "column", name), lambda: self._make_column(name), held)

    def present(self, name: str) -> Present:
        """Return a column in journey order without its NULLs."""
        key = (self.key, "present", name)
        return cache.columns.get(key, lambda: present(self.column(name), self.keys().times), held)

    def weight(self, names: Iterable[str]) -> int:
        """Return about how many bytes it takes to work with it: with one of its sources at a time."""
        own = sum(file.rows for file in self._newest.runs) + _TYPICAL * len(self._touched())
        wanted = [*names, DATASET, ROW]
        return _ROW_BYTES * own + max(part.weight(wanted) for part in self._sources)

    def _touched(self) -> Numbers:
        every = self._newest.touched(self._table)
        first, last = (
            np.searchsorted(every, self._hashes[0]),
            np.searchsorted(every, self._hashes[1], "right"),
        )
        return every[first:last]

    def _make_column(self, name: str) -> pa.Array:
        merged = self._merged()
        arrays = [
            gathered(source.column(name), rows)
            for source, rows in zip(self._sources, merged.rows, strict=True)
            if len(rows)
        ]
        return joined(arrays, self._table.kind(name)).take(pa.array(merged.order))

    def _merged(self) -> Merged:
        return cache.columns.get((self.key, "merged"), self._make_merged, held)

    def _make_merged(self) -> Merged:
        ordered = self._settled(overlay.sorted_copies(self._alive(self._copies())))
        pieces, places = ordered["piece"].to_numpy(), ordered["at"].to_numpy()
        rows = tuple(places[pieces == piece] for piece in range(len(self._sources)))
        order = np.empty(len(pieces), np.int32)
        order[np.argsort(pieces, kind="stable")] = np.arange(len(pieces), dtype=np.int32)
        return Merged(overlay.keys_of(*(ordered[name].to_numpy() for name in _BY)), rows, order)

    def _copies(self) -> pl.DataFrame:
        """All copies of the touched persons' rows, one source after the other."""
        touched, frames = self._touched(), []
        for piece, source in enumerate(self._sources):
            keys = source.keys()
            persons = overlay.persons_among(keys.highs, touched)
            rows = overlay.rows_of_persons(keys.offsets, persons)
            frames.append(overlay.copies_of(keys, persons, rows, piece))
        return pl.concat(frames)

    def _alive(self, copies: pl.DataFrame) -> pl.DataFrame:
        """Leave out the copies that a later mask names."""
        masks = self._named(copies[HASH_HIGH].unique())
        if masks is None:
            return copies
        copies = copies.with_row_index("number")
        endangered = copies.join(masks.select(HASH_HIGH).unique(), on=HASH_HIGH, how="semi")
        names = endangered.with_columns(
            self._values(endangered, DATASET),
            self._values(endangered, ROW),
            sequence=self._sequences(endangered),
        )
        matched = names.join(masks, on=list(MASK_COLUMNS), how="inner")
        dead = matched.filter(pl.col("masked") > pl.col("sequence")).select("number")
        return copies.join(dead, on="number", how="anti", maintain_order="left").drop("number")

    def _named(self, highs: pl.Series) -> pl.DataFrame | None:
        """The masks of some persons' rows, each with the last commit that masks it; None without any."""
        if not self._masks:
            return None
        every = pl.concat([_mask(self._table.folder, file) for file in self._masks])
        named = every.join(highs.to_frame(), on=HASH_HIGH, how="semi")
        return named.group_by(MASK_COLUMNS).agg(pl.col("masked").max()) if named.height else None

    def _settled(self, ordered: pl.DataFrame) -> pl.DataFrame:
        """Put copies of equal persons and times from different sources into order.

        Further columns are looked at only there: they may have to be read for it.
        """
        places = np.flatnonzero(overlay.mixed(ordered, _BY))
        if not len(places):
            return ordered
        tied = ordered[places]
        tied = tied.with_columns(self._values(tied, DATASET)).sort(*_BY, DATASET, maintain_order=True)
        inner = np.flatnonzero(overlay.mixed(tied, (*_BY, DATASET)))
        if len(inner):
            named = tied[inner]
            named = named.with_columns(self._values(named, EVENT_ID), self._values(named, ROW))
            tied = overlay.replaced(tied, inner, named.sort(*_BY, DATASET, EVENT_ID, ROW))
        return overlay.replaced(ordered, places, tied)

    def _values(self, copies: pl.DataFrame, name: str) -> pl.Series:
        """A column on some copies, in their order; of a base, event ids are not kept whole."""
        pieces, rows = copies["piece"].to_numpy(), copies["at"].to_numpy()
        arrays = [pa.array([], pa.string() if name == EVENT_ID else self._table.schema.field(name).type)]
        order: list[Any] = [np.zeros(0, np.int64)]
        for piece in np.unique(pieces).tolist():
            places = np.flatnonzero(pieces == piece)
            source = self._sources[piece]
            found = source.at(name, rows[places], keep=name != EVENT_ID or piece >= len(self._base))
            arrays.append(found.cast(arrays[0].type))
            order.append(places)
        series = pl.Series(name, pa.concat_arrays(arrays))
        return series.gather(np.argsort(np.concatenate(order)))

    def _sequences(self, copies: pl.DataFrame) -> pl.Series:
        pieces, rows = copies["piece"].to_numpy(), copies["at"].to_numpy()
        found = np.zeros(len(rows), np.int64)
        for piece in np.unique(pieces).tolist():
            places = pieces == piece
            found[places] = self._sources[piece].sequences(rows[places])
        return pl.Series(found)


def _mask(table: Path, file: JourneyFile) -> pl.DataFrame:
    def make() -> pl.DataFrame:
        rows = pl.read_parquet(table / file.path, columns=list(MASK_COLUMNS), glob=False)
        return rows.select(*MASK_COLUMNS, masked=pl.lit(file.sequence, pl.Int64))

    return cache.columns.get((str(table), file.path, "mask"), make, held)
