"""Whom the events of a device belong to, and what was learned of it when, from journeys and log."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Final

import polars as pl
import pyarrow as pa

from engine.errors import DefinitionError, UnknownNameError, did_you_mean
from engine.journeys import as_of_files, intake, runs, stitch_log
from engine.journeys.columns import DATASET, NAMESPACE, PERSON, TIME, connection_of, journey_schema
from engine.journeys.copies import live
from engine.journeys.intake import Member
from engine.lake.table import ROW
from engine.world import Home, World
from stitching.identity import parted

_INSTANT: Final = pa.timestamp("us")
HISTORY: Final = pa.schema(
    [
        ("learned_at", _INSTANT),
        ("why", pa.string()),
        ("dataset", pa.string()),
        ("device", pa.string()),
        ("person", pa.string()),
        ("namespace", pa.string()),
        ("first_event", _INSTANT),
        ("last_event", _INSTANT),
        ("events", pa.int64()),
        ("still", pa.int64()),
    ]
)
"""What was learned: when, why (``live``, ``replay``, …), and that so many events of the device between two
times belong to a person; ``still`` of them do now. Instants are UTC."""

STRETCHES: Final = pa.schema(
    [
        ("dataset", pa.string()),
        ("device", pa.string()),
        ("first_event", _INSTANT),
        ("last_event", _INSTANT),
        ("person", pa.string()),
        ("namespace", pa.string()),
        ("events", pa.int64()),
    ]
)
"""Events of a device, one after the other, that belong to one person."""

_EVENT: Final = pl.Schema({"row": pl.Int64, "time": pl.Int64, "person": pl.String, "namespace": pl.String})


@dataclass(frozen=True)
class _Asked:
    """A device in a dataset that may know it; no namespace where it may be in any."""

    member: Member
    device: str
    namespace: str | None

    @property
    def is_it(self) -> pl.Expr:
        """The condition under which rows of journeys are the device's."""
        device, _ = intake.journey_identity(self.member)
        if not self.member.varies:
            return device == self.device
        namespace, value = parted(device)
        return (value == self.device) & (True if self.namespace is None else namespace == self.namespace)


def history(home: Home, world: World, name: str, device: str) -> pa.Table:
    """Return what was learned of a device's events, oldest first (``HISTORY``); nothing of an unknown one.

    Args:
        home: the home.
        world: the world; nothing may vacuum its files meanwhile.
        name: a connection that stitches.
        device: the device's id; its namespace and a colon may stand before it.

    Raises:
        UnknownNameError: there is no such connection.
        DefinitionError: the connection does not stitch.
    """
    frames = [pl.DataFrame(schema=pl.Schema(HISTORY))]
    for asked in _asked(world, name, device):
        events = _events(home, replace(world, identity_as_of=None), name, asked)
        log = stitch_log.entries(home.stitch_log_path(name), world.stitch_logs[name], asked.member.index)
        told = log.join(events.select("row", "time").lazy(), on="row").collect()
        frames.append(_learned(told, asked))
    return _table(pl.concat(frames).sort("learned_at", "dataset", "first_event"), HISTORY)


def stretches(home: Home, world: World, name: str, device: str) -> pa.Table:
    """Return whom a device's events belong to, in order of time (``STRETCHES``).

    Persons are those of the world's ``identity_as_of``. Arguments and errors are those of ``history``.
    """
    frames = [pl.DataFrame(schema=pl.Schema(STRETCHES))]
    for asked in _asked(world, name, device):
        events = _events(home, world, name, asked).sort("time", "row")
        change = pl.col("person").ne_missing(pl.col("person").shift(1))
        run = events.with_columns(run=change.cast(pl.Int64).cum_sum())
        found = run.group_by("run", maintain_order=True).agg(*_SPAN, pl.col("person", "namespace").first())
        frames.append(_named(found, asked, STRETCHES))
    return _table(pl.concat(frames), STRETCHES)


def stitched_connection(world: World) -> str:
    """Return the connection that stitches, where there is one alone.

    Raises:
        DefinitionError: there is none, or there are several.
    """
    found = sorted(world.stitch_logs)
    if len(found) != 1:
        raise DefinitionError(
            f"{len(found) or 'no'} connections stitch devices{': ' * bool(found)}{', '.join(found)}",
            hint="Say which one is meant: --connection NAME.",
        )
    return found[0]


_SPAN: Final = (
    pl.col("time").min().alias("first_event"),
    pl.col("time").max().alias("last_event"),
    pl.len().cast(pl.Int64).alias("events"),
)


def _learned(told: pl.DataFrame, asked: _Asked) -> pl.DataFrame:
    """Gather the log's entries of a device: what one commit said of a person is one line."""
    last = pl.col("sequence") == pl.col("sequence").max().over("row")
    by = ["sequence", "kind", "person", "namespace"]
    found = (
        told.with_columns(last=last)
        .group_by(by, maintain_order=True)
        .agg(*_SPAN, learned_at=pl.col("logged_at").min(), still=pl.col("last").sum().cast(pl.Int64))
    )
    moment = pl.col("learned_at").dt.replace_time_zone(None)
    return _named(found.with_columns(moment, why=pl.col("kind")), asked, HISTORY)


def _named(found: pl.DataFrame, asked: _Asked, schema: pa.Schema) -> pl.DataFrame:
    """Add which device it is, and put the columns into order."""
    return found.with_columns(
        dataset=pl.lit(asked.member.name),
        device=pl.lit(asked.device),
        first_event=pl.col("first_event").cast(pl.Datetime("us")),
        last_event=pl.col("last_event").cast(pl.Datetime("us")),
    ).select(schema.names)


def _events(home: Home, world: World, name: str, asked: _Asked) -> pl.DataFrame:
    """Return the events of a device (``_EVENT``)."""
    member = asked.member
    files = as_of_files.seen(home, world, name, world.journeys[name])
    columns = runs.polars_columns(journey_schema(world.definitions, name))
    where = (pl.col(DATASET) == member.index) & asked.is_it
    rows = live(files.files, columns, [ROW, TIME, PERSON, NAMESPACE], where=where).collect()
    return pl.DataFrame(list(rows), schema=_EVENT)


def _asked(world: World, name: str, device: str) -> list[_Asked]:
    """Return the datasets of a connection that may know a device, and what they call it."""
    connection_of(world.definitions, name)
    if name not in world.stitch_logs:
        raise DefinitionError(
            f'connection "{name}" stitches no devices', hint=did_you_mean(name, sorted(world.stitch_logs))
        )
    members = [member for member in intake.members(world.definitions, name) if member.stitching is not None]
    namespace, colon, value = device.partition(":")
    spaces = {member.name: member.namespace(member.device) for member in members}
    named = [member for member in members if colon and spaces[member.name] in (namespace, None)]
    if any(spaces[member.name] is not None for member in named) or (named and namespace in _codes(world)):
        return [_Asked(member, value, namespace) for member in named]
    return [_Asked(member, device, None) for member in members]


def _codes(world: World) -> Collection[str]:
    """Return the namespaces that are known by name."""
    return world.definitions.namespace_types()


def unknown(name: str, device: str) -> UnknownNameError:
    """Return what to say of a device of which there is no event."""
    return UnknownNameError(
        f'no event of connection "{name}" has the device "{device}"',
        hint="Devices are the values of the persistent ids that its datasets name.",
    )


def _table(found: pl.DataFrame, schema: pa.Schema) -> pa.Table:
    return found.to_arrow().cast(schema)
