"""Attribution by lists, asked and answered with one entry per row, as its oracle does."""

from __future__ import annotations

import numpy as np

from attribution.rows import marked_rows
from attribution.shares import credit_of_shares
from attribution.spans import NO_TOUCH, single_touches, touch_spans, touches_in
from attribution.windows import container_starts


def listed_touches(container, offsets, times, touches, starts):
    rows = marked_rows(touches)
    return touches_in(container_starts(container, offsets, starts), rows, times[rows])


def touch_rows(model, container, offsets, times, touches, wanted, starts, lookback):
    """Return for each row the row of the one touch that it is credited to, -1 where not wanted or none."""
    listed = listed_touches(container, offsets, times, touches, starts)
    conversions = marked_rows(wanted)
    rows = np.full(times.size, NO_TOUCH)
    numbers = single_touches(model, listed, times, conversions, lookback)
    rows[conversions] = np.append(listed.rows, NO_TOUCH)[numbers]
    return rows


def linear_credit(container, offsets, times, touches, values, starts, lookback):
    """Return each metric's credit on each row, and what went to no touch."""
    listed = listed_touches(container, offsets, times, touches, starts)
    credit, lost = np.zeros(values.shape), np.zeros(values.shape[0])
    for metric, numbers in enumerate(values):
        conversions = np.flatnonzero(numbers).astype(np.int32)
        spans = touch_spans(listed, times, conversions, lookback)
        found = credit_of_shares(spans, numbers[conversions], listed.rows.size)
        assert not found.values[found.counts == 0].any()
        credit[metric, listed.rows], lost[metric] = found.values[:-1], found.values[-1]
    return credit, lost
