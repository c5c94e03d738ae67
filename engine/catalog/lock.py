"""One writer at a time: a lock on a file that the kernel frees when its holder dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from engine.errors import BusyError

_POLL_SECONDS: Final = 0.05


@contextmanager
def exclusive(
    path: Path, *, wait: float | None = None, on_wait: Callable[[str], None] | None = None
) -> Iterator[None]:
    """Hold the lock file while the block runs; other processes and threads are kept out.

    Args:
        path: the lock file; created if missing.
        wait: seconds to wait for another holder; None waits for as long as it takes.
        on_wait: called once with a sentence for the user if there is something to wait for.

    Raises:
        BusyError: another process or thread held it for longer than ``wait``.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _acquire(descriptor, path.parent, wait, on_wait)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()}".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, home: Path, wait: float | None, on_wait: Callable[[str], None] | None) -> None:
    deadline = None if wait is None else time.monotonic() + wait
    while not _try(descriptor):
        holder = os.pread(descriptor, 100, 0).decode(errors="replace") or "another process"
        if deadline is not None and time.monotonic() >= deadline:
            message = f"{home} is being written by {holder}"
            raise BusyError(message, hint="Try again when it is done.")
        if on_wait is not None:
            on_wait(f"waiting for {holder}, which is writing to {home}")
            on_wait = None
        time.sleep(_POLL_SECONDS)


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
