"""PostgreSQL's functions of dates, times and intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlglot import exp
from sqlglot.expressions import DType

from sqlfront.functions.constants import interval
from sqlfront.functions.numerals import number_text
from sqlfront.functions.patterns import interval_text, is_of_number, may_be_of_interval, parsed, time_text
from sqlfront.functions.templates import Arguments, Builder, call, constant, fill, number, text
from sqlfront.trees import bare

_PARTS: Final = {
    "y": "year",
    "years": "year",
    "m": "month",
    "mon": "month",
    "months": "month",
    "dayofmonth": "day",
    "d": "day",
    "days": "day",
    "dayofweek": "dow",
    "dayofyear": "doy",
    "woy": "week",
    "w": "week",
    "weeks": "week",
    "qoy": "quarter",
    "q": "quarter",
    "hours": "hour",
    "minutes": "minute",
    "seconds": "second",
    "milliseconds": "millisecond",
    "microseconds": "microsecond",
}
_FRACTIONS: Final = {
    "second": ("EXTRACT(MICROSECOND FROM x) / 1000000.0", "DECIMAL(18, 6)"),
    "millisecond": ("EXTRACT(MICROSECOND FROM x) / 1000.0", "DECIMAL(18, 3)"),
    "epoch": ("EXTRACT(EPOCH FROM x)", "DECIMAL(38, 6)"),
    "julian": ("EXTRACT(JULIAN FROM x)", "DOUBLE"),
}
_BY_YEARS: Final = {"century": 100, "millennium": 1000}


def part_name(part: str) -> str:
    """Return how DuckDB calls a part of a time."""
    return _PARTS.get(part.lower(), part.lower())


def extract(part: str, value: exp.Expr, kind: str = "") -> exp.Expr:
    """Return ``EXTRACT(part FROM value)``, an exact number; a binary one for kind ``DOUBLE``.

    Numbers with decimals, since a quotient of two whole numbers would be a whole number.
    """
    template, exact = _FRACTIONS.get(part_name(part), ("", "DECIMAL(18, 0)"))
    found: exp.Expr = exp.Extract(this=exp.Var(this=part_name(part).upper()), expression=value)
    if template:
        found = fill(template, x=value)
    return exp.cast(found, kind or exact, dialect="duckdb")


def _date_part(arguments: Arguments) -> exp.Expr:
    return extract(constant(arguments[0], "date_part"), arguments[1], "DOUBLE")


def truncated(node: exp.Expr, value: exp.Expr) -> exp.Expr | None:
    """Return date_trunc where DuckDB's differs: centuries begin with their first year, not the zeroth."""
    unit = part_name(node.args["unit"].name)
    unit = "day" if unit in ("dow", "doy") else unit
    if unit in _BY_YEARS:
        first = fill("(YEAR(x) - 1) // y * y + 1", x=value, y=number(_BY_YEARS[unit]))
        return fill("MAKE_TIMESTAMP(x, 1, 1, 0, 0, 0)", x=first)
    if unit != node.args["unit"].name.lower():
        changed = node.copy()
        changed.set("this", value)
        changed.set("unit", exp.Var(this=unit.upper()))
        return changed
    return None


def _to_char(arguments: Arguments) -> exp.Expr:
    value, pattern = arguments[0], constant(arguments[1], "to_char")
    if not pattern:
        return exp.cast(exp.null(), "text", dialect="duckdb")
    if is_of_number(pattern):
        return number_text(value, pattern)
    if is_interval(value):
        return interval_text(value, pattern)
    if not may_be_of_interval(pattern) or _is_dated(value):
        return time_text(value, pattern)
    return fill(
        "CASE WHEN TYPEOF(x) = 'INTERVAL' THEN y ELSE z END",
        x=value,
        y=interval_text(exp.TryCast(this=value, to=exp.DataType.build("interval")), pattern),
        z=time_text(exp.TryCast(this=value, to=exp.DataType.build("timestamp")), pattern),
    )


def _is_dated(node: exp.Expr) -> bool:
    """Tell whether an expression shows that it is a date or a time with a date."""
    node = bare(node)
    return isinstance(node, (exp.Cast, exp.TimestampTrunc, exp.DateTrunc, exp.AtTimeZone)) or (
        isinstance(node, exp.Anonymous) and node.name.lower() == "now"
    )


def is_interval(node: exp.Expr) -> bool:
    """Tell whether an expression shows that it is an interval: a literal, a cast, or times subtracted."""
    node = bare(node)
    if isinstance(node, exp.Cast):
        return bool(node.to.is_type(DType.INTERVAL))
    if isinstance(node, (exp.Add, exp.Mul)):
        return is_interval(node.this) and not _is_time(node.expression)
    if isinstance(node, exp.Sub):
        both = _is_time(node.this) and _is_time(node.expression)
        return both or (is_interval(node.this) and is_interval(node.expression))
    if isinstance(node, (exp.Sum, exp.Avg, exp.Min, exp.Max)):
        return is_interval(node.this)
    return isinstance(node, exp.Interval) or (isinstance(node, exp.Anonymous) and node.name.lower() == "age")


def _is_time(node: exp.Expr) -> bool:
    """Tell whether an expression may be a time: all that shows no other type."""
    node = bare(node)
    if isinstance(node, exp.Literal):
        return node.is_string
    return not is_interval(node)


def _to_date(arguments: Arguments) -> exp.Expr:
    if len(arguments) == 1:
        return exp.cast(arguments[0], "date")
    return exp.cast(parsed(arguments[0], constant(arguments[1], "to_date")), "date")


def _to_timestamp(arguments: Arguments) -> exp.Expr:
    if len(arguments) == 1:
        return call("to_timestamp", *arguments)
    return exp.cast(parsed(arguments[0], constant(arguments[1], "to_timestamp")), "timestamptz")


def _date_bin(arguments: Arguments) -> exp.Expr:
    width, value, origin = arguments
    if isinstance(width, exp.Literal):
        width = interval(width.name)
    return call("time_bucket", width, value, origin)


_OF_INTERVAL: Final = (
    ("years", "TO_YEARS(x)"),
    ("months", "TO_MONTHS(x)"),
    ("weeks", "TO_WEEKS(x)"),
    ("days", "TO_DAYS(x)"),
    ("hours", "TO_HOURS(x)"),
    ("mins", "TO_MINUTES(x)"),
    ("secs", "TO_MICROSECONDS(CAST(ROUND(x * 1000000) AS BIGINT))"),
)


def _make_interval(arguments: Arguments) -> exp.Expr:
    given: dict[str, exp.Expr] = {}
    for (name, _), argument in zip(_OF_INTERVAL, arguments, strict=False):
        if not isinstance(argument, (exp.Kwarg, exp.PropertyEQ)):
            given[name] = argument
    for argument in arguments:
        if isinstance(argument, (exp.Kwarg, exp.PropertyEQ)):
            given[argument.this.name.lower()] = argument.expression
    whole: exp.Expr = interval("0 days")
    for name, template in _OF_INTERVAL:
        if name in given:
            whole = exp.Add(this=whole, expression=fill(template, x=given[name]))
    return exp.paren(whole, copy=False)


_DAYS: Final = "EXTRACT(YEAR FROM x) * 12 + EXTRACT(MONTH FROM x)"
_MICROSECONDS: Final = (
    "EXTRACT(HOUR FROM x) * 3600000000 + EXTRACT(MINUTE FROM x) * 60000000 + EXTRACT(MICROSECOND FROM x)"
)


def _justify(arguments: Arguments, days: bool, hours: bool) -> exp.Expr:
    """Turn 24 hours into days and 30 days into months; all parts get the sign of the whole."""
    value = arguments[0]
    if isinstance(value, exp.Literal):
        value = interval(value.name)
    months, micros = fill(_DAYS, x=value), fill(_MICROSECONDS, x=value)
    day = fill("EXTRACT(DAY FROM x)", x=value)
    if days and hours:
        total = fill("(m * 30 + d) * 86400000000 + u", m=months, d=day, u=micros)
        return fill(
            "TO_MONTHS(CAST(TRUNC(x / 2592000000000.0) AS INT))"
            " + TO_DAYS(CAST(TRUNC((x % 2592000000000) / 86400000000.0) AS INT))"
            " + TO_MICROSECONDS(x % 86400000000)",
            x=total,
        )
    if days:
        return fill(
            "TO_MONTHS(CAST(m + TRUNC(d / 30.0) AS INT)) + TO_DAYS(CAST(d % 30 AS INT)) + TO_MICROSECONDS(u)",
            m=months,
            d=day,
            u=micros,
        )
    return fill(
        "TO_MONTHS(CAST(m AS INT)) + TO_DAYS(CAST(d + TRUNC(u / 86400000000.0) AS INT))"
        " + TO_MICROSECONDS(u % 86400000000)",
        m=months,
        d=day,
        u=micros,
    )


_END: Final = "CASE WHEN x IS NOT NULL AND y IS NOT NULL THEN GREATEST(x, y) END"
_OVERLAPS: Final = (
    "CASE WHEN s > t THEN s < f OR e < s WHEN t > s THEN t < e OR f < t WHEN s = t THEN e = e AND f = f END"
)


def overlaps(left: exp.Expr, right: exp.Expr) -> exp.Expr:
    """Tell whether two periods share a time; each is (start, end) or (start, length), in any order.

    An end that is NULL is open: they overlap where the other one goes beyond the start, else nobody knows.
    """
    times: dict[str, exp.Expr] = {}
    for (start, end), pair in ((("s", "e"), left), (("t", "f"), right)):
        one, other = _period(pair)
        times[start] = fill("LEAST(x, y)", x=one, y=other)
        times[end] = fill(_END, x=one, y=other)
    return exp.paren(fill(_OVERLAPS, **times), copy=False)


_TIME_OF_DAY: Final = (
    "CASE TYPEOF(x) WHEN 'TIMESTAMP WITH TIME ZONE' THEN CAST(TRY_CAST(x AS TIMESTAMP) AS TIME)"
    " ELSE CAST(x AS TIME) END"
)


def time_of_day(value: exp.Expr) -> exp.Expr:
    """Return ``value::time``, of an instant as well: its time in UTC."""
    return fill(_TIME_OF_DAY, x=value)


def _period(pair: exp.Expr) -> tuple[exp.Expr, exp.Expr]:
    start, end = pair.expressions
    return start, exp.Add(this=start.copy(), expression=end) if is_interval(end) else end


def _age(arguments: Arguments) -> exp.Expr:
    if len(arguments) == 1:
        return fill("AGE(CAST(CAST(NOW() AS DATE) AS TIMESTAMP), CAST(x AS TIMESTAMP))", x=arguments[0])
    return call("age", *arguments)


def _timeofday(_: Arguments) -> exp.Expr:
    return fill("STRFTIME(NOW(), f)", f=text("%a %b %d %H:%M:%S.%f %Y UTC"))


BUILDERS: Final[Mapping[str, Builder]] = {
    "to_char": _to_char,
    "to_date": _to_date,
    "to_timestamp": _to_timestamp,
    "date_part": _date_part,
    "date_bin": _date_bin,
    "age": _age,
    "make_interval": _make_interval,
    "justify_days": lambda arguments: _justify(arguments, days=True, hours=False),
    "justify_hours": lambda arguments: _justify(arguments, days=False, hours=True),
    "justify_interval": lambda arguments: _justify(arguments, days=True, hours=True),
    "timeofday": _timeofday,
}
