"""Casts to PostgreSQL's types, written for DuckDB, which names types and reads texts otherwise."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Final

import pyarrow as pa
from sqlglot import exp
from sqlglot.expressions import DType

from sqlfront.cast_types import pg_type
from sqlfront.literals import literal, type_name
from sqlfront.trees import rewrite
from sqlfront.wire.moments import Beyond
from sqlfront.wire.parameters import decode_parameter
from sqlfront.wire.types import NUMERIC, named_type

_READ_HERE: Final = frozenset(("bool", "bytea", "oid", "char", "name", "interval", "uuid", "time", "timetz"))
"""Scalars whose texts DuckDB reads otherwise, or not at all."""
_DATED: Final = frozenset(("date", "timestamp", "timestamptz"))
_STORED: Final = {
    "name": "TEXT",
    "char": "TEXT",
    "bpchar": "TEXT",
    "oid": "BIGINT",
    "xid": "BIGINT",
    "jsonb": "JSON",
}
_CUT: Final = {"char": 1, "name": 63}


def typed_casts(tree: exp.Expr) -> exp.Expr:
    r"""Write casts for DuckDB: texts that PostgreSQL reads in its own way become literals of DuckDB's.

    >>> from sqlfront.dialect import parse
    >>> typed_casts(parse("select '{1,NULL}'::int[], x::name, '\\xff'::bytea")[0].tree).sql("duckdb")
    "SELECT CAST([CAST(1 AS INT), CAST(NULL AS INT)] AS INT[]), CAST(x AS TEXT), UNHEX('ff')"
    """
    return rewrite(tree, _change, into_queries=True)


def _change(node: exp.Expr) -> exp.Expr | None:
    if not isinstance(node, (exp.Cast, exp.TryCast)):
        return None
    name = pg_type(node)
    inner = node.this.unnest()
    if isinstance(inner, exp.Literal) and inner.is_string:
        read = _read(inner.name, name)
        if read is not None:
            return read
    return _stored(node, name)


def _read(text: str, name: str) -> exp.Expr | None:
    """Return a text as a literal of the type; None if DuckDB reads it as PostgreSQL does."""
    kind = named_type(name) if name else None
    if kind is None:
        return None
    if name.startswith("_") or name in _READ_HERE:
        return literal(decode_parameter(text.encode(), kind, False), kind)
    if name == "numeric":
        return None
    value = decode_parameter(text.encode(), kind, False) if name in _DATED and _is_far(text) else None
    return literal(value, kind) if isinstance(value, Beyond) else None


def _is_far(text: str) -> bool:
    return text.strip().upper().endswith("BC")


def _stored(cast: exp.Expr, name: str) -> exp.Expr | None:
    """Return a cast to the type that DuckDB keeps such values in; None if it knows the type by its name."""
    inner = typed_casts(cast.this)
    if name == "numeric" and not cast.args["to"].expressions:
        return _numeric(inner)
    if name.startswith("_") and named_type(name) is not None and name[1:] in _STORED:
        return exp.cast(inner, type_name(named_type(name) or pa.null()), dialect="duckdb")
    if name in _STORED and not cast.args["to"].expressions:
        stored = exp.cast(inner, _STORED[name], dialect="duckdb")
        if cast.args["to"].is_type(DType.CHAR):
            return exp.func("left", stored, exp.Literal.number(1))
        return exp.func("left", stored, exp.Literal.number(_CUT[name])) if name == "char" else stored
    if name and cast.args["to"].this == DType.USERDEFINED:
        known = named_type(name)
        return None if known is None else exp.cast(inner, type_name(known), dialect="duckdb")
    return None


def _numeric(inner: exp.Expr) -> exp.Expr:
    """A written number keeps its digits; all else gets those that ``numeric`` has here."""
    written = _decimal(inner.name) if isinstance(inner, exp.Literal) else None
    spelled = "" if written is None else format(written, "f")
    decimals = len(spelled.partition(".")[2])
    digits = max(sum(map(str.isdigit, spelled)), decimals + 1)
    if written is None or digits > NUMERIC.precision:
        return exp.cast(inner, type_name(NUMERIC), dialect="duckdb")
    return exp.cast(exp.Literal.string(spelled), f"decimal({digits}, {decimals})", dialect="duckdb")


def _decimal(written: str) -> Decimal | None:
    try:
        number = Decimal(written.strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
