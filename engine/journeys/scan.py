"""Reads journeys as compressed sparse rows: persons × events, in journey order, in large chunks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from engine.definitions.model import Definitions
from engine.errors import UnknownColumnError, did_you_mean
from engine.journeys import chunks, store
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
        part: where it was decoded from, which keeps what is derived from a column.
    """

    offsets: npt.NDArray[np.int64]
    times: npt.NDArray[np.int64]
    columns: Mapping[str, pa.Array]
    part: chunks.Part | None = None

    @property
    def rows(self) -> int:
        """Number of events."""
        return len(self.times)

    @property
    def persons(self) -> int:
        """Number of persons."""
        return len(self.offsets) - 1

    def present(self, name: str) -> Present:
        """Return a column without its NULLs."""
        if self.part is not None:
            return self.part.present(name)
        return present(self.columns[name], self.times)


def columns(home: Home, world: World, connection: str) -> dict[str, pa.DataType]:
    """Return the leaf fields of a connection, dotted path → type; no system columns."""
    return leaf_columns(world.definitions, connection)


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
    """Yield the journeys of a version; no person is in two chunks.

    Decoded columns are kept in a cache of the process, so a second scan costs next to nothing. May
    be called, and its chunks used, by several threads; a chunk's arrays must not be written to.

    Args:
        home: the home.
        connection: whose journeys.
        version: version of its table, as a world has it.
        columns: leaf fields and system columns such as ``_person``.
        start: a hint: rows before this time in µs are not wanted; some may appear.
        end: a hint: rows at or after this time are not wanted; some may appear.
        world: a world that shows the version; None finds one.

    Raises:
        UnknownColumnError: there is no such column.
    """
    shown = world or world_of(home, connection, version)
    schema = _schema(shown.definitions, connection)
    _check(schema, columns, connection)
    table = home.journeys_path(connection)
    files = _near(store.files(table, version), start, end)
    for part in chunks.parts(table, schema, files, lake_of(home, shown.definitions, connection)):
        layout = part.layout()
        if len(layout.times):
            found = {name: part.column(name) for name in columns}
            yield Chunk(layout.offsets, layout.times, found, part)


def _check(schema: pa.Schema, columns: Sequence[str], connection: str) -> None:
    for name in columns:
        if schema.get_field_index(name) < 0:
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
