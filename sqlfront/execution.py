"""Describes and runs a planned statement: its reports in the engine, the rest in the workspace's DuckDB."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import duckdb
import pyarrow as pa
from sqlglot import exp

from engine.cancellation import Cancellation
from engine.lake.relation import relation
from engine.report import result_schema, run
from engine.report.request import ReportRequest, TimeRange
from engine.report.trace import Trace
from engine.world import Home, World
from sqlfront import planner
from sqlfront.literals import TEXT, empty_query, rows_query, typed_null, with_values
from sqlfront.parameters import parameter_types
from sqlfront.planner.context import DATASET, Planning
from sqlfront.planner.events import as_source
from sqlfront.planner.folding import (
    MOST_WRITTEN,
    Surroundings,
    folded,
    idle_tables,
    joined,
    mapped,
    request,
    with_datasets,
)
from sqlfront.planner.relations import Plan, Report, Rows
from sqlfront.problems import from_duckdb
from sqlfront.query import ResultColumn
from sqlfront.temporary import TemporaryFiles
from sqlfront.trees import column, is_query, render, rewrite
from sqlfront.workspace import Workspace

BATCH_ROWS: Final = 65_536
"""Rows per batch of a streamed answer."""


@dataclass(frozen=True)
class Planned:
    """A statement planned on one world's definitions.

    Attributes:
        schemas: report table → schema of its answer.
    """

    plan: Plan
    parameters: tuple[pa.DataType, ...]
    columns: tuple[ResultColumn, ...]
    schemas: Mapping[str, pa.Schema]


@contextmanager
def errors_as_ours() -> Iterator[None]:
    """Turn DuckDB's errors into ours while the block runs."""
    try:
        yield
    except duckdb.Error as error:
        raise from_duckdb(error) from None


def prepare(
    tree: exp.Expr,
    declared: Sequence[pa.DataType | None],
    home: Home,
    world: World,
    workspace: Workspace,
) -> Planned:
    """Plan a parsed question and find out its columns; no data is read, save to see if a join is unique.

    Raises:
        WaylineError: it cannot be answered.
    """
    types = parameter_types(tree, declared, world.definitions)
    cursor = workspace.cursor()
    try:
        description = Description(cursor, workspace, world, types)
        plan = planner.plan(
            tree,
            world.definitions,
            names_of=description.names,
            is_unique=partial(is_unique, home=home, world=world, workspace=workspace),
        )
        description.register(plan.reports)
        schema = description.schema(plan.query)
        names = plan.names if len(plan.names) == len(schema) else schema.names
        columns = tuple(
            ResultColumn(name, _shown(kind)) for name, kind in zip(names, schema.types, strict=True)
        )
        return Planned(plan, types, columns, description.schemas)
    finally:
        cursor.close()


def _shown(kind: pa.DataType) -> pa.DataType:
    """A NULL without a type is a text, as in PostgreSQL; time zones are all UTC."""
    if pa.types.is_null(kind):
        return TEXT
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return pa.timestamp(kind.unit, tz="UTC")
    return kind


class Description:
    """Finds out names and types of planned queries over tables without rows.

    Args:
        cursor: where the empty tables are registered.
        types: of the statement's parameters.

    Attributes:
        schemas: report table → schema, of the reports registered so far.
    """

    def __init__(
        self,
        cursor: duckdb.DuckDBPyConnection,
        workspace: Workspace,
        world: World,
        types: Sequence[pa.DataType],
    ) -> None:
        self._cursor = cursor
        self._workspace = workspace
        self._world = world
        self._types = types
        self.schemas: dict[str, pa.Schema] = {}
        self._datasets: set[str] = set()

    def register(self, reports: Mapping[str, Report]) -> None:
        """Register the reports that are not yet, each as an empty table of its schema."""
        for table, report in reports.items():
            if table not in self.schemas:
                self.schemas[table] = self._report_schema(self._request(report))
                self._cursor.register(table, self.schemas[table].empty_table())

    def _report_schema(self, asked: ReportRequest) -> pa.Schema:
        """Return the schema of a request's answer; requests that differ in range and terms share it."""

        def find_out() -> pa.Schema:
            with errors_as_ours():
                return result_schema(asked, self._world)

        return self._workspace.schemas.get((self._world.id, asked), find_out)

    def names(self, query: exp.Expr, planning: Planning) -> tuple[str, ...]:
        """Return a query's column names."""
        self.register(planning.reports)
        return tuple(self.schema(query).names)

    def schema(self, query: exp.Expr) -> pa.Schema:
        """Return a query's schema, asking DuckDB."""
        self._register_datasets(query)
        with errors_as_ours():
            described = self._cursor.sql(render(self._open(query)))
            return described.limit(0).to_arrow_table().schema

    def _register_datasets(self, query: exp.Expr) -> None:
        for table in query.find_all(exp.Table):
            if table.name.startswith(DATASET) and table.name not in self._datasets:
                self._datasets.add(table.name)
                dataset = self._world.definitions.datasets[table.name.removeprefix(DATASET)]
                self._cursor.register(table.name, dataset.arrow().empty_table())

    def _open(self, node: exp.Expr) -> exp.Expr:
        """Return a tree with parameters as NULLs of their types."""

        def change(part: exp.Expr) -> exp.Expr | None:
            if not isinstance(part, exp.Parameter):
                return None
            kind = self._types[int(part.name) - 1]
            return exp.null() if kind == TEXT else typed_null(kind)

        return rewrite(node.copy(), change, into_queries=True)

    def _request(self, report: Report) -> ReportRequest:
        """Return a request with the report's columns and nothing that has no influence on types."""
        metrics = tuple(replace(metric, condition=None) for metric in report.metrics)
        plain = replace(report, metrics=metrics, range=(), constants=(), segment=(), lookups=())
        lookups = [
            joined(replace(lookup, keys=tuple((self._flat(mine), name) for mine, name in lookup.keys)), empty)
            for lookup in report.lookups
            if (empty := empty_query(_types(self.schema(lookup.query)))) is not None
        ]
        return request(mapped(plain, self._flat), TimeRange(), lookups)

    def _flat(self, node: exp.Expr) -> exp.Expr:
        """Return an expression with typed NULLs in the place of parameters and sub-queries."""

        def change(part: exp.Expr) -> exp.Expr | None:
            if isinstance(part, exp.In) and part.args.get("query") is not None:
                return exp.cast(exp.null(), "boolean")
            if isinstance(part, exp.Exists):
                return exp.cast(exp.null(), "boolean")
            return typed_null(self.schema(part).types[0]) if is_query(part) else None

        return rewrite(self._open(node), change)


def _types(schema: pa.Schema) -> dict[str, pa.DataType]:
    return {field.name: field.type for field in schema}


def is_unique(rows: Rows, names: Sequence[str], home: Home, world: World, workspace: Workspace) -> bool:
    """Tell whether the rows with a key all have different keys, by reading them once per world."""
    if rows.query.find(exp.Parameter) is not None:
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
            execution = Execution(cursor, home, world, Cancellation())
            return bool(execution.answer(select).column(0)[0].as_py())
        finally:
            cursor.close()

    return workspace.unique.get((world.id, render(select)), check)


class Execution:
    """One run of a statement in one world.

    Args:
        cursor: sees the answers of this run's reports, and nobody else's.
    """

    def __init__(
        self, cursor: duckdb.DuckDBPyConnection, home: Home, world: World, cancellation: Cancellation
    ) -> None:
        self.home = home
        self.world = world
        self._cursor = cursor
        self._cancellation = cancellation
        self._files = TemporaryFiles()

    def interrupting(self) -> AbstractContextManager[None]:
        """Let a cancellation interrupt DuckDB while the block runs."""
        return self._cancellation.interrupting(self._cursor.interrupt)

    def stored(self, dataset: str) -> exp.Expr:
        """Return a query over a dataset's rows in this world."""
        return relation(self.home, self.world, dataset)

    def answer(self, query: exp.Expr) -> pa.Table:
        """Run a query over the reports that ran before, and datasets."""
        with self.interrupting(), errors_as_ours():
            return self._cursor.sql(render(with_datasets(query, self.stored))).to_arrow_table()

    def stream(self, planned: Planned, values: Sequence[object]) -> pa.RecordBatchReader:
        """Run the reports that matter, then the rest of the statement, and stream it."""
        query = planned.plan.query
        reports = self.reports(planned, values)
        if planned.parameters:
            query = with_values(query, values, planned.parameters)
        needed = _needed(query, reports)
        for table, report in reports.items():
            asked = self.request(report, reports) if table in needed else None
            self._cursor.register(table, self._rows(asked, report, planned.schemas[table]))
        with self.interrupting(), errors_as_ours():
            rest = render(with_datasets(query, self.stored))
            return self._cursor.sql(rest).to_arrow_reader(BATCH_ROWS)

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
        return folded(report, Surroundings(self.answer, self.stored, self._kept, frozenset(reports)))

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
                self._cursor.register(other, self._rows(asked, reports[other], planned.schemas[other]))
        return self.request(reports[table], reports)

    def traced(self, asked: ReportRequest) -> Trace:
        """Run a report, and return what its steps took."""
        trace = Trace(counting=True)
        with self._files, errors_as_ours():
            run(asked, self.home, self.world, self._cancellation, trace)
        return trace

    def _rows(self, asked: ReportRequest | None, report: Report, schema: pa.Schema) -> pa.Table:
        if asked is not None:
            with self._files, errors_as_ours():
                return run(asked, self.home, self.world, self._cancellation)
        if report.dimensions or report.row_level:
            return schema.empty_table()
        return pa.table([pa.nulls(1, kind) for kind in schema.types], schema=schema)


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
    yield from (lookup.query for lookup in report.lookups)
    yield from (dimension.expression for dimension in report.dimensions)
    for metric in report.metrics:
        yield metric.expression
        if metric.condition is not None:
            yield metric.condition
