"""psycopg 3: libpq, both formats, named cursors, cancels by key."""

import threading

import psycopg

from tests.clients.programs import program
from tests.clients.programs.program import asked
from tests.clients.programs.spelling import rows

MARKERS = ["%s"] * 6


def connected(password: str = program.PASSWORD) -> psycopg.Connection:
    return psycopg.connect(
        host=program.HOST,
        port=program.PORT,
        dbname=program.DATABASE,
        user=program.USER,
        password=password,
        autocommit=True,
        **program.tls(),
    )


def connect() -> str:
    who = connection.execute(asked("who")).fetchone()[0]
    return f"{who}, {program.refused(lambda: connected('wrong'))}"


def listed() -> str:
    return " ".join(row[0] for row in connection.execute(program.LIST))


def describe() -> str:
    return program.described(connection.execute(program.DESCRIBE).fetchall())


def read(binary: bool) -> str:
    found = [connection.execute(asked(name), binary=binary).fetchall() for name in ("values", "question")]
    return " / ".join(map(rows, found))


def parameters() -> str:
    told = set()
    for binary in (False, True):
        markers = ["%b" if binary else "%t"] * 6
        literal = connection.execute(
            asked("parameters", *markers), program.PARAMETERS, binary=binary
        ).fetchall()
        bound = connection.execute(asked("bound", *markers), program.BOUND, binary=binary).fetchall()
        told.add(f"{rows(literal)} / {rows(bound)}")
    return " or ".join(told)


def paging() -> str:
    told = set()
    for binary in (False, True):
        with connection.transaction(), connection.cursor("pages", binary=binary) as cursor:
            cursor.itersize = 64
            cursor.execute(asked("pages"))
            numbers = [row[0] for row in cursor]
        told.add(f"{len(numbers)} {sum(numbers)}")
    return " or ".join(told)


def cancel() -> str:
    timer = threading.Timer(0.5, connection.cancel_safe)
    timer.start()
    try:
        connection.execute(asked("slow"))
    except psycopg.Error as error:
        return f"{error.sqlstate} {one()}"
    finally:
        timer.join()
    return "not cancelled"


def error() -> str:
    try:
        with connection.transaction():
            connection.execute(asked("wrong"))
    except psycopg.Error as error:
        return f"{error.sqlstate} {one()}"
    return "no error"


def one() -> int:
    return connection.execute(asked("one")).fetchone()[0]


def reconnect() -> str:
    told = []
    for _ in range(3):
        with connected() as again:
            told.append(str(again.execute(asked("one")).fetchone()[0]))
    return " ".join(told)


connection = connected()
program.tell(
    psycopg.__version__,
    {
        "connect": connect,
        "list": listed,
        "describe": describe,
        "text": lambda: read(False),
        "binary": lambda: read(True),
        "parameters": parameters,
        "paging": paging,
        "cancel": cancel,
        "error": error,
        "reconnect": reconnect,
    },
)
