"""Instants as wall-clock times of the session's zone: text shows them so, while all else stays in UTC.

The zone travels in the announced Arrow type: ``timestamp[us, tz=Europe/Berlin]``.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sqlfront.wire.text import INFINITE_TIME, SECOND, offset_text
from sqlfront.wire.types import CompositeType

UTC: Final = "UTC"


def in_zone(arrow_type: pa.DataType, zone: str) -> pa.DataType:
    """Return a type whose instants, also inside lists and structs, are of a zone."""
    if pa.types.is_timestamp(arrow_type):
        return pa.timestamp(arrow_type.unit, tz=zone) if arrow_type.tz else arrow_type
    if pa.types.is_list(arrow_type):
        field = arrow_type.value_field
        return pa.list_(field.with_type(in_zone(field.type, zone)))
    if pa.types.is_map(arrow_type):
        return pa.map_(in_zone(arrow_type.key_type, zone), in_zone(arrow_type.item_type, zone))
    if isinstance(arrow_type, CompositeType):
        return arrow_type.over(in_zone(arrow_type.storage_type, zone))
    if pa.types.is_struct(arrow_type):
        return pa.struct([field.with_type(in_zone(field.type, zone)) for field in arrow_type])
    return arrow_type


def offsets(array: pa.Array) -> npt.NDArray[np.int64]:
    """Return the seconds that each instant's local time is ahead of UTC; 0 for NULL and infinities.

    Args:
        array: of microseconds with a time zone.
    """
    utc = _micros(array)
    local = _micros(pc.local_timestamp(array))
    ahead = np.where(np.abs(utc) >= INFINITE_TIME, 0, local - utc)
    return ahead // SECOND


def _micros(array: pa.Array) -> npt.NDArray[np.int64]:
    return np.asarray(pc.fill_null(array.cast(pa.int64()), 0).to_numpy(zero_copy_only=False), np.int64)


def local_times(array: pa.Array) -> list[tuple[int, str] | None]:
    """Return (microseconds of the local time since 1970, offset as ``+02``), None where NULL."""
    array = pc.cast(array, pa.timestamp("us", array.type.tz), safe=False)
    utc: list[Any] = array.cast(pa.int64()).to_pylist()
    ahead = offsets(array).tolist() if array.type.tz != UTC else [0] * len(array)
    return [
        None if micros is None else (micros + seconds * SECOND, offset_text(seconds))
        for micros, seconds in zip(utc, ahead, strict=True)
    ]
