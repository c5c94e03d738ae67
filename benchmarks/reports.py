"""The report that benchmarks ask for: revenue, orders and session starts by channel, under any model."""

from __future__ import annotations

from typing import Final

import pyarrow as pa
from sqlglot import exp

from benchmarks.answers import Row
from benchmarks.models import LAST, VIEW, metric_name
from benchmarks.questions import Question
from engine.cancellation import Cancellation
from engine.report import run
from engine.report.request import Aggregate, DimensionColumn, MetricColumn, ReportRequest, TimeRange
from engine.world import Home, World

COLUMNS: Final = ("channel", "revenue", "orders")
"""Fields of the journeys that the report reads, besides the events' times."""
EVERYTHING: Final = TimeRange()
LAST_TOUCH: Final = Question(LAST)
_COMPONENTS: Final = {"channel": "channel", "day": "daterangeday", "hour": "daterangehour"}
_MEASURES: Final = ("revenue", "orders", "session_starts")


def request(question: Question = LAST_TOUCH, span: TimeRange = EVERYTHING) -> ReportRequest:
    """Return the report that answers a question about a span."""
    return ReportRequest(
        view=VIEW,
        dimensions=tuple(
            DimensionColumn(key, exp.column(_COMPONENTS[key], quoted=True)) for key in question.keys
        ),
        metrics=tuple(
            MetricColumn(name, Aggregate.VALUE, exp.column(metric_name(name, question.model), quoted=True))
            for name in _MEASURES
        ),
        range=span,
    )


def answer(asked: ReportRequest, home: Home, world: World | None = None) -> list[Row]:
    """Return the report's rows in a world, the newest if none is given."""
    table: pa.Table = run(asked, home, world or home.current(), Cancellation())
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))
