"""Homes with a long and a short history of the same devices, late logins for replays, and further days.

The long history is ten quarters, the short one the last of them, and what both do with the last quarter must
be the same. So the short one also knows, of each device, the last login before the quarter. Late logins then
arrive in both: visitors of the last week whom nobody knew have signed up somewhere in that week, which a
replay will find out.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl
from deltalake import DeltaTable

from benchmarks.flows import QUARTER_END, WEEK, append, settle
from benchmarks.home import DATASET, Stitching, bench_home, definitions, empty_home
from benchmarks.kept import copy_home, kept
from engine import flow
from engine.world import Home
from wayline.generate import Plan, shop, web_events

QUARTERS: Final = 10
CHANGING: Final = 0.2
"""Share of the last week's rows that change hands in a replay because of late logins."""
TESTER: Final = "test-customer"
"""A value that the rules of benchmarks/rules.yaml take for nobody."""
_TESTED: Final = 50
_FURTHER_DAYS: Final = range(shop.DAYS + 1, shop.DAYS + 1 + 30_000)
_WEEK: Final = WEEK.days * shop.DAY


@dataclass(frozen=True)
class Histories:
    """Two homes whose last quarter is the same."""

    long: Path
    short: Path


def histories(events: int, seed: int, stitching: Stitching = Stitching.FIELD) -> Histories:
    """Return homes with all of so many events, and with the last tenth of them; build them if need be."""
    plan = Plan(max(events // QUARTERS, 1), seed)

    def build(folder: Path) -> None:
        older = web_events(folder / "older", plan, range(-(QUARTERS - 1) * shop.DAYS, 0))
        logins = folder / "logins.parquet"
        _last_logins(older).write_parquet(logins)
        quarter = web_events(folder / "quarter", plan, shop.QUARTER)
        late = folder / "late.parquet"
        late_logins(pl.scan_parquet([*older, *quarter])).write_parquet(late)
        for name, before in (("long", older), ("short", [logins])):
            _build(folder / name, stitching, (before, quarter, [late]))
        for file in (*older, *quarter):
            file.unlink()

    folder = kept(f"{stitching.names('histories')}-{events}-{seed}", build)
    return Histories(folder / "long", folder / "short")


def late_home(events: int, seed: int, stitching: Stitching = Stitching.FIELD) -> Path:
    """Return the home of ``bench_home`` after late logins."""

    def build(folder: Path) -> None:
        home = copy_home(bench_home(events, seed), folder.parent)
        flow.apply(home, definitions(stitching))
        late = folder.parent / "late.parquet"
        late_logins(lake_events(home)).write_parquet(late)
        append(home, late)
        settle(home)
        home.close()
        home.root.rename(folder)

    return kept(f"{stitching.names('late')}-{events}-{seed}", build)


def further_batches(events: int, seed: int, count: int, rows: int) -> list[Path]:
    """Return files of so many rows with what the same people do after the quarter, in order of arrival."""
    plan = Plan(events, seed)
    days = -(-count * rows * 2 * shop.DAYS // events)

    def build(folder: Path) -> None:
        files = web_events(folder.parent / "days", plan, _FURTHER_DAYS[: max(days, 1)])
        arrived = pl.scan_parquet(files).head(count * rows).collect()
        folder.mkdir()
        for place in range(count):
            arrived.slice(place * rows, rows).write_parquet(folder / f"{place:03d}.parquet")

    return sorted(kept(f"further{count}x{rows}-{events}-{seed}", build).glob("*.parquet"))


def late_logins(events: pl.LazyFrame) -> pl.DataFrame:
    """Return logins in the last week of devices that nobody is known on; two devices share a person.

    Devices are taken in the order of their ids, which are scrambled, until their rows make up enough of the
    week. Each signs up at some second of the week, so some of its rows come before and some after. On a few a
    tester logs in right after, who is nobody where rules for identities are in force.
    """
    start = QUARTER_END - _WEEK
    week = events.filter(pl.col("ts").dt.epoch("us").is_between(start + 1, QUARTER_END))
    rows = week.group_by("device_id").agg(rows=pl.len()).collect()
    known = events.filter(pl.col("customer_id").is_not_null()).select("device_id").unique().collect()
    unknown = rows.join(known, on="device_id", how="anti").sort("device_id")
    chosen = unknown.filter(pl.col("rows").cum_sum() <= CHANGING * float(rows["rows"].sum()))
    second = pl.col("device_id").str.slice(0, 8).str.to_integer(base=16) % (_WEEK // 1_000_000)
    logins = chosen.with_row_index("place").select(
        event_id=pl.lit("late-") + pl.col("device_id"),
        ts=(start + 1 + second * 1_000_000).cast(pl.Datetime("us", "UTC")),
        device_id="device_id",
        customer_id=pl.format("L{}", pl.col("place") // 2),
        page=pl.lit("login"),
        event=pl.lit("login"),
    )
    tested = logins.gather_every(_TESTED).with_columns(
        event_id=pl.lit("test-") + pl.col("device_id"),
        ts=pl.col("ts") + pl.duration(milliseconds=500),
        customer_id=pl.lit(TESTER),
    )
    return pl.concat([logins, tested])


def lake_events(home: Home) -> pl.LazyFrame:
    """Return the events of the dataset as they lie in the lake."""
    return pl.scan_parquet(DeltaTable(home.dataset_path(DATASET)).file_uris(), glob=False)


def _last_logins(files: list[Path]) -> pl.DataFrame:
    """Return each device's last event with a customer; of several at one instant the first customer's."""
    known = pl.scan_parquet(files).filter(pl.col("customer_id").is_not_null())
    rows = known.select("event_id", "ts", "device_id", "customer_id").sort("ts")
    distinct = rows.unique("event_id", keep="first", maintain_order=True)
    ordered = distinct.sort("ts", "customer_id", descending=[True, False])
    return ordered.unique("device_id", keep="first", maintain_order=True).sort("device_id").collect()


def _build(folder: Path, stitching: Stitching, batches: tuple[list[Path], ...]) -> None:
    home = empty_home(folder, stitching)
    for files in batches:
        append(home, *files)
    settle(home)
    home.close()
