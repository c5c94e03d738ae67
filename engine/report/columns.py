"""Which components an expression names, and how time dimensions read as functions of the event's time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from sqlglot import exp, parse_one

from engine.dataview.components import (
    PEOPLE,
    SESSION_STARTS,
    SESSIONS,
    TIME_DIMENSIONS,
    TIMESTAMP,
    Component,
    Role,
    Scope,
)
from engine.dataview.standard import FIRST_TIME_SESSIONS, REPEAT_SESSIONS, RETURN_SESSIONS, TIME_PARTS
from engine.errors import UnsupportedError
from engine.report.request import LookupJoin

PERSON_INDEX = "_person_index"
SESSION_INDEX = "_session_index"
ROW_INDEX = "_row_index"
INDEXES = {
    PEOPLE: PERSON_INDEX,
    SESSIONS: SESSION_INDEX,
    FIRST_TIME_SESSIONS: "_first_time_session_index",
    RETURN_SESSIONS: "_return_session_index",
    REPEAT_SESSIONS: "_repeat_session_index",
}
"""Distinct metric → the column of chunk-wide indices that it counts."""


def component_ids(expressions: Iterable[exp.Expr | None]) -> set[str]:
    """Return the ids of the components that expressions name (columns without a table)."""
    return {
        column.name
        for expression in expressions
        if expression is not None
        for column in expression.find_all(exp.Column)
        if not column.table
    }


def lookups_in(expression: exp.Expr | None, lookups: Iterable[LookupJoin]) -> tuple[LookupJoin, ...]:
    """Return the lookups that an expression names (columns with their alias as table)."""
    tables = set() if expression is None else {c.table for c in expression.find_all(exp.Column)}
    return tuple(lookup for lookup in lookups if lookup.alias in tables)


def ids_behind(conditions: Iterable[exp.Expr | None], lookups: Sequence[LookupJoin]) -> set[str]:
    """Return the components that conditions name, by themselves or through the keys of lookups."""
    named = list(conditions)
    return component_ids(named).union(
        *(component_ids(lookup.on for lookup in lookups_in(one, lookups)) for one in named)
    )


def quoted(column: str) -> exp.Column:
    """Return a column as an expression."""
    return exp.column(column, quoted=True)


def is_period(component_id: str) -> bool:
    """Whether a component is a function of the event's time alone, other than the time itself."""
    return component_id in TIME_DIMENSIONS or component_id == "daterange"


def period_start(component_id: str) -> exp.Expr:
    """Return a period's start as an expression over ``timestamp``."""
    timestamp = quoted(TIMESTAMP)
    period = TIME_DIMENSIONS.get(component_id, "day")
    if " " in period:
        minutes = exp.Interval(this=exp.convert(period.split()[0]), unit=exp.var("MINUTE"))
        return exp.Anonymous(this="time_bucket", expressions=[minutes, timestamp])
    truncated = exp.Anonymous(this="date_trunc", expressions=[exp.convert(period), timestamp])
    return exp.cast(truncated, "TIMESTAMP")


@lru_cache(maxsize=32)
def _time_part(component_id: str) -> exp.Expr:
    return parse_one(TIME_PARTS[component_id].sql, read="duckdb")


def spelled_out(expression: exp.Expr) -> exp.Expr:
    """Replace time dimensions by what they are: functions of ``timestamp``."""

    def replace(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Column) and not node.table and is_period(node.name):
            return period_start(node.name)
        if isinstance(node, exp.Column) and not node.table and node.name in TIME_PARTS:
            return _time_part(node.name).copy()
        return node

    return expression.transform(replace)


def is_session_start(component: Component) -> bool:
    """Whether the metric counts session starts, directly or as a view's own metric."""
    return SESSION_STARTS in (component.id, component.standard)


def duplicate_name(component: Component) -> str:
    """Return the name of the column that is 0 where a duplicate of a metric was taken away, else NULL."""
    return f"_duplicate_{component.id}"


def column_name(component: Component) -> str:
    """Return the name of the column that holds a component's values while a report runs."""
    name = TIMESTAMP if component.scope is Scope.TIME else component.id
    return INDEXES.get(name, name)


def in_array(component: Component, array: str | None) -> bool:
    """Whether a component has its values on the elements of this array of objects."""
    return array is not None and component.array == array


def array_of(components: Iterable[Component]) -> str | None:
    """Return the one array of objects that the dimensions among these components live in, if any.

    Raises:
        UnsupportedError: they live in several.
    """
    arrays = {
        component.array
        for component in components
        if component.role is Role.DIMENSION and component.array is not None
    }
    if len(arrays) > 1:
        raise UnsupportedError(
            f"dimensions of different arrays in one question: {', '.join(sorted(arrays))}",
            hint="Ask about one array of objects at a time.",
        )
    return next(iter(arrays), None)
