"""Attribution of one person's conversions: collect the touches of each conversion and split it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext

MODELS = (
    "last",
    "first",
    "same",
    "linear",
    "participation",
    "u_shaped",
    "j_curve",
    "inverse_j",
    "time_decay",
    "custom",
)
NAMED_WEIGHTS = {"u_shaped": (40, 20, 40), "j_curve": (20, 20, 60), "inverse_j": (60, 20, 20)}


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
    half_life: int = 7,
    weights: tuple[float, float, float] = (30, 40, 30),
) -> list[Share]:
    """Return the shares of all conversions of one person; events are named by their position.

    Args:
        times: event times in journey order.
        items: the dimension's value on each event; None makes no touch.
        values: the metric on each event; 0 is no conversion.
        sessions: session number of each event.
        model: one of ``MODELS``.
        container: ``session`` or ``person``.
        lookback: a touch counts if it is no older than this; None for no limit.
        half_life: of time decay.
        weights: starter, player and closer of the custom model.
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
        parts = split(
            model,
            touches,
            conversion,
            times=times,
            items=items,
            half_life=half_life,
            weights=weights,
        )
        found += [Share(touch, conversion, value * part) for touch, part in parts]
    return found


def split(
    model: str,
    touches: Sequence[int],
    conversion: int,
    *,
    times: Sequence[int],
    items: Sequence[object],
    half_life: int,
    weights: tuple[float, float, float],
) -> list[tuple[int | None, float]]:
    """Return which of a conversion's touches get which part of it.

    Args:
        model: one of ``MODELS``.
        touches: positions of the touches that count, in journey order.
        conversion: position of the conversion.
        times: of the events.
        items: of the events.
        half_life: of time decay.
        weights: starter, player and closer of the custom model.
    """
    if model == "same":
        return [(conversion if conversion in touches else None, 1.0)]
    if not touches:
        return [(None, 1.0)]
    if model == "last":
        return [(touches[-1], 1.0)]
    if model == "first":
        return [(touches[0], 1.0)]
    if model == "participation":
        latest = {items[touch]: touch for touch in touches}
        return [(touch, 1.0) for touch in latest.values()]
    if model == "linear":
        parts = [1.0] * len(touches)
    elif model == "time_decay":
        parts = _decayed([times[conversion] - times[touch] for touch in touches], half_life)
    else:
        parts = _by_place(len(touches), *NAMED_WEIGHTS.get(model, weights))
    total = sum(parts)
    return [(touch, float(part / total)) for touch, part in zip(touches, parts, strict=True)]


def _decayed(ages: Sequence[int], half_life: int) -> list[Decimal]:
    """Decimals have exponents enough for any number of half-lives."""
    with localcontext() as context:
        context.prec = 40
        return [Decimal(2) ** (Decimal(-age) / Decimal(half_life)) for age in ages]


def _by_place(touches: int, starter: float, player: float, closer: float) -> list[float]:
    if touches == 1:
        return [1.0]
    if touches == 2:
        return [starter, closer]
    return [starter, *[player / (touches - 2)] * (touches - 2), closer]


def by_item(found: Sequence[Share], items: Sequence[object | None]) -> Mapping[object, float]:
    """Return item → credit; None holds what went to no touch."""
    totals: dict[object, float] = defaultdict(float)
    for share in found:
        totals[None if share.touch is None else items[share.touch]] += share.value
    return totals


def by_item_and_key(
    found: Sequence[Share], items: Sequence[object | None], keys: Sequence[Hashable]
) -> Mapping[tuple[object, Hashable], float]:
    """Return (item, key of the conversion) → credit."""
    totals: dict[tuple[object, Hashable], float] = defaultdict(float)
    for share in found:
        totals[None if share.touch is None else items[share.touch], keys[share.conversion]] += share.value
    return totals
