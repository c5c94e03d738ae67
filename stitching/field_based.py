"""Field-based stitching: events that show only a device get the person that others of it name.

Strings become codes, a kernel walks each device's events in time order, codes become strings again.
Persons are coded alphabetically, so that the alphabetically first of several is the smallest code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

import numba as nb
import numpy as np
import numpy.typing as npt
import polars as pl

from stitching.devices import Timelines, timelines

TRANSITION_LIMIT: Final = 50_000
"""A device whose person changes more often than this is a public place, not a person's device."""

_NOBODY: Final = -1
_Codes: TypeAlias = npt.NDArray[np.int32]
_Numbers: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Stitched:
    """A live-stitched batch.

    Attributes:
        rows: ``row`` int64, ``person`` string (null where neither person nor device is known), and
            ``known`` boolean: a person id says so; in the order of the events.
        memory: ``device``, ``person`` strings: the devices whose last known person is new.
    """

    rows: pl.DataFrame
    memory: pl.DataFrame


@dataclass(frozen=True)
class _Devices:
    """Devices with all that the kernel needs, persons as codes.

    Attributes:
        ids: D strings, or null for the events without one.
        timelines: the events of each device.
        times: int64[N], in the order of the timelines.
        persons: int32[N], in the order of the timelines.
        before: int32[D], the persons known before.
        names: the persons in the order of their codes.
    """

    ids: pl.Series
    timelines: Timelines
    times: _Numbers
    persons: _Codes
    before: _Codes
    names: pl.Series


def live(
    events: pl.DataFrame,
    memory: pl.DataFrame,
    *,
    transition_limit: int = TRANSITION_LIMIT,
) -> Stitched:
    """Stitch a batch as it arrives: an anonymous event gets the person last seen on its device.

    The batch is taken in the order of device and time, whatever the order of its rows. Of several
    persons at one instant the alphabetically first is known from then on.

    Args:
        events: ``row`` int64, ``device`` and ``person`` strings or null, ``time`` int64.
        memory: ``device``, ``person`` strings: the last known persons, each device once.
        transition_limit: a device whose person changes more often than this is not stitched.
    """
    devices = _devices(events, memory)
    found, after = _walk(devices, transition_limit, look_ahead=False)
    changed = pl.Series((after != devices.before) & devices.ids.is_not_null().to_numpy())
    news = pl.DataFrame({"device": devices.ids, "person": _names(devices.names, after)}).filter(changed)
    return Stitched(_answer(events, devices, found), news)


def replay(
    events: pl.DataFrame,
    evidence: pl.DataFrame,
    *,
    transition_limit: int = TRANSITION_LIMIT,
) -> pl.DataFrame:
    """Restitch all events of a window: the person known before an event, else the next one known.

    Args:
        events: ``row`` int64, ``device`` and ``person`` strings or null, ``time`` int64.
        evidence: ``device``, ``person`` strings: the last known persons before the window, each
            device once.
        transition_limit: a device whose person changes more often than this is not stitched.

    Returns:
        ``row``, ``person`` and ``known`` as in ``Stitched.rows``.
    """
    devices = _devices(events, evidence)
    found, _ = _walk(devices, transition_limit, look_ahead=True)
    return _answer(events, devices, found)


def _devices(events: pl.DataFrame, known: pl.DataFrame) -> _Devices:
    times = events["time"].to_numpy()
    found = timelines(events["device"], times)
    names = pl.concat([events["person"], known["person"]]).drop_nulls().unique().sort()
    ids = events["device"].gather(found.firsts)
    before = ids.to_frame("device").join(
        known.select("device", "person"), on="device", how="left", maintain_order="left"
    )
    return _Devices(
        ids=ids,
        timelines=found,
        times=times[found.order],
        persons=_codes(names, events["person"])[found.order],
        before=_codes(names, before["person"]),
        names=names,
    )


def _codes(names: pl.Series, persons: pl.Series) -> _Codes:
    coded = persons.cast(pl.Enum(names)).to_physical().cast(pl.Int32)
    return coded.fill_null(_NOBODY).to_numpy()


def _names(names: pl.Series, codes: _Codes) -> pl.Series:
    known = pl.Series(codes).cast(pl.Int64)
    return names.gather(known.set(known == _NOBODY, None))


def _walk(devices: _Devices, transition_limit: int, *, look_ahead: bool) -> tuple[_Codes, _Codes]:
    found = np.empty(devices.times.size, np.int32)
    after = np.empty(devices.before.size, np.int32)
    _walk_devices(
        devices.timelines.offsets,
        devices.times,
        devices.persons,
        devices.before,
        look_ahead,
        transition_limit,
        found,
        after,
    )
    return found, after


def _answer(events: pl.DataFrame, devices: _Devices, found: _Codes) -> pl.DataFrame:
    codes = np.empty_like(found)
    codes[devices.timelines.order] = found
    return events.select(
        "row",
        # Events without a device are no device's timeline: they keep what they said.
        stitched=pl.when(pl.col("device").is_null()).then("person").otherwise(_names(devices.names, codes)),
        device="device",
    ).select(
        "row",
        person=pl.coalesce("stitched", "device"),
        known=pl.col("stitched").is_not_null(),
    )


_NUMBERS: Final = nb.types.Array(nb.int64, 1, "C", readonly=True)
_CODES: Final = nb.types.Array(nb.int32, 1, "C", readonly=True)


@nb.njit(
    nb.void(_NUMBERS, _NUMBERS, _CODES, _CODES, nb.boolean, nb.int64, nb.int32[::1], nb.int32[::1]),
    nogil=True,
    cache=True,
)
def _walk_devices(
    offsets: _Numbers,
    times: _Numbers,
    persons: _Codes,
    before: _Codes,
    look_ahead: bool,
    transition_limit: int,
    found: _Codes,
    after: _Codes,
) -> None:
    for device in range(before.size):
        known, first, transitions = before[device], before[device], 0
        begin, end = offsets[device], offsets[device + 1]
        row = begin
        while row < end:
            instant, until = _NOBODY, row
            while until < end and times[until] == times[row]:
                person = persons[until]
                instant = person if instant == _NOBODY or 0 <= person < instant else instant
                until += 1
            if instant != _NOBODY:
                transitions += known not in (_NOBODY, instant)
                first = instant if first == _NOBODY else first
                known = instant
            for event in range(row, until):
                found[event] = known if persons[event] == _NOBODY else persons[event]
            row = until
        after[device] = known
        if transitions > transition_limit:
            found[begin:end] = persons[begin:end]
        elif look_ahead:
            row = begin
            while row < end and found[row] == _NOBODY:
                found[row] = first
                row += 1
