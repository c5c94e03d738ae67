"""Questions over data views and datasets as queries: planned once, answered in whatever world is newest."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from engine.cancellation import Cancellation
from engine.governance.access import Access
from engine.memory import Share
from engine.world import Home, World
from sqlfront.admission import group_of
from sqlfront.catalog import Relations, temporary_relations
from sqlfront.database import ANY_DATABASE, Database
from sqlfront.dialect import Statement
from sqlfront.execution import Execution, Planned, prepare
from sqlfront.explanation import explanation
from sqlfront.problems import ResultChangedError
from sqlfront.query import Query, ResultColumn
from sqlfront.settings import identity_as_of, is_compatible, shows_json, shows_system_columns
from sqlfront.sight import Sight, sight_of
from sqlfront.temporary_rows import Tables
from sqlfront.wire.types import kept_type, pg_name
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
    temporaries: Callable[[], Tables] = dict,
    listed: Callable[[], Relations] = Relations,
) -> Query:
    """Plan a question (a statement of kind ``select``, ``explain`` or ``analyze``).

    Args:
        world: what the columns are planned on; each run takes the newest.
        settings: the session's, by name in lower case, read at each run.
        access: returns what the session's user may read, asked at each run.
        database: how the client wants it to be shown.
        parameter_types: what the client declared, None where it left a type open.
        temporaries: returns the session's temporary tables, asked at each run.
        listed: returns the relations whose composite types the client may know.

    Raises:
        WaylineError: the question cannot be answered; the message says why.
    """
    question = Question(
        statement, home, workspace, tuple(parameter_types), access, database, settings, temporaries, listed
    )
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
    temporaries: Callable[[], Tables] = dict
    listed: Callable[[], Relations] = Relations

    def sight(self, world: World) -> Sight:
        """Return a world as whoever asks may see it now."""
        seen = sight_of(world, self.access(), self.database)
        system_columns = shows_system_columns(self.settings)
        return replace(seen, temporaries=self.temporaries(), system_columns=system_columns)

    def as_of(self, sight: Sight) -> Sight:
        """Return the same as the settings want to see it now."""
        return replace(sight, world=replace(sight.world, identity_as_of=identity_as_of(self.settings)))

    @contextmanager
    def place(self, sight: Sight, cancellation: Cancellation, *, goes_on: bool = False) -> Iterator[None]:
        """Hold a place among the statements that work at once; what they take is the role's."""
        percent = sight.access.limits.memory_percent
        cancellation.share = None if percent is None else Share(group_of(sight.access), percent)
        admitted = self.workspace.admission.admitted(sight.access, cancellation, goes_on=goes_on)
        with admitted, self.workspace.watch.watching(cancellation):
            yield

    def _listed(self) -> tuple[Relations, Relations]:
        return self.listed(), temporary_relations(self.temporaries())

    def planned(self, sight: Sight) -> Planned:
        """Return the statement's plan in a world, from the cache if it was planned before.

        Most plans follow from the definitions; those that rest on what is stored are made anew in each world.
        """
        tree = self.statement.tree
        if tree is None:
            raise AssertionError(f"{self.statement.kind} is not a question")

        def make() -> Planned:
            return prepare(
                tree,
                self.declared,
                self.home,
                sight,
                self.workspace,
                compat=is_compatible(self.settings),
                as_json=shows_json(self.settings),
                listed=self._listed,
            )

        if _reads_any(tree, sight.temporaries):
            return make()
        key = self._key(sight)
        planned: Planned = self.workspace.plans.get(key, make)
        if planned.world not in (None, sight.world.id):
            planned = self.workspace.plans.get((*key, sight.world.id), make)
        return planned

    def _key(self, sight: Sight) -> tuple[Hashable, ...]:
        """Return all that a plan follows from, but for what is stored."""
        seen = (sight.world.revision, sight.access.key, self.database.key, sight.system_columns)
        shown = (is_compatible(self.settings), shows_json(self.settings))
        return (*seen, *shown, self.statement.kind, self.statement.text, self.declared)


def _reads_any(tree: exp.Expr, tables: Collection[str]) -> bool:
    """Whether a statement may read one of some tables; names stand in it as the client wrote them."""
    known = {name.lower() for name in tables}
    return bool(known) and any(table.name.lower() in known for table in tree.find_all(exp.Table))


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
            execution = Execution(cursor, question.home, question.as_of(sight), cancellation)
            stack.callback(execution.close)
            stack.callback(cursor.close)
            with question.place(sight, cancellation):
                reader = execution.stream(planned, values)
            rest = stack.pop_all()
        schema = pa.schema([(column.name, kept_type(column.type)) for column in self.columns])
        place = partial(question.place, sight, cancellation, goes_on=True)
        return pa.RecordBatchReader.from_batches(schema, _batches(reader, schema, execution, place, rest))


def _batches(
    reader: pa.RecordBatchReader,
    schema: pa.Schema,
    execution: Execution,
    place: Callable[[], AbstractContextManager[None]],
    rest: ExitStack,
) -> Iterator[pa.RecordBatch]:
    """Yield batches under the planned names and types; lets go of the world at the end."""
    with rest:
        while True:
            with place(), execution.working():
                try:
                    batch = reader.read_next_batch()
                except StopIteration:
                    return
            yield _typed(batch, schema)


def _typed(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    arrays = [_cast(array, field.type) for array, field in zip(batch.columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _cast(array: pa.Array, planned: pa.DataType) -> pa.Array:
    """Return an array in the planned type; values of parameters may have brought more decimals."""
    if array.type == planned:
        return array
    if pa.types.is_decimal(array.type) and pa.types.is_decimal(planned) and array.type.scale > planned.scale:
        array = pc.round(array, planned.scale)
    try:
        return array.cast(planned)
    except pa.ArrowNotImplementedError:
        raise ResultChangedError(
            f"the values given turn {pg_name(planned)} into {pg_name(array.type)}",
            hint="Cast the parameter to the type that it has.",
        ) from None


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
                runs = question.statement.kind == "analyze"
                with question.place(sight, cancellation) if runs else nullcontext():
                    lines = explanation(question.planned(sight), values, execution, run=runs)
            finally:
                cursor.close()
        table = pa.table({"QUERY PLAN": pa.array(lines, pa.string())})
        return table.to_reader()
