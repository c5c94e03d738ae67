"""Joins with a relation that is unique on its key: a lookup inside the report (docs/semantics.md)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from sqlglot import exp

from sqlfront.planner.context import Planning, reports_in
from sqlfront.planner.relations import Joined, JoinedSource, Lookup, Rows, Scan, as_source
from sqlfront.planner.terms import is_constant, metrics
from sqlfront.trees import bare, column, columns, guarded, replaced

Pair = tuple[exp.Expr, str]


def as_scan(joined: Joined, planning: Planning) -> Scan | None:
    """Return a join as a scan with lookups, if all that the view is joined with are lookups.

    The scan's columns are named ``alias.column``; see ``over_scan``.
    """
    sources = _view_first(joined.sources)
    if sources is None or not isinstance(sources[0].relation, Scan):
        return None
    first, scan = sources[0], sources[0].relation
    around = [term for source in sources if source.kind != "LEFT" for term in source.on]
    around += joined.terms
    lookups: list[Lookup] = []
    for source in sources[1:]:
        pairs, rest = ties(source, first, source.on if source.kind == "LEFT" else around)
        if source.kind == "LEFT":
            source, rest = _narrowed(source, rest)
        if not pairs or (source.kind == "LEFT" and rest) or not is_unique(source, pairs, planning):
            return None
        used = {id(term) for term in around} - {id(term) for term in rest}
        around = [term for term in around if id(term) not in used] if source.kind != "LEFT" else around
        lookups.append(_lookup(source, pairs, first))
    meanings = {f"{first.alias}.{name}": meaning for name, meaning in scan.columns.items()}
    for source in sources[1:]:
        names = source.relation.columns if isinstance(source.relation, Rows) else ()
        meanings |= {f"{source.alias}.{name}": column(name, source.alias) for name in names}
    widened = replace(scan, columns=meanings, lookups=(*scan.lookups, *lookups))
    if any(metrics(mine, scan.view) for lookup in lookups for mine, _ in lookup.keys):
        return None
    return replace(widened, terms=(*scan.terms, *(over_scan(term, widened) for term in around)))


def over_scan(node: exp.Expr, scan: Scan) -> exp.Expr:
    """Return an expression over a join's sources as one over the scan that the join became."""

    def change(part: exp.Expr) -> exp.Expr | None:
        if not isinstance(part, exp.Column):
            return None
        return guarded(scan.columns[f"{part.table}.{part.name}"].copy())

    return replaced(node, change)


def _view_first(sources: Sequence[JoinedSource]) -> tuple[JoinedSource, ...] | None:
    """Order sources so that the only view comes first; None if that would change the join."""
    views = [source for source in sources if isinstance(source.relation, Scan)]
    kinds = [source.kind for source in sources]
    if len(views) != 1 or "FULL" in kinds:
        return None
    if len(sources) == 2 and sources[1] is views[0] and kinds[1] == "RIGHT":
        first, second = sources
        return replace(second, kind="CROSS", on=()), replace(first, kind="LEFT", on=second.on)
    place = sources.index(views[0])
    if "RIGHT" in kinds or any(kind not in ("INNER", "CROSS") for kind in kinds[: place + 1]):
        return None
    return (views[0], *(source for source in sources if source is not views[0]))


def ties(
    source: JoinedSource, first: JoinedSource, terms: Iterable[exp.Expr]
) -> tuple[list[Pair], list[exp.Expr]]:
    """Divide terms into equalities between the view and a relation, and the rest.

    Args:
        source: the relation.
        first: the view.
    """
    pairs: list[Pair] = []
    rest: list[exp.Expr] = []
    for term in terms:
        pair = _pair(bare(term), source.alias, first.alias)
        if pair is None:
            rest.append(term)
        else:
            pairs.append(pair)
    return pairs, rest


def _narrowed(source: JoinedSource, terms: Sequence[exp.Expr]) -> tuple[JoinedSource, list[exp.Expr]]:
    """Let the rows of an outer join be only those that may match; return the terms that say more.

    Args:
        terms: of the join's condition, beside its equalities.
    """
    own = [term for term in terms if all(c.table == source.alias for c in columns(term))]
    if not own or not isinstance(source.relation, Rows):
        return source, list(terms)
    query = exp.select(exp.Star()).from_(as_source(source.relation, source.alias))
    for term in own:
        query = query.where(guarded(term.copy()))
    kept = replace(source.relation, query=query, names=source.relation.columns)
    return replace(source, relation=kept), [term for term in terms if term not in own]


def _pair(term: exp.Expr, relation: str, view: str) -> Pair | None:
    if not isinstance(term, exp.EQ):
        return None
    for theirs, mine in ((bare(term.this), term.expression), (bare(term.expression), term.this)):
        is_theirs = isinstance(theirs, exp.Column) and theirs.table == relation
        if is_theirs and not is_constant(mine) and all(c.table == view for c in columns(mine)):
            return mine, theirs.name
    return None


def is_unique(source: JoinedSource, pairs: Sequence[Pair], planning: Planning) -> bool:
    """Tell whether a relation's rows differ on the columns that tie it to a view."""
    if not isinstance(source.relation, Rows):
        return False
    names = tuple(name for _, name in pairs)
    wanted = {name.lower() for name in names}
    if any(known <= wanted for known in source.relation.unique):
        return True
    if reports_in(source.relation.query, planning):
        return False
    return planning.is_unique(source.relation, names)


def _lookup(source: JoinedSource, pairs: Sequence[Pair], first: JoinedSource) -> Lookup:
    if not (isinstance(first.relation, Scan) and isinstance(source.relation, Rows)):
        raise AssertionError("a lookup joins a view with rows")
    scan = replace(
        first.relation,
        columns={f"{first.alias}.{name}": m for name, m in first.relation.columns.items()},
    )
    keys = tuple((over_scan(mine, scan), theirs) for mine, theirs in pairs)
    query = source.relation.query
    if isinstance(query, exp.Table):
        query = exp.select(exp.Star()).from_(query.copy())
    return Lookup(source.alias, query, keys, source.kind == "LEFT", source.relation.pinned)


def pinned_in(node: exp.Expr, lookups: Sequence[Lookup]) -> str | None:
    """Return the distinct metric whose values per event an expression reads from a lookup, if any."""
    pinned = {(lookup.alias, name): metric for lookup in lookups for name, metric in lookup.pinned.items()}
    found = (pinned.get((c.table, c.name.lower())) for c in columns(node)) if pinned else ()
    return next(filter(None, found), None)


def joinable(lookups: Sequence[Lookup], grouped: Iterable[exp.Expr]) -> tuple[Lookup, ...]:
    """Return the lookups that may as well be joined to the answer: their keys are grouped.

    Args:
        grouped: keys (see ``trees.key``) of the grouped expressions.
    """
    known = set(grouped)
    return tuple(lookup for lookup in lookups if all(bare(mine) in known for mine, _ in lookup.keys))


def on_events(term: exp.Expr, lookups: Sequence[Lookup]) -> exp.Expr:
    """Return a segment's term that reads one lookup alone as one that reads the view's own columns only.

    An event is in the segment if its key is among those of the rows for which the term holds. Other terms
    are left to the report, which asks them of the joined rows.
    """
    tables = {c.table for c in columns(term) if c.table}
    if not tables:
        return term
    lookup = next((known for known in lookups if {known.alias} == tables), None)
    mixed = any(not c.table for c in columns(term))
    if lookup is None or mixed or len(lookup.keys) != 1:
        return term
    mine, theirs = lookup.keys[0]
    found = exp.In(this=guarded(mine.copy()), query=_keys_where(lookup, theirs, term))
    if not lookup.outer:
        return found
    missing = exp.Not(this=exp.In(this=guarded(mine.copy()), query=_keys_where(lookup, theirs, None)))
    unmatched = exp.Or(this=exp.Is(this=guarded(mine.copy()), expression=exp.null()), expression=missing)
    holds = replaced(term, lambda part: exp.null() if isinstance(part, exp.Column) else None)
    return exp.Or(this=found, expression=exp.And(this=exp.Paren(this=unmatched), expression=guarded(holds)))


def _keys_where(lookup: Lookup, name: str, term: exp.Expr | None) -> exp.Subquery:
    alias = exp.TableAlias(this=exp.to_identifier(lookup.alias, quoted=True))
    keys = column(name, lookup.alias)
    select = exp.select(keys).from_(exp.Subquery(this=lookup.query.copy(), alias=alias))
    select = select.where(exp.Not(this=exp.Is(this=keys.copy(), expression=exp.null())))
    return exp.Subquery(this=select if term is None else select.where(guarded(term.copy())))
