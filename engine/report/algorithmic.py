"""What a chunk has for models that learn from all paths: how often each set of items converted, with sums.

Weights are known only when every chunk was seen, so a chunk hands on sets with sums, never rows of touches.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from sqlglot import exp

from attribution.markov import CONVERSION, NONE, Steps, added_up, steps
from attribution.models import Container, Rows, Times
from attribution.paths import after_conversions, last_touches, picked, with_touches
from attribution.rows import mask_at
from attribution.sets import Sets, TooLargeError, distinct_sets
from attribution.spans import Spans
from engine.dataview.components import TIMESTAMP, Component, Role, Scope
from engine.errors import UnsupportedError
from engine.report.columns import column_name, quoted, spelled_out
from engine.report.conversions import (
    Amounts,
    Conversions,
    attribution_of_lane,
    components_of,
    conversions,
    spans_of,
)
from engine.report.frame import Frame
from engine.report.items import touched_items
from engine.report.places import Places
from engine.report.plan import Lane

SET: Final = "_set"
AMOUNT: Final = "_amount"
MOST_MEMBERS: Final = 50_000_000
"""Members that the distinct sets of all chunks may have together: 200 MB, and as much again to unite them."""


@dataclass(frozen=True)
class MetricPaths:
    """The paths of one metric, by their set of items.

    Attributes:
        sets: K sets.
        paths: int64[K], how many paths have the set.
        converting: int64[K], how many of these end in a conversion.
        steps: from item to item; empty where the model has no use for them.
        sums: the metric's sum (AMOUNT) for each set (SET, −1 for none) and all that the question takes from
            the conversion's side.
    """

    sets: Sets
    paths: Times
    converting: Times
    steps: Steps
    sums: pa.Table


@dataclass(frozen=True)
class LanePaths:
    """The partial result of a lane of sets.

    Attributes:
        items: D rows, a column for each grouped dimension.
        metrics: metric → its paths.
    """

    items: pa.Table
    metrics: Mapping[str, MetricPaths]

    def __len__(self) -> int:
        """How many sums there are."""
        return sum(len(paths.sums) for paths in self.metrics.values())

    @property
    def nbytes(self) -> int:
        """Bytes of the sums and of the sets' members."""
        return sum(paths.sums.nbytes + paths.sets.members.nbytes for paths in self.metrics.values())


def lane_paths(frame: Frame, lane: Lane) -> LanePaths:
    """Return what a chunk has of a lane's paths.

    Raises:
        UnsupportedError: the sets are too large to be kept.
    """
    found = conversions(frame, lane)
    items, codes = touched_items(frame, found)
    containers = _containers(found, lane)
    metrics = {}
    for name, amounts in found.amounts.items():
        spans = spans_of(lane, found, amounts.rows)
        left = _unconverted(frame, lane, found, containers, amounts)
        metrics[name] = _metric_paths(found.places, lane, amounts, spans, left, codes, items.num_rows)
    return LanePaths(items, metrics)


def _containers(found: Conversions, lane: Lane) -> Rows:
    """int32[R]: the container of each place."""
    session = Container(attribution_of_lane(lane).container) is Container.SESSION
    frame = found.places.frame
    index: Rows = frame.session_index if session else frame.person_index
    return index[found.places.events(np.arange(found.places.times.size, dtype=np.int32))]


def _unconverted(frame: Frame, lane: Lane, found: Conversions, containers: Rows, amounts: Amounts) -> Spans:
    """The touches of each path that led to no conversion: what follows the last one in a container."""
    rows = found.touches.rows
    inside = found.places.within(frame.in_range)
    counted = np.arange(rows.size) if inside is None else np.flatnonzero(mask_at(inside, rows))
    lasts = last_touches(containers[rows], counted.astype(np.int32))
    spans = spans_of(lane, found, rows[lasts])
    passed = np.searchsorted(rows, amounts.rows, side="right").astype(np.int32)
    left = after_conversions(spans, containers[rows[lasts]], containers[amounts.rows], passed)
    return picked(left, with_touches(left))


def _metric_paths(
    places: Places, lane: Lane, amounts: Amounts, spans: Spans, left: Spans, codes: Rows, distinct: int
) -> MetricPaths:
    touched = with_touches(spans)
    led = picked(spans, touched)
    # Both lists ascend; together they do again when sorted by their ends.
    order = np.argsort(np.concatenate([led.ends, left.ends]), kind="stable").astype(np.int32)
    every = picked(
        Spans(np.concatenate([led.begins, left.begins]), np.concatenate([led.ends, left.ends])), order
    )
    sets, sorted_numbers = _distinct_sets(every, codes, distinct)
    numbers = np.empty(order.size, np.int32)
    numbers[order] = sorted_numbers
    owners = np.full(amounts.rows.size, -1, np.int32)
    owners[touched] = numbers[: touched.size]
    size = sets.sizes.size
    return MetricPaths(
        sets,
        np.bincount(numbers, minlength=size),
        np.bincount(numbers[: touched.size], minlength=size),
        _steps(lane, led, left, codes),
        _sums(places, lane, amounts, owners),
    )


def _distinct_sets(spans: Spans, codes: Rows, distinct: int) -> tuple[Sets, Rows]:
    try:
        return distinct_sets(spans, codes, distinct, MOST_MEMBERS)
    except TooLargeError as error:
        raise refusal() from error


def refusal() -> UnsupportedError:
    """Return the error of a question whose sets cannot be kept."""
    return UnsupportedError(
        "paths touch too many different values to learn from them",
        hint="Group by a dimension with fewer values, or give the metric a shorter lookback.",
    )


def _steps(lane: Lane, led: Spans, left: Spans, codes: Rows) -> Steps:
    if attribution_of_lane(lane).model != "markov":
        nothing = np.empty(0, np.int32)
        return Steps(nothing, nothing, np.empty(0, np.int64))
    return added_up([steps(led, codes, CONVERSION), steps(left, codes, NONE)])


def _sums(places: Places, lane: Lane, amounts: Amounts, owners: Rows) -> pa.Table:
    """Add up the conversions of each set, apart by all that is taken from the conversion."""
    frame = places.frame
    taken = [c for c in components_of(frame, lane) if _is_taken(frame, c)]
    columns = {column_name(component): places.at(component, amounts.rows) for component in taken}
    rows = pa.table({**columns, SET: owners, AMOUNT: amounts.values})
    values = [_any(name) if name == TIMESTAMP else quoted(name) for name in columns]
    total = exp.alias_(exp.Sum(this=quoted(AMOUNT)), AMOUNT, quoted=True)
    select = exp.select(*values, quoted(SET), total).from_(exp.to_table("rows"))
    return frame.statements.run(rows, select.group_by(quoted(SET), *map(_key, taken)))


def _is_taken(frame: Frame, component: Component) -> bool:
    """Whether a component is read on the conversion."""
    return component.role is not Role.METRIC and component.id not in frame.plan.touch_dimensions


def _key(component: Component) -> exp.Expr:
    """What has to be equal for conversions to be one sum: of times, the period or part that is asked for."""
    if component.scope is Scope.TIME:
        return spelled_out(quoted(component.id))
    return quoted(column_name(component))


def _any(name: str) -> exp.Expr:
    return exp.alias_(exp.AnyValue(this=quoted(name)), name, quoted=True)
