"""Functions that a statement may call, and how PostgreSQL's are written for DuckDB.

Everything is a rewrite of the tree, never a macro: expressions also run inside reports, in an engine
that knows nothing of a SQL session.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from sqlglot import exp

from engine.errors import UnsupportedError
from sqlfront.dialect import AS_WRITTEN
from sqlfront.trees import rewrite

_AGGREGATES: Final = """any_value approx_count_distinct arg_max arg_min array_agg avg bit_and bit_or bit_xor
    bool_and bool_or corr count covar_pop covar_samp every first grouping last list max median min mode
    percentile_cont percentile_disc quantile_cont regr_slope stddev stddev_pop stddev_samp string_agg sum
    var_pop var_samp variance"""

AGGREGATES: Final = frozenset(_AGGREGATES.split())
"""Aggregate functions, by the name that a statement calls them."""

_WINDOWS: Final = """cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank
    rank row_number"""

_SCALARS: Final = """abs acos acosh age array_append array_cat array_contains array_length array_position
    array_to_string ascii asin asinh atan atan2 atanh bit_count bit_length btrim cardinality cbrt ceil
    ceiling char_length character_length chr clock_timestamp coalesce concat concat_ws cos cosh cot
    current_date current_time current_timestamp
    date date_add date_diff date_part date_sub date_trunc datediff day dayname dayofmonth
    dayofweek dayofyear degrees div epoch epoch_ms exp expm1 extract factorial floor format_date gcd
    gen_random_uuid greatest hour if ifnull initcap isfinite isinf isnan isodow isoyear json_extract
    json_extract_string last_day lcm lcase least left length levenshtein ln localtime localtimestamp log
    log10 log1p log2 lower lpad ltrim make_date make_timestamp md5 microsecond millisecond minute mod
    month monthname negative now nullif nvl octet_length overlay pi position positive pow power quarter
    radians random regexp_extract regexp_full_match regexp_matches regexp_replace
    regexp_split_to_array repeat replace reverse right round row rpad rtrim second sha256
    sign sin sinh split_part sqrt square starts_with statement_timestamp strftime string_split
    string_to_array strip_accents strlen strpos strptime substr substring tan tanh time_bucket timezone
    timestamp to_char to_date to_hex to_json to_timestamp transaction_timestamp translate trim trunc
    ucase unnest upper user version week weekday weekofyear year yearweek array current_role"""

SAFE: Final = AGGREGATES | frozenset(_WINDOWS.split()) | frozenset(_SCALARS.split())
"""Every function that a statement may call."""

TABLE_FUNCTIONS: Final = frozenset({"generate_series", "unnest"})
"""Functions that may stand in FROM."""

_PARTS: Final = {
    "y": "year",
    "m": "month",
    "dayofmonth": "day",
    "d": "day",
    "dayofweek": "dow",
    "dayofyear": "doy",
    "woy": "week",
    "w": "week",
    "qoy": "quarter",
    "q": "quarter",
}

_PATTERN: Final = re.compile(
    r'FM|"[^"]*"|IYYY|YYYY|YY|MONTH|Month|month|MON|Mon|mon|MM|DAY|Day|day|DY|Dy|dy|DDD|DD|IW|'
    r"HH24|HH12|HH|MI|SS|MS|US|AM|PM|am|pm|Q|D|.",
    re.DOTALL,
)
_STRFTIME: Final = {
    "IYYY": "%G",
    "YYYY": "%Y",
    "YY": "%y",
    "MM": "%m",
    "DDD": "%j",
    "DD": "%d",
    "IW": "%V",
    "HH24": "%H",
    "HH12": "%I",
    "HH": "%I",
    "MI": "%M",
    "SS": "%S",
    "MS": "%g",
    "US": "%f",
    "AM": "%p",
    "PM": "%p",
}
_NAMES: Final = {"month": "%B", "mon": "%b", "day": "%A", "dy": "%a"}

Arguments = Sequence[exp.Expr]


def now() -> exp.Expr:
    """Return ``now()``: a call, since DuckDB takes the word CURRENT_TIMESTAMP for an output of that name."""
    return exp.Anonymous(this="now", expressions=[])


def is_now(node: exp.Expr) -> bool:
    """Tell whether a node is the clock."""
    return isinstance(node, exp.Anonymous) and node.name.lower() == "now"


SYSTEM_FUNCTIONS: Final = ("credit", "identity_history")
"""Our own functions in schema ``system``; each is a table."""

_CLOCK: Final[dict[type[exp.Expr], Callable[[], exp.Expr]]] = {
    exp.CurrentTimestamp: now,
    exp.CurrentDate: lambda: exp.cast(now(), "date"),
    exp.CurrentTime: lambda: exp.cast(now(), "time"),
    exp.Localtime: lambda: exp.cast(now(), "time"),
    exp.Localtimestamp: lambda: exp.cast(now(), "timestamp"),
}


def called(function: exp.Expr) -> str | None:
    """Return the lower-case name by which a function was called; None for syntax such as CASE."""
    name = function.meta_get("name")
    if name is None and isinstance(function, exp.Anonymous):
        name = function.name.removeprefix(AS_WRITTEN)
    return str(name).lower() if name else None


def system_function(item: exp.Expr) -> str | None:
    """Return which function of schema ``system`` an item of FROM calls, such as ``credit``; else None."""
    if not isinstance(item, exp.Table) or not isinstance(item.this, exp.Func) or item.db.lower() != "system":
        return None
    name = called(item.this)
    return name if name in SYSTEM_FUNCTIONS else None


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
    if isinstance(node, exp.Extract):
        part = node.this.name.lower()
        return extract(_PARTS.get(part, part), to_duckdb(node.expression))
    if isinstance(node, (exp.TimestampTrunc, exp.DateTrunc)):
        unit = node.args["unit"].name.lower()
        part = _PARTS.get(unit, unit)
        node.set("unit", exp.Var(this="DAY" if part in ("dow", "doy") else part.upper()))
        return None
    if isinstance(node, exp.Negative):
        return exp.Neg(this=exp.paren(to_duckdb(node.this), copy=False))
    if isinstance(node, exp.Anonymous):
        builder = _BUILDERS.get(node.name.lower())
        if builder is not None:
            return _named(builder([to_duckdb(inner) for inner in node.expressions]), node)
    return None


def _named(built: exp.Expr, node: exp.Expr) -> exp.Expr:
    built.meta["name"] = called(node)
    return built


def extract(part: str, value: exp.Expr) -> exp.Extract:
    """Return ``EXTRACT(part FROM value)``."""
    return exp.Extract(this=exp.Var(this=part.upper()), expression=value)


def _date_part(arguments: Arguments) -> exp.Expr:
    part = _constant(arguments[0], "date_part").lower()
    return extract(_PARTS.get(part, part), arguments[1])


def _constant(argument: exp.Expr, function: str) -> str:
    if isinstance(argument, exp.Literal) and argument.is_string:
        return str(argument.this)
    raise UnsupportedError(
        f"{function} with a pattern that is not a constant text", hint="Write the pattern in quotes."
    )


def _strftime(value: exp.Expr, pattern: str) -> exp.Expr:
    return exp.func("strftime", value.copy(), exp.Literal.string(pattern), dialect="duckdb")


def to_char(value: exp.Expr, pattern: str) -> exp.Expr:
    """Write a timestamp by PostgreSQL's pattern as a concatenation of strftime pieces."""
    pieces: list[exp.Expr] = []
    plain, fill = "", True
    for part in _PATTERN.findall(pattern):
        if part == "FM":
            fill = False
        elif part.lower() in _NAMES or part in ("Q", "D"):
            pieces += [_strftime(value, plain)] if plain else []
            pieces.append(_word(value, part, fill))
            plain = ""
        else:
            plain += _STRFTIME.get(part.upper(), part.strip('"').replace("%", "%%"))
    pieces += [_strftime(value, plain)] if plain or not pieces else []
    whole = pieces[0]
    for piece in pieces[1:]:
        whole = exp.DPipe(this=whole, expression=piece)
    return exp.paren(whole, copy=False) if len(pieces) > 1 else whole


def _word(value: exp.Expr, part: str, fill: bool) -> exp.Expr:
    """Write the name of a month or day in the pattern's case, padded to nine as PostgreSQL does."""
    if part == "Q":
        return exp.cast(extract("quarter", value.copy()), "text")
    if part == "D":
        return exp.cast(exp.paren(extract("dow", value.copy()) + 1), "text")
    text = _strftime(value, _NAMES[part.lower()])
    text = exp.Upper(this=text) if part.isupper() else exp.Lower(this=text) if part.islower() else text
    if fill and part.lower() in ("month", "day"):
        return exp.func("rpad", text, exp.Literal.number(9), exp.Literal.string(" "))
    return text


def _to_char(arguments: Arguments) -> exp.Expr:
    pattern = _constant(arguments[1], "to_char")
    if re.fullmatch(r"[ 09.,GDSLPRMI$+-]*", pattern):
        raise UnsupportedError(
            "to_char of a number is not supported", hint="Cast to numeric(p, s) or use round()."
        )
    return to_char(arguments[0], pattern)


def _parsed(arguments: Arguments, function: str) -> exp.Expr:
    pattern = _constant(arguments[1], function)
    written = "".join(
        _STRFTIME.get(part.upper(), _NAMES.get(part.lower(), part.strip('"')))
        for part in _PATTERN.findall(pattern)
        if part != "FM"
    )
    return exp.func("strptime", arguments[0], exp.Literal.string(written), dialect="duckdb")


def _to_date(arguments: Arguments) -> exp.Expr:
    if len(arguments) == 1:
        return exp.cast(arguments[0], "date")
    return exp.cast(_parsed(arguments, "to_date"), "date")


def _to_timestamp(arguments: Arguments) -> exp.Expr:
    if len(arguments) == 1:
        return exp.Anonymous(this="to_timestamp", expressions=list(arguments))
    return _parsed(arguments, "to_timestamp")


def _log1p(arguments: Arguments) -> exp.Expr:
    return exp.Ln(this=exp.Add(this=exp.Literal.number(1), expression=exp.paren(arguments[0])))


def _expm1(arguments: Arguments) -> exp.Expr:
    return exp.paren(exp.Sub(this=exp.Exp(this=arguments[0]), expression=exp.Literal.number(1)))


def _square(arguments: Arguments) -> exp.Expr:
    return exp.Pow(this=arguments[0], expression=exp.Literal.number(2))


_BUILDERS: Final[dict[str, Callable[[Arguments], exp.Expr]]] = {
    f"{AS_WRITTEN}to_char": _to_char,
    f"{AS_WRITTEN}to_date": _to_date,
    f"{AS_WRITTEN}to_timestamp": _to_timestamp,
    f"{AS_WRITTEN}date_part": _date_part,
    "every": lambda arguments: exp.LogicalAnd(this=arguments[0]),
    "positive": lambda arguments: exp.paren(arguments[0]),
    "log1p": _log1p,
    "expm1": _expm1,
    "square": _square,
    "clock_timestamp": lambda _: now(),
    "statement_timestamp": lambda _: now(),
    "transaction_timestamp": lambda _: now(),
}
