"""A home in which one person has a tenth of all events, at everybody's rate of touches and conversions.

They are the events of ``bench_home``, but each device is this person's on one day in ten. So this person's
events lie all over the quarter, sessions stay whole (they just overlap), and nothing else differs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import polars as pl

from benchmarks.flows import append, settle
from benchmarks.home import CONNECTION, empty_home
from benchmarks.kept import kept
from engine.journeys.scan import scan
from engine.world import Home
from wayline.generate import Plan, shop, web_events

ONE_IN: Final = 10
GIANT: Final = "giant"
_TOLERANCE: Final = 0.2


def skewed_home(events: int, seed: int) -> Path:
    """Return the home with the events of this size and seed; build it if there is none yet.

    Raises:
        ValueError: the giant has much more or less than its tenth, as may happen with very few events.
    """

    def build(folder: Path) -> None:
        files = web_events(folder.parent / "quarter", Plan(events, seed), shop.QUARTER)
        for file in files:
            given_to_giant(pl.read_parquet(file)).write_parquet(file)
        home = empty_home(folder)
        append(home, *files)
        settle(home)
        _require_giant(home)
        home.close()

    return kept(f"skewed-{events}-{seed}", build)


def given_to_giant(events: pl.DataFrame) -> pl.DataFrame:
    """Return the events, those of one day in ten of each device with the giant's device and customer id."""
    number = pl.col("device_id").str.slice(0, 8).str.to_integer(base=16)
    day = pl.col("ts").dt.epoch("us") // shop.DAY
    taken = (number + day) % ONE_IN == 0
    return events.with_columns(
        pl.when(taken).then(pl.lit(GIANT)).otherwise(pl.col(name)).alias(name)
        for name in ("device_id", "customer_id")
    )


def _require_giant(home: Home) -> None:
    chunks = list(scan(home, CONNECTION, home.current().journeys[CONNECTION], ()))
    total = sum(len(chunk.times) for chunk in chunks)
    most = max(int((chunk.offsets[1:] - chunk.offsets[:-1]).max()) for chunk in chunks)
    if not 1 - _TOLERANCE < most * ONE_IN / total < 1 + _TOLERANCE:
        raise ValueError(f"one person has {most} of {total} events; use another seed or more events")
