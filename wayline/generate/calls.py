"""The call centre: calls that know a customer id and no device, as CSV lines, a few broken."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from wayline.generate import people, shop
from wayline.generate.randomness import Numbers, mixed, pick, stream_key, uniform, waiting
from wayline.generate.render import customer_ids, hexadecimal, words
from wayline.generate.visits import Plan

CALLS_PER_EVENT: Final = 0.03
MALFORMED_PER_CALL: Final = 0.004
HEADER: Final = "call_id,ts,customer_id,reason,duration_seconds,billed_minutes,handled"
_FAULTS: Final = ("duration", "time", "cut off")
_TRIES: Final = 4


def call_count(plan: Plan) -> int:
    """Return the number of well-formed calls."""
    return round(plan.events * CALLS_PER_EVENT)


def malformed_count(plan: Plan) -> int:
    """Return the number of malformed rows among the calls, at least one."""
    return math.ceil(max(call_count(plan), 1) * MALFORMED_PER_CALL)


def call_lines(plan: Plan) -> Iterator[tuple[int, str, int]]:
    """Yield (day, CSV text, malformed rows) for each of the 90 days, without a header.

    Kinds of fault take turns: a duration that is no number, a time that is no time, a line cut off.
    """
    edges = _edges(call_count(plan))
    broken = _edges(malformed_count(plan))
    for day in range(shop.DAYS):
        number = np.arange(edges[day], edges[day + 1], dtype=np.uint64)
        lines = _lines(_table(plan, number, day))
        faults = range(broken[day], broken[day + 1])
        for fault in faults:
            lines.insert(fault * 7919 % (len(lines) + 1), _fault(plan, fault, day))
        yield day, "".join(f"{line}\n" for line in lines), len(faults)


def _edges(count: int) -> list[int]:
    shares = np.cumsum(np.append(0.0, shop.day_weights()))
    return [int(edge) for edge in np.rint(shares * count)]


def _table(plan: Plan, number: Numbers, day: int) -> pa.Table:
    seed = plan.seed
    reason = pick(uniform(seed, "reason", number), list(shop.REASONS.values()))
    seconds = 20 + waiting(uniform(seed, "duration", number), 240).astype(np.int64)
    handled = uniform(seed, "handled", number) < 0.83
    table = pa.table(
        {
            "call_id": hexadecimal(mixed(number, stream_key(seed, "call id"))),
            "ts": pa.array(_times(seed, number, day)).cast(pa.timestamp("us")),
            "customer_id": customer_ids(people.customer_numbers(seed, _callers(plan, number))),
            "reason": words(reason, shop.REASONS).cast(pa.string()),
            "duration_seconds": pa.array(seconds),
            "billed_minutes": pa.array(-(-seconds // 60)),
            "handled": pa.array(handled),
        }
    )
    return table.sort_by([("ts", "ascending"), ("call_id", "ascending")])


def _lines(table: pa.Table) -> list[str]:
    return [
        f"{call_id},{ts.isoformat(timespec='milliseconds')}Z,{customer},{reason},{seconds},{minutes},"
        f"{'true' if handled else 'false'}"
        for call_id, ts, customer, reason, seconds, minutes, handled in zip(
            *(column.to_pylist() for column in table.columns), strict=True
        )
    ]


def _times(seed: int, number: Numbers, day: int) -> NDArray[np.int64]:
    """Return times between 07:00 and 19:00 UTC, to the millisecond."""
    opening = shop.START + day * shop.DAY + shop.DAY * 7 // 24
    milliseconds = np.floor(uniform(seed, "call time", number) * (shop.DAY // 2 // 1000))
    return opening + milliseconds.astype(np.int64) * 1000


def _callers(plan: Plan, number: Numbers) -> Numbers:
    """Return a registered person for each call, drawn by activity; the last try takes anybody."""
    caller = people.person_at(uniform(plan.seed, "caller 0", number), plan.persons)
    for turn in range(1, _TRIES):
        draws = uniform(plan.seed, f"caller {turn}", number)
        registered = people.is_registered(plan.seed, caller)
        caller = np.where(registered, caller, people.person_at(draws, plan.persons))
    return caller


def _fault(plan: Plan, fault: int, day: int) -> str:
    """Return one malformed line; its call id occurs nowhere else."""
    number = np.array([(1 << 40) + fault], np.uint64)
    line = _lines(_table(plan, number, day))[0]
    call_id, ts, customer, reason, _, minutes, handled = line.split(",")
    kind = _FAULTS[fault % len(_FAULTS)]
    if kind == "duration":
        return ",".join([call_id, ts, customer, reason, "about five", minutes, handled])
    if kind == "time":
        return ",".join([call_id, "yesterday", customer, reason, "300", minutes, handled])
    return f"{call_id},{ts[:9]}"
