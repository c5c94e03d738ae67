"""Puts what a question over data asks of the session in its place: who asks, where, under which settings.

The catalogs answer such functions themselves; data is answered by engines that know of no session.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import pyarrow as pa
from sqlglot import exp

from engine.cancellation import Cancellation
from sqlfront.dialect import Statement
from sqlfront.forbidden import check_shown
from sqlfront.functions import called
from sqlfront.planner.naming import output_name
from sqlfront.problems import ResultChangedError
from sqlfront.query import Query, ResultColumn
from sqlfront.settings import SERVER_VERSION, role_of
from sqlfront.sqlstate import SqlError
from sqlfront.state import Caller
from sqlfront.trees import rewrite

_HINT: Final = re.compile(r"\bcurrent_[dsurc]|\bsession_user\b|\bversion\b|\bpg_backend_pid\b", re.IGNORECASE)
_NODES: Final[Mapping[type[exp.Expr], str]] = {
    exp.CurrentUser: "current_user",
    exp.SessionUser: "session_user",
    exp.CurrentCatalog: "current_catalog",
    exp.CurrentSchema: "current_schema",
}
_VALUES: Final[Mapping[str, Callable[[Caller], str | int]]] = {
    "current_user": lambda caller: role_of(caller.settings) or caller.user,
    "current_role": lambda caller: role_of(caller.settings) or caller.user,
    "session_user": lambda caller: caller.user,
    "current_catalog": lambda caller: caller.database,
    "current_database": lambda caller: caller.database,
    "current_schema": lambda caller: "public",
    "version": lambda caller: f"PostgreSQL {SERVER_VERSION} (wayline)",
    "pg_backend_pid": lambda caller: caller.process,
}
_BARE: Final = frozenset(("current_role", "session_user", "current_catalog"))


@dataclass(frozen=True)
class CallersQuery:
    """A question that has values of the session in it: a run after they changed has the new ones.

    Attributes:
        query: planned with the values as they were.
        text: of the statement with those values.
        asked: returns the statement with the values as they are now.
        plan: plans a statement.
    """

    query: Query
    text: str
    asked: Callable[[], Statement]
    plan: Callable[[Statement], Query]

    @property
    def columns(self) -> tuple[ResultColumn, ...]:
        """The answer's columns."""
        return self.query.columns

    @property
    def parameters(self) -> tuple[pa.DataType, ...]:
        """Types of the parameters, in their order."""
        return self.query.parameters

    def run(self, values: Sequence[object], cancellation: Cancellation) -> pa.RecordBatchReader:
        """Run it with the values as they are now.

        Raises:
            ResultChangedError: with those it has other columns.
        """
        now = self.asked()
        query = self.query if now.text == self.text else self.plan(now)
        if query.columns != self.columns:
            raise ResultChangedError(
                "cached plan must not change result type", hint="Prepare the statement again."
            )
        return query.run(values, cancellation)


def with_caller(statement: Statement, caller: Caller) -> Statement:
    """Return a statement with literals for what it asks of the session; its text tells them apart.

    Raises:
        SqlError: it asks for a setting that there is not.
        ForbiddenError: it asks for one that concerns the server.
    """
    if statement.tree is None or not _HINT.search(statement.text):
        return statement
    asked: list[str] = []

    def change(node: exp.Expr) -> exp.Expr | None:
        value = _value(node, caller)
        if value is None:
            return None
        asked.append(str(value))
        literal = exp.Literal.number(value) if isinstance(value, int) else exp.Literal.string(value)
        if isinstance(node.parent, exp.Select) and node.arg_key == "expressions":
            return exp.alias_(literal, output_name(node), quoted=True)
        return literal

    tree = rewrite(statement.tree.copy(), change, into_queries=True)
    return replace(statement, tree=tree, text="\0".join((statement.text, *asked))) if asked else statement


def _value(node: exp.Expr, caller: Caller) -> str | int | None:
    if isinstance(node, exp.Dot) and node.this.name.lower() == "pg_catalog":
        node = node.expression
    name = _NODES.get(type(node)) or (called(node) if isinstance(node, exp.Func) else None)
    if isinstance(node, exp.Column) and not node.table and not node.this.args.get("quoted"):
        name = node.name.lower() if node.name.lower() in _BARE else None
    if name == "current_setting":
        return _setting(node, caller)
    find = _VALUES.get(name or "")
    return None if find is None else find(caller)


def _setting(node: exp.Expr, caller: Caller) -> str | None:
    arguments = node.expressions
    if not arguments or not arguments[0].is_string:
        return None
    name = arguments[0].name.lower()
    if name not in caller.settings:
        check_shown(name)
        raise SqlError(f'unrecognized configuration parameter "{arguments[0].name}"', "42704")
    return caller.settings[name]
