"""A dataset at a world's version as a DuckDB query: what a SQL statement on a dataset reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import pyarrow as pa
from sqlglot import exp

from engine.definitions.model import Definitions
from engine.errors import UnknownNameError, did_you_mean
from engine.lake.schema import physical_schema
from engine.lake.table import files
from engine.types import sql_type


class HasDatasets(Protocol):
    """A home, as far as this module needs it."""

    def dataset_path(self, name: str) -> Path:
        """Return the Delta table of a dataset."""


class HasVersions(Protocol):
    """A world, as far as this module needs it."""

    @property
    def definitions(self) -> Definitions:
        """The definitions of the world."""

    @property
    def datasets(self) -> Mapping[str, int]:
        """Dataset → Delta version."""


def relation(home: HasDatasets, world: HasVersions, dataset: str, more: Sequence[exp.Expr] = ()) -> exp.Query:
    """Return a DuckDB query over a dataset's rows: its schema's columns, objects as structs.

    Files older than a field give NULL for it; a dataset without files gives no rows, typed.

    Args:
        more: further columns, over the row's id as well.

    Raises:
        UnknownNameError: the world has no such dataset.
    """
    definition = world.definitions.datasets.get(dataset)
    if definition is None:
        hint = did_you_mean(dataset, world.definitions.datasets)
        raise UnknownNameError(f'there is no dataset "{dataset}"', hint=hint)
    schema = definition.arrow()
    live = files(home.dataset_path(dataset), world.datasets[dataset])
    rows: exp.Query = _typed_empty(physical_schema(schema) if more else schema)
    if live:
        stored = exp.select("*").from_(_read_parquet([file.path for file in live]))
        rows = exp.Union(this=rows, expression=stored, distinct=False, by_name=True)
    elif not more:
        return rows
    columns = [exp.column(field.name, quoted=True) for field in schema]
    return exp.select(*columns, *more).from_(rows.subquery("stored"))


def _typed_empty(schema: pa.Schema) -> exp.Select:
    columns = [
        exp.cast(exp.null(), sql_type(field.type), dialect="duckdb").as_(field.name, quoted=True)
        for field in schema
    ]
    return exp.select(*columns).where(exp.false())


def _read_parquet(paths: list[str]) -> exp.Expression:
    names = exp.Array(expressions=[exp.Literal.string(path) for path in paths])
    by_name = exp.PropertyEQ(this=exp.to_identifier("union_by_name"), expression=exp.true())
    return exp.Anonymous(this="read_parquet", expressions=[names, by_name])
