"""Graph-based stitching: an event belongs to whom the identity graph knows its device as.

The graph counts as it is when it is asked, whenever the event was and whatever the event itself says.
Looking values up is the caller's: here is which of them are asked for, and what follows from the answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from stitching.field_based import Events, answer, coded
from stitching.names import NOBODY, Codes

LookUp: TypeAlias = Callable[[str, pl.Series], pl.Series]
"""(namespace, distinct values) → whom the graph knows each value as, strings or nulls in their order."""

_Rows: TypeAlias = npt.NDArray[np.bool_]


def stitch(events: pl.DataFrame, look_up: LookUp) -> pl.DataFrame:
    """Stitch events, texts in, texts out: who is not known is called like the device.

    Args:
        events: ``row`` int64, ``device`` string or null, ``namespace`` string, the device's or null,
            ``time`` int64.
        look_up: what the graph knows.

    Returns:
        ``row``, ``person`` (null without a device) and ``known``, as ``field_based.replay``.
    """
    nobody = pl.lit(None, pl.String)
    codes = coded(events.with_columns(person=nobody))
    return answer(events, codes, restitch(codes, events["namespace"], look_up))


def restitch(events: Events, namespaces: pl.Series | str, look_up: LookUp) -> Codes:
    """Return int32[N], whom the graph knows the device of each event as; ``NOBODY`` where it does not.

    Each device of a namespace is asked for once. O(events × namespaces).

    Args:
        events: the events; persons that they name do not count.
        namespaces: N strings or nulls, or the one namespace of all devices.
        look_up: what the graph knows.
    """
    persons = np.full(events.device.size, NOBODY, np.int32)
    for namespace, rows in _by_namespace(namespaces, events.device != NOBODY):
        devices = events.device[rows]
        asked = np.zeros(events.devices, np.bool_)
        asked[devices] = True
        seen = np.flatnonzero(asked).astype(np.int32)
        known = np.full(events.devices, NOBODY, np.int32)
        known[seen] = events.names.number(look_up(namespace, events.names.texts_of(seen)))
        persons[rows] = known[devices]
    return persons


def _by_namespace(namespaces: pl.Series | str, present: _Rows) -> Iterator[tuple[str, _Rows]]:
    """Yield each namespace with the rows that have a device in it."""
    if isinstance(namespaces, str):
        yield namespaces, present
        return
    for namespace in namespaces.filter(pl.Series(present)).drop_nulls().unique().sort():
        yield namespace, (namespaces == namespace).fill_null(value=False).to_numpy() & present
