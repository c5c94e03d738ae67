"""Which PostgreSQL types a catalog question returns and takes, read from its parsed text.

DuckDB keeps ``"char"``, ``name`` and ``oid`` as text and numbers; clients insist on the difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import pyarrow as pa
from sqlglot import exp

from sqlfront.catalog.naming import column_name
from sqlfront.catalog.rewrite import column_type, type_name
from sqlfront.parameters import inferred
from sqlfront.wire.types import BY_NAME, NamedType, named_type

_NAMED: Final = frozenset(
    (
        *("char", "name", "oid", "xid", "int2vector", "oidvector", "varchar", "json"),
        *("_char", "_name", "_oid", "_int2", "_text"),
    )
)
_TRANSPARENT: Final = (exp.Paren, exp.Alias, exp.Max, exp.Min, exp.Coalesce, exp.Explode, exp.Nullif)
_DEEPEST: Final = 20


def output_types(tree: exp.Expr) -> list[str]:
    """Return the PostgreSQL type name of each output column, empty where it is not known.

    Nothing at all is returned where ``*`` hides which columns there are.
    """
    select = _first_select(tree)
    if select is None or any(projection.is_star for projection in select.expressions):
        return []
    inner = _inner_names(tree, select)
    return [_type(projection, inner, 0) for projection in select.expressions]


def types_by_name(tree: exp.Expr, names: Sequence[str]) -> list[str]:
    """Return the types of output columns by their names alone, where ``*`` hides what they are."""
    inner = _inner_names(tree, None)
    return [_type(exp.column(name), inner, 0) for name in names]


def named(name: str, storage: pa.DataType) -> pa.DataType:
    """Return the Arrow type that announces a PostgreSQL type, where the storage fits it."""
    if name not in _NAMED or name == storage:
        return storage
    wants_text = name.lstrip("_") in ("char", "name", "text", "varchar", "json")
    element = storage.value_type if pa.types.is_list(storage) else storage
    fits = pa.types.is_string(element) if wants_text else pa.types.is_integer(element)
    is_list = name.startswith("_") or name.endswith("vector")
    if not fits or is_list != pa.types.is_list(storage):
        return storage
    return pa.list_(NamedType(name[1:], element)) if name.startswith("_") else NamedType(name, storage)


def parameter_types(tree: exp.Expr, declared: Sequence[pa.DataType | None]) -> tuple[pa.DataType, ...]:
    """Return the types of ``$1``, ``$2``, …: as declared, by their cast, or by what they meet."""
    return inferred(tree, declared, lambda column: _parameter_type(column_type(column.name)))


def _parameter_type(name: str) -> pa.DataType | None:
    return named_type(name) if name.removeprefix("_") in BY_NAME else None


def _first_select(tree: exp.Expr) -> exp.Select | None:
    while isinstance(tree, exp.SetOperation | exp.Subquery):
        tree = tree.this
    return tree if isinstance(tree, exp.Select) else None


def _inner_names(tree: exp.Expr, outer: exp.Select | None) -> dict[str, exp.Expr]:
    """Return what inner selects call their columns: by alias, or by a CTE's list of names."""
    found: dict[str, exp.Expr] = {}
    opened = (("unnest", node) for node in tree.find_all(exp.Unnest))
    for name, node in (*_aliases(tree, outer), *_cte_columns(tree), *opened):
        if not (isinstance(node, exp.Column) and node.name.lower() == name):
            found.setdefault(name, node)
    return found


def _aliases(tree: exp.Expr, outer: exp.Select | None) -> Iterator[tuple[str, exp.Expr]]:
    for select in tree.find_all(exp.Select):
        if select is not outer:
            for projection in select.expressions:
                if isinstance(projection, exp.Alias):
                    yield projection.alias.lower(), projection.this


def _cte_columns(tree: exp.Expr) -> Iterator[tuple[str, exp.Expr]]:
    for cte in tree.find_all(exp.CTE):
        first = _first_select(cte.this)
        names = cte.args["alias"].args.get("columns") or []
        if first is not None:
            for name, projection in zip(names, first.expressions, strict=False):
                yield name.name.lower(), projection.unalias()


def _type(node: exp.Expr, inner: Mapping[str, exp.Expr], depth: int) -> str:
    """Return the type of an expression; ``inner`` says what names of inner selects stand for."""
    if depth > _DEEPEST:
        return ""
    if isinstance(node, exp.Cast):
        return type_name(node)
    if isinstance(node, exp.Column):
        name = node.name.lower()
        return (_type(inner[name], inner, depth + 1) if name in inner else "") or column_type(name)
    if isinstance(node, exp.ArrayAgg):
        ordered = node.this
        element = ordered.this if isinstance(ordered, exp.Order) else ordered
        kind = _type(element, inner, depth + 1)
        return f"_{kind}" if kind else ""
    if isinstance(node, exp.Dot):
        return _type(node.expression, inner, depth + 1)
    if node.is_string:
        return "text"
    known = _FUNCTIONS.get(column_name(node)) if isinstance(node, exp.Func) else None
    kinds = (_type(each, inner, depth + 1) for each in _values_of(node))
    found = known or next(filter(None, kinds), "")
    if isinstance(node, exp.Array) and found:
        return f"_{found}"
    return found.removeprefix("_") if isinstance(node, exp.Unnest | exp.Explode) else found


_FUNCTIONS: Final = dict.fromkeys(
    (
        *("current_catalog", "current_database", "current_role", "current_schema", "current_user"),
        *("getdatabaseencoding", "pg_client_encoding", "pg_encoding_to_char", "pg_get_userbyid"),
        "session_user",
    ),
    "name",
) | {"current_schemas": "_name", "json_build_object": "json", "row_to_json": "json"}


def _values_of(node: exp.Expr) -> Sequence[exp.Expr]:
    """Return the expressions of which an expression takes its value, texts that have no type yet last."""
    if isinstance(node, exp.Case):
        values = [
            *(branch.args["true"] for branch in node.args["ifs"]),
            node.args.get("default") or exp.null(),
        ]
        return sorted(values, key=lambda value: bool(value.is_string))
    if isinstance(node, exp.Array | exp.Unnest):
        return list(node.expressions[:1])
    if isinstance(node, exp.Query):
        select = _first_select(node)
        return list(select.expressions[:1]) if select is not None else []
    return [node.this] if isinstance(node, _TRANSPARENT) else []
