"""What PostgreSQL calls the type that a cast names, however it is spelled."""

from __future__ import annotations

from typing import Final

import pyarrow as pa
from sqlglot import exp
from sqlglot.expressions import DType

from sqlfront.wire.types import BY_NAME, named_type

_ALIASES: Final = {
    "smallint": "int2",
    "integer": "int4",
    "int": "int4",
    "bigint": "int8",
    "boolean": "bool",
    "real": "float4",
    "double precision": "float8",
    "decimal": "numeric",
    "pg_catalog.text": "text",
}
_WITH_MODIFIERS: Final = {"decimal": "numeric", "float": "float8", "character": "bpchar"}


def type_name(cast: exp.Expr) -> str:
    """Return the PostgreSQL name of the type in a cast: ``regclass``, ``char``, ``_text``."""
    target = cast.args["to"]
    name = target.sql("postgres").lower().replace('"', "").removeprefix("pg_catalog.")
    name = _ALIASES.get(name.removesuffix("[]"), name.removesuffix("[]")) + "[]" * name.endswith("[]")
    return f"_{name[:-2].removeprefix('pg_catalog.')}" if name.endswith("[]") else name


def pg_type(cast: exp.Expr) -> str:
    """Return what ``pg_type`` calls the type of a cast, without its modifiers; empty if there is none.

    >>> from sqlfront.dialect import parse
    >>> pg_type(parse("select x::pg_catalog.int4[][]")[0].tree.expressions[0])
    '_int4'
    """
    target, depth = cast.args["to"], 0
    while target.args.get("nested") and target.expressions:
        target, depth = target.expressions[0], depth + 1
    if target.is_type(DType.CHAR):
        return f"{'_' if depth else ''}bpchar"
    name = type_name(exp.Cast(this=exp.null(), to=target)).partition("(")[0].strip()
    name = _WITH_MODIFIERS.get(name, name)
    known = name.lstrip("_") in BY_NAME
    return f"_{name}" if known and depth and name[0] != "_" else name if known else ""


def cast_type(cast: exp.Expr) -> pa.DataType | None:
    """Return the Arrow type for values of the type that a cast names; None if there are none."""
    name = pg_type(cast)
    return named_type(name) if name else None
