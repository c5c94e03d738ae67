"""Attribution by lists, asked with one entry per row and answered by item and key, as its oracle does."""

from __future__ import annotations

import numpy as np

from attribution.credit import credit
from attribution.entries import Entries, by_cell
from attribution.models import SINGLES, Codes
from attribution.rows import marked_rows
from attribution.spans import container_starts, single_touches, touch_spans, touches_in


def entries_of(rule, container, chunk, items, values, keys, lookback):
    """Return the entries of one metric and the lists that they refer to.

    Args:
        rule: the model.
        container: session or person.
        chunk: offsets, times and session starts of N rows.
        items: int32[N], -1 on rows without a touch.
        values: float64[N].
        keys: int32[N], from 0 up.
        lookback: µs or None.
    """
    offsets, times, starts = chunk
    rows = np.flatnonzero(items >= 0).astype(np.int32)
    touches = touches_in(container_starts(container, offsets, starts), rows, times[rows])
    codes = Codes(items[rows], int(items.max(initial=-1)) + 1)
    conversions = marked_rows((values != 0).astype(np.uint8))
    known = Codes(keys[conversions], int(keys.max(initial=0)) + 1)
    if rule.model in SINGLES:
        singles = single_touches(rule.model, touches, times, conversions, lookback)
        places = np.arange(conversions.size, dtype=np.int32)
        return Entries(singles, places, values[conversions]), codes, known, rows, conversions
    spans = touch_spans(touches, times, conversions, lookback)
    found = credit(rule, times[rows], codes, spans, values[conversions], known)
    return found, codes, known, rows, conversions


def cells(rule, container, chunk, items, values, keys, lookback):
    """Return (item or None, key) → credit."""
    entries, codes, known, _, _ = entries_of(rule, container, chunk, items, values, keys, lookback)
    found = by_cell(entries, codes, known)
    items_found, keys_found = np.divmod(found.codes, known.distinct)
    names = [None if item == codes.distinct else int(item) for item in items_found]
    return dict(zip(zip(names, keys_found.tolist(), strict=True), found.credit.tolist(), strict=True))
