"""Keeps the query log: every question to the data, with those that were refused.

Statements are written by a thread of their own, some at a time, so that none waits for the catalog; the last
second of them is lost in a crash. Parameter values are not kept.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from weakref import WeakKeyDictionary

import pyarrow as pa
from sqlalchemy.exc import SQLAlchemyError

from engine.cancellation import Cancellation
from engine.catalog import queries
from engine.catalog.queries import QueryRecord
from engine.errors import CancelledError, WaylineError
from engine.world import Home
from sqlfront.query import Query, ResultColumn
from sqlfront.sqlstate import to_wayline_error

QUERIES: Final = pa.schema(
    [
        pa.field("session", pa.int32()),
        *(pa.field(name, pa.string()) for name in ("user", "address", "application", "database")),
        *(pa.field(name, pa.string()) for name in ("statement", "state", "sqlstate", "message")),
        pa.field("started_at", pa.timestamp("us", tz="UTC")),
        *(pa.field(name, pa.float64()) for name in ("waited_ms", "first_row_ms", "total_ms")),
        pa.field("rows", pa.int64()),
    ]
)
"""Columns of ``system.queries``."""

_PAUSE: Final = 1.0
_LONGEST: Final = 10_000
"""Characters of a statement that are kept."""
_WAITING: Final = 10_000
"""So many statements wait to be written while the catalog cannot be; further ones are not kept."""


@dataclass(frozen=True)
class Asker:
    """Which session asks."""

    session: int
    user: str
    address: str
    database: str
    settings: Mapping[str, str]


@dataclass(eq=False)
class Entry:
    """A statement that runs.

    Attributes:
        cancellation: of the statement, which knows how long it waited.
        rows: given to the client so far.
    """

    asker: Asker
    statement: str
    cancellation: Cancellation
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    rows: int = 0
    _began: float = field(default_factory=time.monotonic)
    _first: float | None = None

    def gave(self, rows: int) -> None:
        """Count rows that go to the client."""
        if rows and self._first is None:
            self._first = time.monotonic()
        self.rows += rows

    def record(self, error: WaylineError | None = None, *, state: str = "done") -> QueryRecord:
        """Return what is known of it now."""
        if error is not None:
            state = "cancelled" if isinstance(error, CancelledError) else "failed"
        first = None if self._first is None else (self._first - self._began) * 1000
        return QueryRecord(
            session=self.asker.session,
            user=self.asker.user,
            address=self.asker.address,
            application=self.asker.settings.get("application_name", ""),
            database=self.asker.database,
            statement=self.statement[:_LONGEST],
            state=state,
            sqlstate="" if error is None else error.sqlstate,
            message="" if error is None else error.message,
            started_at=self.started_at,
            waited_ms=self.cancellation.waited * 1000,
            first_row_ms=first,
            total_ms=(time.monotonic() - self._began) * 1000,
            rows=self.rows,
        )


class QueryLog:
    """Guards the statements of one server: those that run, and those that are yet to be written.

    Args:
        home: whose catalog keeps them.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._lock = threading.Condition()
        self._running: list[Entry] = []
        self._ended: list[QueryRecord] = []
        self._writer: threading.Thread | None = None
        self._closed = False
        _logs[home] = self

    def planned(self, asker: Asker, statement: str, plan: Callable[[], Query]) -> Query:
        """Plan a question so that it notes each of its runs; one that cannot be answered is noted at once."""
        try:
            return LoggedQuery(plan(), self, asker, statement)
        except WaylineError:
            with suppress(WaylineError), self.running(asker, statement, Cancellation()):
                raise
            raise

    @contextmanager
    def running(self, asker: Asker, statement: str, cancellation: Cancellation) -> Iterator[Entry]:
        """Note a statement that runs while the block does, and how it ends."""
        entry, problem = Entry(asker, statement, cancellation), None
        with self._lock:
            self._running.append(entry)
        try:
            yield entry
        except Exception as error:
            problem = to_wayline_error(error)
            raise
        finally:
            self._end(entry, problem)

    def _end(self, entry: Entry, problem: WaylineError | None) -> None:
        with self._lock:
            self._running.remove(entry)
            if self._closed or len(self._ended) >= _WAITING:
                return
            self._ended.append(entry.record(problem))
            if self._writer is None:
                self._writer = threading.Thread(target=self._write_on, name="query-log", daemon=True)
                self._writer.start()

    def present(self) -> list[QueryRecord]:
        """Return the statements that run, and those that are not written yet."""
        with self._lock:
            return [*self._ended, *(entry.record(state="running") for entry in self._running)]

    def close(self) -> None:
        """Write what is left; what ends later is not kept."""
        with self._lock:
            self._closed = True
            writer = self._writer
            self._lock.notify_all()
        if writer is not None:
            writer.join()

    def _write_on(self) -> None:
        closed = False
        while not closed:
            with self._lock:
                closed = self._closed or self._lock.wait_for(lambda: self._closed, _PAUSE)
                ended = list(self._ended)
            if ended and self._written(ended):
                with self._lock:
                    del self._ended[: len(ended)]

    def _written(self, ended: list[QueryRecord]) -> bool:
        try:
            queries.add(self._home.catalog, ended, datetime.now(UTC))
        except SQLAlchemyError:  # the catalog cannot be written now; they wait
            return False
        return True


@dataclass(frozen=True)
class LoggedQuery:
    """A planned question whose runs are noted."""

    query: Query
    log: QueryLog
    asker: Asker
    statement: str

    @property
    def columns(self) -> tuple[ResultColumn, ...]:
        """The answer's columns."""
        return self.query.columns

    @property
    def parameters(self) -> tuple[pa.DataType, ...]:
        """Types of the parameters, in their order."""
        return self.query.parameters

    def run(self, values: Sequence[object], cancellation: Cancellation) -> pa.RecordBatchReader:
        """Run it; the run ends when its last row was read, or nobody reads any more."""
        with ExitStack() as stack:
            entry = stack.enter_context(self.log.running(self.asker, self.statement, cancellation))
            reader = self.query.run(values, cancellation)
            stack.callback(reader.close)
            rest = stack.pop_all()
        return pa.RecordBatchReader.from_batches(reader.schema, _counted(reader, entry, rest))


def _counted(reader: pa.RecordBatchReader, entry: Entry, rest: ExitStack) -> Iterator[pa.RecordBatch]:
    with rest:
        for batch in reader:
            entry.gave(batch.num_rows)
            yield batch


_logs: Final[WeakKeyDictionary[Home, QueryLog]] = WeakKeyDictionary()


def query_rows(home: Home) -> pa.Table:
    """Return all statements that are remembered, and those of a server in this process (``QUERIES``)."""
    log = _logs.get(home)
    found = queries.listed(home.catalog, () if log is None else log.present())
    return pa.Table.from_pylist([vars(record) for record in found], QUERIES)
