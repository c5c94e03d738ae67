"""What each event of a person gets credit for: conversion by conversion, by the kernels of reports.

A report adds up the credit of many conversions at once; here each of them is credited alone, so that it
can be said which touch got how much of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from attribution.credit import credit
from attribution.models import SINGLES, Codes, Mask, Rows, Values
from attribution.rows import mask_of
from attribution.spans import Spans
from engine.dataview.components import Component
from engine.dataview.values import numbers
from engine.report.conversions import Amounts, Conversions, conversions, rule_of, singles_of, spans_of
from engine.report.frame import Frame
from engine.report.plan import Lane

ONE = Codes(np.zeros(1, np.int32), 1)
"""The key of a conversion that is alone."""


@dataclass(frozen=True)
class Given:
    """Who gets the credit among N events.

    Attributes:
        touches: uint8[N], events that may get credit.
        conversions: uint8[N], events that have some to give.
        rows: int32[E], an event that got credit.
        sources: int32[E], the conversion that it got it from, ascending for each event.
        credit: float64[E].
        lost: float64[N], of conversions that have no touch.
    """

    touches: Mask
    conversions: Mask
    rows: Rows
    sources: Rows
    credit: Values
    lost: Values

    def by_event(self) -> Values:
        """Return float64[N]: the credit of each event."""
        sums: Values = np.bincount(self.rows, self.credit, self.touches.size).astype(np.float64, copy=False)
        return sums


def given(frame: Frame, lane: Lane, metric: Component) -> Given:
    """Say who gets the credit of one metric.

    Raises:
        CancelledError: the question was cancelled.
    """
    return _on_own_event(frame, metric) if lane.attribution is None else _by_touch(frame, lane, metric)


def _on_own_event(frame: Frame, metric: Component) -> Given:
    """Without an attribution each event keeps its own credit."""
    values = numbers(frame.shown(metric))
    happened = values != 0.0
    if frame.chosen is not None:
        happened &= frame.chosen.view(np.bool_)
    rows = np.flatnonzero(happened).astype(np.int32)
    nothing = np.zeros(values.size, np.uint8)
    return Given(nothing, happened.view(np.uint8), rows, rows, values[rows], np.zeros(values.size))


def _by_touch(frame: Frame, lane: Lane, metric: Component) -> Given:
    found, events = conversions(frame, lane), frame.chunk.rows
    amounts = found.amounts[metric.id]
    nothing = (np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0))
    entries = [nothing, *_entries(frame, lane, found, amounts)]
    touches, sources, credit = (np.concatenate(column) for column in zip(*entries, strict=True))
    rows = found.touch_rows(touches)
    got = rows >= 0
    lost: Values = np.bincount(sources[~got], credit[~got], events).astype(np.float64, copy=False)
    order = np.lexsort((sources[got], rows[got]))
    return Given(
        mask_of(found.touches.rows, events),
        mask_of(amounts.rows, events),
        rows[got][order],
        sources[got][order],
        credit[got][order],
        lost,
    )


def _entries(
    frame: Frame, lane: Lane, found: Conversions, amounts: Amounts
) -> Iterator[tuple[Rows, Rows, Values]]:
    """Yield numbers of touches (-1 for none), rows of the conversions, and the credit."""
    rule, touches = rule_of(lane), found.touches
    if rule.model in SINGLES:
        yield singles_of(lane, found, amounts.rows), amounts.rows, amounts.values
        return
    spans, items = spans_of(lane, found, amounts.rows), found.item_codes()
    for place, (begin, end) in enumerate(zip(spans.begins, spans.ends, strict=True)):
        frame.statements.check()
        span = Spans(np.zeros(1, np.int32), np.full(1, end - begin, np.int32))
        own = Codes(items.codes[begin:end], items.distinct)
        part = credit(rule, touches.times[begin:end], own, span, amounts.values[place : place + 1], ONE)
        numbers_of = np.where(part.touches < 0, part.touches, part.touches + begin).astype(np.int32)
        yield numbers_of, np.full(part.touches.size, amounts.rows[place], np.int32), part.credit
