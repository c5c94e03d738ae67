"""Paths: the touches that led to a conversion, and those that led to none."""

from __future__ import annotations

import numpy as np

from attribution.models import Rows
from attribution.spans import Spans


def last_touches(containers: Rows, counted: Rows) -> Rows:
    """Return int32[L]: the number of the last touch that counts in each container that has one.

    Args:
        containers: int32[T], the container of each touch, ascending.
        counted: int32[K], the numbers of the touches that count, ascending.
    """
    own = containers[counted]
    lasts: Rows = counted[np.append(own[1:] != own[:-1], True)[: own.size]]
    return lasts


def after_conversions(spans: Spans, containers: Rows, conversions: Rows, passed: Rows) -> Spans:
    """Return spans without the touches that came before the last conversion of their container.

    Args:
        spans: L spans, the touches that count at the last touch of a container each.
        containers: int32[L], the container of each span, ascending.
        conversions: int32[C], the container of each conversion, ascending.
        passed: int32[C], how many touches came up to each conversion, in all containers.
    """
    lasts = np.searchsorted(conversions, containers, side="right") - 1
    own = np.append(conversions, np.int32(-1))[lasts] == containers
    floors = np.where(own, np.append(passed, np.int32(0))[lasts], 0)
    return Spans(np.maximum(spans.begins, floors).astype(np.int32), spans.ends)


def with_touches(spans: Spans) -> Rows:
    """Return int32[K]: the numbers of the spans that have a touch."""
    return np.flatnonzero(spans.begins < spans.ends).astype(np.int32)


def picked(spans: Spans, numbers: Rows) -> Spans:
    """Return some of the spans."""
    return Spans(spans.begins[numbers], spans.ends[numbers])
