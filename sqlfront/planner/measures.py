"""What an aggregate over a view's metrics and dimensions asks of the report (docs/semantics.md)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import pyarrow as pa
from sqlglot import exp
from sqlglot.expressions import DType

from engine.dataview.components import PEOPLE, PERSON_ID
from engine.errors import UnsupportedError
from engine.report.request import Aggregate
from sqlfront.planner.builder import ReportBuilder, is_plain, zero_when_null
from sqlfront.planner.compat import extreme
from sqlfront.planner.terms import is_constant, metrics, refuse_aggregated, refuse_special
from sqlfront.problems import UnknownFunctionError
from sqlfront.trees import bare, conjuncts, guarded, queries

Terms = Sequence[exp.Expr]

_NUMBERS: Final = (
    DType.DOUBLE,
    DType.FLOAT,
    DType.DECIMAL,
    DType.BIGINT,
    DType.INT,
    DType.SMALLINT,
    DType.INT128,
)
_EXACT_FOR_WHOLE: Final = (DType.BIGINT, DType.INT, DType.SMALLINT, DType.INT128)


def measure(node: exp.Expr, builder: ReportBuilder) -> exp.Expr:
    """Return an aggregate as an expression over the answer's columns.

    Args:
        node: an aggregate function, perhaps with FILTER or WITHIN GROUP.

    Raises:
        UnsupportedError: it has no meaning for one of the metrics it names.
    """
    terms: tuple[exp.Expr, ...] = ()
    core = node
    while isinstance(core, exp.Filter):
        terms += conjuncts(core.expression.this)
        core = core.this
    handler = None if isinstance(core, exp.WithinGroup) else _HANDLERS.get(type(core))
    distinct = isinstance(core.this, exp.Distinct)
    if handler is None or (distinct and not isinstance(core, (exp.Count, exp.Min, exp.Max))):
        return builder.over_events(core, terms)
    return handler(core, terms, builder)


def _sum_of(core: exp.Expr, terms: Terms, builder: ReportBuilder) -> exp.Expr:
    return _sum(core.this, terms, builder)


def _sum(measured: exp.Expr, terms: Terms, builder: ReportBuilder) -> exp.Expr:
    """Return the sum of an expression: by metric, by branch of a CASE, or per event."""
    measured = bare(measured)
    refuse_special(measured, builder.view)
    if isinstance(measured, exp.Column) and metrics(measured, builder.view):
        return builder.value(metrics(measured, builder.view)[0], terms)
    if _is_number(measured):
        return _scaled(builder.events(terms), measured)
    if isinstance(measured, (exp.If, exp.Case)):
        return _sum_of_branches(measured, terms, builder)
    if isinstance(measured, exp.Coalesce) and _fills_with_zero(measured):
        return zero_when_null(_sum(measured.this, terms, builder))
    if isinstance(measured, exp.Cast) and _may_cast_after(measured, builder):
        return exp.cast(_sum(measured.this, terms, builder), measured.to)
    if isinstance(measured, exp.Column):
        _refuse_text(measured, builder)
    if is_plain(measured, builder.view):
        return builder.metric(Aggregate.VALUE, measured, terms)
    return _linear(measured, terms, builder)


def _refuse_text(dimension: exp.Column, builder: ReportBuilder) -> None:
    if not dimension.table and pa.types.is_string(builder.view.component(dimension.name).type):
        raise UnknownFunctionError(
            f'function sum(text) does not exist: "{dimension.name}" is a dimension',
            hint=f'Use COUNT(DISTINCT "{dimension.name}") or SUM of a metric.',
        )


def _is_number(node: exp.Expr) -> bool:
    node = node.this if isinstance(node, exp.Neg) else node
    return isinstance(node, exp.Literal) and not node.is_string


def _scaled(count: exp.Expr, number: exp.Expr) -> exp.Expr:
    return count if number == exp.Literal.number(1) else exp.Mul(this=count, expression=number.copy())


def _fills_with_zero(node: exp.Coalesce) -> bool:
    return len(node.expressions) == 1 and _is_zero(node.expressions[0])


def _is_zero(node: exp.Expr) -> bool:
    node = bare(node)
    if isinstance(node, exp.Cast):
        return _is_zero(node.this)
    return isinstance(node, exp.Literal) and not node.is_string and float(node.name) == 0


def _is_null(node: exp.Expr | None) -> bool:
    if node is None:
        return True
    node = bare(node)
    return isinstance(node, exp.Null) or (isinstance(node, exp.Cast) and _is_null(node.this))


def _may_cast_after(cast: exp.Cast, builder: ReportBuilder) -> bool:
    """A cast that loses nothing per event may as well be made on the sum."""
    named = metrics(cast.this, builder.view)
    if not named or not cast.to.is_type(*_NUMBERS):
        return False
    whole = all(str(metric.type) == "int64" for metric in named)
    return whole or not cast.to.is_type(*_EXACT_FOR_WHOLE)


def branches(node: exp.Expr) -> tuple[list[tuple[exp.Expr, exp.Expr]], exp.Expr | None]:
    """Return a CASE or IF as (condition, value) pairs that exclude each other, and the value otherwise."""
    pairs: list[tuple[exp.Expr, exp.Expr]] = []
    earlier: list[exp.Expr] = []
    for branch in [node] if isinstance(node, exp.If) else node.args["ifs"]:
        own: exp.Expr = branch.this
        if isinstance(node, exp.Case) and node.this is not None:
            own = exp.EQ(this=guarded(node.this.copy()), expression=guarded(own.copy()))
        whole = own.copy()
        for other in earlier:
            whole = exp.And(this=guarded(whole), expression=_not_true(other))
        pairs.append((whole, branch.args["true"]))
        earlier.append(own)
    otherwise = node.args.get("false" if isinstance(node, exp.If) else "default")
    if _is_null(otherwise):
        return pairs, None
    return pairs, otherwise


def _none_holds(pairs: Sequence[tuple[exp.Expr, exp.Expr]]) -> exp.Expr:
    whole: exp.Expr = _not_true(pairs[0][0])
    for condition, _ in pairs[1:]:
        whole = exp.And(this=whole, expression=_not_true(condition))
    return whole


def _not_true(condition: exp.Expr) -> exp.Expr:
    filled = exp.Coalesce(this=condition.copy(), expressions=[exp.false()])
    return exp.Not(this=filled)


def _sum_of_branches(node: exp.Expr, terms: Terms, builder: ReportBuilder) -> exp.Expr:
    pairs, otherwise = branches(node)
    cases = list(pairs)
    if otherwise is not None:
        cases.append((_none_holds(pairs), otherwise))
    zero = any(_is_zero(value) for _, value in cases)
    sums = [
        _sum(value, [*terms, *conjuncts(condition)], builder)
        for condition, value in cases
        if not _is_zero(value) and not _is_null(value)
    ]
    if not sums:
        return exp.Literal.number(0) if zero else exp.null()
    total = sums[0] if len(sums) == 1 else _added(sums)
    return zero_when_null(total) if zero else total


def _added(sums: Sequence[exp.Expr]) -> exp.Expr:
    """Add sums of which some may be NULL; NULL if all are."""
    total: exp.Expr = zero_when_null(sums[0])
    empty: exp.Expr = exp.Is(this=guarded(sums[0].copy()), expression=exp.null())
    for part in sums[1:]:
        total = exp.Add(this=total, expression=zero_when_null(part))
        empty = exp.And(this=empty, expression=exp.Is(this=guarded(part.copy()), expression=exp.null()))
    return exp.Case(ifs=[exp.If(this=exp.Not(this=exp.Paren(this=empty)), true=total)])


def _linear(measured: exp.Expr, terms: Terms, builder: ReportBuilder) -> exp.Expr:
    """Take an expression over attributed or distinct metrics apart, as far as it is linear."""
    if isinstance(measured, (exp.Add, exp.Sub)):
        left = _sum(measured.this, terms, builder)
        right = _sum(measured.expression, terms, builder)
        return type(measured)(this=guarded(left), expression=guarded(right))
    if isinstance(measured, exp.Neg):
        return exp.Neg(this=guarded(_sum(measured.this, terms, builder)))
    if isinstance(measured, (exp.Mul, exp.Div)) and is_constant(measured.expression):
        scaled = _sum(measured.this, terms, builder)
        return type(measured)(this=guarded(scaled), expression=guarded(measured.expression.copy()))
    if isinstance(measured, exp.Mul) and is_constant(measured.this):
        return exp.Mul(this=guarded(_sum(measured.expression, terms, builder)), expression=measured.this)
    name = next(m.id for m in metrics(measured, builder.view) if m.attributed or not m.additive)
    raise UnsupportedError(
        f'metric "{name}" cannot be part of this expression inside SUM: it has no value per event',
        hint=f'Compute outside of the sum, such as SUM("{name}") / SUM("other").',
    )


def _count_of(core: exp.Expr, terms: Terms, builder: ReportBuilder) -> exp.Expr:
    if isinstance(core.this, exp.Distinct):
        counted = core.this.expressions
        if len(counted) == 1 and not isinstance(bare(counted[0]), exp.Tuple):
            return _count_distinct(bare(counted[0]), core, terms, builder)
        return builder.over_events(core, terms)
    return _count(core.this, terms, builder)


def _count(counted: exp.Expr, terms: Terms, builder: ReportBuilder) -> exp.Expr:
    counted = bare(counted)
    refuse_special(counted, builder.view)
    if isinstance(counted, exp.Star) or (is_constant(counted) and not any(queries(counted))):
        return exp.Literal.number(0) if _is_null(counted) else builder.events(terms)
    if isinstance(counted, (exp.Case, exp.If)):
        pairs, otherwise = branches(counted)
        if len(pairs) == 1 and otherwise is None:
            condition, value = pairs[0]
            return _count(value, [*terms, *conjuncts(condition)], builder)
    refuse_aggregated(metrics(counted, builder.view), "COUNT")
    return zero_when_null(builder.metric(Aggregate.COUNT, counted, terms))


def _count_distinct(counted: exp.Expr, core: exp.Expr, terms: Terms, builder: ReportBuilder) -> exp.Expr:
    if isinstance(counted, (exp.Case, exp.If)):
        pairs, otherwise = branches(counted)
        if len(pairs) == 1 and otherwise is None:
            condition, value = pairs[0]
            return _count_distinct(bare(value), core, [*terms, *conjuncts(condition)], builder)
    if isinstance(counted, exp.Column) and not counted.table and counted.name == PERSON_ID:
        return zero_when_null(builder.value(builder.view.components[PEOPLE], terms))
    if metrics(counted, builder.view) or is_constant(counted):
        return builder.over_events(exp.Count(this=exp.Distinct(expressions=[counted.copy()])), terms)
    return zero_when_null(builder.metric(Aggregate.DISTINCT, counted, terms))


def _approximate(core: exp.Expr, terms: Terms, builder: ReportBuilder) -> exp.Expr:
    return _count_distinct(bare(core.this), core, terms, builder)


def _average_of(core: exp.Expr, terms: Terms, builder: ReportBuilder) -> exp.Expr:
    refuse_aggregated(metrics(core.this, builder.view), "AVG")
    if not metrics(core.this, builder.view):
        return builder.over_events(core, terms)
    total = _sum(core.this, terms, builder)
    count = exp.Nullif(this=_count(core.this, terms, builder), expression=exp.Literal.number(0))
    return exp.Div(this=exp.cast(total, "double"), expression=count)


def _extreme(aggregate: Aggregate) -> Callable[[exp.Expr, Terms, ReportBuilder], exp.Expr]:
    def handler(core: exp.Expr, terms: Terms, builder: ReportBuilder) -> exp.Expr:
        inner = core.this.expressions[0] if isinstance(core.this, exp.Distinct) else core.this
        refuse_aggregated(metrics(inner, builder.view), core.key.upper())
        known = extreme(core, inner, builder.view) if builder.planning.compat else None
        if known is not None:
            return known
        if is_constant(inner) or core.expressions:
            return builder.over_events(core, terms)
        return builder.metric(aggregate, bare(inner), terms)

    return handler


_HANDLERS: Final[dict[type[exp.Expr], Callable[[exp.Expr, Terms, ReportBuilder], exp.Expr]]] = {
    exp.Sum: _sum_of,
    exp.Count: _count_of,
    exp.ApproxDistinct: _approximate,
    exp.Avg: _average_of,
    exp.Min: _extreme(Aggregate.MINIMUM),
    exp.Max: _extreme(Aggregate.MAXIMUM),
}
