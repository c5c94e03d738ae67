"""Answers that were given before: the same question in the same state of its data is not worked out twice.

An answer is known by the journeys' version, the instant as of which it sees persons, the definitions that it
rests on, and the question itself without the names of its columns. Nothing else enters into it, so nothing
makes it stale.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Final
from weakref import WeakKeyDictionary

import pyarrow as pa
from sqlglot import exp

from engine import memory
from engine.errors import InputError
from engine.journeys.cache import Cache
from engine.report.plan import ReportPlan
from engine.report.request import ReportRequest
from engine.world import Home, World

VARIABLE: Final = "WAYLINE_RESULT_CACHE"
"""Environment variable with the bytes that answers may take, such as ``64MB``; ``0`` keeps none."""

_SHARE: Final = 32
"""Answers may take this part of the memory limit where the variable does not say."""
_CHANGING: Final = frozenset({"age", "gen_random_uuid", "now", "rand", "random", "today", "uuid"}) | {
    *("clock_timestamp", "statement_timestamp", "transaction_timestamp"),
    *("current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"),
}
"""Functions whose value is another one each time, or each day."""

_answers: Final[WeakKeyDictionary[Home, Cache]] = WeakKeyDictionary()


def known(plan: ReportPlan, home: Home, world: World, find: Callable[[], pa.Table]) -> pa.Table:
    """Return a question's answer, worked out if it is not known."""
    request = plan.request
    if not budget() or not is_lasting(request):
        return find()
    answers = _answers.setdefault(home, Cache(budget))
    key = _key(plan, world)
    table = answers.find(key)
    if table is None:
        table = find()
        answers.keep(key, table, table.nbytes)
    names = [dimension.name for dimension in request.dimensions]
    return table.rename_columns(names + [metric.name for metric in request.metrics])


def forget(home: Home) -> None:
    """Forget all answers of a home."""
    _answers.pop(home, None)


def budget() -> int:
    """Return how many bytes answers may take.

    Raises:
        InputError: the variable is not a size.
    """
    text = os.environ.get(VARIABLE, "").strip()
    if not text:
        return memory.limit() // _SHARE
    if text.rstrip("Bb") == "0":
        return 0
    try:
        return memory.size_in_bytes(text)
    except InputError:
        raise InputError(
            f"{VARIABLE}: {text!r} is not a size", hint="Write a size such as 64MB, or 0 to keep no answers."
        ) from None


def is_lasting(request: ReportRequest) -> bool:
    """Return whether a question always means the same: nothing in it changes by itself."""
    expressions = [dimension.expression for dimension in request.dimensions]
    expressions += [metric.expression for metric in request.metrics]
    expressions += [metric.condition for metric in request.metrics if metric.condition is not None]
    expressions += [] if request.segment is None else [request.segment]
    called = {_name(call) for tree in expressions for call in tree.find_all(exp.Func)}
    return not request.lookups and not called & _CHANGING


def _name(call: exp.Func) -> str:
    return (call.name if isinstance(call, exp.Anonymous) else call.sql_name()).lower()


def _key(plan: ReportPlan, world: World) -> Hashable:
    connection = world.definitions.connections[plan.connection]
    settings = (plan.view.settings, connection.model_dump_json())
    state = (world.journeys[plan.connection], world.identity_as_of)
    return (plan.connection, state, settings, _without_names(plan.request))


def _without_names(request: ReportRequest) -> ReportRequest:
    return replace(
        request,
        dimensions=tuple(replace(column, name="") for column in request.dimensions),
        metrics=tuple(replace(column, name="") for column in request.metrics),
    )
