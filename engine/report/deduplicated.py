"""Metrics without their duplicates: of several instances with one id in a scope, one counts.

Segments come first: an event that a segment takes away stands for nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from sqlglot import exp

from attribution.models import Mask, Rows
from engine.dataview.components import Component
from engine.dataview.values import dense_codes, nonzero, taken
from engine.definitions.settings import DeduplicationDefinition
from engine.journeys.deduplication import Keep, duplicates
from engine.report.keeping import deduplication_of, months_around

if TYPE_CHECKING:
    from engine.report.frame import Frame


def lost(frame: Frame, metric: Component, segment: exp.Expr | None) -> Mask:
    """Mark the places of a metric where it does not count because another instance of its id does.

    Args:
        frame: the chunk.
        metric: a metric with deduplication.
        segment: the condition of its column, besides the request's segment.

    Returns:
        uint8[K] of elements where metric and id are fields of one array, else uint8[N] of events.
    """
    settings = deduplication_of(metric)
    if settings is None:
        raise AssertionError(f"{metric.id} has no deduplication")
    by = frame.plan.view.component(settings.by)
    values = frame.own_values(metric) if by.of_elements else frame.raw(metric)
    scopes = frame.session_index if settings.scope == "session" else frame.person_index
    counting = _counting(frame, settings, segment)
    if by.of_elements and by.array is not None:
        events = frame.elements(by.array).events
        scopes, counting = scopes[events], None if counting is None else counting[events]
    instances = nonzero(values) if counting is None else nonzero(values) & counting
    return duplicates(scopes, _masked(dense_codes(frame.own_values(by)), instances), Keep(settings.keep))


def without(values: pa.Array, marks: Mask) -> pa.Array:
    """Return values, NULL where a mask is 1."""
    return taken(values, _masked(np.arange(len(values), dtype=np.int32), 1 - marks))


def zeros(values: pa.Array, marks: Mask) -> pa.Array:
    """Return 0 where a mask is 1, NULL elsewhere, in the type of some values."""
    return taken(pa.array([0], values.type), _masked(np.zeros(marks.size, np.int32), marks))


def _masked(codes: Rows, mask: Mask) -> Rows:
    return np.where(mask != 0, codes, np.int32(-1))


def _counting(frame: Frame, settings: DeduplicationDefinition, segment: exp.Expr | None) -> Mask | None:
    """uint8[N]: events that stand for their id: in the segments, and for a person in the report's months."""
    masks = [frame.segment, frame.matches(segment)]
    if settings.scope == "person":
        start, end = months_around(frame.plan.request.range)
        masks += [frame.since(start), frame.before(end)]
    known = [mask for mask in masks if mask is not None]
    return np.bitwise_and.reduce(known) if known else None
