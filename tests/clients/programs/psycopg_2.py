"""psycopg 2: libpq with simple queries, values written into the statement, named cursors."""

import threading
from contextlib import closing

import psycopg2
from psycopg2 import extensions

from tests.clients.programs import program
from tests.clients.programs.program import asked
from tests.clients.programs.spelling import rows

MARKERS = ["%s"] * 6


def connected(password: str = program.PASSWORD) -> extensions.connection:
    return psycopg2.connect(
        host=program.HOST,
        port=program.PORT,
        dbname=program.DATABASE,
        user=program.USER,
        password=password,
        **program.tls(),
    )


def fetched(statement: str, values: tuple | None = None) -> list[tuple]:
    with connection, connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


def connect() -> str:
    who = fetched(asked("who"))[0][0]
    return f"{who}, {program.refused(lambda: connected('wrong'))}"


def text() -> str:
    return " / ".join(rows(fetched(asked(name))) for name in ("values", "question"))


def parameters() -> str:
    literal = fetched(asked("parameters", *MARKERS), program.PARAMETERS)
    return f"{rows(literal)} / {rows(fetched(asked('bound', *MARKERS), program.BOUND))}"


def paging() -> str:
    with connection, connection.cursor("pages") as cursor:
        cursor.itersize = 64
        cursor.execute(asked("pages"))
        numbers = [row[0] for row in cursor]
    return f"{len(numbers)} {sum(numbers)}"


def failing(statement: str) -> str:
    try:
        fetched(statement)
    except psycopg2.Error as error:
        return f"{error.pgcode} {fetched(asked('one'))[0][0]}"
    return "no error"


def cancel() -> str:
    timer = threading.Timer(0.5, connection.cancel)
    timer.start()
    try:
        return failing(asked("slow"))
    finally:
        timer.join()


def reconnect() -> str:
    told = []
    for _ in range(3):
        with closing(connected()) as again, again.cursor() as cursor:
            cursor.execute(asked("one"))
            told.append(str(cursor.fetchone()[0]))
    return " ".join(told)


connection = connected()
program.tell(
    psycopg2.__version__.split()[0],
    {
        "connect": connect,
        "list": lambda: " ".join(row[0] for row in fetched(program.LIST)),
        "describe": lambda: program.described(fetched(program.DESCRIBE)),
        "text": text,
        "parameters": parameters,
        "paging": paging,
        "cancel": cancel,
        "error": lambda: failing(asked("wrong")),
        "reconnect": reconnect,
    },
)
