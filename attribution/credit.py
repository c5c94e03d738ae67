"""The linear model by key: each touch of a conversion's window gets an equal share, apart for each key."""

from __future__ import annotations

import numpy as np

from attribution.items import credit_by_item, crowded_persons
from attribution.models import Container, Mask, Rows, Times, Values
from attribution.runs import Entries, conversion_runs, credit_by_touch, credit_lost, joined
from attribution.windows import touch_windows


def linear_credit_by_key(
    container: Container,
    offsets: Times,
    times: Times,
    touches: Mask,
    values: Values,
    keys: Rows,
    starts: Mask,
    lookback: int | None,
    items: Rows | None = None,
) -> Entries:
    """Split each conversion evenly over the touches of its window, apart for each key.

    The key stands for all that a question takes from the conversion's side, such as its day. A
    touch has one entry for each key that it gets credit from. A person with many touches under
    many keys would have entries beyond measure: where ``items`` are given, such a person's touches
    of one item share an entry.

    Args:
        container: touches count in the conversion's session, or in the person's whole journey.
        offsets: int64[P + 1]; person p owns the rows ``offsets[p]:offsets[p + 1]``.
        times: int64[N], µs, ascending within a person.
        touches: uint8[N], 1 where the dimension is set.
        values: float64[M, N], M metrics; 0 is no conversion, NaN is not allowed.
        keys: int32[N], the key of each conversion.
        starts: uint8[N], 1 on the first event of each session.
        lookback: µs; a touch counts if it is no older than this at the conversion. None: no limit.
        items: int32[N], a code from 0 up for each touch's value, any number elsewhere.

    Returns:
        For each of E entries: int32[E], the row of a touch, -1 for conversions without a touch;
        int32[E], the row of a conversion of the same person and key; float64[M, E], the credit.
    """
    windows = touch_windows(container, offsets, times, touches, starts, lookback)
    converts = (values != 0).any(axis=0)
    credited = converts & (windows.begins < windows.ends)
    lost = conversion_runs(offsets, keys, converts & ~credited)
    found = [credit_lost(values, lost)]
    runs = conversion_runs(offsets, keys, credited)
    if items is not None:
        crowded = crowded_persons(offsets, items, runs, windows)
        if crowded.any():
            found.append(credit_by_item(offsets, values, keys, items, runs, windows, crowded))
            alone = credited & ~np.repeat(crowded, np.diff(offsets))
            runs = conversion_runs(offsets, keys, alone)
    return joined([*found, credit_by_touch(values, runs, windows)])
