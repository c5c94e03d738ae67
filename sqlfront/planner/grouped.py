"""A SELECT that groups over one view: one report (or a few), and the rest of it over the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from sqlglot import exp

from sqlfront.planner.block import Block, assembled
from sqlfront.planner.builder import ReportBuilder
from sqlfront.planner.context import Planning
from sqlfront.planner.lookups import joinable, pinned_in
from sqlfront.planner.measures import measure
from sqlfront.planner.naming import told_apart
from sqlfront.planner.relations import Lookup, Rows, Scan
from sqlfront.planner.terms import is_constant, metrics, refuse_metrics, refuse_pinned, refuse_special
from sqlfront.problems import GroupingError
from sqlfront.safety import is_aggregate
from sqlfront.trees import columns, key, own, replaced


def grouped(block: Block, scan: Scan, planning: Planning) -> Rows:
    """Plan a block that groups over a scan.

    Args:
        block: over the scan's components and lookups; its terms include the scan's.

    Raises:
        GroupingError: a column is neither grouped nor aggregated.
        UnsupportedError: a metric is grouped, filtered, or aggregated without meaning.
    """
    for group in block.groups:
        refuse_metrics(group, scan.view, "GROUP BY")
        refuse_special(group, scan.view)
    for part in (part for node in block.expressions() for part in own(node) if is_aggregate(part)):
        refuse_pinned(pinned_in(part, scan.lookups))
    if block.sets is not None:
        return _by_sets(block, scan, planning)
    groups = list({key(group): group for group in block.groups if not is_constant(group)}.values())
    joined = _joined_to_answer(block, scan, groups)
    aliases = {lookup.alias for lookup in joined}
    own_groups = [g for g in groups if not (_tables(g) and _tables(g) <= aliases)]
    builder = ReportBuilder(planning, scan, own_groups, joined)
    where = builder.read(block.terms)
    rest = replace(block, terms=(), groups=())
    answer = rest.mapped(lambda node: over_answer(node, builder))
    where += answer.having
    if block.groups and not groups:
        where.append(exp.GT(this=builder.events(()), expression=exp.Literal.number(0)))
    query = assembled(answer, builder.source(), where)
    return Rows(query, block.names, unique=_unique(block, groups))


def _tables(node: exp.Expr) -> set[str]:
    return {c.table for c in columns(node)}


def _joined_to_answer(block: Block, scan: Scan, groups: Sequence[exp.Expr]) -> tuple[Lookup, ...]:
    """Lookups whose keys are grouped filter and widen the answer's rows, like terms on groups do."""
    aggregated = {
        c.table
        for node in block.expressions()
        for part in own(node)
        if is_aggregate(part)
        for c in columns(part)
    }
    grouped = set(map(key, groups))
    beside = {
        alias
        for term in block.terms
        if any(not c.table and c not in grouped for c in columns(term))
        for alias in _tables(term)
    }
    found = joinable(scan.lookups, grouped)
    return tuple(lookup for lookup in found if lookup.alias not in aggregated | beside)


def over_answer(node: exp.Expr, builder: ReportBuilder) -> exp.Expr:
    """Return an expression over components as one over the answer's columns."""

    def change(part: exp.Expr) -> exp.Expr | None:
        found = builder.group(part)
        if found is not None:
            return found
        if isinstance(part, exp.Window):
            return _window(part, builder)
        if isinstance(part, (exp.Filter, exp.WithinGroup)) or is_aggregate(part):
            return measure(part, builder)
        if isinstance(part, exp.Column):
            return _bare_column(part, builder)
        return None

    return replaced(node, change)


def _window(window: exp.Window, builder: ReportBuilder) -> exp.Expr:
    """The window's own function works on the answer's rows; what it reads is measured."""
    whole = window.copy()
    function = whole.this
    if isinstance(function, exp.Filter):
        function.set("expression", over_answer(function.expression, builder))
        function = function.this
    for part, value in list(function.args.items()):
        function.set(part, _each(value, builder))
    for part in ("partition_by", "order", "spec"):
        whole.set(part, _each(whole.args.get(part), builder))
    return whole


def _each(value: object, builder: ReportBuilder) -> object:
    if isinstance(value, exp.Expr):
        return over_answer(value, builder)
    if isinstance(value, list):
        return [_each(item, builder) for item in value]
    return value


def _bare_column(part: exp.Column, builder: ReportBuilder) -> exp.Expr:
    if part.table and builder.is_joined(part):
        return part
    found = [] if part.table else metrics(part, builder.view)
    if found:
        return builder.value(found[0], ())
    raise GroupingError(
        f'column "{part.name}" must appear in the GROUP BY clause or be used in an aggregate function',
        hint=f'Add "{part.name}" to GROUP BY.',
    )


def _unique(block: Block, groups: Sequence[exp.Expr]) -> frozenset[frozenset[str]]:
    """The groups, if all of them are put out."""
    shown = {key(output): name.lower() for name, output in reversed(block.outputs)}
    if not groups or any(key(group) not in shown for group in groups):
        return frozenset()
    return frozenset({frozenset(shown[key(group)] for group in groups)})


def _by_sets(block: Block, scan: Scan, planning: Planning) -> Rows:
    """GROUPING SETS: one report each, one above the other."""
    hidden = tuple((f"_order_{at}", part.this) for at, part in enumerate(block.order))
    unique = zip(told_apart(block.names), (output for _, output in block.outputs), strict=True)
    wide = replace(block, outputs=(*unique, *hidden), order=(), limit=None, offset=None, distinct=None)
    union: exp.Expr | None = None
    for kept in block.sets or ():
        part = replace(
            wide.mapped(partial(_without, groups=block.groups, kept=kept)),
            terms=block.terms,
            groups=kept,
            sets=None,
        )
        query = grouped(part, scan, planning).query
        union = query if union is None else exp.Union(this=union, expression=query, distinct=False)
    if union is None:
        raise AssertionError("GROUPING SETS without a set")
    return Rows(_ordered_union(union, block), block.names)


def _without(node: exp.Expr, groups: Sequence[exp.Expr], kept: Sequence[exp.Expr]) -> exp.Expr:
    """Put NULL in the place of groups that a grouping set leaves out, and answer GROUPING()."""
    present = {key(group) for group in kept}
    missing = {key(group) for group in groups} - present

    def change(part: exp.Expr) -> exp.Expr | None:
        if isinstance(part, exp.Grouping):
            bits = 0
            for argument in part.expressions:
                bits = bits * 2 + (key(argument) not in present)
            return exp.Literal.number(bits)
        if is_aggregate(part):
            return part
        return exp.null() if key(part) in missing else None

    return replaced(node, change)


def _ordered_union(union: exp.Expr, block: Block) -> exp.Select:
    inner = told_apart(block.names)
    outputs = [exp.column(name, table="_sets", quoted=True) for name in inner]
    order = []
    for at, part in enumerate(block.order):
        ordered = part.copy()
        ordered.set("this", exp.column(f"_order_{at}", table="_sets", quoted=True))
        order.append(ordered)
    outer = Block(
        tuple(zip(block.names, outputs, strict=True)),
        order=tuple(order),
        distinct=block.distinct,
        limit=block.limit,
        offset=block.offset,
    )
    alias = exp.TableAlias(this=exp.to_identifier("_sets", quoted=True))
    return assembled(outer, exp.Select().from_(exp.Subquery(this=union, alias=alias)))
