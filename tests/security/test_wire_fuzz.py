"""Mutated messages: whatever bytes arrive, a session answers in whole messages or ends, and nothing unforeseen
happens; afterwards the server answers as before, and its memory has not grown.

``WAYLINE_FUZZ_MESSAGES`` says how many thousands of messages are mutated, and ``WAYLINE_FAULT_SEED`` makes a
run come again.
"""

from __future__ import annotations

import os
import random
import resource
import socket
import struct
import sys
import threading

import pytest

from engine import flow
from engine.errors import WaylineError
from engine.world import Home
from sqlfront.front import open_front
from sqlfront.gate import OwnersGate
from sqlfront.limits import Limits
from sqlfront.server import running
from sqlfront.session import Session
from sqlfront.wire import messages as m
from tests.faults.victims import FIRST_SEED
from tests.sqlfront.conftest import write
from tests.sqlfront.shop import DEFINITIONS, EVENTS, FIELDS
from tests.sqlfront.wire_client import message, received, startup, text

MESSAGES = 1000 * int(os.environ.get("WAYLINE_FUZZ_MESSAGES", "2"))
pytestmark = pytest.mark.faults
LIMITS = Limits(statement_seconds=2.0)
GROWTH = 96 << 20

QUESTIONS = [
    "SELECT 1",
    "SELECT channel, sum(revenue) FROM web GROUP BY 1 ORDER BY 2 DESC LIMIT 3",
    "SELECT * FROM web LIMIT 5",
    "BEGIN; DECLARE c CURSOR FOR SELECT channel FROM web; FETCH 3 c; COMMIT",
    "COPY (SELECT channel, orders FROM web LIMIT 3) TO STDOUT (FORMAT csv, HEADER)",
    "SET application_name = 'x'; SHOW ALL",
    "SELECT relname, relkind FROM pg_class WHERE relname = 'web'",
    "CREATE TEMP TABLE t (a int); INSERT INTO t VALUES (1), (2); SELECT sum(a) FROM t; DROP TABLE t",
    "PREPARE p AS SELECT $1::int + 1; EXECUTE p(41); DEALLOCATE p",
]


def parse(name, sql, *oids):
    return message("P", text(name) + text(sql) + struct.pack(f"!H{len(oids)}I", len(oids), *oids))


def bind(portal, statement, values, formats=(), results=()):
    body = text(portal) + text(statement) + struct.pack(f"!H{len(formats)}H", len(formats), *formats)
    body += struct.pack("!H", len(values))
    for value in values:
        body += struct.pack("!i", -1) if value is None else struct.pack("!I", len(value)) + value
    return message("B", body + struct.pack(f"!H{len(results)}H", len(results), *results))


def extended(name, sql, values, formats, results, most=0):
    return [
        parse(name, sql),
        message("D", b"S" + text(name)),
        bind("", name, values, formats, results),
        message("D", b"P" + text("")),
        message("E", text("") + struct.pack("!I", most)),
        message("C", b"S" + text(name)),
        message("H"),
        message("S"),
    ]


CONVERSATIONS = [
    *([message("Q", text(sql))] for sql in QUESTIONS),
    extended("", "SELECT $1::int8 + 1, $2::text", [b"41", None], (), (1,)),
    extended("s", "SELECT $1::int8 + 1", [struct.pack("!q", 41)], (1,), (0,), most=1),
    extended("t", "SELECT channel FROM web WHERE revenue > $1 LIMIT 3", [b"2"], (0,), (1,)),
    [message("F", struct.pack("!IHH", 1, 0, 0) + struct.pack("!H", 0))],
    [message("d", b"1\t2\n"), message("c"), message("f", text("no")), message("S")],
]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    made = Home.create(folder / "home")
    flow.apply(made, DEFINITIONS)
    flow.ingest(made, "events", [write(folder / "events.csv", FIELDS, EVENTS)])
    yield made
    made.close()


def mutated(rng, conversation):
    """Return the bytes of some messages, changed in one to three ways."""
    parts = [bytearray(part) for part in conversation]
    for _ in range(rng.randint(1, 3)):
        part = rng.choice(parts)
        at = rng.randrange(len(part)) if part else 0
        match rng.randrange(8):
            case 0 if part:
                part[at] ^= 1 << rng.randrange(8)
            case 1 if part:
                part[at] = rng.randrange(256)
            case 2:
                del part[at:]
            case 3:
                del part[at : at + rng.randint(1, 8)]
            case 4:
                part[at:at] = rng.randbytes(rng.randint(1, 8))
            case 5 if len(part) >= 5:
                part[1:5] = struct.pack("!I", rng.choice([0, 3, 4, 5, 1 << 16, 1 << 31, len(part)]))
            case 6:
                rng.shuffle(parts)
            case _:
                parts.insert(rng.randrange(len(parts) + 1), bytearray(part))
    return b"".join(bytes(part) for part in parts)


def repaired(rng, conversation):
    """Return messages with changed bodies and right lengths, so that they are read to their end."""
    parts = []
    for part in conversation:
        body = bytearray(part[5:])
        for _ in range(rng.randint(0, 3)):
            at = rng.randrange(len(body) + 1)
            body[at : at + rng.randint(0, 3)] = rng.choice(
                [b"\0", b"'", b"(", b"$9", b"\xff", b" , ", b"1", b""]
            )
        parts.append(message(chr(part[0]), bytes(body)))
    return b"".join(parts)


class Talk:
    """One session and what a connection would do for it."""

    def __init__(self, front):
        self.session = Session(front, {"user": "ada", "database": "demo"}, 7, b"1234", limits=LIMITS)
        self.session.greet()
        self.reader = m.FrontendReader()

    def hear(self, data):
        """Take bytes; return the replies, and whether the session goes on."""
        self.reader.feed(data)
        heard = []
        try:
            heard += self.reader.messages()
        except WaylineError:
            return self.answer(heard), False
        return self.answer(heard), not any(isinstance(one, m.Terminate) for one in heard)

    def answer(self, heard):
        known = [one for one in heard if not isinstance(one, m.Terminate)]
        return b"".join(bytes(chunk) for chunk in self.session.process(known))


def codes(replies):
    """Return the SQLSTATEs of the errors among whole messages."""
    found = [body for tag, body in received(replies) if tag == "E"]
    return [part[1:].decode() for body in found for part in body.split(b"\0") if part[:1] == b"C"]


def test_whatever_arrives_is_answered_or_ends_the_session(home):
    print(f"WAYLINE_FAULT_SEED={FIRST_SEED} WAYLINE_FUZZ_MESSAGES={MESSAGES // 1000}")
    rng, front = random.Random(FIRST_SEED), open_front(home, OwnersGate())
    talk, warm = Talk(front), 0
    for number in range(MESSAGES):
        conversation = rng.choice(CONVERSATIONS)
        data = rng.choice([mutated, repaired])(rng, conversation)
        replies, goes_on = talk.hear(data)
        assert "XX000" not in codes(replies), (FIRST_SEED, number, data)
        if not goes_on or talk.reader.buffered or rng.random() < 0.02:
            talk.session.close()
            talk = Talk(front)
        if number == MESSAGES // 3:
            warm = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - warm
    assert grown * (1 if sys.platform == "darwin" else 1024) < GROWTH
    replies, _ = Talk(front).hear(message("Q", text("SELECT count(*) FROM web")))
    assert codes(replies) == []


def test_a_server_outlives_whatever_arrives(home):
    rng = random.Random(FIRST_SEED)
    threads = threading.active_count()
    with running(open_front(home, OwnersGate()), limits=LIMITS) as address:

        def send(data):
            with socket.create_connection((address.host, address.port), timeout=10) as client:
                client.sendall(data)
                client.shutdown(socket.SHUT_WR)
                while client.recv(1 << 16):
                    pass

        for _ in range(MESSAGES // 50):
            hello = startup(user="ada", database="demo")
            talk = b"".join(mutated(rng, rng.choice(CONVERSATIONS)) for _ in range(3))
            hello = rng.choice([hello, hello, mutated(rng, [hello])])
            try:
                send(hello + talk)
            except ConnectionError:
                continue
        with socket.create_connection((address.host, address.port), timeout=10) as client:
            client.sendall(
                startup(user="ada", database="demo") + message("Q", text("SELECT 42 AS a")) + message("X")
            )
            replies = b""
            while chunk := client.recv(1 << 16):
                replies += chunk
        assert b"42" in replies
    assert threading.active_count() <= threads + 4
