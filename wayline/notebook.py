"""Reports from Python: names of components in, an answer as Polars, pandas or Arrow out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import duckdb
import polars as pl
import pyarrow as pa
from pydantic import TypeAdapter, ValidationError
from sqlglot import exp

from engine.cancellation import Cancellation
from engine.dataview.components import LOCAL_TIME, Component, DataView, Role, data_view
from engine.dataview.local_time import to_utc
from engine.definitions.model import SegmentDefinition
from engine.definitions.project import explained
from engine.errors import InputError, WaylineError
from engine.report import run
from engine.report.moments import instant_of
from engine.report.request import Aggregate, DimensionColumn, MetricColumn, ReportRequest, TimeRange
from engine.report.segments import checked
from engine.world import Home, World
from sqlfront.sqlstate import to_wayline_error

if TYPE_CHECKING:
    import pandas as pd

Moment: TypeAlias = date | datetime | str | None
"""A time in the view's zone (with an offset: an instant), a text as ISO 8601; None is open."""
Range: TypeAlias = tuple[Moment, Moment] | str | None
"""From the first moment up to the second, which is not included; or both in one text with ``/``."""
Segment: TypeAlias = str | Mapping[str, Any]
"""A condition in SQL, or a segment as it is written in a project file."""

_SEGMENTS = TypeAdapter(tuple[SegmentDefinition, ...])


@dataclass(frozen=True, repr=False)
class Answer:
    """Rows and columns, shown as a table.

    Attributes:
        world: the world that all of it was read from.
    """

    _table: pa.Table
    world: int

    def arrow(self) -> pa.Table:
        """Return the answer as an Arrow table."""
        return self._table

    def polars(self) -> pl.DataFrame:
        """Return the answer as a Polars frame."""
        return pl.DataFrame(self._table)

    def pandas(self) -> pd.DataFrame:
        """Return the answer as a pandas frame.

        Raises:
            InputError: pandas is not installed.
        """
        try:
            import pandas  # noqa: F401 - Arrow says less clearly that it is missing
        except ImportError:
            raise InputError("pandas is not installed", hint='pip install "wayline[pandas]"') from None
        return self._table.to_pandas()

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def __repr__(self) -> str:
        return repr(self.polars())

    def _repr_html_(self) -> str:
        return self.polars()._repr_html_()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Let other libraries take the answer as it lies."""
        return self._table.__arrow_c_stream__(requested_schema)


class OpenHome:
    """An open home; safe to share between threads. As a context manager it closes itself.

    Args:
        path: the home folder.

    Raises:
        WaylineError: the folder is not a home, or cannot be read.
    """

    def __init__(self, path: Path | str) -> None:
        with _with_remedies():
            self._home = Home.open(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"wayline.open({str(self._home.root)!r})"

    def close(self) -> None:
        """Close the home; nothing can be asked any more."""
        self._home.close()

    def views(self) -> list[str]:
        """Return the names of the data views."""
        return sorted(self._home.current().definitions.data_views)

    def components(self, view: str) -> Answer:
        """Return what a view offers: ``id``, ``role``, ``type`` and ``description`` of each component.

        Raises:
            WaylineError: there is no such view.
        """
        world = self._home.current()
        with _with_remedies():
            offered = [c for c in data_view(world.definitions, view).components.values() if _is_offered(c)]
        rows = [
            {"id": c.id, "role": c.role.value, "type": str(c.type), "description": c.description}
            for c in offered
        ]
        return Answer(pa.Table.from_pylist(rows), world.id)

    def report(
        self,
        view: str,
        *,
        dimensions: str | Sequence[str] = (),
        metrics: str | Sequence[str] = (),
        range: Range = None,  # noqa: A002 - what everyone calls it
        segments: Segment | Sequence[Segment] = (),
        identity_as_of: Moment = None,
    ) -> Answer:
        """Ask one question of a data view.

        Args:
            view: the view's name.
            dimensions: ids of components to group by.
            metrics: ids of components to measure.
            range: which events count; None: all of them.
            segments: events must belong to each of them, and to those of the view.
            identity_as_of: who is who as it was known then, on the events of now; UTC where it has no offset.

        Returns:
            One row for each group, in the order of the dimensions; without dimensions one row.

        Raises:
            WaylineError: a name is unknown, or the question cannot be answered.
        """
        with _with_remedies(), self._home.pin() as pinned:
            world = replace(pinned, identity_as_of=_known_at(identity_as_of))
            known = data_view(world.definitions, view)
            asked = ReportRequest(
                view,
                tuple(DimensionColumn(c.id, _column(c)) for c in _dimensions(known, dimensions)),
                tuple(MetricColumn(c.id, Aggregate.VALUE, _column(c)) for c in _metrics(known, metrics)),
                _time_range(range, known.definition.time_zone),
                segments=_segments(segments, known),
            )
            return Answer(_in_order(self._run(asked, world), asked), world.id)

    def _run(self, asked: ReportRequest, world: World) -> pa.Table:
        """Run a report in a thread of its own, so that Ctrl-C ends it at once."""
        if not (asked.dimensions or asked.metrics):
            raise InputError("nothing is asked", hint='Name some: metrics=["visitors"].')
        cancellation = Cancellation()
        with ThreadPoolExecutor(1) as thread:
            try:
                return thread.submit(run, asked, self._home, world, cancellation).result()
            except KeyboardInterrupt:
                cancellation.cancel()
                raise


@contextmanager
def _with_remedies() -> Iterator[None]:
    """Show an error's remedy below it, and make DuckDB's errors ours."""
    try:
        yield
    except (WaylineError, duckdb.Error, RecursionError) as error:
        ours = error if isinstance(error, WaylineError) else to_wayline_error(error)
        if ours.hint:
            ours.add_note(ours.hint)
        raise ours from None


def _column(component: Component) -> exp.Expr:
    return exp.column(component.id, quoted=True)


def _is_offered(component: Component) -> bool:
    """Whether a component can be asked for: names of saved segments and ranges hold nothing."""
    return component.role is not Role.SPECIAL or component.type == LOCAL_TIME


def _dimensions(view: DataView, names: str | Sequence[str]) -> list[Component]:
    found = _components(view, names)
    for component in found:
        if component.role is Role.METRIC:
            hint = f'Ask for it as metrics=["{component.id}"].'
            raise InputError(f'"{component.id}" is a metric, not a dimension', hint=hint)
        if not _is_offered(component):
            raise InputError(f'"{component.id}" holds no values', hint="Use segments= and range= instead.")
    return found


def _metrics(view: DataView, names: str | Sequence[str]) -> list[Component]:
    found = _components(view, names)
    for component in found:
        if component.role is not Role.METRIC:
            hint = f'Ask for it as dimensions=["{component.id}"].'
            raise InputError(f'"{component.id}" is a dimension, not a metric', hint=hint)
    return found


def _components(view: DataView, names: str | Sequence[str]) -> list[Component]:
    """Return components by name; one that is named twice is one column."""
    listed = _several(names)
    for name in listed:
        if not isinstance(name, str):
            raise InputError(f"{name!r} is not the name of a component", hint='Such as "visitors".')
    return list({(component := view.component(name)).id: component for name in listed}.values())


def _several(given: Any) -> list[Any]:
    """Return one thing, or several, as a list; None is nothing."""
    if given is None:
        return []
    alone = isinstance(given, (str, Mapping)) or not isinstance(given, Iterable)
    return [given] if alone else list(given)


def _segments(given: Segment | Sequence[Segment], view: DataView) -> tuple[SegmentDefinition, ...]:
    try:
        found = _SEGMENTS.validate_python(_several(given))
    except ValidationError as error:
        details = error.errors()[0]
        path = ("data_views", view.name, "segments", *map(str, details["loc"]))
        where, message, hint = explained(path, details)
        raise InputError(f"{'.'.join(where[2:])}: {message}", hint=hint or _EXAMPLE) from None
    checked(found, view)
    return found


_EXAMPLE = 'Such as "channel = \'email\'" or {"container": "person", "where": "revenue > 100"}.'


def _time_range(given: Range, zone: str) -> TimeRange:
    pair = given.split("/") if isinstance(given, str) else _several(given) or (None, None)
    moments = [_instant(moment, zone) for moment in pair]
    if len(moments) != 2:
        raise InputError(f"{given!r} is not a range", hint='Such as ("2026-03-01", "2026-04-01").')
    start, end = moments
    if start is not None and end is not None and start >= end:
        hint = "The end is not included: the first day after is right."
        raise InputError(f"the range {given!r} ends before it begins, or at once", hint=hint)
    return TimeRange(start, end)


def _instant(moment: Moment, zone: str) -> int | None:
    """Return a moment in µs UTC."""
    if isinstance(moment, str):
        moment = _read(moment) if moment.strip() else None
    if moment is None:
        return None
    if not isinstance(moment, date):
        raise InputError(f"{moment!r} is not a time", hint="Use a date, a datetime, or a text: 2026-03-01.")
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day)
    return to_utc(moment, zone)


def _known_at(moment: Moment) -> datetime | None:
    if moment is None or moment == "":
        return None
    if not isinstance(moment, (date, str)):
        raise InputError(f"{moment!r} is not a time", hint="Use a date, a datetime, or a text: 2026-03-01.")
    return instant_of(moment)


def _read(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        hint = "Write it as 2026-03-01 or 2026-03-01T09:30."
        raise InputError(f"{text!r} is not a time", hint=hint) from None


def _in_order(table: pa.Table, asked: ReportRequest) -> pa.Table:
    keys = [(dimension.name, "ascending") for dimension in asked.dimensions]
    return table.sort_by(keys) if keys else table
