"""``python -m benchmarks.chart``: the report's time against the number of events, as picture and as numbers.

Writes ``report-time.svg`` and ``report-time.json`` into ``docs/``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.answers import Answer, checksum
from benchmarks.asks import Ask, duckdb, ours
from benchmarks.drawing import Line, chart_svg
from benchmarks.kept import ROOT
from benchmarks.machine import confine, machine
from benchmarks.questions import Question
from benchmarks.report_stage import Stage, report_stage

NAME: Final = "report-time"
_TITLE: Final = "Revenue, orders and session starts by channel"
_MILLION: Final = 1_000_000
_RUNS: Final = 7

LINES: Final[Mapping[str, Ask]] = {
    "wayline, last touch": ours(Question("last")),
    "wayline, linear": ours(Question("linear")),
    "wayline, time decay": ours(Question("time_decay")),
    "DuckDB, plain GROUP BY": duckdb("floor"),
    "DuckDB, last touch, windows": duckdb("duckdb_windows"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure at every size, draw and write."""
    options = _parser().parse_args(arguments)
    confine()
    sizes = sorted(round(millions * _MILLION) for millions in options.millions)
    found = {size: measured_at(size, options.seed, options.runs) for size in sizes}
    lines = [Line(name, {size: seconds[name] for size, seconds in found.items()}) for name in LINES]
    numbers = {"machine": machine(), "seconds": {line.label: line.points for line in lines}}
    write(options.folder, chart_svg(_TITLE, lines), numbers)
    return 0


def measured_at(events: int, seed: int, runs: int) -> dict[str, float]:
    """Return the median seconds of every line at one size; all take turns, after a turn that does not count.

    Raises:
        ValueError: one of them has another grand total.
    """
    with tempfile.TemporaryDirectory() as folder, report_stage(events, seed, Path(folder)) as stage:
        if len({checksum(Answer(("channel",), ask(stage)), ()) for ask in LINES.values()}) > 1:
            raise ValueError(f"the answers differ at {events} events")
        turns = [{name: _seconds(ask, stage) for name, ask in LINES.items()} for _ in range(runs)]
    return {name: statistics.median(turn[name] for turn in turns) for name in LINES}


def write(folder: Path, picture: str, numbers: Mapping[str, Any]) -> None:
    """Write the picture and the numbers."""
    (folder / f"{NAME}.svg").write_text(picture, encoding="utf-8")
    text = json.dumps(numbers, indent=2, ensure_ascii=False)
    (folder / f"{NAME}.json").write_text(text + "\n", encoding="utf-8")


def _seconds(ask: Ask, stage: Stage) -> float:
    started = time.perf_counter()
    ask(stage)
    return time.perf_counter() - started


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chart", description=__doc__)
    parser.add_argument(
        "--millions", type=float, nargs="+", default=[1, 2, 5, 10, 20], help="of events (1 2 5 10 20)"
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of the generated events (1)")
    parser.add_argument("--runs", type=int, default=_RUNS, help=f"of which the median counts ({_RUNS})")
    parser.add_argument("--folder", type=Path, default=ROOT / "docs", help="where to write (docs/)")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
