"""Segments and date ranges that are saved under a name, for whoever asks to choose by it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

from pydantic import Field, model_validator

from engine.definitions.base import Definition
from engine.definitions.moments import MomentText
from engine.definitions.problem import Problem
from engine.definitions.settings import SegmentDefinition
from engine.definitions.values import Name, RefusalError
from engine.errors import did_you_mean


class SavedSegmentDefinition(Definition):
    """A segment under a name.

    Attributes:
        name: as people see it; no other segment of a data view has it.
        data_views: where it can be chosen; none named are all.
    """

    name: str = Field(min_length=1)
    description: str = ""
    data_views: tuple[Name, ...] = ()
    segment: SegmentDefinition

    def is_of(self, view: str) -> bool:
        """Return whether it can be chosen in a data view."""
        return not self.data_views or view in self.data_views


class DateRangeDefinition(Definition):
    """A date range under a name.

    Attributes:
        name: as people see it; no other date range has it.
        since: its first moment, in the data view's zone; None is the beginning.
        before: the first moment after it; None is the end.
    """

    name: str = Field(min_length=1)
    description: str = ""
    since: MomentText | None = None
    before: MomentText | None = None

    @model_validator(mode="after")
    def _check(self) -> DateRangeDefinition:
        if self.since is None and self.before is None:
            raise RefusalError("a date range needs since or before", hint="Such as since: start of year.")
        return self


def _standard(since: str, before: str, *names: str) -> Iterator[DateRangeDefinition]:
    yield from (DateRangeDefinition(name=name, since=since, before=before) for name in names)


STANDARD_RANGES: Final[tuple[DateRangeDefinition, ...]] = (
    *_standard("start of day", "start of day + 1 day", "Today"),
    *_standard("start of day - 1 day", "start of day", "Yesterday"),
    *(
        found
        for period in ("week", "month", "quarter", "year")
        for found in (
            *_standard(f"start of {period}", f"start of {period} + 1 {period}", f"This {period.title()}"),
            *_standard(f"start of {period} - 1 {period}", f"start of {period}", f"Last {period.title()}"),
        )
    ),
)
"""Date ranges that every data view has, but where one of the same name is defined."""


def date_ranges(defined: Iterable[DateRangeDefinition]) -> dict[str, DateRangeDefinition]:
    """Return name → date range: those defined, and the standard ones."""
    return {found.name: found for found in (*STANDARD_RANGES, *defined)}


def saved_problems(
    segments: Mapping[str, SavedSegmentDefinition],
    ranges: Mapping[str, DateRangeDefinition],
    views: Collection[str],
) -> Iterator[Problem]:
    """Yield data views that are not there, and names that are given twice."""
    for key, saved in segments.items():
        for place, view in enumerate(saved.data_views):
            if view not in views:
                where = ("segments", key, "data_views", str(place))
                yield Problem(where, f'there is no data view "{view}"', did_you_mean(view, views))
    for view in views:
        yield from _repeated("segments", {key: saved for key, saved in segments.items() if saved.is_of(view)})
    yield from _repeated("date_ranges", ranges)


def _repeated(
    where: str, saved: Mapping[str, SavedSegmentDefinition | DateRangeDefinition]
) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for key, found in saved.items():
        first = seen.setdefault(found.name, key)
        if first != key:
            yield Problem((where, key, "name"), f'"{first}" has the name {found.name!r} already')
