"""A SELECT of single events: a row-level report, and the SELECT over it."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from sqlfront.planner.block import Block, assembled
from sqlfront.planner.compat import whole_range
from sqlfront.planner.conditions import read_terms
from sqlfront.planner.context import Planning
from sqlfront.planner.listing import listing
from sqlfront.planner.lookups import on_events, pinned_in
from sqlfront.planner.relations import Report, Rows, Scan
from sqlfront.planner.rowlevel import event_rows
from sqlfront.planner.terms import metrics, refuse_aggregated, refuse_pinned
from sqlfront.safety import is_aggregate
from sqlfront.trees import own


def events(block: Block, scan: Scan, planning: Planning) -> Rows:
    """Plan a block that shows single events of a scan.

    Args:
        block: over the scan's components and lookups; its terms include the scan's.
    """
    for part in (part for node in block.expressions() for part in own(node)):
        if is_aggregate(part):
            refuse_aggregated(metrics(part, scan.view), "a window function")
            refuse_pinned(pinned_in(part, scan.lookups))
    conditions = read_terms(block.terms, scan.view, lambda _: False)
    report = Report(
        view=scan.view,
        view_name=scan.view.name,
        range=whole_range(conditions, scan.view) if planning.compat else conditions.range,
        constants=conditions.constants,
        segment=tuple(on_events(term, scan.lookups) for term in conditions.segment),
        chosen=conditions.chosen,
        lookups=scan.lookups,
        readings=conditions.readings,
    )
    found = event_rows(report, block.expressions(), planning)
    answer = replace(block, terms=()).mapped(found.over)
    query = assembled(answer, exp.Select().from_(found.table))
    return Rows(query, block.names, pinned=_pinned(block, scan))


def _pinned(block: Block, scan: Scan) -> dict[str, str]:
    """Outputs that carry a distinct metric's values per event."""
    own_metrics = {
        name.lower(): metric.id
        for name, output in block.outputs
        for metric in metrics(output, scan.view)
        if not metric.additive
    }
    looked_up = {name.lower(): pinned_in(output, scan.lookups) for name, output in block.outputs}
    return own_metrics | {name: metric for name, metric in looked_up.items() if metric is not None}


def every_event(scan: Scan, planning: Planning) -> Rows:
    """Plan a scan by itself: one row per event with its columns."""
    outputs = tuple((name, meaning.copy()) for name, meaning in scan.columns.items())
    block = Block(outputs or (("_", exp.Literal.number(1)),), scan.terms)
    return listing(block, scan) or events(block, scan, planning)
