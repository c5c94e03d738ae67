"""The Delta tables of a home: which ones a world reads, and which ones lie on the disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from engine.errors import HomeError
from engine.lake.log import needed_files
from engine.world import Home, World


class Kind(StrEnum):
    """Kinds of tables, by what they hold."""

    DATASET = "dataset"
    JOURNEYS = "journeys"
    STITCH_LOG = "stitch log"
    DEVICES = "devices"
    IDENTITIES = "identity"


GRAPH: Final = "graph"
"""The name of the one table of its kind: the identity graph's."""


@dataclass(frozen=True)
class Table:
    """A Delta table of a home; ``name`` is that of its dataset or connection, or ``graph``."""

    kind: Kind
    name: str
    path: Path

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def versions_of(world: World) -> Mapping[Kind, Mapping[str, int]]:
    """Return name → version for each kind of table, whether its definition is still there or not."""
    return {
        Kind.DATASET: world.datasets,
        Kind.JOURNEYS: world.journeys,
        Kind.STITCH_LOG: world.stitch_logs,
        Kind.DEVICES: world.devices,
        Kind.IDENTITIES: {} if world.identities is None else {GRAPH: world.identities},
    }


def read_by(home: Home, world: World) -> dict[Table, int]:
    """Return the tables that a world reads, each with its version in that world."""
    return {
        Table(kind, name, _paths(home)[kind](name)): version
        for kind, versions in versions_of(world).items()
        for name, version in versions.items()
        if name in _defined(world, kind)
    }


def on_disk(home: Home) -> Iterator[Table]:
    """Yield every table of which there is a folder, also those that no world reads."""
    for kind, path_of in _paths(home).items():
        for path in sorted(path_of("x").parent.glob("*/")):
            yield Table(kind, path.name, path)


def check_files(table: Table, version: int) -> None:
    """Make sure that a version of a table can be read.

    Raises:
        HomeError: its log or one of its files is gone.
    """
    missing = [path for path in needed_files(table.path, [version]) if not (table.path / path).is_file()]
    if missing:
        raise HomeError(
            f"{table} has lost {len(missing)} files of version {version}, such as {missing[0]}",
            hint="Somebody removed them; restore a backup.",
        )


def _paths(home: Home) -> dict[Kind, Callable[[str], Path]]:
    return {
        Kind.DATASET: home.dataset_path,
        Kind.JOURNEYS: home.journeys_path,
        Kind.STITCH_LOG: home.stitch_log_path,
        Kind.DEVICES: home.devices_path,
        Kind.IDENTITIES: lambda _: home.identities_path(),
    }


def _defined(world: World, kind: Kind) -> Mapping[str, object]:
    definitions = world.definitions
    if kind is Kind.IDENTITIES:
        return versions_of(world)[kind]
    return definitions.datasets if kind is Kind.DATASET else definitions.connections
