"""What a piece of a statement stands for while it is planned: scans of a view, joins of them, or rows.

A scan keeps its metrics measures: nothing is added up until a statement aggregates. Expressions of a scan
name components (columns without a table) and lookup columns (table = the lookup's alias).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa
from sqlglot import exp

from engine.dataview.components import DataView
from engine.report.person import CreditRequest
from engine.report.request import DimensionColumn, MetricColumn
from sqlfront.planner.naming import told_apart
from sqlfront.trees import column


@dataclass(frozen=True)
class RangeTerm:
    """One bound of a report's range: events at or after a time, or before it.

    Attributes:
        is_start: whether the bound is the range's start.
        bound: a constant expression; may hold parameters, ``now()`` and sub-queries.
        steps: periods to which the bound is moved, in order: (period, "ceiling" or "next").
    """

    is_start: bool
    bound: exp.Expr
    steps: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Reading:
    """How one term of a condition was read, for EXPLAIN."""

    term: str
    reading: str


@dataclass(frozen=True)
class Chosen:
    """A saved segment or a date range that a question chooses by its name or id.

    Attributes:
        column: ``filterId``, ``filterName`` or ``daterangeName``.
        values: constants; an event belongs to the segment of one of them.
    """

    column: str
    values: tuple[exp.Expr, ...]


@dataclass(frozen=True)
class Lookup:
    """A relation joined to a scan, unique on its key.

    Attributes:
        query: the relation; may read reports and datasets.
        keys: (expression over components, column of the relation) pairs.
        outer: keep events without a match.
        pinned: as of rows: column → distinct metric whose values per event it carries.
    """

    alias: str
    query: exp.Expr
    keys: tuple[tuple[exp.Expr, str], ...]
    outer: bool
    pinned: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """A request that still holds what is only known when the statement runs.

    Attributes:
        range: bounds; the narrowest count.
        constants: conditions without columns; if one does not hold, the report is empty.
        segment: terms of the ad-hoc event segment.
        chosen: saved segments and date ranges, all of which hold.
        readings: how the statement's terms were read.
    """

    view: DataView = field(compare=False)
    view_name: str
    dimensions: tuple[DimensionColumn, ...] = ()
    metrics: tuple[MetricColumn, ...] = ()
    range: tuple[RangeTerm, ...] = ()
    constants: tuple[exp.Expr, ...] = ()
    segment: tuple[exp.Expr, ...] = ()
    chosen: tuple[Chosen, ...] = ()
    lookups: tuple[Lookup, ...] = ()
    row_level: bool = False
    readings: tuple[Reading, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class Scan:
    """A data view, projected and filtered: output name → expression over its components."""

    view: DataView
    columns: Mapping[str, exp.Expr]
    terms: tuple[exp.Expr, ...] = ()
    lookups: tuple[Lookup, ...] = ()


@dataclass(frozen=True)
class Rows:
    """A DuckDB query over reports and datasets.

    Attributes:
        query: the query.
        names: its output columns, in order; some may be equal.
        pinned: lower-case output column → distinct metric whose values per event it carries, and which
            can therefore not be aggregated again.
        unique: sets of lower-case output columns on which its rows are known to differ.
        nested: lower-case output columns that show a dataset's column as it is, or a part of one, and have
            something inside → their types.
    """

    query: exp.Expr
    names: tuple[str, ...]
    pinned: Mapping[str, str] = field(default_factory=dict)
    unique: frozenset[frozenset[str]] = frozenset()
    nested: Mapping[str, pa.DataType] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[str, ...]:
        """The output columns as a query around it names them: no two are equal."""
        return told_apart(self.names)


def as_source(rows: Rows, alias: str) -> exp.Expr:
    """Return rows as an item of FROM."""
    table = rows.query
    name = exp.TableAlias(this=exp.to_identifier(alias, quoted=True))
    if rows.columns != rows.names:
        name.set("columns", [exp.to_identifier(column, quoted=True) for column in rows.columns])
    if isinstance(table, exp.Table):
        table = table.copy()
        table.set("alias", name)
        return table
    return exp.Subquery(this=table.copy(), alias=name)


def named_columns(rows: Rows, alias: str) -> dict[str, exp.Expr]:
    """Return the columns of rows under an alias, for a scope."""
    return {name: column(name, alias) for name in rows.columns}


@dataclass(frozen=True)
class JoinedSource:
    """One side of a join that has not been aggregated.

    Attributes:
        alias: unique in the statement; the columns of the join are written with it as table.
        kind: ``INNER``, ``LEFT``, ``RIGHT``, ``FULL`` or ``CROSS``; the first source's is ``CROSS``.
        on: the join's condition over columns of this and earlier sources.
    """

    alias: str
    relation: Scan | Rows
    kind: str
    on: tuple[exp.Expr, ...] = ()


@dataclass(frozen=True)
class Joined:
    """A join in which a view takes part, projected and filtered; columns carry their source's alias."""

    sources: tuple[JoinedSource, ...]
    columns: Mapping[str, exp.Expr]
    terms: tuple[exp.Expr, ...] = ()


Relation = Scan | Joined | Rows


@dataclass(frozen=True)
class CreditCall:
    """A call of ``system.credit``, of which some is only known when the statement runs.

    Attributes:
        asked: the number, but not yet whose and when.
        person: a constant or a parameter.
        start, end: likewise, of the range; None leaves it open.
    """

    asked: CreditRequest
    view: DataView
    person: exp.Expr
    start: exp.Expr | None
    end: exp.Expr | None


@dataclass(frozen=True)
class HistoryCall:
    """A call of ``system.identity_history``; the device is a constant or a parameter."""

    connection: str
    device: exp.Expr


Call = CreditCall | HistoryCall


@dataclass(frozen=True)
class Plan:
    """A planned statement.

    Attributes:
        query: the rest of the statement, over tables named as in ``reports`` and ``_dataset_<name>``.
        names: its output columns, as PostgreSQL names them.
        reports: table name → report, in the order in which they must run.
        calls: table name → the function of schema ``system`` whose rows it lists.
    """

    query: exp.Expr
    names: tuple[str, ...]
    reports: Mapping[str, Report]
    calls: Mapping[str, Call]
