"""Bounds on real sockets: clients that are silent, slow or too many, statements that take too long, the end."""

import socket
import ssl
import struct
import threading
import time
from dataclasses import replace

import psycopg
import pytest

from sqlfront.alarms import Alarms
from sqlfront.limits import Limits, seconds
from sqlfront.logins import FREE_TRIES, LONGEST_WAIT, Logins
from sqlfront.server import running
from sqlfront.sqlstate import SqlError
from sqlfront.tls import Encryption, own_certificate
from tests.sqlfront.fake_front import fake_front, login_with
from tests.sqlfront.wire_client import everything, message, received, startup

FOREVER = "SELECT count(*) AS n FROM range(100000) a(i), range(100000) b(i) WHERE a.i * b.i > 5"
LARGE = b"SELECT repeat('x', 1000) AS t FROM range(50000)\0"
SSL_REQUEST = struct.pack("!II", 8, 80877103)


def connect(address, **options):
    options = {"user": "ada", "host": address.host, "sslmode": "disable"} | options
    return psycopg.connect(port=address.port, autocommit=True, **options)


def plain(address):
    return socket.create_connection((address.host, address.port), timeout=20)


def until_ready(client):
    answer = b""
    while not answer.endswith(b"Z\0\0\0\x05I"):
        answer += client.recv(65536)
    return received(answer)


def eventually(holds):
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def may_connect(address):
    try:
        connect(address).close()
    except psycopg.OperationalError as error:
        assert "too many clients" in str(error)
        return False
    return True


# --- connections ---


def test_clients_that_never_say_who_they_are():
    with (
        running(fake_front(), limits=Limits(greetings=2, greeting_seconds=1.0)) as address,
        plain(address) as one,
        plain(address) as two,
    ):
        eventually(lambda: not may_connect(address))
        with plain(address) as third:
            (problem,) = everything(third)
            assert problem[:2] == ("E", "53300")
        assert [client.recv(1) for client in (one, two)] == [b"", b""]
        eventually(lambda: may_connect(address))


def test_full_is_full_before_any_password():
    front = fake_front(login={"ada": login_with("secret")}.get)
    with running(front, limits=Limits(connections=1)) as address:
        with connect(address, password="secret"), plain(address) as second:
            second.sendall(startup(user="ada"))
            assert everything(second)[0][:2] == ("E", "53300")
        eventually(lambda: not raises(lambda: connect(address, password="secret").close()))


def raises(action):
    try:
        action()
    except psycopg.OperationalError:
        return True
    return False


def test_long_messages_before_a_login():
    front = fake_front(login={"ada": login_with("secret")}.get)
    with running(front) as address, plain(address) as client:
        client.sendall(startup(user="ada") + b"p" + struct.pack("!I", 65 * 1024))
        answers = everything(client)
        assert answers[-1][:2] == ("E", "08P01")
        assert "message length" in answers[-1][2]


def test_long_messages_after_it():
    with running(fake_front()) as address, connect(address) as client:
        text = "x" * 200_000
        assert client.execute("SELECT %s::text AS t", [text]).fetchone() == (text,)


# --- silent and slow clients ---


def hushed_before_a_word(address):
    return plain(address)


def hushed_within_the_handshake(address):
    client = plain(address)
    client.sendall(SSL_REQUEST)
    assert client.recv(1) == b"S"
    client.sendall(b"\x16\x03\x01\x02\x00\x01")
    return client


def hushed_at_the_password(address):
    client = plain(address)
    client.sendall(startup(user="ada"))
    client.recv(1)
    return client


def hushed_within_a_message(address):
    client = plain(address)
    client.sendall(startup(user="eve"))
    client.sendall(b"Q" + struct.pack("!I", 100) + b"SELECT")
    return client


def hushed_before_its_result(address):
    client = plain(address)
    client.sendall(startup(user="eve") + message("Q", LARGE))
    return client


def hushed_before_its_encrypted_result(address):
    client = plain(address)
    client.sendall(SSL_REQUEST)
    client.recv(1)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    wrapped = context.wrap_socket(client)
    wrapped.sendall(startup(user="eve") + message("Q", LARGE))
    return wrapped


HUSHED = [
    hushed_before_a_word,
    hushed_within_the_handshake,
    hushed_at_the_password,
    hushed_within_a_message,
    hushed_before_its_result,
    hushed_before_its_encrypted_result,
]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return own_certificate(tmp_path_factory.mktemp("home") / "tls")


@pytest.mark.parametrize("hush", HUSHED)
def test_silent_clients_hold_up_nobody(hush, certificate):
    """More of them than there are threads: were one to hold a thread, nobody else would be served."""
    known = {"ada": login_with("secret"), "eve": None}
    front = fake_front(login=known.get) if hush is hushed_at_the_password else fake_front()
    limits = Limits(connections=4, greetings=6)
    with running(front, limits=limits, encryption=Encryption(certificate)) as address:
        silent = [hush(address) for _ in range(3)]
        time.sleep(0.3)
        with connect(address, password="secret") as client:
            for _ in range(5):
                assert client.execute("SELECT 1 AS a").fetchone() == (1,)
        for one in silent:
            one.close()


def test_who_takes_nothing_is_cut_off_and_leaves_its_place():
    limits = Limits(connections=1, send_seconds=0.5)
    with running(fake_front(), limits=limits) as address, plain(address) as silent:
        silent.sendall(startup(user="ada") + message("Q", LARGE))
        eventually(lambda: not may_connect(address))
        eventually(lambda: may_connect(address))
        assert sum(map(len, iter(lambda: silent.recv(1_000_000), b""))) < 50_000_000


def test_who_takes_little_by_little_gets_everything():
    with running(fake_front(), limits=Limits(send_seconds=1.5)) as address, plain(address) as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        slow.sendall(startup(user="ada") + message("Q", LARGE) + message("X"))
        size, started = 0, time.monotonic()
        while part := slow.recv(1_000_000):
            size += len(part)
            if time.monotonic() - started < 4:
                time.sleep(0.05)
        assert size > 50_000_000


# --- silence between statements ---


def ended_with(client):
    """Wait for the server to end a raw connection; return the SQLSTATE."""
    return everything(client)[-1][1]


@pytest.mark.parametrize(
    ("statement", "sqlstate"),
    [
        (b"SELECT 1 AS a\0", "57P05"),
        (b"BEGIN\0", "25P03"),
        (b"BEGIN; SELECT missing\0", "25P03"),
        (b"SET idle_session_timeout = '2h'; SET idle_in_transaction_session_timeout = 0\0", "57P05"),
    ],
)
def test_sessions_that_are_silent_for_too_long(statement, sqlstate):
    limits = Limits(idle_seconds=0.4, idle_in_transaction_seconds=0.3)
    with running(fake_front(), limits=limits) as address, plain(address) as client:
        client.sendall(startup(user="ada") + message("Q", statement))
        assert ended_with(client) == sqlstate


def test_a_session_may_ask_for_less():
    with running(fake_front()) as address:
        for name, begin, sqlstate in (
            ("idle_session_timeout", b"", "57P05"),
            ("idle_in_transaction_session_timeout", b"BEGIN", "25P03"),
        ):
            with plain(address) as client:
                client.sendall(startup(user="ada", **{name: "300ms"}) + message("Q", begin + b"\0"))
                assert ended_with(client) == sqlstate


def test_a_running_statement_is_no_silence():
    with running(fake_front(), limits=Limits(idle_seconds=0.3)) as address, plain(address) as client:
        client.sendall(
            startup(user="ada", statement_timeout="900ms") + message("Q", FOREVER.encode() + b"\0")
        )
        answers = everything(client)
    assert [answer[1] for answer in answers if answer[0] == "E"] == ["57014", "57P05"]


# --- statement_timeout ---


@pytest.fixture(scope="module")
def address():
    with running(fake_front()) as address:
        yield address


@pytest.fixture
def client(address):
    with connect(address) as client:
        yield client


def test_statements_that_take_too_long(client):
    client.execute("SET statement_timeout = '200ms'")
    for _ in range(2):
        with pytest.raises(psycopg.errors.QueryCanceled, match="due to statement timeout"):
            client.execute(FOREVER)
        assert client.execute("SELECT 1 AS a").fetchone() == (1,)


def test_each_statement_of_a_script_has_its_own_time():
    front = fake_front()

    def plan(*arguments):
        query = front.plan(*arguments)
        original = query.run
        query.run = lambda *run: (time.sleep(0.5), original(*run))[1]
        return query

    with running(replace(front, plan=plan)) as address, connect(address) as client:
        client.execute("SET statement_timeout = 1400")
        client.execute("SELECT 1 AS a; SELECT 2 AS a; SELECT 3 AS a")


def test_the_time_of_a_transaction_alone(client):
    client.execute("BEGIN; SET LOCAL statement_timeout = 100")
    with pytest.raises(psycopg.errors.QueryCanceled):
        client.execute(FOREVER)
    client.execute("ROLLBACK")
    assert client.execute("SHOW statement_timeout").fetchone() == ("1h",)


def test_cursors_and_prepared_statements_have_it_too(client):
    client.execute("SET statement_timeout = 200")
    with pytest.raises(psycopg.errors.QueryCanceled, match="due to statement timeout"):
        client.execute(FOREVER, prepare=True)
    client.execute(f"BEGIN; DECLARE c CURSOR FOR {FOREVER}")
    with pytest.raises(psycopg.errors.QueryCanceled, match="due to statement timeout"):
        client.execute("FETCH c")
    client.execute("ROLLBACK")


def test_a_cursor_between_two_fetches_runs_out_of_no_time(client):
    client.execute("SET statement_timeout = 500")
    client.execute("BEGIN; DECLARE c CURSOR FOR SELECT i FROM range(5) AS r(i)")
    for number in range(3):
        assert client.execute("FETCH c").fetchone() == (number,)
        time.sleep(0.3)
    client.execute("COMMIT")


def test_the_server_s_bound_cannot_be_lifted():
    with running(fake_front(), limits=Limits(statement_seconds=0.3)) as address, connect(address) as client:
        assert client.execute("SHOW statement_timeout").fetchone() == ("300ms",)
        client.execute("SET statement_timeout = 0")
        with pytest.raises(psycopg.errors.QueryCanceled, match="due to statement timeout"):
            client.execute(FOREVER)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("100", "100ms"),
        ("'5s'", "5s"),
        ("'90000ms'", "90s"),
        ("'120 s'", "2min"),
        ("'1.5h'", "90min"),
        ("'1d'", "1d"),
        ("'500us'", "0"),
        ("0", "0"),
        ("DEFAULT", "1h"),
    ],
)
def test_times_are_shown_as_postgresql_does(client, given, shown):
    client.execute(f"SET statement_timeout = {given}")
    assert client.execute("SHOW statement_timeout").fetchone() == (shown,)


@pytest.mark.parametrize(
    ("given", "told", "hint"),
    [
        ("'soon'", 'invalid value for parameter "statement_timeout": "soon"', None),
        ("'5 weeks'", 'invalid value for parameter "statement_timeout": "5 weeks"', "Valid units"),
        ("-1", '-1 ms is outside the valid range for parameter "statement_timeout" (0 .. 2147483647)', None),
        ("'25d'", "2160000000 ms is outside the valid range", None),
    ],
)
def test_what_is_no_time(client, given, told, hint):
    with pytest.raises(psycopg.errors.InvalidParameterValue) as raised:
        client.execute(f"SET statement_timeout = {given}")
    assert raised.value.diag.message_primary.startswith(told)
    assert hint is None or raised.value.diag.message_hint.startswith(hint)


def test_the_smaller_bound_counts():
    assert seconds("0", None) is None
    assert seconds("5s", None) == 5
    assert seconds("0", 3.0) == 3
    assert seconds("2s", 3.0) == 2
    assert seconds("2min", 3.0) == 3


# --- alarms ---


def test_alarms_ring_in_order_and_never_after_their_block():
    alarms, rung = Alarms(), []
    with alarms.after(0.2, lambda: rung.append("late")), alarms.after(0.05, lambda: rung.append("early")):
        eventually(lambda: len(rung) == 2)
    for _ in range(3000):
        with alarms.after(0.01, lambda: rung.append("never")):
            pass
    with alarms.after(None, lambda: rung.append("never")):
        time.sleep(0.1)
    assert rung == ["early", "late"]


def test_an_alarm_that_fails_leaves_the_others(caplog):
    alarms, rung = Alarms(), threading.Event()
    with alarms.after(0.01, lambda: 1 / 0), alarms.after(0.05, rung.set):
        assert rung.wait(10)
    assert "an alarm failed" in caplog.text


# --- wrong passwords ---


def refused(logins, user="ada", place="10.0.0.1"):
    try:
        logins.check(user, place)
    except SqlError as error:
        assert error.sqlstate == "28000"
        assert "seconds" in error.hint or "a second" in error.hint
        return True
    return False


def test_guessing_gets_slower():
    now = [0.0]
    logins = Logins(lambda: now[0])
    for _ in range(FREE_TRIES):
        assert not refused(logins)
        logins.failed("ada", "10.0.0.1")
    waits = []
    for _ in range(7):
        assert refused(logins)
        began = now[0]
        while refused(logins):
            now[0] += 0.5
        waits.append(now[0] - began)
        logins.failed("ada", "10.0.0.1")
    assert waits == [1, 2, 4, 8, 16, LONGEST_WAIT, LONGEST_WAIT]
    assert not refused(logins, user="eve")
    assert not refused(logins, place="10.0.0.2")
    now[0] += LONGEST_WAIT
    logins.succeeded("ada", "10.0.0.1")
    logins.failed("ada", "10.0.0.1")
    assert not refused(logins)


def test_a_right_password_among_wrong_ones_forgives_them_and_none_is_kept_for_ever():
    now = [0.0]
    logins = Logins(lambda: now[0])
    for _ in range(FREE_TRIES - 1):
        logins.failed("ada", "10.0.0.1")
    now[0] = 3600
    logins.failed("ada", "10.0.0.1")
    assert not refused(logins)
    for number in range(20_000):
        logins.failed(f"user {number}", "10.0.0.1")
    assert len(logins._guesses._failures) == 10_000


def test_wrong_passwords_on_a_socket(caplog):
    front = fake_front(login={"ada": login_with("secret")}.get)
    with running(front) as address:
        for _ in range(FREE_TRIES):
            with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
                connect(address, password="wrong")
        with pytest.raises(psycopg.OperationalError, match="too many failed logins"):
            connect(address, password="secret")
        eventually(lambda: not raises(lambda: connect(address, password="secret").close()))
    assert "failed login of user 'ada' from 127.0.0.1, number 5" in caplog.text


# --- the end ---


FINITE = "SELECT count(*) AS n FROM range(20000) a(i), range(20000) b(i) WHERE (a.i * b.i) % 7 = 3"


def test_running_statements_may_end_and_idle_sessions_do_at_once():
    outcome, closed = [], []

    def run(client):
        outcome.append(client.execute(FINITE).fetchone()[0])
        with pytest.raises(psycopg.OperationalError):
            client.execute("SELECT 1 AS a")

    def wait(idle):
        closed.append(everything(idle)[-1][1])
        closed.append(bool(outcome))

    with running(fake_front(), limits=Limits(grace_seconds=60.0)) as address:
        busy, idle = connect(address), plain(address)
        idle.sendall(startup(user="ada"))
        until_ready(idle)
        threads = [
            threading.Thread(target=run, args=(busy,)),
            threading.Thread(target=wait, args=(idle,)),
        ]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        assert not outcome
    for thread in threads:
        thread.join(10)
    assert outcome[0] > 0
    assert closed == ["57P01", False]
    with pytest.raises(OSError, match="refused"):
        plain(address)


def test_statements_that_do_not_end_are_cancelled():
    outcome = []

    def run(client):
        try:
            client.execute(FOREVER)
        except psycopg.Error as error:
            outcome.append(error.sqlstate)

    with running(fake_front(), limits=Limits(grace_seconds=0.3)) as address:
        thread = threading.Thread(target=run, args=(connect(address),))
        thread.start()
        time.sleep(0.3)
    thread.join(10)
    assert outcome[0] in ("57014", "57P01")
