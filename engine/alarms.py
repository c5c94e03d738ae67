"""Which identities of a connection are suspect: they put too many rows together, or cannot be stitched.

They are found in what the connection knows of its devices, and in the links of the identity graph: the cost
follows devices and links, not events.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import polars as pl
import pyarrow as pa

from engine.identities import table as identities
from engine.journeys import device_table, intake
from engine.journeys.columns import connection_of
from engine.journeys.intake import Member
from engine.quality import MOST, Check, as_table, go_on
from engine.world import Home, World
from stitching import alarms as suspects
from stitching.field_based import TRANSITION_LIMIT
from stitching.identity import parted

ALARMS: Final = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in ("connection", "kind", "namespace", "value")),
        *(pa.field(name, pa.int64()) for name in ("counted", "threshold")),
    ]
)
"""An identity that is suspect: see ``stitching.alarms``."""

_NOBODY: Final = pl.DataFrame(schema=suspects.NAMED)


@dataclass(frozen=True)
class Alarm:
    """An identity that is suspect.

    Attributes:
        kind: why: ``stitching.alarms.Suspicion``.
        namespace: its namespace; all of them, if one value has several.
        counted: how many of what its kind counts.
        threshold: from where on that is suspect.
    """

    connection: str
    kind: str
    namespace: str
    value: str
    counted: int
    threshold: int


def alarms_of(home: Home, world: World, connections: Iterable[str], most: int = MOST) -> tuple[Alarm, ...]:
    """Return what is suspect in connections, of each kind so many, the worst first.

    Raises:
        UnknownNameError: there is no such connection.
    """
    found = {
        name: _alarms(home, world, name).group_by("kind", maintain_order=True).head(most)
        for name in connections
    }
    return tuple(Alarm(name, **row) for name, alarms in found.items() for row in alarms.to_dicts())


def identity_alarms(home: Home, world: World, check: Check = go_on) -> pa.Table:
    """Return ``ALARMS`` of all connections."""
    found = []
    for name in world.definitions.connections:
        check()
        found.append(_alarms(home, world, name).with_columns(connection=pl.lit(name)))
    return as_table(found, ALARMS)


def _alarms(home: Home, world: World, name: str) -> pl.DataFrame:
    limit = connection_of(world.definitions, name).alarm_devices
    found = [
        _linked(home, world, member) if member.person is None else _named(home, name, world, member)
        for member in intake.members(world.definitions, name)
        if member.stitching is not None
    ]
    return suspects.alarms(pl.concat([_NOBODY, *found]), limit, TRANSITION_LIMIT)


def _linked(home: Home, world: World, member: Member) -> pl.DataFrame:
    """Return which persons the identity graph links to which devices (``suspects.NAMED``)."""
    if world.identities is None:
        return _NOBODY
    person, device = (member.namespace(reference) for reference in (None, member.device))
    links = identities.linked(home.identities_path(), world.identities, str(person))
    wanted = pl.lit(True) if device is None else pl.col("other_namespace") == device
    return links.filter(wanted).select(
        dataset=pl.lit(member.index, pl.Int16),
        device="other",
        device_namespace="other_namespace",
        person="value",
        person_namespace=pl.lit(person),
        runs=pl.lit(0, pl.Int64),
    )


def _named(home: Home, connection: str, world: World, member: Member) -> pl.DataFrame:
    """Return who is named on the devices of a dataset (``suspects.NAMED``)."""
    version = world.devices.get(connection)
    if version is None:
        return _NOBODY
    states = device_table.read(
        home.devices_path(connection), version, member.index, columns=("device", "runs")
    )
    persons = states.select("device", person=pl.col("runs").list.eval(pl.element().struct["person"]))
    told = persons.explode("person").drop_nulls("person").group_by("device", "person").agg(runs=pl.len())
    sides = {"device": member.device, "person": member.person}
    spaces = {f"{side}_namespace": pl.lit(member.namespace(found)) for side, found in sides.items()}
    if member.varies:
        parts = {side: parted(pl.col(side)) for side in sides}
        spaces = {f"{side}_namespace": namespace for side, (namespace, _) in parts.items()}
        spaces |= {side: value for side, (_, value) in parts.items()}
    whole = told.with_columns(dataset=pl.lit(member.index), **spaces)
    return whole.select(list(suspects.NAMED)).cast(suspects.NAMED)
