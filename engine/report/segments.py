"""Which events of a chunk belong to segments: conditions on events, spread over sessions and persons.

A condition says of each event whether it is found; its container then takes whole sessions or persons in
which one is, and ``exclude`` turns the result around.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import reduce

import duckdb
import numpy as np
import pyarrow as pa
from sqlglot import exp

from attribution.models import Mask, Rows
from attribution.rows import marked_rows, mask_at, mask_of
from engine.cancellation import Cancellation
from engine.dataview.components import LOCAL_TIME, Component, DataView, Scope, data_view
from engine.dataview.segments import Container, Path, Segment, SegmentError, segments_of, walk
from engine.definitions.model import Definitions, SavedSegmentDefinition, SegmentDefinition
from engine.definitions.problem import Problem
from engine.errors import UnsupportedError
from engine.report.columns import ROW_INDEX, array_of, column_name, component_ids
from engine.report.elements import ROWS, over_rows
from engine.report.sql import Statements

Indexes = Callable[[Container], Rows | None]
"""Container → int32[N], the number of the one that each event lies in; None for events themselves."""


def looks_around(segments: Iterable[Segment]) -> bool:
    """Whether sessions or persons are looked at, which may have begun long before a question's range."""
    return any(segment.container is not Container.EVENT for segment in walk(segments))


def takes_sessions(segments: Iterable[Segment]) -> bool:
    """Whether one of the segments takes sessions."""
    return any(segment.container is Container.SESSION for segment in walk(segments))


def belonging(segment: Segment, matches: Callable[[exp.Expr], Mask], indexes: Indexes) -> Mask:
    """Return uint8[N]: the event belongs to a segment. O(N) for each container.

    Args:
        matches: evaluates a condition to uint8[N].
        indexes: tells in which session or person each event lies.
    """
    index = indexes(segment.container)
    if segment.condition is not None:
        found = _spread(matches(segment.condition), index)
    else:
        parts = (_spread(belonging(part, matches, indexes), index) for part in segment.parts)
        found = reduce(np.bitwise_and if segment.every else np.bitwise_or, parts)
    return found ^ np.uint8(1) if segment.exclude else found


def _spread(found: Mask, index: Rows | None) -> Mask:
    """uint8[N]: an event is found in the container that the event lies in."""
    if index is None:
        return found
    return mask_at(mask_of(index[marked_rows(found)], index.size + 1), index)


def problems(definitions: Definitions) -> Iterator[Problem]:
    """Yield what is wrong with segments: one problem for each view, and for each saved one in a view.

    Args:
        definitions: without other faults.
    """
    for name, definition in definitions.data_views.items():
        try:
            checked(definition.segments, data_view(definitions, name), ("data_views", name, "segments"))
        except SegmentError as error:
            yield Problem(error.path, error.reason, error.hint)
    for key, saved in definitions.segments.items():
        for name in filter(saved.is_of, definitions.data_views):
            yield from _problem_of(saved, key, data_view(definitions, name))


def _problem_of(saved: SavedSegmentDefinition, key: str, view: DataView) -> Iterator[Problem]:
    try:
        checked((saved.segment,), view, ("segments", key))
    except SegmentError as error:
        path = ("segments", key, "segment", *error.path[3:])
        hint = None if saved.data_views else f"{error.hint or ''} Or name its data_views.".strip()
        yield Problem(path, f'in data view "{view.name}": {error.reason}', hint or error.hint)


def checked(
    definitions: Iterable[SegmentDefinition], view: DataView, path: Path = ("segments",)
) -> tuple[Segment, ...]:
    """Return segments against a view's components, with types that fit: each has been tried.

    Args:
        path: the key path to them, for errors.

    Raises:
        SegmentError: one cannot be evaluated.
    """
    found = segments_of(definitions, view, path)
    for segment in walk(found):
        if segment.condition is not None:
            _try(segment.condition, view, (*segment.path, "where"))
    return found


def _try(condition: exp.Expr, view: DataView, path: Path) -> None:
    """Evaluate a condition on an event without any values, and on one with some: DuckDB says what fits."""
    components = [view.component(name) for name in sorted(component_ids([condition]))]
    columns = {column_name(component): _sample(_read_type(component)) for component in components}
    value = exp.alias_(over_rows(condition, view), "found")
    try:
        array_of(components)
        table = Statements(Cancellation(), {}).run(
            pa.table(columns | {ROW_INDEX: pa.array([0, 1])}), exp.select(value).from_(exp.to_table(ROWS))
        )
    except UnsupportedError as error:
        raise SegmentError(path, error.message, error.hint) from None
    except duckdb.Error as error:
        reason = str(error).partition("\n")[0].partition("Error: ")[2]
        raise SegmentError(path, reason, "Compare values of one type, or cast them.") from None
    if not pa.types.is_boolean(table.schema.field("found").type):
        text = condition.sql("postgres")
        raise SegmentError(path, f"{text!r} is neither true nor false", "Compare it with something.")


def _sample(kind: pa.DataType) -> pa.Array:
    """No value, and one: a text that is no number shows where numbers are compared with texts."""
    return pa.array([None, "x" if pa.types.is_string(kind) else None], kind)


def _read_type(component: Component) -> pa.DataType:
    """The type of the column that a component is read from: parts of time come from the time itself."""
    return LOCAL_TIME if component.scope is Scope.TIME else component.type
