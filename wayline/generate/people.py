"""Who visits: persons with skewed activity, their devices, households that share one, customer ids.

A person is a number below the population's size; all about a person or device follows from it.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from wayline.generate import shop
from wayline.generate.randomness import Codes, Draws, Numbers, mixed, pick, stream_key, uniform

EVENTS_PER_PERSON: Final = 20
REGISTERED: Final = 0.6
"""Share of persons who have a customer id."""
SHARING: Final = 0.15
"""Share of households (two persons each) that share a device."""
_HEAD: Final = 1e-4
_SHARED: Final = 3


def population(events: int) -> int:
    """Return how many persons there are for a number of web events."""
    return max(events // EVENTS_PER_PERSON, 50)


def person_at(draws: Draws, persons: int) -> Numbers:
    """Turn draws into persons whose activity falls with rank like a Pareto law of shape 1.5.

    A person of rank x (0 … 1) is drawn with density ∝ (x + head)^(−2/3); the head keeps the most
    active at about 160 times the average, so that they are busy people and not machines.
    """
    low, high = np.cbrt(_HEAD), np.cbrt(1 + _HEAD)
    rank = (low + draws * (high - low)) ** 3 - _HEAD
    person: Numbers = (rank * persons).clip(0, persons - 1).astype(np.uint64)
    return person


def is_registered(seed: int, persons: Numbers) -> NDArray[np.bool_]:
    """Return which persons have a customer id."""
    return uniform(seed, "registered", persons) < REGISTERED


def countries(seed: int, persons: Numbers) -> Codes:
    """Return the country code of each person."""
    return pick(uniform(seed, "country", persons), list(shop.COUNTRIES.values()))


def customer_numbers(seed: int, persons: Numbers) -> NDArray[np.int64]:
    """Return the 10-digit number in each person's customer id; one-to-one, and it tells no rank."""
    mask = np.uint64(0xFFFFFFFF)
    word = (persons * np.uint64(0x9E3779B1) + stream_key(seed, "customer")) & mask
    word ^= word >> np.uint64(15)
    word = (word * np.uint64(0x85EBCA77)) & mask
    word ^= word >> np.uint64(13)
    return word.astype(np.int64)


def devices(seed: int, sessions: Numbers, persons: Numbers) -> Numbers:
    """Return the device on which each session runs.

    A person owns one to three devices and uses the first most; in a sharing household a third of
    the sessions run on the household's device.
    """
    owned = 1 + pick(uniform(seed, "devices", persons), (0.5, 0.35, 0.15))
    turn = pick(uniform(seed, "which device", sessions), (0.6, 0.25, 0.15))
    own = persons * np.uint64(4) + (turn % owned).astype(np.uint64)
    household = persons // np.uint64(2)
    shares = uniform(seed, "household", household) < SHARING
    shares &= uniform(seed, "shared device", sessions) < 1 / 3
    return np.where(shares, household * np.uint64(4) + np.uint64(_SHARED), own)


def device_types(seed: int, device: Numbers) -> Codes:
    """Return the type code of each device."""
    return pick(uniform(seed, "device type", device), list(shop.DEVICE_TYPES.values()))


def known_from(seed: int, device: Numbers) -> NDArray[np.int64]:
    """Return the day from which visitors log in on each device; a third do from the first day."""
    late = (uniform(seed, "known from", device) - 0.35) / 0.65
    day: NDArray[np.int64] = np.floor(late.clip(0) * shop.DAYS).astype(np.int64)
    return day


def device_numbers(seed: int, device: Numbers) -> Numbers:
    """Return the 64-bit number that is written as a device id; one-to-one."""
    return mixed(device, stream_key(seed, "device id"))
