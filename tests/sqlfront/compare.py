"""Compares answers as bags of rows; floats may differ in the last digits, times and dates in their type."""

from __future__ import annotations

import math
from datetime import date, datetime
from decimal import Decimal


def _plain(value):
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, (int, Decimal)):
        return float(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day)
    return value


def _key(row):
    return [(value is None, f"{value:.6g}" if isinstance(value, float) else str(value)) for value in row]


def _equal(left, right):
    if isinstance(left, float) and isinstance(right, float):
        return math.isclose(left, right, rel_tol=1e-9, abs_tol=1e-9)
    return left == right


def same_rows(ours, theirs):
    ours = sorted(([_plain(value) for value in row] for row in ours), key=_key)
    theirs = sorted(([_plain(value) for value in row] for row in theirs), key=_key)
    assert len(ours) == len(theirs), f"{len(ours)} rows, not {len(theirs)}:\n{ours[:5]}\n{theirs[:5]}"
    for left, right in zip(ours, theirs, strict=True):
        assert len(left) == len(right), (left, right)
        assert all(map(_equal, left, right)), f"{left} is not {right}"
