"""The identity graph from pairs of identities, lookups in it, and live stitching; ``--events`` of each.

SciPy and DuckDB find connected components: what the graph would be if nothing kept persons apart. DuckDB gets
two formulations, of which the faster counts. SciPy is given each identity as one text, and names nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import polars as pl
import pytest

from benchmarks import graph_stage as ways
from benchmarks.answers import Answer, Row, checksums
from benchmarks.graph_stage import Stage
from benchmarks.pairs import Pair, Sense, Unit, compared

TURNS: Final = 3
RUNS_PER_TURN: Final = 2
SCIPY: Final = "scipy"

PAIRS: Final = {
    "scipy.graph": Pair(
        "graphs of pairs of texts, named ÷ numbering the texts and SciPy's components",
        "graph",
        (SCIPY,),
        2.0,
        Sense.COST,
        "size",
    ),
    "graph.duckdb": Pair(
        "DuckDB's components by rounds or by recursion ÷ graphs",
        "graph",
        ("duckdb.steps", "duckdb.recursive"),
        2.0,
        Sense.GAIN,
        "size",
    ),
    "graph.apart": Pair(
        "graphs that keep persons apart ÷ that do not", "graph.apart", ("graph",), 2.0, Sense.COST, None
    ),
    "graph.memory": Pair(
        "memory of that beyond the pairs ÷ bytes of the pairs",
        "memory",
        ("given",),
        6.0,
        Sense.COST,
        None,
        Unit.BYTES,
    ),
    "scipy.memory": Pair(
        "memory of that ÷ SciPy's", "memory", ("memory.scipy",), 2.0, Sense.COST, None, Unit.BYTES
    ),
    "lookup": Pair(
        "DuckDB's joins ÷ persons of devices from graphs",
        "lookup",
        ("duckdb.lookup",),
        1.0,
        Sense.GAIN,
        "what",
    ),
    "live": Pair(
        "DuckDB's window ÷ live stitching of a batch", "live", ("duckdb.live",), 2.0, Sense.GAIN, "what"
    ),
    "live.rate": Pair(
        "live stitching ÷ 1 s for every million events",
        "live",
        ("a million a second",),
        1.0,
        Sense.COST,
        None,
    ),
}


@dataclass(frozen=True)
class Measurement:
    """One thing to measure.

    Attributes:
        keys: name the answer's leading columns.
        run: what is timed.
        outcome: turns what it came to into an answer.
        values: what was measured, if that is not the time.
        ready: makes what the run is given.
    """

    keys: tuple[str, ...]
    run: Callable[[Stage], Any]
    outcome: Callable[[Any, Stage], list[Row]]
    values: Callable[[Stage], list[float]] | None = None
    ready: Callable[[Stage], object] = lambda stage: stage.links


def _graphs(run: Callable[[Stage], Any]) -> Measurement:
    return Measurement(("size",), run, lambda found, _: ways.sizes(found.nodes["graph"]))


def _components(run: Callable[[Stage], Any]) -> Measurement:
    return Measurement(
        ("size",),
        run,
        lambda _, stage: ways.sizes(_column(stage, "SELECT component FROM components")),
        ready=lambda stage: stage.database,
    )


def _column(stage: Stage, question: str) -> pl.Series:
    return pl.Series([value for (value,) in stage.run(question)], dtype=pl.String)


def _bytes(values: Callable[[Stage], list[float]]) -> Measurement:
    return Measurement(("size",), lambda _: None, lambda *_: [], values)


MEASUREMENTS: Final = {
    "graph": _graphs(ways.together),
    "graph.apart": _graphs(ways.apart),
    SCIPY: Measurement(
        ("size",), ways.scipy, lambda found, _: ways.sizes(pl.Series(found)), ready=lambda stage: stage.texts
    ),
    "duckdb.steps": _components(ways.steps),
    "duckdb.recursive": _components(ways.recursive),
    "memory": _bytes(lambda stage: [ways.memory_of("apart", stage)]),
    "memory.scipy": _bytes(lambda stage: [ways.memory_of(SCIPY, stage)]),
    "given": _bytes(lambda stage: [stage.links.estimated_size()]),
    "lookup": Measurement(
        ("what",),
        ways.looked_up,
        lambda found, _: ways.persons(found),
        ready=lambda stage: (stage.resolved, stage.asked),
    ),
    "duckdb.lookup": Measurement(
        ("what",),
        ways.looked_up_sql,
        lambda _, stage: ways.persons(_column(stage, "SELECT person FROM answers")),
        ready=lambda stage: stage.load(nodes=stage.resolved.nodes, asked=stage.asked),
    ),
    "live": Measurement(
        ("what",), ways.live, lambda found, _: ways.persons(found["person"]), ready=lambda stage: stage.events
    ),
    "duckdb.live": Measurement(
        ("what",),
        ways.live_sql,
        lambda _, stage: ways.persons(_column(stage, "SELECT person FROM stitched")),
        ready=lambda stage: stage.load(events=stage.events),
    ),
    "a million a second": Measurement(
        ("what",), lambda _: None, lambda *_: [], lambda stage: [stage.count / 1_000_000]
    ),
}


@pytest.fixture(scope="module")
def stage(events: int, seed: int) -> Iterator[Stage]:
    """Give the pairs and events."""
    found = Stage(events, seed)
    yield found
    found.database.close()


def test_graph(benchmark: Any, stage: Stage, turn: int, name: str) -> None:
    """Take one measurement in one turn; every run must come to the same."""
    measurement = MEASUREMENTS[name]
    measurement.ready(stage)
    found = benchmark.pedantic(
        measurement.run, args=(stage,), warmup_rounds=1, rounds=RUNS_PER_TURN, iterations=1
    )
    benchmark.extra_info["measurement"] = name
    benchmark.extra_info["values"] = None if measurement.values is None else measurement.values(stage)
    answered = Answer(measurement.keys, measurement.outcome(found, stage))
    benchmark.extra_info["checksums"] = checksums(answered, compared(PAIRS, name))
