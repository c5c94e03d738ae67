"""How much memory a report needs in a process of its own.

``python -m benchmarks.memory HOME`` asks the report once and prints as JSON: bytes of the idle process, bytes
at the peak, seconds, and the answer's rows.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.answers import Row
from benchmarks.home import CONNECTION
from benchmarks.reports import COLUMNS, answer, request
from engine.journeys.scan import scan
from engine.report.request import TimeRange
from engine.world import Home

_LIMIT: Final = "WAYLINE_MEMORY_LIMIT"
_NOTHING: Final = TimeRange(0, 1)
"""A range that no event is in: asking about it loads all code, and no data."""


@dataclass(frozen=True)
class Needed:
    """What a report needed in a fresh process.

    Attributes:
        idle: resident bytes before the report, all code loaded.
        peak: the most resident bytes while it ran.
        seconds: how long it ran.
        rows: its answer.
    """

    idle: int
    peak: int
    seconds: float
    rows: list[Row]


def report_alone(home: Path, limit: int | None = None) -> Needed:
    """Ask the report in a fresh process, if need be with a memory limit in bytes."""
    environment: Mapping[str, str] = os.environ if limit is None else {**os.environ, _LIMIT: str(limit)}
    command = [sys.executable, "-m", "benchmarks.memory", str(home)]
    done = subprocess.run(command, stdout=subprocess.PIPE, env=environment, check=True)
    found = json.loads(done.stdout)
    return Needed(found["idle"], found["peak"], found["seconds"], [tuple(row) for row in found["rows"]])


def decoded_bytes(home: Home) -> int:
    """Return the Arrow bytes of all that the report reads: its columns, times, and where persons begin."""
    chunks = scan(home, CONNECTION, home.current().journeys[CONNECTION], COLUMNS)
    return sum(
        chunk.times.nbytes + chunk.offsets.nbytes + sum(chunk.columns[name].nbytes for name in COLUMNS)
        for chunk in chunks
    )


def main() -> None:
    """Ask about nothing, then the report, and print what it took."""
    home = Home.open(Path(sys.argv[1]))
    answer(request(span=_NOTHING), home)
    idle = resident()
    started = time.perf_counter()
    rows = answer(request(), home)
    seconds = time.perf_counter() - started
    print(json.dumps({"idle": idle, "peak": peak(), "seconds": seconds, "rows": rows}))


def resident(process: int | None = None) -> int:
    """Return the bytes that are resident now; from now on the peak counts anew, where that can be told.

    Args:
        process: number of another process, of which only Linux can tell; None is this one.
    """
    folder = _folder(process)
    if not folder.exists():
        return peak()
    (folder / "clear_refs").write_text("5", encoding="ascii")
    return _status(folder, "VmRSS")


def peak(process: int | None = None) -> int:
    """Return the most bytes that were resident since ``resident`` was asked."""
    folder = _folder(process)
    if folder.exists():
        return _status(folder, "VmHWM")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _folder(process: int | None) -> Path:
    return Path("/proc") / ("self" if process is None else str(process))


def _status(folder: Path, name: str) -> int:
    """Return a line of a process's status in bytes."""
    lines = (folder / "status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


if __name__ == "__main__":
    main()
