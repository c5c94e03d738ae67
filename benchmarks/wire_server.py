"""Our SQL server as a process of its own, as PostgreSQL is one: neither shares Python with the client.

``python -m benchmarks.wire_server HOME`` serves a home on a free port, prints the port once clients may
connect and the encoder of rows is compiled, and ends with its standard input. Nobody has to log in, and
nothing is encrypted.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from engine.world import Home
from sqlfront.front import open_front
from sqlfront.gate import OwnersGate
from sqlfront.server import running
from sqlfront.wire import compiled


@dataclass(frozen=True)
class Server:
    """A running server of ours.

    Attributes:
        port: where it listens on this machine.
        process: its number.
    """

    port: int
    process: int

    def connect(self) -> psycopg.Connection:
        """Return a connection that commits each statement."""
        options = {"host": "127.0.0.1", "port": self.port, "user": "bench", "sslmode": "disable"}
        return psycopg.connect(dbname="bench", autocommit=True, **options)


@contextmanager
def wire_server(home: Path) -> Iterator[Server]:
    """Serve a home in a process of its own while the block runs."""
    command = [sys.executable, "-m", "benchmarks.wire_server", str(home)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield Server(int(process.stdout.readline()), process.pid)
        finally:
            process.stdin.close()


def main() -> None:
    """Serve until the standard input ends."""
    compiled.load()
    with closing(Home.open(Path(sys.argv[1]))) as home:
        front = open_front(home, OwnersGate())
        with running(front) as address:
            print(address.port, flush=True)
            sys.stdin.read()


if __name__ == "__main__":
    main()
