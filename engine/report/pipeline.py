"""The steps of a report in their order: what happens to a chunk of journeys until its partial results.

Persistence comes before segments, and segments before attribution (docs/semantics.md); this order is
written here and nowhere else. EXPLAIN shows the steps, EXPLAIN ANALYZE what each of them took.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import numpy as np
import pyarrow as pa

from engine.dataview.components import Component
from engine.dataview.segments import conditions
from engine.dataview.values import is_plain
from engine.report.aggregate import partial, used_in
from engine.report.algorithmic import LanePaths
from engine.report.columns import ids_behind, in_array
from engine.report.frame import Frame
from engine.report.keeping import is_deduplicated, persistence_of
from engine.report.lanes import lane_rows
from engine.report.plan import Lane, ReportPlan
from engine.report.rows import Opened
from engine.report.tally import tallied_dimension, tally
from engine.report.trace import Trace

Partial: TypeAlias = "pa.Table | LanePaths"
"""What a chunk adds to a lane: sums by group, or paths where all chunks decide how credit is split."""

Made: TypeAlias = "np.ndarray | pa.Array | Opened | LanePaths"
"""Something that a step made: it has rows and bytes."""


@dataclass(frozen=True)
class Aggregation:
    """How the rows of a lane become a partial result.

    Attributes:
        tallied: the text by which they are added up right away; None where the statement does it.
        statement: over the table ``rows``; empty where there is none.
    """

    lane: Lane
    tallied: Component | None
    statement: str


@dataclass
class Work:
    """One chunk on its way through the steps.

    Attributes:
        rows: for each lane, what is aggregated; None where it is added up without rows. Paths are sums.
        partials: for each lane, its partial result.
    """

    frame: Frame
    aggregations: Sequence[Aggregation]
    rows: list[Opened | LanePaths | None] = field(default_factory=list)
    partials: list[Partial] = field(default_factory=list)


@dataclass(frozen=True)
class Step:
    """One step over a chunk.

    Attributes:
        does: works on a chunk, and yields what it made.
    """

    name: str
    does: Callable[[Work], Iterator[Made]]


def aggregations(plan: ReportPlan) -> tuple[Aggregation, ...]:
    """Say for each lane of a plan how it is aggregated."""
    return tuple(_aggregation_of(plan, lane) for lane in plan.lanes)


def _aggregation_of(plan: ReportPlan, lane: Lane) -> Aggregation:
    tallied = tallied_dimension(plan, lane)
    return Aggregation(lane, tallied, "" if tallied else partial(plan, lane).sql("duckdb"))


def evaluated(frame: Frame, prepared: Sequence[Aggregation], trace: Trace) -> list[Partial]:
    """Take a chunk through all steps; return a partial result for each lane.

    Raises:
        CancelledError: the question was cancelled; checked before every step.
    """
    work = Work(frame, prepared)
    for step in STEPS:
        with trace.step(step.name) as made:
            for thing in step.does(work):
                made(thing)
                frame.statements.check()
    return work.partials


def _values(work: Work) -> Iterator[Made]:
    """Evaluate the components that have settings; the others are columns as they lie."""
    for component in _components(work):
        if component.source is not None and not is_plain(component):
            yield work.frame.own_values(component) if component.several else work.frame.raw(component)


def _sessions(work: Work) -> Iterator[Made]:
    if work.frame.plan.sessions:
        yield work.frame.starts


def _persistence(work: Work) -> Iterator[Made]:
    shown = persisted(work.frame.plan)
    for component in _components(work):
        if component.id in shown:
            yield _kept(work.frame, component)


def _kept(frame: Frame, component: Component) -> Made:
    """What a dimension keeps, where it has its values."""
    if component.keeps_all:
        return frame.so_far(component).counts
    return frame.shown(component) if component.array is None else frame.on_elements(component)


def _segments(work: Work) -> Iterator[Made]:
    chosen = work.frame.chosen
    if chosen is not None:
        yield chosen


def _deduplication(work: Work) -> Iterator[Made]:
    """Take duplicates away from metrics; what a segment of their lane leaves decides which they are."""
    for lane in (aggregation.lane for aggregation in work.aggregations):
        for component in map(work.frame.plan.view.component, sorted(used_in(work.frame.plan, lane))):
            if is_deduplicated(component):
                inside = in_array(component, lane.array)
                values = work.frame.on_elements if inside else work.frame.shown
                yield values(component, lane.segment)


def _attribution(work: Work) -> Iterator[Made]:
    """Find the rows of each lane: conversions beside their touches, events, elements."""
    for aggregation in work.aggregations:
        tallied = aggregation.tallied is not None
        rows = None if tallied else lane_rows(work.frame, aggregation.lane)
        work.rows.append(rows)
        if isinstance(rows, pa.Table):
            yield rows


def _aggregation(work: Work) -> Iterator[Made]:
    for place, aggregation in enumerate(work.aggregations):
        rows, work.rows[place] = work.rows[place], None
        if aggregation.tallied is not None:
            found = tally(work.frame, aggregation.lane, aggregation.tallied)
        elif isinstance(rows, LanePaths):
            found = rows
        else:
            found = work.frame.statements.run(rows, aggregation.statement)
        work.partials.append(found)
        yield found


STEPS: Final = (
    Step("values", _values),
    Step("sessions", _sessions),
    Step("persistence", _persistence),
    Step("segments", _segments),
    Step("deduplication", _deduplication),
    Step("attribution", _attribution),
    Step("aggregation", _aggregation),
)
"""What happens to each chunk, in this order; before it is read, and after it partial results are merged."""


def persisted(plan: ReportPlan) -> set[str]:
    """Return the dimensions that are shown with their persisted values: all but a single touched one."""
    several = len(plan.touch_dimensions) > 1
    lookups = plan.request.lookups
    used = ids_behind([plan.request.segment, *conditions(plan.segments)], lookups)
    for lane in plan.lanes:
        names = used_in(plan, lane)
        touched = set() if lane.attribution is None or several else set(plan.touch_dimensions)
        used |= (names - touched) | ids_behind([lane.segment], lookups)
    return {name for name in used if persistence_of(plan.view.component(name)) is not None}


def _components(work: Work) -> list[Component]:
    plan = work.frame.plan
    return [plan.view.component(name) for name in sorted(plan.ids)]
