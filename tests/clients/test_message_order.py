"""Sequences of messages, legal ones of any kind: PostgreSQL 15 and we answer with the same messages in the same order.

Compared are the kinds of messages, rows, tags of completion, SQLSTATEs and the status of the transaction.
"""

import socket
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sqlfront.session import Session
from sqlfront.wire import messages as m
from tests.sqlfront.fake_front import fake_front
from tests.sqlfront.test_wire_messages import written
from tests.sqlfront.wire_client import simplified, startup

pytestmark = pytest.mark.clients

FRONT = fake_front()
FIVE = "SELECT i FROM generate_series(1, 5) AS r(i)"
QUESTIONS = ("SELECT 1 AS a", FIVE, "SELECT missing", "SELEC 1", "SELECT * FROM (VALUES (1), (2)) AS v(x)")
CONTROLS = (
    "",
    "BEGIN",
    "START TRANSACTION",
    "COMMIT",
    "END",
    "ROLLBACK",
    "SAVEPOINT s",
    "ROLLBACK TO s",
    "RELEASE s",
    f"DECLARE c CURSOR FOR {FIVE}",
    f"DECLARE h CURSOR WITH HOLD FOR {FIVE}",
    "FETCH 2 FROM c",
    "FETCH ALL FROM h",
    "MOVE 1 IN c",
    "CLOSE c",
    "CLOSE ALL",
    "SHOW DateStyle",
    "SET application_name = 'x'",
    "SET LOCAL application_name = 'y'",
    "RESET application_name",
    "SET IntervalStyle = postgres",
    "DEALLOCATE s",
    "DEALLOCATE ALL",
    "DISCARD ALL",
)
ALONE = st.sampled_from((*QUESTIONS, *CONTROLS))
SCRIPTS = st.lists(ALONE.filter(bool), min_size=1, max_size=3).map("; ".join)
NAMES = st.sampled_from(("", "s"))
PORTALS = st.sampled_from(("", "p", "c"))
VALUES = st.sampled_from(((), (b"5",), (None,), (b"x",)))
MESSAGES = st.one_of(
    st.builds(m.SimpleQuery, SCRIPTS | ALONE),
    st.builds(m.Parse, NAMES, ALONE | st.just("SELECT $1::int AS a"), st.sampled_from(((), (23,)))),
    st.builds(m.Bind, PORTALS, NAMES, st.just(()), VALUES, st.just(())),
    st.builds(m.Describe, st.just("S"), NAMES),
    st.builds(m.Describe, st.just("P"), PORTALS),
    st.builds(m.Execute, PORTALS, st.sampled_from((0, 1, 2))),
    st.builds(m.Close, st.just("S"), NAMES),
    st.builds(m.Close, st.just("P"), PORTALS),
    st.sampled_from((m.Flush(), m.Sync(), m.CopyIn("d"), m.FunctionCall(1))),
)


@st.composite
def groups(draw):
    """Messages as clients send them: mostly prepare, bind, run."""
    name, portal = draw(NAMES), draw(PORTALS)
    whole = [
        m.Parse(name, draw(ALONE), ()),
        m.Bind(portal, name, (), (), ()),
        m.Describe("P", portal),
        m.Execute(portal, draw(st.sampled_from((0, 2)))),
        m.Execute(portal, 0),
    ]
    return [message for message in whole if draw(st.integers(0, 5))] + [m.Sync()]


SEQUENCES = st.lists(groups() | MESSAGES.map(lambda one: [one]), max_size=8).map(
    lambda lists: [message for one in lists for message in one]
)


def bytes_of(message):
    if isinstance(message, m.FunctionCall):
        return b"F" + struct.pack("!IIHHH", 14, message.function, 0, 0, 0)
    return written(message)


def of_postgresql(server, messages):
    """Send everything at once and return the answers, those to the startup left out."""
    stream = b"".join(map(bytes_of, messages))
    with socket.create_connection((server.host, server.port), timeout=30) as client:
        client.sendall(startup(user="postgres", database="postgres"))
        greeting = b""
        while not greeting.endswith(b"Z\0\0\0\x05I"):
            greeting += client.recv(65536)
        client.sendall(stream + b"X\0\0\0\x04")
        answer = b""
        while part := client.recv(65536):
            answer += part
    return answer


def of_ours(messages):
    session = Session(FRONT, {"user": "postgres", "database": "postgres"}, 7, b"1234")
    session.greet()
    try:
        return b"".join(session.process(messages))
    finally:
        session.close()


NO_SUCH_FUNCTION = ("E", "42883")
NO_FUNCTION_CALLS = ("E", "0A000")


def compared(answer):
    """Leave out what may differ: words, positions and hints of errors, and why no function is called."""
    kept = [one[:2] if one[0] in "EN" else one for one in simplified(answer)]
    return [NO_FUNCTION_CALLS if one == NO_SUCH_FUNCTION else one for one in kept]


def check(server, messages):
    ours, theirs = compared(of_ours(messages)), compared(of_postgresql(server, messages))
    assert ours == theirs


def is_defined(sequence):
    """Leave out what PostgreSQL tells of its own making: the portal that a SimpleQuery had."""
    is_open = True
    for message in sequence:
        if isinstance(message, m.SimpleQuery):
            is_open = False
        elif isinstance(message, m.Bind) and not message.portal:
            is_open = True
        elif getattr(message, "portal", getattr(message, "name", None)) == "" and not is_open:
            return False
    return True


@pytest.mark.parametrize("rows", [1, 2, 5, 6])
@pytest.mark.parametrize("question", [FIVE, "FETCH 4 FROM h", "FETCH ALL FROM h", "SHOW DateStyle"])
def test_a_few_rows_at_a_time(postgres15, question, rows):
    taking = [m.Execute("p", rows)] * 4 + [m.Execute("p", 0)]
    check(
        postgres15,
        [
            m.SimpleQuery(f"DECLARE h CURSOR WITH HOLD FOR {FIVE}"),
            *[m.Parse("", question, ()), m.Bind("p", "", (), (), ()), m.Describe("P", "p"), *taking],
            *[m.Sync(), m.SimpleQuery("FETCH 1 FROM h")],
        ],
    )


@settings(max_examples=300, deadline=None)
@given(SEQUENCES.filter(is_defined))
def test_same_messages_in_the_same_order(postgres15, sequence):
    check(postgres15, [*sequence, m.Sync()])
