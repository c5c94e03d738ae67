"""Times as a person writes them, in a data view's zone, as the range of a report."""

from __future__ import annotations

from datetime import UTC, date, datetime

from engine.dataview.local_time import to_utc
from engine.errors import InputError
from engine.report.request import TimeRange


def range_of(start: str | None, end: str | None, zone: str) -> TimeRange:
    """Return the range from a time up to another one, which is not part of it; None leaves a side open.

    Args:
        start, end: such as ``2026-03-01`` or ``2026-03-01 12:30``; with an offset, or in the zone.
        zone: name of the view's time zone.

    Raises:
        InputError: one of them is no time, or the range is empty.
    """
    begin, until = _moment(start, zone), _moment(end, zone)
    if begin is not None and until is not None and begin >= until:
        hint = "The end is not included: the first day after is right."
        raise InputError(f"the range from {start} to {end} ends before it begins, or at once", hint=hint)
    return TimeRange(begin, until)


def instant_of(moment: date | str) -> datetime:
    """Return an instant in UTC: a time or a day (its beginning), read in UTC where it has no offset.

    Raises:
        InputError: it is no time.
    """
    if isinstance(moment, str):
        moment = _read(moment)
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day)
    try:
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        raise InputError(f"{moment} is not a time", hint="Write a year from 1 to 9999.") from None


def _moment(text: str | None, zone: str) -> int | None:
    if text is None:
        return None
    return to_utc(_read(text), zone)


def _read(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError):
        raise InputError(f"{text!r} is not a time", hint="Write 2026-03-01 or 2026-03-01 12:30.") from None
