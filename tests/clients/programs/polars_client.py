"""Polars: data frames over ADBC, over connectorx, and in batches over any cursor."""

import polars as pl
import psycopg

from tests.clients.programs import program
from tests.clients.programs.program import asked
from tests.clients.programs.spelling import rows

SPELLED = {pl.String: "text", pl.Date: "date"}


def frame(statement: str, engine: str = "adbc", address: str = "", **options: object) -> pl.DataFrame:
    uri = address or program.uri(**(program.tls() if engine == "adbc" else program.connectorx_tls()))
    return pl.read_database_uri(statement, uri, engine=engine, **options)


def connect() -> str:
    who = frame(asked("who")).item()
    wrong = program.uri(password="wrong", **program.tls())
    return f"{who}, {program.refused(lambda: frame(asked('one'), address=wrong))}"


def describe() -> str:
    columns = frame("SELECT * FROM crm LIMIT 1").schema.items()
    return program.described((name, SPELLED[kind]) for name, kind in columns)


def binary() -> str:
    told = set()
    for engine in ("adbc", "connectorx"):
        told.add(" / ".join(rows(frame(asked(name), engine).rows()) for name in ("values", "question")))
    return " or ".join(told)


def parameters() -> str:
    markers = [f"${number}" for number in range(1, 7)]
    asking = [("parameters", program.PARAMETERS), ("bound", program.BOUND)]
    frames = [frame(asked(name, *markers), execute_options={"parameters": values}) for name, values in asking]
    return " / ".join(rows(each.rows()) for each in frames)


def paging() -> str:
    with psycopg.connect(program.uri(**program.tls())) as connection, connection.cursor("pages") as cursor:
        batches = pl.read_database(asked("pages"), cursor, iter_batches=True, batch_size=64)
        numbers = [number for batch in batches for number in batch["i"]]
    return f"{len(numbers)} {sum(numbers)}"


def error() -> str:
    told = set()
    for engine in ("adbc", "connectorx"):
        try:
            frame(asked("wrong"), engine)
        except Exception as error:
            told.add("42703" if "missing" in str(error) else f"{type(error).__name__}: {error}")
    return f"{' or '.join(told)} {frame(asked('one')).item()}"


program.tell(
    pl.__version__,
    {
        "connect": connect,
        "list": lambda: " ".join(frame(program.LIST)["name"]),
        "describe": describe,
        "binary": binary,
        "parameters": parameters,
        "paging": paging,
        "error": error,
        "reconnect": lambda: " ".join(str(frame(asked("one")).item()) for _ in range(3)),
    },
)
