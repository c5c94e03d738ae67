"""The messages that Npgsql sends, in its order, over a socket: as 4.0.10, which Power BI ships, or as of today.

Its types are loaded in one message, everything is asked for in binary, a statement's messages travel together,
and a connection given back to the pool is reset by the first message of its next user.
"""

import socket
import ssl
import struct
import sys
import time
from datetime import date, datetime, timedelta
from decimal import Decimal

from scramp import ScramClient

from tests.clients.programs import program
from tests.clients.programs.program import asked
from tests.clients.programs.spelling import rows
from tests.sqlfront.wire_client import columns, message, startup, text

OLD = sys.argv[1] == "4.0.10"
START = {"client_encoding": "UTF8", "user": program.USER, "database": program.DATABASE}
if not OLD:
    START |= {"application_name": "Npgsql", "TimeZone": "UTC"}
TYPES = """
    SELECT n.nspname, t.typname, t.oid, t.typrelid, t.typbasetype,
      CASE WHEN p.proname = 'array_recv' THEN 'a' ELSE t.typtype END AS kind,
      CASE WHEN p.proname = 'array_recv' THEN t.typelem WHEN t.typtype = 'r' THEN r.rngsubtype ELSE 0 END AS element,
      CASE WHEN p.proname IN ('array_recv', 'oidvectorrecv') THEN 3 WHEN t.typtype = 'r' THEN 2
        WHEN t.typtype = 'd' THEN 1 ELSE 0 END AS place
    FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace JOIN pg_proc AS p ON p.oid = t.typreceive
    LEFT OUTER JOIN pg_class AS c ON c.oid = t.typrelid LEFT OUTER JOIN pg_type AS e ON e.oid = t.typelem
    LEFT OUTER JOIN pg_class AS k ON k.oid = e.typrelid LEFT OUTER JOIN pg_range AS r ON r.rngtypid = t.oid
    WHERE t.typtype IN ('b', 'r', 'e', 'd') OR (t.typtype = 'c' AND c.relkind = 'c')
      OR (p.proname = 'array_recv' AND (e.typtype IN ('b', 'r', 'e', 'd') OR (e.typtype = 'p'
        AND e.typname IN ('record', 'void')) OR (e.typtype = 'c' AND k.relkind = 'c')))
      OR (t.typtype = 'p' AND t.typname IN ('record', 'void'))
    ORDER BY place
"""
COMPOSITES = """
    SELECT t.oid, a.attname, a.atttypid FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace
    JOIN pg_class AS c ON c.oid = t.typrelid JOIN pg_attribute AS a ON a.attrelid = t.typrelid
    WHERE t.typtype = 'c' AND c.relkind = 'c' AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY t.typname, a.attnum
"""
ENUMS = """
    SELECT pg_type.oid, enumlabel FROM pg_enum JOIN pg_type ON pg_type.oid = enumtypid
    ORDER BY oid, enumsortorder
"""
RESET = (
    "DISCARD ALL"
    if OLD
    else (
        "CLOSE ALL; UNLISTEN *; SELECT pg_advisory_unlock_all(); RESET ALL; SET SESSION AUTHORIZATION DEFAULT"
    )
)
SYNC = message("S")
ANY_DESCRIBE = message("D", b"P\0")
PARAMETERS = (
    (25, "hé".encode()),
    (20, struct.pack("!q", 42)),
    (701, struct.pack("!d", 0.5)),
    (16, b"\1"),
    (1082, struct.pack("!i", (date(2024, 2, 29) - date(2000, 1, 1)).days)),
    (25, None),
)
BOUND = ((25, b"email"), (1082, struct.pack("!i", (date(2026, 2, 1) - date(2000, 1, 1)).days)))
LIST = """
    select TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE from INFORMATION_SCHEMA.tables
    where TABLE_SCHEMA not in ('information_schema', 'pg_catalog') order by TABLE_SCHEMA, TABLE_NAME
"""
DESCRIBE = """
    select COLUMN_NAME, ORDINAL_POSITION, IS_NULLABLE, DATA_TYPE from INFORMATION_SCHEMA.columns
    where TABLE_SCHEMA = 'public' and TABLE_NAME = 'crm' order by TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION
"""


class ServerError(Exception):
    """What the server said; its code is in the text."""


class Connection:
    """Guards one encrypted socket on which somebody has logged in."""

    def __init__(self, password: str = program.PASSWORD) -> None:
        plain = socket.create_connection((program.HOST, program.PORT), timeout=60)
        plain.sendall(struct.pack("!II", 8, 80877103))
        assert plain.recv(1) == b"S"
        context = ssl.create_default_context(cafile=program.CA)
        self.socket = context.wrap_socket(plain, server_hostname=program.HOST)
        self.file = self.socket.makefile("rb")
        self.told: dict[str, str] = {}
        self.key = b""
        self._log_in(password)

    def close(self) -> None:
        self.socket.sendall(message("X"))
        self.socket.close()

    def _log_in(self, password: str) -> None:
        self.socket.sendall(startup(**START))
        client = ScramClient(["SCRAM-SHA-256"], program.USER, password)
        self.answers()
        first = client.get_client_first().encode()
        self.socket.sendall(message("p", text("SCRAM-SHA-256") + struct.pack("!i", len(first)) + first))
        client.set_server_first(self.answers()[-1][1][4:].decode())
        self.socket.sendall(message("p", client.get_client_final().encode()))
        for tag, body in self.answers():
            if tag == "R" and body[:4] == struct.pack("!I", 12):
                client.set_server_final(body[4:].decode())
            if tag == "S":
                name, value, _ = body.decode().split("\0")
                self.told[name] = value
            if tag == "K":
                self.key = body

    def answers(self) -> list[tuple[str, bytes]]:
        """Return the messages up to the next that waits for us; raise what the server says is wrong."""
        found, wrong = [], None
        while True:
            head = self.file.read(5)
            if not head:
                raise wrong or ServerError("the connection is closed")
            tag, body = chr(head[0]), self.file.read(struct.unpack("!I", head[1:])[0] - 4)
            found.append((tag, body))
            if tag == "E":
                fields = {part[:1]: part[1:].decode() for part in body.split(b"\0") if part}
                wrong = ServerError(f"{fields[b'C']} {fields[b'M']}")
            if tag == "Z" or (tag == "R" and body[:4] in (struct.pack("!I", 10), struct.pack("!I", 11))):
                if wrong is not None:
                    raise wrong
                return found

    def fetched(
        self, statement: str, *values: tuple[int, bytes | None], before: bytes = b""
    ) -> list[list[object]]:
        """Ask with one unnamed statement, all its messages at once, and read everything in binary."""
        self.socket.sendall(before + asking(statement, *values) + SYNC)
        if before:
            self.answers()
        found = self.answers()
        assert [tag for tag, _ in found if tag != "D"] == list("12TCZ"), found
        return tuples(found)


def asking(statement: str, *values: tuple[int, bytes | None], most: int = 0) -> bytes:
    """Return Parse, Bind, Describe and Execute of a statement."""
    oids = b"".join(struct.pack("!I", oid) for oid, _ in values)
    sized = b"".join(
        struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value
        for _, value in values
    )
    count = struct.pack("!H", len(values))
    formats = struct.pack("!HH", 1, 1) if values else struct.pack("!H", 0)
    bind = b"\0\0" + formats + count + sized + struct.pack("!HH", 1, 1)
    parse = message("P", b"\0" + text(statement) + count + oids)
    return parse + message("B", bind) + ANY_DESCRIBE + message("E", b"\0" + struct.pack("!I", most))


def tuples(found: list[tuple[str, bytes]]) -> list[list[object]]:
    described = next(columns(body) for tag, body in found if tag == "T")
    return [row(body, described) for tag, body in found if tag == "D"]


def row(body: bytes, described: list[tuple[str, int, int]]) -> list[object]:
    at, values = 2, []
    for _, oid, form in described:
        (length,) = struct.unpack_from("!i", body, at)
        values.append(None if length == -1 else value(body[at + 4 : at + 4 + length], oid, form))
        at += 4 + max(length, 0)
    return values


def value(data: bytes, oid: int, form: int) -> object:
    numbers = {16: "?", 20: "q", 21: "h", 23: "i", 26: "I", 701: "d"}
    if form == 0 or oid in (18, 19, 25, 1043):
        return data.decode()
    if oid in numbers:
        return struct.unpack(f"!{numbers[oid]}", data)[0]
    if oid == 1082:
        return date(2000, 1, 1) + timedelta(days=struct.unpack("!i", data)[0])
    if oid == 1114:
        return datetime(2000, 1, 1) + timedelta(microseconds=struct.unpack("!q", data)[0])
    if oid == 1700:
        count, weight, sign, _ = struct.unpack_from("!hhHh", data)
        digits = struct.unpack_from(f"!{count}h", data, 8)
        number = sum(Decimal(digit).scaleb(4 * (weight - at)) for at, digit in enumerate(digits))
        return -number if sign else number
    raise ValueError(f"no decoder for type {oid}")


def types() -> str:
    """Load the types as at a connection's start: all of it in one message."""
    connection.socket.sendall(message("Q", text(f"SELECT version();{TYPES};{COMPOSITES};{ENUMS}")))
    found = connection.answers()
    assert [tag for tag, _ in found if tag not in "DS"] == list("TCTCTCTCZ")
    counts = [int(body[:-1].split()[-1]) for tag, body in found if tag == "C"]
    return f"{counts[0]}, {'enough' if counts[1] > 60 else counts[1]}"


def connect() -> str:
    assert connection.told["server_encoding"] == connection.told["client_encoding"] == "UTF8"
    who = connection.fetched(asked("who"))[0][0]
    return f"{who}, {program.refused(lambda: Connection('wrong'))}"


def parameters() -> str:
    markers = [f"${number}" for number in range(1, 7)]
    literal = connection.fetched(asked("parameters", *markers), *PARAMETERS)
    return f"{rows(literal)} / {rows(connection.fetched(asked('bound', *markers), *BOUND))}"


def paging() -> str:
    """Read a portal by 64 rows, as a reader with a limit of rows does."""
    connection.socket.sendall(asking(asked("pages"), most=64) + message("H"))
    described, numbers, tag = [], [], ""
    while tag != "C":
        head = connection.file.read(5)
        tag, body = chr(head[0]), connection.file.read(struct.unpack("!I", head[1:])[0] - 4)
        if tag == "T":
            described = columns(body)
        if tag == "D":
            numbers += row(body, described)
        if tag == "s":
            connection.socket.sendall(message("E", b"\0" + struct.pack("!I", 64)) + message("H"))
    connection.socket.sendall(SYNC)
    connection.answers()
    return f"{len(numbers)} {sum(numbers)}"


def failing() -> str:
    try:
        connection.fetched(asked("wrong"))
    except ServerError as error:
        return f"{str(error).split()[0]} {connection.fetched(asked('one'))[0][0]}"
    return "no error"


def cancel() -> str:
    """Cancel by a connection of its own."""
    connection.socket.sendall(asking(asked("slow")) + SYNC)
    time.sleep(0.5)
    with socket.create_connection((program.HOST, program.PORT)) as other:
        other.sendall(struct.pack("!II", 16, 80877102) + connection.key)
    try:
        connection.answers()
    except ServerError as error:
        return f"{str(error).split()[0]} {connection.fetched(asked('one'))[0][0]}"
    return "not cancelled"


def reconnect() -> str:
    """Give the connection back to the pool: its next user's first message resets it."""
    reset = message("Q", text(RESET))
    told = [str(connection.fetched(asked("one"), before=reset)[0][0]) for _ in range(2)]
    again = Connection()
    told.append(str(again.fetched(asked("one"))[0][0]))
    again.close()
    return " ".join(told)


connection = Connection()
program.tell(
    sys.argv[1],
    {
        "connect": connect,
        "list": lambda: " ".join(name for schema, name, _ in connection.fetched(LIST) if schema == "public"),
        "describe": lambda: program.described((each[0], each[3]) for each in connection.fetched(DESCRIBE)),
        "binary": lambda: " / ".join(
            rows(connection.fetched(asked(name))) for name in ("values", "question")
        ),
        "parameters": parameters,
        "paging": paging,
        "cancel": cancel,
        "error": failing,
        "reconnect": reconnect,
        "types in one message": types,
    },
)
