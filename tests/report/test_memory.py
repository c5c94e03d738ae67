"""The memory limit: how it is written, what follows from it, and that a report on twice as much ends near it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import pytest

from engine import flow, memory
from engine.definitions.model import Definitions
from engine.errors import InputError
from engine.recovery import recover
from engine.upkeep import keep_up
from engine.world import Home
from tests.journeys.support import commit_batch

LIMIT = 500_000_000
ROWS, BATCHES, WIDTH = 25_000, 4, 10_000
"""Together twice the limit, in texts of which no two are equal."""

REPORT = """
import json
from sqlglot import exp
from engine.cancellation import Cancellation
from engine.report import run
from engine.report.request import Aggregate, DimensionColumn, MetricColumn, ReportRequest
from engine.world import Home

def high():
    lines = open("/proc/self/status").read().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("VmHWM")).split()[1])

home, idle = Home.open({home!r}), high()
request = ReportRequest(
    view="shop",
    dimensions=(DimensionColumn("channel", exp.column("channel", quoted=True)),),
    metrics=(
        MetricColumn("texts", Aggregate.COUNT, exp.column("text", quoted=True)),
        MetricColumn("visits", Aggregate.VALUE, exp.column("visits", quoted=True)),
    ),
)
rows = run(request, home, home.current(), Cancellation()).to_pylist()
print(json.dumps({{"idle": idle, "peak": high(), "rows": rows}}))
"""


@pytest.mark.parametrize(
    ("text", "size"),
    [("2GB", 2 * 10**9), ("512 MiB", 512 << 20), ("1.5g", 1_500_000_000), ("1000000", 10**6), ("8KB", 8000)],
)
def test_sizes(text, size):
    assert memory.size_in_bytes(text) == size


@pytest.mark.parametrize("text", ["", "much", "2XB", "-1GB", "0", "iB", "5 GB 3"])
def test_what_is_not_a_size(text):
    with pytest.raises(InputError, match="is not a memory limit"):
        memory.size_in_bytes(text)


def test_the_limit_of_the_variable_is_shared_out(monkeypatch):
    monkeypatch.setenv(memory.VARIABLE, "2GB")
    assert memory.limit() == 2 * 10**9
    assert 0 < memory.cache_budget() + memory.decoding_budget() < memory.limit()
    monkeypatch.delenv(memory.VARIABLE)
    assert memory.limit() > 2 * 10**8


def test_work_that_does_not_fit_waits_but_never_the_first():
    room, order = memory.Room(lambda: 10), []
    inside, leave = threading.Event(), threading.Event()

    def first():
        with room.taken(100, lambda: None):
            inside.set()
            leave.wait(5)
            order.append("first")

    def second():
        with room.taken(1, lambda: None):
            order.append("second")

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    assert inside.wait(5)
    threads[1].start()
    threads[1].join(0.1)
    assert threads[1].is_alive()
    leave.set()
    for thread in threads:
        thread.join(5)
    assert order == ["first", "second"]


def wide_home(root):
    """A home whose texts take twice the limit when they are decoded."""
    home = Home.create(root)
    fields = {"id": "string", "ts": "timestamp", "who": "string", "channel": "string", "text": "string"}
    found = {
        "datasets": {"web": {"timestamp": "ts", "event_id": "id", "fields": fields}},
        "connections": {"all": {"datasets": {"web": {"person_id": "who"}}, "buckets": 64}},
        "data_views": {
            "shop": {"connection": "all", "dimensions": {"channel": "channel", "text": "text"}, "metrics": {}}
        },
    }
    flow.apply(home, Definitions.model_validate(found))
    start = datetime(2024, 1, 1, tzinfo=UTC)
    for batch in range(BATCHES):
        rows = [
            {
                "id": f"e{number}",
                "ts": start + timedelta(seconds=number),
                "who": f"p{number % 5_000}",
                "channel": "odd" if number % 2 else "even",
                "text": f"{number:07}".ljust(WIDTH, "x"),
            }
            for number in range(batch * ROWS, (batch + 1) * ROWS)
        ]
        with home.lease() as lease:
            commit_batch(home, "web", rows, order_by="ts")
            recover(lease)
        keep_up(home)
    home.close()


def test_a_report_on_twice_the_limit_ends_near_it(tmp_path):
    wide_home(tmp_path / "home")
    environment = os.environ | {memory.VARIABLE: str(LIMIT)}
    command = [sys.executable, "-c", REPORT.format(home=str(tmp_path / "home"))]
    done = subprocess.run(command, env=environment, capture_output=True, check=True, timeout=300)
    found = json.loads(done.stdout)
    half = BATCHES * ROWS // 2
    assert sorted((row["channel"], row["texts"]) for row in found["rows"]) == [("even", half), ("odd", half)]
    assert BATCHES * ROWS * WIDTH >= 2 * LIMIT
    assert found["peak"] < 1.25 * LIMIT, found
