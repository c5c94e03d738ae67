"""Why an answer changed: the kinds of cause between two worlds, and an answer's change split among them.

The change from one world to a later one belongs to what was published between the two. Along the worlds
at which the kind of cause changes these changes add up to the whole, so the split is exact.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from typing import Any, Final

import pyarrow as pa

from engine.errors import InputError
from engine.world import Home, World

NOISE: Final = 1e-12
"""Two doubles that differ by less than this part of their size are sums of the same values."""

Number = int | float | Decimal
Key = tuple[Any, ...]


class Cause(StrEnum):
    """What can change an answer."""

    LATE = "late data"
    """Batches taken since."""
    REPLAYS = "replays"
    """Who is who, seen again."""
    DELETES = "deletes"
    """Batches taken back, deleted or replaced; rollbacks; privacy requests."""
    DEFINITIONS = "definitions"
    """Other definitions applied."""


_CAUSES: Final[Mapping[str, Cause]] = {
    "ingest": Cause.LATE,
    "replay": Cause.REPLAYS,
    "revert": Cause.DELETES,
    "rollback": Cause.DELETES,
    "privacy": Cause.DELETES,
    "apply": Cause.DEFINITIONS,
}


def cause_of(world: World) -> Cause | None:
    """Return what kind of cause published a world; None for upkeep, which changes no answer."""
    word = world.cause.split(" ", 1)[0]
    replaces = word == "ingest" and " in place of " in world.cause
    return Cause.DELETES if replaces else _CAUSES.get(word)


@dataclass(frozen=True)
class Step:
    """What happened from the step before up to a world.

    Attributes:
        causes: kinds of cause; several where the worlds between them cannot be asked.
        world: the world that shows all of it.
    """

    causes: frozenset[Cause]
    world: World

    @property
    def label(self) -> str:
        """The causes by name, in their fixed order."""
        return " + ".join(cause for cause in Cause if cause in self.causes) or "upkeep"


def steps(worlds: Sequence[World], can_be_asked: Callable[[World], bool]) -> list[Step]:
    """Return the fewest steps that lead through worlds and keep kinds of cause apart where they can be.

    Args:
        worlds: the worlds up to the last one, without the one to start from.
        can_be_asked: whether a world can; the last one must.
    """
    causes = map(cause_of, worlds)
    kinds = (frozenset[Cause]() if cause is None else frozenset({cause}) for cause in causes)
    return without([Step(*each) for each in zip(kinds, worlds, strict=True)], can_be_asked)


def without(path: Sequence[Step], can_be_asked: Callable[[World], bool]) -> list[Step]:
    """Return the steps without worlds that turn out not to answer: what led there counts to the next."""
    found, causes = [], frozenset[Cause]()
    for step in path:
        causes |= step.causes
        if can_be_asked(step.world):
            found.append(Step(causes, step.world))
            causes = frozenset()
    return _merged(found)


def _merged(path: Iterable[Step]) -> list[Step]:
    """Join steps of the same causes, and upkeep with its neighbours."""
    found: list[Step] = []
    for step in path:
        if found and (not step.causes or not found[-1].causes or step.causes == found[-1].causes):
            step = Step(found.pop().causes | step.causes, step.world)
        found.append(step)
    return found


def between(home: Home, first: int, last: int) -> list[Step]:
    """Return a step without causes to the first world, and those that lead on to the last one.

    Raises:
        UnknownNameError: there is no such world.
        InputError: the second one was not published after the first.
    """
    start, end = home.world(first), home.world(last)
    if first == last:
        raise InputError(f"world {first} is compared with itself", hint="wayline worlds lists all of them.")
    if first > last:
        raise InputError(
            f"world {first} was published after world {last}", hint=f"Ask the other way: {last} {first}."
        )
    rest = [world for world in home.worlds() if first < world.id <= last]
    path = steps(rest, lambda world: world.vacuumed_at is None or world.id == end.id)
    return [Step(frozenset(), start), *path]


@dataclass(frozen=True)
class Change:
    """A value of the answer that is not what it was, or that changed on the way.

    Attributes:
        key: the row's values in the key columns.
        column: the value's column.
        before: the value in the first world; None if there was none.
        after: the value in the last world, likewise.
        by: label of causes → what they changed; empty if the value is no number. A value that is not
            there counts as zero.
    """

    key: Key
    column: str
    before: Any
    after: Any
    by: Mapping[str, Number]


@dataclass(frozen=True)
class Difference:
    """How an answer changed.

    Attributes:
        keys: names of the columns by which rows are matched.
        columns: names of the columns that are compared.
        labels: the causes that occurred, in order.
        changes: of rows in the order of the last answer; rows that are gone follow.
        unchanged: number of rows that did not change on the way.
    """

    keys: tuple[str, ...]
    columns: tuple[str, ...]
    labels: tuple[str, ...]
    changes: tuple[Change, ...]
    unchanged: int


def rows_by_key(answer: pa.Table, keys: Sequence[str]) -> dict[Key, Key]:
    """Return key → values of an answer's rows; where every column is a key, how often each row is there.

    Raises:
        InputError: two rows have equal keys.
    """
    values = [name for name in answer.column_names if name not in keys]
    rows = _tuples(answer, keys)
    if not values:
        return {row: (count,) for row, count in Counter(rows).items()}
    found = dict(zip(rows, _tuples(answer, values), strict=True))
    if len(found) < len(rows):
        twice = next(row for row, count in Counter(rows).items() if count > 1)
        shown = ", ".join(f"{name} {value}" for name, value in zip(keys, twice, strict=True))
        raise InputError(
            f"rows cannot be matched: several of them have the same {shown or 'empty key'}",
            hint="Group by columns that tell all rows apart.",
        )
    return found


def split(
    answers: Sequence[Mapping[Key, Key]], labels: Sequence[str], keys: Sequence[str], columns: Sequence[str]
) -> Difference:
    """Split what changed from the first answer to the last among what led from each one to the next.

    Args:
        answers: for each world key → values; NULL matches NULL.
        labels: for each answer but the first, what led to it.
        keys: names of a key's columns.
        columns: names of the values' columns.
    """
    changes: list[Change] = []
    changed = 0
    everything = dict.fromkeys(key for rows in (answers[-1], *answers[:-1]) for key in rows)
    for key in everything:
        found = list(_changes(key, columns, [rows.get(key) for rows in answers], labels))
        changed += bool(found)
        changes += found
    unchanged = len(everything) - changed
    return Difference(tuple(keys), tuple(columns), _ordered(labels), tuple(changes), unchanged)


def _ordered(labels: Iterable[str]) -> tuple[str, ...]:
    """The labels that occur, single causes in their fixed order before several at once."""
    order = list(Cause)
    return tuple(sorted(set(labels), key=lambda text: (" + " in text, _place(text, order), text)))


def _place(label: str, order: Sequence[str]) -> int:
    return order.index(label) if label in order else len(order)


def _tuples(answer: pa.Table, names: Sequence[str]) -> list[Key]:
    if not names:
        return [()] * len(answer)
    return list(zip(*(map(_hashable, answer[name].to_pylist()) for name in names), strict=True))


def _hashable(value: Any) -> Any:
    """Return a value that can be a key: lists and objects as tuples."""
    if isinstance(value, dict):
        return tuple((name, _hashable(inner)) for name, inner in value.items())
    return tuple(map(_hashable, value)) if isinstance(value, list) else value


def _changes(
    key: Key, columns: Sequence[str], course: Sequence[Key | None], labels: Sequence[str]
) -> Iterable[Change]:
    """Yield what changed in one row, given its values in each world; None where it is not there."""
    came_or_went = (course[0] is None) != (course[-1] is None)
    for place, column in enumerate(columns):
        values = [None if row is None else row[place] for row in course]
        if not all(value is None or _is_number(value) for value in values):
            if came_or_went or values[0] != values[-1]:
                yield Change(key, column, values[0], values[-1], {})
            continue
        by: dict[str, Number] = {}
        for label, (before, after) in zip(labels, pairwise(values), strict=True):
            by[label] = _added(by.get(label, 0), _moved(before, after))
        if came_or_went or any(by.values()) or (values[0] is None) != (values[-1] is None):
            yield Change(key, column, values[0], values[-1], by)


def _is_number(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, int | Decimal) or (isinstance(value, float) and math.isfinite(value))


def _moved(before: Any, after: Any) -> Number:
    old, new = before or 0, after or 0
    moved = _added(new, -old)
    noise = isinstance(moved, float) and abs(moved) <= NOISE * max(abs(old), abs(new))
    return 0.0 if noise else moved


def _added(left: Any, right: Any) -> Number:
    """Add two numbers; exact, unless one of them is a double."""
    if isinstance(left, float) or isinstance(right, float):
        return float(left) + float(right)
    total: Number = left + right
    return total
