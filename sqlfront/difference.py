"""Why did this number change? One question, answered in two worlds and where it matters between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa
from sqlglot import exp

from engine.cancellation import Cancellation
from engine.difference import Difference, Step, between, rows_by_key, split, without
from engine.errors import InputError, UnsupportedError, WaylineError
from engine.governance.access import OWNER
from engine.lateness import Lateness, lateness
from engine.types import is_number, sql_type
from engine.world import Home, World
from sqlfront.answer import Question
from sqlfront.catalog import recognise
from sqlfront.dialect import parse
from sqlfront.execution import Execution, Planned
from sqlfront.measured import measured
from sqlfront.planner.context import DATASET
from sqlfront.planner.naming import told_apart
from sqlfront.problems import errors_as_ours
from sqlfront.query import ResultColumn
from sqlfront.workspace import Workspace

ROWS = "rows"
"""What is compared where a question measures nothing: how many rows are alike."""

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Explained:
    """Why the answer to a question differs between two worlds.

    Attributes:
        first, last: the two worlds.
        steps: the worlds that were asked after the first, with what led to each.
        late: of the datasets that the question reads, what came since.
    """

    first: World
    last: World
    steps: tuple[Step, ...]
    difference: Difference
    late: tuple[Lateness, ...]


def why(home: Home, first: int, last: int, text: str, progress: Progress | None = None) -> Explained:
    """Answer a question in two worlds, and split what changed by its causes.

    Args:
        home: the home.
        first, last: ids of the worlds, the older one first.
        text: one SELECT.
        progress: told (phase, done, total).

    Raises:
        WaylineError: the worlds or the question cannot be asked, the question gives other columns in one
            world than in the other, or its rows cannot be matched.
    """
    question = _question(home, text)
    path = between(home, first, last)
    start, end = path[0].world, path[-1].world
    with home.pin_past([step.world for step in path]):
        columns = _alike(question, start, end)
        asked = without(path[1:], lambda world: world is end or _fits(question, world, columns))
        tables = _answers(question, [start, *(step.world for step in asked)], progress)
        plan = question.planned(question.sight(end))
        keys, values = _keys(plan, tables)
        rows = [rows_by_key(table, keys) for table in tables]
        found = split(rows, [step.label for step in asked], keys, values or (ROWS,))
        late = lateness(home, start, end, _datasets(plan, end))
    return Explained(start, end, tuple(asked), found, late)


def _question(home: Home, text: str) -> Question:
    if recognise(text) is not None:
        raise UnsupportedError(
            "catalogs are the same in all worlds", hint="Ask about a data view or dataset."
        )
    statements = parse(text)
    if len(statements) != 1 or statements[0].kind != "select":
        raise UnsupportedError("only one question can be compared", hint="Ask with SELECT.")
    return Question(statements[0], home, Workspace(home.root / "datasets"), (), lambda: OWNER)


def _alike(question: Question, start: World, end: World) -> tuple[ResultColumn, ...]:
    """Return the answer's columns in the first world, if those in the other one can be compared."""
    before, after = (_planned(question, world).columns for world in (start, end))
    if not _comparable(before, after):
        raise InputError(
            f"the question gives other columns in world {end.id} ({_listed(after)}) than in world "
            f"{start.id} ({_listed(before)}), since definitions changed",
            hint="Name columns in SELECT that are in both, with casts where types changed.",
        )
    return before


def _planned(question: Question, world: World) -> Planned:
    try:
        return question.planned(question.sight(world))
    except WaylineError as error:
        raise InputError(
            f"world {world.id} cannot answer the question: {error.message}",
            hint=error.hint or "wayline worlds lists when what was defined, and other worlds to ask.",
        ) from error


def _listed(columns: Sequence[ResultColumn]) -> str:
    return ", ".join(f"{column.name} {sql_type(column.type).lower()}" for column in columns)


def _comparable(before: Sequence[ResultColumn], after: Sequence[ResultColumn]) -> bool:
    names = [[column.name for column in columns] for columns in (before, after)]
    return names[0] == names[1] and all(
        old.type == new.type or (is_number(old.type) and is_number(new.type))
        for old, new in zip(before, after, strict=True)
    )


def _fits(question: Question, world: World, columns: Sequence[ResultColumn]) -> bool:
    """Whether a world between can be asked, whatever its definitions were."""
    try:
        return _comparable(columns, question.planned(question.sight(world)).columns)
    except WaylineError:
        return False


def _answers(question: Question, worlds: Sequence[World], progress: Progress | None) -> list[pa.Table]:
    found = []
    for done, world in enumerate(worlds):
        if progress is not None:
            progress("asking worlds", done, len(worlds))
        found.append(_answer(question, world))
    return found


def _answer(question: Question, world: World) -> pa.Table:
    """Answer the question in a world, under names that differ."""
    sight = question.sight(world)
    planned = question.planned(sight)
    cursor = question.workspace.cursor()
    try:
        execution = Execution(cursor, question.home, sight, Cancellation())
        with errors_as_ours():
            table = execution.stream(planned, ()).read_all()
    finally:
        cursor.close()
    return table.rename_columns(told_apart(column.name for column in planned.columns))


def _keys(planned: Planned, answers: Sequence[pa.Table]) -> tuple[list[str], list[str]]:
    """Return the names of the answer's columns: those that rows are matched by, and the others."""
    names = answers[-1].column_names
    values = measured(planned.plan)
    if values is None or len(values) != len(names):
        values = tuple(is_number(kind) for kind in answers[-1].schema.types)
    sides: tuple[list[str], list[str]] = ([], [])
    for name, is_value in zip(names, values, strict=True):
        sides[is_value].append(name)
    return sides


def _datasets(planned: Planned, world: World) -> list[str]:
    """The datasets that a planned question reads, in the order of the definitions."""
    tables = planned.plan.query.find_all(exp.Table)
    read = {table.name.removeprefix(DATASET) for table in tables if table.name.startswith(DATASET)}
    for report in planned.plan.reports.values():
        read |= set(world.definitions.connections[report.view.definition.connection].datasets)
    return [name for name in world.definitions.datasets if name in read]
