"""``FROM system.credit(…)``: one person's events and the credit that each got, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlglot import exp

from engine.errors import UnsupportedError, did_you_mean
from engine.report.moments import range_of
from engine.report.person import COLUMNS, CreditRequest
from sqlfront.planner.context import Planning
from sqlfront.planner.relations import Rows
from sqlfront.problems import UnknownFunctionError

ARGUMENTS: Final = ("view", "person", "metric", "dimension", "date_from", "date_to")
"""In their order; each may also be given by name (``person => 'p1'``). The first three must be."""


def credit_rows(item: exp.Expr, planning: Planning) -> Rows:
    """Plan a call of ``system.credit``; its rows are found when the statement runs.

    Raises:
        UnknownFunctionError: an argument is missing, unknown or given twice.
        UnsupportedError: one is no constant.
        UnknownNameError: there is no such view.
        InputError: a time cannot be read.
    """
    given = _arguments(item.this.expressions)
    missing = [name for name in ARGUMENTS[:3] if given.get(name) is None]
    if missing:
        raise UnknownFunctionError(f"system.credit needs {' and '.join(missing)}", hint=_usage())
    view, person, metric, dimension, start, end = (given.get(name) for name in ARGUMENTS)
    found = planning.view(str(view))
    name, zone = (str(view), "UTC") if found is None else (found.name, found.definition.time_zone)
    window = range_of(start, end, zone)
    table = planning.credit(CreditRequest(name, str(person), str(metric), dimension, window))
    return Rows(exp.Table(this=exp.to_identifier(table, quoted=True)), COLUMNS)


def _usage() -> str:
    return "system.credit('view', person => '…', metric => '…', dimension => '…')"


def _arguments(expressions: Sequence[exp.Expr]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for place, argument in enumerate(expressions):
        named = isinstance(argument, exp.Kwarg | exp.PropertyEQ)
        name = argument.this.name.lower() if named else ARGUMENTS[min(place, len(ARGUMENTS) - 1)]
        if name not in ARGUMENTS or name in found or (not named and place >= len(ARGUMENTS)):
            raise UnknownFunctionError(
                f'system.credit has no argument "{name}", or it is given twice',
                hint=did_you_mean(name, ARGUMENTS) if name not in ARGUMENTS else _usage(),
            )
        found[name] = _constant(argument.expression if named else argument, name)
    return found


def _constant(value: exp.Expr, name: str) -> str | None:
    inner = value.this if isinstance(value, exp.Cast) else value
    if isinstance(inner, exp.Null):
        return None
    if not isinstance(inner, exp.Literal):
        raise UnsupportedError(
            f'argument "{name}" of system.credit must be a constant', hint="Write it in quotes."
        )
    return str(inner.this)
