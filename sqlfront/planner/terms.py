"""How a term of a WHERE or of a column's own condition is read (docs/semantics.md)."""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from engine.dataview.components import Component, DataView, Role
from engine.errors import UnsupportedError
from sqlfront.planner.relations import Reading
from sqlfront.trees import columns

LISTED = frozenset({"filterName", "daterangeName", "filterId"})
"""Special columns that hold no value on an event."""


def components(node: exp.Expr, view: DataView) -> list[Component]:
    """Return the components that an expression names."""
    return [view.component(column.name) for column in columns(node) if not column.table]


def metrics(node: exp.Expr, view: DataView) -> list[Component]:
    """Return the metrics that an expression names."""
    return [component for component in components(node, view) if component.role is Role.METRIC]


def is_constant(node: exp.Expr) -> bool:
    """Tell whether an expression names no column; sub-queries count as constants."""
    return not any(columns(node))


def refuse_special(node: exp.Expr, view: DataView) -> None:
    """Raise for saved segments and date ranges, of which an event knows nothing."""
    for component in components(node, view):
        if component.id in LISTED:
            raise UnsupportedError(
                f'"{component.id}" cannot be used here: it holds no value on an event',
                hint=f"Choose one for the whole question: WHERE \"{component.id}\" = '…', alone or with AND.",
            )


def refuse_elements(nodes: Iterable[exp.Expr], view: DataView) -> None:
    """Raise for dimensions of which an event may have several values where it must have one."""
    for component in (component for node in nodes for component in components(node, view)):
        if component.several:
            raise UnsupportedError(
                f'"{component.id}" may have several values on an event, not one for this aggregate',
                hint="Use SUM, COUNT, AVG, MIN, MAX or COUNT(DISTINCT …) beside it.",
            )


def refuse_metrics(node: exp.Expr, view: DataView, clause: str) -> None:
    """Raise for a metric where only dimensions make sense."""
    for component in metrics(node, view):
        raise UnsupportedError(
            f'metric "{component.id}" in {clause}: a metric has a value only once it is aggregated',
            hint=f'Use HAVING SUM("{component.id}") …, or aggregate in a sub-query and filter outside it.',
        )


def refuse_aggregated(found: Iterable[Component], what: str) -> None:
    """Raise for people and sessions where values per event would be wrong."""
    for component in found:
        if not component.additive:
            raise UnsupportedError(
                f'{what} of "{component.id}" has no meaning: it counts distinct {component.description}',
                hint=f'Use SUM("{component.id}") in the question that groups.',
            )


def reading(term: exp.Expr, how: str) -> Reading:
    """Return a record of how a term was read."""
    return Reading(term.sql(dialect="postgres"), how)


def not_additive(metric: str) -> UnsupportedError:
    """Return the error for adding up a distinct metric where its groups are gone."""
    return UnsupportedError(
        f'metric "{metric}" counts distinct and cannot be aggregated after a LIMIT, DISTINCT, UNION, '
        "window function or join on a key that is not unique",
        hint=f'Aggregate "{metric}" in the innermost SELECT, directly over the data view.',
    )


def refuse_pinned(metric: str | None) -> None:
    """Raise if an aggregate reads a distinct metric's values per event."""
    if metric is not None:
        raise not_additive(metric)
