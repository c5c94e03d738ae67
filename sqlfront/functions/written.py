"""Values as texts, as PostgreSQL writes them: the last rewrite, once a statement is planned.

No type and no name changes here, so that planning need not know of it, and sees plain casts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pyarrow as pa
from sqlglot import exp
from sqlglot.expressions import DType

from sqlfront.functions.templates import EXACT, fill
from sqlfront.trees import bare, rewrite

TypeOf = Callable[[exp.Column], pa.DataType | None]

_FLOAT: Final = (
    r"REGEXP_REPLACE(REGEXP_REPLACE(REGEXP_REPLACE(CASE CAST(x AS TEXT) WHEN 'nan' THEN 'NaN'"
    r" WHEN 'inf' THEN 'Infinity' WHEN '-inf' THEN '-Infinity' ELSE CAST(x AS TEXT) END, '\.0$', ''),"
    r" '^(-?\d)(\d{15})(\.\d*)?$', '\1.\2e+15'), '\.?0*e\+15$', 'e+15')"
)
_INTERVAL: Final = r"REPLACE(CAST(x AS TEXT), 'month', 'mon')"
_BYTES: Final = r"'\x' || LOWER(HEX(TRY_CAST(x AS BLOB)))"
_LIST: Final = (
    "'{' || ARRAY_TO_STRING(LIST_TRANSFORM(TRY_CAST(x AS TEXT[]), item -> CASE WHEN item IS NULL THEN 'NULL'"
    r""" WHEN item = '' OR UPPER(item) = 'NULL' OR REGEXP_MATCHES(item, '[{}",\\\s]')"""
    r""" THEN '"' || REPLACE(REPLACE(item, '\', '\\'), '"', '\"') || '"' ELSE item END), ',') || '}'"""
)
_FLOATS: Final = (
    "'{' || ARRAY_TO_STRING(LIST_TRANSFORM(TRY_CAST(x AS TEXT[]),"
    r" item -> COALESCE(REGEXP_REPLACE(item, '\.0$', ''), 'NULL')), ',') || '}'"
)
_TEXT_OF: Final = (
    f"CASE WHEN TYPEOF(x) IN ('DOUBLE', 'FLOAT') THEN {_FLOAT} WHEN TYPEOF(x) = 'INTERVAL' THEN {_INTERVAL}"
    f" WHEN TYPEOF(x) = 'BLOB' THEN {_BYTES} WHEN TYPEOF(x) IN ('DOUBLE[]', 'FLOAT[]') THEN {_FLOATS}"
    f" WHEN TYPEOF(x) LIKE '%[]' THEN {_LIST}"
    rf" WHEN TYPEOF(x) = '{EXACT}' THEN REGEXP_REPLACE(CAST(x AS TEXT), '\.?0+$', '')"
    " ELSE CAST(x AS TEXT) END"
)
_BOOLEAN: Final = "CASE WHEN TYPEOF(x) = 'BOOLEAN' THEN LEFT(CAST(x AS TEXT), 1) ELSE y END"
_ROUND: Final = "CASE WHEN TYPEOF(x) IN ('DOUBLE', 'FLOAT') THEN ROUND_EVEN(x, 0) ELSE ROUND(x) END"
_TEXTS: Final = (DType.TEXT, DType.VARCHAR, DType.CHAR, DType.BPCHAR, DType.NAME)
_TEXTUAL: Final = (
    *(exp.DPipe, exp.Concat, exp.ConcatWs, exp.Lower, exp.Upper, exp.Trim, exp.Substring, exp.SplitPart),
    *(exp.Left, exp.Right, exp.Pad, exp.Replace, exp.RegexpReplace, exp.TimeToStr, exp.Initcap, exp.Chr),
    *(exp.GroupConcat, exp.MD5, exp.Reverse, exp.Repeat, exp.Translate, exp.JSONExtractScalar),
    *(exp.RegexpExtract, exp.Overlay),
)
_CALCULATED: Final = (
    *(exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.Neg, exp.Sum, exp.Avg, exp.Round, exp.Abs, exp.Ceil),
    *(exp.Floor, exp.Pow, exp.Sqrt, exp.Ln, exp.Exp),
)
_OTHERWISE: Final = (
    *(DType.DOUBLE, DType.FLOAT, DType.DECIMAL, DType.INTERVAL, DType.BINARY, DType.VARBINARY),
    *(DType.ARRAY, DType.LIST, DType.BOOLEAN),
)
_WRITTEN: Final = "written"
"""Key in a node's meta: it is a text already, so that nothing is written twice."""
_STATISTICS: Final = (exp.Corr, exp.RegrSlope, exp.RegrIntercept, exp.RegrR2)
_PLAIN: Final = (*(exp.Count, exp.Length, exp.TimestampTrunc, exp.DateTrunc, exp.Date, exp.Extract),)


def as_written(tree: exp.Expr, type_of: TypeOf = lambda column: None) -> exp.Expr:
    """Return a copy of a planned expression or query whose texts are PostgreSQL's.

    Args:
        type_of: the type of a column, None if it is not known.

    >>> from sqlglot import parse_one
    >>> as_written(parse_one("CAST('a' AS VARCHAR(1))", read="postgres")).sql("duckdb")
    "LEFT(CAST('a' AS TEXT), 1)"
    """
    return _Writer(type_of).written(tree.copy())


class _Writer:
    """Rewrites what becomes a text, inside out; knows the types of columns."""

    def __init__(self, type_of: TypeOf) -> None:
        self._type_of = type_of

    def written(self, node: exp.Expr) -> exp.Expr:
        """Return a node with all texts in it as PostgreSQL writes them."""
        return rewrite(node, self._change, into_queries=True)

    def _change(self, node: exp.Expr) -> exp.Expr | None:
        if isinstance(node, exp.Cast) and node.to.is_type(*_TEXTS):
            return self._cast(node)
        if isinstance(node, exp.Round) and node.args.get("decimals") is None:
            return fill(_ROUND, x=self.written(node.this))
        if isinstance(node, (exp.Window, exp.Filter, exp.WithinGroup, *_STATISTICS, exp.Sum)):
            return _aggregated(node, self.written)
        if isinstance(node, (exp.Concat, exp.ConcatWs)):
            parts = [self._part(self.written(part), in_concat=True) for part in node.expressions]
            node.set("expressions", parts)
            return node
        return self._joined(node) if isinstance(node, exp.DPipe) else None

    def _cast(self, node: exp.Cast) -> exp.Expr:
        inner, length = self.written(node.this), node.to.expressions
        is_plain = _is_plain(inner, self._type_of)
        text = exp.cast(inner, "text", dialect="duckdb") if is_plain else _text_of(inner)
        if not length and not node.to.is_type(DType.CHAR):
            return text
        return fill("LEFT(x, y)", x=text, y=length[0].this if length else exp.Literal.number(1))

    def _part(self, part: exp.Expr, *, in_concat: bool = False) -> exp.Expr:
        if _is_plain(part, self._type_of):
            return part
        text = _text_of(part)
        return fill(_BOOLEAN, x=part, y=text) if in_concat else text

    def _joined(self, node: exp.DPipe) -> exp.Expr:
        """Write both sides of ``||``, unless they may be arrays."""
        sides = [self.written(node.this), self.written(node.expression)]
        is_text = any(_is_text(side, self._type_of) for side in sides)
        left, right = (
            self._part(side) if is_text or isinstance(bare(side), _CALCULATED) else side for side in sides
        )
        return exp.DPipe(this=left, expression=right)


def _text_of(node: exp.Expr) -> exp.Expr:
    text = fill(_TEXT_OF, x=node)
    text.meta[_WRITTEN] = True
    return text


def _is_text(node: exp.Expr, type_of: TypeOf) -> bool:
    node = bare(node)
    if node.meta_get(_WRITTEN):
        return True
    if isinstance(node, exp.Literal):
        return bool(node.is_string)
    if isinstance(node, exp.Column):
        kind = type_of(node)
        return kind is not None and pa.types.is_string(kind)
    if isinstance(node, exp.Cast):
        return bool(node.to.is_type(*_TEXTS))
    if isinstance(node, (exp.Coalesce, exp.Nullif)):
        return _is_text(node.this, type_of)
    return isinstance(node, _TEXTUAL)


def _is_plain(node: exp.Expr, type_of: TypeOf) -> bool:
    """Tell whether DuckDB writes an expression's values as PostgreSQL does, as far as it shows."""
    node = bare(node)
    if isinstance(node, exp.Literal):
        return node.is_string or "e" not in node.name.lower()
    if _is_text(node, type_of) or isinstance(node, (exp.Null, *_PLAIN)):
        return True
    if isinstance(node, exp.Column):
        kind = type_of(node)
        return kind is not None and not (pa.types.is_floating(kind) or pa.types.is_nested(kind))
    if isinstance(node, exp.Cast):
        return not node.to.is_type(*_OTHERWISE)
    return False


def _aggregated(node: exp.Expr, inside: Callable[[exp.Expr], exp.Expr]) -> exp.Expr:
    """Return an aggregate, perhaps a filtered or windowed one, with what its function needs around it."""
    function, part = node, node
    while isinstance(function, (exp.Window, exp.Filter, exp.WithinGroup)):
        part, function = function, function.this
    for holder in {id(one): one for one in (node, part, function)}.values():
        for name, value in list(holder.args.items()):
            if not isinstance(value, (exp.Window, exp.Filter, exp.WithinGroup)) and value is not function:
                holder.set(name, _each(value, inside))
    if isinstance(function, _STATISTICS):
        return fill("NULLIF(x, CAST('NaN' AS DOUBLE))", x=node)
    if isinstance(function, exp.Sum) and is_short(function.this):
        return exp.cast(node, "bigint", dialect="duckdb")
    return node


def _each(value: object, inside: Callable[[exp.Expr], exp.Expr]) -> object:
    if isinstance(value, list):
        return [inside(item) if isinstance(item, exp.Expr) else item for item in value]
    return inside(value) if isinstance(value, exp.Expr) else value


def is_short(node: exp.Expr) -> bool:
    """Tell whether an expression shows that it is a 4-byte number, as ``CASE WHEN … THEN 1 ELSE 0 END``."""
    node = bare(node)
    if isinstance(node, exp.Case):
        values = [branch.args["true"] for branch in node.args["ifs"]]
        default = node.args.get("default")
        return all(map(is_short, [*values, default] if default is not None else values))
    if isinstance(node, exp.Literal):
        return not node.is_string and node.name.isdigit() and int(node.name) < 2**31
    if isinstance(node, exp.Cast):
        return bool(node.to.is_type(DType.INT, DType.SMALLINT))
    return isinstance(node, exp.Null)
