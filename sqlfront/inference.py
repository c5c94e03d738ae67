"""Which type a parameter must have by its place in a statement: the type of what is beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import pyarrow as pa
from sqlglot import exp

from sqlfront.cast_types import cast_type
from sqlfront.wire.types import named_type

Columns = Callable[[exp.Column], pa.DataType | None]
"""Type of a column, None where it is not known."""

TEXT: Final = pa.string()
INTEGER: Final = pa.int32()
BIGINT: Final = pa.int64()
_LARGEST_INTEGER: Final = 2**31 - 1
_LARGEST_BIGINT: Final = 2**63 - 1
_TRANSPARENT: Final = (exp.Paren, exp.Neg)
_CONDITIONS: Final = (exp.And, exp.Or, exp.Not, exp.Where, exp.Having, exp.Filter)
_TEXTS: Final[tuple[type[exp.Expr], ...]] = (
    *(exp.Lower, exp.Upper, exp.Length, exp.Trim, exp.Initcap, exp.DPipe),
    *(exp.Like, exp.ILike, exp.SimilarTo, exp.RegexpLike, exp.RegexpILike, exp.Concat, exp.ConcatWs),
    *(exp.Replace, exp.StrPosition, exp.SplitPart, exp.RegexpReplace, exp.MD5, exp.Reverse, exp.StartsWith),
)
_COUNTS: Final[dict[type[exp.Expr], tuple[str, ...]]] = {
    exp.Substring: ("start", "length"),
    exp.Left: ("expression",),
    exp.Right: ("expression",),
    exp.Pad: ("expression",),
    exp.Repeat: ("times",),
    exp.SplitPart: ("part_index",),
}
_ALIKE: Final[tuple[type[exp.Expr], ...]] = (
    *(exp.Predicate, exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.Coalesce, exp.Nullif),
    *(exp.Greatest, exp.Least, exp.Array, exp.If, exp.Case, exp.GenerateSeries),
)
"""Expressions whose parts must all be of one type."""
_STRING_RESULTS: Final = (
    *(exp.Lower, exp.Upper, exp.Trim, exp.Initcap, exp.Concat, exp.DPipe),
    *(exp.Substring, exp.Left, exp.Right),
)


def needed(parameter: exp.Expr, columns: Columns) -> pa.DataType | None:
    """Return the type that a parameter's place asks for; None if any would do."""
    node = parameter
    while isinstance(node.parent, _TRANSPARENT):
        node = node.parent
    parent = node.parent
    if parent is None:
        return None
    if isinstance(parent, (exp.Cast, exp.TryCast)):
        return cast_type(parent)
    if isinstance(parent, (exp.Limit, exp.Offset, exp.Fetch)):
        return BIGINT
    if isinstance(parent, exp.Any):
        return _array_of(needed(parent, columns))
    if isinstance(parent, exp.If) and node.arg_key == "this":
        return _condition(parent, columns)
    if isinstance(parent, _CONDITIONS):
        return pa.bool_()
    if node.arg_key in _COUNTS.get(type(parent), ()):
        return INTEGER
    if isinstance(parent, (*_TEXTS, *_COUNTS, exp.Interval)):
        return TEXT
    return _beside(node, parent, columns)


def _condition(branch: exp.If, columns: Columns) -> pa.DataType | None:
    """Return the type behind WHEN: of what CASE compares, if it does."""
    case = branch.parent
    if isinstance(case, exp.Case) and case.this is not None:
        return value_type(case.this, columns)
    return pa.bool_()


def _array_of(element: pa.DataType | None) -> pa.DataType | None:
    return None if element is None else pa.list_(element)


def _beside(node: exp.Expr, parent: exp.Expr, columns: Columns) -> pa.DataType | None:
    """Return the type of what a parameter is compared, calculated or listed with."""
    if isinstance(parent, exp.In) and node.arg_key == "this" and parent.args.get("query"):
        return _first_output(parent.args["query"], columns)
    if isinstance(parent, exp.Tuple):
        return _in_row(node, parent, columns)
    if not isinstance(parent, (*_ALIKE, exp.In, exp.Between)):
        return None
    others = [part for part in _alternatives(parent) if part is not node]
    found = next((kind for part in others if (kind := value_type(part, columns)) is not None), None)
    if found is not None and isinstance(parent, (exp.Add, exp.Sub, exp.Mul, exp.Div)):
        return _operand(type(parent), found, node.arg_key == "this")
    return found


def _in_row(node: exp.Expr, row: exp.Tuple, columns: Columns) -> pa.DataType | None:
    """Return the type of a row's part from the same part of the row it is compared with."""
    around = row.parent
    if not isinstance(around, exp.Predicate):
        return None
    others = [part for part in around.iter_expressions() if isinstance(part, exp.Tuple) and part is not row]
    parts = [
        other.expressions[node.index or 0] for other in others if len(other.expressions) > (node.index or 0)
    ]
    return next((kind for part in parts if (kind := value_type(part, columns)) is not None), None)


def _alternatives(parent: exp.Expr) -> Iterator[exp.Expr]:
    """Yield the expressions that must have one type: operands, members of a list, results of a CASE."""
    if isinstance(parent, exp.If) and isinstance(parent.parent, exp.Case):
        parent = parent.parent
    if isinstance(parent, exp.Case) and parent.this is None:
        yield from (branch.args["true"] for branch in parent.args["ifs"])
        if parent.args.get("default") is not None:
            yield parent.args["default"]
    else:
        yield from parent.iter_expressions()


def _operand(operator: type[exp.Expr], other: pa.DataType, is_left: bool) -> pa.DataType | None:
    """Return what stands beside a value in a calculation: of its own type, but for times and intervals."""
    if pa.types.is_timestamp(other) and operator is exp.Add:
        return named_type("interval")
    if pa.types.is_date(other) and operator is exp.Add:
        return INTEGER
    if other == named_type("interval") and operator in (exp.Mul, exp.Div):
        return pa.float64()
    return other


def _first_output(query: exp.Expr, columns: Columns) -> pa.DataType | None:
    select = query.find(exp.Select)
    return value_type(select.expressions[0].unalias(), columns) if select and select.expressions else None


def value_type(node: exp.Expr, columns: Columns) -> pa.DataType | None:
    """Return the type of an expression as far as it shows; None if it does not."""
    if isinstance(node, exp.Column):
        return columns(node)
    if isinstance(node, (exp.Cast, exp.TryCast)):
        return cast_type(node)
    if isinstance(node, exp.Literal):
        return None if node.is_string else _number(node.name)
    if isinstance(node, (exp.Any, exp.All)):
        return _element(value_type(node.this, columns))
    if isinstance(node, (exp.Subquery, exp.Select)):
        return _first_output(node, columns)
    if isinstance(node, exp.Sum):
        return _sum(value_type(node.this, columns))
    if isinstance(node, (exp.TimestampTrunc, exp.DateTrunc)):
        return value_type(node.this, columns) or pa.timestamp("us")
    if isinstance(node, (exp.Min, exp.Max, exp.Paren, exp.Neg, exp.Abs, exp.Distinct)):
        return value_type(_inside(node), columns)
    if isinstance(node, (exp.Add, exp.Sub, exp.Mul, exp.Coalesce, exp.Case, exp.Array)):
        kinds = (value_type(part, columns) for part in _alternatives(node))
        found = next((kind for kind in kinds if kind is not None), None)
        return _array_of(found) if isinstance(node, exp.Array) else found
    return next((kind for classes, kind in _RESULTS if isinstance(node, classes)), None)


_RESULTS: Final[Sequence[tuple[tuple[type[exp.Expr], ...], pa.DataType]]] = (
    ((exp.Boolean, exp.Not, exp.And, exp.Or), pa.bool_()),
    ((exp.CurrentTimestamp,), pa.timestamp("us", tz="UTC")),
    ((exp.Date, exp.CurrentDate), pa.date32()),
    ((exp.Interval,), pa.month_day_nano_interval()),
    ((exp.Extract,), named_type("numeric")),
    ((exp.Count,), BIGINT),
    ((exp.Length, exp.StrPosition), INTEGER),
    (_STRING_RESULTS, TEXT),
)


def _inside(node: exp.Expr) -> exp.Expr:
    inside: exp.Expr = node.expressions[0] if isinstance(node, exp.Distinct) else node.this
    return inside


def _number(written: str) -> pa.DataType | None:
    if not written.isdigit():
        return named_type("numeric")
    value = int(written)
    if value > _LARGEST_BIGINT:
        return named_type("numeric")
    return INTEGER if value <= _LARGEST_INTEGER else BIGINT


def _sum(summed: pa.DataType | None) -> pa.DataType | None:
    if summed is not None and pa.types.is_integer(summed):
        return named_type("numeric") if summed == BIGINT else BIGINT
    return summed


def _element(kind: pa.DataType | None) -> pa.DataType | None:
    return kind.value_type if kind is not None and pa.types.is_list(kind) else kind
