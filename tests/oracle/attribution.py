"""Attribution of one person's conversions: collect the touches of each conversion and split it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Share:
    """A part of a conversion's value, given to a touch (None: to no touch at all)."""

    touch: int | None
    conversion: int
    value: float


def shares(
    times: Sequence[int],
    items: Sequence[object | None],
    values: Sequence[float],
    sessions: Sequence[int],
    *,
    model: str,
    container: str,
    lookback: int | None = None,
) -> list[Share]:
    """Return the shares of all conversions of one person; events are named by their position.

    Args:
        times: event times in journey order.
        items: the dimension's value on each event; None makes no touch.
        values: the metric on each event; 0 is no conversion.
        sessions: session number of each event.
        model: ``last``, ``first``, ``same`` or ``linear``.
        container: ``session`` or ``person``.
        lookback: a touch counts if it is no older than this; None for no limit.
    """
    found: list[Share] = []
    for conversion, value in enumerate(values):
        if value == 0:
            continue
        touches = [
            event
            for event in range(conversion + 1)
            if items[event] is not None
            and (container == "person" or sessions[event] == sessions[conversion])
            and (lookback is None or times[conversion] - times[event] <= lookback)
        ]
        credited = _credited(model, touches, conversion)
        found += [Share(touch, conversion, value / len(credited)) for touch in credited]
        if not credited:
            found.append(Share(None, conversion, value))
    return found


def _credited(model: str, touches: list[int], conversion: int) -> list[int]:
    if model == "same":
        return [touch for touch in touches if touch == conversion]
    return {"last": touches[-1:], "first": touches[:1], "linear": touches}[model]


def by_item(found: Sequence[Share], items: Sequence[object | None]) -> Mapping[object, float]:
    """Return item → credit; None holds what went to no touch."""
    totals: dict[object, float] = defaultdict(float)
    for share in found:
        totals[None if share.touch is None else items[share.touch]] += share.value
    return totals


def by_touch_and_key(
    found: Sequence[Share], keys: Sequence[Hashable]
) -> Mapping[tuple[int | None, Hashable], float]:
    """Return (touch, key of the conversion) → credit."""
    totals: dict[tuple[int | None, Hashable], float] = defaultdict(float)
    for share in found:
        totals[share.touch, keys[share.conversion]] += share.value
    return totals
