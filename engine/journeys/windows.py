"""What a replay is asked to restitch: a window for each dataset; and what its rows follow from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from engine.journeys import staging
from engine.world import World

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Asked:
    """What shall be restitched: rows whose event time lies in (at − lookback, at].

    Attributes:
        at: when the window ends; aware.
        lookbacks: dataset → length of its window; the others are left alone.
    """

    at: datetime
    lookbacks: Mapping[str, timedelta]

    @property
    def longest(self) -> timedelta:
        """The longest of the windows."""
        return max(self.lookbacks.values())


@dataclass(frozen=True)
class Window:
    """Event times in µs with start < time ≤ end."""

    start: int
    end: int


def window_of(at: datetime, lookback: timedelta) -> Window:
    """Return the window of a replay at a moment."""
    end = (at.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1)
    return Window(end - lookback // timedelta(microseconds=1), end)


def basis_of(world: World, name: str, asked: Asked) -> staging.Basis:
    """Return what the rows of a replay follow from."""
    definitions = world.definitions
    connection = definitions.connections[name]
    lookbacks = {dataset: str(lookback) for dataset, lookback in sorted(asked.lookbacks.items())}
    return staging.Basis(
        datasets={dataset: world.datasets[dataset] for dataset in connection.datasets},
        stitch_log=world.stitch_logs.get(name),
        recipe=staging.recipe(definitions, name, world.identities, lookbacks, world.devices.get(name)),
        journeys=world.journeys[name],
        at=asked.at.isoformat(),
    )
