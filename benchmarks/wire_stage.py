"""Everything that takes part in the wire's benchmark: a million rows in our home and in PostgreSQL 15.

``whole`` has no NULLs, ``gaps`` has them in a third of each column. Both have columns of the common types.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Final, LiteralString

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from benchmarks.home import bench_home, definitions
from benchmarks.kept import copy_home, kept, scratch
from benchmarks.wire_server import Server, wire_server
from engine import flow
from engine.definitions.model import Definitions
from tests.postgres import running_postgresql

TABLES: Final = ("whole", "gaps")
COLUMNS: Final = '"id", "kind", "amount", "channel", "at", "day"'
_FIELDS: Final = {
    "seen": "timestamp",
    "id": "long",
    "kind": "integer",
    "amount": "double",
    "channel": "string",
    "at": "timestamp",
    "day": "date",
}
_COLUMN_TYPES: Final[LiteralString] = (
    "seen timestamptz, id int8, kind int4, amount float8, channel text, at timestamptz, day date"
)
_GAPS: Final = 1 / 3
_MICROS: Final = 1_700_000_000_000_000
_YEAR: Final = 365 * 86_400_000_000


class Stage:
    """Everything that takes part; each server starts when it is first asked for.

    Args:
        events: rows of the bench home's data view; half as many has each of the tables.
        seed: of whatever is generated.
        stack: ends the servers.
    """

    def __init__(self, events: int, seed: int, stack: ExitStack) -> None:
        self.rows = max(events // 2, 1)
        self._events, self._seed, self._stack = events, seed, stack
        self._digests: dict[tuple[str, str, bool], str] = {}

    @cached_property
    def home(self) -> Path:
        """The bench home with the tables as datasets."""
        return wire_home(self._events, self._seed)

    @cached_property
    def server(self) -> Server:
        """Ours."""
        return self._stack.enter_context(wire_server(self.home))

    @cached_property
    def ours(self) -> psycopg.Connection:
        """A connection to ours."""
        return self._stack.enter_context(self.server.connect())

    @cached_property
    def postgres(self) -> psycopg.Connection:
        """A connection to PostgreSQL with both tables, vacuumed and frozen."""
        server = self._stack.enter_context(running_postgresql("shared_buffers=512MB", "timezone=UTC"))
        connection: psycopg.Connection = self._stack.enter_context(server.connect())
        for name in TABLES:
            _load(connection, name, table(name, self.rows, self._seed))
        return connection

    def digest(self, side: str, name: str, *, binary: bool) -> str:
        """Return a checksum of what a client reads from one side; the order of rows does not count."""
        key = (side, name, binary)
        if key not in self._digests:
            connection: psycopg.Connection = getattr(self, side)
            with connection.cursor(binary=binary) as cursor:
                cursor.execute(f"SELECT {COLUMNS} FROM {name}")  # type: ignore[call-overload]
                lines = sorted(map(repr, cursor.fetchall()))
            self._digests[key] = hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
        return self._digests[key]


def wire_home(events: int, seed: int) -> Path:
    """Return the bench home with both tables taken in as datasets; build it if there is none yet."""

    def build(folder: Path) -> None:
        with scratch() as room:
            home = copy_home(bench_home(events, seed), room)
            flow.apply(home, _with_tables(definitions()))
            for name in TABLES:
                file = room / f"{name}.parquet"
                pq.write_table(table(name, max(events // 2, 1), seed), file)
                flow.ingest(home, name, [file])
            home.close()
            home.root.rename(folder)

    return kept(f"wire-{events}-{seed}", build)


def _with_tables(base: Definitions) -> Definitions:
    document = base.model_dump(mode="json", exclude_defaults=True, by_alias=True)
    for name in TABLES:
        document["datasets"][name] = {"timestamp": "seen", "fields": _FIELDS}
    return Definitions.model_validate(document)


def table(name: str, rows: int, seed: int) -> pa.Table:
    """Return the rows of a table, the same each time."""
    random = np.random.default_rng(seed)
    made = {
        "id": random.integers(0, 10**9, rows),
        "kind": random.integers(0, 1000, rows).astype(np.int32),
        "amount": np.round(random.normal(100, 40, rows), 2),
        "channel": np.array([f"channel {number}" for number in range(200)])[random.integers(0, 200, rows)],
        "at": _MICROS + random.integers(0, _YEAR, rows),
        "day": random.integers(18_000, 20_000, rows).astype(np.int32),
    }
    columns = {field: pa.array(values, mask=_mask(name, random, rows)) for field, values in made.items()}
    columns["at"] = columns["at"].cast(pa.timestamp("us", "UTC"))
    columns["day"] = columns["day"].cast(pa.date32())
    seen = pa.array(np.arange(rows) * 1_000_000 + _MICROS).cast(pa.timestamp("us", "UTC"))
    return pa.table({"seen": seen, **columns})


def _mask(name: str, random: np.random.Generator, rows: int) -> np.ndarray | None:
    return random.random(rows) < _GAPS if name == "gaps" else None


def _load(connection: psycopg.Connection, name: str, rows: pa.Table) -> None:
    connection.execute(f"CREATE TABLE {name} ({_COLUMN_TYPES})")  # type: ignore[call-overload]
    with connection.cursor().copy(f"COPY {name} FROM STDIN (FORMAT csv)") as copy:  # type: ignore[call-overload]
        for part in _csv(rows):
            copy.write(part)
    connection.execute(f"VACUUM (FREEZE, ANALYZE) {name}")  # type: ignore[call-overload]


def _csv(rows: pa.Table) -> Iterator[bytes]:
    for batch in rows.to_batches(max_chunksize=100_000):
        sink = pa.BufferOutputStream()
        pc.write_csv(pa.table(batch), sink, pc.WriteOptions(include_header=False))
        yield sink.getvalue().to_pybytes()
