"""The machine and the versions that a result is measured with, and what both sides may use of it."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path

from benchmarks.peer_tables import THREADS
from engine.allocation import reuse_freed_memory


def confine() -> None:
    """Let every question be computed, no answer be kept, by two cores; so too in processes started from here.

    Where the system cannot confine a process to cores, threads are limited alone. Memory is kept as wayline's
    own processes keep it, which have to say so before Polars is loaded.
    """
    reuse_freed_memory()
    os.environ["WAYLINE_RESULT_CACHE"] = "0"
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])


def machine() -> dict[str, str | int]:
    """Return processor, cores, memory in GB, and the versions of what was compared."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count() or 0,
        "memory_gb": _memory(),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        **{name: _version(name) for name in ("wayline", "duckdb", "chdb", "numba")},
    }


def _processor() -> str:
    """Return the processor's name; only Linux tells it in a file."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _memory() -> int:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
    except (ValueError, OSError, AttributeError):
        return 0


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "not installed"
