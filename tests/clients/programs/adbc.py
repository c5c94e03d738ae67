"""ADBC's driver for PostgreSQL: results as Arrow, by COPY in binary."""

import threading
from contextlib import closing
from importlib.metadata import version

import adbc_driver_postgresql.dbapi as adbc

from tests.clients.programs import program
from tests.clients.programs.program import asked
from tests.clients.programs.spelling import rows

MARKERS = [f"${number}" for number in range(1, 7)]
SPELLED = {"string": "text", "date32[day]": "date"}


def connected(password: str = program.PASSWORD) -> adbc.Connection:
    return adbc.connect(program.uri(password=password, **program.tls()), autocommit=True)


def fetched(statement: str, values: tuple | None = None) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


def connect() -> str:
    return f"{fetched(asked('who'))[0][0]}, {program.refused(lambda: connected('wrong'))}"


def listed() -> str:
    objects = connection.adbc_get_objects(depth="tables", db_schema_filter="public").read_all()
    schemas = objects["catalog_db_schemas"].to_pylist()
    found = [table for each in schemas for schema in each for table in schema["db_schema_tables"]]
    return " ".join(sorted(table["table_name"] for table in found))


def describe() -> str:
    schema = connection.adbc_get_table_schema("crm", db_schema_filter="public")
    return program.described((field.name, SPELLED[str(field.type)]) for field in schema)


def parameters() -> str:
    literal = fetched(asked("parameters", *MARKERS), program.PARAMETERS)
    return f"{rows(literal)} / {rows(fetched(asked('bound', *MARKERS), program.BOUND))}"


def paging() -> str:
    with connection.cursor(adbc_stmt_kwargs={"adbc.postgresql.batch_size_hint_bytes": 512}) as cursor:
        cursor.execute(asked("pages"))
        numbers = [row for batch in cursor.fetch_record_batch() for row in batch.column(0).to_pylist()]
    return f"{len(numbers)} {sum(numbers)}"


def failing(statement: str) -> str:
    try:
        fetched(statement)
    except adbc.Error as error:
        return f"{error.sqlstate} {fetched(asked('one'))[0][0]}"
    return "no error"


def cancel() -> str:
    cursor = connection.cursor()
    timer = threading.Timer(0.5, cursor.adbc_cancel)
    timer.start()
    try:
        cursor.execute(asked("slow"))
        cursor.fetchall()
    except adbc.Error as error:
        return f"{error.sqlstate} {fetched(asked('one'))[0][0]}"
    finally:
        timer.join()
        cursor.close()
    return "not cancelled"


def reconnect() -> str:
    told = []
    for _ in range(3):
        with closing(connected()) as again, again.cursor() as cursor:
            cursor.execute(asked("one"))
            told.append(str(cursor.fetchone()[0]))
    return " ".join(told)


connection = connected()
program.tell(
    version("adbc-driver-postgresql"),
    {
        "connect": connect,
        "list": listed,
        "describe": describe,
        "binary": lambda: " / ".join(rows(fetched(asked(name))) for name in ("values", "question")),
        "parameters": parameters,
        "paging": paging,
        "cancel": cancel,
        "error": lambda: failing(asked("wrong")),
        "reconnect": reconnect,
    },
)
