"""Times in a view's expressions: all of them wall-clock times in the view's zone (docs/semantics.md)."""

from __future__ import annotations

import re
from typing import Final

from sqlglot import exp
from sqlglot.expressions import DType

from engine.dataview.components import DataView, Scope
from sqlfront.functions import is_now
from sqlfront.trees import columns, replaced

ZONE: Final = "zone"
"""Key in a parameter's meta: its value is to be written as wall-clock time in that zone."""

OFFSET: Final = re.compile(r"\d\d:\d\d.*(?:Z|[+-]\d\d(?::?\d\d)?)\s*$", re.IGNORECASE)
"""A text of date and time that ends in an offset: an instant, whatever the zone."""
_DATE_WITH_OFFSET: Final = re.compile(r"(\d{4,}-\d\d-\d\d)\s*(?:Z|[+-]\d\d(?::?\d\d)?)\s*", re.IGNORECASE)

_INSTANTS: Final = (DType.TIMESTAMPTZ, DType.TIMESTAMPLTZ)


def reads_time(node: exp.Expr, view: DataView) -> bool:
    """Tell whether an expression reads the event's time."""
    return any(
        not column.table and view.component(column.name).scope is Scope.TIME for column in columns(node)
    )


def in_view_zone(node: exp.Expr, view: DataView) -> exp.Expr:
    """Return an expression in which now, today and literals with an offset are in the view's zone.

    Doing it twice changes nothing: what already names a zone is left alone.
    """
    return in_zone(node, view.definition.time_zone)


def in_zone(node: exp.Expr, zone: str) -> exp.Expr:
    """Return an expression in which now, today and literals with an offset are in a zone."""

    def change(part: exp.Expr) -> exp.Expr | None:
        if isinstance(part, exp.AtTimeZone) or _compares_instants(part):
            return part
        if is_now(part):
            return local(part, zone)
        if isinstance(part, exp.Parameter):
            part.meta[ZONE] = zone
        if isinstance(part, (exp.Cast, exp.TryCast, exp.Timestamp)) and isinstance(part.this, exp.Literal):
            return _literal(part, zone)
        if isinstance(part, exp.Cast) and part.to.is_type(*_INSTANTS):
            return exp.cast(in_zone(part.this, zone), "timestamp")
        if isinstance(part, exp.Literal) and part.is_string:
            return _text(part, zone)
        return None

    return replaced(node, change)


def _compares_instants(part: exp.Expr) -> bool:
    """Tell whether a comparison names the zone of the event's time itself; both sides are instants then."""
    if not isinstance(part, exp.Predicate):
        return False
    sides = [side.unnest() for side in part.iter_expressions()]
    return any(isinstance(side, exp.AtTimeZone) and bool(columns(side)) for side in sides)


def local(instant: exp.Expr, zone: str) -> exp.Expr:
    """Return an instant as wall-clock time in a zone."""
    return exp.Paren(this=exp.AtTimeZone(this=instant, zone=exp.Literal.string(zone)))


def _literal(cast: exp.Expr, zone: str) -> exp.Expr | None:
    """Read a literal under a cast to a time: with an offset it is an instant."""
    target = cast.args.get("to")
    timed = target is None or target.is_type(DType.TIMESTAMP, *_INSTANTS)
    if timed and OFFSET.search(cast.this.name):
        return local(exp.cast(cast.this, "timestamptz"), zone)
    if timed or (target is not None and target.is_type(DType.DATE)):
        text = _DATE_WITH_OFFSET.sub(r"\1", cast.this.name)
        plain = "date" if target is not None and target.is_type(DType.DATE) else "timestamp"
        return exp.cast(exp.Literal.string(text), plain)
    return None


def _text(literal: exp.Literal, zone: str) -> exp.Expr | None:
    """A plain text is left to be read as what it is compared with, unless it is an instant."""
    if re.match(r"\d{4,}-\d\d-\d\d", literal.name):
        if OFFSET.search(literal.name):
            return local(exp.cast(literal, "timestamptz"), zone)
        if _DATE_WITH_OFFSET.fullmatch(literal.name):
            return exp.Literal.string(_DATE_WITH_OFFSET.sub(r"\1", literal.name))
    return None
