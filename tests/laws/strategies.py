"""Hypothesis strategies that draw journeys and device events with the edges where kernels fail.

Times come from a handful of small numbers, so that equal timestamps, gaps equal to a timeout and
ages equal to a lookback are common; persons may own no event, one event or several.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

DURATIONS = st.integers(min_value=0, max_value=6)
"""Timeouts, lookbacks and times to live, in the unit of the drawn times."""

LOOKBACKS = st.none() | DURATIONS

_ORIGINS = st.sampled_from([0, -7, 1_700_000_000_000_000])
_GAPS = st.sampled_from([0, 0, 1, 2, 3, 5, 8])
_AMOUNTS = st.sampled_from([0.0, 0.0, 1.0, 2.5, -3.0, 1e6, 1 / 3])


@dataclass(frozen=True)
class Journeys:
    """A chunk of journeys: person p owns the rows ``offsets[p]:offsets[p + 1]``."""

    offsets: npt.NDArray[np.int64]
    times: npt.NDArray[np.int64]

    @property
    def persons(self) -> list[slice]:
        """The rows of each person."""
        return [
            slice(int(begin), int(end))
            for begin, end in zip(self.offsets[:-1], self.offsets[1:], strict=True)
        ]


@st.composite
def journeys(draw: st.DrawFn, max_persons: int = 4, max_events: int = 7) -> Journeys:
    """Draw a chunk of journeys, from none at all to a few persons."""
    sizes = draw(st.lists(st.integers(0, max_events), max_size=max_persons))
    times: list[int] = []
    for size in sizes:
        time = draw(_ORIGINS)
        for _ in range(size):
            time += draw(_GAPS)
            times.append(time)
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    return Journeys(offsets, np.array(times, np.int64))


def masks(rows: int) -> st.SearchStrategy[npt.NDArray[np.uint8]]:
    """Draw uint8[rows] of zeros and ones."""
    drawn = st.lists(st.booleans(), min_size=rows, max_size=rows)
    return drawn.map(lambda values: np.array(values, np.uint8))


def codes(rows: int, distinct: int = 3) -> st.SearchStrategy[npt.NDArray[np.int32]]:
    """Draw int32[rows] of a few small codes, a negative one among them."""
    drawn = st.lists(st.integers(-1, distinct - 1), min_size=rows, max_size=rows)
    return drawn.map(lambda values: np.array(values, np.int32))


def amounts(metrics: int, rows: int) -> st.SearchStrategy[npt.NDArray[np.float64]]:
    """Draw float64[metrics, rows], mostly zeros: small, large, negative and fractional values."""
    row = st.lists(_AMOUNTS, min_size=rows, max_size=rows)
    drawn = st.lists(row, min_size=metrics, max_size=metrics)
    return drawn.map(lambda values: np.array(values, np.float64).reshape(metrics, rows))


def device_events(max_events: int = 12) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Draw events of a few devices and persons, blank ones and equal timestamps included."""
    event = st.fixed_dictionaries(
        {
            "device": st.none() | st.sampled_from(["d1", "d2", "ä"]),
            "person": st.none() | st.sampled_from(["Ann", "Bob", "bob", "Zoë"]),
            "time": st.integers(0, 5),
        }
    )
    drawn = st.lists(event, max_size=max_events)
    return drawn.map(lambda found: [{"row": row} | event for row, event in enumerate(found)])


def known_persons() -> st.SearchStrategy[dict[str, str]]:
    """Draw what is known of devices beforehand, of a device without events too."""
    return st.dictionaries(
        st.sampled_from(["d1", "d2", "d9"]), st.sampled_from(["Ann", "Bob", "Cleo"]), max_size=3
    )
