"""Conditions on time as the report's range: bounds, and the periods that they are moved to.

A period compares by its start: ``daterange <= d`` holds for all of day d, ``daterange < d`` for none of
it. So each comparison is turned into "at or after" or "before" a time, period by period, inwards.
"""

from __future__ import annotations

from typing import Final

from sqlglot import exp
from sqlglot.expressions import DType

from engine.dataview.components import TIME_DIMENSIONS, TIMESTAMP, DataView
from sqlfront.planner.relations import RangeTerm
from sqlfront.trees import bare, columns

INSTANT: Final = "microsecond"
"""The period of the event's time itself."""
CEILING: Final = "ceiling"
NEXT: Final = "next"

_TRUNCATED: Final = frozenset({"second", "minute", "hour", "day", "week", "month", "quarter", "year"})
_MIRRORED: Final[dict[type[exp.Expr], type[exp.Expr]]] = {
    exp.LT: exp.GT,
    exp.GT: exp.LT,
    exp.LTE: exp.GTE,
    exp.GTE: exp.LTE,
    exp.EQ: exp.EQ,
}


def range_terms(term: exp.Expr, view: DataView) -> tuple[RangeTerm, ...] | None:
    """Read a term as bounds of the range; None if it is not a condition of that kind.

    Recognised: a time component, bare or truncated to a period, compared by ``= < <= > >=`` or BETWEEN
    with something that names no column.
    """
    term = bare(term)
    if isinstance(term, exp.Not):
        return _negated(bare(term.this), view)
    if isinstance(term, exp.Between) and not term.args.get("symmetric"):
        low = _compared(exp.GTE, term.this, term.args["low"], view)
        high = _compared(exp.LTE, term.this, term.args["high"], view)
        return None if low is None or high is None else low + high
    if type(term) in _MIRRORED:
        found = _compared(type(term), term.this, term.expression, view)
        return found or _compared(_MIRRORED[type(term)], term.expression, term.this, view)
    return None


def _negated(term: exp.Expr, view: DataView) -> tuple[RangeTerm, ...] | None:
    opposite: dict[type[exp.Expr], type[exp.Expr]] = {
        exp.LT: exp.GTE,
        exp.GTE: exp.LT,
        exp.GT: exp.LTE,
        exp.LTE: exp.GT,
    }
    kind = opposite.get(type(term))
    return None if kind is None else range_terms(kind(this=term.this, expression=term.expression), view)


def _compared(
    kind: type[exp.Expr], left: exp.Expr, right: exp.Expr, view: DataView
) -> tuple[RangeTerm, ...] | None:
    periods = periods_of(left, view)
    if periods is None or any(columns(right)):
        return None
    starts = {exp.GTE: CEILING, exp.GT: NEXT, exp.EQ: CEILING}
    ends = {exp.LT: CEILING, exp.LTE: NEXT, exp.EQ: NEXT}
    terms: list[RangeTerm] = []
    for is_start, moves in ((True, starts), (False, ends)):
        if kind in moves:
            steps = ((periods[0], moves[kind]), *((period, CEILING) for period in periods[1:]))
            terms.append(RangeTerm(is_start, right.copy(), steps))
    return tuple(terms)


def periods_of(node: exp.Expr, view: DataView) -> tuple[str, ...] | None:
    """Return the periods that an expression truncates the event's time to, the outermost first.

    None if the expression is anything else than time, truncated.
    """
    node = bare(node)
    if isinstance(node, exp.Column):
        return None if node.table else _own_period(node.name)
    if isinstance(node, (exp.Cast, exp.Date, exp.Timestamp, exp.TsOrDsToDate)):
        return _of_cast(node, view)
    if isinstance(node, (exp.TimestampTrunc, exp.DateTrunc)):
        inner = periods_of(node.this, view)
        unit = str(node.args["unit"].name).lower()
        return (unit, *inner) if inner is not None and unit in _TRUNCATED else None
    return None


def _own_period(component_id: str) -> tuple[str, ...] | None:
    if component_id == TIMESTAMP:
        return (INSTANT,)
    if component_id == "daterange":
        return ("day",)
    return (TIME_DIMENSIONS[component_id],) if component_id in TIME_DIMENSIONS else None


def _of_cast(node: exp.Expr, view: DataView) -> tuple[str, ...] | None:
    inner = periods_of(node.this, view)
    if inner is None:
        return None
    target = node.args.get("to")
    if isinstance(node, (exp.Date, exp.TsOrDsToDate)) or (target is not None and target.is_type(DType.DATE)):
        return ("day", *inner)
    timed = target is None or target.is_type(
        DType.TIMESTAMP, DType.TIMESTAMPTZ, DType.TIMESTAMPNTZ, DType.DATETIME
    )
    return inner if timed else None
