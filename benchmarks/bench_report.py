"""The report: revenue, orders and session starts by channel, last touch, 30-day lookback, 30-minute sessions.

P1 compares with the plainest GROUP BY of the same columns, P2 with the best SQL for the same answer, and P3
linear attribution with last touch. All measurements take turns, so that a busy spell hits every side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa
import pytest
from sqlglot import exp

from benchmarks.answers import Answer, Row, checksums
from benchmarks.home import CONNECTION, VIEW, bench_home
from benchmarks.pairs import Pair, Sense, compared
from benchmarks.peer_tables import ClickHouse, duckdb_tables, peer_rows, peer_sql
from engine.cancellation import Cancellation
from engine.journeys.scan import scan
from engine.report import run
from engine.report.request import Aggregate, DimensionColumn, MetricColumn, ReportRequest, TimeRange
from engine.world import Home, World
from wayline.generate import shop

TURNS: Final = 5
RUNS_PER_TURN: Final = 3
MEASURES: Final = ("revenue", "orders", "session_starts")
LAST_WEEK: Final = TimeRange(shop.START + (shop.DAYS - 7) * shop.DAY, shop.START + shop.DAYS * shop.DAY)

PAIRS: Final = {
    "P1": Pair("report ÷ plain GROUP BY", "ours.last", ("floor",), 2.0, Sense.COST, ""),
    "P1.last7": Pair("the last 7 of 90 days", "ours.last7", ("floor.last7",), 2.0, Sense.COST, ""),
    "P2.duckdb": Pair(
        "best SQL in DuckDB ÷ report",
        "ours.last",
        ("duckdb.asof", "duckdb.filtered"),
        15.0,
        Sense.GAIN,
        "channel",
    ),
    "P2.duckdb.windows": Pair(
        "plain windows, rows in order of time", "ours.last", ("duckdb.windows",), 25.0, Sense.GAIN, "channel"
    ),
    "P2.chdb": Pair("best SQL in ClickHouse ÷ report", "ours.last", ("chdb",), 15.0, Sense.GAIN, "channel"),
    "P3.linear": Pair("linear ÷ last touch", "ours.linear", ("ours.last",), 3.0, Sense.COST, ""),
    "P3.linear.day": Pair(
        "linear ÷ last touch, by day", "ours.linear.day", ("ours.last.day",), 3.0, Sense.COST, "day"
    ),
}


@dataclass(frozen=True)
class Stage:
    """Everything that takes part."""

    home: Home
    world: World
    database: duckdb.DuckDBPyConnection
    clickhouse: ClickHouse


@dataclass(frozen=True)
class Measurement:
    """One thing to time: makes rows from the stage; keys name the leading columns."""

    keys: tuple[str, ...]
    answer: Callable[[Stage], list[Row]]


def _request(keys: tuple[str, ...], suffix: str, span: TimeRange) -> ReportRequest:
    """Return the report by channel, or by channel and day, with the metrics of one attribution model."""
    components = {"channel": "channel", "day": "daterangeday"}
    return ReportRequest(
        view=VIEW,
        dimensions=tuple(DimensionColumn(key, exp.column(components[key], quoted=True)) for key in keys),
        metrics=tuple(
            MetricColumn(name, Aggregate.VALUE, exp.column(name + suffix, quoted=True)) for name in MEASURES
        ),
        range=span,
    )


def _ours(request: ReportRequest, stage: Stage) -> list[Row]:
    table: pa.Table = run(request, stage.home, stage.world, Cancellation())
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def _duckdb(sql: str, stage: Stage) -> list[Row]:
    return stage.database.execute(sql).fetchall()


def _clickhouse(sql: str, stage: Stage) -> list[Row]:
    return stage.clickhouse.query(sql)


def _our(suffix: str = "", *keys: str, span: TimeRange = TimeRange()) -> Measurement:  # noqa: B008 - frozen
    keys = keys or ("channel",)
    return Measurement(keys, partial(_ours, _request(keys, suffix, span)))


def _peer(ask: Callable[[str, Stage], list[Row]], name: str, **parameters: Any) -> Measurement:
    return Measurement(("channel",), partial(ask, peer_sql(name, parameters)))


MEASUREMENTS: Final = {
    "ours.last": _our(),
    "floor": _peer(_duckdb, "floor"),
    "ours.linear": _our("_linear"),
    "duckdb.asof": _peer(_duckdb, "duckdb_asof"),
    "duckdb.filtered": _peer(_duckdb, "duckdb_filtered"),
    "ours.last7": _our(span=LAST_WEEK),
    "floor.last7": _peer(_duckdb, "floor_range", start=LAST_WEEK.start, end=LAST_WEEK.end),
    "duckdb.windows": _peer(_duckdb, "duckdb_windows"),
    "ours.last.day": _our("", "channel", "day"),
    "ours.linear.day": _our("_linear", "channel", "day"),
    "chdb": _peer(_clickhouse, "chdb"),
}


@pytest.fixture(scope="module")
def stage(events: int, seed: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Build or open the home and load the peers from its journeys."""
    home = bench_home(events, seed)
    world = home.current()
    chunks = scan(home, CONNECTION, world.journeys[CONNECTION], ["channel", "revenue", "orders"])
    database = duckdb_tables(peer_rows(chunks))
    folder: Path = tmp_path_factory.mktemp("peers")
    clickhouse = ClickHouse(database, folder)
    yield Stage(home, world, database, clickhouse)
    clickhouse.close()
    database.close()
    home.close()


@pytest.mark.parametrize(("turn", "name"), [(turn, name) for turn in range(TURNS) for name in MEASUREMENTS])
def test_report(benchmark: Any, stage: Stage, turn: int, name: str) -> None:
    """Time one measurement in one turn, warm."""
    measurement = MEASUREMENTS[name]
    rows = benchmark.pedantic(
        measurement.answer, args=(stage,), warmup_rounds=1, rounds=RUNS_PER_TURN, iterations=1
    )
    benchmark.extra_info["measurement"] = name
    benchmark.extra_info["checksums"] = checksums(Answer(measurement.keys, rows), compared(PAIRS, name))
