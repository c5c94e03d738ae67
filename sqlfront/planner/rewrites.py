"""The rewrites that every statement goes through before it is planned: an ordered tuple of pure steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from sqlglot import exp

from sqlfront.functions import to_duckdb
from sqlfront.planner.naming import UNNAMED, output_name
from sqlfront.planner.parenthesised_joins import opened_joins
from sqlfront.planner.quotients import with_decimals
from sqlfront.planner.ties import check_limit, has_ties
from sqlfront.trees import conjoin, conjuncts, guarded, queries
from sqlfront.typed import typed_casts


def fold_identifiers(tree: exp.Expr) -> exp.Expr:
    """Lower the case of unquoted identifiers, and quote all.

    >>> from sqlfront.dialect import parse
    >>> fold_identifiers(parse('select Channel, "Page" from Web')[0].tree).sql("duckdb")
    'SELECT "channel", "Page" FROM "web"'
    """
    for identifier in tree.find_all(exp.Identifier):
        if not identifier.args.get("quoted"):
            identifier.set("this", identifier.name.lower())
            identifier.set("quoted", True)
    return tree


def plain_limits(tree: exp.Expr) -> exp.Expr:
    """Write FETCH as LIMIT, and leave out LIMIT ALL, LIMIT NULL and OFFSET 0.

    >>> from sqlfront.dialect import parse
    >>> plain_limits(parse("select a from t offset 0 rows fetch first row only")[0].tree).sql("duckdb")
    'SELECT a FROM t LIMIT 1'
    """
    for query in list(tree.find_all(exp.Query)):
        check_limit(query)
        limit, offset = query.args.get("limit"), query.args.get("offset")
        if has_ties(limit):
            tree = _selected_union(query, tree) if isinstance(query, exp.SetOperation) else tree
        elif isinstance(limit, exp.Fetch):
            count = limit.args.get("count") or exp.Literal.number(1)
            query.set("limit", exp.Limit(expression=count))
        elif isinstance(limit, exp.Limit) and _is_endless(limit.expression):
            query.set("limit", None)
        if isinstance(offset, exp.Offset) and offset.expression == exp.Literal.number(0):
            query.set("offset", None)
    return tree


def _selected_union(union: exp.SetOperation, tree: exp.Expr) -> exp.Expr:
    """Put a SELECT around a union that keeps ties, as rows of a SELECT are ranked; return the statement."""
    outer = exp.select(exp.Star())
    for clause in ("with_", "order", "limit", "offset"):
        outer.set(clause, union.args.get(clause))
    inner = union.copy()
    for clause in ("with_", "order", "limit", "offset"):
        inner.set(clause, None)
    if union is not tree:
        union.replace(outer)
    outer.from_(inner.subquery("_", copy=False), copy=False)
    return outer if union is tree else tree


def _is_endless(count: exp.Expr | None) -> bool:
    return isinstance(count, exp.Null) or (isinstance(count, exp.Var) and count.name.upper() == "ALL")


def inner_conditions(tree: exp.Expr) -> exp.Expr:
    """Move conditions of joins that hold a sub-query into WHERE, where all joins are inner ones.

    >>> from sqlfront.dialect import parse
    >>> inner_conditions(parse("select 1 from a join b on x = y and z in (select 2)")[0].tree).sql("duckdb")
    'SELECT 1 FROM a JOIN b ON x = y WHERE (z IN (SELECT 2))'
    """
    for select in list(tree.find_all(exp.Select)):
        joins = select.args.get("joins") or []
        if all(not join.side and join.kind.upper() in ("", "INNER", "CROSS") for join in joins):
            for join in joins:
                _move_queries(join, select)
    return tree


def _move_queries(join: exp.Join, select: exp.Select) -> None:
    terms = conjuncts(join.args.get("on"))
    moved = [term for term in terms if any(queries(term))]
    if moved and not join.method:
        kept = conjoin(term for term in terms if term not in moved)
        join.set("on", kept)
        if kept is None:
            join.set("kind", "CROSS")
        for term in moved:
            select.where(guarded(term.copy()), copy=False)


def lateral_views(tree: exp.Expr) -> exp.Expr:
    """Write LATERAL VIEW as a join with the rows that a function makes.

    >>> from sqlfront.dialect import parse
    >>> lateral_views(parse("select x from t lateral view explode(a) e as x")[0].tree).sql("duckdb")
    'SELECT x FROM t CROSS JOIN LATERAL (SELECT UNNEST(a) AS x) AS e'
    """
    for select in list(tree.find_all(exp.Select)):
        for at, view in enumerate(select.args.get("laterals") or ()):
            alias = view.args["alias"]
            inner = exp.Select(expressions=[_aliased(view.this, alias.columns)])
            name = alias.this or exp.to_identifier(f"_view_{at}", quoted=True)
            rows = exp.Lateral(this=exp.Subquery(this=inner), alias=exp.TableAlias(this=name))
            join = exp.Join(this=rows, kind="CROSS")
            if view.args.get("outer"):
                join = exp.Join(this=rows, side="LEFT", on=exp.true())
            select.append("joins", join)
        select.set("laterals", None)
    return tree


def _aliased(generator: exp.Expr, names: Sequence[exp.Expr]) -> exp.Expr:
    if len(names) == 1:
        return exp.Alias(this=generator, alias=names[0])
    return exp.Aliases(this=generator, expressions=list(names)) if names else generator


def name_outputs(tree: exp.Expr) -> exp.Expr:
    """Give every output that has no alias the name that PostgreSQL would.

    >>> from sqlfront.dialect import parse
    >>> name_outputs(parse("select sum(a), b, 1 from t")[0].tree).sql("duckdb")
    'SELECT SUM(a) AS "sum", b AS "b", 1 AS "?column?" FROM t'
    """
    for select in tree.find_all(exp.Select):
        select.set("expressions", [_named(output) for output in select.expressions])
    return tree


def _named(output: exp.Expr) -> exp.Expr:
    if isinstance(output, exp.Alias) or output.is_star:
        return output
    return exp.alias_(output, output_name(output) or UNNAMED, quoted=True, copy=False)


def table_queries(tree: exp.Expr) -> exp.Expr:
    r"""Write a VALUES that stands alone as a SELECT over it, with PostgreSQL's column names.

    >>> from sqlfront.dialect import parse
    >>> table_queries(parse("values (1, 'a')")[0].tree).sql("duckdb")
    'SELECT * FROM (VALUES (1, \'a\')) AS "values"("column1", "column2")'
    """
    if isinstance(tree, exp.Values):
        return _selected(tree)
    for values in list(tree.find_all(exp.Values)):
        if isinstance(values.parent, (exp.SetOperation, exp.CTE, exp.Subquery)):
            values.replace(_selected(values.copy()))
        elif values.args.get("alias") is None or not values.args["alias"].columns:
            _name_columns(values)
    return tree


def _selected(values: exp.Values) -> exp.Select:
    _name_columns(values)
    clauses = {name: values.args.pop(name, None) for name in ("with_", "order", "limit", "offset")}
    select = exp.select(exp.Star()).from_(values)
    for name, clause in clauses.items():
        select.set(name, clause)
    return select


def _name_columns(values: exp.Values) -> None:
    first = values.expressions[0]
    width = len(first.expressions) if isinstance(first, exp.Tuple) else 1
    alias = values.args.get("alias")
    name = alias.this if alias is not None else exp.to_identifier("values", quoted=True)
    columns = [exp.to_identifier(f"column{at + 1}", quoted=True) for at in range(width)]
    values.set("alias", exp.TableAlias(this=name, columns=columns))


REWRITES: Final[tuple[Callable[[exp.Expr], exp.Expr], ...]] = (
    fold_identifiers,
    plain_limits,
    opened_joins,
    inner_conditions,
    table_queries,
    lateral_views,
    name_outputs,
    typed_casts,
    with_decimals,
    to_duckdb,
)
"""Names come before functions are rewritten: an output is named by the function that was written."""


def prepared(tree: exp.Expr) -> exp.Expr:
    """Return a copy of a parsed statement with all rewrites applied."""
    tree = tree.copy()
    for rewrite in REWRITES:
        tree = rewrite(tree)
    return tree
