"""Types of ``$1``, ``$2``, …: what the client said, else what a cast or a comparison says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import pyarrow as pa
from sqlglot import exp
from sqlglot.expressions import DType

from engine.dataview.components import data_view
from engine.definitions.model import Definitions
from sqlfront.database import view_id

TEXT: Final = pa.string()

_CASTS: Final[tuple[tuple[DType, pa.DataType], ...]] = (
    (DType.BOOLEAN, pa.bool_()),
    (DType.SMALLINT, pa.int16()),
    (DType.INT, pa.int32()),
    (DType.BIGINT, pa.int64()),
    (DType.FLOAT, pa.float32()),
    (DType.DOUBLE, pa.float64()),
    (DType.DATE, pa.date32()),
    (DType.TIMESTAMPTZ, pa.timestamp("us", tz="UTC")),
    (DType.TIMESTAMP, pa.timestamp("us")),
    (DType.TIME, pa.time64("us")),
    (DType.DECIMAL, pa.decimal128(38, 9)),
    (DType.INTERVAL, pa.month_day_nano_interval()),
)


def parameter_types(
    tree: exp.Expr, declared: Sequence[pa.DataType | None], definitions: Definitions
) -> tuple[pa.DataType, ...]:
    """Return a type for every parameter of a statement.

    Args:
        declared: the client's types, None where it left them open; may be shorter than needed.
    """
    parameters = [node for node in tree.find_all(exp.Parameter) if isinstance(node.this, exp.Literal)]
    count = max([len(declared), *(int(node.name) for node in parameters)], default=0)
    columns = _column_types(tree, definitions) if parameters else {}
    types: list[pa.DataType] = []
    for number in range(1, count + 1):
        given = declared[number - 1] if number <= len(declared) else None
        uses = [node for node in parameters if int(node.name) == number]
        found = (_from_use(node, columns) for node in uses)
        types.append(given or next((kind for kind in found if kind is not None), TEXT))
    return tuple(types)


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


def _from_use(parameter: exp.Parameter, columns: Mapping[str, pa.DataType]) -> pa.DataType | None:
    node: exp.Expr = parameter
    while isinstance(node.parent, (exp.Paren, exp.Neg)):
        node = node.parent
    parent = node.parent
    if isinstance(parent, (exp.Cast, exp.TryCast)):
        return cast_type(parent.args["to"])
    if isinstance(parent, (exp.Limit, exp.Offset, exp.Fetch)):
        return pa.int64()
    if isinstance(parent, exp.Any):
        inner = _compared(parent.parent, parent, columns)
        return None if inner is None else pa.list_(inner)
    if isinstance(parent, exp.Interval):
        return TEXT
    return _compared(parent, node, columns)


def cast_type(target: exp.DataType) -> pa.DataType | None:
    """Return the Arrow type that a cast says; None for one that says nothing here."""
    if target.is_type(DType.ARRAY):
        inner = cast_type(target.expressions[0]) if target.expressions else None
        return pa.list_(inner or TEXT)
    return next((kind for name, kind in _CASTS if target.is_type(name)), None)


def _compared(
    parent: exp.Expr | None, node: exp.Expr, columns: Mapping[str, pa.DataType]
) -> pa.DataType | None:
    """Return the type of what a parameter is compared or calculated with."""
    compares = (exp.Predicate, exp.Binary, exp.Coalesce)
    if not isinstance(parent, compares) or isinstance(parent, exp.Like):
        return None
    others = [part for part in parent.iter_expressions() if part is not node]
    return next((kind for part in others if (kind := value_type(part, columns)) is not None), None)


def value_type(node: exp.Expr, columns: Mapping[str, pa.DataType]) -> pa.DataType | None:
    """Return the type of an expression as far as it shows; None if it does not."""
    if isinstance(node, exp.Column):
        return columns.get(node.name.lower())
    if isinstance(node, (exp.Cast, exp.TryCast)):
        return cast_type(node.args["to"])
    if isinstance(node, (exp.TimestampTrunc, exp.DateTrunc)):
        return pa.timestamp("us")
    if isinstance(node, exp.Date):
        return pa.date32()
    if isinstance(node, (exp.Count, exp.Extract)):
        return pa.int64()
    if isinstance(node, exp.Literal):
        return None if node.is_string else pa.int64() if node.name.isdigit() else pa.float64()
    if isinstance(node, (exp.Sum, exp.Min, exp.Max, exp.Paren, exp.Neg)):
        return value_type(node.this, columns)
    return TEXT if isinstance(node, (exp.Lower, exp.Upper)) else None
