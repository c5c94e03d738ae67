"""The rows of our own functions in schema ``system``, and what columns they have."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
from sqlglot import exp

from engine.cancellation import Cancellation
from engine.definitions.model import Definitions
from engine.journeys.device_history import HISTORY, history
from engine.report.person import credit_of_person, credit_schema
from engine.world import Home, World
from sqlfront.planner.credit import credit_request
from sqlfront.planner.history import device_of
from sqlfront.planner.relations import Call, HistoryCall


def call_schema(call: Call, definitions: Definitions) -> pa.Schema:
    """Return names and types of a call's rows, without reading any data."""
    return HISTORY if isinstance(call, HistoryCall) else credit_schema(call.asked, definitions)


def rows_of_call(
    call: Call, bound: Callable[[exp.Expr], exp.Expr], home: Home, world: World, cancellation: Cancellation
) -> pa.Table:
    """Run a call; of nobody (NULL) there is nothing.

    Args:
        bound: puts values for the parameters in an argument.

    Raises:
        WaylineError: it cannot be answered.
    """
    found = None
    if isinstance(call, HistoryCall):
        device = device_of(call, bound)
        found = None if device is None else history(home, world, call.connection, device)
    elif (asked := credit_request(call, bound)) is not None:
        found = credit_of_person(asked, home, world, cancellation)
    return call_schema(call, world.definitions).empty_table() if found is None else found
