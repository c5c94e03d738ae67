"""Questions that read nothing, such as ``SELECT 1``: answered once, and from then on at once.

Clients send them to see whether the server is alive, before every question that they have.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa
from sqlglot import exp

from engine.cancellation import Cancellation
from sqlfront.dialect import Statement
from sqlfront.query import Query, ResultColumn
from sqlfront.wire.datarow import data_rows
from sqlfront.wire.replies import row_description
from sqlfront.workspace import Cache

_KEPT: Final = 256
_LONGEST: Final = 200
_FORMATS: Final = 8
_PARTS: Final = (
    exp.Alias,
    exp.Boolean,
    exp.Identifier,
    exp.Literal,
    exp.Neg,
    exp.Null,
    exp.Paren,
    exp.Add,
    exp.Sub,
    exp.Mul,
    exp.EQ,
)
_TYPES: Final = frozenset(
    exp.DataType.Type[name]
    for name in ("BOOLEAN", "SMALLINT", "INT", "BIGINT", "DOUBLE", "TEXT", "VARCHAR", "DECIMAL")
)


@dataclass(frozen=True)
class Constant:
    """An answer that depends on nothing: not on data, parameters, settings, the time, or who asks."""

    columns: tuple[ResultColumn, ...]
    answer: pa.Table
    parameters: tuple[pa.DataType, ...] = ()
    _said: dict[tuple[bool, ...], tuple[bytes, bytes]] = field(default_factory=dict, compare=False)

    def said(self, binary: Sequence[bool]) -> tuple[bytes, bytes]:
        """Return the messages that describe the answer, and those of its rows; they are made once.

        Args:
            binary: whether the client wants the values of each column in binary.
        """
        wanted = tuple(binary)
        said = self._said.get(wanted)
        if said is None:
            types = [column.type for column in self.columns]
            rows = (data_rows(batch, types, wanted) for batch in self.answer.to_batches())
            said = row_description(self.columns, wanted), b"".join(rows)
            if len(self._said) < _FORMATS:
                self._said[wanted] = said
        return said

    def run(self, values: Sequence[object], cancellation: Cancellation) -> pa.RecordBatchReader:
        """Return the answer once more."""
        return self.answer.to_reader()


class Constants:
    """Guards the answers known by now."""

    def __init__(self) -> None:
        self._known: Cache[Query] = Cache(_KEPT)

    def planned(self, statement: Statement, plan: Callable[[], Query]) -> Query:
        """Return the query of a constant, planned and run when it is first asked.

        Raises:
            WaylineError: whatever planning and running raise.
        """
        return self._known.get(statement.text, lambda: _answered(plan()))


def is_constant(statement: Statement) -> bool:
    """Tell whether a statement has literals alone, so that its answer is always the same."""
    tree = statement.tree
    if statement.kind != "select" or type(tree) is not exp.Select or len(statement.text) > _LONGEST:
        return False
    return all(_is_plain(node) for node in tree.walk() if node is not tree) and all(
        name == "expressions" for name, value in tree.args.items() if value
    )


def _is_plain(node: exp.Expr) -> bool:
    if isinstance(node, exp.DataType):
        return node.this in _TYPES
    return type(node) is exp.Cast or isinstance(node, _PARTS) or isinstance(node.parent, exp.DataType)


def _answered(query: Query) -> Constant:
    answer = query.run((), Cancellation()).read_all()
    return Constant(query.columns, answer)
