"""A device's timeline: whom its events name one after the other, as few runs instead of many events.

A run is a stretch of time in which every instant that names somebody names one person. Runs are as
good as the events for saying who was known when, and their size follows changes of person.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from stitching.devices import Timelines, timelines

POINTS: Final = pl.Schema({"device": pl.String, "time": pl.Int64, "person": pl.String})
"""Events that name a person on a device; none of the columns is null."""

RUNS: Final = pl.Schema({"device": pl.String, "start": pl.Int64, "end": pl.Int64, "person": pl.String})
"""Runs, per device in order of time; ``start`` and ``end`` are the instants of its outermost events."""

PROBES: Final = pl.Schema(
    {"device": pl.String, "start": pl.Int64, "end": pl.Int64, "person": pl.String, "time": pl.Int64}
)
"""An instant of a run at which the runs alone do not say what becomes of it."""

NEWEST: Final = pl.Schema(
    {"device": pl.String, "known": pl.String, "known_batch": pl.Int64, "known_time": pl.Int64}
)
"""Per device the person of the event that arrived last, and where that event is."""

_Numbers: TypeAlias = npt.NDArray[np.int64]
_Array: TypeAlias = np.ndarray[Any, Any]


def runs_of(points: pl.DataFrame) -> pl.DataFrame:
    """Return the runs (``RUNS``) of points in any order.

    Where several persons are named at one instant, the alphabetically first is that instant's.
    """
    if not points.height:
        return pl.DataFrame(schema=RUNS)
    found = timelines(points["device"], points["time"].to_numpy())
    devices, times = _owners(found), points["time"].to_numpy()[found.order]
    names, codes = _coded(points["person"])
    instants = _begins(devices, times)
    persons = np.minimum.reduceat(codes[found.order], instants)
    devices, times = devices[instants], times[instants]
    first = _begins(devices, persons)
    last = np.append(first[1:], times.size) - 1
    return pl.DataFrame(
        {
            "device": points["device"].gather(found.firsts[devices[first]]),
            "start": times[first],
            "end": times[last],
            "person": names.gather(persons[first]),
        },
        schema=RUNS,
    )


def points_of(runs: pl.DataFrame) -> pl.DataFrame:
    """Return the outermost events of runs, which have the same runs (``POINTS``)."""
    starts = runs.select("device", "person", time="start")
    longer = runs.filter(pl.col("end") > pl.col("start"))
    return pl.concat([starts, longer.select("device", "person", time="end")]).select(list(POINTS))


def probes(runs: pl.DataFrame, added: pl.DataFrame, removed: pl.DataFrame) -> pl.DataFrame:
    """Return where events that came or went may break a run (``PROBES``).

    Elsewhere the outermost events of the runs, together with the new ones, have the right runs.

    Args:
        runs: the runs before.
        added: points that came.
        removed: points that went.
    """
    inside = (pl.col("start") < pl.col("time")) & (pl.col("time") < pl.col("end"))
    other, longer = pl.col("other"), pl.col("start") < pl.col("end")
    breaks = (other != pl.col("person")) & (inside | ((other < pl.col("person")) & longer))
    came = _met(runs, added).filter(breaks)
    went = _met(runs, removed).filter(other == pl.col("person"))
    return pl.concat([came, went]).select(list(PROBES)).unique()


def unsettled(asked: pl.DataFrame, points: pl.DataFrame) -> pl.DataFrame:
    """Return the probes for which points do not have the run's own events on both sides.

    Args:
        asked: probes.
        points: all that is named around them without gaps.
    """
    own = points.select("device", "person", other="time").sort("other")
    either = asked.sort("time").with_row_index("place")
    for side, strategy in (("before", "backward"), ("after", "forward")):
        met = either.select("place", "device", "person", "time").join_asof(
            own,
            left_on="time",
            right_on="other",
            by=["device", "person"],
            strategy=strategy,  # type: ignore[arg-type]
            allow_exact_matches=False,
            check_sortedness=False,
        )
        either = either.with_columns(met["other"].alias(side))
    lacking = (pl.col("before").is_null() & (pl.col("start") < pl.col("time"))) | (
        pl.col("after").is_null() & (pl.col("time") < pl.col("end"))
    )
    return either.filter(lacking).select(list(PROBES))


def known_at(runs: pl.Expr, instant: int) -> pl.Expr:
    """Return who was last named at or before an instant, or null, of a device's runs in order of time."""
    begun = pl.element().struct.field("start") <= instant
    return runs.list.filter(begun).list.last().struct.field("person")


def newest(events: pl.DataFrame) -> pl.DataFrame:
    """Return whom each device saw last in order of arrival (``NEWEST``).

    That is the person of its latest event of its newest batch; the alphabetically first of several.

    Args:
        events: points with ``batch`` int64.
    """
    if not events.height:
        return pl.DataFrame(schema=NEWEST)
    found = timelines(events["device"], events["time"].to_numpy())
    starts, order = found.offsets[:-1], found.order
    names, codes = _coded(events["person"])
    batches, times = events["batch"].to_numpy()[order], events["time"].to_numpy()[order]
    sizes = np.diff(found.offsets)
    batch = np.maximum.reduceat(batches, starts)
    late = batches == np.repeat(batch, sizes)
    time = np.maximum.reduceat(np.where(late, times, np.iinfo(np.int64).min), starts)
    late &= times == np.repeat(time, sizes)
    person = np.minimum.reduceat(np.where(late, codes[order], len(names)), starts)
    columns = (events["device"].gather(found.firsts), names.gather(person), batch, time)
    return pl.DataFrame(dict(zip(NEWEST, columns, strict=True)), schema=NEWEST)


def _met(runs: pl.DataFrame, points: pl.DataFrame) -> pl.DataFrame:
    """Return the points that lie in runs, with the person of each point as ``other``."""
    rows = points.select("device", "time", other="person").sort("time")
    before = runs.sort("start")
    met = rows.join_asof(
        before,
        left_on="time",
        right_on="start",
        by="device",
        coalesce=False,
        check_sortedness=False,
    )
    return met.filter(pl.col("time") <= pl.col("end"))


def _owners(found: Timelines) -> _Numbers:
    """Return the device of each place of the order."""
    sizes = np.diff(found.offsets)
    return np.repeat(np.arange(sizes.size), sizes)


def _coded(persons: pl.Series) -> tuple[pl.Series, _Array]:
    """Return the distinct persons in alphabetical order, and each person's place among them."""
    names = persons.unique().sort()
    codes = persons.cast(pl.Enum(names)).to_physical().cast(pl.Int64)
    return names, codes.to_numpy()


def _begins(*columns: _Array) -> _Numbers:
    """Return the places at which any of the columns differs from the place before."""
    fresh = np.zeros(columns[0].size, bool)
    fresh[0] = True
    for column in columns:
        fresh[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(fresh)
