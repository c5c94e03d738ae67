"""Graph-based stitching: an event belongs to whom the identity graph knows its device as.

The graph counts as it is when it is asked, whenever the event was and whatever the event itself says.
Looking devices up is the caller's: here is which of them are asked for, and what follows from the answers.
"""

from __future__ import annotations

import polars as pl

from stitching.field_based import Events, answer, coded
from stitching.names import Codes, LookUp, Numbered, nobody, taken


def stitch(events: pl.DataFrame, look_up: LookUp) -> pl.DataFrame:
    """Stitch events, texts in, texts out: an event whose device is not known is called like the device.

    Args:
        events: ``row`` int64, ``device`` string or null, ``time`` int64; other columns do not count.
        look_up: what the graph knows.

    Returns:
        ``row``, ``person`` (null without a device) and ``known``, as of ``field_based.live``.
    """
    devices = events["device"]
    codes = coded(Numbered.of(devices), Numbered.of(nobody(devices)), events["time"].to_numpy())
    return answer(events, codes, restitch(codes, look_up))


def restitch(events: Events, look_up: LookUp) -> Codes:
    """Return int32[N], whom the graph knows the device of each event as; ``NOBODY`` where it does not.

    Each device is asked for once. O(N) beside the look-up.

    Args:
        events: the events; persons that they name do not count.
        look_up: what the graph knows.
    """
    return taken(events.names.number(look_up(events.device_texts)), events.device)
