"""Gathers the columns of one grouped question: which reports it takes, and what each must measure.

Most questions are one report. A column whose own condition limits the time of an attributed metric is a
report of its own, since a range keeps earlier touches and a segment removes them; an aggregate that the
report engine does not know is computed by DuckDB over single events. All are joined on the groups.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from sqlglot import exp

from engine.dataview.components import EVENTS, Component, DataView
from engine.report.request import Aggregate, DimensionColumn, MetricColumn
from sqlfront.planner.compat import whole_range
from sqlfront.planner.conditions import Conditions, range_or_segment, read_terms
from sqlfront.planner.context import Planning
from sqlfront.planner.lookups import on_events
from sqlfront.planner.relations import Lookup, RangeTerm, Report, Scan
from sqlfront.planner.rowlevel import event_rows
from sqlfront.planner.terms import metrics, refuse_aggregated, refuse_elements, refuse_special
from sqlfront.trees import column, conjoin, expression, key, replaced


@dataclass
class Part:
    """One report of a question: its alias in the rest of the statement, and what it measures."""

    alias: str
    range: tuple[RangeTerm, ...] = ()
    metrics: dict[tuple[object, ...], MetricColumn] = field(default_factory=dict)


class ReportBuilder:
    """Collects dimensions and metrics of one grouped question over a scan.

    Args:
        scan: what is asked; its terms are left to ``terms``.
        groups: grouped expressions over components and lookup columns.
        joined: lookups that are joined to the answer, as their keys are grouped.
    """

    def __init__(
        self,
        planning: Planning,
        scan: Scan,
        groups: Sequence[exp.Expr],
        joined: Sequence[Lookup] = (),
    ) -> None:
        self.planning = planning
        self.view: DataView = scan.view
        self._lookups = tuple(lookup for lookup in scan.lookups if lookup not in joined)
        self._joined = tuple(joined)
        self._conditions = Conditions()
        self._names: set[str] = set()
        self._groups = {key(group).copy(): self._dimension(group) for group in groups}
        self._kinds = {type(group) for group in self._groups}
        self._base = Part("report")
        self._parts: dict[object, Part] = {(): self._base}
        self._rows: dict[exp.Expr, tuple[str, exp.Expr]] = {}

    def _dimension(self, group: exp.Expr) -> DimensionColumn:
        refuse_special(group, self.view)
        return DimensionColumn(self._name(group, "group"), expression(group.copy()))

    def _name(self, node: exp.Expr, otherwise: str) -> str:
        wanted = node.name if isinstance(node, exp.Column) else otherwise
        name, number = wanted, 1
        while name.lower() in self._names:
            number += 1
            name = f"{wanted}_{number}"
        self._names.add(name.lower())
        return name

    def group(self, node: exp.Expr) -> exp.Expr | None:
        """Return the answer's column for a grouped expression; None if it is not grouped."""
        if type(node) not in self._kinds:
            return None
        found = self._groups.get(key(node))
        return None if found is None else column(found.name, self._base.alias)

    def outside(self, node: exp.Expr) -> exp.Expr | None:
        """Return an expression over the answer's groups; None if it reads anything else."""
        missing: list[exp.Expr] = []

        def change(part: exp.Expr) -> exp.Expr | None:
            grouped = self.group(part)
            if grouped is None and isinstance(part, exp.Column) and not self.is_joined(part):
                missing.append(part)
            return grouped

        changed = replaced(node, change)
        return None if missing else changed

    def read(self, terms: Iterable[exp.Expr]) -> list[exp.Expr]:
        """Read the terms of WHERE; return those that filter the answer's rows, over its columns."""
        found = read_terms(terms, self.view, lambda term: self.outside(term) is not None)
        segment = tuple(on_events(term, self._lookups) for term in found.segment)
        window = whole_range(found, self.view) if self.planning.compat else found.range
        self._conditions = replace(found, range=window, segment=segment)
        filters = (self.outside(term) for term in found.filters)
        return [term for term in filters if term is not None]

    def is_joined(self, part: exp.Column) -> bool:
        """Tell whether a column belongs to a lookup that is joined to the answer."""
        return any(part.table == lookup.alias for lookup in self._joined)

    def value(self, metric: Component, terms: Sequence[exp.Expr]) -> exp.Expr:
        """Return a metric's value per group, where the terms hold."""
        return self.metric(Aggregate.VALUE, column(metric.id), terms)

    def events(self, terms: Sequence[exp.Expr]) -> exp.Expr:
        """Return the number of events per group, where the terms hold."""
        return zero_when_null(self.value(self.view.components[EVENTS], terms))

    def metric(self, aggregate: Aggregate, measured: exp.Expr, terms: Sequence[exp.Expr]) -> exp.Expr:
        """Return the answer's column for a measured expression under a condition of its own."""
        refuse_special(measured, self.view)
        named = metrics(measured, self.view)
        inside, around = self._split(terms)
        attributed = aggregate is Aggregate.VALUE and any(metric.attributed for metric in named)
        ranges: tuple[RangeTerm, ...] = ()
        if attributed:
            ranges, inside = range_or_segment(inside, self.view)
        part = self._part(ranges)
        found = column(self._measured(part, aggregate, measured, inside), part.alias)
        return found if not around else exp.Case(ifs=[exp.If(this=conjoin(around), true=found)])

    def _split(self, terms: Sequence[exp.Expr]) -> tuple[list[exp.Expr], list[exp.Expr]]:
        """Divide a column's own terms into those on events and those on the answer's groups."""
        inside: list[exp.Expr] = []
        around: list[exp.Expr] = []
        for term in terms:
            refuse_special(term, self.view)
            refuse_aggregated(metrics(term, self.view), "a condition on single events")
            outer = self.outside(term)
            if outer is not None:
                around.append(outer)
            else:
                inside.append(term)
        return inside, around

    def _part(self, ranges: tuple[RangeTerm, ...]) -> Part:
        if ranges not in self._parts:
            self._parts[ranges] = Part(f"report_{len(self._parts) + 1}", ranges)
        return self._parts[ranges]

    def _measured(
        self, part: Part, aggregate: Aggregate, measured: exp.Expr, inside: Sequence[exp.Expr]
    ) -> str:
        condition = conjoin(inside)
        identity = (aggregate, key(measured).copy(), None if condition is None else key(condition))
        if identity not in part.metrics:
            part.metrics[identity] = MetricColumn(
                self._name(measured, "metric"),
                aggregate,
                expression(measured.copy()),
                None if condition is None else expression(condition),
            )
        return part.metrics[identity].name

    def over_events(self, aggregate: exp.Expr, terms: Sequence[exp.Expr]) -> exp.Expr:
        """Return an aggregate that DuckDB computes over single events."""
        refuse_special(aggregate, self.view)
        refuse_aggregated(metrics(aggregate, self.view), "this aggregate")
        inside, around = self._split(terms)
        whole = aggregate.copy()
        if inside:
            whole = exp.Filter(this=whole, expression=exp.Where(this=conjoin(inside)))
        identity = key(whole).copy()
        if identity not in self._rows:
            self._rows[identity] = (self._name(whole, "aggregate"), whole)
        found = column(self._rows[identity][0], "events")
        return found if not around else exp.Case(ifs=[exp.If(this=conjoin(around), true=found)])

    def source(self) -> exp.Select:
        """Return a SELECT without outputs over the reports and lookups, joined on the groups."""
        source = exp.Select().from_(self._table(self._base))
        for part in list(self._parts.values())[1:]:
            source = self._beside(source, self._table(part), part.alias)
        if self._rows:
            source = self._beside(source, self._aggregated_events(), "events")
        for lookup in self._joined:
            keys = [
                exp.EQ(this=self.outside(mine), expression=column(theirs, lookup.alias))
                for mine, theirs in lookup.keys
            ]
            table = exp.Subquery(this=lookup.query.copy(), alias=_alias(lookup.alias))
            kind = "LEFT" if lookup.outer else "INNER"
            source = source.join(table, on=conjoin(keys), join_type=kind)
        return source

    def _beside(self, source: exp.Select, table: exp.Expr, alias: str) -> exp.Select:
        same = [
            exp.NullSafeEQ(this=column(group.name, self._base.alias), expression=column(group.name, alias))
            for group in self._groups.values()
        ]
        return source.join(table, on=conjoin(same) or exp.true(), join_type="LEFT")

    def _report(self, part: Part) -> Report:
        return Report(
            view=self.view,
            view_name=self.view.name,
            dimensions=tuple(self._groups.values()),
            metrics=tuple(part.metrics.values()),
            range=self._conditions.range + part.range,
            constants=self._conditions.constants,
            segment=self._conditions.segment,
            chosen=self._conditions.chosen,
            lookups=self._lookups,
            readings=self._conditions.readings,
        )

    def _table(self, part: Part) -> exp.Expr:
        if not part.metrics and not self._groups:
            self.events(())
        table = self.planning.ask(self._report(part))
        return exp.Table(this=exp.to_identifier(table, quoted=True), alias=_alias(part.alias))

    def _aggregated_events(self) -> exp.Expr:
        """Group single events by the same expressions, in DuckDB."""
        wanted = [whole for _, whole in self._rows.values()]
        groups = list(self._groups.values())
        report = replace(self._report(Part("events")), dimensions=(), metrics=())
        needed = [*wanted, *(group.expression for group in groups)]
        refuse_elements(needed, report.view)
        rows = event_rows(report, needed, self.planning)
        outputs = [exp.alias_(rows.over(group.expression), group.name, quoted=True) for group in groups] + [
            exp.alias_(rows.over(whole), name, quoted=True) for name, whole in self._rows.values()
        ]
        select = exp.select(*outputs).from_(rows.table)
        ordinals = [exp.Literal.number(at + 1) for at in range(len(groups))]
        return exp.Subquery(this=select.group_by(*ordinals), alias=_alias("events"))


def _alias(name: str) -> exp.TableAlias:
    return exp.TableAlias(this=exp.to_identifier(name, quoted=True))


def zero_when_null(node: exp.Expr) -> exp.Expr:
    """Return ``COALESCE(node, 0)``."""
    return exp.Coalesce(this=node, expressions=[exp.Literal.number(0)])


def is_plain(node: exp.Expr, view: DataView) -> bool:
    """Tell whether an expression can be evaluated per event and then added up."""
    return all(metric.additive and not metric.attributed for metric in metrics(node, view))
