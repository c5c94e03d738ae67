"""What measurements ask: a report of ours, or a statement of a peer."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from benchmarks.answers import Row
from benchmarks.peer_tables import peer_sql
from benchmarks.questions import CHDB, Formulation, Question
from benchmarks.report_stage import Stage
from benchmarks.reports import EVERYTHING, LAST_TOUCH, answer, request
from engine.report.request import TimeRange

Ask = Callable[[Stage], list[Row]]


def ours(question: Question = LAST_TOUCH, span: TimeRange = EVERYTHING, home: str = "home") -> Ask:
    """Ask the report about a span of a home; ``home`` names it on the stage."""
    asked, home_of = request(question, span), attrgetter(home)
    return lambda stage: answer(asked, home_of(stage))


def duckdb(name: str, database: str = "database", **parameters: Any) -> Ask:
    """Ask DuckDB by a file of ``peers/``."""
    sql, database_of = peer_sql(name, parameters), attrgetter(database)
    return lambda stage: database_of(stage).execute(sql).fetchall()


def peer(question: Question, formulation: Formulation) -> Ask:
    """Ask a peer a question in one way."""
    sql = formulation.sql(question)
    if formulation.engine == CHDB:
        return lambda stage: stage.clickhouse.query(sql)
    return lambda stage: stage.database.execute(sql).fetchall()
