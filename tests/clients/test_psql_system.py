"""psql against a real home: schema ``system`` is found, described and read."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from sqlfront.front import open_front
from sqlfront.server import running
from sqlfront.system import RELATIONS
from sqlfront.users import add_user
from tests.journeys.support import definitions, ingest_rows, new_home

pytestmark = pytest.mark.clients


@pytest.fixture(scope="module")
def psql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., str]]:
    home = new_home(tmp_path_factory.mktemp("system"), definitions())
    add_user(home.catalog, "ada", "secret")
    at = datetime(2023, 5, 12, 12, tzinfo=UTC)
    ingest_rows(home, "web", [{"id": "1", "at": at, "device": "x", "login": {"customer": "Ann"}}])
    with running(open_front(home)) as address:
        place = ["-h", address.host, "-p", str(address.port), "-U", "ada", "wayline"]

        def run(script: str, *options: str) -> str:
            command = ["psql", "-X", *place, *options]
            environment = os.environ | {"PGPASSWORD": "secret"}
            done = subprocess.run(
                command, input=script, capture_output=True, text=True, timeout=60, env=environment
            )
            return done.stdout + done.stderr

        yield run


def test_listed_in_its_schema_only(psql: Callable[..., str]) -> None:
    listed = psql("\\dv system.*", "-At").split()
    assert listed == [f"system|{name}|view|postgres" for name in sorted(RELATIONS)]
    assert "system" not in psql("\\d", "-At")


def test_described(psql: Callable[..., str]) -> None:
    printed = psql("\\d+ system.stitching_quality")
    assert 'View "system.stitching_quality"' in printed
    assert "lift                | double precision" in printed
    assert "stitched_rows / rows_with_person" in printed
    assert "Did not find any relation" in psql("\\d stitching_quality")


def test_read(psql: Callable[..., str]) -> None:
    asked = "SELECT connection, day, rows, stitched_rate FROM system.stitching_quality;"
    assert psql(asked, "-At") == "shop|2023-05-12|1|1\n"
