"""pg8000: its own protocol code in Python; parameters travel as text, most of them without a type."""

import ssl
from contextlib import closing
from importlib.metadata import version

import pg8000.dbapi

from tests.clients.programs import program
from tests.clients.programs.program import asked
from tests.clients.programs.spelling import rows

MARKERS = ["%s"] * 6


def connected(password: str = program.PASSWORD) -> pg8000.dbapi.Connection:
    context = ssl.create_default_context(cafile=program.CA)
    return pg8000.dbapi.connect(
        host=program.HOST,
        port=program.PORT,
        database=program.DATABASE,
        user=program.USER,
        password=password,
        ssl_context=context,
    )


def fetched(statement: str, values: tuple = ()) -> list[list]:
    cursor = connection.cursor()
    try:
        cursor.execute(statement, values)
        return cursor.fetchall()
    finally:
        connection.rollback()


def connect() -> str:
    who = fetched(asked("who"))[0][0]
    return f"{who}, {program.refused(lambda: connected('wrong'))}"


def parameters() -> str:
    literal = fetched(asked("parameters", *MARKERS), program.PARAMETERS)
    return f"{rows(literal)} / {rows(fetched(asked('bound', *MARKERS), program.BOUND))}"


def paging() -> str:
    cursor = connection.cursor()
    cursor.execute(f"DECLARE pages CURSOR FOR {asked('pages')}")
    numbers = []
    while True:
        cursor.execute("FETCH FORWARD 64 FROM pages")
        page = cursor.fetchall()
        if not page:
            break
        numbers += [row[0] for row in page]
    connection.commit()
    return f"{len(numbers)} {sum(numbers)}"


def error() -> str:
    try:
        fetched(asked("wrong"))
    except pg8000.dbapi.DatabaseError as error:
        return f"{error.args[0]['C']} {fetched(asked('one'))[0][0]}"
    return "no error"


def reconnect() -> str:
    told = []
    for _ in range(3):
        with closing(connected()) as again:
            cursor = again.cursor()
            cursor.execute(asked("one"))
            told.append(str(cursor.fetchone()[0]))
    return " ".join(told)


connection = connected()
program.tell(
    version("pg8000"),
    {
        "connect": connect,
        "list": lambda: " ".join(row[0] for row in fetched(program.LIST)),
        "describe": lambda: program.described(fetched(program.DESCRIBE)),
        "text": lambda: " / ".join(rows(fetched(asked(name))) for name in ("values", "question")),
        "parameters": parameters,
        "paging": paging,
        "error": error,
        "reconnect": reconnect,
    },
)
