"""Compiled loops that print whole columns: numbers and times as text.

Each row's text goes into its own slot of WIDTH bytes: a place and a length. Bits of Arrow tell which values
are NULL. Importing this compiles, which takes seconds on a machine that has never done it.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import numba as nb
import numpy as np
import numpy.typing as npt

Bytes: TypeAlias = npt.NDArray[np.uint8]
Lengths: TypeAlias = npt.NDArray[np.int32]
Numbers: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]

WIDTH: Final = 32
"""Bytes of a slot: the longest text is ``9999-12-31 23:59:59.999999+15:59``."""

NULL: Final = -1
"""Length of a value that is NULL."""

UNWRITTEN: Final = -2
"""Length of a float that ``write_floats`` leaves to others."""

BYTES: Final = nb.types.Array(nb.uint8, 1, "C", readonly=True)
LENGTHS: Final = nb.types.Array(nb.int32, 1, "C", readonly=True)
_NUMBERS: Final = nb.types.Array(nb.int64, 1, "C", readonly=True)
_FLOATS: Final = nb.types.Array(nb.float64, 1, "C", readonly=True)
BITS: Final = (BYTES, nb.int64)
_SLOTS: Final = (nb.uint8[::1], nb.int32[::1], nb.int32[::1])
_POWERS: Final = np.array([10.0**exponent for exponent in range(7)])
_MOST_DIGITS: Final = 1e15
_LEAST: Final = 1e-4
_HYPHEN, _DOT, _ZERO, _COLON, _SPACE = b"-.0: "
_SECOND: Final = 1_000_000
_DAY: Final = 86_400 * _SECOND
_DAYS_BEFORE_1970: Final = 719_468
_DAYS_IN_ERA: Final = 146_097


@nb.njit(nogil=True)
def _is_present(bits: Bytes, first: int, row: int) -> Any:
    """Tell whether a row has a value.

    Args:
        bits: Arrow's, of eight values a byte, the lowest first; empty if nothing is NULL.
        first: place of the first row's bit.
        row: the row.
    """
    place = first + row
    return bits.size == 0 or (bits[place >> 3] >> (place & 7)) & 1


@nb.njit(nogil=True)
def _digits(slots: Bytes, end: int, number: Any) -> int:
    """Write an unsigned number that ends before a place; return where it begins."""
    at = end
    while number >= nb.uint64(10):
        rest = number // nb.uint64(10)
        at -= 1
        slots[at] = _ZERO + nb.uint8(number - rest * nb.uint64(10))
        number = rest
    at -= 1
    slots[at] = _ZERO + nb.uint8(number)
    return at


@nb.njit(nb.void(_NUMBERS, *BITS, *_SLOTS), nogil=True, cache=True)
def write_integers(
    numbers: Numbers, bits: Bytes, first: int, slots: Bytes, starts: Lengths, lengths: Lengths
) -> None:
    """Print integers, each to the end of its slot.

    Args:
        numbers: int64[R].
        bits: which are not NULL; empty if all are.
        first: place of the first row's bit.
        slots: uint8[R * WIDTH], written.
        starts: int32[R], written.
        lengths: int32[R], written.
    """
    for row in range(numbers.size):
        if not _is_present(bits, first, row):
            lengths[row] = NULL
            continue
        number = numbers[row]
        end = (row + 1) * WIDTH
        at = _digits(slots, end, nb.uint64(-number if number < 0 else number))
        if number < 0:
            at -= 1
            slots[at] = _HYPHEN
        starts[row] = at
        lengths[row] = end - at


@nb.njit(nogil=True)
def _scaled(value: float) -> tuple[Any, int]:
    """Return the shortest decimal as (digits, decimals): the first that reads back; decimals -1 if none."""
    for decimals in range(7):
        digits = np.rint(value * _POWERS[decimals])
        if digits >= _MOST_DIGITS:
            return 0, -1
        if digits / _POWERS[decimals] == value:
            return nb.int64(digits), decimals
    return 0, -1


@nb.njit(nogil=True)
def _with_point(slots: Bytes, end: int, digits: int, decimals: int) -> Any:
    """Write digits of which some are decimals, up to a place; return where they begin."""
    at, number = end, nb.uint64(digits)
    for _ in range(decimals):
        rest = number // nb.uint64(10)
        at -= 1
        slots[at] = _ZERO + nb.uint8(number - rest * nb.uint64(10))
        number = rest
    if decimals:
        at -= 1
        slots[at] = _DOT
    return _digits(slots, at, number)


@nb.njit(nb.int64(_FLOATS, *BITS, *_SLOTS), nogil=True, cache=True)
def write_floats(
    values: Floats, bits: Bytes, first: int, slots: Bytes, starts: Lengths, lengths: Lengths
) -> int:
    """Print numbers that have at most six decimals and fifteen digits; return how many others there are.

    A decimal of at most fifteen digits that reads back as a number is the shortest that does, and the only
    one of its length: a double tells more digits apart. Arguments are those of ``write_integers``, with
    float64[R]; others get the length UNWRITTEN.
    """
    unwritten = 0
    for row in range(values.size):
        if not _is_present(bits, first, row):
            lengths[row] = NULL
            continue
        value = abs(values[row])
        digits, decimals = _scaled(value)
        if decimals < 0 or (value < _LEAST and value != 0.0):
            lengths[row] = UNWRITTEN
            unwritten += 1
            continue
        end = (row + 1) * WIDTH
        at = _with_point(slots, end, digits, decimals)
        if np.signbit(values[row]):
            at -= 1
            slots[at] = _HYPHEN
        starts[row] = at
        lengths[row] = end - at
    return unwritten


@nb.njit(nogil=True)
def _divided(number: Any, divisor: int) -> Any:
    """Return a quotient of two positive numbers of 32 bits: without signs, it takes a third of the time."""
    return nb.int64(nb.uint32(number) // nb.uint32(divisor))


@nb.njit(nogil=True)
def _two(slots: Bytes, at: int, number: Any) -> None:
    tens = _divided(number, 10)
    slots[at] = _ZERO + tens
    slots[at + 1] = _ZERO + number - 10 * tens


@nb.njit(nogil=True)
def _day(slots: Bytes, at: int, days: int) -> None:
    """Write the ten characters of a day of the years 1 to 9999, given in days since 1970.

    Years begin in March here, so that a leap day is a year's last (H. Hinnant, "chrono-compatible low-level
    date algorithms").
    """
    shifted = days + _DAYS_BEFORE_1970
    era = _divided(shifted, _DAYS_IN_ERA)
    day = shifted - era * _DAYS_IN_ERA
    year = _divided(day - _divided(day, 1460) + _divided(day, 36_524) - _divided(day, 146_096), 365)
    day -= 365 * year + _divided(year, 4) - _divided(year, 100)
    month = _divided(5 * day + 2, 153)
    day -= _divided(153 * month + 2, 5)
    year += 400 * era + (1 if month >= 10 else 0)
    century = _divided(year, 100)
    _two(slots, at, century)
    _two(slots, at + 2, year - 100 * century)
    slots[at + 4] = _HYPHEN
    _two(slots, at + 5, month - 9 if month >= 10 else month + 3)
    slots[at + 7] = _HYPHEN
    _two(slots, at + 8, day + 1)


@nb.njit(nb.void(_NUMBERS, *BITS, *_SLOTS), nogil=True, cache=True)
def write_dates(
    days: Numbers, bits: Bytes, first: int, slots: Bytes, starts: Lengths, lengths: Lengths
) -> None:
    """Print days since 1970 of the years 1 to 9999; arguments are those of ``write_integers``."""
    for row in range(days.size):
        if not _is_present(bits, first, row):
            lengths[row] = NULL
            continue
        starts[row] = row * WIDTH
        lengths[row] = 10
        _day(slots, row * WIDTH, days[row])


@nb.njit(nogil=True)
def _clock(slots: Bytes, at: int, micros: int) -> int:
    """Write a time of day without trailing zeros of its fraction; return where it ends."""
    seconds = nb.int64(nb.uint64(micros) // nb.uint64(_SECOND))
    fraction = micros - seconds * _SECOND
    minutes = _divided(seconds, 60)
    hours = _divided(minutes, 60)
    _two(slots, at, hours)
    slots[at + 2] = _COLON
    _two(slots, at + 3, minutes - 60 * hours)
    slots[at + 5] = _COLON
    _two(slots, at + 6, seconds - 60 * minutes)
    if fraction == 0:
        return at + 8
    slots[at + 8] = _DOT
    first, last = _divided(fraction, 10_000), _divided(fraction, 100)
    _two(slots, at + 9, first)
    _two(slots, at + 11, last - 100 * first)
    _two(slots, at + 13, fraction - 100 * last)
    end = at + 15
    while slots[end - 1] == _ZERO:
        end -= 1
    return end


@nb.njit(nb.void(_NUMBERS, *BITS, BYTES, *_SLOTS), nogil=True, cache=True)
def write_moments(
    micros: Numbers, bits: Bytes, first: int, zone: Bytes, slots: Bytes, starts: Lengths, lengths: Lengths
) -> None:
    """Print microseconds since 1970 of the years 1 to 9999.

    Args:
        zone: follows each (``+00``), at most six bytes.
    """
    for row in range(micros.size):
        if not _is_present(bits, first, row):
            lengths[row] = NULL
            continue
        at = row * WIDTH
        days = micros[row] // _DAY
        _day(slots, at, days)
        slots[at + 10] = _SPACE
        end = _clock(slots, at + 11, micros[row] - days * _DAY)
        for character in zone:
            slots[end] = character
            end += 1
        starts[row] = at
        lengths[row] = end - at
