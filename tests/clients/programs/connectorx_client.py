"""connectorx: data frames through rust-postgres, by COPY in binary and csv, cursors and simple queries."""

import connectorx as cx
import pyarrow as pa

from tests.clients.programs import program
from tests.clients.programs.program import asked
from tests.clients.programs.spelling import rows

SPELLED = {pa.string(): "text", pa.large_string(): "text", pa.date32(): "date"}


def table(statement: str, protocol: str = "binary", user: str = program.USER, **options) -> pa.Table:
    address = program.uri(user=user, **program.connectorx_tls())
    return cx.read_sql(address, statement, return_type="arrow", protocol=protocol, **options)


def tuples(found: pa.Table) -> list[tuple]:
    return list(zip(*(column.to_pylist() for column in found.columns), strict=True))


def connect() -> str:
    """Try a stranger's password too: the pool tries so often that a user's own would be locked for a while."""
    who = tuples(table(asked("who")))[0][0]
    return f"{who}, {program.refused(lambda: table(asked('one'), user='stranger'))}"


def describe() -> str:
    schema = table("SELECT * FROM crm LIMIT 1").schema
    return program.described((field.name, SPELLED[field.type]) for field in schema)


def read(*protocols: str) -> str:
    told = set()
    for protocol in protocols:
        found = [tuples(table(asked(name), protocol)) for name in ("values", "question")]
        told.add(" / ".join(map(rows, found)))
    return " or ".join(told)


def paging() -> str:
    pages = table(f"SELECT i::int8 AS i FROM ({asked('pages')}) AS p", partition_on="i", partition_num=4)
    numbers = pages["i"].to_pylist()
    return f"{len(numbers)} {sum(numbers)}"


def error() -> str:
    try:
        table(asked("wrong"))
    except RuntimeError as error:
        told = "42703" if 'column "missing" does not exist' in str(error) else str(error)
        return f"{told} {tuples(table(asked('one')))[0][0]}"
    return "no error"


program.tell(
    cx.__version__,
    {
        "connect": connect,
        "list": lambda: " ".join(row[0] for row in tuples(table(program.LIST))),
        "describe": describe,
        "text": lambda: read("csv", "simple"),
        "binary": lambda: read("binary", "cursor"),
        "paging": paging,
        "error": error,
        "reconnect": lambda: " ".join(str(tuples(table(asked("one")))[0][0]) for _ in range(3)),
    },
)
