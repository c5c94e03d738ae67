"""The server on real sockets: authentication, cancel requests, limits, rubbish, the end."""

import socket
import struct
import threading
import time

import psycopg
import pytest

from engine.errors import HomeError
from sqlfront.limits import Limits
from sqlfront.server import running
from tests.sqlfront.fake_front import fake_front, login_with
from tests.sqlfront.wire_client import message, received, simplified, startup

SLOW = "SELECT count(*) AS n FROM range(100000) a(i), range(100000) b(i) WHERE a.i * b.i > 5"


@pytest.fixture(scope="module")
def address():
    with running(fake_front()) as address:
        yield address


def connect(address, **options):
    return psycopg.connect(
        host=address.host, port=address.port, autocommit=True, **{"user": "ada", **options}
    )


def in_background(connection):
    """Run the slow statement on a thread; return it, and a list for the SQLSTATE it ends with."""
    outcome = []

    def run():
        try:
            connection.execute(SLOW)
        except psycopg.Error as error:
            outcome.append(error.sqlstate)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, outcome


def raw(address, *data, until=b"Z"):
    """Send bytes and return all that comes until a message of the given kind, or the end."""
    with socket.create_connection((address.host, address.port), timeout=10) as client:
        for part in data:
            client.sendall(part)
        answer = b""
        while part := client.recv(65536):
            answer += part
            if until and _is_complete(answer) and received(answer)[-1][0].encode() == until:
                break
        return answer


def _is_complete(data):
    try:
        received(data)
    except (AssertionError, struct.error):
        return False
    return True


def test_encryption_is_declined_and_plain_goes_on(address):
    with socket.create_connection((address.host, address.port), timeout=10) as client:
        for code in (80877103, 80877104):
            client.sendall(struct.pack("!II", 8, code))
            assert client.recv(1) == b"N"
        client.sendall(startup(user="ada"))
        assert client.recv(9) == b"R\0\0\0\x08\0\0\0\0"


def test_newer_protocol_versions_are_negotiated(address):
    body = struct.pack("!I", (3 << 16) + 2) + b"user\0ada\0_pq_.x\0on\0\0"
    answer = received(raw(address, struct.pack("!I", len(body) + 4) + body))
    assert answer[0] == ("v", struct.pack("!II", 0, 1) + b"_pq_.x\0")
    assert answer[-1] == ("Z", b"I")


@pytest.mark.parametrize(
    ("data", "sqlstate"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "08P01"),
        (startup(database="x"), "28000"),
        (startup(user="ada", replication="true"), "0A000"),
        (startup(user="ada", client_encoding="LATIN1"), "22023"),
        (startup(user="ada") + b"?????", "08P01"),
        (startup(user="ada") + b"Q" + struct.pack("!I", 2**31), "08P01"),
    ],
)
def test_rubbish_is_told_and_ends_the_connection(address, data, sqlstate):
    answers = simplified(raw(address, data, until=b""))
    assert answers[-1][:2] == ("E", sqlstate)


def test_messages_before_rubbish_are_answered(address):
    sent = startup(user="ada") + message("Q", b"SELECT 1 AS a\0") + b"?????"
    answers = simplified(raw(address, sent, until=b""))
    assert ("D", "1") in answers
    assert answers[-1][:2] == ("E", "08P01")


def test_byte_by_byte(address):
    sent = startup(user="ada") + message("Q", b"SELECT 1 AS a\0") + message("X")
    answers = simplified(raw(address, *(sent[at : at + 1] for at in range(len(sent))), until=b""))
    assert answers[-3:] == [("D", "1"), ("C", "SELECT 1"), ("Z", "I")]


def test_passwords():
    users = {"ada": login_with("pass word ü")}
    with running(fake_front(login=users.get)) as address:
        with connect(address, password="pass word ü") as connection:
            assert connection.execute("SELECT current_user").fetchone() == ("ada",)
        for user, password in (("ada", "wrong"), ("nobody", "pass word ü")):
            with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
                connect(address, user=user, password=password)
        answers = simplified(raw(address, startup(user="ada"), message("Q", b"x\0"), until=b""))
        assert answers[-1][:2] == ("E", "08P01")


def test_without_users_only_this_machine_may_connect():
    with (
        pytest.raises(HomeError, match="there are no users"),
        running(fake_front(), host="0.0.0.0"),
    ):
        pass


def test_port_in_use(address):
    with (
        pytest.raises(HomeError, match="is in use") as raised,
        running(fake_front(), port=address.port),
    ):
        pass
    assert raised.value.hint


def test_cancel_needs_the_secret(address):
    with connect(address) as connection:
        thread, outcome = in_background(connection)
        time.sleep(0.2)
        process = connection.info.backend_pid
        raw(address, struct.pack("!III", 16, 80877102, process) + b"\0\0\0\0", until=b"")
        time.sleep(0.1)
        assert thread.is_alive()
        connection.cancel_safe(timeout=10)
        thread.join(10)
        assert outcome == ["57014"]
        assert connection.execute("SELECT 1 AS a").fetchone() == (1,)


def test_slow_client_and_slow_statement_hold_up_nobody(address):
    with socket.create_connection((address.host, address.port), timeout=10) as silent:
        many = b"SELECT repeat('x', 1000) AS t FROM range(50000)\0"
        silent.sendall(startup(user="ada") + message("Q", many))
        with connect(address) as slow, connect(address) as quick:
            thread, outcome = in_background(slow)
            started = time.monotonic()
            for _ in range(5):
                quick.execute("SELECT 1 AS a")
            assert time.monotonic() - started < 5
            slow.cancel_safe(timeout=10)
            thread.join(10)
            assert outcome == ["57014"]


def test_statement_ends_when_its_client_goes_away():
    running_statements = []
    front = fake_front()

    def plan(*arguments):
        query = front.plan(*arguments)
        original = query.run

        def run(values, cancellation):
            running_statements.append(cancellation)
            return original(values, cancellation)

        query.run = run
        return query

    watched = type(front)(front.parse, plan)
    with running(watched) as address:
        with socket.create_connection((address.host, address.port), timeout=10) as client:
            client.sendall(startup(user="ada") + message("Q", SLOW.encode() + b"\0"))
            deadline = time.monotonic() + 10
            while not running_statements and time.monotonic() < deadline:
                time.sleep(0.02)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                running_statements[0].check()
            except Exception:
                return
            time.sleep(0.02)
    pytest.fail("the statement went on")


def test_shutdown_says_goodbye_and_cancels():
    with running(fake_front()) as address:
        connection = connect(address)
        thread, outcome = in_background(connection)
        time.sleep(0.3)
    thread.join(10)
    assert outcome[0] in ("57014", "57P01")


def test_too_many_clients():
    with running(fake_front(), limits=Limits(connections=2)) as address, connect(address):
        second = connect(address)
        with pytest.raises(psycopg.OperationalError, match="too many clients"):
            connect(address)
        second.close()
        time.sleep(0.2)
        connect(address).close()


def test_an_address_that_is_not_this_machine_s(address):
    with (
        pytest.raises(HomeError, match=r"cannot listen on 192\.0\.2\.1:\d+: \w[\w ]+$"),
        running(fake_front(login=lambda name: None), host="192.0.2.1", port=address.port),
    ):
        pass
