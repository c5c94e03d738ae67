"""Puts values in the place of a planned statement's parameters."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import pyarrow as pa
from sqlglot import exp

from sqlfront.literals import literal
from sqlfront.planner.zones import ZONE, in_zone
from sqlfront.problems import UndefinedParameterError
from sqlfront.trees import rewrite


def with_values(tree: exp.Expr, values: Sequence[object], types: Sequence[pa.DataType]) -> exp.Expr:
    """Return a tree with parameters replaced by literals.

    Raises:
        UndefinedParameterError: a parameter has no value.
    """

    def change(part: exp.Expr) -> exp.Expr | None:
        if not isinstance(part, exp.Parameter):
            return None
        number = int(part.name)
        if not 1 <= number <= len(values):
            raise UndefinedParameterError(
                f"there is no parameter ${number}", hint="Give a value for every $1, $2, …"
            )
        value, kind, zone = values[number - 1], types[number - 1], part.meta_get(ZONE)
        return literal(value, kind) if zone is None else _local(value, kind, zone)

    return rewrite(tree.copy(), change, into_queries=True)


def _local(value: object, kind: pa.DataType, zone: str) -> exp.Expr:
    """Return a value as a literal, instants as wall-clock time in a zone."""
    if isinstance(value, str):
        return in_zone(literal(value, kind), zone)
    if isinstance(value, datetime) and value.tzinfo is not None:
        local = value.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        return exp.cast(exp.Literal.string(str(local)), "timestamp")
    if isinstance(value, list) and pa.types.is_list(kind):
        return exp.Array(expressions=[_local(item, kind.value_type, zone) for item in value])
    return literal(value, kind)
