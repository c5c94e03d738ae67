"""A real PostgreSQL 15 on a free port: what the SQL front is compared with.

Tests that ask for `postgres15` carry the mark `clients`: the server comes from Debian (`postgresql-15`), and
where it is missing they fail, as a comparison that is left out proves nothing. The server refuses to run as root,
so that root starts it as `postgres`, or `nobody` where that user is missing.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

BINARIES = Path("/usr/lib/postgresql/15/bin")
USER = "postgres"
INITIAL = ("-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
SETTINGS = ("fsync=off", "listen_addresses=127.0.0.1", "shared_buffers=32MB", "max_connections=50")


@dataclass(frozen=True)
class PostgreSQL:
    """Where a running PostgreSQL listens; its user `postgres` comes in without a password."""

    host: str
    port: int
    folder: Path

    @property
    def dsn(self) -> str:
        """The address in libpq's words, for psycopg and psql."""
        return f"host={self.host} port={self.port} user={USER} dbname=postgres sslmode=disable"

    def url(self, scheme: str = "postgresql") -> str:
        """The address as a URL, for asyncpg and SQLAlchemy."""
        return f"{scheme}://{USER}@{self.host}:{self.port}/postgres"

    def connect(self, **options: object) -> psycopg.Connection:
        """A connection that commits each statement."""
        return psycopg.connect(self.dsn, autocommit=True, **options)  # type: ignore[arg-type]


@contextmanager
def running_postgresql(*settings: str) -> Iterator[PostgreSQL]:
    """A new PostgreSQL 15 with UTF-8 and the C locale, gone with its folder at the end.

    Args:
        *settings: `name=value` of postgresql.conf, beyond those of a small and forgetful server.
    """
    if not (BINARIES / "initdb").exists():
        pytest.fail(f"no PostgreSQL in {BINARIES}: apt-get install postgresql-15")
    folder = Path(tempfile.mkdtemp(prefix="wayline-postgresql-"))
    try:
        _owned(folder)
        data = folder / "data"
        _run("initdb", ["-D", str(data), "-U", USER, *INITIAL], folder)
        with _server(data, folder, settings) as port:
            yield PostgreSQL("127.0.0.1", port, folder)
    finally:
        shutil.rmtree(folder)


@contextmanager
def _server(data: Path, folder: Path, settings: Sequence[str]) -> Iterator[int]:
    port = _free_port()
    chosen = (*SETTINGS, f"unix_socket_directories={folder}", *settings)
    options = " ".join([f"-p {port}", *(f"-c {one}" for one in chosen)])
    log = folder / "log"
    try:
        _run("pg_ctl", ["-D", str(data), "-l", str(log), "-w", "-o", options, "start"], folder)
    except subprocess.CalledProcessError:
        pytest.fail(f"PostgreSQL did not start: {log.read_text() if log.exists() else 'it left no log'}")
    try:
        yield port
    finally:
        _run("pg_ctl", ["-D", str(data), "-m", "immediate", "-w", "stop"], folder)


def _run(binary: str, arguments: Sequence[str], folder: Path) -> None:
    subprocess.run(
        [str(BINARIES / binary), *arguments],
        check=True,
        cwd=folder,
        user=_unprivileged(),
        stdout=subprocess.DEVNULL,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC"},
    )


def _unprivileged() -> str | None:
    """Who runs the server: the user of the tests, unless that is root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in known)


def _owned(folder: Path) -> None:
    owner = _unprivileged()
    if owner is not None:
        shutil.chown(folder, owner)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def postgres15() -> Iterator[PostgreSQL]:
    """One PostgreSQL 15 for the session of tests (one a worker): leave it as you found it."""
    with running_postgresql() as server:
        yield server
