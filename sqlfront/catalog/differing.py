"""Where DuckDB reads what PostgreSQL reads too, but takes it for something else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from sqlglot import exp

_SIGNS: Final = re.compile(r"(%[IsL%])")


def joined_format(node: exp.Expr) -> exp.Expr:
    """``format('%I.%I', a, b)`` → its texts joined; DuckDB's function of that name has other signs."""
    if isinstance(node, exp.Format):
        pattern, values = node.this, node.expressions
    elif isinstance(node, exp.Anonymous) and node.name.lower() == "format" and node.expressions:
        pattern, *values = node.expressions
    else:
        return node
    if not pattern.is_string or isinstance(node.parent, exp.Dot):
        return node
    rest = iter(values)
    parts = [_formatted(part, rest) for part in _SIGNS.split(pattern.name) if part]
    joined = parts[0] if parts else exp.Literal.string("")
    for part in parts[1:]:
        joined = exp.DPipe(this=joined, expression=part)
    return exp.Paren(this=joined)


def _formatted(part: str, values: Iterator[exp.Expr]) -> exp.Expr:
    if part in ("%I", "%L", "%s"):
        value = exp.cast(next(values, exp.null()).copy(), "VARCHAR", dialect="duckdb")
        quote = {"%I": "quote_ident", "%L": "quote_literal"}.get(part)
        return value if quote is None else exp.Anonymous(this=quote, expressions=[value])
    return exp.Literal.string("%" if part == "%%" else part)


def grouped_output(node: exp.Expr) -> exp.Expr:
    """``SELECT t.a AS t FROM t GROUP BY t``: DuckDB takes ``t`` for the table, PostgreSQL for the output."""
    if not isinstance(node, exp.Select):
        return node
    tables = {table.alias_or_name.lower() for table in _sources(node)}
    outputs = {each.alias.lower(): each.this for each in node.expressions if isinstance(each, exp.Alias)}
    for clause in filter(None, (node.args.get("group"), node.args.get("order"))):
        for column in list(clause.find_all(exp.Column)):
            name = column.name.lower()
            if not column.table and name in outputs and name in tables:
                column.replace(exp.Paren(this=outputs[name].copy()))
    return node


def _sources(select: exp.Select) -> Iterator[exp.Expr]:
    clause = select.args.get("from_")
    if clause is not None:
        yield clause.this
    yield from (join.this for join in select.args.get("joins") or ())
