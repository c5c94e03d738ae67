"""Field-based stitching: events that show only a device get the person that others of it name.

Texts become codes, a kernel walks each device's events in time order, codes become texts again. The
alphabetical order of persons is only looked at where events of one instant name several.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeAlias

import numba as nb
import numpy as np
import numpy.typing as npt
import polars as pl

from stitching.devices import Timelines, grouped
from stitching.names import NOBODY, Codes, Names, Numbered, taken

TRANSITION_LIMIT: Final = 50_000
"""A device whose person changes more often than this is a public place, not a person's device."""

_TO_LATER: Final = 0
"""A person reaches anonymous events after one that names them."""
_TO_ANONYMOUS: Final = 1
"""The first person also reaches the events before."""
_TO_ALL: Final = 2
"""The last person reaches all events, those that name others too."""

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
class Events:
    """N events as codes.

    Attributes:
        names: devices and persons; the first of them are the devices.
        devices: how many devices there are.
        device: int32[N], ``NOBODY`` where there is none.
        person: int32[N], likewise.
        times: int64[N].
    """

    names: Names
    devices: int
    device: Codes
    person: Codes
    times: _Numbers

    @property
    def device_texts(self) -> pl.Series:
        """The devices in the order of their codes."""
        return self.names.texts().head(self.devices)

    @cached_property
    def timelines(self) -> Timelines:
        """The events of each device in the order of time."""
        return grouped(self.device, self.devices, self.times)


def coded(
    devices: Numbered,
    persons: Numbered,
    times: _Numbers,
    identifies: Callable[[pl.Series], pl.Series] | None = None,
) -> Events:
    """Return events as codes.

    Args:
        devices: of N events; these names become those of the events.
        persons: of N events.
        times: int64[N].
        identifies: which texts identify somebody, asked of each once; None: all of them.
    """
    names, device, count = devices.names, devices.codes, len(devices.names)
    person = persons.among(names)
    if identifies is not None and not (good := identifies(names.texts()).to_numpy()).all():
        kept = np.where(good, np.arange(good.size, dtype=np.int32), np.int32(NOBODY))
        device, person = taken(kept, device), taken(kept, person)
    return Events(names, count, device, person, times)


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
    device, person = (Numbered.of(events[name]) for name in ("device", "person"))
    codes = coded(device, person, events["time"].to_numpy())
    before = _before(codes, memory)
    found, after = _walk(codes, before, transition_limit, _TO_LATER)
    fresh = np.flatnonzero(after != before).astype(np.int32)
    names = codes.names
    news = pl.DataFrame({"device": names.texts_of(fresh), "person": names.texts_of(after[fresh])})
    return Stitched(answer(events, codes, found), news)


def restitch(
    events: Events,
    known: pl.Series,
    *,
    last: bool = False,
    transition_limit: int = TRANSITION_LIMIT,
) -> Codes:
    """Restitch all events of a window: the person known before an event, else the next one known.

    Args:
        events: the events.
        known: D strings or nulls: whom each device knew before the window, in the order of their codes.
        last: whether all events of a device belong to the person known last, whoever they name.
        transition_limit: a device whose person changes more often than this is not stitched.

    Returns:
        int32[N], the person of each event, ``NOBODY`` where none is known.
    """
    reach = _TO_ALL if last else _TO_ANONYMOUS
    found, _ = _walk(events, events.names.number(known), transition_limit, reach)
    return found


def _before(events: Events, known: pl.DataFrame) -> Codes:
    """Return int32[D], the persons known before of the devices; what is known of others is left out."""
    before = np.full(events.devices, NOBODY, np.int32)
    device, person = events.names.number(known["device"]), events.names.number(known["person"])
    ours = device < events.devices
    before[device[ours]] = person[ours]
    return before


def _walk(events: Events, before: Codes, transition_limit: int, reach: int) -> tuple[Codes, Codes]:
    """Return the person of each event, int32[N], and whom each device knows in the end, int32[D]."""
    timelines = events.timelines
    start = np.full(timelines.offsets.size - 1, NOBODY, np.int32)
    start[: before.size] = before
    found, after = np.empty(events.times.size, np.int32), np.empty(start.size, np.int32)
    walk = (timelines.offsets, timelines.order, events.times, events.person, start, reach)
    if not _walk_devices(*walk, transition_limit, np.empty(0, np.int32), found, after):
        _walk_devices(*walk, transition_limit, _ranks(events), found, after)
    # Events without a device are no device's timeline: they keep what they said.
    return np.where(events.device == NOBODY, events.person, found), after[: before.size]


def _ranks(events: Events) -> Codes:
    """Return int32[P], the places of the persons that events name in alphabetical order."""
    named = np.unique(events.person[events.person != NOBODY])
    ranks = np.zeros(len(events.names), np.int32)
    ranks[named[events.names.texts_of(named).arg_sort().to_numpy()]] = np.arange(named.size)
    return ranks


def answer(events: pl.DataFrame, codes: Events, found: Codes) -> pl.DataFrame:
    """Return ``row, person, known`` of events, which belong to int32[N] persons or else to their devices."""
    person = codes.names.texts_of(found)
    return events.select(
        "row",
        person=pl.coalesce(person, "device"),
        known=person.is_not_null(),
    )


_NUMBERS: Final = nb.types.Array(nb.int64, 1, "C", readonly=True)
_CODES: Final = nb.types.Array(nb.int32, 1, "C", readonly=True)


@nb.njit(nogil=True)
def _walk_device(
    begin: int,
    end: int,
    order: Codes,
    times: _Numbers,
    persons: Codes,
    known: int,
    ranks: Codes,
    found: Codes,
) -> tuple[int, int, int]:
    """Walk one device's events; return its first known person, its last, and how often the person changed.

    It has changed -1 times where an instant needs ranks and has none.
    """
    first, transitions, place = known, 0, begin
    while place < end:
        instant, until = NOBODY, place
        while until < end and times[order[until]] == times[order[place]]:
            person = persons[order[until]]
            until += 1
            if person in (NOBODY, instant):
                continue
            if instant != NOBODY and not ranks.size:
                return first, known, -1
            instant = person if instant == NOBODY or ranks[person] < ranks[instant] else instant
        if instant != NOBODY:
            transitions += known not in (NOBODY, instant)
            first = instant if first == NOBODY else first
            known = instant
        for row in order[place:until]:
            found[row] = known if persons[row] == NOBODY else persons[row]
        place = until
    return first, known, transitions


@nb.njit(
    nb.boolean(
        _NUMBERS,
        _CODES,
        _NUMBERS,
        _CODES,
        _CODES,
        nb.int64,
        nb.int64,
        _CODES,
        nb.int32[::1],
        nb.int32[::1],
    ),
    nogil=True,
    cache=True,
)
def _walk_devices(
    offsets: _Numbers,
    order: Codes,
    times: _Numbers,
    persons: Codes,
    before: Codes,
    reach: int,
    transition_limit: int,
    ranks: Codes,
    found: Codes,
    after: Codes,
) -> bool:
    """Walk each device's events, O(events); return False where an instant needs ranks and has none.

    Args:
        offsets: int64[D + 1], the places of each device in the order.
        order: int32[N], rows by device and time.
        times: int64[N], by row.
        persons: int32[N], by row.
        before: int32[D], the persons known before.
        reach: to which events a person reaches: one of ``_TO_LATER``, ``_TO_ANONYMOUS``, ``_TO_ALL``.
        transition_limit: a device whose person changes more often keeps what its events said.
        ranks: int32[P], the alphabetical order of the persons, or empty.
        found: int32[N], the answer by row.
        after: int32[D], whom each device knows in the end.
    """
    for device in range(before.size):
        begin, end = offsets[device], offsets[device + 1]
        first, after[device], transitions = _walk_device(
            begin, end, order, times, persons, before[device], ranks, found
        )
        if transitions < 0:
            return False
        if transitions > transition_limit:
            for row in order[begin:end]:
                found[row] = persons[row]
        elif reach == _TO_ALL:
            for row in order[begin:end]:
                found[row] = after[device]
        elif reach == _TO_ANONYMOUS:
            place = begin
            while place < end and found[order[place]] == NOBODY:
                found[order[place]] = first
                place += 1
    return True
