"""What must hold of a home at rest, looked up without the code that makes it so."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import polars as pl
from deltalake import DeltaTable

from engine.catalog.records import BatchStatus
from engine.identities import table as identities
from engine.journeys import device_table, staging, stitch_log
from engine.journeys.scan import scan
from engine.world import Home, World

NAMES = ["_person", "_namespace", "_event_id", "channel"]
_PLACES = {"web": 0, "calls": 1}


def answer(home: Home, world: World | None = None) -> list[tuple[Any, ...]]:
    """Return what a reader of a world sees: journeys, devices, rows per dataset, the identity graph."""
    world = world or home.current()
    found = sorted((row[:-2] for row in journey_rows(home, world)), key=repr)
    return [
        *found,
        tuple(sorted(lake_counts(home, world).items())),
        *_devices(home, world),
        *_graph(home, world),
    ]


def seen(root: Path) -> list[tuple[Any, ...]]:
    """Return what a reader of the newest world of a home that nobody has open sees."""
    home = Home.open(root)
    try:
        return answer(home)
    finally:
        home.close()


def check(root: Path, *, half_vacuumed: bool = False) -> None:
    """Assert that a home which nobody has open is at rest."""
    home = Home.open(root)
    try:
        settled(home, half_vacuumed=half_vacuumed)
    finally:
        home.close()


def journey_rows(home: Home, world: World) -> list[tuple[Any, ...]]:
    """Return journeys: time, ``NAMES``, dataset, row id."""
    names = [*NAMES, "_dataset", "_row"]
    rows: list[tuple[Any, ...]] = []
    for chunk in scan(home, "shop", world.journeys["shop"], names, world=world):
        values = [chunk.columns[name].to_pylist() for name in names]
        kept = [True] * len(chunk.times) if chunk.kept is None else chunk.kept.tolist()
        for keep, *row in zip(kept, chunk.times.tolist(), *values, strict=True):
            if keep:
                rows.append(tuple(row))
    return rows


def lake_counts(home: Home, world: World) -> dict[str, int]:
    """Return dataset → rows that a world shows."""
    return {name: sum(1 for _ in _lake_rows(home, world, name)) for name in world.datasets}


def _devices(home: Home, world: World) -> list[tuple[Any, ...]]:
    states = device_table.read(home.devices_path("shop"), world.devices["shop"], 0)
    told = states.filter(pl.col("known").is_not_null() | (pl.col("runs").list.len() > 0))
    return told.sort("device").select("device", "known", "known_time", "runs").rows()


def _graph(home: Home, world: World) -> list[tuple[Any, ...]]:
    if world.identities is None:
        return []
    kept = identities.content(home.identities_path(), world.identities)
    parts = (kept.identities, kept.links, kept.firsts)
    return [row for part in parts for row in sorted(part.rows(), key=repr)]


def settled(home: Home, *, half_vacuumed: bool = False) -> None:
    """Assert that a home is at rest: one world, its tables, its files, each event once.

    A vacuum that died leaves files of the worlds that it marked; the next one removes them.
    """
    world = home.current()
    for table, version in _tables(home, world):
        assert _newest(table) == version, f"{table} is ahead of the world"
        staged = staging.is_current(table, world.datasets, world.stitch_logs["shop"], world.journeys["shop"])
        assert not _unknown(table, _needed(home, table, half_vacuumed), staged), (
            f"{table} has files that no world knows"
        )
        assert not _missing(table, version), f"{table} lacks files"
    assert not home.catalog.batches(status=BatchStatus.LOADING)
    rows = journey_rows(home, world)
    places = [row[-2:] for row in rows]
    assert len(places) == len(set(places)), "a row is there twice"
    for name, place in _PLACES.items():
        found = {row for dataset, row in places if dataset == place}
        expected = set(_events(home, world, name))
        assert found == expected, f"{len(expected - found)} lost, {len(found - expected)} too many"
    _check_log(home, world, rows)


def _check_log(home: Home, world: World, rows: list[tuple[Any, ...]]) -> None:
    log = stitch_log.latest(home.stitch_log_path("shop"), world.stitch_logs["shop"], 0)
    said = {row: (person, namespace) for row, person, namespace in log.iter_rows()}
    for _, person, namespace, _, _, dataset, row in rows:
        if dataset == 0:
            assert said[row] == (person, namespace), "the stitch log says something else"


def _tables(home: Home, world: World) -> Iterator[tuple[Path, int]]:
    for name, version in world.datasets.items():
        yield home.dataset_path(name), version
    if world.identities is not None:
        yield home.identities_path(), world.identities
    for name in world.journeys:
        yield home.journeys_path(name), world.journeys[name]
        yield home.stitch_log_path(name), world.stitch_logs[name]
        yield home.devices_path(name), world.devices[name]


def _needed(home: Home, table: Path, every: bool) -> set[str]:
    """Return the files of a table that worlds need: those that can be returned to, or every one."""
    needed: set[str] = set()
    for world in home.worlds():
        for path, version in _tables(home, world):
            if path == table and (every or world.vacuumed_at is None):
                needed |= _files(table, version)
    return needed


def _files(table: Path, version: int) -> set[str]:
    """Follow a table's log from its beginning."""
    live: set[str] = set()
    for number in range(version + 1):
        for line in (table / "_delta_log" / f"{number:020d}.json").read_text().splitlines():
            action = json.loads(line)
            if "add" in action:
                live.add(unquote(action["add"]["path"]))
            elif "remove" in action:
                live.discard(unquote(action["remove"]["path"]))
    return live


def _unknown(table: Path, needed: set[str], staged: bool) -> list[str]:
    """Return the files of a table that no world needs, nor its log, lake files or a rebuild to go on with."""
    stems = {Path(name).stem for name in needed}
    found = []
    for path in table.rglob("*"):
        name = path.relative_to(table).as_posix()
        if not path.is_file() or name in needed or _is_log(name):
            continue
        if name.startswith("_eventids/") and path.stem in stems:
            continue
        if staged and name.startswith(f"{staging.FOLDER}/"):
            continue
        found.append(name)
    return found


def _is_log(name: str) -> bool:
    folder, _, rest = name.partition("/")
    return folder == "_delta_log" and (rest == "_last_checkpoint" or rest[:20].isdigit())


def _missing(table: Path, version: int) -> list[str]:
    return [name for name in _files(table, version) if not (table / name).is_file()]


def _newest(table: Path) -> int:
    found = int(DeltaTable(table).version())
    assert f"{found:020d}" == max(path.stem for path in (table / "_delta_log").glob("*.json"))
    return found


def _lake_rows(home: Home, world: World, name: str) -> Iterator[dict[str, Any]]:
    table = home.dataset_path(name)
    for file in sorted(_files(table, world.datasets[name])):
        yield from pl.read_parquet(table / file).iter_rows(named=True)


def _events(home: Home, world: World, name: str) -> Iterable[int]:
    """Return the row ids of a dataset's events: admissible, and not a repeat of an earlier event."""
    window = world.definitions.connections["shop"].duplicate_window
    same: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for row in _lake_rows(home, world, name):
        person = row["login"]["customer"] if name == "web" else row["customer"]
        if row["at"] is not None and (person or row.get("device")):
            same[row.get("id") or row["_row"]].append(row)
    for rows in same.values():
        yield from _winners(rows, window)


def _winners(rows: list[dict[str, Any]], window: timedelta) -> Iterator[int]:
    winner = None
    for row in sorted(rows, key=lambda row: (row["at"], row["_row"])):
        if winner is None or row["at"] - winner > window:
            winner = row["at"]
            yield row["_row"]
