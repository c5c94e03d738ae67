"""PostgreSQL's functions of numbers, and statistics over them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlglot import exp

from sqlfront.functions.numerals import number_of
from sqlfront.functions.templates import Arguments, Builder, constant, fill, filled

_TYPE_NAME: Final = (
    "CASE WHEN TYPEOF(x) LIKE 'DECIMAL%' THEN 'numeric' WHEN TYPEOF(x) = 'VARCHAR' THEN 'text'"
    " WHEN TYPEOF(x) = 'TIMESTAMP' THEN 'timestamp without time zone'"
    " WHEN TYPEOF(x) = 'DOUBLE' THEN 'double precision' WHEN TYPEOF(x) = 'FLOAT' THEN 'real'"
    " WHEN TYPEOF(x) = 'BLOB' THEN 'bytea' WHEN TYPEOF(x) = 'HUGEINT' THEN 'numeric'"
    " WHEN TYPEOF(x) LIKE 'STRUCT(%[]' THEN 'record[]'"
    " WHEN TYPEOF(x) LIKE 'STRUCT(%' OR TYPEOF(x) LIKE 'TUPLE(%' THEN 'record'"
    " WHEN TYPEOF(x) = 'VARCHAR[]' THEN 'text[]' WHEN TYPEOF(x) = 'DOUBLE[]' THEN 'double precision[]'"
    " ELSE LOWER(TYPEOF(x)) END"
)


def _log(arguments: Arguments) -> exp.Expr:
    """Return the logarithm to base ten, or to the first of two arguments."""
    if len(arguments) == 1:
        return fill("LOG10(x)", x=arguments[0])
    return fill("LN(y) / LN(x)", x=arguments[0], y=arguments[1])


def _nulls(template: str) -> Builder:
    def builder(arguments: Arguments) -> exp.Expr:
        total = fill(template, x=arguments[0])
        for argument in arguments[1:]:
            total = exp.Add(this=total, expression=fill(template, x=argument))
        return exp.paren(total, copy=False)

    return builder


_BUCKETS: Final = (
    "CASE WHEN x IS NULL OR l IS NULL OR h IS NULL OR n IS NULL THEN NULL"
    " WHEN l < h THEN CAST(GREATEST(LEAST(FLOOR((x - l) * 1.0 / (h - l) * n) + 1, n + 1), 0) AS INT)"
    " ELSE CAST(GREATEST(LEAST(FLOOR((l - x) * 1.0 / (l - h) * n) + 1, n + 1), 0) AS INT) END"
)
_BOUNDS_REACHED: Final = (
    "CAST(CASE WHEN x IS NOT NULL THEN LEN(LIST_FILTER(y, bound -> bound <= x)) END AS INT)"
)


def _width_bucket(arguments: Arguments) -> exp.Expr:
    """Return the bucket of a value: among some of equal width, or between the bounds in an array."""
    if len(arguments) == 2:
        return fill(_BOUNDS_REACHED, x=arguments[0], y=arguments[1])
    value, low, high, count = arguments
    return fill(_BUCKETS, x=value, l=low, h=high, n=count)


BUILDERS: Final[Mapping[str, Builder]] = {
    "pg_typeof": filled(_TYPE_NAME),
    "positive": lambda arguments: exp.paren(arguments[0]),
    "square": lambda arguments: exp.Pow(this=arguments[0], expression=exp.Literal.number(2)),
    "log1p": filled("LN(1 + x)"),
    "expm1": filled("(EXP(x) - 1)"),
    "log": _log,
    "mod": filled("(x % y)"),
    "div": filled("TRUNC(x / y)"),
    "gcd": filled("GCD(x, y)"),
    "lcm": filled("LCM(x, y)"),
    "sign": filled("CAST(SIGN(x) AS DOUBLE)"),
    "num_nulls": _nulls("CASE WHEN x IS NULL THEN 1 ELSE 0 END"),
    "num_nonnulls": _nulls("CASE WHEN x IS NULL THEN 0 ELSE 1 END"),
    "width_bucket": _width_bucket,
    "to_number": lambda arguments: number_of(arguments[0], constant(arguments[1], "to_number")),
    "every": lambda arguments: exp.LogicalAnd(this=arguments[0]),
}
