"""How long a report goes on after it was cancelled, wherever it was."""

from __future__ import annotations

import threading
import time
from typing import Final

from engine.cancellation import Cancellation
from engine.errors import CancelledError
from engine.report import run
from engine.report.request import ReportRequest
from engine.world import Home

MOMENTS: Final = 10
"""How often it is cancelled, at moments spread evenly over the time that it takes."""


def slowest_cancel(asked: ReportRequest, home: Home) -> float:
    """Return the most seconds that passed from a cancel to the end of the report."""
    started = time.perf_counter()
    run(asked, home, home.current(), Cancellation())
    whole = time.perf_counter() - started
    return max(_cancelled(asked, home, whole * moment / MOMENTS) for moment in range(MOMENTS))


def _cancelled(asked: ReportRequest, home: Home, moment: float) -> float:
    """Return the seconds from a cancel to the end; 0 where the report was done before."""
    cancellation, cancelled = Cancellation(), []

    def cancel() -> None:
        cancelled.append(time.perf_counter())
        cancellation.cancel()

    timer = threading.Timer(moment, cancel)
    timer.start()
    try:
        run(asked, home, home.current(), cancellation)
    except CancelledError:
        return time.perf_counter() - cancelled[0]
    finally:
        timer.cancel()
        timer.join()
    return 0.0
