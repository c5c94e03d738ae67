"""pgJDBC, the driver of Tableau, DBeaver and DataGrip, with a password and its metadata calls."""

import subprocess
from pathlib import Path

import pytest

from sqlfront.server import running
from tests.sqlfront.fake_front import fake_front, login_with

pytestmark = pytest.mark.clients
JAR = "/usr/share/java/postgresql.jar"
PROBE = Path(__file__).parent / "jdbc" / "Probe.java"
SETUP = "CREATE VIEW web AS SELECT 'Email' AS channel"


@pytest.fixture(scope="module")
def printed():
    users = {"ada": login_with("secret")}
    with running(fake_front(SETUP, login=users.get)) as address:
        url = f"jdbc:postgresql://{address.host}:{address.port}/demo"
        done = subprocess.run(
            ["java", "-cp", JAR, str(PROBE), url, "ada", "secret"],
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    "line",
    [
        "tables web_raw|TABLE web|VIEW rows=2",
        "columns timestamp|timestamp channel|text commerce.order.total|float8 visits|int8 rows=4",
        "keys rows=0",
        "imported rows=0",
        "indexes rows=0",
        "schemas information_schema pg_catalog public system rows=4",
        "catalogs demo rows=1",
        "functions rows=0",
        "keywords true",
        "prepared 21 22 23 24 25 rows=5",
        "prepared 24 25 rows=2",
        "fetched rows=25",
        "values 2024-01-01|2024-01-01 10:00:00|42 rows=1",
        "error 42703",
        "valid true",
    ],
)
def test_pgjdbc(printed, line):
    assert line in printed
