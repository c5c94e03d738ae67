"""When a dataset is replayed by itself: how often, at what time of day, how far back."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from engine.definitions.base import Definition
from engine.definitions.values import Duration, RefusalError, write_duration

_MONDAY: Final = datetime(1970, 1, 5, tzinfo=UTC)
"""From where on periods are counted, so that weekly ones begin on a Monday."""
_PERIODS: Final = {"daily": "1d", "weekly": "7d"}
_LONGEST: Final = 36_525


def _time_of_day(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 24 * 60:
        # YAML reads 13:00 without quotes as a number to the base of 60.
        return f"{value // 60:02}:{value % 60:02}"
    match = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", str(value).strip())
    if match is None:
        raise RefusalError(f"{value!r} is not a time of day", hint='Write it as "03:00"; it is UTC.')
    return f"{int(match[1]):02}:{match[2]}"


class ReplaySchedule(Definition):
    """How often a dataset is replayed, and how far back. ``weekly/14``: every Monday, the last 14 days.

    Attributes:
        every: from one replay to the next, counted from a Monday.
        lookback: the length of the window.
        at: time of day in UTC, from which periods shorter than a day are counted as well.
    """

    every: Duration = Field(ge=timedelta(minutes=1))
    lookback: Duration
    at: Annotated[str, BeforeValidator(_time_of_day)] = "00:00"

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        match = re.fullmatch(r"(daily|weekly)/(\d{1,5})", value.strip())
        if match is None or not 1 <= int(match[2]) <= _LONGEST:
            hint = 'Such as daily/1, weekly/7, weekly/30, or {every: 12h, lookback: 3d, at: "03:00"}.'
            raise RefusalError(f"{value!r} is not a schedule", hint=hint)
        return {"every": _PERIODS[match[1]], "lookback": f"{match[2]}d"}

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Let an editor accept both forms."""
        short = {"type": "string", "pattern": r"^(daily|weekly)/\d+$", "examples": ["daily/1", "weekly/14"]}
        return {"anyOf": [short, handler(core_schema)]}

    @property
    def text(self) -> str:
        """The schedule in a few words, the same for equal ones: ``every 7d at 00:00, 14d back``."""
        return f"every {write_duration(self.every)} at {self.at}, {write_duration(self.lookback)} back"

    def latest(self, now: datetime) -> datetime:
        """Return the last instant at or before a moment at which a replay is due."""
        first = _MONDAY + self._phase
        return first + (now - first) // self.every * self.every

    def following(self, now: datetime) -> datetime:
        """Return the first instant after a moment at which a replay is due."""
        return self.latest(now) + self.every

    @property
    def _phase(self) -> timedelta:
        hours, minutes = self.at.split(":")
        return timedelta(hours=int(hours), minutes=int(minutes))
