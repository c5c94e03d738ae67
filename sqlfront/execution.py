"""Describes and runs a planned statement: its reports in the engine, the rest in the workspace's DuckDB."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Final

import duckdb
import pyarrow as pa
from sqlglot import exp

from engine.cancellation import Cancellation
from engine.lake.relation import relation
from engine.lake.system_columns import system_columns
from engine.report import run
from engine.report.request import ReportRequest
from engine.report.streaming import EventStream
from engine.report.trace import Trace
from engine.world import Home
from sqlfront import planner
from sqlfront.announced import announced, with_composites
from sqlfront.binding import with_values
from sqlfront.calls import rows_of_call
from sqlfront.catalog import Relations
from sqlfront.description import Description
from sqlfront.json_columns import nested_as_json
from sqlfront.literals import TEXT, rows_query
from sqlfront.parameters import parameter_types
from sqlfront.planner.context import CALL, DATASET, SYSTEM, TEMPORARY
from sqlfront.planner.folding import (
    MOST_WRITTEN,
    Surroundings,
    folded,
    idle_tables,
    mapped,
    with_stored,
)
from sqlfront.planner.relations import Plan, Report, Rows, as_source
from sqlfront.problems import errors_as_ours
from sqlfront.query import ResultColumn
from sqlfront.sight import Sight
from sqlfront.system import RELATIONS, system_rows
from sqlfront.temporary import TemporaryFiles
from sqlfront.trees import column, render
from sqlfront.workspace import Workspace
from sqlfront.zoned_times import with_zoned_times_as_text

BATCH_ROWS: Final = 16_384
"""Rows per batch of an answer."""

_EVENTS: Final = 1_024
"""Rows per batch where single events are evaluated while they are read. DuckDB gives a batch once it has the
next, so that two and more should fit into what is evaluated first."""

_LITTLE_AHEAD: Final = "SET streaming_buffer_size = '64KiB'"
"""Before DuckDB gives the first rows it makes as many as it may hold: it must not evaluate all it can get."""

_ITEMS: Final = (exp.From, exp.Join, exp.Subquery, exp.Select, exp.SetOperation)
_SOURCES: Final = ("this", "expression", "from_", "joins")
"""What stands between a statement and a table that it reads from front to back, and as which part of it."""


_HELD: Final = (SYSTEM, TEMPORARY)
"""Prefixes of the tables whose rows are made here and not read from files."""


@dataclass(frozen=True)
class Planned:
    """A statement planned on one world's definitions.

    Attributes:
        empty: report table → its answer over no events.
        world: the world whose rows decided how it is answered; None if none did.
    """

    plan: Plan
    parameters: tuple[pa.DataType, ...]
    columns: tuple[ResultColumn, ...]
    empty: Mapping[str, pa.Table]
    world: int | None = None


def prepare(
    tree: exp.Expr,
    declared: Sequence[pa.DataType | None],
    home: Home,
    sight: Sight,
    workspace: Workspace,
    *,
    compat: bool = False,
    as_json: bool = False,
    listed: Callable[[], Sequence[Relations]] = tuple,
) -> Planned:
    """Plan a parsed question and find out its columns; no data is read, save to see if a join is unique.

    Args:
        as_json: whether objects, lists and maps come as JSON texts.
        listed: returns the relations whose composite types a client knows.

    Raises:
        WaylineError: it cannot be answered.
    """
    types = parameter_types(tree, declared, sight.world.definitions)
    looked_at: list[bool] = []

    def looked_up(rows: Rows, names: Sequence[str]) -> bool:
        looked_at.append(is_unique(rows, names, home, sight, workspace))
        return looked_at[-1]

    cursor = workspace.cursor()
    try:
        description = Description(cursor, workspace, sight, types)
        plan = planner.plan(tree, sight, names_of=description.names, is_unique=looked_up, compat=compat)
        plan, shown = _described(plan, tree, description, as_json=as_json)
        columns = with_composites(shown, tree, listed)
        return Planned(plan, types, columns, description.empty, sight.world.id if looked_at else None)
    finally:
        cursor.close()


def _described(
    plan: Plan, tree: exp.Expr, description: Description, *, as_json: bool
) -> tuple[Plan, tuple[ResultColumn, ...]]:
    """Return a plan whose columns can be sent, and what a client is told of them."""
    description.register(plan.reports)
    description.register_calls(plan.calls)
    if as_json:
        plan = replace(plan, query=nested_as_json(plan.query, description.schema(plan.query)))
    schema, kinds = description.described(plan.query)
    names = plan.names if len(plan.names) == len(schema) else schema.names
    types = announced(schema, kinds, tree)
    columns = tuple(ResultColumn(name, _shown(kind)) for name, kind in zip(names, types, strict=True))
    return replace(plan, query=with_zoned_times_as_text(plan.query, kinds)), columns


def _shown(kind: pa.DataType) -> pa.DataType:
    """A NULL without a type is a text, as in PostgreSQL; time zones are all UTC."""
    if pa.types.is_null(kind):
        return TEXT
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return pa.timestamp(kind.unit, tz="UTC")
    return kind


def is_unique(rows: Rows, names: Sequence[str], home: Home, sight: Sight, workspace: Workspace) -> bool:
    """Tell whether the rows with a key all have different keys, by reading them once per world."""
    if rows.query.find(exp.Parameter) is not None or _calls_ours(rows.query) or _changes(rows.query):
        return False
    keys = [column(name, "relation") for name in names]
    distinct = exp.Tuple(expressions=[key.copy() for key in keys]) if len(keys) > 1 else keys[0].copy()
    same = exp.EQ(
        this=exp.Count(this=exp.Star()),
        expression=exp.Count(this=exp.Distinct(expressions=[distinct])),
    )
    select = exp.select(exp.alias_(same, "same")).from_(as_source(rows, "relation"))
    for key in keys:
        select = select.where(exp.Not(this=exp.Is(this=key, expression=exp.null())))

    def check() -> bool:
        cursor = workspace.cursor()
        try:
            execution = Execution(cursor, home, sight, Cancellation())
            return bool(execution.answer(select).column(0)[0].as_py())
        finally:
            cursor.close()

    if _reads_temporary(rows.query):
        return check()
    return workspace.unique.get((sight.world.id, sight.access.key, render(select)), check)


def _changes(query: exp.Expr) -> bool:
    """Whether rows are others from one moment to the next, or from one user to the next."""
    names = (table.name for table in query.find_all(exp.Table) if table.name.startswith(SYSTEM))
    return not all(RELATIONS[name.removeprefix(SYSTEM)].is_kept for name in names)


def _reads_temporary(query: exp.Expr) -> bool:
    """Whether a query reads a table of the session, for which it is planned anew each time."""
    return any(table.name.startswith(TEMPORARY) for table in query.find_all(exp.Table))


def _calls_ours(query: exp.Expr) -> bool:
    return any(table.name.startswith(CALL) for table in query.find_all(exp.Table))


class Execution:
    """One run of a statement in one world.

    Args:
        cursor: sees the answers of this run's reports, and nobody else's.
        sight: the world as whoever asks may see it.
    """

    def __init__(
        self, cursor: duckdb.DuckDBPyConnection, home: Home, sight: Sight, cancellation: Cancellation
    ) -> None:
        self.home = home
        self.world = sight.world
        self._sight = sight
        self._cursor = cursor
        self._cancellation = cancellation
        self._files = TemporaryFiles()
        self._streams: list[EventStream] = []

    def interrupting(self) -> AbstractContextManager[None]:
        """Let a cancellation interrupt DuckDB while the block runs."""
        return self._cancellation.interrupting(self._cursor.interrupt)

    def stored(self, table: str) -> exp.Expr:
        """Return a query over the rows that a table stands for in this world, for a statement."""
        if not table.startswith(_HELD):
            dataset = table.removeprefix(DATASET)
            shown = [field.name for field in self._sight.system_columns_of(dataset)]
            made = system_columns(self.home.catalog.batches(dataset)) if shown else ()
            more = [column for column in made if column.alias in shown]
            return relation(self.home, self.world, dataset, more)
        rows = f"_rows{table}"
        self._cursor.register(rows, self._held(table))
        return exp.select(exp.Star()).from_(exp.to_identifier(rows, quoted=True))

    def _stored_for_reports(self, table: str) -> exp.Expr:
        """Return the same for the report engine, which sees nothing that is registered here."""
        return self._kept(self._held(table)) if table.startswith(_HELD) else self.stored(table)

    def _held(self, table: str) -> pa.Table:
        if table.startswith(TEMPORARY):
            return self._sight.temporaries[table.removeprefix(TEMPORARY)]
        name = table.removeprefix(SYSTEM)
        return system_rows(name, self.home, self._sight, self._cancellation.check)

    def answer(self, query: exp.Expr) -> pa.Table:
        """Run a query over the reports that ran before, and datasets."""
        with self.interrupting(), errors_as_ours():
            return self._cursor.sql(render(with_stored(query, self.stored))).to_arrow_table()

    def stream(self, planned: Planned, values: Sequence[object]) -> pa.RecordBatchReader:
        """Run the reports that matter, then the rest of the statement, and stream it."""
        query = planned.plan.query
        self.run_calls(planned, values)
        reports = self.reports(planned, values)
        if planned.parameters:
            query = with_values(query, values, planned.parameters)
        needed = _needed(query, reports)
        for table, report in reports.items():
            asked = self.request(report, reports) if table in needed else None
            if asked is not None and asked.row_level and not self._files.any and read_once(query, table):
                self._cursor.register(table, self._streamed(asked))
            else:
                self._cursor.register(table, self._rows(asked, planned.empty[table]))
        with self.working():
            rest = render(with_stored(query, self.stored))
            if not self._streams:
                return self._cursor.sql(rest).to_arrow_reader(BATCH_ROWS)
            self._cursor.execute(_LITTLE_AHEAD)
            return self._cursor.sql(rest).to_arrow_reader(_EVENTS)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Let DuckDB work on the answer while the block runs; errors are ours."""
        with self.interrupting(), errors_as_ours():
            try:
                yield
            except duckdb.Error:
                for stream in self._streams:
                    if stream.error is not None:
                        raise stream.error from None
                raise

    def close(self) -> None:
        """End what the answer still reads; DuckDB must have let go of it."""
        for stream in self._streams:
            stream.close()

    def _streamed(self, asked: ReportRequest) -> pa.RecordBatchReader:
        stream = EventStream(asked, self.home, self.world, self._cancellation)
        self._streams.append(stream)
        return stream.reader()

    def run_calls(self, planned: Planned, values: Sequence[object]) -> None:
        """Find the rows of functions of schema ``system`` that a plan calls; reports may read them."""

        def bound(node: exp.Expr) -> exp.Expr:
            return with_values(node, values, planned.parameters)

        for table, call in planned.plan.calls.items():
            found = rows_of_call(call, bound, self.home, self.world, self._cancellation)
            self._cursor.register(table, found)

    def reports(self, planned: Planned, values: Sequence[object]) -> dict[str, Report]:
        """Return a plan's reports with parameters replaced by values."""
        if not planned.parameters:
            return dict(planned.plan.reports)
        return {
            table: mapped(report, lambda node: with_values(node, values, planned.parameters))
            for table, report in planned.plan.reports.items()
        }

    def request(self, report: Report, reports: Mapping[str, Report]) -> ReportRequest | None:
        """Return what a report asks of the engine; None if it is known to be empty."""
        return folded(
            report, Surroundings(self.answer, self._stored_for_reports, self._kept, frozenset(reports))
        )

    def _kept(self, table: pa.Table) -> exp.Query:
        """Return a query that the report engine can run for a result's rows."""
        return rows_query(table) if table.num_rows <= MOST_WRITTEN else self._files.query(table)

    def request_after(
        self, table: str, reports: Mapping[str, Report], planned: Planned
    ) -> ReportRequest | None:
        """Return what a report asks, after running the reports that its own sub-queries read."""
        for other in reports:
            if other in _read_by(reports[table]):
                asked = self.request_after(other, reports, planned)
                self._cursor.register(other, self._rows(asked, planned.empty[other]))
        return self.request(reports[table], reports)

    def traced(self, asked: ReportRequest) -> Trace:
        """Run a report, and return what its steps took; without counts where a rule hides events."""
        trace = Trace(counting=not self._sight.hides_events(asked.view))
        with self._files, errors_as_ours():
            run(asked, self.home, self.world, self._cancellation, trace)
        return trace

    def _rows(self, asked: ReportRequest | None, empty: pa.Table) -> pa.Table:
        if asked is None:
            return empty
        with self._files, errors_as_ours():
            return run(asked, self.home, self.world, self._cancellation)


def read_once(query: exp.Expr, table: str) -> bool:
    """Tell whether DuckDB reads a table from front to back once; a stream can be read no other way.

    A common table expression may be read at each of its uses, and a sub-query in an expression in any way.
    """
    uses = [found for found in query.find_all(exp.Table) if found.name == table]
    if len(uses) != 1 or query.find(exp.With) is not None:
        return False
    part: exp.Expr = uses[0]
    while part is not query and part.parent is not None:
        if part.arg_key not in _SOURCES or not isinstance(part.parent, _ITEMS):
            return False
        part = part.parent
    return True


def _needed(query: exp.Expr, reports: Mapping[str, Report]) -> frozenset[str]:
    """Return the reports whose rows can reach the answer, by themselves or through other reports."""
    needed = set(reports) - idle_tables(query, reports)
    for table in reversed(list(reports)):
        if table in needed:
            needed |= _read_by(reports[table])
    return frozenset(needed)


def _read_by(report: Report) -> set[str]:
    return {table.name for node in _expressions(report) for table in node.find_all(exp.Table)}


def _expressions(report: Report) -> Iterator[exp.Expr]:
    yield from report.segment
    yield from report.constants
    yield from (term.bound for term in report.range)
    yield from (value for choice in report.chosen for value in choice.values)
    yield from (lookup.query for lookup in report.lookups)
    yield from (dimension.expression for dimension in report.dimensions)
    for metric in report.metrics:
        yield metric.expression
        if metric.condition is not None:
            yield metric.condition
