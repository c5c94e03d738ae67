"""Events that stream into a home from another process: one small batch a second, through the real path.

``python -m benchmarks.stream HOME FOLDER`` takes in the folder's files, one every second.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from benchmarks.flows import append
from engine.world import Home

SECONDS: Final = 1.0
"""From the beginning of one batch to the beginning of the next."""
_PATIENCE: Final = 60.0
_NAP: Final = 0.005


class Stream:
    """The other process; it rests until it is told to go on.

    Args:
        home: the home that it writes to; this process reads it.
        folder: the batches.
    """

    def __init__(self, home: Home, folder: Path) -> None:
        self._home = home
        command = [sys.executable, "-m", "benchmarks.stream", str(home.root), str(folder)]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        self.wait()
        self.rest()

    def go_on(self) -> None:
        """Let batches come, and wait for the first."""
        self._process.send_signal(signal.SIGCONT)
        self.wait()

    def rest(self) -> None:
        """Let no batch come."""
        self._process.send_signal(signal.SIGSTOP)

    def wait(self) -> None:
        """Wait until a world is published that was not there before.

        Raises:
            RuntimeError: none came, or the batches have run out.
        """
        before, given_up = self._home.current().id, time.monotonic() + _PATIENCE
        while self._home.current().id == before:
            if time.monotonic() > given_up or self._process.poll() is not None:
                raise RuntimeError("the stream has stopped")
            time.sleep(_NAP)

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()


def main() -> None:
    """Take in one file a second; a batch that is late does not hurry those after it."""
    home = Home.open(Path(sys.argv[1]))
    following = time.monotonic()
    for file in sorted(Path(sys.argv[2]).glob("*.parquet")):
        time.sleep(max(0.0, following - time.monotonic()))
        following = max(following, time.monotonic() - _NAP) + SECONDS
        append(home, file)


if __name__ == "__main__":
    main()
