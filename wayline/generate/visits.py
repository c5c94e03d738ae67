"""What happens on one day: sessions of page views, logins and orders, as columns of numbers.

Days count from the quarter's first one; there are days before and after the quarter too, on which the
same people use the same devices in the quarter's rhythm. A session is a landing (which alone carries
channel and campaign), page views a minute or two apart, perhaps a login, and perhaps a cart, a checkout
and a purchase at its end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from wayline.generate import people, shop
from wayline.generate.randomness import Numbers, pick, uniform, waiting

Columns = dict[str, NDArray[Any]]

MEAN_LENGTH: Final = 5.0
LONGEST: Final = 60
MEAN_GAP: Final = 85_000_000
"""Mean time between two events of a session, beyond one second, in microseconds."""
LANDINGS_WITH_CHANNEL: Final = 0.6
ORDERING: Final = 0.08
"""Share of the sessions of three or more events that end in a purchase."""
NEVER: Final = 255
NONE: Final = -1


@dataclass(frozen=True)
class Plan:
    """What is generated: the number of distinct web events, and the seed."""

    events: int
    seed: int

    @property
    def persons(self) -> int:
        """Number of persons, some of whom may never visit."""
        return people.population(self.events)

    def events_on(self, day: int) -> int:
        """Return the exact number of web events of one day; any quarter's days add up to ``events``."""
        edges = np.rint(np.cumsum(np.append(0.0, shop.day_weights())) * self.events)
        place = day % shop.DAYS
        return int(edges[place + 1] - edges[place])


def take(columns: Columns, rows: NDArray[Any] | slice) -> Columns:
    """Return the given rows (indices, mask or slice) of all columns."""
    return {name: values[rows] for name, values in columns.items()}


def slices(columns: Columns, rows: int) -> Iterator[Columns]:
    """Yield the columns in slices of at most so many rows; at least one slice."""
    total = len(next(iter(columns.values())))
    for first in range(0, max(total, 1), rows):
        yield take(columns, slice(first, first + rows))


def sessions(plan: Plan, day: int) -> Columns:
    """Return one row per session that starts on the day; lengths add up to the day's events."""
    number, length = _lengths(plan, day)
    seed = plan.seed
    person = people.person_at(uniform(seed, "person", number), plan.persons)
    device = people.devices(seed, number, person)
    ordering = (uniform(seed, "order", number) < ORDERING) & (length >= 3)
    channel, campaign = _landing(seed, number)
    return {
        "session": number,
        "person": person,
        "device": device,
        "start": _starts(seed, number, day),
        "length": length,
        "login": _logins(seed, day, number, person, device, length, ordering),
        "ordering": ordering,
        "channel": channel,
        "campaign": campaign,
    }


def events(plan: Plan, day: int) -> Columns:
    """Return one row per web event of the sessions that start on the day, session by session."""
    visit = sessions(plan, day)
    length = visit["length"]
    rows = np.repeat(np.arange(length.size), length)
    first = np.cumsum(length) - length
    position = np.arange(rows.size) - first[rows]
    key = (visit["session"][rows] << np.uint64(8)) | position.astype(np.uint64)
    page, event = _pages(plan.seed, key, position, take(visit, rows))
    landing = position == 0
    known = position >= visit["login"][rows]
    return {
        "key": key,
        "time": _times(plan.seed, key, visit["start"], first, rows),
        "person": visit["person"][rows],
        "device": visit["device"][rows],
        "known": known,
        "channel": np.where(landing, visit["channel"][rows], NONE).astype(np.int8),
        "campaign": np.where(landing, visit["campaign"][rows], NONE).astype(np.int8),
        "page": page,
        "event": event,
    }


def _lengths(plan: Plan, day: int) -> tuple[Numbers, NDArray[np.int64]]:
    """Return session numbers and lengths; the lengths add up to the day's events exactly."""
    wanted = plan.events_on(day)
    # Twice the expected number of sessions plus a few is always enough: lengths average five.
    count = int(2 * wanted / MEAN_LENGTH) + 100
    # Days before the quarter count down from the top of 16 bits, so that each has numbers of its own.
    number = np.arange(count, dtype=np.uint64) | np.uint64((day & 0xFFFF) << 24)
    draws = uniform(plan.seed, "length", number)
    length = 1 + np.floor(np.log1p(-draws) / np.log1p(-1 / MEAN_LENGTH)).astype(np.int64)
    np.minimum(length, LONGEST, out=length)
    total = np.cumsum(length)
    used = int(np.searchsorted(total, wanted)) + 1 if wanted else 0
    if used:
        length[used - 1] -= total[used - 1] - wanted
    return number[:used], length[:used]


def _starts(seed: int, number: Numbers, day: int) -> NDArray[np.int64]:
    edges = np.append(0.0, np.cumsum(shop.HOURS)) / np.sum(shop.HOURS)
    share = np.interp(uniform(seed, "start", number), edges, np.arange(25) / 24)
    return shop.START + day * shop.DAY + np.floor(share * shop.DAY).astype(np.int64)


def _landing(seed: int, number: Numbers) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """Return channel and campaign codes of each session's landing, NONE for a direct visit."""
    channel = pick(uniform(seed, "channel", number), list(shop.CHANNELS.values()))
    theme = pick(uniform(seed, "campaign", number), (3, 2, 2, 1, 1))
    campaign = channel * np.int8(len(shop.THEMES)) + theme
    for unpaid in shop.UNPAID:
        campaign[channel == shop.code(shop.CHANNELS, unpaid)] = NONE
    direct = uniform(seed, "direct", number) >= LANDINGS_WITH_CHANNEL
    channel[direct] = NONE
    campaign[direct] = NONE
    return channel, campaign


def _logins(
    seed: int,
    day: int,
    number: Numbers,
    person: Numbers,
    device: Numbers,
    length: NDArray[np.int64],
    ordering: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """Return the position from which each session is logged in (0: remembered), or NEVER.

    Only registered persons log in, on devices where they already do so, in half of the sessions (before
    the quarter as on its first day); who orders logs in at the checkout at the latest, unless they have
    no customer id.
    """
    willing = (uniform(seed, "log in", number) < 0.5) & (people.known_from(seed, device) <= max(day, 0))
    position = np.floor(uniform(seed, "login position", number) * 2 * length).astype(np.int64) - length
    position = np.where(willing, position.clip(0), NEVER)
    position = np.where(ordering, np.minimum(position, length - 2), position)
    return np.where(people.is_registered(seed, person), position, NEVER)


def _times(
    seed: int,
    key: Numbers,
    start: NDArray[np.int64],
    first: NDArray[np.int64],
    rows: NDArray[np.int64],
) -> NDArray[np.int64]:
    gap = 1_000_000 + waiting(uniform(seed, "gap", key), MEAN_GAP).astype(np.int64)
    elapsed = np.cumsum(gap)
    return start[rows] + elapsed - elapsed[first][rows]


def _pages(
    seed: int, key: Numbers, position: NDArray[np.int64], visit: Columns
) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """Return page and event codes; later rules overwrite earlier ones."""
    page = pick(uniform(seed, "page", key), list(shop.PAGES.values()))
    event = np.full(page.size, shop.code(shop.EVENTS, "page view"), np.int8)
    on_product = page == shop.code(shop.PAGES, "product")
    adds = on_product & (uniform(seed, "add", key) < 0.04)
    remaining = np.where(visit["ordering"], visit["length"] - position, NEVER)
    rules = (
        (on_product, "product", "product view"),
        (adds, "product", "add to cart"),
        ((position == visit["login"]) & (position > 0), "login", "login"),
        (remaining == 3, "cart", "add to cart"),
        (remaining == 2, "checkout", "checkout"),
        (remaining == 1, "order complete", "purchase"),
    )
    for rows, page_name, event_name in rules:
        page[rows] = shop.code(shop.PAGES, page_name)
        event[rows] = shop.code(shop.EVENTS, event_name)
    return page, event
