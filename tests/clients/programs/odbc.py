"""psqlodbc, the driver of Tableau, Excel and many more, through pyodbc and unixODBC."""

import threading
from contextlib import closing
from pathlib import Path

import pyodbc

from tests.clients.programs import program
from tests.clients.programs.program import asked
from tests.clients.programs.spelling import rows

DRIVER = next(Path("/usr/lib").glob("*/odbc/psqlodbcw.so"))
SPELLED = {"text": "text", "date": "date"}


def connected(password: str = program.PASSWORD, **options: object) -> pyodbc.Connection:
    place = {
        "DRIVER": DRIVER,
        "SERVER": program.HOST,
        "PORT": program.PORT,
        "DATABASE": program.DATABASE,
        "UID": program.USER,
        "PWD": password,
        "BoolsAsChar": 0,
    }
    tls = {"SSLmode": "verify-full", "pqopt": f"{{sslrootcert={program.CA} channel_binding=require}}"}
    options = place | tls | options
    return pyodbc.connect(";".join(f"{name}={value}" for name, value in options.items()), autocommit=True)


def fetched(statement: str, *values: object) -> list[pyodbc.Row]:
    return connection.cursor().execute(statement, *values).fetchall()


def connect() -> str:
    return f"{fetched(asked('who'))[0][0]}, {program.refused(lambda: connected('wrong'))}"


def listed() -> str:
    return " ".join(sorted(row.table_name for row in connection.cursor().tables(schema="public")))


def describe() -> str:
    columns = connection.cursor().columns(schema="public", table="crm").fetchall()
    return program.described((row.column_name, SPELLED[row.type_name]) for row in columns)


def parameters() -> str:
    markers = ["?"] * 6
    literal = fetched(asked("parameters", *markers), *program.PARAMETERS)
    return f"{rows(literal)} / {rows(fetched(asked('bound', *markers), *program.BOUND))}"


def paging() -> str:
    with closing(connected(UseDeclareFetch=1, Fetch=64)) as paged:
        numbers = [row[0] for row in paged.cursor().execute(asked("pages"))]
    return f"{len(numbers)} {sum(numbers)}"


def failing(cursor: pyodbc.Cursor, statement: str) -> str:
    try:
        cursor.execute(statement)
    except pyodbc.Error as error:
        told = {"42S22": "42703", "42703": "42703", "HY008": "57014", "57014": "57014"}
        return f"{told.get(error.args[0], error)} {fetched(asked('one'))[0][0]}"
    return "no error"


def cancel() -> str:
    cursor = connection.cursor()
    timer = threading.Timer(0.5, cursor.cancel)
    timer.start()
    try:
        return failing(cursor, asked("slow"))
    finally:
        timer.join()


def reconnect() -> str:
    told = []
    for _ in range(3):
        with closing(connected()) as again:
            told.append(str(again.cursor().execute(asked("one")).fetchval()))
    return " ".join(told)


connection = connected()
program.tell(
    f"{connection.getinfo(pyodbc.SQL_DRIVER_VER)}, pyodbc {pyodbc.version}",
    {
        "connect": connect,
        "list": listed,
        "describe": describe,
        "text": lambda: " / ".join(rows(fetched(asked(name))) for name in ("values", "question")),
        "parameters": parameters,
        "paging": paging,
        "cancel": cancel,
        "error": lambda: failing(connection.cursor(), asked("wrong")),
        "reconnect": reconnect,
    },
)
