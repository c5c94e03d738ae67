"""Joins that are more than lookups: each view is reported by what the rest reads of it, then joined.

Metrics of a joined view are sums over its groups and can be added up again, so additive ones are all
that a question may ask (SEMANTICS 13). What SQL counts over a join are joined events: groups carry their
number of events for that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sqlglot import exp

from engine.dataview.components import EVENTS
from engine.errors import UnsupportedError
from sqlfront.planner.block import Block, assembled
from sqlfront.planner.context import Planning
from sqlfront.planner.events import as_source, every_event
from sqlfront.planner.grouped import grouped
from sqlfront.planner.relations import Joined, JoinedSource, Rows, Scan
from sqlfront.planner.terms import is_constant, metrics
from sqlfront.safety import is_aggregate
from sqlfront.trees import bare, column, columns, conjoin, guarded, own, replaced

_LINEAR_FUNCTIONS = (exp.Paren, exp.Cast, exp.Neg)


def joined_rows(block: Block, joined: Joined, planning: Planning) -> Rows:
    """Plan a block over a join of views that is not a lookup.

    Raises:
        UnsupportedError: it asks for a metric that cannot be added up over the join.
    """
    block = replace(block, terms=(*joined.terms, *block.terms))
    block, joined = _pushed_down(block, joined)
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
    _refuse_pinned(block, sources)
    return Rows(assembled(block, _from(joined, sources), block.terms), block.names, pinned=pinned)


def _refuse_pinned(block: Block, sources: dict[str, Rows]) -> None:
    for part in (part for node in block.expressions() for part in own(node)):
        if is_aggregate(part):
            for inner in columns(part):
                pinned = sources[inner.table].pinned.get(inner.name.lower())
                if pinned is not None:
                    raise not_additive(pinned)


def not_additive(metric: str) -> UnsupportedError:
    """Return the error for adding up a distinct metric where its groups are gone."""
    return UnsupportedError(
        f'metric "{metric}" counts distinct and cannot be aggregated after a LIMIT, DISTINCT, UNION, '
        "window function or join on a key that is not unique",
        hint=f'Aggregate "{metric}" in the innermost SELECT, directly over the data view.',
    )


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


@dataclass
class _Groups:
    """What is asked of the views of a grouped join: partial results by source."""

    joined: Joined
    partial: dict[str, dict[str, exp.Expr]] = field(default_factory=dict)

    def scan(self, alias: str) -> Scan | None:
        relation = next(s.relation for s in self.joined.sources if s.alias == alias)
        return relation if isinstance(relation, Scan) else None

    def metric(self, node: exp.Expr) -> Scan | None:
        """Return the scan of a column that is a metric, else None."""
        if not isinstance(node, exp.Column):
            return None
        scan = self.scan(node.table)
        return scan if scan is not None and metrics(scan.columns[node.name], scan.view) else None

    def reads_metric(self, node: exp.Expr) -> bool:
        return any(self.metric(c) is not None for c in columns(node))

    def ask(self, alias: str, name: str, aggregate: exp.Expr) -> exp.Column:
        """Have a view report an aggregate beside its groups; return the column."""
        partial = self.partial.setdefault(alias, {})
        taken = next((known for known, asked in partial.items() if asked == aggregate), None)
        if taken is None:
            taken = f"_{name}_{len(partial) + 1}"
            partial[taken] = aggregate
        return column(taken, alias)

    def counts(self) -> list[exp.Expr]:
        """Return each view's number of events per group; 1 where an outer join found none."""
        return [
            exp.Coalesce(
                this=self.ask(source.alias, EVENTS, _named(exp.Count(this=exp.Star()), "count")),
                expressions=[exp.Literal.number(1)],
            )
            for source in self.joined.sources
            if isinstance(source.relation, Scan)
        ]


def _named(function: exp.Expr, name: str) -> exp.Expr:
    function.meta["name"] = name
    return function


def _grouped_join(block: Block, joined: Joined, planning: Planning) -> Rows:
    asked = _Groups(joined)
    for node in (*block.groups, *block.terms, *(on for s in joined.sources for on in s.on)):
        _refuse_metric(node, asked)
    rest = replace(
        block.mapped(lambda node: _over_groups(node, asked)),
        groups=block.groups,
        terms=block.terms,
        sets=block.sets,
    )
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


def _group_by(select: exp.Select, block: Block) -> None:
    if block.sets is not None:
        sets = [exp.Tuple(expressions=[g.copy() for g in kept]) for kept in block.sets]
        select.set("group", exp.Group(expressions=[exp.GroupingSets(expressions=sets)]))
    elif block.groups:
        select.set("group", exp.Group(expressions=[group.copy() for group in block.groups]))


def _refuse_metric(node: exp.Expr, asked: _Groups) -> None:
    for part in columns(node):
        scan = asked.metric(part)
        if scan is not None:
            raise UnsupportedError(
                f'metric "{part.name}" is grouped, filtered or joined on',
                hint="Aggregate it, and filter the result with HAVING or around a sub-query.",
            )


def _over_groups(node: exp.Expr, asked: _Groups) -> exp.Expr:
    def change(part: exp.Expr) -> exp.Expr | None:
        core = part.this if isinstance(part, exp.Filter) else part
        if not is_aggregate(core) or isinstance(part.parent, exp.Window):
            return None
        condition = part.expression.this if isinstance(part, exp.Filter) else None
        return _partial(core, condition, asked)

    return replaced(node, change)


def _partial(core: exp.Expr, condition: exp.Expr | None, asked: _Groups) -> exp.Expr:
    """Return an aggregate over joined events as one over joined groups."""
    distinct = isinstance(core.this, exp.Distinct)
    if distinct and not asked.reads_metric(core):
        return _filtered(core.copy(), condition)
    if isinstance(core, exp.Sum) and not distinct:
        return _filtered(exp.Sum(this=_summed(core.this, asked)), condition)
    if isinstance(core, exp.Count) and not distinct:
        counted = exp.Sum(this=_counted(core.this, asked))
        filled = exp.Coalesce(this=_filtered(counted, condition), expressions=[exp.Literal.number(0)])
        return exp.cast(filled, "bigint")
    if isinstance(core, exp.Avg) and not distinct:
        total = _filtered(exp.Sum(this=_summed(core.this, asked)), condition)
        count = _filtered(exp.Sum(this=_counted(core.this, asked)), condition)
        none = exp.Nullif(this=count, expression=exp.Literal.number(0))
        return exp.Div(this=exp.cast(total, "double"), expression=none)
    if isinstance(core, (exp.Min, exp.Max)):
        return _filtered(type(core)(this=_extreme(core, asked)), condition)
    raise UnsupportedError(
        f"{core.sql('postgres')} over a join with a data view is not supported",
        hint="Aggregate the data view in a sub-query first, then join.",
    )


def _filtered(aggregate: exp.Expr, condition: exp.Expr | None) -> exp.Expr:
    if condition is None:
        return aggregate
    return exp.Filter(this=aggregate, expression=exp.Where(this=condition.copy()))


def _summed(measured: exp.Expr, asked: _Groups) -> exp.Expr:
    """Return what is added up per joined group: sums of metrics, or values times events."""
    if not asked.reads_metric(measured):
        return _times(measured, asked.counts())
    if not _is_linear(measured, asked):
        raise UnsupportedError(
            f"SUM({measured.sql('postgres')}) over a join with a data view is not supported",
            hint="Aggregate the data view in a sub-query first, then join.",
        )

    def change(part: exp.Expr) -> exp.Expr | None:
        scan = asked.metric(part)
        if scan is None or not isinstance(part, exp.Column):
            return None
        for metric in metrics(scan.columns[part.name], scan.view):
            if not metric.additive:
                raise not_additive(metric.id)
        return asked.ask(part.table, part.name, _named(exp.Sum(this=scan.columns[part.name].copy()), "sum"))

    return replaced(measured, change)


def _times(value: exp.Expr, counts: Sequence[exp.Expr]) -> exp.Expr:
    product = guarded(value.copy())
    for count in counts:
        product = exp.Mul(this=product, expression=count)
    return product


def _is_linear(node: exp.Expr, asked: _Groups) -> bool:
    """Tell whether the sum of an expression follows from the sums of its metrics."""
    node = bare(node)
    if isinstance(node, exp.Column):
        return asked.metric(node) is not None
    if isinstance(node, _LINEAR_FUNCTIONS):
        return _is_linear(node.this, asked)
    if isinstance(node, (exp.Add, exp.Sub)):
        return _is_linear(node.this, asked) and _is_linear(node.expression, asked)
    if isinstance(node, (exp.Mul, exp.Div)):
        left, right = node.this, node.expression
        if isinstance(node, exp.Mul) and not asked.reads_metric(left):
            left, right = right, left
        return _is_linear(left, asked) and not asked.reads_metric(right)
    if isinstance(node, exp.Coalesce):
        return _is_linear(node.this, asked) and all(map(is_constant, node.expressions))
    if isinstance(node, (exp.Case, exp.If)):
        return _has_linear_branches(node, asked)
    return False


def _has_linear_branches(node: exp.Expr, asked: _Groups) -> bool:
    ifs = [node] if isinstance(node, exp.If) else node.args["ifs"]
    otherwise = node.args.get("false" if isinstance(node, exp.If) else "default")
    values = [branch.args["true"] for branch in ifs] + ([otherwise] if otherwise is not None else [])
    plain = not any(asked.reads_metric(branch.this) for branch in ifs)
    return plain and all(_is_nothing(value) or _is_linear(value, asked) for value in values)


def _is_nothing(node: exp.Expr) -> bool:
    node = bare(node)
    return isinstance(node, exp.Null) or node == exp.Literal.number(0)


def _counted(counted: exp.Expr, asked: _Groups) -> exp.Expr:
    """Return the number of joined events per joined group on which an expression is present."""
    counted = bare(counted)
    scan = asked.metric(counted)
    if scan is not None and isinstance(counted, exp.Column):
        for metric in metrics(scan.columns[counted.name], scan.view):
            if not metric.additive:
                raise not_additive(metric.id)
        inner = _named(exp.Count(this=scan.columns[counted.name].copy()), "count")
        return asked.ask(counted.table, counted.name, inner)
    product = _times(exp.Literal.number(1), asked.counts())
    if isinstance(counted, (exp.Star, exp.Literal)):
        return product
    present = exp.Not(this=exp.Is(this=guarded(counted.copy()), expression=exp.null()))
    if asked.reads_metric(counted):
        raise UnsupportedError(
            f"COUNT({counted.sql('postgres')}) over a join with a data view is not supported",
            hint="Count the metric itself, or aggregate the data view in a sub-query first.",
        )
    return exp.Case(ifs=[exp.If(this=present, true=product)])


def _extreme(core: exp.Expr, asked: _Groups) -> exp.Expr:
    inner = bare(core.this)
    scan = asked.metric(inner)
    if scan is None or not isinstance(inner, exp.Column):
        _refuse_metric(inner, asked)
        return inner.copy()
    name = "min" if isinstance(core, exp.Min) else "max"
    asked_for = _named(type(core)(this=scan.columns[inner.name].copy()), name)
    return asked.ask(inner.table, inner.name, asked_for)


def _by_keys(alias: str, rest: Block, asked: _Groups, planning: Planning) -> Rows:
    """Report a view by the columns that the rest of the statement reads of it."""
    scan = asked.scan(alias)
    if scan is None:
        raise AssertionError("only views are reported")
    partial = asked.partial.get(alias, {})
    names = [name for name in _read(rest, asked.joined, alias) if name not in partial]
    dimensions = [(name, scan.columns[name].copy()) for name in names]
    block = Block(
        outputs=(*dimensions, *partial.items()),
        terms=scan.terms,
        groups=tuple(meaning for _, meaning in dimensions),
        is_grouped=True,
    )
    return grouped(block, scan, planning)
