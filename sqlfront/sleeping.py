"""``SELECT pg_sleep(seconds)``: what drivers test their cancel requests with."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import sqlglot
from sqlglot import exp

from engine.cancellation import Cancellation
from sqlfront.query import ResultColumn
from sqlfront.sqlstate import SqlError
from sqlfront.wire.types import NamedType

_HINT: Final = re.compile(r"\bpg_sleep\b", re.IGNORECASE)
_NAME: Final = "pg_sleep"
_LONGEST: Final = 86_400.0


@dataclass(frozen=True)
class Sleep:
    """A query that answers after a time.

    Attributes:
        name: of its column.
        seconds: how long; None if it comes as the one parameter.
    """

    name: str
    seconds: float | None

    @property
    def columns(self) -> tuple[ResultColumn, ...]:
        """One column without values."""
        return (ResultColumn(self.name, NamedType("void", pa.string())),)

    @property
    def parameters(self) -> tuple[pa.DataType, ...]:
        """The seconds, where they are a parameter."""
        return (pa.float64(),) if self.seconds is None else ()

    def run(self, values: Sequence[object], cancellation: Cancellation) -> pa.RecordBatchReader:
        """Wait, unless cancelled; at most a day."""
        seconds = self.seconds if self.seconds is not None else values[0]
        if seconds is not None and not isinstance(seconds, int | float):
            raise SqlError("pg_sleep takes a number of seconds", "22023")
        woken = threading.Event()
        with cancellation.interrupting(woken.set):
            woken.wait(min(max(float(seconds or 0), 0.0), _LONGEST))
        cancellation.check()
        return pa.table({self.name: pa.array([""], pa.string())}).to_reader()


def recognise(sql: str) -> Sleep | None:
    """Return the query if a statement is ``SELECT pg_sleep(…)`` and nothing else."""
    if not _HINT.search(sql):
        return None
    try:
        tree = sqlglot.parse_one(sql, read="postgres")
    except sqlglot.errors.SqlglotError:
        return None
    parts = {name for name, value in tree.args.items() if value}
    if not isinstance(tree, exp.Select) or parts != {"expressions"} or len(tree.expressions) != 1:
        return None
    output = tree.expressions[0]
    call = output.unalias()
    if isinstance(call, exp.Dot) and call.this.name.lower() == "pg_catalog":
        call = call.expression
    if not isinstance(call, exp.Anonymous) or call.name.lower() != _NAME or len(call.expressions) != 1:
        return None
    return _sleep(output.alias or _NAME, call.expressions[0])


def _sleep(name: str, argument: exp.Expr) -> Sleep | None:
    while isinstance(argument, exp.Cast | exp.Paren):
        argument = argument.this
    if isinstance(argument, exp.Parameter) and argument.name == "1":
        return Sleep(name, None)
    sign = -1 if isinstance(argument, exp.Neg) else 1
    argument = argument.this if sign < 0 else argument
    try:
        return Sleep(name, sign * float(argument.name)) if isinstance(argument, exp.Literal) else None
    except ValueError:
        return None
