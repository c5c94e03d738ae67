"""The worlds of a home as a person wants to see them: what each changed, and what can be returned to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from engine.catalog.pins import may_live
from engine.tables import versions_of
from engine.world import Home, World


@dataclass(frozen=True)
class PastWorld:
    """A published world.

    Attributes:
        changed: what differs from the world before it, such as ``dataset web``.
        restorable: whether ``wayline rollback`` can return to it.
        readers: number of processes that hold it.
    """

    id: int
    published_at: datetime
    cause: str
    changed: tuple[str, ...]
    restorable: bool
    readers: int


def history(home: Home) -> list[PastWorld]:
    """Return all worlds, oldest first."""
    worlds = home.worlds()
    readers: dict[int, int] = {}
    for process, number in home.catalog.pins():
        if may_live(process):
            readers[number] = readers.get(number, 0) + 1
    return [
        PastWorld(
            world.id,
            world.published_at,
            world.cause,
            _changed(before, world),
            world.vacuumed_at is None,
            readers.get(world.id, 0),
        )
        for before, world in zip([None, *worlds], worlds, strict=False)
    ]


def _changed(before: World | None, world: World) -> tuple[str, ...]:
    if before is None:
        return ()
    old, new = versions_of(before), versions_of(world)
    changed = [f"{kind} {name}" for kind in new for name in _differing(old[kind], new[kind])]
    return (*(["definitions"] if before.definitions != world.definitions else []), *changed)


def _differing(old: Mapping[str, int], new: Mapping[str, int]) -> list[str]:
    return [name for name in {**old, **new} if old.get(name) != new.get(name)]
