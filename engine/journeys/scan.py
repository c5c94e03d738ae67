"""Reads journeys as compressed sparse rows: persons × events, in journey order, in large chunks.

A base is read as it lies, with the persons marked that newer runs touch; those follow in chunks of
their own, whole. So a new world costs what it touches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from engine.definitions.model import Definitions
from engine.errors import UnknownColumnError, did_you_mean
from engine.journeys import as_of_files, chunks, layers, overlay, store
from engine.journeys.columns import SYSTEM, leaf_columns
from engine.journeys.lacking import lake_of, world_of
from engine.journeys.present import Present, present
from engine.world import Home, World


@dataclass(frozen=True)
class Chunk:
    """Some persons with all their events.

    Attributes:
        offsets: int64[P + 1]; person p owns the rows offsets[p] up to offsets[p + 1].
        times: int64[N], µs since the epoch, UTC, ascending within a person.
        columns: name → N values in journey order; strings as DictionaryArray(int32, string).
        kept: uint8[N], 0 on the rows of persons that do not count here: another chunk has them. None where
            all count.
        source: where it was decoded from, which keeps what is derived from a column.
    """

    offsets: npt.NDArray[np.int64]
    times: npt.NDArray[np.int64]
    columns: Mapping[str, pa.Array]
    kept: overlay.Mask | None = None
    source: layers.Source | None = None

    @property
    def rows(self) -> int:
        """Number of events, with those that do not count."""
        return len(self.times)

    @property
    def nbytes(self) -> int:
        """Bytes of all its columns and of the events' times."""
        return self.times.nbytes + sum(int(column.nbytes) for column in self.columns.values())

    @property
    def persons(self) -> int:
        """Number of persons, with those who do not count."""
        return len(self.offsets) - 1

    def present(self, name: str) -> Present:
        """Return a column without its NULLs."""
        if self.source is not None:
            return self.source.present(name)
        return present(self.columns[name], self.times)

    def counted(self) -> Chunk:
        """Return the chunk with those persons only who count."""
        if self.kept is None:
            return self
        rows = np.flatnonzero(self.kept)
        persons = np.flatnonzero(self.kept[self.offsets[:-1]])
        sizes = np.diff(self.offsets)[persons]
        columns = {name: column.take(pa.array(rows)) for name, column in self.columns.items()}
        return Chunk(np.concatenate(([0], np.cumsum(sizes))), self.times[rows], columns)


@dataclass(frozen=True)
class Load:
    """A chunk that is yet to be decoded.

    Attributes:
        source: its persons.
        later: groups of commits whose persons do not count here.
        names: the columns wanted.
    """

    source: layers.Source
    later: tuple[layers.Group, ...]
    names: tuple[str, ...]
    table: chunks.Table

    @property
    def weight(self) -> int:
        """About how many bytes it takes to work with the chunk."""
        return self.source.weight(self.names)

    def chunk(self, check: Callable[[], None] = lambda: None) -> Chunk | None:
        """Decode; None if nobody in it counts.

        Args:
            check: called between columns; what it raises is raised.
        """
        kept = layers.kept(self.source, self.later, self.table)
        check()
        keys = self.source.keys()
        if not len(keys.times) or (kept is not None and not kept.any()):
            return None
        found = {}
        for name in self.names:
            check()
            found[name] = self.source.column(name)
        return Chunk(keys.offsets, keys.times, found, kept, self.source)


def scan(
    home: Home,
    connection: str,
    version: int,
    columns: Sequence[str],
    *,
    start: int | None = None,
    end: int | None = None,
    world: World | None = None,
) -> Iterator[Chunk]:
    """Yield the journeys of a version; no person is in two chunks, and all count.

    Args: as of ``loads``.

    Raises:
        UnknownColumnError: there is no such column.
    """
    for load in loads(home, connection, version, columns, start=start, end=end, world=world):
        chunk = load.chunk()
        if chunk is not None:
            yield chunk.counted()


def loads(
    home: Home,
    connection: str,
    version: int,
    columns: Sequence[str],
    *,
    start: int | None = None,
    end: int | None = None,
    world: World | None = None,
    check: Callable[[], None] = lambda: None,
) -> list[Load]:
    """Return the journeys of a version in chunks to be decoded; no person counts in two of them.

    Decoded columns are kept in a cache of the process, so a second time costs next to nothing. Chunks
    may be decoded and used by several threads; their arrays must not be written to.

    Args:
        home: the home.
        connection: whose journeys.
        version: version of its table, as a world has it.
        columns: leaf fields and system columns such as ``_person``.
        start: a hint: rows before this time in µs are not wanted; some may appear.
        end: a hint: rows at or after this time are not wanted; some may appear.
        world: a world that shows the version; None finds one. Persons are those of its ``identity_as_of``.
        check: called while these persons are looked for; what it raises is raised.

    Raises:
        UnknownColumnError: there is no such column.
    """
    names, shown = tuple(columns), world or world_of(home, connection, version)
    schema = _schema(shown.definitions, connection)
    _check(schema, names, connection)
    seen = as_of_files.seen(home, shown, connection, version, check)
    lake = lake_of(home, shown.definitions, connection)
    table = chunks.Table(home.journeys_path(connection), schema, lake, seen.hold)
    files = _near(seen.files, start, end)
    base, groups = chunks.parts(table, files.base, names), tuple(layers.groups(files))
    found = [Load(part, groups, names, table) for part in base]
    for number in range(1, len(groups) + 1):
        over = layers.layers(base, groups[:number], table)
        found += [Load(layer, groups[number:], names, table) for layer in over]
    return found


def _check(schema: pa.Schema, names: Sequence[str], connection: str) -> None:
    known = set(schema.names)
    for name in names:
        if name not in known:
            raise UnknownColumnError(
                f'there is no column "{name}" in the journeys of "{connection}"',
                hint=did_you_mean(name, schema.names),
            )


_schemas: dict[tuple[int, str], tuple[Definitions, pa.Schema]] = {}


def _schema(definitions: Definitions, connection: str) -> pa.Schema:
    """Return every column that may be asked; made once per definitions object, which worlds share."""
    known = _schemas.get((id(definitions), connection))
    if known is None or known[0] is not definitions:
        if len(_schemas) > 64:
            _schemas.clear()
        kinds = SYSTEM | leaf_columns(definitions, connection)
        known = _schemas[id(definitions), connection] = (definitions, pa.schema(list(kinds.items())))
    return known[1]


def _near(files: store.Files, start: int | None, end: int | None) -> store.Files:
    """Leave out files of other times."""
    if start is None and end is None:
        return files
    return replace(
        files,
        base=tuple(file for file in files.base if file.overlaps(start, end)),
        level0=tuple(file for file in files.level0 if file.overlaps(start, end)),
    )
