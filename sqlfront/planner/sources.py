"""FROM and its joins: what each item is, and which names it brings into scope."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlglot import exp

from engine.errors import UnsupportedError
from sqlfront.functions import called
from sqlfront.planner.block import Binder
from sqlfront.planner.context import Planning
from sqlfront.planner.nested import inside
from sqlfront.planner.relations import Joined, JoinedSource, Relation, Rows, Scan, named_columns
from sqlfront.planner.scope import Scope, Table
from sqlfront.planner.terms import metrics
from sqlfront.trees import column, columns, conjuncts

_INNER: Final = frozenset(("INNER", "CROSS"))
_KEEPS_LEFT: Final = _INNER | {"LEFT"}
"""Joins without rows of the right side alone, which nothing to the left of them could hold back."""


@dataclass(frozen=True)
class Planner:
    """What planning a FROM needs of the planner.

    Attributes:
        item: plans an item, given the scope of the items before it where it may read them.
        query: plans a sub-query of a join's condition, given the scope of the joined items.
        rows: returns a relation as rows, single events where it has not been aggregated.
    """

    item: Callable[[exp.Expr, Scope | None], Relation]
    query: Callable[[exp.Expr, Scope], exp.Expr]
    rows: Callable[[Relation], Rows]


@dataclass(frozen=True)
class Source:
    """An item of FROM: its alias in the statement, what it is, and how it is joined."""

    alias: str
    item: exp.Expr
    relation: Relation
    join: exp.Join | None


@dataclass(frozen=True)
class Sources:
    """The items of one FROM.

    Attributes:
        items: as written, in order.
        joined: the same with joins inside the items laid open; only where a view takes part.
        scope: what the SELECT's expressions can name.
        terms: conditions that came along with items that are joins themselves.
    """

    items: tuple[Source, ...]
    joined: tuple[JoinedSource, ...]
    scope: Scope
    terms: tuple[exp.Expr, ...] = ()

    @property
    def has_view(self) -> bool:
        """Whether a view takes part that has not been aggregated."""
        return any(not isinstance(source.relation, Rows) for source in self.items)

    def relation(self) -> Scan | Joined:
        """Return what the SELECT reads."""
        only = self.items[0].relation
        if len(self.items) == 1 and isinstance(only, Scan):
            return only
        return Joined(self.joined, {}, self.terms)


def from_clause(select: exp.Select, planner: Planner, planning: Planning) -> Sources:
    """Plan the items of a SELECT's FROM and resolve the conditions of its joins."""
    clause = select.args.get("from_")
    first = [] if clause is None else [(clause.this, None)]
    joins = [(join.this, join) for join in select.args.get("joins") or ()]
    items: list[Source] = []
    for item, join in (*first, *joins):
        has_view = any(not isinstance(source.relation, Rows) for source in items)
        scope = Scope(tuple(_table(source) for source in items), has_view=has_view)
        relation = planner.item(item, scope if _is_lateral(item) else None)
        items.append(Source(_source_name(item), item, relation, join))
        items[-1] = _with_condition(items)
    items = [_closed(source, planner) if _stays_shut(source, items) else source for source in items]
    if all(isinstance(source.relation, Rows) for source in items):
        return Sources(tuple(items), (), _plain_scope(items))
    if len(items) == 1:
        return _single(items[0])
    return _Join(planning, planner, items).sources()


def _stays_shut(source: Source, items: Sequence[Source]) -> bool:
    """Tell whether an item is a join whose sources cannot stand in one list with the other items."""
    if not isinstance(source.relation, Joined):
        return False
    kinds = {_kind(item.join) for item in items if item.join is not None}
    if source is items[0]:
        return not kinds <= _KEEPS_LEFT
    return not (kinds <= _INNER and {inner.kind for inner in source.relation.sources[1:]} <= _KEEPS_LEFT)


def _closed(source: Source, planner: Planner) -> Source:
    """Return a join as rows of single events.

    Raises:
        UnsupportedError: it puts out a metric with an attribution, which depends on what it is grouped by.
    """
    joined = source.relation
    if not isinstance(joined, Joined):
        raise AssertionError("only a join has sources")
    sources = {inner.alias: inner.relation for inner in joined.sources}
    for read in (part for meaning in joined.columns.values() for part in columns(meaning)):
        scan = sources[read.table]
        named = metrics(scan.columns[read.name], scan.view) if isinstance(scan, Scan) else ()
        if any(metric.attributed for metric in named):
            raise UnsupportedError(
                f'metric "{read.name}" has an attribution: no join inside an outer join keeps it',
                hint="Leave it out, aggregate the sub-query, or join its tables one by one.",
            )
    return replace(source, relation=planner.rows(joined))


def _with_condition(items: Sequence[Source]) -> Source:
    """Return the last item with what its join's condition reads inside columns in DuckDB's words."""
    last = items[-1]
    condition = None if last.join is None else last.join.args.get("on")
    if last.join is None or condition is None:
        return last
    join = last.join.copy()
    join.set("on", inside(condition.copy(), Scope(tuple(_table(source) for source in items))))
    return replace(last, join=join)


def _source_name(item: exp.Expr) -> str:
    function = item if isinstance(item, exp.Func) else item.this
    name = called(function) if isinstance(function, exp.Expr) else None
    return item.alias_or_name or name or "_"


def _is_lateral(item: exp.Expr) -> bool:
    return not isinstance(item, (exp.Table, exp.Subquery, exp.Values))


def alias_columns(item: exp.Expr) -> tuple[str, ...]:
    """Return the column names that an alias gives: ``AS t(a, b)``."""
    alias = item.args.get("alias")
    return tuple(c.name for c in alias.columns) if isinstance(alias, exp.TableAlias) else ()


def function_rows(item: exp.Expr) -> Rows:
    """Plan a table function; its one column is called like its alias, as in PostgreSQL."""
    named = item.copy()
    alias = item.alias or called(item.this if isinstance(item, exp.Table) else item) or "unnest"
    names = alias_columns(item) or (alias,)
    identifiers = [exp.to_identifier(name, quoted=True) for name in names]
    named.set("alias", exp.TableAlias(this=exp.to_identifier(alias, quoted=True), columns=identifiers))
    return Rows(exp.select(exp.Star()).from_(named), names)


def _table(source: Source) -> Table:
    relation = source.relation
    if isinstance(relation, Rows):
        return Table(source.alias, named_columns(relation, source.alias), relation.nested)
    return Table(source.alias, relation.columns)


def _plain_scope(items: Sequence[Source]) -> Scope:
    tables = tuple(_table(source) for source in items)
    merged: dict[str, exp.Expr] = {}
    for at, source in enumerate(items):
        for name in _shared(source.join, tables[:at], tables[at]):
            merged[name.lower()] = column(name)
    return Scope(tables, merged)


def _shared(join: exp.Join | None, left: Sequence[Table], right: Table) -> list[str]:
    """Return the columns that USING or NATURAL joins on."""
    if join is None:
        return []
    if join.args.get("using"):
        return [part.name for part in join.args["using"]]
    if join.method.upper() == "NATURAL":
        return [name for name in right.columns if any(table.find(name) for table in left)]
    return []


def _single(source: Source) -> Sources:
    scope = Scope((_table(source),))
    if isinstance(source.relation, Joined):
        return Sources((source,), source.relation.sources, scope, source.relation.terms)
    return Sources((source,), (), scope)


class _Join:
    """Lays a FROM with several items open into one list of sources with conditions.

    Args:
        items: two or more, a view among them.
    """

    def __init__(self, planning: Planning, planner: Planner, items: Sequence[Source]) -> None:
        self._planning = planning
        self._planner = planner
        self._items = items
        self._sources: list[JoinedSource] = []
        self._tables: list[Table] = []
        self._merged: dict[str, exp.Expr] = {}
        self._terms: list[exp.Expr] = []

    def sources(self) -> Sources:
        """Return the items laid open."""
        for source in self._items:
            kind = "CROSS" if source.join is None else _kind(source.join)
            added = self._added(source, kind)
            on = self._condition(source.join, kind)
            self._sources[added] = replace(self._sources[added], kind=kind, on=on)
        scope = Scope(tuple(self._tables), self._merged)
        return Sources(tuple(self._items), tuple(self._sources), scope, tuple(self._terms))

    def _added(self, source: Source, kind: str) -> int:
        """Add an item; return the place of its first source."""
        place, relation = len(self._sources), source.relation
        if isinstance(relation, Joined):
            self._sources += relation.sources
            self._terms += relation.terms
            self._tables.append(Table(source.alias, relation.columns))
            return place
        alias = self._planning.fresh(source.alias)
        names = relation.columns
        self._sources.append(JoinedSource(alias, relation, kind))
        inside = relation.nested if isinstance(relation, Rows) else {}
        self._tables.append(Table(source.alias, {name: column(name, alias) for name in names}, inside))
        return place

    def _condition(self, join: exp.Join | None, kind: str) -> tuple[exp.Expr, ...]:
        if join is None:
            return ()
        left, right = self._tables[:-1], self._tables[-1]
        terms: list[exp.Expr] = []
        for name in _shared(join, left, right):
            mine = Scope(tuple(left), self._merged).meaning(exp.column(name, quoted=True))[1]
            theirs = Scope((right,)).meaning(exp.column(name, quoted=True))[1]
            terms.append(exp.EQ(this=mine.copy(), expression=theirs.copy()))
            both = exp.Coalesce(this=mine.copy(), expressions=[theirs.copy()])
            self._merged[name.lower()] = {"FULL": both, "RIGHT": theirs}.get(kind, mine)
        scope = Scope(tuple(self._tables), self._merged)
        within = replace(scope, has_view=True)
        binder = Binder(scope, lambda query: self._planner.query(query, within))
        return (*terms, *(binder.bind(term) for term in conjuncts(join.args.get("on"))))


def _kind(join: exp.Join) -> str:
    if join.kind.upper() in ("SEMI", "ANTI") or join.method.upper() == "ASOF":
        raise UnsupportedError(
            "SEMI, ANTI and ASOF joins are not supported", hint="Use IN or NOT IN with a sub-query."
        )
    if join.side:
        return join.side.upper()
    has_condition = join.args.get("on") is not None or join.args.get("using") or join.method
    return "INNER" if has_condition else "CROSS"
