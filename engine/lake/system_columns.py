"""Columns that tell of the batch that a row came with; datasets show them where they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, Protocol

import pyarrow as pa
from sqlglot import exp

from engine.lake.schema import ROW

BATCH: Final = "_acp_batchid"
METADATA: Final = "_acp_system_metadata"
SYSTEM_COLUMNS: Final = pa.schema(
    [
        (BATCH, pa.string()),
        (METADATA, pa.struct([("ingestTime", pa.int64()), ("acp_sourceBatchId", pa.string())])),
    ]
)
"""Id of the batch; and in an object when it was ingested, in ms since 1970 UTC, and its id again."""


class Batch(Protocol):
    """A batch, as far as this module needs it."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def number(self) -> int:
        """The high half of its rows' ids."""

    @property
    def finished_at(self) -> datetime | None:
        """When it was committed."""


def system_columns(batches: Sequence[Batch]) -> list[exp.Expr]:
    """Return the columns for a query over rows with their ids; of other batches they are NULL."""
    number = exp.BitwiseRightShift(this=exp.column(ROW, quoted=True), expression=exp.Literal.number(32))
    ids = _looked_up([(batch.number, exp.Literal.string(batch.id)) for batch in batches], number, "varchar")
    times = _looked_up(
        [(batch.number, _milliseconds(batch.finished_at)) for batch in batches], number, "bigint"
    )
    fields = zip(SYSTEM_COLUMNS.field(METADATA).type, (times, ids), strict=True)
    named = [
        exp.PropertyEQ(this=exp.to_identifier(field.name, quoted=True), expression=value.copy())
        for field, value in fields
    ]
    return [
        exp.alias_(ids, BATCH, quoted=True),
        exp.alias_(exp.Struct(expressions=named), METADATA, quoted=True),
    ]


def _looked_up(pairs: Sequence[tuple[int, exp.Expr]], number: exp.Expr, kind: str) -> exp.Expr:
    keys = exp.Array(expressions=[exp.Literal.number(key) for key, _ in pairs])
    values = exp.Array(expressions=[value for _, value in pairs])
    known = exp.Anonymous(
        this="map",
        expressions=[
            exp.cast(keys, "bigint[]", dialect="duckdb"),
            exp.cast(values, f"{kind}[]", dialect="duckdb"),
        ],
    )
    found = exp.Anonymous(this="map_extract_value", expressions=[known, exp.paren(number)])
    return exp.cast(found, kind, dialect="duckdb")


def _milliseconds(moment: datetime | None) -> exp.Expr:
    if moment is None:
        return exp.null()
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return exp.Literal.number(int(aware.timestamp() * 1000))
