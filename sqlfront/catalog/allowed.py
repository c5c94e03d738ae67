"""What a question about the catalogs may call and read: their tables and functions, and nothing else.

Their database is locked as well; this keeps out what a lock does not: settings, other people's
variables, functions that take addresses.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Final

from sqlglot import exp

from engine.errors import ForbiddenError, UnknownNameError, UnsupportedError
from sqlfront.catalog.naming import column_name
from sqlfront.catalog.rows import catalog_tables
from sqlfront.forbidden import SUPERUSERS, check_relation, check_shown
from sqlfront.functions import SAFE, TABLE_FUNCTIONS
from sqlfront.safety import SYNTAX, unknown_function

_MACRO: Final = re.compile(r"^CREATE MACRO \w+\.(\w+)", re.MULTILINE)
_OTHERS: Final = frozenset(
    (
        *("all", "any", "some", "array_agg", "string_agg", "format", "generate_series", "unnest"),
        *("json_agg", "json_array_elements", "json_build_object", "json_object", "json_object_agg"),
        *("jsonb_agg", "jsonb_build_object", "jsonb_object_agg", "row_to_json"),
        *("current_catalog", "current_database", "current_schema", "current_user", "session_user"),
    )
)
_SECRET: Final = frozenset({"caller"})
_WRITES: Final = (exp.DDL, exp.DML, exp.Command, exp.Into, exp.Copy)


@cache
def functions() -> frozenset[str]:
    """Return the lower-case names of all functions that may be called."""
    macros = _MACRO.findall((files(__package__) / "macros.sql").read_text())
    return (SAFE | TABLE_FUNCTIONS | _OTHERS | frozenset(macros)) - _SECRET


def check(tree: exp.Expr) -> None:
    """Pass a question that reads nothing but catalogs, or raise.

    Raises:
        ForbiddenError: it writes, or calls or reads what is for superusers.
        UnknownFunctionError: it calls a function that is not on the list.
        UnknownNameError: it reads a table that the catalogs do not have.
        UnsupportedError: it reads catalogs and data together.
    """
    ctes = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    for node in tree.walk():
        if isinstance(node, _WRITES) and not isinstance(node, exp.Query):
            raise ForbiddenError("catalogs cannot be written", hint="SQL users may read and not write.")
        if isinstance(node, exp.Func):
            _check_function(node)
        elif isinstance(node, exp.Table) and not isinstance(node.this, exp.Func):
            _check_table(node, ctes)


def _check_function(function: exp.Func) -> None:
    if isinstance(function, SYNTAX):
        return
    name = column_name(function)
    if name == "current_setting" and function.expressions and function.expressions[0].is_string:
        check_shown(function.expressions[0].name)
    if name not in functions():
        raise ForbiddenError(f"function {name} is not allowed") if name in _SECRET else unknown_function(name)


def _check_table(table: exp.Table, ctes: set[str]) -> None:
    name, schema = table.name.lower(), table.db.lower()
    if not schema and name in ctes:
        return
    if f"{schema or 'pg_catalog'}.{name}" in catalog_tables():
        if name in SUPERUSERS and schema != "information_schema":
            raise ForbiddenError(
                f"permission denied for relation {name}", hint="Only superusers may read it."
            )
        return
    check_relation(table)
    if schema in ("pg_catalog", "information_schema") or name.startswith("pg_"):
        raise UnknownNameError(f'relation "{table.sql("postgres")}" does not exist')
    raise UnsupportedError(
        f'"{table.sql("postgres")}" cannot be asked together with the catalogs',
        hint="Ask the catalogs in a statement of their own.",
    )
