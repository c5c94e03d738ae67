"""Every question about a model, by channel, also by day or hour, and the SQL with which peers answer it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from benchmarks.models import LAST, POSITIONAL, SETTINGS
from benchmarks.pairs import Pair, Sense
from benchmarks.peer_tables import peer_sql

DUCKDB: Final = "duckdb"
CHDB: Final = "chdb"
ENGINES: Final = {DUCKDB: "DuckDB", CHDB: "ClickHouse"}
PERIODS: Final = ("", "day", "hour")
"""What is grouped by besides the channel: nothing, or a period that the conversion lies in."""
_COLUMNS: Final[Mapping[tuple[str, str], str]] = {
    (DUCKDB, "day"): "date_trunc('day', ts) AS period,",
    (DUCKDB, "hour"): "date_trunc('hour', ts) AS period,",
    (CHDB, "day"): "toStartOfDay(ts) AS period,",
    (CHDB, "hour"): "toStartOfHour(ts) AS period,",
}


@dataclass(frozen=True)
class Question:
    """Revenue, orders and session starts under one model, by channel and perhaps by a period."""

    model: str
    period: str = ""

    @property
    def name(self) -> str:
        """How measurements and targets call it: ``linear``, ``linear.day``."""
        return ".".join(filter(None, (self.model, self.period)))

    @property
    def keys(self) -> tuple[str, ...]:
        """The answer's key columns."""
        return ("channel", self.period) if self.period else ("channel",)


@dataclass(frozen=True)
class Formulation:
    """One way to ask a peer: a file in ``peers/`` and what is filled in.

    Attributes:
        periods: whether it can group by a period of the conversion.
    """

    engine: str
    file: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    periods: bool = True

    def name(self, question: Question) -> str:
        """Return how the measurement of a question is called."""
        return f"{self.engine}_{self.file}.{question.name}"

    def sql(self, question: Question) -> str:
        """Return the statement that answers a question."""
        period = _COLUMNS.get((self.engine, question.period), "")
        return peer_sql(f"{self.engine}_{self.file}", {**self.parameters, "period": period})


def _asof(nearest: str, inside: str) -> Formulation:
    return Formulation(DUCKDB, "asof", {"nearest": nearest, "inside": inside})


def _pairs(share: str, credited: str = "TRUE") -> Formulation:
    return Formulation(DUCKDB, "pairs", {"share": share, "credited": credited})


def _lists(share: str, **others: str) -> Formulation:
    """Ask for the share of each touch; others: name in ``share`` → array beside the touches."""
    lists = {"touch": "touches", **others}
    function = f"({', '.join(lists)}) -> (touch.2, {share})"
    return Formulation(CHDB, "lists", {"shares": f"arrayMap({function}, {', '.join(lists.values())})"})


def _by_position(model: str, place: str, first: str, last: str) -> str:
    """Return the share of a touch in SQL by its place, told from the places of the first and the last."""
    starter, player, closer = POSITIONAL[model]
    whole = starter + player + closer
    return (
        f"CASE WHEN n < 2 THEN 1"
        f" WHEN n = 2 THEN CASE WHEN {place} = {first} THEN {starter} ELSE {closer} END / {starter + closer}"
        f" WHEN {place} = {first} THEN {starter / whole} WHEN {place} = {last} THEN {closer / whole}"
        f" ELSE {player / whole} / (n - 2) END"
    )


def _positional(model: str) -> tuple[Formulation, ...]:
    return (
        _pairs(_by_position(model, "touched", "first", "last")),
        _lists(_by_position(model, "place", "1", "n"), place="arrayEnumerate(touches)"),
    )


FORMULATIONS: Final[Mapping[str, tuple[Formulation, ...]]] = {
    LAST: (
        _asof("conversions.ts >= touches.touched", "touched >= ts - INTERVAL 30 DAY"),
        Formulation(DUCKDB, "filtered"),
        Formulation(CHDB, "last"),
    ),
    "first": (
        _asof("conversions.ts - INTERVAL 30 DAY <= touches.touched", "touched <= ts"),
        Formulation(CHDB, "first"),
    ),
    "same": (Formulation(DUCKDB, "same"), Formulation(CHDB, "same")),
    "linear": (
        _pairs("(1 / greatest(n, 1))"),
        Formulation(DUCKDB, "spread", {"weight": "1"}, periods=False),
        _lists("1 / n"),
    ),
    "participation": (
        _pairs("1", "ts < until"),
        Formulation(CHDB, "lists", {"shares": "arrayMap(item -> (item, 1.), arrayDistinct(touches.2))"}),
    ),
    **{model: _positional(model) for model in POSITIONAL},
    "time_decay": (
        _pairs("CASE WHEN n = 0 THEN 1 ELSE weight / total END"),
        Formulation(
            DUCKDB,
            "spread",
            {"weight": "pow(2, epoch(ts - TIMESTAMP '2026-01-01') / 604800)"},
            periods=False,
        ),
        _lists("weight / total", weight="weights"),
    ),
}
"""Model → how peers answer; of each engine's ways the fastest counts. What SQL cannot do is left out."""

QUESTIONS: Final = tuple(Question(model, period) for period in PERIODS for model in SETTINGS)


def asked_of_peers() -> tuple[tuple[Question, Formulation], ...]:
    """Return every question with each way to ask it."""
    return tuple(
        (question, formulation)
        for question in QUESTIONS
        for formulation in FORMULATIONS.get(question.model, ())
        if formulation.periods or not question.period
    )


def beside_last_touch() -> dict[str, Pair]:
    """Return P3: each model beside last touch.

    What a period holds is the same under every model but participation, which counts conversions again.
    """
    return {
        f"P3.{question.name}": Pair(
            _shown(question) + " ÷ last touch",
            f"ours.{question.name}",
            (f"ours.{Question(LAST, question.period).name}",),
            3.0,
            Sense.COST,
            None if question.model == "participation" else question.period,
        )
        for question in QUESTIONS
        if question.model != LAST
    }


def beside_no_skew() -> dict[str, Pair]:
    """Return P4: each model where one person has a tenth of all events, beside the same without them."""
    return {
        f"P4.{question.name}": Pair(
            _shown(question) + ", one person with 10 % of the events ÷ none",
            f"skewed.{question.name}",
            (f"ours.{question.name}",),
            1.5,
            Sense.COST,
            None,
        )
        for question in QUESTIONS
    }


def beside_sql() -> dict[str, Pair]:
    """Return, for every question and engine, the best SQL beside the report."""
    found: dict[tuple[str, Question], list[str]] = {}
    for question, formulation in asked_of_peers():
        found.setdefault((formulation.engine, question), []).append(formulation.name(question))
    return {
        f"sql.{engine}.{question.name}": Pair(
            f"best SQL in {ENGINES[engine]} ÷ {_shown(question)}",
            f"ours.{question.name}",
            tuple(names),
            1.0,
            Sense.GAIN,
            "+".join(question.keys),
        )
        for (engine, question), names in found.items()
    }


def _shown(question: Question) -> str:
    model = question.model.replace("_", " ")
    return f"{model}, by {question.period}" if question.period else model
