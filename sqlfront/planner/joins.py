"""Joins that are more than lookups: each view is reported by what the rest reads of it, then joined.

Metrics of a joined view are sums over its groups and can be added up again, so additive ones are all
that a question may ask (docs/semantics.md). What SQL counts over a join are joined events: groups carry their
number of events for that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp

from engine.errors import UnsupportedError
from sqlfront.planner.block import Block, assembled
from sqlfront.planner.context import Planning
from sqlfront.planner.events import every_event
from sqlfront.planner.grouped import grouped
from sqlfront.planner.partials import JoinedGroups, partial_aggregate, refuse_metric
from sqlfront.planner.relations import Joined, JoinedSource, Rows, Scan, as_source
from sqlfront.planner.terms import metrics, refuse_aggregated, refuse_pinned
from sqlfront.safety import is_aggregate
from sqlfront.trees import bare, columns, conjoin, guarded, own, replaced, same


def joined_rows(block: Block, joined: Joined, planning: Planning) -> Rows:
    """Plan a block over a join of views that is not a lookup.

    Raises:
        UnsupportedError: it asks for a metric that cannot be added up over the join.
    """
    block = replace(block, terms=(*joined.terms, *block.terms))
    block, joined = _pushed_down(block, joined)
    _refuse_pinned(block, joined)
    if block.is_grouped:
        return _grouped_join(block, joined, planning)
    sources = {
        source.alias: every_event(_only(source.relation, _read(block, joined, source.alias)), planning)
        if isinstance(source.relation, Scan)
        else source.relation
        for source in joined.sources
    }
    pinned = {
        name.lower(): metric
        for name, output in block.outputs
        for part in columns(output)
        if (metric := sources[part.table].pinned.get(part.name.lower())) is not None
    }
    return Rows(assembled(block, _from(joined, sources), block.terms), block.names, pinned=pinned)


def _refuse_pinned(block: Block, joined: Joined) -> None:
    for part in (part for node in block.expressions() for part in own(node) if is_aggregate(part)):
        for inner in columns(part):
            relation = next(s.relation for s in joined.sources if s.alias == inner.table)
            if isinstance(relation, Rows):
                refuse_pinned(relation.pinned.get(inner.name.lower()))
            elif not block.is_grouped:
                refuse_aggregated(metrics(relation.columns[inner.name], relation.view), "a window function")


def _only(scan: Scan, names: Sequence[str]) -> Scan:
    """Narrow a scan to the columns that are read."""
    return replace(scan, columns={name: scan.columns[name] for name in names})


def _read(block: Block, joined: Joined, alias: str) -> list[str]:
    """Return the columns of a source that a block or the join's conditions read."""
    nodes = [*block.expressions(), *block.terms, *block.groups]
    nodes += [term for source in joined.sources for term in source.on]
    return list(dict.fromkeys(c.name for node in nodes for c in columns(node) if c.table == alias))


def _from(joined: Joined, sources: dict[str, Rows]) -> exp.Select:
    first, *others = joined.sources
    select = exp.Select().from_(as_source(sources[first.alias], first.alias))
    for source in others:
        select = select.join(
            as_source(sources[source.alias], source.alias),
            on=conjoin(source.on),
            join_type=source.kind if source.on or source.kind != "INNER" else "CROSS",
        )
    return select


def _pushed_down(block: Block, joined: Joined) -> tuple[Block, Joined]:
    """Move terms about one view alone into it, where the join cannot make its rows NULL."""
    safe = _never_null(joined.sources)
    sources = {source.alias: source for source in joined.sources}
    left: list[exp.Expr] = []
    for term in block.terms:
        if not _move(term, sources, safe):
            left.append(term)
    for at, source in enumerate(joined.sources):
        movable = safe if source.kind in ("INNER", "CROSS") else ()
        movable = (source.alias,) if source.kind == "LEFT" else movable
        kept = tuple(term for term in source.on if not _move(term, sources, movable))
        if at:
            sources[source.alias] = replace(sources[source.alias], on=kept)
    moved = tuple(sources[source.alias] for source in joined.sources)
    return replace(block, terms=tuple(left)), replace(joined, sources=moved, terms=())


def _never_null(sources: Sequence[JoinedSource]) -> tuple[str, ...]:
    """Return the aliases whose rows no outer join of the statement fills with NULL."""
    safe: list[str] = []
    for source in sources:
        if source.kind in ("RIGHT", "FULL"):
            safe = []
        if source.kind not in ("LEFT", "FULL"):
            safe.append(source.alias)
    return tuple(safe)


def _move(term: exp.Expr, sources: dict[str, JoinedSource], movable: Sequence[str]) -> bool:
    tables = {c.table for c in columns(term)}
    if len(tables) != 1 or not tables <= set(movable):
        return False
    source = sources[tables.pop()]
    if not isinstance(source.relation, Scan):
        return False
    scan = source.relation
    inside = replaced(
        term, lambda c: guarded(scan.columns[c.name].copy()) if isinstance(c, exp.Column) else None
    )
    sources[source.alias] = replace(source, relation=replace(scan, terms=(*scan.terms, inside)))
    return True


def _grouped_join(block: Block, joined: Joined, planning: Planning) -> Rows:
    asked = JoinedGroups(joined)
    for node in (*block.groups, *block.terms, *(on for s in joined.sources for on in s.on)):
        refuse_metric(node, asked)
    rest = replace(
        block.mapped(lambda node: _over_groups(node, asked)),
        groups=block.groups,
        terms=block.terms,
        sets=block.sets,
    )
    _refuse_split(rest, asked)
    sources = {
        source.alias: _by_keys(source.alias, rest, asked, planning)
        if isinstance(source.relation, Scan)
        else source.relation
        for source in joined.sources
    }
    select = assembled(rest, _from(joined, sources), [*rest.terms])
    _group_by(select, block)
    for term in rest.having:
        select = select.having(guarded(term), copy=False)
    return Rows(select, block.names)


def _refuse_split(rest: Block, asked: JoinedGroups) -> None:
    """Raise if a view is reported by more than its keys and groups, and a metric of another one is added up.

    The other one's groups would meet several of the view's, so that what they sum up to would depend on what
    else the statement reads.

    Raises:
        UnsupportedError: it is.
    """
    kept = _keys_and_groups(rest, asked)
    for part in (c for node in (*rest.expressions(), *rest.terms, *rest.groups) for c in columns(node)):
        is_partial = part.name in asked.partial.get(part.table, {})
        if is_partial or asked.scan(part.table) is None or (part.table, part.name) in kept:
            continue
        if any(alias != part.table for alias in asked.summed()):
            raise UnsupportedError(
                f'metrics of a joined data view would count once for each "{part.name}" of another one, '
                "which is neither joined on nor grouped by",
                hint="Group by that column, or aggregate each data view in a sub-query first, then join.",
            )


def _keys_and_groups(rest: Block, asked: JoinedGroups) -> set[tuple[str, str]]:
    """Return the columns that tie views, and those that every row of the answer has one value of."""
    ties = [term for source in asked.joined.sources for term in source.on]
    ties += [term for term in rest.terms if len({c.table for c in columns(term)}) > 1]
    found = {(c.table, c.name) for term in ties for c in columns(term)}
    sets = [rest.groups] if rest.sets is None else rest.sets
    for group in rest.groups:
        group = bare(group)
        if isinstance(group, exp.Column) and all(any(same(group, one) for one in kept) for kept in sets):
            found.add((group.table, group.name))
    return found


def _group_by(select: exp.Select, block: Block) -> None:
    if block.sets is not None:
        sets = [exp.Tuple(expressions=[g.copy() for g in kept]) for kept in block.sets]
        select.set("group", exp.Group(expressions=[exp.GroupingSets(expressions=sets)]))
    elif block.groups:
        select.set("group", exp.Group(expressions=[group.copy() for group in block.groups]))


def _over_groups(node: exp.Expr, asked: JoinedGroups) -> exp.Expr:
    def change(part: exp.Expr) -> exp.Expr | None:
        core = part.this if isinstance(part, exp.Filter) else part
        if not is_aggregate(core) or isinstance(part.parent, exp.Window):
            return None
        condition = part.expression.this if isinstance(part, exp.Filter) else None
        return partial_aggregate(core, condition, asked)

    return replaced(node, change)


def _by_keys(alias: str, rest: Block, asked: JoinedGroups, planning: Planning) -> Rows:
    """Report a view by the columns that the rest of the statement reads of it."""
    scan = asked.scan(alias)
    if scan is None:
        raise AssertionError("only views are reported")
    partial = asked.partial.get(alias, {})
    names = [name for name in _read(rest, asked.joined, alias) if name not in partial]
    dimensions = [(name, scan.columns[name].copy()) for name in names]
    events: exp.Expr = exp.Count(this=exp.Star())
    block = Block(
        outputs=(*dimensions, *(partial or {"_events": events}).items()),
        terms=scan.terms,
        groups=tuple(meaning for _, meaning in dimensions),
        having=() if dimensions else (exp.GT(this=events, expression=exp.Literal.number(0)),),
        is_grouped=True,
    )
    return grouped(block, scan, planning)
