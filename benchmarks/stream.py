"""Events that stream into a home from another process: one small batch a second, through the real path.

``python -m benchmarks.stream HOME FOLDER`` takes in the files, one every second; it rests and goes on as
its standard input says, and ends with it.
"""

from __future__ import annotations

import os
import select
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
_GO_ON: Final = b"g"
_REST: Final = b"r"


class Stream:
    """The other process; it rests until it is told to go on.

    Args:
        home: the home that it writes to; this process reads it.
        folder: the batches.
    """

    def __init__(self, home: Home, folder: Path) -> None:
        self._home = home
        command = [sys.executable, "-m", "benchmarks.stream", str(home.root), str(folder)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, bufsize=0)
        self.wait()
        self.rest()

    def go_on(self) -> None:
        """Let batches come, and wait for the first."""
        self._tell(_GO_ON)
        self.wait()

    def rest(self) -> None:
        """Let no batch come after the one under way."""
        self._tell(_REST)

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
        with self._process:
            self._process.kill()

    def _tell(self, word: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(word)


def main() -> None:
    """Take in one file a second; a batch that is late does not hurry those after it."""
    home = Home.open(Path(sys.argv[1]))
    following = time.monotonic()
    for file in sorted(Path(sys.argv[2]).glob("*.parquet")):
        if not _turn_comes(following):
            break
        following = max(following, time.monotonic() - _NAP) + SECONDS
        append(home, file)


def _turn_comes(moment: float) -> bool:
    """Wait until a moment, and for as long as there is to be rest; return False if all is over."""
    resting = False
    while True:
        left = None if resting else max(0.0, moment - time.monotonic())
        if not select.select([sys.stdin], [], [], left)[0]:
            return True
        word = os.read(sys.stdin.fileno(), 1)
        if not word:
            return False
        resting = word == _REST


if __name__ == "__main__":
    main()
