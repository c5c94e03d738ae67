"""The way of rows and answers to the client: ours and PostgreSQL 15, each a process of its own, without TLS.

P10 compares a million rows of six columns as text and binary, with and without NULLs, until the client has
them all. P11 asks what dashboards ask, with other literals each time, from ten clients: each once a second,
and in ``busy`` each again as soon as it has its answer. ``select1`` is the smallest question there is.
``first`` is about five times as many rows: when the first ones come through a cursor, and how much memory the
server needs for all of them, read slowly, beside a tenth.
"""

from __future__ import annotations

import socket
import statistics
import struct
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from random import Random
from time import perf_counter
from typing import Any, Final

import psycopg
import pytest

from benchmarks.answers import Answer, checksums
from benchmarks.memory import peak, resident
from benchmarks.pairs import Pair, Sense, Unit, compared
from benchmarks.wire_server import Server, wire_server
from benchmarks.wire_stage import COLUMNS, Stage
from wayline.generate import shop

TURNS: Final = 5
RUNS_PER_TURN: Final = 2
CLIENTS: Final = 10
QUESTIONS_EACH: Final = 5
PATIENCE: Final = 0.1
"""Seconds that half of all dashboard questions may take."""
FIRST: Final = 0.2
"""Seconds until the first rows of a large answer."""
_SMALLEST: Final = 300
_TIMES: Final = 5
_FETCHED: Final = 1000
_DASHBOARD: Final = """SELECT "channel", SUM("revenue_last") AS revenue, SUM("orders_last") AS orders
    FROM bench
    WHERE "timestamp" >= TIMESTAMP '{start}' AND "timestamp" < TIMESTAMP '{end}'
    GROUP BY 1 ORDER BY 2 DESC LIMIT {limit}"""
_RECEIVED: Final = 1 << 18
_PAUSE: Final = 0.005


def _rows(what: str, measurement: str) -> Pair:
    names = (f"ours.{measurement}", (f"postgres.{measurement}",))
    return Pair(f"PostgreSQL ÷ ours, {what}", *names, 1.0, Sense.GAIN, "digest")


def _smallest(what: str, measurement: str) -> Pair:
    names = (f"ours.{measurement}", (f"postgres.{measurement}",))
    return Pair(f"SELECT 1, {what} ÷ PostgreSQL", *names, 5.0, Sense.COST, None)


PAIRS: Final = {
    "P10.text": _rows("rows as text", "text.whole"),
    "P10.text.nulls": _rows("rows as text with NULLs", "text.gaps"),
    "P10.binary": _rows("rows in binary", "binary.whole"),
    "P10.binary.nulls": _rows("rows in binary with NULLs", "binary.gaps"),
    "P11.dashboard": Pair(
        "10 clients, a question a second each: p50 ÷ 0.1 s", "dashboard", ("a moment",), 1.0, Sense.COST, None
    ),
    "P11.dashboard.busy": Pair(
        "10 clients without a pause: p50 ÷ 0.1 s", "dashboard.busy", ("a moment",), 1.0, Sense.COST, None
    ),
    "P11.select1": _smallest("as it comes", "select1"),
    "P11.select1.prepared": _smallest("prepared", "select1.prepared"),
    "first.row": Pair(
        "first rows of a large dataset ÷ 0.2 s", "first.row", ("first",), 1.0, Sense.COST, None
    ),
    "first.row.view": Pair(
        "first rows of a data view ÷ 0.2 s", "first.row.view", ("first",), 1.0, Sense.COST, None
    ),
    "first.memory": Pair(
        "memory for all rows, slowly read ÷ for a tenth",
        "memory.all",
        ("memory.tenth",),
        1.1,
        Sense.COST,
        None,
        Unit.BYTES,
    ),
}


@dataclass(frozen=True)
class Taken:
    """What a turn has come to: the digest of its rows, and what was measured if not the runs' time."""

    digest: str = ""
    values: list[float] | None = None


Measurement = Callable[[Any, Stage], Taken]


def _all_rows(benchmark: Any, stage: Stage, side: str, name: str, binary: bool) -> Taken:
    """Read a table until the client's library has every row."""
    connection: psycopg.Connection = getattr(stage, side)

    def read() -> None:
        with connection.cursor(binary=binary) as cursor:
            cursor.execute(f"SELECT {COLUMNS} FROM {name}")  # type: ignore[call-overload]

    benchmark.pedantic(read, warmup_rounds=1, rounds=RUNS_PER_TURN, iterations=1)
    return Taken(stage.digest(side, name, binary=binary))


def _select_1(benchmark: Any, stage: Stage, side: str, prepared: bool) -> Taken:
    """Ask the smallest question many times: the median."""
    connection: psycopg.Connection = getattr(stage, side)

    def ask() -> float:
        started = perf_counter()
        connection.execute("SELECT 1", prepare=prepared).fetchall()
        return perf_counter() - started

    return Taken(values=[benchmark.pedantic(lambda: statistics.median(ask() for _ in range(_SMALLEST)))])


def _dashboard(benchmark: Any, stage: Stage, pause: float) -> Taken:
    """Let all clients ask at random moments of each pause, or one question after the other: p50."""
    with ExitStack() as stack, ThreadPoolExecutor(CLIENTS) as threads:
        clients = [stack.enter_context(stage.server.connect()) for _ in range(CLIENTS)]
        for client in clients:
            _ask(client, Random(0))

        def all_at_once() -> list[float]:
            asking = partial(_asking, pause=pause)
            return [taken for each in threads.map(asking, clients, range(CLIENTS)) for taken in each]

        return Taken(values=[statistics.median(benchmark.pedantic(all_at_once))])


def _asking(client: psycopg.Connection, seed: int, pause: float) -> list[float]:
    random = Random(f"{seed} {perf_counter()}")
    moments = [pause * (number + random.random()) for number in range(QUESTIONS_EACH)]
    began, taken = perf_counter(), []
    for moment in moments:
        time.sleep(max(0.0, began + moment - perf_counter()))
        started = perf_counter()
        _ask(client, random)
        taken.append(perf_counter() - started)
    return taken


def _ask(client: psycopg.Connection, random: Random) -> None:
    """Ask about a span that was hardly asked about before."""
    start = shop.START + random.randrange(shop.DAYS * shop.DAY // 2)
    end = start + random.randrange(shop.DAY, shop.DAYS * shop.DAY // 2)
    moments = (_literal(start), _literal(end))
    question = _DASHBOARD.format(start=moments[0], end=moments[1], limit=random.randrange(5, 50))
    client.execute(question).fetchall()  # type: ignore[call-overload]


def _literal(micros: int) -> str:
    """Return a moment in microseconds since 1970 as a literal."""
    whole = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(micros // 1_000_000))
    return f"{whole}.{micros % 1_000_000:06d}"


def _first_rows(benchmark: Any, stage: Stage, question: str) -> Taken:
    """Open a cursor and fetch its first rows."""

    def fetch() -> None:
        with stage.ours.transaction(), stage.ours.cursor("first") as cursor:
            cursor.execute(question)  # type: ignore[arg-type]
            assert cursor.fetchmany(_FETCHED)

    benchmark.pedantic(fetch, warmup_rounds=1, rounds=RUNS_PER_TURN, iterations=1)
    return Taken()


def _large(times: float) -> str:
    """Return a question for the rows of a table so many times over."""
    tables = [f"SELECT {COLUMNS} FROM whole"] * max(int(times), 1)
    return " UNION ALL ".join(tables) + ("" if times >= 1 else f' WHERE "kind" < {1000 * times:.0f}')


def _memory(benchmark: Any, stage: Stage, times: float) -> Taken:
    """Read rows slowly from a server that has done nothing before: the most memory it needed."""
    with wire_server(stage.home) as server:
        _drained(server, _large(0.001), 0.0)
        resident(server.process)
        benchmark.pedantic(partial(_drained, server, _large(times), _PAUSE))
        return Taken(values=[float(peak(server.process))])


def _drained(server: Server, question: str, pause: float) -> None:
    """Ask in the simple protocol and let the rows go unread, with a pause after each part."""
    with closing(socket.create_connection(("127.0.0.1", server.port))) as raw:
        for received in _conversation(raw, question):
            if not received:
                raise ConnectionResetError("the server left")
            time.sleep(pause)


def _conversation(raw: socket.socket, question: str) -> Iterator[bytes]:
    startup = struct.pack("!I", 3 << 16) + b"user\0bench\0database\0bench\0\0"
    raw.sendall(struct.pack("!I", len(startup) + 4) + startup)
    for text in ("", question):
        if text:
            body = text.encode() + b"\0"
            raw.sendall(b"Q" + struct.pack("!I", len(body) + 4) + body)
        received = b""
        while received[-6:] != b"Z\0\0\0\5I":
            yield (part := raw.recv(_RECEIVED))
            received = received[-6:] + part


def _constant(benchmark: Any, stage: Stage, seconds: float) -> Taken:
    """Say what is promised in seconds; there is no answer to compare."""
    benchmark.pedantic(lambda: None)
    return Taken(values=[seconds])


MEASUREMENTS: Final[dict[str, Measurement]] = {
    **{
        f"{side}.{form}.{name}": partial(_all_rows, side=side, name=name, binary=form == "binary")
        for form in ("text", "binary")
        for name in ("whole", "gaps")
        for side in ("ours", "postgres")
    },
    **{
        f"{side}.select1{suffix}": partial(_select_1, side=side, prepared=bool(suffix))
        for suffix in ("", ".prepared")
        for side in ("ours", "postgres")
    },
    "dashboard": partial(_dashboard, pause=1.0),
    "dashboard.busy": partial(_dashboard, pause=0.0),
    "first.row": partial(_first_rows, question=_large(_TIMES)),
    "first.row.view": partial(_first_rows, question="SELECT * FROM bench"),
    "memory.all": partial(_memory, times=_TIMES),
    "memory.tenth": partial(_memory, times=_TIMES / 10),
    "a moment": partial(_constant, seconds=PATIENCE),
    "first": partial(_constant, seconds=FIRST),
}


@pytest.fixture(scope="module")
def stage(events: int, seed: int) -> Iterator[Stage]:
    """Give servers as they are needed."""
    with ExitStack() as stack:
        yield Stage(events, seed, stack)


def test_wire(benchmark: Any, stage: Stage, turn: int, name: str) -> None:
    """Take one measurement in one turn."""
    taken = MEASUREMENTS[name](benchmark, stage)
    benchmark.extra_info["measurement"] = name
    benchmark.extra_info["values"] = taken.values
    answered = Answer(("digest",), [(taken.digest, 1)])
    benchmark.extra_info["checksums"] = checksums(answered, compared(PAIRS, name))
