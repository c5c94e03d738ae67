"""PostgreSQL's functions and operators in a parsed statement, rewritten into DuckDB's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from sqlglot import exp
from sqlglot.expressions import DType

from sqlfront.dialect import AS_WRITTEN
from sqlfront.functions import (
    arrays,
    bounds,
    constants,
    dates,
    jsons,
    numbers,
    regexps,
    spark,
    spark_dates,
    texts,
)
from sqlfront.functions.names import called
from sqlfront.functions.templates import NAME, fill, text
from sqlfront.problems import UnknownFunctionError
from sqlfront.trees import bare, rewrite


def now() -> exp.Expr:
    """Return ``now()``: a call, since DuckDB takes the word CURRENT_TIMESTAMP for an output of that name."""
    return exp.Anonymous(this="now", expressions=[])


def is_now(node: exp.Expr) -> bool:
    """Tell whether a node is the clock."""
    return isinstance(node, exp.Anonymous) and node.name.lower() == "now"


_CLOCK: Final[dict[type[exp.Expr], Callable[[], exp.Expr]]] = {
    exp.CurrentTimestamp: now,
    exp.CurrentDate: lambda: exp.cast(now(), "date"),
    exp.CurrentTime: lambda: exp.cast(now(), "timetz"),
    exp.Localtime: lambda: exp.cast(exp.cast(now(), "timestamp"), "time"),
    exp.Localtimestamp: lambda: exp.cast(now(), "timestamp"),
}
_BUILDERS: Final[Mapping[str, Callable[[Sequence[exp.Expr]], exp.Expr]]] = {
    **{name: lambda _: now() for name in ("clock_timestamp", "statement_timestamp", "transaction_timestamp")},
    **texts.BUILDERS,
    **regexps.BUILDERS,
    **arrays.BUILDERS,
    **jsons.BUILDERS,
    **numbers.BUILDERS,
    **dates.BUILDERS,
    **spark.BUILDERS,
    **spark_dates.BUILDERS,
}


_OPPOSITES: Final[Mapping[type[exp.Expr], type[exp.Expr]]] = {
    exp.EQ: exp.NEQ,
    exp.NEQ: exp.EQ,
    exp.LT: exp.GTE,
    exp.GTE: exp.LT,
    exp.GT: exp.LTE,
    exp.LTE: exp.GT,
}


def to_duckdb(tree: exp.Expr) -> exp.Expr:
    """Rewrite PostgreSQL's functions in a parsed statement into DuckDB's.

    >>> import sqlfront.dialect as dialect
    >>> to_duckdb(dialect.parse("select to_char(x, 'YYYY-MM')")[0].tree).sql("duckdb")
    "SELECT STRFTIME(x, '%Y-%m')"
    """
    return rewrite(tree, _change, into_queries=True)


def _change(node: exp.Expr) -> exp.Expr | None:
    if isinstance(node, exp.Dot) and isinstance(node.expression, exp.Func):
        return to_duckdb(node.expression)
    clock = _CLOCK.get(type(node))
    if clock is not None:
        return clock()
    if isinstance(node, exp.Anonymous):
        return _call(node)
    change = _NODES.get(type(node))
    return None if change is None else change(node)


def _collected(node: exp.Expr) -> exp.Expr:
    """Put what an aggregate takes once into order, as PostgreSQL finds equal ones by sorting."""
    inside = _inside(node)
    inside.set("this", jsons.in_order(inside.this))
    return inside


def _aggregated(node: exp.Expr) -> exp.Expr | None:
    """Return an aggregate that makes JSON, perhaps with FILTER and OVER, which belong to what is inside."""
    function = node
    while isinstance(function, (exp.Window, exp.Filter)):
        function = function.this
    name = function.name.lower().removeprefix(AS_WRITTEN) if isinstance(function, exp.Anonymous) else ""
    if name not in jsons.AGGREGATES:
        return None
    try:
        aggregate, around = jsons.AGGREGATES[name]([to_duckdb(inner) for inner in function.expressions])
    except ValueError:
        raise _wrong_number(function) from None
    aggregate.meta[NAME] = called(function)
    if function is not node:
        function.replace(exp.null())
        _inside(node)
        aggregate = _with_function(node, aggregate)
    return fill(around, x=aggregate)


def _with_function(around: exp.Expr, function: exp.Expr) -> exp.Expr:
    """Return FILTER and OVER around another function."""
    inner = around
    while isinstance(inner.this, (exp.Window, exp.Filter)):
        inner = inner.this
    inner.set("this", function)
    return around


def _call(node: exp.Anonymous) -> exp.Expr | None:
    aggregated = _aggregated(node)
    if aggregated is not None:
        return aggregated
    builder = _BUILDERS.get(node.name.lower().removeprefix(AS_WRITTEN))
    if builder is None:
        return None
    try:
        built = builder([to_duckdb(inner) for inner in node.expressions])
    except (IndexError, ValueError):
        raise _wrong_number(node) from None
    if called(node) in spark.COLLECTING and isinstance(node.parent, (exp.Window, exp.Filter)):
        built = spark.of_window(built, node.parent)
    built.meta[NAME] = called(node)
    is_read_inside = isinstance(node.parent, (exp.Dot, exp.Bracket)) and node.parent.this is node
    return exp.paren(built, copy=False) if is_read_inside else built


def _wrong_number(node: exp.Expr) -> UnknownFunctionError:
    return UnknownFunctionError(
        f"function {called(node)} does not take {len(node.expressions)} arguments",
        hint="See PostgreSQL's documentation for what it takes.",
    )


def _extract(node: exp.Expr) -> exp.Expr:
    return dates.extract(node.this.name, to_duckdb(node.expression))


def _date(node: exp.Expr) -> exp.Expr | None:
    if node.this is None:
        raise UnknownFunctionError("function date() does not exist")
    return None


def _negative(node: exp.Expr) -> exp.Expr:
    return exp.Neg(this=exp.paren(to_duckdb(node.this), copy=False))


def _cast(node: exp.Expr) -> exp.Expr | None:
    """Read hexadecimal numbers, and texts, as PostgreSQL does."""
    literal, target = bare(node.this), node.args["to"]
    if isinstance(literal, (exp.HexString, exp.BitString)) and target.is_type(DType.INT, DType.BIGINT):
        base = 16 if isinstance(literal, exp.HexString) else 2
        return exp.cast(exp.Literal.number(int(literal.name, base)), target)
    if isinstance(literal, exp.Literal) and literal.is_string:
        return constants.read(literal.name, target)
    if target.is_type(DType.TIME) and not isinstance(literal, exp.Null):
        return dates.time_of_day(to_duckdb(node.this))
    return None


def _joined(node: exp.Expr) -> exp.Expr | None:
    """Return an array with one more element, where that is written as a number."""
    left, right = bare(node.this), bare(node.expression)
    if isinstance(left, exp.Array) and _is_number(right):
        return fill("LIST_APPEND(x, y)", x=to_duckdb(left), y=right)
    if isinstance(right, exp.Array) and _is_number(left):
        return fill("LIST_PREPEND(y, x)", x=to_duckdb(right), y=left)
    return None


def _is_number(node: exp.Expr) -> bool:
    return isinstance(node, exp.Literal) and not node.is_string


def _matches(node: exp.Expr) -> exp.Expr:
    node.set("expression", regexps.understood(node.expression))
    return _inside(node)


def _truncated(node: exp.Expr) -> exp.Expr | None:
    return dates.truncated(node, to_duckdb(node.this.copy()))


def _substring(node: exp.Expr) -> exp.Expr | None:
    start = node.args.get("start")
    if isinstance(start, exp.Literal) and start.is_string:
        return regexps.substring_of(to_duckdb(node.this), start)
    length = node.args.get("length")
    if start is None:
        return None
    return texts.substring(
        to_duckdb(node.this), to_duckdb(start), None if length is None else to_duckdb(length)
    )


def _similar(node: exp.Expr) -> exp.Expr:
    return regexps.similar(to_duckdb(node.this), node.expression)


def _like(node: exp.Expr) -> exp.Expr | None:
    pattern = node.expression
    every = isinstance(pattern, exp.All) or called(pattern) == "all"
    if isinstance(pattern, exp.Any) or every:
        patterns = pattern.expressions[0] if pattern.expressions else pattern.this
        return texts.like_any(rewrite(node, _nothing), patterns, every)
    return texts.like(_inside(node))


def _nothing(_: exp.Expr) -> None:
    return None


def _inside(node: exp.Expr) -> exp.Expr:
    """Rewrite what is inside a node, and return the node."""
    for name, value in list(node.args.items()):
        if isinstance(value, exp.Expr):
            node.set(name, to_duckdb(value))
    return node


def _each(node: exp.Expr) -> exp.Expr:
    """Rewrite the arguments of a node, and return the node."""
    node.set("expressions", [to_duckdb(part) for part in node.expressions])
    return node


def _array_and_function(node: exp.Expr) -> tuple[exp.Expr, exp.Expr]:
    return to_duckdb(node.this), to_duckdb(node.expression)


def _compared(node: exp.Expr) -> exp.Expr | None:
    """Return comparisons with ANY of an array's text, and with ALL of an array, in DuckDB's words."""
    many = node.expression
    if called(many) == "all" and isinstance(many, exp.Anonymous):
        array = exp.Any(this=exp.Paren(this=many.expressions[0]))
        opposite = _OPPOSITES[type(node)](this=node.this, expression=array)
        return exp.Not(this=exp.Paren(this=_compared(opposite) or _inside(opposite)))
    literal = bare(many.this) if isinstance(many, exp.Any) else None
    if not (isinstance(literal, exp.Literal) and literal.is_string):
        return None
    values = arrays.array(literal.name).expressions
    if not values:
        return exp.false()
    left = to_duckdb(node.this)
    if isinstance(node, exp.EQ):
        return exp.In(this=left, expressions=values)
    return exp.Paren(this=exp.or_(*(type(node)(this=left.copy(), expression=value) for value in values)))


def _divided(node: exp.Expr) -> exp.Expr | None:
    """Return a part of an interval."""
    if not dates.is_interval(node.this):
        return None
    return fill("x * (1.0 / y)", x=to_duckdb(node.this), y=to_duckdb(node.expression))


def _overlaps(node: exp.Expr) -> exp.Expr | None:
    if isinstance(node.this, exp.Tuple) and isinstance(node.expression, exp.Tuple):
        inside = _inside(node)
        return dates.overlaps(inside.this, inside.expression)
    return None


def _series(node: exp.Expr) -> exp.Expr | None:
    if isinstance(node, exp.ExplodingGenerateSeries) and _is_table(node):
        bounds.check_rows(node)
        return None
    return arrays.series(_inside(node))


def _padded(node: exp.Expr) -> exp.Expr | None:
    if not isinstance(node, exp.Pad):
        return None
    pattern = node.args.get("fill_pattern")
    blank = text(" ") if pattern is None else to_duckdb(pattern)
    return bounds.padded(node, to_duckdb(node.this), to_duckdb(node.expression), blank)


def _whole(template: str, *names: str) -> Callable[[exp.Expr], exp.Expr]:
    """Return a rewrite of a function that PostgreSQL answers with a 4-byte number."""

    def change(node: exp.Expr) -> exp.Expr:
        parts = {name[0]: to_duckdb(node.args[name]) for name in names}
        return fill(f"CAST({template} AS INT)", **parts)

    return change


_NODES: Final[Mapping[type[exp.Expr], Callable[[exp.Expr], exp.Expr | None]]] = {
    exp.ArrayAgg: _collected,
    exp.GroupConcat: _collected,
    exp.Filter: _aggregated,
    exp.Window: _aggregated,
    exp.Initcap: lambda node: texts.capitalised(to_duckdb(node.this)),
    exp.Extract: _extract,
    exp.Date: _date,
    exp.Negative: _negative,
    exp.Cast: _cast,
    exp.TimestampTrunc: _truncated,
    exp.DateTrunc: _truncated,
    exp.Substring: _substring,
    exp.SimilarTo: _similar,
    exp.Like: _like,
    exp.ILike: _like,
    **dict.fromkeys(_OPPOSITES, _compared),
    exp.Div: _divided,
    exp.DPipe: _joined,
    exp.RegexpLike: _matches,
    exp.RegexpILike: _matches,
    exp.ArrayOverlaps: _overlaps,
    exp.ExplodingGenerateSeries: _series,
    exp.Repeat: lambda node: bounds.repeated(to_duckdb(node.this), to_duckdb(node.args["times"])),
    exp.Pad: _padded,
    exp.Chr: lambda node: texts.character(to_duckdb(node.expressions[0])),
    exp.Length: _whole("LENGTH(t)", "this"),
    exp.StrPosition: _whole("STRPOS(t, s)", "this", "substr"),
    exp.BitLength: _whole("BIT_LENGTH(t)", "this"),
    exp.Struct: lambda node: spark.named_struct(_each(node)),
    exp.Transform: lambda node: spark.over_elements("list_transform", *_array_and_function(node)),
    exp.ArrayFilter: lambda node: spark.over_elements("list_filter", *_array_and_function(node)),
    exp.JSONBExtract: lambda node: jsons.path(to_duckdb(node.this), node.expression, as_text=False),
    exp.JSONBExtractScalar: lambda node: jsons.path(to_duckdb(node.this), node.expression, as_text=True),
}


def _is_table(node: exp.Expr) -> bool:
    return isinstance(node.parent, (exp.Table, exp.From, exp.Join, exp.Lateral))
