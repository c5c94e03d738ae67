"""A home with a small demo shop, served as users serve theirs: by the command, in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from engine.world import Home
from tests.clients.contract import ROOT, STATEMENTS
from wayline import demo, generate

EVENTS = 2_000


@dataclass(frozen=True)
class Served:
    """A home that is being served."""

    home: Home
    host: str
    port: int

    def environment(self) -> dict[str, str]:
        """Return what the programs of clients are told."""
        told = {
            "WAYLINE_HOST": self.host,
            "WAYLINE_PORT": str(self.port),
            "WAYLINE_DATABASE": "wayline",
            "WAYLINE_USER": demo.USER,
            "WAYLINE_PASSWORD": demo.PASSWORD,
            "WAYLINE_CA": str(self.home.root / "tls" / "server.crt"),
        }
        asked = {f"ASK_{name.upper()}": statement for name, statement in STATEMENTS.items()}
        return os.environ | told | asked


@contextmanager
def served_shop(folder: Path) -> Iterator[Served]:
    """Make the shop's home in a folder and serve it while the block lasts."""
    made = generate.generate(folder / "data", events=EVENTS, seed=1)
    home = demo.build_home(folder / "home", made)
    command = [
        sys.executable,
        "-m",
        "wayline",
        "serve",
        "--home",
        str(home.root),
        "--port",
        "0",
        "--tls",
        "always",
    ]
    environment = os.environ | {"COLUMNS": "500", "PYTHONUNBUFFERED": "1"}
    log = folder / "server.log"
    with (
        log.open("w") as written,
        subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=written, text=True
        ) as server,
    ):
        try:
            yield Served(home, *_address(server, log))
        finally:
            server.terminate()
            server.wait(timeout=30)
            home.close()


def _address(server: subprocess.Popen[str], log: Path) -> tuple[str, int]:
    for line in server.stdout:
        found = re.search(r" on (\S+):(\d+)", line)
        if found is not None:
            return "localhost", int(found[2])
    raise RuntimeError(f"the server did not start: {log.read_text()}")
