"""One SELECT with every name resolved: what it puts out, keeps, groups, orders and cuts off."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from engine.errors import UnknownColumnError
from sqlfront.planner.scope import Scope
from sqlfront.planner.ties import ranked
from sqlfront.problems import GroupingError
from sqlfront.safety import is_aggregate
from sqlfront.trees import bare, conjuncts, guarded, is_query, own, replaced

Change = Callable[[exp.Expr], exp.Expr]


@dataclass(frozen=True)
class Block:
    """A resolved SELECT without its FROM.

    Attributes:
        outputs: name → expression, in order; names may repeat.
        terms: ANDed terms of WHERE.
        groups: GROUP BY; None where the statement groups by nothing.
        sets: grouping sets, each a tuple of the groups it keeps; None for a plain GROUP BY.
        is_grouped: rows are groups: there is a GROUP BY, a HAVING or an aggregate.
    """

    outputs: tuple[tuple[str, exp.Expr], ...]
    terms: tuple[exp.Expr, ...] = ()
    groups: tuple[exp.Expr, ...] = ()
    sets: tuple[tuple[exp.Expr, ...], ...] | None = None
    is_grouped: bool = False
    having: tuple[exp.Expr, ...] = ()
    order: tuple[exp.Expr, ...] = ()
    distinct: exp.Expr | None = None
    windows: tuple[exp.Expr, ...] = ()
    limit: exp.Expr | None = None
    offset: exp.Expr | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the outputs."""
        return tuple(name for name, _ in self.outputs)

    def expressions(self) -> Iterator[exp.Expr]:
        """All expressions that are evaluated, those of WHERE and GROUP BY excepted."""
        yield from (output for _, output in self.outputs)
        yield from self.having
        yield from self.order
        yield from self.windows
        if self.distinct is not None:
            yield self.distinct

    def mapped(self, change: Change) -> Block:
        """Return the block with every expression changed."""

        def each(found: Sequence[exp.Expr]) -> tuple[exp.Expr, ...]:
            return tuple(change(part) for part in found)

        return replace(
            self,
            outputs=tuple((name, change(output)) for name, output in self.outputs),
            terms=each(self.terms),
            groups=each(self.groups),
            sets=None if self.sets is None else tuple(each(kept) for kept in self.sets),
            having=each(self.having),
            order=each(self.order),
            windows=each(self.windows),
            distinct=None if self.distinct is None else change(self.distinct),
        )


def assembled(block: Block, source: exp.Select, where: Sequence[exp.Expr] = ()) -> exp.Select:
    """Return a block as a SELECT, without grouping.

    Args:
        source: a SELECT without outputs, which gives FROM and joins.
        where: the terms to keep rows by, over the source.
    """
    outputs = [exp.alias_(output, name, quoted=True) for name, output in block.outputs]
    select = source.copy().select(*outputs, append=False, copy=False)
    for term in where:
        select = select.where(guarded(term), copy=False)
    if block.order:
        select.set("order", exp.Order(expressions=[part.copy() for part in block.order]))
    for clause in ("distinct", "limit", "offset"):
        select.set(clause, getattr(block, clause))
    if block.windows:
        select.set("windows", [window.copy() for window in block.windows])
    return ranked(select, block.order)


class Binder:
    """Puts meanings in the place of names.

    Args:
        scope: the tables of FROM.
        nested: plans a query inside an expression and returns it as DuckDB will run it.
    """

    def __init__(self, scope: Scope, nested: Callable[[exp.Expr], exp.Expr]) -> None:
        self._scope = scope
        self._nested = nested

    def bind(self, node: exp.Expr, aliases: Mapping[str, exp.Expr] | None = None) -> exp.Expr:
        """Return an expression with every column replaced; ``aliases`` serve where no table does."""

        def change(part: exp.Expr) -> exp.Expr | None:
            if isinstance(part, exp.Column):
                return guarded(self._meaning(part, aliases or {}).copy())
            if isinstance(part, exp.Subquery):
                return exp.Subquery(this=self._nested(part))
            if is_query(part):
                return self._nested(part)
            return None

        bound = replaced(node, change)
        return bare(bound) if isinstance(node, exp.Column) else bound

    def _meaning(self, column: exp.Column, aliases: Mapping[str, exp.Expr]) -> exp.Expr:
        try:
            return self._scope.meaning(column)[1]
        except UnknownColumnError:
            found = None if column.table else aliases.get(column.name.lower())
            if found is None:
                raise
            return found

    def block(self, select: exp.Select) -> Block:
        """Resolve a SELECT over the binder's scope."""
        outputs = tuple(self._outputs(select))
        by_name = {name.lower(): output for name, output in reversed(outputs)}
        groups, sets = self._groups(select.args.get("group"), outputs, by_name)
        having = select.args.get("having")
        block = Block(
            outputs=outputs,
            terms=tuple(map(self.bind, conjuncts(_inner(select.args.get("where"))))),
            groups=groups,
            sets=sets,
            having=tuple(self.bind(term, by_name) for term in conjuncts(_inner(having))),
            order=tuple(self._order(select.args.get("order"), outputs, by_name)),
            distinct=self._distinct(select.args.get("distinct")),
            windows=tuple(map(self.bind, select.args.get("windows") or ())),
            limit=select.args.get("limit"),
            offset=select.args.get("offset"),
        )
        grouped = bool(groups or sets is not None or having) or any(map(aggregates, block.expressions()))
        return replace(block, is_grouped=grouped)

    def _outputs(self, select: exp.Select) -> Iterator[tuple[str, exp.Expr]]:
        for output in select.expressions:
            if isinstance(output, exp.Star):
                yield from self._scope.every()
            elif isinstance(output, exp.Column) and output.is_star:
                yield from self._scope.every(output.table)
            else:
                yield self._output(output)

    def _output(self, output: exp.Expr) -> tuple[str, exp.Expr]:
        inner = output.unalias()
        if isinstance(inner, exp.Column):
            spelling, meaning = self._scope.meaning(inner)
            has_alias = output.alias_or_name.lower() != inner.name.lower()
            return (output.alias_or_name if has_alias else spelling), meaning.copy()
        return output.alias_or_name, self.bind(inner)

    def _groups(
        self,
        group: exp.Expr | None,
        outputs: Sequence[tuple[str, exp.Expr]],
        by_name: Mapping[str, exp.Expr],
    ) -> tuple[tuple[exp.Expr, ...], tuple[tuple[exp.Expr, ...], ...] | None]:
        if group is None:
            return (), None

        def meaning(node: exp.Expr) -> exp.Expr:
            return _ordinal(node, outputs, "GROUP BY") or self.bind(node, by_name)

        if not any(isinstance(part, (exp.GroupingSets, exp.Rollup, exp.Cube)) for part in group.expressions):
            return tuple(part for node in group.expressions for part in map(meaning, _listed(node))), None
        sets: list[tuple[exp.Expr, ...]] = [()]
        for part in group.expressions:
            sets = [left + right for left in sets for right in grouping_sets(part, meaning)]
        every = {node: None for kept in sets for node in kept}
        return tuple(every), tuple(sets)

    def _order(
        self,
        order: exp.Expr | None,
        outputs: Sequence[tuple[str, exp.Expr]],
        by_name: Mapping[str, exp.Expr],
    ) -> Iterator[exp.Expr]:
        for ordered in [] if order is None else order.expressions:
            inner = bare(ordered.this)
            named = isinstance(inner, exp.Column) and not inner.table
            meaning = by_name.get(inner.name.lower()) if named else _ordinal(inner, outputs, "ORDER BY")
            bound = ordered.copy()
            bound.set("this", guarded(meaning.copy()) if meaning is not None else self.bind(inner, by_name))
            yield bound

    def _distinct(self, distinct: exp.Expr | None) -> exp.Expr | None:
        if distinct is None or distinct.args.get("on") is None:
            return distinct
        return exp.Distinct(on=self.bind(distinct.args["on"]))


def _inner(clause: exp.Expr | None) -> exp.Expr | None:
    return None if clause is None else clause.this


def _listed(node: exp.Expr) -> list[exp.Expr]:
    return list(node.expressions) if isinstance(node, exp.Tuple) else [node]


def _ordinal(node: exp.Expr, outputs: Sequence[tuple[str, exp.Expr]], clause: str) -> exp.Expr | None:
    node = bare(node)
    if not isinstance(node, exp.Literal) or node.is_string or not node.name.isdigit():
        return None
    position = int(node.name)
    if not 1 <= position <= len(outputs):
        raise GroupingError(f"{clause} position {position} is not in select list")
    return outputs[position - 1][1].copy()


def grouping_sets(part: exp.Expr, meaning: Callable[[exp.Expr], exp.Expr]) -> list[tuple[exp.Expr, ...]]:
    """Return the grouping sets that one item of GROUP BY stands for."""

    def members(node: exp.Expr) -> tuple[exp.Expr, ...]:
        return tuple(meaning(inner) for inner in _listed(bare(node)))

    units = [members(node) for node in part.expressions]
    if isinstance(part, exp.Rollup):
        return [sum(units[:length], ()) for length in range(len(units), -1, -1)]
    if isinstance(part, exp.Cube):
        chosen = range(2 ** len(units) - 1, -1, -1)
        return [sum((u for at, u in enumerate(units) if bits >> at & 1), ()) for bits in chosen]
    if isinstance(part, exp.GroupingSets):
        nested = (exp.Rollup, exp.Cube, exp.GroupingSets)
        return [
            kept
            for node in part.expressions
            for kept in (grouping_sets(node, meaning) if isinstance(node, nested) else [members(node)])
        ]
    return [members(part)]


def aggregates(node: exp.Expr) -> bool:
    """Tell whether an expression aggregates rows (a window function by itself does not)."""
    return any(is_aggregate(part) and not _is_windowed(part) for part in own(node))


def _is_windowed(node: exp.Expr) -> bool:
    parent = node.parent
    while isinstance(parent, (exp.Filter, exp.WithinGroup)) and parent.this is node:
        node, parent = parent, parent.parent
    return isinstance(parent, exp.Window) and parent.this is node


def has_window(block: Block) -> bool:
    """Tell whether a block calls a window function."""
    return any(isinstance(part, exp.Window) for node in block.expressions() for part in own(node))


def expands(block: Block) -> bool:
    """Tell whether an output puts out several rows per row (``unnest``)."""
    kinds = (exp.Unnest, exp.Explode, exp.ExplodingGenerateSeries)
    return any(isinstance(part, kinds) for _, node in block.outputs for part in own(node))
