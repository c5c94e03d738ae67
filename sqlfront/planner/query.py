"""Plans a question bottom-up: every SELECT becomes a scan, a join or rows, whatever it is nested in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import pyarrow as pa
from sqlglot import exp

from engine.errors import ForbiddenError, UnknownNameError, UnsupportedError, did_you_mean
from sqlfront.forbidden import check_relation
from sqlfront.functions import system_function
from sqlfront.planner.block import Binder, Block, expands, has_window
from sqlfront.planner.casts import without_idle_casts
from sqlfront.planner.choices import with_chosen_names
from sqlfront.planner.context import DATASET, SYSTEM, TEMPORARY, Planning, reports_in
from sqlfront.planner.correlated import Tools, Untied, lateral, untied
from sqlfront.planner.credit import credit_rows
from sqlfront.planner.events import events, every_event
from sqlfront.planner.grouped import grouped
from sqlfront.planner.history import history_rows
from sqlfront.planner.joins import joined_rows
from sqlfront.planner.listing import listing
from sqlfront.planner.lookups import as_scan, over_scan
from sqlfront.planner.naming import told_apart
from sqlfront.planner.nested import inside, nested_columns, resolved
from sqlfront.planner.plain import plain_select, plain_union, recursive_rows, renamed
from sqlfront.planner.preaggregated import preaggregated
from sqlfront.planner.relations import Joined, Lookup, Relation, Rows, Scan, as_source
from sqlfront.planner.scope import Scope
from sqlfront.planner.sources import Planner, Sources, alias_columns, from_clause, function_rows
from sqlfront.planner.spine import spine_rows
from sqlfront.planner.terms import is_constant, metrics, not_additive
from sqlfront.planner.zones import in_view_zone, reads_time
from sqlfront.system import RELATIONS, SCHEMA, system_relation
from sqlfront.temporary_rows import TEMPORARY_SCHEMAS
from sqlfront.trees import bare, column, rewrite

_PLANNED: Final = "planned"
"""Key in a query's meta: it has been planned, in the middle of one that is left to DuckDB."""


@dataclass(frozen=True)
class Cte:
    """A named sub-query, and what was in sight where it was written."""

    query: exp.Expr
    names: tuple[str, ...]
    around: Around
    recursive: bool = False


@dataclass(frozen=True)
class Around:
    """What a query sees of the statement around it."""

    ctes: Mapping[str, Cte] = field(default_factory=dict)
    outer: Scope | None = None


def resolve(node: exp.Expr, around: Around, planning: Planning, *, is_top: bool = False) -> Relation:
    """Plan a query.

    Args:
        is_top: the statement itself, whose rows are shown, so that nothing can be left to later.
    """
    if isinstance(node, exp.Subquery):
        inner = _unwrapped(node)
        return resolve(inner, around, planning, is_top=is_top)
    around = _with_ctes(node, around)
    if isinstance(node, exp.SetOperation):
        sides = [rows_of(resolve(side, around, planning), planning) for side in (node.left, node.right)]
        return plain_union(node, sides[0], sides[1])
    if not isinstance(node, exp.Select):
        raise UnsupportedError(f"{type(node).__name__.upper()} cannot stand here")
    return _select(node, around, planning, is_top)


def rows_of(relation: Relation, planning: Planning) -> Rows:
    """Return a relation as rows: scans and joins become single events."""
    if isinstance(relation, Scan):
        return every_event(relation, planning)
    if isinstance(relation, Joined):
        outputs = tuple((name, meaning.copy()) for name, meaning in relation.columns.items())
        return joined_rows(Block(outputs), relation, planning)
    return relation


def _unwrapped(node: exp.Subquery) -> exp.Expr:
    """Return what is in parentheses; clauses behind them become a SELECT around it."""
    clauses = {name: node.args.get(name) for name in ("with_", "order", "limit", "offset")}
    if not any(clauses.values()):
        inside: exp.Expr = node.this
        return inside
    inner = exp.Subquery(this=node.this, alias=exp.TableAlias(this=exp.to_identifier("_", quoted=True)))
    outer = exp.select(exp.Star()).from_(inner)
    for name, clause in clauses.items():
        outer.set(name, clause)
    return outer


def _with_ctes(node: exp.Expr, around: Around) -> Around:
    clause = node.args.get("with_")
    if clause is None:
        return around
    recursive = bool(clause.args.get("recursive"))
    for cte in clause.expressions:
        names = tuple(column.name for column in cte.args["alias"].columns)
        known = Cte(cte.this, names, around, recursive)
        around = replace(around, ctes={**around.ctes, cte.alias.lower(): known})
    return around


def _select(node: exp.Select, around: Around, planning: Planning, is_top: bool) -> Relation:
    sources = _sources(node, around, planning)
    scope = replace(sources.scope, outer=around.outer, has_view=sources.has_view)
    node = resolved(node, scope)
    within = replace(around, outer=scope)
    untangled = untied(node, scope, _tools(within, planning))
    if untangled is not node:
        return _select(untangled, around, planning, is_top)

    def nested(query: exp.Expr) -> exp.Expr:
        return _nested(query, within, planning)

    if not sources.has_view:
        return plain_select(node, sources, scope, nested)
    block = Binder(scope, nested).block(node)
    relation = sources.relation()
    if isinstance(relation, Joined):
        return _over_join(block, relation, planning, is_top)
    return _over_scan(block, relation, planning, is_top)


def _sources(select: exp.Select, around: Around, planning: Planning) -> Sources:
    """Plan the FROM of a SELECT."""
    planner = Planner(
        item=lambda item, before: _item(item, _behind(around, before), planning),
        query=lambda query, scope: _nested(query, _behind(around, scope), planning),
        rows=lambda relation: rows_of(relation, planning),
    )
    return from_clause(select, planner, planning)


def _nested(query: exp.Expr, around: Around, planning: Planning) -> exp.Expr:
    """Plan a query inside an expression, and return it as DuckDB will run it."""
    return rows_of(resolve(query, around, planning), planning).query


def _behind(around: Around, before: Scope | None) -> Around:
    """Return what a LATERAL item sees: the items before it, and what is around them."""
    return around if before is None else replace(around, outer=replace(before, outer=around.outer))


def _tools(around: Around, planning: Planning) -> Tools:
    """Return what untying the sub-queries of a SELECT needs."""

    def sources(select: exp.Select) -> Sources:
        return _sources(select, _with_ctes(select, around), planning)

    def is_unique(select: exp.Select, names: tuple[str, ...]) -> bool:
        rows = rows_of(resolve(select, around, planning), planning)
        known = any(each <= set(names) for each in rows.unique)
        return known or (not reports_in(rows.query, planning) and planning.is_unique(rows, names))

    def grouped_by_ties(found: Untied, sources: Sources) -> Untied:
        return preaggregated(found, sources, planning.fresh("_groups"))

    return Tools(sources, grouped_by_ties, is_unique, planning.fresh)


def _is_projection(block: Block) -> bool:
    """Tell whether a block only projects, renames and filters, so that metrics stay measures."""
    cut = (block.distinct, block.limit, block.offset)
    return not (block.is_grouped or any(cut) or has_window(block) or expands(block))


def _columns(block: Block) -> dict[str, exp.Expr]:
    return dict(zip(told_apart(block.names), (output for _, output in block.outputs), strict=True))


def _over_join(block: Block, joined: Joined, planning: Planning, is_top: bool) -> Relation:
    together = replace(joined, terms=(*joined.terms, *block.terms))
    scan = as_scan(together, planning)
    if scan is not None:
        block = replace(block, terms=()).mapped(lambda node: bare(over_scan(node, scan)))
        return _over_scan(block, scan, planning, is_top)
    if _is_projection(block) and not is_top:
        return replace(together, columns=_columns(block))
    return spine_rows(block, joined, planning) or joined_rows(block, joined, planning)


def _over_scan(block: Block, scan: Scan, planning: Planning, is_top: bool) -> Relation:
    view = scan.view

    def simplified(node: exp.Expr) -> exp.Expr:
        node = without_idle_casts(node, view)
        return in_view_zone(node, view) if reads_time(node, view) else node

    block = replace(block, terms=(*scan.terms, *block.terms)).mapped(simplified)
    scan = replace(scan, lookups=tuple(_simplified_keys(lookup, simplified) for lookup in scan.lookups))
    if _is_projection(block) and not is_top:
        return replace(scan, columns=_columns(block), terms=block.terms)
    listed = listing(block, scan)
    if listed is not None:
        return listed
    block = with_chosen_names(block, view)
    if block.is_grouped:
        return grouped(block, scan, planning)
    if _lists_values(block, scan):
        groups = tuple(output for _, output in block.outputs if not is_constant(output))
        return grouped(replace(block, groups=groups, is_grouped=True), scan, planning)
    return events(block, scan, planning)


def _simplified_keys(lookup: Lookup, simplified: Callable[[exp.Expr], exp.Expr]) -> Lookup:
    return replace(lookup, keys=tuple((bare(simplified(mine)), theirs) for mine, theirs in lookup.keys))


def _lists_values(block: Block, scan: Scan) -> bool:
    """Tell whether a block is SELECT DISTINCT of dimensions, which is the same as grouping by them."""
    distinct = block.distinct
    if distinct is None or distinct.args.get("on") is not None or has_window(block) or expands(block):
        return False
    outputs = [output for _, output in block.outputs]
    return not any(metrics(output, scan.view) for output in outputs) and not all(map(is_constant, outputs))


def _item(item: exp.Expr, around: Around, planning: Planning) -> Relation:
    """Plan an item of FROM: a table, a sub-query or a function."""
    if isinstance(item, (exp.Table,)) and isinstance(item.this, exp.Identifier):
        return renamed(_table(item, around, planning), alias_columns(item))
    if isinstance(item, exp.Lateral):
        inner = item.this
        if isinstance(inner, exp.Subquery) and around.outer is not None:
            inner = lateral(inner, around.outer, _tools(around, planning))
        return _item(inner, around, planning)
    if isinstance(item, exp.Subquery):
        names = alias_columns(item)
        inner = item.copy()
        inner.set("alias", None)
        return renamed(resolve(inner, around, planning), names)
    if isinstance(item, exp.Values):
        values = item.copy()
        values.set("expressions", [inside(row, Scope(())) for row in values.expressions])
        return Rows(exp.select(exp.Star()).from_(values), alias_columns(item))
    plan_call = _CALLS.get(system_function(item))
    return function_rows(item) if plan_call is None else plan_call(item, planning)


_CALLS: Final[Mapping[str | None, Callable[[exp.Expr, Planning], Relation]]] = {
    "credit": credit_rows,
    "identity_history": history_rows,
}


def _table(table: exp.Table, around: Around, planning: Planning) -> Relation:
    name, schema = table.name, table.db.lower()
    if not schema and name.lower() in around.ctes:
        cte = around.ctes[name.lower()]
        return renamed(planning.once(cte.query, lambda: _cte(name, cte, planning)), cte.names)
    temporary = planning.sight.temporaries.get(name) if not schema or schema in TEMPORARY_SCHEMAS else None
    if temporary is not None:
        return _stored(f"{TEMPORARY}{name}", tuple(temporary.column_names))
    if schema in ("", "public"):
        view, dataset = planning.view(name), planning.dataset(name)
        if view is not None:
            return Scan(view, {id_: column(id_) for id_ in view.components})
        if dataset is not None:
            return _dataset(dataset, planning)
        planning.check_granted(name)
    if schema == SCHEMA:
        relation = system_relation(name)
        if relation is not None:
            if not planning.sight.access.may_read_system(relation.name):
                raise ForbiddenError(f"permission denied for view {relation.name}")
            return _stored(f"{SYSTEM}{relation.name}", tuple(relation.schema.names))
    check_relation(table)
    raise _unknown_relation(table, around, planning)


def _dataset(name: str, planning: Planning) -> Rows:
    """Plan a dataset; where objects are to be opened, each leaf is a column of its own."""
    schema, table = planning.sight.schema(name), f"{DATASET}{name}"
    if not planning.sight.database.flatten:
        rows = _stored(table, tuple(schema.names))
        return replace(rows, nested=nested_columns({field.name: field.type for field in schema}))
    leaves = dict(_leaves(schema))
    columns = [exp.alias_(_leaf(path.split(".")), path, quoted=True) for path in leaves]
    query = exp.select(*columns).from_(_stored(table, ()).query)
    return Rows(query, tuple(leaves), nested=nested_columns(leaves))


def _leaves(fields: Iterable[pa.Field], before: str = "") -> Iterator[tuple[str, pa.DataType]]:
    for part in fields:
        if pa.types.is_struct(part.type):
            yield from _leaves(part.type, f"{before}{part.name}.")
        else:
            yield f"{before}{part.name}", part.type


def _leaf(parts: Sequence[str]) -> exp.Expr:
    found: exp.Expr = column(parts[0])
    for part in parts[1:]:
        found = exp.Anonymous(this="struct_extract", expressions=[found, exp.Literal.string(part)])
    return found


def _stored(table: str, columns: tuple[str, ...]) -> Rows:
    return Rows(exp.Table(this=exp.to_identifier(table, quoted=True)), columns)


def _unknown_relation(table: exp.Table, around: Around, planning: Planning) -> UnknownNameError:
    known = [*around.ctes, *planning.definitions.data_views, *planning.sight.datasets()]
    if table.db.lower() == SCHEMA or system_relation(table.name):
        known = [f"{SCHEMA}.{name}" for name in planning.sight.known_system(RELATIONS)]
    spelled = f"{table.db}.{table.name}" if table.db else table.name
    return UnknownNameError(f'relation "{spelled}" does not exist', hint=did_you_mean(spelled, known))


def _cte(name: str, cte: Cte, planning: Planning) -> Relation:
    if not (cte.recursive and _mentions(cte.query, name)):
        return resolve(cte.query, cte.around, planning)
    # A name of ours: that of the statement might be one that stands for a dataset.
    table = planning.fresh("_recursive")

    def change(part: exp.Expr) -> exp.Expr | None:
        if part.meta_get(_PLANNED):
            return part
        if not isinstance(part, exp.Table) or not isinstance(part.this, exp.Identifier):
            return None
        if _is_named(part, name):
            alias = part.args.get("alias") or exp.TableAlias(this=exp.to_identifier(name, quoted=True))
            return exp.Table(this=exp.to_identifier(table, quoted=True), alias=alias)
        relation = _table(part, cte.around, planning)
        if not isinstance(relation, Rows):
            raise UnsupportedError(
                "a recursive query over a data view is not supported",
                hint="Aggregate the data view in a CTE of its own first.",
            )
        return as_source(relation, part.alias_or_name)

    body = rewrite(_with_first_rows(name, cte, planning), change, into_queries=True)
    return recursive_rows(table, body, cte.names, planning)


def _is_named(table: exp.Table, name: str) -> bool:
    return table.name.lower() == name.lower() and not table.db


def _mentions(query: exp.Expr, name: str) -> bool:
    return any(_is_named(table, name) for table in query.find_all(exp.Table))


def _with_first_rows(name: str, cte: Cte, planning: Planning) -> exp.Expr:
    """Return a recursive query whose first rows, if they do not read itself, are planned by themselves."""
    body = cte.query.copy()
    if not isinstance(body, exp.SetOperation) or _mentions(body.left, name):
        return body
    rows = rows_of(resolve(body.left, cte.around, planning), planning)
    for metric in rows.pinned.values():
        raise not_additive(metric)
    first = exp.Subquery(this=rows.query.copy())
    first.meta[_PLANNED] = True
    body.set("this", first)
    return body
