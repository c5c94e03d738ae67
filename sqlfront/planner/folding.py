"""A planned report as a request, once parameters, the clock and sub-queries have their values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import pyarrow as pa
from sqlglot import exp
from sqlglot.expressions import DType

from engine.dataview.local_time import to_utc
from engine.definitions.model import SegmentDefinition
from engine.report.request import DimensionColumn, LookupJoin, MetricColumn, ReportRequest, TimeRange
from sqlfront.functions import is_now
from sqlfront.literals import literal
from sqlfront.planner.choices import resolved
from sqlfront.planner.context import DATASET, SYSTEM, TEMPORARY
from sqlfront.planner.relations import Lookup, RangeTerm, Report
from sqlfront.planner.timerange import CEILING, INSTANT
from sqlfront.trees import column, conjoin, conjuncts, expression, is_query, rewrite

_EPOCH: Final = datetime(1970, 1, 1)
_MICROSECOND: Final = timedelta(microseconds=1)
_LENGTHS: Final = {
    INSTANT: _MICROSECOND,
    "second": timedelta(seconds=1),
    "minute": timedelta(minutes=1),
    "5 minutes": timedelta(minutes=5),
    "15 minutes": timedelta(minutes=15),
    "30 minutes": timedelta(minutes=30),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
}
_MONTHS: Final = {"month": 1, "quarter": 3, "year": 12}
_WRITTEN: Final = re.compile(r"\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)?")
_MONDAY: Final = datetime(1970, 1, 5)

MOST_WRITTEN: Final = 1000
"""Rows of a result that are written out as literals; more go through a file."""

Answer = Callable[[exp.Expr], pa.Table]


@dataclass(frozen=True)
class Surroundings:
    """What a report needs to know when it is folded.

    Attributes:
        answer: runs a query over the reports that ran before, and datasets.
        stored: table that stands for what is stored → query over its rows, for the report engine.
        kept: table → query that yields its rows to the report engine.
        reports: names of report tables.
    """

    answer: Answer
    stored: Callable[[str], exp.Expr]
    kept: Callable[[pa.Table], exp.Query]
    reports: frozenset[str]


def folded(report: Report, around: Surroundings) -> ReportRequest | None:
    """Return the request that a report asks; None if it is known to be empty."""
    report = _with_constants(report, around)
    chosen = resolved(report.chosen, report.view, around.answer)
    window = _window(replace(report, range=report.range + chosen.range), around)
    if window is None or chosen.is_empty:
        return None
    lookups = tuple(_lookup(lookup, around) for lookup in report.lookups)
    return request(report, window, lookups, chosen.segments)


def request(
    report: Report,
    window: TimeRange,
    lookups: Sequence[LookupJoin],
    segments: Sequence[SegmentDefinition] = (),
) -> ReportRequest:
    """Return a report as a request with a known range and the saved segments that it chooses."""
    segment = conjoin(report.segment)
    return ReportRequest(
        view=report.view_name,
        dimensions=report.dimensions,
        metrics=report.metrics,
        range=window,
        segment=None if segment is None else expression(segment),
        segments=tuple(segments),
        lookups=tuple(lookups),
        row_level=report.row_level,
    )


def mapped(report: Report, change: Callable[[exp.Expr], exp.Expr]) -> Report:
    """Return a report with every expression that the engine evaluates changed."""
    return replace(
        report,
        dimensions=tuple(
            DimensionColumn(d.name, expression(change(d.expression))) for d in report.dimensions
        ),
        metrics=tuple(_changed(metric, change) for metric in report.metrics),
        segment=tuple(map(change, report.segment)),
        range=tuple(replace(term, bound=change(term.bound)) for term in report.range),
        constants=tuple(map(change, report.constants)),
        chosen=tuple(replace(choice, values=tuple(map(change, choice.values))) for choice in report.chosen),
        lookups=tuple(
            replace(
                lookup,
                query=change(lookup.query),
                keys=tuple((change(mine), theirs) for mine, theirs in lookup.keys),
            )
            for lookup in report.lookups
        ),
    )


def _changed(metric: MetricColumn, change: Callable[[exp.Expr], exp.Expr]) -> MetricColumn:
    condition = None if metric.condition is None else expression(change(metric.condition))
    return replace(metric, expression=expression(change(metric.expression)), condition=condition)


def _with_constants(report: Report, around: Surroundings) -> Report:
    """Replace the clock and sub-queries in what the report engine evaluates by their values."""

    def change(node: exp.Expr) -> exp.Expr:
        return rewrite(node.copy(), lambda part: _constant(part, around))

    changed = mapped(replace(report, range=(), constants=(), lookups=()), change)
    return replace(changed, range=report.range, constants=report.constants, lookups=report.lookups)


def _constant(part: exp.Expr, around: Surroundings) -> exp.Expr | None:
    if isinstance(part, exp.In) and part.args.get("query") is not None:
        inner = rewrite(part.this, lambda node: _constant(node, around))
        return _one_of(inner, around.answer(part.args["query"]), around)
    if isinstance(part, exp.Any) and is_query(part.this):
        return exp.Any(this=exp.Paren(this=_listed(around.answer(part.this))))
    in_zone = isinstance(part, exp.AtTimeZone) and part.find(exp.Column) is None
    if isinstance(part, exp.Exists) or in_zone or is_query(part) or is_now(part):
        table = around.answer(exp.select(exp.alias_(part.copy(), "value")))
        return literal(table.column(0)[0].as_py(), table.schema.field(0).type)
    return None


def _values(table: pa.Table) -> list[exp.Expr]:
    kind = table.schema.field(0).type
    return [literal(value, kind) for value in table.column(0).to_pylist()]


def _tuples(table: pa.Table) -> list[exp.Expr]:
    columns = [
        [literal(value, field.type) for value in column.to_pylist()]
        for field, column in zip(table.schema, table.columns, strict=True)
    ]
    return [exp.Tuple(expressions=list(row)) for row in zip(*columns, strict=True)]


def _one_of(value: exp.Expr, table: pa.Table, around: Surroundings) -> exp.Expr:
    """Return a test for membership: short lists are written out."""
    if table.num_rows > MOST_WRITTEN:
        names = [f"value_{at}" for at in range(table.num_columns)]
        kept = around.kept(table.rename_columns(names))
        query = exp.select(*(column(name, "kept") for name in names)).from_(kept.subquery("kept"))
        return exp.In(this=value, query=exp.Subquery(this=query))
    values = _values(table) if table.num_columns == 1 else _tuples(table)
    return exp.In(this=value, expressions=values) if values else exp.false()


def _listed(table: pa.Table) -> exp.Expr:
    return exp.Array(expressions=_values(table))


def _window(report: Report, around: Surroundings) -> TimeRange | None:
    """Return the narrowest range, or None if it or a constant condition leaves nothing."""
    bounds = [exp.func("epoch_us", exp.cast(t.bound, "timestamp"), dialect="duckdb") for t in report.range]
    outputs = [*report.constants, *bounds]
    found = [_read(term.bound) for term in report.range]
    if report.constants or None in found:
        named = [exp.alias_(node.copy(), f"c{at}") for at, node in enumerate(outputs)]
        values = [column[0].as_py() for column in around.answer(exp.select(*named)).columns]
        if not all(values[: len(report.constants)]) or None in values:
            return None
        found = values[len(report.constants) :]
    times = [micros for micros in found if micros is not None]
    return _narrowest(report.range, times, report.view.definition.time_zone)


def _read(bound: exp.Expr) -> int | None:
    """Read a bound that is written out, sparing DuckDB the work; None for all others."""
    text = (
        bound.this if isinstance(bound, exp.Cast) and bound.to.is_type(DType.DATE, DType.TIMESTAMP) else bound
    )
    if not (isinstance(text, exp.Literal) and text.is_string and _WRITTEN.fullmatch(text.name)):
        return None
    try:
        moment = datetime.fromisoformat(text.name)
    except ValueError:
        return None
    dated = isinstance(bound, exp.Cast) and bound.to.is_type(DType.DATE)
    return ((period_start(moment, "day") if dated else moment) - _EPOCH) // _MICROSECOND


def _narrowest(terms: Sequence[RangeTerm], times: Sequence[int], zone: str) -> TimeRange | None:
    starts: list[int] = []
    ends: list[int] = []
    for term, micros in zip(terms, times, strict=True):
        moment = _moved(micros, term.steps)
        if moment is not None:
            (starts if term.is_start else ends).append(to_utc(moment, zone))
        elif term.is_start == (micros > 0):
            return None
    start, end = max(starts, default=None), min(ends, default=None)
    if start is not None and end is not None and start >= end:
        return None
    return TimeRange(start, end)


def _moved(micros: int, steps: Iterable[tuple[str, str]]) -> datetime | None:
    """Return a bound moved to periods; None beyond the years 1 to 9999."""
    try:
        moment = _EPOCH + micros * _MICROSECOND
        for period, how in steps:
            start = period_start(moment, period)
            if how != CEILING or start != moment:
                moment = next_period(start, period)
        return moment
    except OverflowError:
        return None


def period_start(moment: datetime, period: str) -> datetime:
    """Return the start of the period that a moment lies in."""
    if period in _MONTHS:
        months = moment.month - 1 - (moment.month - 1) % _MONTHS[period]
        return datetime(moment.year, months + 1, 1)
    return moment - (moment - _MONDAY) % _LENGTHS[period]


def next_period(start: datetime, period: str) -> datetime:
    """Return the start of the period after the one that begins at ``start``."""
    if period not in _MONTHS:
        return start + _LENGTHS[period]
    months = start.month - 1 + _MONTHS[period]
    if start.year + months // 12 > 9999:
        raise OverflowError("beyond the year 9999")
    return datetime(start.year + months // 12, months % 12 + 1, 1)


def _lookup(lookup: Lookup, around: Surroundings) -> LookupJoin:
    reads_reports = any(t.name in around.reports for t in lookup.query.find_all(exp.Table))
    if reads_reports:
        relation: exp.Expr = around.kept(around.answer(lookup.query))
    else:
        relation = with_stored(lookup.query, around.stored)
    return joined(lookup, relation)


def joined(lookup: Lookup, relation: exp.Expr) -> LookupJoin:
    """Return a lookup as the engine takes it, over a relation that needs nothing else."""
    keys = [exp.EQ(this=mine.copy(), expression=column(name, lookup.alias)) for mine, name in lookup.keys]
    condition = conjoin(keys) or exp.true()
    if isinstance(relation, exp.Subquery):
        relation = relation.unnest()
    if not isinstance(relation, exp.Query):
        relation = exp.select(exp.Star()).from_(relation)
    return LookupJoin(lookup.alias, relation, expression(condition), lookup.outer)


def with_stored(tree: exp.Expr, stored: Callable[[str], exp.Expr]) -> exp.Expr:
    """Return a query with the tables that stand for what is stored replaced by queries over its rows."""

    def change(part: exp.Expr) -> exp.Expr | None:
        if not (isinstance(part, exp.Table) and part.name.startswith((DATASET, SYSTEM, TEMPORARY))):
            return None
        query = stored(part.name).copy()
        return exp.Subquery(this=query, alias=part.args.get("alias"))

    return rewrite(tree.copy(), change, into_queries=True)


def idle_tables(query: exp.Expr, tables: Iterable[str]) -> frozenset[str]:
    """Return the tables whose rows cannot reach the answer: below LIMIT 0 or a false condition."""
    needed: set[str] = set()
    for node in query.walk(prune=_shows_nothing):
        if isinstance(node, exp.Table):
            needed.add(node.name)
    return frozenset(tables) - needed


def _shows_nothing(node: exp.Expr) -> bool:
    if not isinstance(node, exp.Query):
        return False
    limit, where = node.args.get("limit"), node.args.get("where")
    if isinstance(limit, exp.Limit) and limit.expression == exp.Literal.number(0):
        return True
    return where is not None and any(map(_is_false, conjuncts(where.this)))


def _is_false(term: exp.Expr) -> bool:
    if isinstance(term, exp.Boolean):
        return not term.this
    if isinstance(term, exp.EQ) and isinstance(term.this, exp.Literal):
        other = term.expression
        return isinstance(other, exp.Literal) and other != term.this
    return False
