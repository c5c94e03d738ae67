"""Aggregates over joined events as aggregates over joined groups: what each view must report for that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlglot import exp

from engine.dataview.components import EVENTS
from engine.errors import UnsupportedError
from sqlfront.planner.relations import Joined, Scan
from sqlfront.planner.terms import is_constant, metrics, not_additive
from sqlfront.trees import bare, column, columns, guarded, replaced

_LINEAR_FUNCTIONS = (exp.Paren, exp.Cast, exp.Neg)


@dataclass
class JoinedGroups:
    """What is asked of the views of a grouped join.

    Attributes:
        joined: the join.
        partial: source → column → aggregate that the view reports beside its groups.
    """

    joined: Joined
    partial: dict[str, dict[str, exp.Expr]] = field(default_factory=dict)

    def scan(self, alias: str) -> Scan | None:
        """Return the view under an alias; None if it is something else."""
        relation = next(s.relation for s in self.joined.sources if s.alias == alias)
        return relation if isinstance(relation, Scan) else None

    def metric(self, node: exp.Expr) -> Scan | None:
        """Return the scan of a column that is a metric, else None."""
        if not isinstance(node, exp.Column):
            return None
        scan = self.scan(node.table)
        return scan if scan is not None and metrics(scan.columns[node.name], scan.view) else None

    def reads_metric(self, node: exp.Expr) -> bool:
        """Tell whether an expression reads a metric."""
        return any(self.metric(c) is not None for c in columns(node))

    def ask(self, alias: str, name: str, aggregate: exp.Expr) -> exp.Column:
        """Have a view report an aggregate beside its groups; return the column."""
        partial = self.partial.setdefault(alias, {})
        taken = next((known for known, asked in partial.items() if asked == aggregate), None)
        if taken is None:
            taken = f"_{name}_{len(partial) + 1}"
            partial[taken] = aggregate
        return column(taken, alias)

    def summed(self) -> list[str]:
        """Return the sources of which metrics are added up or counted."""
        return [
            alias
            for alias, partial in self.partial.items()
            if any(
                isinstance(asked, (exp.Sum, exp.Count)) and not asked.this.is_star
                for asked in partial.values()
            )
        ]

    def counts(self) -> list[exp.Expr]:
        """Return each view's number of events per group; 1 where an outer join found none."""
        return [
            exp.Coalesce(
                this=self.ask(source.alias, EVENTS, exp.Count(this=exp.Star())),
                expressions=[exp.Literal.number(1)],
            )
            for source in self.joined.sources
            if isinstance(source.relation, Scan)
        ]


def refuse_metric(node: exp.Expr, asked: JoinedGroups) -> None:
    """Raise if an expression that groups, filters or joins reads a metric."""
    for part in columns(node):
        scan = asked.metric(part)
        if scan is not None:
            raise UnsupportedError(
                f'metric "{part.name}" is grouped, filtered or joined on',
                hint="Aggregate it, and filter the result with HAVING or around a sub-query.",
            )


def partial_aggregate(core: exp.Expr, condition: exp.Expr | None, asked: JoinedGroups) -> exp.Expr:
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


def _summed(measured: exp.Expr, asked: JoinedGroups) -> exp.Expr:
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
        return asked.ask(part.table, part.name, exp.Sum(this=scan.columns[part.name].copy()))

    return replaced(measured, change)


def _times(value: exp.Expr, counts: Sequence[exp.Expr]) -> exp.Expr:
    product = guarded(value.copy())
    for count in counts:
        product = exp.Mul(this=product, expression=count)
    return product


def _is_linear(node: exp.Expr, asked: JoinedGroups) -> bool:
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


def _has_linear_branches(node: exp.Expr, asked: JoinedGroups) -> bool:
    ifs = [node] if isinstance(node, exp.If) else node.args["ifs"]
    otherwise = node.args.get("false" if isinstance(node, exp.If) else "default")
    values = [branch.args["true"] for branch in ifs] + ([otherwise] if otherwise is not None else [])
    plain = not any(asked.reads_metric(branch.this) for branch in ifs)
    return plain and all(_is_nothing(value) or _is_linear(value, asked) for value in values)


def _is_nothing(node: exp.Expr) -> bool:
    node = bare(node)
    return isinstance(node, exp.Null) or node == exp.Literal.number(0)


def _counted(counted: exp.Expr, asked: JoinedGroups) -> exp.Expr:
    """Return the number of joined events per joined group on which an expression is present."""
    counted = bare(counted)
    scan = asked.metric(counted)
    if scan is not None and isinstance(counted, exp.Column):
        for metric in metrics(scan.columns[counted.name], scan.view):
            if not metric.additive:
                raise not_additive(metric.id)
        inner = exp.Count(this=scan.columns[counted.name].copy())
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


def _extreme(core: exp.Expr, asked: JoinedGroups) -> exp.Expr:
    inner = bare(core.this)
    scan = asked.metric(inner)
    if scan is None or not isinstance(inner, exp.Column):
        refuse_metric(inner, asked)
        return inner.copy()
    asked_for = type(core)(this=scan.columns[inner.name].copy())
    return asked.ask(inner.table, inner.name, asked_for)
