"""Prepared statements and portals: what a session remembers between the messages of a client."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Final

import pyarrow as pa

from engine.cancellation import Cancellation
from sqlfront.constants import Constant
from sqlfront.preparing import Prepare
from sqlfront.query import Query, ResultColumn
from sqlfront.statements import Control, Show
from sqlfront.wire.datarow import data_rows
from sqlfront.wire.messages import ProtocolError
from sqlfront.wire.replies import Data
from sqlfront.wire.types import parameter_type, pg_oid
from sqlfront.wire.zones import UTC, in_zone

_BYTES_AT_ONCE: Final = 256 * 1024
_ROWS_AT_ONCE: Final = 16_384
_FEW_ROWS: Final = 16


@dataclass(frozen=True)
class Prepared:
    """A statement ready to run.

    Attributes:
        sql: its text, from its first word on.
        control: set for a statement about the session.
        query: set for a question, and for the question of a DECLARE.
        declared_oids: parameter types that the client gave, 0 where it left them open.
    """

    sql: str
    control: Control | None = None
    query: Query | None = None
    declared_oids: tuple[int, ...] = ()

    @property
    def parameter_types(self) -> tuple[pa.DataType, ...]:
        """Types in which values come: as declared, even those that nothing uses, else as inferred."""
        if isinstance(self.control, Prepare):
            return ()
        inferred = self.query.parameters if self.query is not None else ()
        declared = map(parameter_type, self.declared_oids)
        return tuple(
            first if first is not None else second if second is not None else pa.string()
            for first, second in zip_longest(declared, inferred)
        )

    @property
    def parameter_oids(self) -> tuple[int, ...]:
        """Oids to tell the client: its own where it gave them."""
        return tuple(
            oid or pg_oid(arrow_type)
            for oid, arrow_type in zip_longest(
                self.declared_oids[: len(self.parameter_types)], self.parameter_types
            )
        )

    @property
    def is_empty(self) -> bool:
        """Tell whether there was no statement in the text."""
        return self.control is None and self.query is None

    @property
    def constant(self) -> Constant | None:
        """Its answer if that is always the same."""
        return self.query if self.control is None and isinstance(self.query, Constant) else None

    def question(self) -> Prepared:
        """Return the question of a DECLARE, COPY or PREPARE as a statement of its own."""
        return replace(self, control=None)

    def completion(self, rows: int) -> str:
        """Return the tag of a statement that has answered with its last rows."""
        if self.control is not None:
            return "SHOW" if isinstance(self.control, Show) else f"FETCH {rows}"
        known = (word for word in ("EXPLAIN", "SHOW") if self.sql.upper().startswith(word))
        return next(known, f"SELECT {rows}")


@dataclass
class Portal:
    """A statement with its parameter values, part-way through its answer.

    Attributes:
        formats: per column, whether the client wants binary; empty means all text, one is for all.
        hold: it outlives its transaction, if that does not fail.
        held: it has done so.
    """

    prepared: Prepared
    values: tuple[object, ...] = ()
    formats: tuple[int, ...] = ()
    hold: bool = False
    held: bool = False
    _reader: pa.RecordBatchReader | None = None
    _batches: Iterator[pa.RecordBatch] | None = None
    _rest: list[pa.RecordBatch] = field(default_factory=list)
    _finished: bool = False
    _started: bool = False
    _cancellation: Cancellation = field(default_factory=Cancellation)

    @property
    def cancellation(self) -> Cancellation:
        """What cancels its answer; may be used before it begins."""
        return self._cancellation

    def start_once(self) -> bool:
        """Tell whether it has not been run before, and note that it is now."""
        first, self._started = not self._started, True
        return first

    def read_from(self, batches: Iterator[pa.RecordBatch], cancellation: Cancellation) -> None:
        """Take the rows from elsewhere: from a control statement, or the cursor that it fetches from."""
        self._batches, self._cancellation = batches, cancellation

    def rows(self, limit: int | None) -> Iterator[pa.RecordBatch]:
        """Yield up to ``limit`` further rows, all if None, in batches to encode at once."""
        query = self.prepared.query
        if self._reader is None and query is not None and not self._finished:
            used = self.values[: len(query.parameters)]
            self._reader = query.run(used, self._cancellation)
        wanted = limit
        while wanted is None or wanted > 0:
            batch = self._next(_ROWS_AT_ONCE if wanted is None else min(wanted, _ROWS_AT_ONCE))
            if batch is None:
                return
            wanted = None if wanted is None else wanted - batch.num_rows
            yield batch

    def _next(self, most: int) -> pa.RecordBatch | None:
        while not self._rest:
            self._cancellation.check()
            batch = self._read()
            if batch is None:
                return None
            if batch.num_rows:
                self._rest.append(batch)
        batch = self._rest.pop()
        most = min(most, _rows_at_once(batch))
        if batch.num_rows > most:
            self._rest.append(batch.slice(most))
        return batch.slice(0, most)

    def _read(self) -> pa.RecordBatch | None:
        if self._batches is not None:
            return next(self._batches, None)
        if self._reader is None:
            return None
        try:
            return self._reader.read_next_batch()
        except StopIteration:
            self.close()
            return None

    def close(self) -> None:
        """Let go of what the answer holds; further reads find no rows."""
        self._finished = True
        self._batches = None
        self._rest.clear()
        if self._reader is not None:
            self._reader.close()
            self._reader = None


def _rows_at_once(batch: pa.RecordBatch) -> int:
    """Return how many rows to encode together: as many as stay in a processor's cache, at least one."""
    rows: int = batch.num_rows
    if rows <= _FEW_ROWS:
        return rows
    row: int = batch.nbytes // rows
    return max(1, min(_ROWS_AT_ONCE, _BYTES_AT_ONCE // max(1, row)))


def wanted_formats(formats: Sequence[int], columns: Sequence[ResultColumn]) -> list[bool]:
    """Return for each column whether it is sent in binary.

    Raises:
        ProtocolError: the client gave another number of formats than there are columns.
    """
    if len(formats) not in (0, 1, len(columns)):
        raise ProtocolError(
            f"bind message has {len(formats)} result formats but query has {len(columns)} columns"
        )
    every = list(formats) if len(formats) == len(columns) else [*formats, 0][:1] * len(columns)
    return [form == 1 for form in every]


def encoded(
    batch: pa.RecordBatch, columns: Sequence[ResultColumn], binary: Sequence[bool], zone: str = UTC
) -> Data:
    """Return a batch of an answer as DataRow messages.

    Args:
        zone: in which instants are shown as text.
    """
    types = [column.type for column in columns]
    return data_rows(batch, types if zone == UTC else [in_zone(kind, zone) for kind in types], binary)
