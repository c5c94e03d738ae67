"""Names of output columns that a statement does not name, as PostgreSQL chooses them."""

from __future__ import annotations

from sqlglot import exp

from sqlfront.catalog.rewrite import type_name

UNNAMED = "?column?"


def column_name(node: exp.Expr) -> str:
    """Return the name of an output column: alias, column, function, type; else ``?column?``."""
    if isinstance(node, exp.Alias):
        alias = node.args["alias"]
        return str(node.alias) if alias.args.get("quoted") else str(node.alias).lower()
    if isinstance(node, exp.Column):
        return node.name if node.this.args.get("quoted") else str(node.name).lower()
    if isinstance(node, exp.Cast):
        inner = (
            UNNAMED if isinstance(node.this, exp.Cast) and _is_value(node.this) else column_name(node.this)
        )
        return inner if inner != UNNAMED else type_name(node).lstrip("_")
    if isinstance(node, exp.Paren | exp.Collate | exp.Bracket):
        return column_name(node.this)
    if isinstance(node, exp.Dot):
        return column_name(node.expression)
    if isinstance(node, exp.Identifier):
        return str(node.name)
    return _keyword_name(node)


def _is_value(cast: exp.Cast) -> bool:
    """Tell whether a cast has no name but its type's, which the type of a cast around it outweighs."""
    inner = cast.this
    return _is_value(inner) if isinstance(inner, exp.Cast) else column_name(inner) == UNNAMED


def _keyword_name(node: exp.Expr) -> str:
    if isinstance(node, exp.Subquery):
        select = node.find(exp.Select)
        return column_name(select.expressions[0]) if select is not None else UNNAMED
    if isinstance(node, exp.Case):
        default = node.args.get("default")
        name = column_name(default) if default is not None else UNNAMED
        return "case" if name == UNNAMED else name
    if isinstance(node, exp.Boolean):
        return "bool"
    if isinstance(node, exp.Trim):
        return {"LEADING": "ltrim", "TRAILING": "rtrim"}.get(str(node.args.get("position")).upper(), "btrim")
    if isinstance(node, exp.Anonymous):
        return str(node.name).lower()
    if isinstance(node, exp.Func) and not isinstance(node, exp.Binary | exp.Connector):
        return _function_name(node)
    return UNNAMED


def _function_name(node: exp.Func) -> str:
    return node.sql("postgres").partition("(")[0].partition("[")[0].strip().lower() or UNNAMED
