"""A question to the report engine, as data: what to group by, what to measure, over which events.

The SQL planner builds these; nothing here runs anything. Expressions are sqlglot trees in DuckDB's
dialect whose columns (``exp.column(component_id, quoted=True)``, no table) name components of the view.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlglot import exp

from engine.definitions.model import SegmentDefinition


@dataclass(frozen=True)
class TimeRange:
    """Half-open event-time range in microseconds since the epoch, UTC; None is open."""

    start: int | None = None
    end: int | None = None


class Aggregate(StrEnum):
    """What is asked of a metric column."""

    VALUE = "value"
    """The metric itself (SUM over SQL): attributed, distinct or calculated as the component says."""
    COUNT = "count"
    """Events on which the expression is present (COUNT over SQL); no attribution."""
    MINIMUM = "minimum"
    """Smallest value on an event (MIN over SQL); no attribution."""
    MAXIMUM = "maximum"
    """Largest value on an event (MAX over SQL); no attribution."""
    DISTINCT = "distinct"
    """Exact number of distinct values of a dimension expression (COUNT(DISTINCT …) over SQL)."""


@dataclass(frozen=True)
class DimensionColumn:
    """A grouped column: an expression over dimensions and time components."""

    name: str
    expression: exp.Expr


@dataclass(frozen=True)
class MetricColumn:
    """A measured column.

    Attributes:
        name: the result's column.
        aggregate: what is asked.
        expression: for VALUE a bare metric column, or an expression over metrics without an attribution
            of their own, evaluated per event; for the others any expression over components.
        condition: an event segment for this column alone (``SUM(CASE WHEN condition THEN metric END)``).
    """

    name: str
    aggregate: Aggregate
    expression: exp.Expr
    condition: exp.Expr | None = None


@dataclass(frozen=True)
class LookupJoin:
    """A relation joined inside the report, unique on its key (the caller has checked it).

    Attributes:
        alias: prefix of its columns in expressions: ``exp.column(column, table=alias, quoted=True)``.
        relation: a DuckDB query that yields the relation, already made safe by the caller.
        on: equalities between components (no table) and the relation's columns (table = alias).
        outer: keep events without a match (LEFT JOIN); otherwise their rows are left out.
    """

    alias: str
    relation: exp.Query
    on: exp.Expr
    outer: bool


@dataclass(frozen=True)
class ReportRequest:
    """One flat question over one data view.

    Attributes:
        view: the data view's name.
        dimensions: grouped columns; none gives one row of totals.
        metrics: measured columns.
        range: events that count; their persons' earlier events may be read as padding.
        segment: ad-hoc event segment: after persistence, before attribution (docs/semantics.md).
        segments: further segments, each of which events must belong to; those of the view come on top.
        lookups: relations joined inside the report.
        row_level: one row per event instead of groups; dimensions carry values per event, VALUE metrics
            the event's own value, people and sessions 1 on their first event in the range and else 0. A
            dimension in an array of objects shows the values of the event's elements in one text.
    """

    view: str
    dimensions: tuple[DimensionColumn, ...] = ()
    metrics: tuple[MetricColumn, ...] = ()
    range: TimeRange = TimeRange()
    segment: exp.Expr | None = None
    segments: tuple[SegmentDefinition, ...] = ()
    lookups: tuple[LookupJoin, ...] = ()
    row_level: bool = False
