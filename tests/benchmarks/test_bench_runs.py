"""Every benchmark runs through at a small size, and all sides agree; what it takes is not looked at."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from benchmarks import bench_append, bench_graph, bench_replay, bench_report, bench_wire
from benchmarks import kept as keeping
from benchmarks.__main__ import document
from benchmarks.answers import Answer, checksum
from benchmarks.home import CONNECTION, Stitching
from benchmarks.journeys import peer_rows
from benchmarks.models import SETTINGS
from benchmarks.pairs import Pair, measured, results
from benchmarks.peer_tables import duckdb_tables
from benchmarks.questions import CHDB, DUCKDB, PERIODS, asked_of_peers
from benchmarks.reports import COLUMNS, answer, request
from benchmarks.skewed import skewed_home
from engine.journeys.scan import scan
from engine.world import Home
from tests.faults.victims import FIRST_SEED

ROOT = Path(__file__).resolve().parent.parent.parent
EVENTS = 6_000
KEYS = ["ratio", "target", "ours_s", "peer_s", "unit", "peer", "ours_checksum", "peer_checksum"]


def _some_replays() -> dict[str, Pair]:
    """Return the replays of one way to stitch, or all; other seeds take others."""
    stitching = list(Stitching)[FIRST_SEED % len(Stitching)]
    if stitching is Stitching.FIELD:  # its names stand for all of them
        return bench_replay.PAIRS
    return {name: bench_replay.PAIRS[name] for name in map(stitching.names, ("P5", "P6"))}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kept")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "pairs"),
    [
        pytest.param("replay", _some_replays(), id="replay"),
        pytest.param("append", bench_append.PAIRS, id="append"),
        pytest.param(
            "report",
            {key: pair for key, pair in bench_report.PAIRS.items() if CHDB not in pair.peers[0]},
            id="report",
        ),
        pytest.param(
            "graph",
            {key: pair for key, pair in bench_graph.PAIRS.items() if not key.startswith("scipy.")},
            id="graph",
        ),
        pytest.param("wire", bench_wire.PAIRS, id="wire", marks=pytest.mark.clients),
    ],
)
def test_all_sides_agree(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, pairs: dict[str, Pair]
) -> None:
    monkeypatch.setenv("WAYLINE_BENCH_DATA", str(kept))
    found = results(pairs, measured(_run(module, tmp_path, "--targets", *pairs)))
    assert {key: result.agrees for key, result in found.items()} == dict.fromkeys(pairs, True)
    shown = document(module, EVENTS, found)["results"]
    assert all(list(result) == KEYS for result in shown.values())


def test_the_promised_targets_are_measured() -> None:
    assert set(bench_replay.PAIRS) == {"P5", "P6", "P5.rules", "P6.rules", "P5.graph", "P6.graph"}
    assert list(bench_append.PAIRS) == ["P7", "P7.report"]
    assert {"P1", "P1.last7", "P1.runs", "P12", "P12.limit", "P13", "P14"} <= set(bench_report.PAIRS)
    assert {f"P10.{form}" for form in ("text", "text.nulls", "binary", "binary.nulls")} <= set(
        bench_wire.PAIRS
    )
    assert {"P11.dashboard", "P11.select1", "first.row", "first.memory"} <= set(bench_wire.PAIRS)
    questions = {".".join(filter(None, (model, period))) for model in SETTINGS for period in PERIODS}
    assert {f"P4.{question}" for question in questions} <= set(bench_report.PAIRS)
    assert {f"P3.{question}" for question in questions if not question.startswith("last")} <= set(
        bench_report.PAIRS
    )


def test_answers_about_one_busy_person_are_right(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "_KEPT", kept)
    home = Home.open(skewed_home(EVENTS, 1))
    chunks = scan(home, CONNECTION, home.current().journeys[CONNECTION], COLUMNS)
    with closing(home), duckdb_tables(peer_rows(chunks)) as database:
        for question, formulation in asked_of_peers():
            if formulation.engine == DUCKDB:
                ours = Answer(question.keys, answer(request(question), home))
                theirs = Answer(question.keys, database.execute(formulation.sql(question)).fetchall())
                assert checksum(ours, question.keys) == checksum(theirs, question.keys), formulation


def test_only_what_a_target_needs_is_measured(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAYLINE_BENCH_DATA", str(kept))
    taken = measured(_run("report", tmp_path, "--targets", "P1.last7"))
    assert set(taken) == {"ours.last7", "floor.last7"}


def _run(module: str, folder: Path, *options: str) -> Any:
    """Run a benchmark's module once; chdb and SciPy are libraries that tests do without."""
    report = folder / "report.json"
    command = [
        sys.executable,
        "-m",
        "pytest",
        f"benchmarks/bench_{module}.py",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
    ]
    command += [
        f"--events={EVENTS}",
        "--turns=1",
        "-k",
        "not chdb and not scipy",
        f"--benchmark-json={report}",
        *options,
    ]
    # As it runs by hand: benchmarks measure nothing inside a parallel test run.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(report.read_text(encoding="utf-8"))
