"""Whom events belonged to as of an instant: what the stitch log said then, on the events of now.

A row that the log knew by then keeps the person that it had. One that came later gets its own person, else
whom its device knew then, else the device; or whom the identity graph of then knew the device as. Only rows
whose person is another one than now are looked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow as pa

from engine.journeys import devices, intake, lacking, runs, stitch_log, store
from engine.journeys.columns import DATASET, HASH_HIGH, NAMESPACE, PERSON, TIME, journey_schema
from engine.journeys.copies import live
from engine.journeys.devices import Journeys
from engine.journeys.graph import Graph, look_up
from engine.journeys.intake import Member
from engine.journeys.runs import Part
from engine.lake.delta import NewFile
from engine.lake.table import ROW
from engine.world import Home, World
from stitching import graph_based

_LABELS = (ROW, DATASET, HASH_HIGH, TIME, PERSON, NAMESPACE)


@dataclass(frozen=True)
class Difference:
    """The rows that belonged to another person then.

    Attributes:
        parts: the rows with their persons of then, per dataset.
        dead: what masks them where they are now (``store.MASK_ROW``).
        schema: the columns that the rows bring.
    """

    parts: tuple[Part, ...]
    dead: pl.DataFrame
    schema: pa.Schema


@dataclass(frozen=True)
class _Task:
    """What all datasets of a connection have in common.

    Attributes:
        log: folder of the stitch log.
        logged: its version.
        instant: µs since the epoch.
    """

    home: Home
    world: World
    source: Journeys
    log: Path
    logged: int
    instant: int


def difference(
    home: Home, world: World, name: str, instant: int, check: Callable[[], None] = lambda: None
) -> Difference:
    """Return what of a world's journeys was otherwise as of an instant.

    The cost is a pass over few columns of the log and the journeys, and what was learned since.

    Args:
        home: the home.
        world: the world; nothing may vacuum its files meanwhile.
        name: a connection that stitches.
        instant: µs since the epoch, UTC.
        check: called between steps; what it raises is raised.
    """
    source = devices.journeys(home, world.definitions, name, world.journeys[name])
    task = _Task(home, world, source, home.stitch_log_path(name), world.stitch_logs[name], instant)
    moved: list[tuple[Member, pl.DataFrame]] = []
    for member in intake.members(world.definitions, name):
        if member.stitching is not None:
            check()
            moved.append((member, _moved(task, member)))
    dead = pl.concat([rows for _, rows in moved])
    schema = _carried(source, dead, journey_schema(world.definitions, name))
    parts = tuple(_part(source, member, rows, schema) for member, rows in moved if rows.height)
    return Difference(parts, dead.select(store.MASK_ROW), schema)


def write(folder: Path, found: Difference, check: Callable[[], None]) -> tuple[list[NewFile], list[NewFile]]:
    """Write a difference as files of rows and of masks, as a commit to journeys would have them."""
    rows = []
    for pieces in runs.slices(found.parts):
        check()
        piece = runs.ordered(pieces, found.schema)
        if piece.height:
            rows.append(runs.write_level0(folder, 0, piece))
    return rows, [runs.write_mask(folder, 0, found.dead)] if found.dead.height else []


def _moved(task: _Task, member: Member) -> pl.DataFrame:
    """Return the rows of a dataset that change hands: ``_LABELS``, and ``row, then, then_namespace``."""
    entries = stitch_log.entries(task.log, task.logged, member.index, since=task.instant)
    later = entries.select("row").unique().collect()
    rows = _rows(task, member, later)
    known = stitch_log.entries(task.log, task.logged, member.index, until=task.instant)
    said = stitch_log.last_said(known.join(rows.lazy().select("row"), on="row", how="semi"))
    fresh = rows.join(said, on="row", how="anti")
    found = (_persons if member.field_based else _persons_in_graph)(task, member, fresh)
    then = pl.concat([said, intake.named(member, found)])
    then = then.select("row", then=PERSON, then_namespace=NAMESPACE)
    other = (pl.col(PERSON) != pl.col("then")) | (pl.col(NAMESPACE) != pl.col("then_namespace"))
    return rows.join(then, on="row").filter(other).drop("device", "person")


def _rows(task: _Task, member: Member, wanted: pl.DataFrame) -> pl.DataFrame:
    """Return the live ones of some rows (``row``): ``_LABELS`` and ``row, device, person``."""
    device, person = intake.journey_identity(member)
    columns = dict.fromkeys([*_LABELS, *device.meta.root_names(), *person.meta.root_names()])
    rows = live(task.source.files, task.source.columns, list(columns), where=pl.col(DATASET) == member.index)
    rows = rows.join(wanted.lazy(), left_on=ROW, right_on="row", how="semi")
    return rows.select(*_LABELS, row=pl.col(ROW), device=device, person=person).collect()


def _persons(task: _Task, member: Member, fresh: pl.DataFrame) -> pl.DataFrame:
    """Say whose rows are that came after the instant: ``row, person, known``."""
    anonymous = fresh.filter(pl.col("person").is_null() & pl.col("device").is_not_null())
    memory = devices.memory_without(task.source, member, anonymous["device"].unique(), fresh["row"])
    met = fresh.join(memory.select("device", memory="person"), on="device", how="left")
    told = pl.coalesce("person", "memory")
    return met.select("row", person=pl.coalesce(told, "device"), known=told.is_not_null())


def _persons_in_graph(task: _Task, member: Member, fresh: pl.DataFrame) -> pl.DataFrame:
    """Say whose rows are that came after the instant, by the graph of then: ``row, person, known``."""
    graph = Graph(task.home, task.world.identities, task.world)
    return graph_based.stitch(fresh.select("row", "device", time=pl.col(TIME)), look_up(graph, member))


def _carried(source: Journeys, moved: pl.DataFrame, schema: pa.Schema) -> pa.Schema:
    """Return the columns that all files hold that rows are taken from; the lake has the others."""
    if not moved.height:
        return schema
    first, last = moved.select(low=pl.col(TIME).min(), high=pl.col(TIME).max()).row(0)
    return lacking.common_within(source.files, first, last + 1, schema)


def _part(source: Journeys, member: Member, moved: pl.DataFrame, schema: pa.Schema) -> Part:
    adds = moved.select("row", pl.col("then").alias(PERSON), pl.col("then_namespace").alias(NAMESPACE))
    first, last = moved.select(low=pl.col(TIME).min(), high=pl.col(TIME).max()).row(0)
    rows = live(
        source.files,
        source.columns,
        schema.names,
        where=pl.col(DATASET) == member.index,
        start=first,
        end=last + 1,
    )
    return Part(member, (), adds, rows)
