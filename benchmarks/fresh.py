"""The first report of a fresh process: how long until there is an answer, compiled code being on disk.

``python -m benchmarks.fresh HOME`` opens the home, asks the report once, and prints as JSON the seconds that
this took and the answer's rows.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.answers import Row
from benchmarks.reports import answer, request
from engine.world import Home


@dataclass(frozen=True)
class First:
    """A first answer.

    Attributes:
        seconds: from opening the home to the answer, once Python has loaded the product.
        process: from starting the process to its end.
        rows: the answer.
    """

    seconds: float
    process: float
    rows: list[Row]


def first_answer(home: Path) -> First:
    """Ask the report in a fresh process."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "benchmarks.fresh", str(home)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    process = time.perf_counter() - started
    found = json.loads(done.stdout)
    return First(found["seconds"], process, [tuple(row) for row in found["rows"]])


def main() -> None:
    """Ask once and print."""
    started = time.perf_counter()
    home = Home.open(Path(sys.argv[1]))
    rows = answer(request(), home)
    print(json.dumps({"seconds": time.perf_counter() - started, "rows": rows}))


if __name__ == "__main__":
    main()
