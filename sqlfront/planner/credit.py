"""``FROM system.credit(…)``: one person's events and the credit that each got, as a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from sqlglot import exp

from engine.dataview.components import data_view
from engine.errors import UnsupportedError, did_you_mean
from engine.report.moments import range_of
from engine.report.person import COLUMNS, CreditRequest
from sqlfront.planner.context import Planning
from sqlfront.planner.relations import CreditCall, Rows
from sqlfront.problems import UnknownFunctionError

NAME: Final = "credit"
ARGUMENTS: Final = ("view", "person", "metric", "dimension", "date_from", "date_to")
"""In their order; each may also be given by name (``person => 'p1'``). The first three must be."""
USAGE: Final = "system.credit('view', person => '…', metric => '…', dimension => '…')"


def credit_rows(item: exp.Expr, planning: Planning) -> Rows:
    """Plan a call of ``system.credit``; its rows are found when the statement runs.

    Raises:
        UnknownFunctionError: an argument is missing, unknown or given twice.
        UnsupportedError: one is no constant.
        UnknownNameError: there is no such view.
        ForbiddenError: it was not granted.
    """
    given = arguments_of(item.this.expressions, NAME, ARGUMENTS, USAGE)
    missing = [name for name in ARGUMENTS[:3] if name not in given]
    if missing:
        raise UnknownFunctionError(f"system.credit needs {' and '.join(missing)}", hint=USAGE)
    name, metric = (constant(given[argument], argument) or "" for argument in ("view", "metric"))
    view = planning.view(name)
    if view is None:
        planning.check_granted(name)
        view = data_view(planning.definitions, name)
    dimension = constant(given["dimension"], "dimension") if "dimension" in given else None
    asked = CreditRequest(view.name, "", metric, dimension)
    call = CreditCall(asked, view, given["person"], given.get("date_from"), given.get("date_to"))
    table = planning.call(call)
    return Rows(exp.Table(this=exp.to_identifier(table, quoted=True)), COLUMNS)


def credit_request(call: CreditCall, bound: Callable[[exp.Expr], exp.Expr]) -> CreditRequest | None:
    """Return what a call asks, given a function that puts values for parameters; None if it is of nobody.

    Raises:
        InputError: a time cannot be read.
        UnsupportedError: an argument is neither a constant nor a parameter.
    """
    person = constant(bound(call.person), "person")
    moments = [
        None if node is None else constant(bound(node), name)
        for node, name in ((call.start, "date_from"), (call.end, "date_to"))
    ]
    window = range_of(moments[0], moments[1], call.view.definition.time_zone)
    return None if person is None else replace(call.asked, person=person, range=window)


def arguments_of(
    expressions: Sequence[exp.Expr], function: str, arguments: Sequence[str], usage: str
) -> dict[str, exp.Expr]:
    """Return the arguments of a call by name, whether they were given by name or by place.

    Raises:
        UnknownFunctionError: one is unknown or given twice.
    """
    found: dict[str, exp.Expr] = {}
    for place, argument in enumerate(expressions):
        named = isinstance(argument, exp.Kwarg | exp.PropertyEQ)
        name = argument.this.name.lower() if named else arguments[min(place, len(arguments) - 1)]
        if name not in arguments or name in found:
            raise UnknownFunctionError(
                f'system.{function} has no argument "{name}", or it is given twice',
                hint=did_you_mean(name, arguments) if name not in arguments else usage,
            )
        found[name] = argument.expression if named else argument
    return found


def constant(value: exp.Expr, name: str, function: str = NAME) -> str | None:
    """Return the text of a constant argument, None of NULL; UnsupportedError if it is none."""
    inner = value.this if isinstance(value, exp.Cast) else value
    if isinstance(inner, exp.Null):
        return None
    if not isinstance(inner, exp.Literal):
        raise UnsupportedError(
            f'argument "{name}" of system.{function} must be a constant', hint="Write it in quotes."
        )
    return str(inner.this)
