"""Queries over rows alone: DuckDB runs them as they are, with their tables put in place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

import pyarrow as pa
from sqlglot import exp

from sqlfront.planner.context import Planning
from sqlfront.planner.naming import told_apart
from sqlfront.planner.nested import carried
from sqlfront.planner.relations import Joined, Relation, Rows, Scan, as_source
from sqlfront.planner.scope import Scope, check_column
from sqlfront.planner.sources import Source, Sources
from sqlfront.planner.terms import not_additive
from sqlfront.planner.ties import by_outputs, ranked
from sqlfront.problems import ColumnCountError
from sqlfront.safety import is_aggregate
from sqlfront.trees import columns, is_query, own, rewrite

_EXPANDING: Final = (exp.Unnest, exp.Explode, exp.ExplodingGenerateSeries)
"""Functions that make several rows of one."""


def plain_select(
    node: exp.Select, sources: Sources, scope: Scope, nested: Callable[[exp.Expr], exp.Expr]
) -> Rows:
    """Plan a SELECT over rows.

    Args:
        scope: of the sources, and around them.
        nested: plans a query inside an expression.

    Raises:
        UnsupportedError: it aggregates a distinct metric's values per event.
    """
    pinned = _pinned_in(sources)
    _refuse_aggregated(node, pinned)
    _check_columns(node, scope)
    select = node.copy()
    select.set("with_", None)
    _put_sources(select, sources, nested)
    for name, value in list(select.args.items()):
        if name not in ("from_", "joins"):
            select.set(name, _with_queries(value, nested))
    outputs = list(_outputs(node, select, sources.scope))
    names = tuple(name for name, _ in outputs)
    ranked(select, by_outputs(select.args.get("order"), [output for _, output in outputs], names))
    return Rows(select, names, _carried(node, pinned), _unique(node, names, sources), _nested(node, scope))


def _nested(node: exp.Select, scope: Scope) -> dict[str, pa.DataType]:
    """Return the outputs that show something inside a dataset's column; ``*`` shows all there is."""
    every = any(output.is_star for output in node.expressions)
    shown = {name: kind for table in scope.tables for name, kind in table.nested.items()} if every else {}
    told = [output for output in node.expressions if not output.is_star]
    return shown | carried(told, [output.alias_or_name for output in told], scope)


def _check_columns(node: exp.Select, scope: Scope) -> None:
    aliases = {output.alias_or_name.lower() for output in node.expressions}
    for clause in ("expressions", "where", "group", "having", "order"):
        value = node.args.get(clause)
        allowed = aliases if clause in ("group", "having", "order") else ()
        for part in value if isinstance(value, list) else [value]:
            for found in columns(part) if isinstance(part, exp.Expr) else ():
                if not found.is_star:
                    check_column(found, scope, allowed)


def _with_queries(value: object, nested: Callable[[exp.Expr], exp.Expr]) -> object:
    def change(part: exp.Expr) -> exp.Expr | None:
        if isinstance(part, exp.Subquery):
            return exp.Subquery(this=nested(part))
        return nested(part) if is_query(part) else None

    if isinstance(value, list):
        return [rewrite(item, change) if isinstance(item, exp.Expr) else item for item in value]
    return rewrite(value, change) if isinstance(value, exp.Expr) else value


def _put_sources(select: exp.Select, sources: Sources, nested: Callable[[exp.Expr], exp.Expr]) -> None:
    joins = []
    for source in sources.items:
        item = _as_item(source)
        if source.join is None:
            select.set("from_", exp.From(this=item))
        else:
            join = source.join.copy()
            join.set("this", item)
            join.set("on", _with_queries(join.args.get("on"), nested))
            joins.append(join)
    select.set("joins", joins)


def _as_item(source: Source) -> exp.Expr:
    if not isinstance(source.relation, Rows):
        raise AssertionError("only rows stand in a plain FROM")
    item = as_source(source.relation, source.alias)
    if isinstance(source.item, exp.Lateral):
        return exp.Lateral(this=exp.Subquery(this=item.this), alias=item.args["alias"])
    return item


def _outputs(node: exp.Select, planned: exp.Select, scope: Scope) -> Iterator[tuple[str, exp.Expr]]:
    for output, meaning in zip(node.expressions, planned.expressions, strict=True):
        if isinstance(output, exp.Star):
            yield from scope.every()
        elif isinstance(output, exp.Column) and output.is_star:
            yield from scope.every(output.table)
        else:
            yield output.alias_or_name, meaning.unalias()


def _pinned_in(sources: Sources) -> dict[tuple[str, str], str]:
    """Return (alias, column) → distinct metric, both in lower case."""
    return {
        (source.alias.lower(), name): metric
        for source in sources.items
        if isinstance(source.relation, Rows)
        for name, metric in source.relation.pinned.items()
    }


def _pin(part: exp.Column, pinned: Mapping[tuple[str, str], str]) -> str | None:
    for (alias, name), metric in pinned.items():
        if part.name.lower() == name and part.table.lower() in ("", alias):
            return metric
    return None


def _refuse_aggregated(node: exp.Select, pinned: Mapping[tuple[str, str], str]) -> None:
    for part in node.walk() if pinned else ():
        if is_aggregate(part):
            for inner in columns(part):
                metric = _pin(inner, pinned)
                if metric is not None:
                    raise not_additive(metric)


def _carried(node: exp.Select, pinned: Mapping[tuple[str, str], str]) -> dict[str, str]:
    """Return the outputs that carry a distinct metric's values per event further."""
    carried: dict[str, str] = {}
    for output in node.expressions if pinned else ():
        if output.is_star:
            carried |= {name: metric for (_, name), metric in pinned.items()}
            continue
        for part in columns(output):
            metric = _pin(part, pinned)
            if metric is not None:
                carried[output.alias_or_name.lower()] = metric
    return carried


def _unique(node: exp.Select, names: Sequence[str], sources: Sources) -> frozenset[frozenset[str]]:
    """Return sets of outputs on which the rows differ: groups, DISTINCT, or those of the only source."""
    distinct = node.args.get("distinct")
    own_sets: set[frozenset[str]] = set()
    if distinct is not None and distinct.args.get("on") is None:
        own_sets.add(frozenset(name.lower() for name in names))
    shown = _shown(node)
    group = node.args.get("group")
    if any(isinstance(part, _EXPANDING) for output in node.expressions for part in own(output)):
        return frozenset(own_sets)
    if group is not None:
        places = [_shown_as(part, node, shown) for part in group.expressions]
        if places and None not in places:
            own_sets.add(frozenset(name for name in places if name is not None))
    elif len(sources.items) == 1 and isinstance(sources.items[0].relation, Rows):
        for known in sources.items[0].relation.unique:
            if all(name in shown for name in known):
                own_sets.add(frozenset(shown[name] for name in known))
    return frozenset(own_sets)


def _shown(node: exp.Select) -> dict[str, str]:
    """Return column → output that shows it as it is, in lower case."""
    shown: dict[str, str] = {}
    for output in node.expressions:
        inner = output.unalias()
        if isinstance(inner, exp.Column) and not inner.is_star:
            shown.setdefault(inner.name.lower(), output.alias_or_name.lower())
    return shown


def _shown_as(part: exp.Expr, node: exp.Select, shown: Mapping[str, str]) -> str | None:
    if isinstance(part, exp.Literal) and part.name.isdigit() and int(part.name) <= len(node.expressions):
        return str(node.expressions[int(part.name) - 1].alias_or_name).lower()
    return shown.get(part.name.lower()) if isinstance(part, exp.Column) else None


def plain_union(node: exp.SetOperation, left: Rows, right: Rows) -> Rows:
    """Plan UNION, INTERSECT or EXCEPT of rows; a distinct metric stays pinned by its place."""
    union = node.copy()
    union.set("with_", None)
    union.set("this", exp.Subquery(this=left.query.copy()))
    union.set("expression", exp.Subquery(this=right.query.copy()))
    places = dict(zip((n.lower() for n in right.names), (n.lower() for n in left.names), strict=False))
    pinned = {**left.pinned, **{places[name]: m for name, m in right.pinned.items() if name in places}}
    same = {name: kind for name, kind in left.nested.items() if kind in right.nested.values()}
    return Rows(union, left.names, pinned, nested=same)


def renamed(relation: Relation, names: Sequence[str]) -> Relation:
    """Give the first columns of a relation new names, as ``AS t(a, b)`` does.

    Raises:
        ColumnCountError: there are more names than columns.
    """
    if not names:
        return relation
    old = tuple(relation.columns)
    if len(names) > len(old):
        raise ColumnCountError(f"{len(old)} columns are there but {len(names)} names given")
    every = told_apart((*names, *old[len(names) :]))
    if isinstance(relation, (Scan, Joined)):
        return replace(relation, columns=dict(zip(every, relation.columns.values(), strict=True)))
    identifiers = [exp.to_identifier(name, quoted=True) for name in every]
    alias = exp.TableAlias(this=exp.to_identifier("_", quoted=True), columns=identifiers)
    places = dict(zip((n.lower() for n in old), (n.lower() for n in every), strict=True))
    query = exp.select(exp.Star()).from_(_aliased(relation.query, alias))
    pinned = {places[name]: metric for name, metric in relation.pinned.items()}
    unique = frozenset(frozenset(places[name] for name in known) for known in relation.unique)
    nested = {places[name]: kind for name, kind in relation.nested.items()}
    return Rows(query, every, pinned, unique, nested)


def _aliased(query: exp.Expr, alias: exp.TableAlias) -> exp.Expr:
    if isinstance(query, exp.Table):
        table = query.copy()
        table.set("alias", alias)
        return table
    return exp.Subquery(this=query.copy(), alias=alias)


def recursive_rows(name: str, body: exp.Expr, names: Sequence[str], planning: Planning) -> Rows:
    """Plan a recursive CTE as a query of its own."""
    identifiers = [exp.to_identifier(column, quoted=True) for column in names]
    table = exp.to_identifier(name, quoted=True)
    cte = exp.CTE(this=body, alias=exp.TableAlias(this=table, columns=identifiers))
    query = exp.select(exp.Star()).from_(exp.Table(this=table.copy()))
    query.set("with_", exp.With(expressions=[cte], recursive=True))
    return Rows(query, tuple(names) or planning.names_of(query, planning))
