"""Text, numbers and Arrow moments as timestamps (µs UTC) and dates, whole columns at a time.

Text is ISO-8601, in UTC where it has no offset, or epoch milliseconds in digits.
"""

from __future__ import annotations

from typing import Final

import polars as pl
import pyarrow as pa

_ISO: Final = (
    r"^\s*(\d{4}-\d{2}-\d{2})"
    r"(?:[Tt ](\d{2}:\d{2})(?::(\d{2}))?(?:[.,](\d+))?\s*(?:(Z|z|UTC)|([+-]\d{2}):?(\d{2})?)?)?\s*$"
)
_FIRST: Final = -62_135_596_800_000_000
_LAST: Final = 253_402_300_799_999_999
_MICROSECONDS_PER: Final = {"s": 1_000_000, "ms": 1000, "us": 1}
_MICROSECONDS: Final = pl.Datetime("us", "UTC")


def timestamps_from_text(text: pa.Array) -> pa.Array:
    """Return timestamps; NULL where the text is none."""
    for zone in ("UTC", None):
        try:
            moments = text.cast(pa.timestamp("us", tz=zone))
        except pa.ArrowInvalid:
            continue
        return moments.cast(pa.timestamp("us", tz="UTC"))
    return _parsed(pl.Series(text))


def timestamps_from_numbers(milliseconds: pl.Series) -> pl.Series:
    """Return timestamps from whole epoch milliseconds; NULL outside the years 1 to 9999."""
    return _scaled(milliseconds, 1000)


def timestamps_from_moments(moments: pa.Array) -> pl.Series:
    """Return Arrow timestamps of any unit and zone in µs UTC; NULL outside the years 1 to 9999."""
    ticks = pl.Series(moments.cast(pa.int64()))
    if moments.type.unit == "ns":
        return _scaled(ticks // 1000, 1)
    return _scaled(ticks, _MICROSECONDS_PER[moments.type.unit])


def _scaled(ticks: pl.Series, factor: int) -> pl.Series:
    inside = ticks.is_between(_FIRST // factor, _LAST // factor)
    kept = ticks.zip_with(inside, pl.Series([None], dtype=pl.Int64))
    return (kept * factor).cast(_MICROSECONDS)


def dates_from_text(text: pl.Series) -> pl.Series:
    """Return dates from ISO dates or epoch milliseconds; NULL where the text is neither."""
    stripped = text.str.strip_chars()
    dates = stripped.str.to_date("%Y-%m-%d", strict=False)
    digits = stripped.cast(pl.Int64, strict=False)
    return dates.fill_null(timestamps_from_numbers(digits).cast(pl.Date))


def _parsed(text: pl.Series) -> pa.Array:
    parts = text.str.extract_groups(_ISO).struct.unnest()
    day, minute, second, fraction, _, hours, minutes = parts.get_columns()
    clock = minute.fill_null("00:00") + ":" + second.fill_null("00")
    wall = (day + " " + clock).str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False, time_unit="us")
    micros = fraction.fill_null("").str.slice(0, 6).str.pad_end(6, "0").cast(pl.Int64)
    sign = hours.str.starts_with("-").cast(pl.Int64) * -2 + 1
    offset = hours.cast(pl.Int64, strict=False) * 60 + sign * minutes.fill_null("00").cast(pl.Int64)
    ticks = wall.cast(pl.Int64) + micros - offset.fill_null(0) * 60_000_000
    digits = text.str.strip_chars().cast(pl.Int64, strict=False)
    found = ticks.cast(_MICROSECONDS).fill_null(timestamps_from_numbers(digits))
    return found.to_arrow()
