"""Freed memory is used again: arrays of a size that questions work in cost no fresh pages."""

from __future__ import annotations

import platform
import subprocess
import sys
from typing import Final

import pytest

_ROUNDS: Final = """
import resource, {imported}
import numpy as np
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def work():
    for _ in range(5):
        kept = [np.ones(400_000) for _ in range(30)]
        del kept
work()
before = faults()
work()
print(faults() - before)
"""


def _fresh_pages(imported: str) -> int:
    program = _ROUNDS.format(imported=imported)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told")
def test_arrays_use_memory_that_was_freed() -> None:
    """Without the engine, all of them together are given back when they are freed, and asked for again."""
    assert _fresh_pages("os") > 10_000
    assert _fresh_pages("engine") < 500
