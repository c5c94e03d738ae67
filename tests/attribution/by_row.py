"""Attribution by lists, asked and answered with one entry per row, as its oracle does."""

from __future__ import annotations

import numpy as np

from attribution.models import Container
from attribution.rows import marked_rows
from attribution.shares import even_credit
from attribution.spans import NO_TOUCH, single_touches, touch_spans, touches_in


def bounds_of(container, offsets, starts):
    if container is Container.PERSON:
        return offsets
    return np.append(np.flatnonzero(starts), starts.size).astype(np.int64)


def touch_rows(model, container, offsets, times, touches, wanted, starts, lookback):
    """Return for each row the row of the one touch that it is credited to, -1 where not wanted or none."""
    listed = touches_in(bounds_of(container, offsets, starts), times, marked_rows(touches))
    conversions = marked_rows(wanted)
    spans = touch_spans(listed, times, conversions, lookback)
    rows = np.full(times.size, NO_TOUCH)
    numbers = single_touches(model, listed, conversions, spans)
    rows[conversions] = np.append(listed.rows, NO_TOUCH)[numbers]
    return rows


def linear_credit(container, offsets, times, touches, values, starts, lookback):
    """Return each metric's credit on each row, and what went to no touch."""
    listed = touches_in(bounds_of(container, offsets, starts), times, marked_rows(touches))
    credit, lost = np.zeros(values.shape), np.zeros(values.shape[0])
    for metric, numbers in enumerate(values):
        conversions = np.flatnonzero(numbers).astype(np.int32)
        spans = touch_spans(listed, times, conversions, lookback)
        found = even_credit(spans, numbers[conversions], listed.rows.size)
        assert not found.values[found.given == 0].any()
        credit[metric, listed.rows], lost[metric] = found.values[:-1], found.values[-1]
    return credit, lost
