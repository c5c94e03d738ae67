"""Questions over data views and datasets as queries: planned once, answered in whatever world is newest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

import pyarrow as pa

from engine.cancellation import Cancellation
from engine.governance.access import Access
from engine.world import Home, World
from sqlfront.database import ANY_DATABASE, Database
from sqlfront.dialect import Statement
from sqlfront.execution import Execution, Planned, prepare
from sqlfront.explanation import explanation
from sqlfront.problems import ResultChangedError, errors_as_ours
from sqlfront.query import Query, ResultColumn
from sqlfront.settings import identity_as_of
from sqlfront.sight import Sight, sight_of
from sqlfront.workspace import Workspace


def plan(
    statement: Statement,
    *,
    home: Home,
    world: World,
    workspace: Workspace,
    settings: Mapping[str, str],
    access: Callable[[], Access],
    database: Database = ANY_DATABASE,
    parameter_types: Sequence[pa.DataType | None] = (),
) -> Query:
    """Plan a question (a statement of kind ``select``, ``explain`` or ``analyze``).

    Args:
        world: what the columns are planned on; each run takes the newest.
        settings: the session's, by name in lower case, read at each run.
        access: returns what the session's user may read, asked at each run.
        database: how the client wants it to be shown.
        parameter_types: what the client declared, None where it left a type open.

    Raises:
        WaylineError: the question cannot be answered; the message says why.
    """
    question = Question(statement, home, workspace, tuple(parameter_types), access, database, settings)
    planned = question.planned(question.sight(world))
    return Answer(question, planned) if statement.kind == "select" else Explanation(question, planned)


@dataclass(frozen=True)
class Question:
    """A statement with all that planning it takes."""

    statement: Statement
    home: Home
    workspace: Workspace
    declared: tuple[pa.DataType | None, ...]
    access: Callable[[], Access]
    database: Database = ANY_DATABASE
    settings: Mapping[str, str] = field(default_factory=dict)

    def sight(self, world: World) -> Sight:
        """Return a world as whoever asks may see it now."""
        return sight_of(world, self.access(), self.database)

    def as_of(self, sight: Sight) -> Sight:
        """Return the same as the settings want to see it now."""
        return replace(sight, world=replace(sight.world, identity_as_of=identity_as_of(self.settings)))

    def planned(self, sight: Sight) -> Planned:
        """Return the statement's plan in a world, from the cache if it was planned before."""
        tree = self.statement.tree
        if tree is None:
            raise AssertionError(f"{self.statement.kind} is not a question")
        seen = (sight.world.id, sight.access.key, self.database.key)
        key = (*seen, self.statement.kind, self.statement.text, self.declared)
        planned: Planned = self.workspace.plans.get(
            key, lambda: prepare(tree, self.declared, self.home, sight, self.workspace)
        )
        return planned


@dataclass(frozen=True)
class Answer:
    """A planned SELECT. It can be run any number of times, also from several threads."""

    question: Question
    plan: Planned

    @property
    def columns(self) -> tuple[ResultColumn, ...]:
        """The answer's columns."""
        return self.plan.columns

    @property
    def parameters(self) -> tuple[pa.DataType, ...]:
        """Types of the parameters, in their order."""
        return self.plan.parameters

    def run(self, values: Sequence[object], cancellation: Cancellation) -> pa.RecordBatchReader:
        """Run it in the newest world and stream the answer.

        Raises:
            WaylineError: it cannot be answered with these values, or was cancelled.
        """
        question, stack = self.question, ExitStack()
        with stack:
            sight = question.sight(stack.enter_context(question.home.pin()))
            planned = question.planned(sight)
            if planned.columns != self.columns:
                raise ResultChangedError(
                    "cached plan must not change result type", hint="Prepare the statement again."
                )
            cursor = question.workspace.cursor()
            stack.callback(cursor.close)
            execution = Execution(cursor, question.home, question.as_of(sight), cancellation)
            reader = execution.stream(planned, values)
            rest = stack.pop_all()
        schema = pa.schema([(column.name, column.type) for column in self.columns])
        return pa.RecordBatchReader.from_batches(schema, _batches(reader, schema, execution, rest))


def _batches(
    reader: pa.RecordBatchReader, schema: pa.Schema, execution: Execution, rest: ExitStack
) -> Iterator[pa.RecordBatch]:
    """Yield batches under the planned names and types; lets go of the world at the end."""
    with rest:
        while True:
            with execution.interrupting(), errors_as_ours():
                try:
                    batch = reader.read_next_batch()
                except StopIteration:
                    return
            yield _typed(batch, schema)


def _typed(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    arrays = [
        array if array.type == field.type else array.cast(field.type)
        for array, field in zip(batch.columns, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


@dataclass(frozen=True)
class Explanation:
    """A planned EXPLAIN: says how a question is read, and what would run; EXPLAIN ANALYZE runs it."""

    question: Question
    plan: Planned

    @property
    def columns(self) -> tuple[ResultColumn, ...]:
        """One column of text."""
        return (ResultColumn("QUERY PLAN", pa.string()),)

    @property
    def parameters(self) -> tuple[pa.DataType, ...]:
        """Types of the parameters, in their order."""
        return self.plan.parameters

    def run(self, values: Sequence[object], cancellation: Cancellation) -> pa.RecordBatchReader:
        """Return the plan's lines, one row each."""
        question = self.question
        with question.home.pin() as world:
            sight = question.sight(world)
            cursor = question.workspace.cursor()
            try:
                execution = Execution(cursor, question.home, question.as_of(sight), cancellation)
                lines = explanation(
                    question.planned(sight), values, execution, run=question.statement.kind == "analyze"
                )
            finally:
                cursor.close()
        table = pa.table({"QUERY PLAN": pa.array(lines, pa.string())})
        return table.to_reader()
