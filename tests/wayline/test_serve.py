"""``wayline serve`` as a program: its certificate, its options, SIGTERM and SIGHUP."""

from __future__ import annotations

import io
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager

import psycopg
import pytest

from engine.world import Home
from sqlfront.users import add_user
from tests.sqlfront.certificates import write
from wayline import cli, output

LONG = "SELECT count(*) AS n FROM generate_series(1, 12000) a(i), generate_series(1, 12000) b(i) WHERE (a.i * b.i) % 7 = 3"
SERVING = re.compile(r"Serving .* on ([\d.]+):(\d+) until Ctrl-C\.")


@pytest.fixture
def root(tmp_path):
    with closing(Home.create(tmp_path / "home")) as home:
        add_user(home.catalog, "ada", "secret")
    return tmp_path / "home"


@contextmanager
def serving(root, *options):
    """Start the program; yield it and where it serves."""
    command = [sys.executable, "-u", "-m", "wayline", "serve", "--home", str(root), "--port", "0"]
    program = subprocess.Popen(
        [*command, *map(str, options)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        said = []
        while not (found := SERVING.search(" ".join(said))):
            line = program.stdout.readline()
            assert line, said
            said.append(line.rstrip("\n"))
        yield program, int(found[2])
    finally:
        if program.poll() is None:
            program.kill()
        program.wait(30)
        program.stdout.close()


def connect(port, **options):
    options = {"host": "localhost", "user": "ada", "password": "secret", "dbname": "wayline"} | options
    return psycopg.connect(port=port, autocommit=True, **options)


def test_encrypted_from_the_first_start_and_ended_by_sigterm(root):
    outcome = []

    def run(client):
        outcome.append(client.execute(LONG).fetchone()[0])

    with serving(root, "--grace", "60s") as (program, port):
        certificate = root / "tls" / "server.crt"
        checked = {"sslmode": "verify-full", "sslrootcert": str(certificate), "channel_binding": "require"}
        client = connect(port, **checked)
        assert client.execute("SHOW ssl").fetchone() == ("on",)
        connect(port, sslmode="disable").close()
        thread = threading.Thread(target=run, args=(client,))
        thread.start()
        before = certificate.read_bytes()
        time.sleep(0.5)  # until it runs
        program.send_signal(signal.SIGTERM)
        assert program.wait(60) == 0
        thread.join(10)
        assert outcome[0] > 0
    with serving(root) as (_, port):
        assert certificate.read_bytes() == before
        connect(port, **checked).close()


def test_ones_own_certificate_is_read_again_on_sighup(root, tmp_path):
    own = write(tmp_path / "own")
    with serving(root, "--tls-cert", own.certificate, "--tls-key", own.key, "--tls", "always") as (
        program,
        port,
    ):
        with pytest.raises(psycopg.OperationalError, match="must be encrypted"):
            connect(port, sslmode="disable")
        connect(port, sslmode="verify-full", sslrootcert=str(own.certificate)).close()
        write(tmp_path / "own")
        program.send_signal(signal.SIGHUP)
        while "read again" not in program.stdout.readline():
            pass
        connect(port, sslmode="verify-full", sslrootcert=str(own.certificate)).close()
        own.key.write_text("rubbish")
        program.send_signal(signal.SIGHUP)
        while "error: cannot use" not in program.stdout.readline():
            pass
        connect(port, sslmode="verify-full", sslrootcert=str(own.certificate)).close()
    assert not (root / "tls").exists()


def test_bounds_are_those_of_the_command(root):
    bounds = ("--statement-timeout", "90s", "--idle-timeout", "30m", "--max-connections", 1, "--tls", "off")
    with serving(root, *bounds) as (_, port), connect(port) as client:
        shown = [
            client.execute(f"SHOW {name}").fetchone()[0]
            for name in (
                "statement_timeout",
                "idle_session_timeout",
                "idle_in_transaction_session_timeout",
            )
        ]
        assert shown == ["90s", "30min", "30min"]
        assert not client.pgconn.ssl_in_use
        with pytest.raises(psycopg.OperationalError, match="too many clients"):
            connect(port)
    assert not (root / "tls").exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--tls-cert", "a.crt"), "--tls-key is missing"),
        (("--tls-key", "a.key"), "--tls-cert is missing"),
        (("--tls-cert", "a.crt", "--tls-key", "a.key", "--tls", "off"), "--tls off uses no certificate"),
        (("--tls-cert", "no.crt", "--tls-key", "no.key"), "cannot read no.crt and no.key"),
        (("--statement-timeout", "soon"), "'soon' is not a duration"),
    ],
)
def test_options_that_do_not_go_together(root, monkeypatch, options, told):
    said = io.StringIO()
    monkeypatch.setattr(output.errors, "file", said)
    monkeypatch.setattr(sys, "argv", ["wayline", "serve", "--home", str(root), *options])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    assert told in said.getvalue()
