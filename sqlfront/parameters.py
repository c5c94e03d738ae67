"""Types of ``$1``, ``$2``, …: what the client said, else what the first place that asks for one says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import pyarrow as pa
from sqlglot import exp

from engine.dataview.components import data_view
from engine.definitions.model import Definitions
from sqlfront.database import view_id
from sqlfront.inference import TEXT, Columns, needed
from sqlfront.problems import UndefinedParameterError

_MOST: Final = 65_535
"""Parameters that a message can have values for."""


def parameter_types(
    tree: exp.Expr, declared: Sequence[pa.DataType | None], definitions: Definitions
) -> tuple[pa.DataType, ...]:
    """Return a type for every parameter of a statement.

    Args:
        declared: the client's types, None where it left them open; may be shorter than needed.
    """
    known: Mapping[str, pa.DataType] | None = None

    def column_type(column: exp.Column) -> pa.DataType | None:
        nonlocal known
        if known is None:
            known = _column_types(tree, definitions)
        return known.get(column.name.lower())

    return inferred(tree, declared, column_type)


def inferred(
    tree: exp.Expr, declared: Sequence[pa.DataType | None], columns: Columns
) -> tuple[pa.DataType, ...]:
    """Return a type for every parameter, text where nothing says otherwise.

    Raises:
        UndefinedParameterError: a number that no parameter can have.
    """
    uses: dict[int, list[exp.Parameter]] = {}
    for node in tree.find_all(exp.Parameter, bfs=False):
        if isinstance(node.this, exp.Literal):
            uses.setdefault(_number(node.name), []).append(node)
    types: list[pa.DataType] = []
    for number in range(1, max([len(declared), *uses], default=0) + 1):
        given = declared[number - 1] if number <= len(declared) else None
        found = (needed(node, columns) for node in uses.get(number, ()))
        types.append(given or next((kind for kind in found if kind is not None), TEXT))
    return tuple(types)


def _number(name: str) -> int:
    number = int(name) if name.isdecimal() and len(name) <= len(str(_MOST)) else 0
    if not 1 <= number <= _MOST:
        raise UndefinedParameterError(f"there is no parameter ${name}")
    return number


def _column_types(tree: exp.Expr, definitions: Definitions) -> dict[str, pa.DataType]:
    """Return lower-case column → type, over all tables that a statement names."""
    tables = {table.name.lower() for table in tree.find_all(exp.Table)}
    types: dict[str, pa.DataType] = {}
    for name, dataset in definitions.datasets.items():
        if name.lower() in tables:
            types |= {field.name.lower(): field.type for field in dataset.arrow()}
            types |= {path.lower(): leaf.arrow() for path, leaf in dataset.leaves().items()}
    for name in definitions.data_views:
        if name.lower() in tables or view_id(name) in tables:
            components = data_view(definitions, name).components
            types |= {component.id.lower(): component.type for component in components.values()}
    return types
