"""A front whose planner runs any SQL on a private DuckDB, for tests of the session alone."""

import re
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from sqlfront import auth
from sqlfront.catalog import (
    Catalog,
    CatalogQuestion,
    Kind,
    Relation,
    RelationColumn,
    Relations,
    recognise,
)
from sqlfront.query import ResultColumn
from sqlfront.state import Front

TYPES = {
    "int": pa.int32(),
    "int4": pa.int32(),
    "integer": pa.int32(),
    "int8": pa.int64(),
    "bigint": pa.int64(),
    "text": pa.string(),
    "varchar": pa.string(),
    "float8": pa.float64(),
    "numeric": pa.decimal128(38, 9),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", tz="UTC"),
    "bool": pa.bool_(),
    "uuid": pa.uuid(),
}


RELATIONS = Relations(
    1,
    (
        Relation(
            "web",
            Kind.VIEW,
            (
                RelationColumn("timestamp", pa.timestamp("us")),
                RelationColumn("channel", pa.string(), "Where the person came from"),
                RelationColumn("commerce.order.total", pa.float64(), "Order value"),
                RelationColumn("visits", pa.int64()),
            ),
            "All web events",
        ),
        Relation(
            "web_raw",
            Kind.TABLE,
            (
                RelationColumn("id", pa.string()),
                RelationColumn("received", pa.timestamp("us", tz="UTC")),
                RelationColumn("amount", pa.decimal128(12, 2)),
                RelationColumn("tags", pa.list_(pa.string())),
                RelationColumn("device", pa.struct([("kind", pa.string())])),
            ),
        ),
    ),
)


def login_with(password, salt=b"salt" * 4, iterations=auth.ITERATIONS):
    """The login of a user who has one password and no token."""
    return auth.Login(salt, iterations, (auth.verifier_of(password, salt, iterations),))


def fake_front(setup="", login=None):
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'; SET integer_division = true")
    if setup:
        connection.execute(setup)

    catalog = Catalog(lambda caller: RELATIONS)

    def plan(sql, caller, parameter_types):
        if isinstance(sql, CatalogQuestion):
            return catalog.plan(sql, caller, parameter_types)
        found = dict(re.findall(r"\$(\d+)::(\w+)", sql))
        count = max((int(number) for number in re.findall(r"\$(\d+)", sql)), default=0)
        declared = list(parameter_types) + [None] * count
        parameters = tuple(
            declared[at] or TYPES.get(found.get(str(at + 1), "text"), pa.string()) for at in range(count)
        )
        described = connection.cursor().sql(sql, params=[None] * count)
        schema = described.limit(0).to_arrow_table().schema
        columns = tuple(ResultColumn(field.name, field.type) for field in schema)
        return FakeQuery(connection, sql, columns, parameters)

    return Front(parse=parse, plan=plan, login=login)


def parse(sql):
    return recognise(sql) or sql


@dataclass
class FakeQuery:
    connection: duckdb.DuckDBPyConnection
    sql: str
    columns: tuple[ResultColumn, ...]
    parameters: tuple[pa.DataType, ...]

    def run(self, values, cancellation):
        cursor = self.connection.cursor()

        def batches():
            with cancellation.interrupting(cursor.interrupt):
                relation = cursor.sql(self.sql, params=list(values))
                yield from relation.to_arrow_reader(100_000)

        schema = pa.schema([(column.name, column.type) for column in self.columns])
        return pa.RecordBatchReader.from_batches(schema, batches())
