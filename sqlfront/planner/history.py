"""``FROM system.identity_history('connection', 'device')``: what was learned of a device, as a table."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from engine.errors import ForbiddenError, UnknownNameError, did_you_mean
from engine.journeys.device_history import HISTORY
from sqlfront.planner.context import Planning
from sqlfront.planner.credit import arguments_of, constant
from sqlfront.planner.relations import HistoryCall, Rows
from sqlfront.problems import UnknownFunctionError

NAME = "identity_history"
ARGUMENTS = ("connection", "device")
"""In their order; each may also be given by name (``device => 'd1'``)."""
USAGE = "system.identity_history('connection', device => '…')"


def history_rows(item: exp.Expr, planning: Planning) -> Rows:
    """Plan a call; its rows are found when the statement runs.

    Raises:
        UnknownFunctionError: an argument is missing, unknown or given twice.
        UnsupportedError: the connection is no constant.
        UnknownNameError: there is no such connection.
        ForbiddenError: not all of its datasets were granted, so that rules may hide some of its devices.
    """
    given = arguments_of(item.this.expressions, NAME, ARGUMENTS, USAGE)
    missing = [name for name in ARGUMENTS if name not in given]
    if missing:
        raise UnknownFunctionError(f"system.{NAME} needs {' and '.join(missing)}", hint=USAGE)
    name = constant(given["connection"], "connection", NAME) or ""
    _check_connection(name, planning)
    table = planning.call(HistoryCall(name, given["device"]))
    return Rows(exp.Table(this=exp.to_identifier(table, quoted=True)), tuple(HISTORY.names))


def _check_connection(name: str, planning: Planning) -> None:
    known = list(planning.sight.connections())
    if name in known:
        return
    if name in planning.definitions.connections:
        raise ForbiddenError(
            f'permission denied for connection "{name}"', hint="It takes grants of all its datasets."
        )
    raise UnknownNameError(f'there is no connection "{name}"', hint=did_you_mean(name, known))


def device_of(call: HistoryCall, bound: Callable[[exp.Expr], exp.Expr]) -> str | None:
    """Return whose history a call asks, given a function that puts values for parameters; None is nobody's.

    Raises:
        UnsupportedError: the device is neither a constant nor a parameter.
    """
    return constant(bound(call.device), "device", NAME)
