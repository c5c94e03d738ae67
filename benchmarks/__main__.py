"""``python -m benchmarks [NAME …]``: run benchmarks beside their peers and show which targets were met."""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import machine
from benchmarks.pairs import Result, chosen, measured, results
from benchmarks.table import print_table

_FOLDER = Path(__file__).resolve().parent


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the named benchmarks, or all; return 1 if one failed or two sides disagree."""
    parser = _parser()
    options = parser.parse_args(arguments)
    for name in set(options.names) - set(known()):
        parser.error(f"there is no benchmark {name!r}; there are: {', '.join(known())}")
    outcome = 0
    for name in options.names or known():
        found = run(name, options.events, options.seed, options.turns, options.targets)
        if options.json:
            print(json.dumps(document(name, options.events, found), ensure_ascii=False))
        else:
            print_table(name, options.events, found)
        outcome |= _complain(name, found)
    return outcome


def known() -> list[str]:
    """Return the names of all benchmarks."""
    return sorted(path.stem.removeprefix("bench_") for path in _FOLDER.glob("bench_*.py"))


def run(
    name: str, events: int, seed: int, turns: int | None = None, targets: Sequence[str] = ()
) -> dict[str, Result]:
    """Run one benchmark module in a process of its own and return its results, of all targets or these.

    Raises:
        SystemExit: the module failed; its output has been shown.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        module = _FOLDER / f"bench_{name}.py"
        command = [sys.executable, "-m", "pytest", str(module), "-q", "--no-header", "-p", "no:cacheprovider"]
        command += [f"--events={events}", f"--seed={seed}", f"--benchmark-json={report}"]
        command += [f"--turns={turns}"] if turns else []
        command += ["--targets", *targets] if targets else []
        command += ["--benchmark-columns=median,iqr,rounds", "--benchmark-disable-gc"]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=_FOLDER.parent)
        if done.returncode:
            sys.stderr.buffer.write(done.stdout)
            raise SystemExit(f"benchmark {name} failed")
        taken = measured(json.loads(report.read_text(encoding="utf-8")))
    return results(chosen(importlib.import_module(f"benchmarks.bench_{name}").PAIRS, targets), taken)


def document(name: str, events: int, found: Mapping[str, Result]) -> dict[str, Any]:
    """Return what machines read; the keys are fixed."""
    return {
        "benchmark": name,
        "events": events,
        "machine": machine(),
        "results": {key: result.document() for key, result in found.items()},
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"which ones; all if left out: {', '.join(known())}"
    )
    parser.add_argument("--events", type=int, default=2_000_000, help="generated web events (2,000,000)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the generated events (1)")
    parser.add_argument("--turns", type=int, help="how often every measurement takes its turn (as it needs)")
    parser.add_argument(
        "--targets", nargs="+", default=(), metavar="ID", help="only these; P3 means all of P3.… (all)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, one line per benchmark")
    return parser


def _complain(name: str, found: Mapping[str, Result]) -> int:
    """Say on stderr where two sides disagree; return 1 if any do."""
    wrong = [key for key, result in found.items() if not result.agrees]
    for key in wrong:
        print(f"benchmark {name}: {key}: {found[key].peer} gave another answer than we did", file=sys.stderr)
    return int(bool(wrong))


if __name__ == "__main__":
    raise SystemExit(main())
