"""Turns a client's question about the catalogs into DuckDB's SQL over our own tables and macros.

An ordered tuple of small rules; each looks at one node, after its children, and may replace it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sqlglot import exp

from sqlfront.cast_types import type_name as type_name
from sqlfront.catalog.build import SCHEMAS, sql_type
from sqlfront.catalog.differing import grouped_output, joined_format
from sqlfront.catalog.rows import catalog_tables

Rule = Callable[[exp.Expr], exp.Expr]
_VECTORS: Final = frozenset(("indkey", "indclass", "indoption", "indcollation", "proargtypes"))
REG_TYPES: Final = frozenset(
    (
        *("regclass", "regtype", "regproc", "regprocedure", "regnamespace", "regrole", "regoper"),
        *("regoperator", "regcollation"),
    )
)
"""Types whose values are objects of the catalogs: numbers that print as names."""

_OVERLOADED: Final = {"regprocedure": "regproc", "regoperator": "regoper"}
_SCALAR_TYPES: Final = {
    "int2": "SMALLINT",
    "int4": "INTEGER",
    "int8": "BIGINT",
    "float4": "FLOAT",
    "float8": "DOUBLE",
    "bool": "BOOLEAN",
    "numeric": "DECIMAL(38, 9)",
    "timestamptz": "TIMESTAMPTZ",
    "date": "DATE",
}
_CALLER_NAMES: Final = {
    "user": "caller_name",
    "current_user": "caller_name",
    "current_role": "caller_name",
    "session_user": "session_name",
}
_OPERATORS: Final[dict[str, Callable[[exp.Expr, exp.Expr], exp.Expr]]] = {
    "~": lambda left, right: exp.RegexpLike(this=left, expression=right),
    "!~": lambda left, right: exp.not_(exp.RegexpLike(this=left, expression=right)),
    "~~": lambda left, right: exp.Like(this=left, expression=right),
    "!~~": lambda left, right: exp.not_(exp.Like(this=left, expression=right)),
    "=": lambda left, right: exp.EQ(this=left, expression=right),
    "<>": lambda left, right: exp.NEQ(this=left, expression=right),
    "<": lambda left, right: exp.LT(this=left, expression=right),
    ">": lambda left, right: exp.GT(this=left, expression=right),
    "||": lambda left, right: exp.DPipe(this=left, expression=right),
}


def rewrite(tree: exp.Expr) -> exp.Expr:
    """Return a copy of a statement that DuckDB can run on the catalogs."""
    root = exp.Paren(this=tree.copy())
    for node in reversed(list(root.this.walk(bfs=False))):
        current = node
        for rule in RULES:
            changed = rule(current)
            if changed is not current:
                current.replace(changed)
                current = changed
    rewritten: exp.Expr = root.this
    return rewritten


def _call(name: str, *arguments: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this=name, expressions=list(arguments))


def _table(node: exp.Expr) -> exp.Expr:
    """``pg_catalog.pg_class``, ``pg_class``, ``information_schema.tables`` → our tables."""
    if not isinstance(node, exp.Table) or isinstance(node.this, exp.Func):
        if isinstance(node, exp.Table) and node.db.lower() in SCHEMAS:
            node.set("db", None)
        return node
    schema, name = node.db.lower() or "pg_catalog", node.name.lower()
    if f"{schema}.{name}" not in catalog_tables():
        return node
    if not node.alias:
        node.set("alias", exp.TableAlias(this=exp.to_identifier(name)))
    node.set("this", exp.to_identifier(name))
    node.set("db", exp.to_identifier(SCHEMAS[schema]))
    node.set("catalog", None)
    return node


def _table_function(node: exp.Expr) -> exp.Expr:
    """``generate_series(0, 5) s`` names its column as well: ``s(s)``."""
    if not isinstance(node, exp.Table) or not isinstance(node.this, exp.Func):
        return node
    alias = node.args.get("alias")
    if alias is None or alias.this is None or alias.args.get("columns"):
        return node
    if not isinstance(node.this, exp.Anonymous):
        alias.set("columns", [alias.this.copy()])
    return node


def _qualified_column(node: exp.Expr) -> exp.Expr:
    """``pg_catalog.pg_class.oid`` → ``pg_class.oid``."""
    if isinstance(node, exp.Column) and node.args.get("db"):
        node.set("db", None)
        node.set("catalog", None)
    return node


def _qualified_function(node: exp.Expr) -> exp.Expr:
    """``pg_catalog.format_type(…)`` → ``format_type(…)``."""
    if isinstance(node, exp.Dot) and isinstance(node.expression, exp.Func):
        owner = node.this
        if isinstance(owner, exp.Identifier | exp.Column) and owner.name.lower() in SCHEMAS:
            return node.expression.copy()
    return node


def _renamed_function(node: exp.Expr) -> exp.Expr:
    """Functions that DuckDB has under another name."""
    if isinstance(node, exp.Anonymous) and node.name.lower() in _RENAMED:
        return _call(_RENAMED[node.name.lower()], *(each.copy() for each in node.expressions))
    return node


_RENAMED: Final = {"json_build_object": "json_object", "jsonb_build_object": "json_object"}


def _caller(node: exp.Expr) -> exp.Expr:
    """``current_user``, ``session_user``, ``user``, ``current_catalog`` as functions."""
    if isinstance(node, exp.CurrentUser | exp.SessionUser):
        return _call("caller_name" if isinstance(node, exp.CurrentUser) else "session_name")
    if isinstance(node, exp.CurrentCatalog):
        return _call("current_database")
    if isinstance(node, exp.Column) and not node.table and not node.this.args.get("quoted"):
        if node.name.lower() in _CALLER_NAMES:
            return _call(_CALLER_NAMES[node.name.lower()])
        if node.name.lower() == "current_catalog":
            return _call("current_database")
    return node


def _operator(node: exp.Expr) -> exp.Expr:
    """``OPERATOR(pg_catalog.~)`` → ``~``."""
    if isinstance(node, exp.Operator):
        sign = str(node.args["operator"]).rpartition(".")[2]
        if sign in _OPERATORS:
            return _OPERATORS[sign](node.this.copy(), node.expression.copy())
    return node


def _collate(node: exp.Expr) -> exp.Expr:
    return node.this.copy() if isinstance(node, exp.Collate) else node


def _cast(node: exp.Expr) -> exp.Expr:
    """Casts to PostgreSQL's own types: names of objects are looked up, the rest is storage."""
    if not isinstance(node, exp.Cast):
        return node
    name, inner = type_name(node), node.this
    if name in REG_TYPES:
        return _registered(node, _OVERLOADED.get(name, name))
    if name[1:] in REG_TYPES:
        return _registered_array(node, name[1:])
    if name.startswith("_"):
        return _array_cast(node, name)
    if _is_registered_number(inner) and name in ("text", "varchar", "name"):
        return _call("regproc_name", inner.copy())
    if name in ("text", "varchar", "bpchar", "name", "char", "cstring"):
        return exp.cast(inner.copy(), "VARCHAR", dialect="duckdb")
    if name in ("oid", "xid"):
        return exp.cast(inner.copy(), "BIGINT", dialect="duckdb")
    if name in _SCALAR_TYPES:
        return exp.cast(inner.copy(), _SCALAR_TYPES[name], dialect="duckdb")
    return node


def _registered(node: exp.Cast, name: str) -> exp.Expr:
    """``'pg_class'::regclass`` is a number unless it is shown; ``c.oid::regclass`` one if it is compared."""
    inner: exp.Expr = node.this.unnest()
    is_text = isinstance(inner, exp.Parameter | exp.Placeholder) or inner.is_string
    if isinstance(inner, exp.Cast) and type_name(inner) == "varchar":
        is_text = True
    if not is_text and _is_compared(node):
        return inner.copy()
    if not is_text:
        return _call(f"{name}_name", inner.copy())
    number = _call(f"{name}_oid" if type_name(node) in _OVERLOADED else f"{name}_cast", inner.copy())
    return _call(f"{name}_name", number) if _is_shown(node) else number


def _registered_array(node: exp.Cast, name: str) -> exp.Expr:
    """``'{16}'::regtype[]`` is numbers where it is compared, and prints as names like a column's numbers."""
    inner = node.this
    if _is_array_text(inner):
        inner = _call(f"{name}_oids", _array_literal(inner.name))
        if _is_compared(node):
            return inner
    return _call(f"{name}_names", inner.copy())


def _is_shown(node: exp.Expr) -> bool:
    """Tell whether a value is one that the statement returns, or made a text."""
    parent = node.parent
    while isinstance(parent, exp.Paren | exp.Alias):
        parent = parent.parent
    if isinstance(parent, exp.Cast):
        return type_name(parent) in ("text", "varchar", "name")
    is_output = isinstance(parent, exp.Select) and node.find_ancestor(exp.From, exp.Where) is None
    while is_output and isinstance(parent, exp.Select | exp.SetOperation | exp.Paren):
        parent = parent.parent
    return is_output and parent is None


def _is_compared(node: exp.Expr) -> bool:
    """Tell whether a value is compared with something else than a text."""
    parent = node.parent
    while isinstance(parent, exp.Paren):
        parent = parent.parent
    if isinstance(parent, exp.EQ | exp.NEQ):
        return not (parent.this.is_string or parent.expression.is_string)
    return isinstance(parent, exp.Any | exp.In)


def _is_registered_number(node: exp.Expr) -> bool:
    return isinstance(node, exp.Column) and column_type(node.name) == "regproc"


def _array_cast(node: exp.Cast, name: str) -> exp.Expr:
    element = _SCALAR_TYPES.get(name[1:], sql_type(name[1:]))
    inner = node.this
    if inner.is_string and inner.name.startswith("{"):
        inner = _array_literal(inner.name)
    return exp.cast(inner.copy(), f"{element}[]", dialect="duckdb")


def _array_literal(text: str) -> exp.Expr:
    elements = [part.strip().strip('"') for part in text.strip("{}").split(",")]
    return exp.Array(expressions=[exp.Literal.string(part) for part in elements if part])


def _any_literal(node: exp.Expr) -> exp.Expr:
    """``x = ANY ('{a,b}')`` and ``x = '{0}'``: an array written as text."""
    if isinstance(node, exp.Any | exp.All) and node.this.unnest().is_string:
        node.set("this", _array_literal(node.this.unnest().name))
    elif isinstance(node, exp.EQ | exp.NEQ) and _compares_array(node):
        kind = sql_type(column_type(node.this.name))
        literal = _array_literal(node.expression.name)
        node.set("expression", exp.cast(literal, kind, dialect="duckdb"))
    return node


def _compares_array(node: exp.Binary) -> bool:
    left = node.this
    is_array = isinstance(left, exp.Column) and column_type(left.name).startswith("_")
    return is_array and _is_array_text(node.expression)


def _is_array_text(node: exp.Expr) -> bool:
    return bool(node.is_string and node.name.startswith("{") and node.name.endswith("}"))


def _vector(node: exp.Expr) -> exp.Expr:
    """``indkey[0]``: int2vector counts from 0 (which the parser has turned into 1 less)."""
    if not isinstance(node, exp.Bracket) or not isinstance(node.this, exp.Column):
        return node
    if node.this.name.lower() in _VECTORS:
        one = exp.Literal.number(1)
        shifted = [exp.Add(this=exp.Paren(this=at), expression=one) for at in node.expressions]
        node.set("expressions", [each.copy() for each in shifted])
    return node


RULES: Final[tuple[Rule, ...]] = (
    _table,
    _table_function,
    _qualified_column,
    _qualified_function,
    _renamed_function,
    joined_format,
    _caller,
    _operator,
    _collate,
    _any_literal,
    _cast,
    _vector,
    grouped_output,
)


def column_type(name: str) -> str:
    """Return the type of a catalog column by its name alone; names are unique but for a few."""
    return _COLUMN_TYPES.get(name.lower(), "")


_COLUMN_TYPES: Final = {
    name: kind for table in reversed(catalog_tables().values()) for name, kind in table.columns
}
