"""Checks persistence and deduplication against the rest of their data view."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from engine.definitions.model import DataViewDefinition, MetricDefinition
from engine.definitions.problem import Path, Problem
from engine.definitions.settings import BindingDefinition, MetricExpiration
from engine.errors import did_you_mean

Arrays = Mapping[str, str]
"""Field of the objects in an array → the array."""


def persistence_problems(
    path: Path, name: str, view: DataViewDefinition, arrays: Arrays
) -> Iterator[Problem]:
    """Yield what is wrong with the persistence of a dimension."""
    settings = view.dimensions[name].persistence
    if settings is None:
        return
    where = (*path, "persistence")
    if isinstance(settings.expiration, MetricExpiration):
        yield from _metric((*where, "expiration", "metric"), settings.expiration.metric, view)
    if settings.binding is not None:
        yield from _binding((*where, "binding"), name, settings.binding, view, arrays)


def _metric(path: Path, name: str, view: DataViewDefinition) -> Iterator[Problem]:
    if name not in view.metrics:
        hint = did_you_mean(name, view.metrics)
        yield Problem(path, f'there is no metric "{name}" in this data view', hint)


def _dimension(path: Path, name: str, view: DataViewDefinition) -> Iterator[Problem]:
    if name not in view.dimensions:
        hint = did_you_mean(name, view.dimensions)
        yield Problem(path, f'there is no dimension "{name}" in this data view', hint)


def _binding(
    path: Path, name: str, binding: BindingDefinition, view: DataViewDefinition, arrays: Arrays
) -> Iterator[Problem]:
    if binding.metric is not None:
        yield from _metric((*path, "metric"), binding.metric, view)
    yield from _dimension((*path, "dimension"), binding.dimension, view)
    if binding.dimension == name:
        yield Problem((*path, "dimension"), f'"{name}" cannot be bound to itself', "Name another dimension.")
    elif binding.dimension in view.dimensions:
        own = arrays.get(view.dimensions[name].field)
        other = arrays.get(view.dimensions[binding.dimension].field)
        yield from _levels(path, binding, own, other)


def _levels(path: Path, binding: BindingDefinition, own: str | None, other: str | None) -> Iterator[Problem]:
    if own is not None and other is not None and own != other:
        message = f'"{binding.dimension}" is in the array "{other}", the dimension in "{own}"'
        yield Problem((*path, "dimension"), message, f'Bind it to a field of "{own}", or of the event.')
    if own is None and other is not None and binding.metric is None:
        message = (
            f'"{binding.dimension}" is in the array "{other}", the dimension is not: a binding metric has to '
            "say on which events its value goes to the elements"
        )
        yield Problem(path, message, f"binding: {{dimension: {binding.dimension}, metric: …}}")


def deduplication_problems(
    path: Path, metric: MetricDefinition, view: DataViewDefinition, arrays: Arrays
) -> Iterator[Problem]:
    """Yield what is wrong with the deduplication of a metric."""
    if metric.deduplication is None:
        return
    where, by = (*path, "deduplication", "by"), metric.deduplication.by
    yield from _dimension(where, by, view)
    if by in view.dimensions:
        array = arrays.get(view.dimensions[by].field)
        if array is not None and array != arrays.get(metric.field):
            message = f'"{by}" is in the array "{array}", and the metric is not'
            yield Problem(where, message, "Name a dimension of the event, or a metric of that array.")
