"""Chunks under way: few at a time, decoded by the threads that use them, and left at once on a cancel."""

from __future__ import annotations

import os
import threading
import time

import pytest
from sqlglot import exp

from engine.cancellation import Cancellation
from engine.errors import CancelledError
from engine.journeys.scan import Load
from engine.report.local import answer
from engine.report.plan import plan
from engine.report.request import Aggregate, MetricColumn, ReportRequest
from tests.report.conftest import DEFINITIONS

REQUEST = ReportRequest(
    view="shop",
    dimensions=(),
    metrics=(MetricColumn("visits", Aggregate.VALUE, exp.column("visits", quoted=True)),),
)


class Slow:
    """Journeys that take their time; counts how often they are decoded, and at once."""

    def __init__(self, chunk, seconds):
        self.chunk, self.seconds = chunk, seconds
        self.lock = threading.Lock()
        self.now = self.most = self.times = 0
        self.threads = set()

    key = "slow"

    def keys(self):
        with self.lock:
            self.now += 1
            self.times += 1
            self.most = max(self.most, self.now)
            self.threads.add(threading.current_thread().name)
        time.sleep(self.seconds)
        with self.lock:
            self.now -= 1
        return self.chunk

    def column(self, name):
        return self.chunk.columns[name]

    def present(self, name):
        return self.chunk.present(name)

    def weight(self, names):
        return 1


def asked(slow, count, cancellation):
    planned = plan(REQUEST, DEFINITIONS)
    given = iter([Load(slow, (), planned.columns, None) for _ in range(count)])
    return answer(planned, given, DEFINITIONS, cancellation)


def test_threads_decode_a_few_at_a_time(chunk):
    slow = Slow(chunk, 0.01)
    table = asked(slow, 12, Cancellation())
    assert table["visits"].to_pylist() == [12 * 3]
    assert slow.times == 12 and slow.most <= os.cpu_count()
    assert all(name.startswith("report") for name in slow.threads)


def test_a_cancelled_question_ends_at_once(chunk):
    slow, cancellation = Slow(chunk, 0.5), Cancellation()
    threading.Timer(0.1, cancellation.cancel).start()
    started = time.monotonic()
    with pytest.raises(CancelledError):
        asked(slow, 50, cancellation)
    assert time.monotonic() - started < 0.35
    time.sleep(0.6)
    assert slow.times <= os.cpu_count() and slow.now == 0


def test_what_a_chunk_raises_ends_the_question(chunk):
    slow = Slow(chunk, 0.01)
    slow.weight = lambda names: 1 // 0
    with pytest.raises(ZeroDivisionError):
        asked(slow, 50, Cancellation())
    assert slow.now == slow.times == 0
