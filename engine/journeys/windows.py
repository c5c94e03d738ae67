"""What a replay is asked to restitch: a window for each dataset; and what its rows follow from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from engine.journeys import runs, staging
from engine.journeys.columns import journey_schema
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
    identities = definitions.identities
    recipe = staging.recipe(
        connection.model_dump_json(),
        *(definitions.datasets[dataset].model_dump_json() for dataset in connection.datasets),
        str(journey_schema(definitions, name)),
        {dataset: str(lookback) for dataset, lookback in sorted(asked.lookbacks.items())},
        world.devices.get(name),
        identities.model_dump_json() if identities else None,
        world.identities if connection.asks_graph else None,
        runs.SLICE_ROWS,
    )
    return staging.Basis(
        datasets={dataset: world.datasets[dataset] for dataset in connection.datasets},
        stitch_log=world.stitch_logs.get(name),
        recipe=recipe,
        journeys=world.journeys[name],
        at=asked.at.isoformat(),
    )
