"""Settings of a data view's components, sessions and segments, as users write them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final, Literal

from pydantic import Field, model_validator

from engine.definitions.base import Definition, ShortForm
from engine.definitions.values import Duration, Name, RefusalError


class ValueRule(Definition):
    """Which values count as present; every given criterion must hold."""

    equals: list[str | int | float | bool] | None = None
    not_equals: list[str | int | float | bool] | None = None
    contains: str | None = None
    starts_with: str | None = None
    ends_with: str | None = None
    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="before")
    @classmethod
    def _lists(cls, value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: [inner] if key in ("equals", "not_equals") and not isinstance(inner, list) else inner
                for key, inner in value.items()
            }
        return value


class MetricExpiration(Definition):
    """A value is dropped right after an event on which this metric happened."""

    metric: Name


class BindingDefinition(Definition):
    """Persistence apart for each value of another dimension.

    Attributes:
        dimension: whose values keep values of their own; may be a field in an array of objects.
        metric: values are bound only on events that have this metric.
    """

    dimension: str
    metric: str | None = None


class PersistenceDefinition(Definition):
    """How long a dimension's value is kept, and which of several.

    Attributes:
        expiration: with the session, with the person (the report's window), some time after the value was
            set, or after an event with a metric.
    """

    allocation: Literal["most_recent", "original", "all", "first_known", "last_known"] = "most_recent"
    expiration: Literal["session", "person"] | Duration | MetricExpiration = "session"
    binding: BindingDefinition | None = None

    @model_validator(mode="after")
    def _check(self) -> PersistenceDefinition:
        short_lived = self.expiration not in ("session", "person")
        if short_lived and self.allocation not in ("most_recent", "original"):
            message = f"{self.allocation} values expire with the session or the person only"
            raise RefusalError(message, hint="Use expiration: session or person.", key="expiration")
        if self.binding is not None and self.allocation == "all":
            message = "allocation all has every value anyway, so nothing can be bound"
            raise RefusalError(message, hint="Use most_recent or original.", key="binding")
        return self


class WeightsDefinition(Definition):
    """Shares of a custom attribution model; only their proportions matter."""

    starter: float = Field(ge=0, le=1e9)
    player: float = Field(ge=0, le=1e9)
    closer: float = Field(ge=0, le=1e9)

    @model_validator(mode="after")
    def _check(self) -> WeightsDefinition:
        if not self.starter + self.closer > 0:
            raise ValueError("starter and closer cannot both be 0: two touches would share nothing")
        return self


_HALF_LIFE: Final = timedelta(days=7)


class AttributionDefinition(Definition):
    """How a metric is credited to a dimension's items.

    Attributes:
        lookback: how old a touch may be at its conversion; none: the reporting window.
        half_life: of time decay.
        weights: of the custom model.
    """

    model: Literal[
        "last",
        "first",
        "same",
        "linear",
        "participation",
        "u_shaped",
        "j_curve",
        "inverse_j",
        "time_decay",
        "custom",
        "algorithmic",
        "markov",
    ] = "last"
    container: Literal["session", "person"] = "person"
    lookback: Duration | None = None
    half_life: Duration = _HALF_LIFE
    weights: WeightsDefinition | None = None

    @model_validator(mode="after")
    def _check(self) -> AttributionDefinition:
        if (self.model == "custom") != (self.weights is not None):
            message = "weights belong to model custom, and model custom needs them"
            hint = "weights: {starter: 30, player: 40, closer: 30}"
            raise RefusalError(message, hint=hint, key="weights")
        if self.half_life != _HALF_LIFE and self.model != "time_decay":
            hint = "Use model: time_decay, or remove half_life."
            raise RefusalError("half_life belongs to model time_decay", hint=hint, key="half_life")
        return self


class DimensionDefinition(ShortForm):
    """A dimension of a data view. ``channel: web.channel`` is short for its ``field``."""

    short_key = "field"

    field: str
    description: str = ""
    values: ValueRule | None = None
    lower_case: bool = False
    persistence: PersistenceDefinition | None = None


class DeduplicationDefinition(Definition):
    """Counts a metric once for each value of a dimension; events without a value are kept.

    Attributes:
        by: the dimension whose value says what is the same, such as an order's id.
    """

    by: str
    scope: Literal["session", "person"] = "person"
    keep: Literal["first", "last"] = "first"


OF_SESSIONS: Final = ("adobe_sessionstarts", "adobe_sessionends", "adobe_timespent")
"""Standard metrics that follow from where sessions start."""

COUNTABLE: Final = ("occurrences", *OF_SESSIONS)
"""Standard metrics that a metric may name as its field, to give them settings of its own."""


class MetricDefinition(ShortForm):
    """A metric of a data view: the sum of a numeric field, or how often a field has a value.

    Attributes:
        field: dotted path, or one of ``COUNTABLE``; a field in an array of objects is summed over its
            elements.
        count: count instances instead of summing values.
        values: only these values are present.
    """

    short_key = "field"

    field: str
    description: str = ""
    count: bool = False
    values: ValueRule | None = None
    deduplication: DeduplicationDefinition | None = None
    attribution: AttributionDefinition | None = None


class SessionDefinition(Definition):
    """When a new session starts: after a gap longer than the timeout, or by a metric.

    Attributes:
        start_on: an event on which one of these metrics happened starts a session.
        end_on: an event on which one of these metrics happened is the last of its session.
    """

    timeout: Duration = timedelta(minutes=30)
    start_on: list[Name] = Field(default_factory=list)
    end_on: list[Name] = Field(default_factory=list)


class SegmentDefinition(ShortForm):
    """Which events belong: single ones, or whole sessions or persons, in which something is found.

    Exactly one of ``where``, ``all`` and ``any`` is given.

    Attributes:
        container: what is taken as a whole where an event in it is found.
        exclude: take everything else at the container's grain instead.
        where: a condition in SQL over the view's components; a text alone is short for it.
        all: segments that must each find an event in the container, not necessarily the same.
        any: segments of which one must.
    """

    short_key = "where"

    container: Literal["event", "session", "person"] = "event"
    exclude: bool = False
    where: str | None = None
    all: tuple[SegmentDefinition, ...] = ()
    any: tuple[SegmentDefinition, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> SegmentDefinition:
        if sum([self.where is not None, bool(self.all), bool(self.any)]) != 1:
            raise ValueError("a segment needs exactly one of where, all and any")
        return self
