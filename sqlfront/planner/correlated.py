"""Sub-queries that read the query around them, written so that they no longer do (docs/semantics.md).

A sub-query over a view is first grouped by what ties it to the query around it (``preaggregated``); DuckDB
then runs it per row. Around a view no sub-query can run per row: EXISTS and IN become a list of keys, and a
sub-query that yields one value becomes a lookup on its keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlglot import exp

from engine.errors import UnsupportedError
from sqlfront.planner.block import aggregates
from sqlfront.planner.scope import HIDDEN, Scope, correlated
from sqlfront.planner.sources import Sources
from sqlfront.planner.terms import is_constant
from sqlfront.safety import is_aggregate
from sqlfront.trees import (
    bare,
    column,
    columns,
    conjoin,
    conjuncts,
    guarded,
    is_query,
    own,
    replaced,
    rewrite,
)

Tie = tuple[exp.Expr, exp.Expr]
"""What equals what: an expression of a sub-query, one of the query around it."""

CLAUSES = ("expressions", "where", "group", "having", "order")


@dataclass(frozen=True)
class Untied:
    """A sub-query without the terms that tie it to the query around it.

    Attributes:
        select: the sub-query; its WHERE lacks the ties.
        ties: at least one.
        is_set: only whether it has rows, or which values, is asked: rows may be told apart.
    """

    select: exp.Select
    ties: tuple[Tie, ...]
    is_set: bool

    def tied(self) -> exp.Select:
        """Return the sub-query as it was."""
        select = self.select.copy()
        for mine, theirs in self.ties:
            select = select.where(exp.EQ(this=guarded(mine.copy()), expression=guarded(theirs.copy())))
        return select


@dataclass(frozen=True)
class Tools:
    """What untying needs of the planner.

    Attributes:
        sources: plans the FROM of a sub-query.
        grouped: groups a sub-query over a view by its ties.
        is_unique: tells whether the rows of a query differ on columns.
        fresh: gives a name that was not given out before.
    """

    sources: Callable[[exp.Select], Sources]
    grouped: Callable[[Untied, Sources], Untied]
    is_unique: Callable[[exp.Select, tuple[str, ...]], bool]
    fresh: Callable[[str], str]


def untied(select: exp.Select, scope: Scope, tools: Tools) -> exp.Select:
    """Return a SELECT whose sub-queries DuckDB, or reports, can run; the same object if they can already.

    Args:
        scope: the SELECT's own.

    Raises:
        UnsupportedError: a sub-query is tied to the SELECT by more than equalities, or its numbers by group
            are not those by filter.
    """
    if not any(is_query(part) for node in clauses(select) for part in own(node)):
        return select
    copied = select.copy()
    untying = _Untying(copied, scope, tools)
    for name in CLAUSES:
        value = copied.args.get(name)
        if name == "expressions":
            copied.set(name, [_named(item, rewrite(item, untying.change)) for item in list(copied.selects)])
        elif isinstance(value, list):
            copied.set(name, [rewrite(item, untying.change) for item in value])
        elif value is not None:
            copied.set(name, rewrite(value, untying.change))
    return copied if untying.changed else select


def _named(output: exp.Expr, changed: exp.Expr) -> exp.Expr:
    """Give an output back its name, which a sub-query that stands alone carries itself."""
    if changed is output or not isinstance(output, exp.Subquery):
        return changed
    return exp.alias_(changed, output.alias_or_name, quoted=True)


def lateral(query: exp.Expr, scope: Scope, tools: Tools) -> exp.Expr:
    """Return a sub-query of FROM that reads items before it so that DuckDB can run it for each of their rows.

    Args:
        scope: of the items before it.
    """
    found = _Untying(exp.Select(), scope, tools).untied(query, is_set=False)
    if found is None:
        return query
    if scope.has_view:
        raise _refused("LATERAL", "Join the sub-query on that column.")
    return exp.Subquery(this=found.tied())


def clauses(select: exp.Select) -> Iterator[exp.Expr]:
    """Return the expressions of a SELECT, those of FROM excepted."""
    for name in CLAUSES:
        value = select.args.get(name)
        yield from value if isinstance(value, list) else [] if value is None else [value]


class _Untying:
    """Changes the sub-queries of one SELECT; lookups are joined to its FROM."""

    def __init__(self, select: exp.Select, scope: Scope, tools: Tools) -> None:
        self._select = select
        self._scope = scope
        self._tools = tools
        self.changed = False

    def change(self, part: exp.Expr) -> exp.Expr | None:
        """Return what stands in the place of a tied sub-query."""
        if isinstance(part, exp.Exists):
            found = self.untied(_any_row(part.this), is_set=True)
            return None if found is None else self._exists(found)
        if isinstance(part, exp.In) and part.args.get("query") is not None:
            found = self.untied(part.args["query"], is_set=True)
            return None if found is None else self._one_of(part, found)
        if isinstance(part, (exp.Any, exp.All)) and is_query(part.this):
            found = self.untied(part.this, is_set=True)
            return None if found is None else type(part)(this=self._rows(found, "ANY and ALL"))
        if is_query(part):
            found = self.untied(part, is_set=False)
            return None if found is None else self._scalar(found)
        return None

    def untied(self, query: exp.Expr, is_set: bool) -> Untied | None:
        """Take the ties off a sub-query; None if DuckDB can run it as it is."""
        inner = query
        while isinstance(inner, exp.Subquery) and not _clauses_behind(inner):
            inner = inner.this
        if not isinstance(inner, exp.Select) or not _names(inner, self._scope):
            return None
        sources = self._tools.sources(inner)
        tied = [c for c in _foreign(inner, sources.scope) if self._scope.lookup(c) is not None]
        if not tied or not (sources.has_view or self._scope.has_view):
            return None
        self.changed = True
        found = _without_ties(inner, sources.scope, tied[0], is_set)
        return self._tools.grouped(found, sources) if sources.has_view else found

    def _exists(self, found: Untied) -> exp.Expr:
        if not self._scope.has_view:
            return exp.Exists(this=found.tied())
        keys = _keys(found, ())
        theirs = [guarded(outer.copy()) for _, outer in found.ties]
        present = [exp.Not(this=exp.Is(this=outer.copy(), expression=exp.null())) for outer in theirs]
        member = exp.In(this=_one(theirs), query=exp.Subquery(this=keys))
        return exp.Paren(this=conjoin([*present, member]))

    def _one_of(self, node: exp.In, found: Untied) -> exp.Expr:
        if not self._scope.has_view:
            return exp.In(this=node.this.copy(), query=exp.Subquery(this=found.tied()))
        if not _only_narrows(node):
            raise _refused("IN under NOT, or as a value", "Use EXISTS or NOT EXISTS.")
        outputs = [output.unalias() for output in found.select.expressions]
        theirs = [bare(node.this), *(outer for _, outer in found.ties)]
        if len(outputs) != 1 or isinstance(theirs[0], exp.Tuple):
            raise _refused("IN with several columns", "Use EXISTS.")
        keys = _keys(found, outputs)
        return exp.In(this=_one([guarded(outer.copy()) for outer in theirs]), query=exp.Subquery(this=keys))

    def _rows(self, found: Untied, what: str) -> exp.Select:
        if self._scope.has_view:
            raise _refused(what, "Use IN or EXISTS.")
        return found.tied()

    def _scalar(self, found: Untied) -> exp.Expr:
        if not self._scope.has_view:
            return exp.Subquery(this=found.tied())
        alias = self._tools.fresh("_subquery")
        lookup, value = _as_lookup(found, alias, self._tools)
        on = [
            exp.EQ(this=column(_key(at), alias), expression=guarded(outer.copy()))
            for at, (_, outer) in enumerate(found.ties)
        ]
        join = exp.Join(this=lookup.subquery(alias), side="LEFT", on=conjoin(on))
        self._select.append("joins", join)
        return value


def _any_row(query: exp.Expr) -> exp.Expr:
    """Leave out a LIMIT that leaves a row, where only that there is one is asked."""
    limit = query.args.get("limit")
    count = limit.expression if isinstance(limit, exp.Limit) else None
    some = isinstance(count, exp.Literal) and not count.is_string and count.name.strip("0") != ""
    if not some or query.args.get("offset") is not None:
        return query
    whole = query.copy()
    whole.set("limit", None)
    return whole


def _clauses_behind(query: exp.Subquery) -> bool:
    return any(query.args.get(name) for name in ("with_", "order", "limit", "offset"))


def _names(inner: exp.Select, scope: Scope) -> bool:
    """Tell whether a sub-query names anything that the query around it might mean."""
    return any(
        not c.is_star and scope.lookup(c) is not None for node in clauses(inner) for c in columns(node)
    )


def _foreign(inner: exp.Select, scope: Scope) -> list[exp.Column]:
    """Return the columns of a sub-query that are neither its tables' nor names of its outputs."""
    aliases = {output.alias.lower() for output in inner.expressions if isinstance(output, exp.Alias)}
    found = []
    for name in CLAUSES:
        value = inner.args.get(name)
        for node in value if isinstance(value, list) else [] if value is None else [value]:
            for c in columns(node):
                output = name in ("group", "order", "having") and not c.table and c.name.lower() in aliases
                if not (c.is_star or output or scope.lookup(c) is not None):
                    found.append(c)
    return found


def _without_ties(inner: exp.Select, scope: Scope, tied: exp.Column, is_set: bool) -> Untied:
    """Divide the WHERE of a sub-query into its ties and the rest.

    Raises:
        UnsupportedError: it reads the query around it otherwise than in an equality.
    """
    where = inner.args.get("where")
    ties: list[Tie] = []
    terms: list[exp.Expr] = []
    for term in conjuncts(None if where is None else where.this):
        tie = _tie(term, scope)
        if tie is None:
            terms.append(term)
        else:
            ties.append(tie)
    select = inner.copy()
    rest = conjoin(terms)
    select.set("where", None if rest is None else exp.Where(this=rest))
    if not ties or _foreign(select, scope):
        raise correlated(tied)
    return Untied(select, tuple(ties), is_set)


def _tie(term: exp.Expr, scope: Scope) -> Tie | None:
    term = bare(term)
    if not isinstance(term, exp.EQ) or any(is_query(part) for part in own(term)):
        return None
    left, right = bare(term.this), bare(term.expression)
    for mine, theirs in ((left, right), (right, left)):
        is_mine = not is_constant(mine) and all(scope.lookup(c) is not None for c in columns(mine))
        if is_mine and not is_constant(theirs) and all(scope.lookup(c) is None for c in columns(theirs)):
            return mine.copy(), theirs.copy()
    return None


def _key(place: int) -> str:
    return f"{HIDDEN}key {place + 1}"


def _value(number: int) -> str:
    return f"{HIDDEN}value {number}"


def _one(nodes: list[exp.Expr]) -> exp.Expr:
    return nodes[0] if len(nodes) == 1 else exp.Tuple(expressions=nodes)


def _only_narrows(node: exp.Expr) -> bool:
    """Tell whether a condition stands where NULL and false are the same: among the terms of WHERE."""
    parent = node.parent
    while isinstance(parent, (exp.And, exp.Or, exp.Paren)):
        parent = parent.parent
    return isinstance(parent, exp.Where)


def _keys(found: Untied, outputs: list[exp.Expr] | tuple[()]) -> exp.Select:
    """Return a query of the values, and of the keys of the ties, for which a sub-query has rows."""
    select = found.select.copy()
    if any(select.args.get(clause) for clause in ("limit", "offset")) or _is_total(select):
        raise _refused("LIMIT, or an aggregate without GROUP BY, in EXISTS or IN", "Leave it out.")
    if select.args.get("group") is not None or select.args.get("having") is not None:
        raise _refused("GROUP BY in EXISTS or IN", "Join the sub-query on that column.")
    members = [*outputs, *(mine for mine, _ in found.ties)]
    for clause in ("order", "distinct"):
        select.set(clause, None)
    select.set("expressions", [exp.alias_(m.copy(), _key(at), quoted=True) for at, m in enumerate(members)])
    for member in members:
        select = select.where(exp.Not(this=exp.Is(this=guarded(member.copy()), expression=exp.null())))
    return select


def _is_total(select: exp.Select) -> bool:
    """Tell whether a SELECT puts out one row for all that it reads."""
    return select.args.get("group") is None and any(
        aggregates(node) for name in ("expressions", "having", "order") for node in _nodes(select, name)
    )


def _nodes(select: exp.Select, name: str) -> list[exp.Expr]:
    value = select.args.get(name)
    return value if isinstance(value, list) else [] if value is None else [value]


def _as_lookup(found: Untied, alias: str, tools: Tools) -> tuple[exp.Select, exp.Expr]:
    """Return a relation that is unique on the keys of the ties, and the sub-query's value over it."""
    select = found.select
    cut = [clause for clause in ("limit", "offset", "group", "having", "distinct") if select.args.get(clause)]
    if cut or len(select.expressions) != 1:
        raise _refused(
            "GROUP BY, LIMIT or DISTINCT in a value that depends on each event", "Join the sub-query instead."
        )
    keys = [exp.alias_(mine.copy(), _key(at), quoted=True) for at, (mine, _) in enumerate(found.ties)]
    output = select.expressions[0].unalias()
    values: list[exp.Expr] = []

    def change(part: exp.Expr) -> exp.Expr | None:
        if not (isinstance(part, (exp.Filter, exp.WithinGroup)) or is_aggregate(part)):
            return None
        values.append(part.copy())
        shown: exp.Expr = column(_value(len(values)), alias)
        counts = isinstance(
            part.this if isinstance(part, exp.Filter) else part, (exp.Count, exp.ApproxDistinct)
        )
        return exp.Coalesce(this=shown, expressions=[exp.Literal.number(0)]) if counts else shown

    total = aggregates(output)
    if total:
        value = replaced(output, change)
    else:
        values.append(output)
        value = column(_value(1), alias)
    shown = [exp.alias_(node.copy(), _value(at + 1), quoted=True) for at, node in enumerate(values)]
    lookup = select.copy()
    lookup.set("expressions", [*keys, *shown])
    lookup.set("order", None)
    if total:
        lookup = lookup.group_by(*(mine.copy() for mine, _ in found.ties))
    elif not tools.is_unique(lookup, tuple(_key(at) for at in range(len(keys)))):
        raise _refused("several values for one event", "Aggregate in the sub-query, such as with MAX.")
    return lookup, guarded(value)


def _refused(what: str, hint: str) -> UnsupportedError:
    return UnsupportedError(
        f"{what}: a sub-query over or beside a data view cannot read the query around it so", hint=hint
    )
