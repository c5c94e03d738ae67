"""The whole demo data set into a folder: files as they would be handed over, a few days in each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Final

import numpy as np

from engine.errors import InputError
from wayline.generate import shop
from wayline.generate.calls import HEADER, call_count, call_lines
from wayline.generate.delivery import deliver
from wayline.generate.reference import products, profiles
from wayline.generate.render import web_table
from wayline.generate.visits import Columns, Plan, slices
from wayline.generate.writers import FileWriter, Format, check_format

EVENTS_PER_FILE: Final = 500_000
FEWEST_FILES: Final = 4
_CALL_FILES: Final = 3
_ROWS_AT_ONCE: Final = 200_000

END: Final = datetime(2026, 4, 2, tzinfo=UTC)

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Generated:
    """What was written.

    Attributes:
        files: dataset → files, in the order in which they arrive.
        counts: rows per dataset as written, ``web_events`` (distinct), ``web_duplicates`` (rows
            that repeat an event id), ``calls_malformed`` (rows that do not fit the schema, which
            ``calls`` counts too).
        project: the project file that describes the datasets.
        end: a moment after every event; the generated quarter has passed, so a replay wants it as its time.
    """

    files: dict[str, list[Path]]
    counts: dict[str, int]
    project: Path
    end: datetime = END


def generate(
    folder: Path,
    *,
    events: int,
    seed: int,
    format: Format = "parquet",  # noqa: A002 - the word that users know
    progress: Progress | None = None,
) -> Generated:
    """Write a seeded quarter of a web shop: web events, calls, CRM profiles and products.

    The same events and seed give the same rows in the same order, in every format. Memory does not
    grow with time, only with the events of one day.

    Args:
        folder: where to write; made if it is not there.
        events: number of distinct web events, 1 to 1,000,000,000; calls are 3 % on top.
        seed: any integer.
        format: of the web events. CSV has no column ``items``, since it cannot hold an array. The
            other datasets are always CSV.
        progress: called with (web events done, all web events) after every day.

    Raises:
        InputError: a format or number of events that cannot be written.
    """
    check_format(format)
    if not 1 <= events <= 1_000_000_000:
        raise InputError(f"cannot generate {events} events", hint="Ask for 1 to 1,000,000,000 events.")
    folder.mkdir(parents=True, exist_ok=True)
    plan = Plan(events, seed)
    counts: dict[str, int] = {"web_events": events}
    files = {
        "web": _web(plan, folder, format, counts, progress or _silent),
        "calls": _calls(plan, folder, counts),
        "crm": _crm(plan, folder, counts),
        "products": _products(plan, folder, counts),
    }
    project = folder / "shop.yaml"
    project.write_text(project_yaml(), encoding="utf-8")
    return Generated(files, counts, project)


def web_events(folder: Path, plan: Plan, days: range) -> list[Path]:
    """Write the web events of some days as Parquet, from before, within or after the quarter.

    The same people use the same devices on all days, and every quarter's days have ``plan.events``
    events. All that the days' events bring arrives by the last day.

    Args:
        folder: where to write; made if it is not there.
        plan: how many events a quarter has, and the seed.
        days: consecutive days, counted from the quarter's first, each from −30,000 to 30,000.
    """
    folder.mkdir(parents=True, exist_ok=True)
    count = min(len(days), -(-plan.events * len(days) // (shop.DAYS * EVENTS_PER_FILE)))
    arrivals = deliver(plan, days)
    paths: list[Path] = []
    for part in file_days(len(days), max(count, 1)):
        with FileWriter(_path(folder, "web", days[part.start : part.stop], "parquet"), "parquet") as writer:
            for _ in part:
                _write_day(writer, plan, next(arrivals))
        paths.append(writer.path)
    return paths


def project_yaml() -> str:
    """Return the demo project, with comments: the shop's datasets, connection and data view."""
    return resources.files("wayline.generate").joinpath("shop.yaml").read_text(encoding="utf-8")


def file_days(days: int, files: int) -> list[range]:
    """Return which days go into which file: runs of days of nearly equal length."""
    return [range(int(part[0]), int(part[-1]) + 1) for part in np.array_split(np.arange(days), files)]


def _web(
    plan: Plan, folder: Path, file_format: Format, counts: dict[str, int], progress: Progress
) -> list[Path]:
    count = min(shop.DAYS, max(FEWEST_FILES, -(-plan.events // EVENTS_PER_FILE)))
    arrivals = deliver(plan)
    paths: list[Path] = []
    rows = done = 0
    for days in file_days(shop.DAYS, count):
        with FileWriter(_path(folder, "web", days, file_format), file_format) as writer:
            for day in days:
                _write_day(writer, plan, next(arrivals))
                done += plan.events_on(day)
                progress(done, plan.events)
        rows += writer.rows
        paths.append(writer.path)
    counts |= {"web": rows, "web_duplicates": rows - plan.events}
    return paths


def _write_day(writer: FileWriter, plan: Plan, arrived: Columns) -> None:
    for part in slices(arrived, _ROWS_AT_ONCE):
        writer.write(web_table(plan.seed, part))


def _calls(plan: Plan, folder: Path, counts: dict[str, int]) -> list[Path]:
    lines = call_lines(plan)
    paths: list[Path] = []
    malformed = 0
    for days in file_days(shop.DAYS, _CALL_FILES):
        path = _path(folder, "calls", days, "csv")
        with path.open("w", encoding="utf-8", newline="") as file:
            file.write(HEADER + "\n")
            for _ in days:
                _, text, faults = next(lines)
                file.write(text)
                malformed += faults
        paths.append(path)
    counts |= {"calls": call_count(plan) + malformed, "calls_malformed": malformed}
    return paths


def _crm(plan: Plan, folder: Path, counts: dict[str, int]) -> list[Path]:
    with FileWriter(folder / "crm.csv", "csv") as writer:
        for table in profiles(plan):
            writer.write(table)
    counts["crm"] = writer.rows
    return [writer.path]


def _products(plan: Plan, folder: Path, counts: dict[str, int]) -> list[Path]:
    with FileWriter(folder / "products.csv", "csv") as writer:
        writer.write(products(plan))
    counts["products"] = writer.rows
    return [writer.path]


def _path(folder: Path, dataset: str, days: Iterable[int], file_format: Format) -> Path:
    first = shop.FIRST_DAY + timedelta(days=next(iter(days)))
    return folder / f"{dataset}-{first.isoformat()}.{file_format}"


def _silent(done: int, total: int) -> None:
    """Report nothing."""
