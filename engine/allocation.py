"""Lets freed memory be used again, instead of giving it back to the system at every question.

A question works in arrays of many megabytes. By default the C library asks the system for each of them,
and clearing their pages takes as long as the work itself.
"""

from __future__ import annotations

import ctypes
import os
from typing import Final

_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
"""Parameters of glibc's ``mallopt``."""

_LARGEST: Final = 32 << 20
"""Bytes of an array that the C library keeps; the most that it allows."""
_KEPT: Final = 1 << 30
"""Bytes that it keeps at the end of its heap."""
_POLARS: Final = "_RJEM_MALLOC_CONF"
_LAZY: Final = "muzzy_decay_ms:-1"
"""Pages that Polars frees stay until the system needs them."""


def reuse_freed_memory() -> None:
    """Tell the allocators of this process, those of Polars if it is not loaded yet; elsewhere do nothing."""
    os.environ.setdefault(_POLARS, _LAZY)
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LARGEST)
        mallopt(_TRIM_THRESHOLD, _KEPT)
