"""psql against a running server: the commands with a backslash, and what they print."""

import subprocess

import pytest

from sqlfront.server import running
from tests.sqlfront.fake_front import fake_front

pytestmark = pytest.mark.clients
SETUP = "CREATE VIEW web AS SELECT 'Email' AS channel, 2.5::DOUBLE AS revenue, NULL::INT AS n"


@pytest.fixture(scope="module")
def psql():
    with running(fake_front(SETUP)) as address:

        def run(script, *options):
            command = [
                "psql",
                "-X",
                "-h",
                address.host,
                "-p",
                str(address.port),
                "-U",
                "ada",
                "demo",
            ]
            done = subprocess.run(
                [*command, *options], input=script, capture_output=True, text=True, timeout=60
            )
            return done.stdout + done.stderr

        yield run


def test_listings(psql):
    assert psql("\\dv", "-At") == "public|web|view|postgres\n"
    assert psql("\\dt", "-At") == "public|web_raw|table|postgres\n"
    assert psql("\\d", "-At") == "public|web|view|postgres\npublic|web_raw|table|postgres\n"
    assert psql("\\dv+", "-At") == "public|web|view|postgres|permanent|0 bytes|All web events\n"
    assert psql("\\dn", "-At") == "public|postgres\nsystem|postgres\n"
    assert psql("\\l", "-At").startswith("demo|postgres|UTF8|")
    assert psql("\\du", "-At") == "ada||{}\npostgres|Superuser, Cannot login|{}\n"
    assert psql("\\df", "-At") == ""


def test_description_of_a_view(psql):
    printed = psql("\\d+ web")
    assert 'View "public.web"' in printed
    assert "channel              | text  " in printed
    assert "Where the person came from" in printed


def test_description_of_a_table(psql):
    printed = psql("\\d web_raw")
    assert 'Table "public.web_raw"' in printed
    assert "amount   | numeric(12,2)" in printed
    assert 'Did not find any relation named "nothing"' in psql("\\d nothing")


@pytest.mark.parametrize(
    "command",
    [
        "\\di",
        "\\dm",
        "\\ds",
        "\\dE",
        "\\dT",
        "\\dp",
        "\\db",
        "\\dx",
        "\\dC",
        "\\dg",
        "\\dd",
        "\\do",
        "\\dD",
    ],
)
def test_other_listings_do_not_fail(psql, command):
    assert "ERROR" not in psql(command)


def test_expanded_and_timing(psql):
    printed = psql("\\x\nSELECT * FROM web;\n\\timing\nSELECT 1 AS a;")
    assert "-[ RECORD 1 ]--\nchannel | Email\nrevenue | 2.5\nn       | \n" in printed
    assert "Time: " in printed


def test_connection_and_encoding(psql):
    assert 'connected to database "demo" as user "ada"' in psql("\\conninfo\n")
    assert psql("\\encoding") == "UTF8\n"


def test_errors_and_transactions(psql):
    printed = psql("BEGIN;\nSELECT missing;\nSELECT 1 AS a;\nROLLBACK;\nselec 2;")
    assert "current transaction is aborted" in printed
    assert "ROLLBACK" in printed
    assert "LINE 1: selec 2;\n        ^" in printed


def test_cursor_by_fetch_count(psql):
    script = "\\set FETCH_COUNT 3\nSELECT i FROM generate_series(1, 10) AS s(i);"
    assert psql(script, "-At").split() == [str(i) for i in range(1, 11)]


REGISTERED = """\\set VERBOSITY verbose
SELECT 'pg_class'::regclass, ('PG_CLASS')::regclass AS x, 'pg_class'::regclass::oid, 'pg_class'::regclass::text;
SELECT 'pg_class'::regclass UNION ALL SELECT '1259'::regclass;
SELECT 'int4'::regtype, 'integer'::regtype::oid, 'public'::regnamespace, '-'::regclass, NULL::regclass;
SELECT relname FROM pg_class WHERE oid = 'pg_class'::regclass;
SELECT to_regclass('nosuch') IS NULL, to_regtype('nosuch') IS NULL;
SELECT 'nosuch'::regclass;
SELECT relname FROM pg_class WHERE oid = 'nosuch'::regclass;
SELECT 'nosuch'::regtype;
SELECT 'nosuch'::regproc;
SELECT 'nosuch'::regnamespace;
SELECT 'nosuch'::regrole;
"""


def test_names_of_objects_are_written_and_missed_as_by_postgresql(psql, postgres15):
    command = ["psql", "-XAt", postgres15.dsn]
    done = subprocess.run(command, input=REGISTERED, capture_output=True, text=True, timeout=60)
    ours, theirs = (
        [line for line in printed.splitlines() if not line.startswith(("LINE", "LOCATION", " "))]
        for printed in (psql(REGISTERED, "-At"), done.stdout + done.stderr)
    )
    assert ours == theirs
