"""MD5 digests of the content of rows, computed by DuckDB over whole columns."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import duckdb
import polars as pl

from engine.locking import locked


def ask(query: str, given: pl.DataFrame, parameters: Sequence[str] = ()) -> pl.DataFrame:
    """Return what a query over the table ``given`` yields, in UTC."""
    with _database().cursor() as cursor:
        cursor.register("given", given.to_arrow())
        answer = pl.from_arrow(cursor.sql(query, params=list(parameters)).to_arrow_table())
    assert isinstance(answer, pl.DataFrame)  # noqa: S101 - a table becomes a frame
    return answer


def content_digests(rows: pl.DataFrame) -> pl.Series:
    """Return the MD5 of each row's content in hexadecimal, from column names and values.

    NULL fields leave no trace, so a field that is added to a schema later does not change the
    digests of older rows.
    """
    names = [f"c{index}" for index in range(rows.width)]
    terms = ", ".join(map(_term, rows.dtypes, names))
    query = f"SELECT md5(concat({terms})) AS digest FROM given ORDER BY place"
    numbered = rows.rename(dict(zip(rows.columns, names, strict=True))).with_row_index("place")
    return ask(query, numbered, rows.columns)["digest"]


def _term(kind: pl.DataType, name: str) -> str:
    text = f"CAST({f'to_json({name})' if kind.is_nested() else name} AS VARCHAR)"
    told = f"concat(?, '=', length({text}), ':', {text}, ';')"
    return f"CASE WHEN {name} IS NOT NULL THEN {told} END"


@lru_cache(maxsize=1)
def _database() -> duckdb.DuckDBPyConnection:
    """Open the process's database for digests; each question has a cursor of its own."""
    database = duckdb.connect()
    database.execute("SET GLOBAL TimeZone = 'UTC'")
    locked(database)
    return database
