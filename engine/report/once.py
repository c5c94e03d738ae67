"""People and sessions as sums: each counts on its first event in its group, and so needs no set of them.

Where the groups of a lane are plain texts, they have codes, and one pass finds those events. Everywhere else
a statement counts distinct numbers; both give the same answer.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from sqlglot import exp

from engine.dataview.components import Component, Role, Scope
from engine.dataview.values import combined, raw_codes
from engine.journeys.distinct import first_in_group
from engine.journeys.present import validity
from engine.report.columns import INDEXES, column_name, component_ids
from engine.report.plan import Kind, Lane, ReportPlan, is_component, persistence_of
from engine.report.request import Aggregate, MetricColumn


def counts_once(plan: ReportPlan, lane: Lane) -> bool:
    """Whether the lane's rows hold 1 where a person or session is to be counted, 0 on its other events."""
    if lane.kind is Kind.ROWS:
        return True
    if lane.kind is not Kind.EVENTS or plan.request.lookups:
        return False
    dimensions = [dimension.expression for dimension in plan.request.dimensions]
    return all(_is_text(expression, plan) for expression in dimensions) and all(
        _is_whole(metric) for metric in lane.metrics if component_ids([metric.expression]) & INDEXES.keys()
    )


def with_firsts(table: pa.Table, plan: ReportPlan, lane: Lane) -> pa.Table:
    """Replace the numbers of persons and sessions by 1 on the first event of each in its group, else 0.

    Args:
        table: the lane's rows, those of a person side by side; single rows are one group (docs/semantics.md).
        plan: of the question.
        lane: one that ``counts_once``.
    """
    names = [name for name in INDEXES.values() if name in table.column_names]
    grouped = [] if lane.kind is Kind.ROWS else _grouped(plan)
    codes, groups = _codes(table, grouped) if names else (np.zeros(0, np.int32), 1)
    for name in names:
        index = combined(table.column(name)).fill_null(-1).to_numpy()
        firsts = first_in_group(index, codes, groups)
        table = table.set_column(table.column_names.index(name), name, pa.array(firsts))
    return table


def _grouped(plan: ReportPlan) -> list[Component]:
    return [plan.view.component(dimension.expression.name) for dimension in plan.request.dimensions]


def _is_text(expression: exp.Expr, plan: ReportPlan) -> bool:
    """Whether a grouped expression is a dimension with one text per event."""
    if not is_component(expression):
        return False
    component = plan.view.component(expression.name)
    persistence, source = persistence_of(component), component.source
    several = (source is not None and source.repeated) or (
        persistence is not None and persistence.allocation == "all"
    )
    text = component.role is Role.DIMENSION and pa.types.is_string(component.type)
    return text and not several and component.scope is not Scope.TIME


def _is_whole(metric: MetricColumn) -> bool:
    """Whether a metric is people or sessions as they are, on all rows of the lane."""
    return (
        metric.aggregate is Aggregate.VALUE and metric.condition is None and is_component(metric.expression)
    )


def _codes(table: pa.Table, grouped: list[Component]) -> tuple[np.ndarray, int]:
    """int32[N] codes of the groups, and how many there may be."""
    codes, groups = np.zeros(table.num_rows, np.int64), 1
    for component in grouped:
        own, distinct = _text_codes(combined(table.column(column_name(component))))
        codes, groups = codes * distinct + own, groups * distinct
        if groups > 4 * table.num_rows + 1024:
            found, codes = np.unique(codes, return_inverse=True)
            groups = max(found.size, 1)
    return codes.astype(np.int32), groups


def _text_codes(values: pa.Array) -> tuple[np.ndarray, int]:
    """int32[N] codes of texts, the last one for no value; and how many codes there are."""
    encoded = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
    last = len(encoded.dictionary)
    codes = raw_codes(encoded)
    return (codes if not encoded.null_count else np.where(validity(encoded), codes, last)), last + 1
