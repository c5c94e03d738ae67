"""Finds out names and types of planned queries: they are asked over tables without rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import duckdb
import pyarrow as pa
from duckdb.sqltypes import DuckDBPyType
from sqlglot import exp

from engine.report import empty_answer
from engine.report.request import ReportRequest, TimeRange
from sqlfront.calls import call_schema
from sqlfront.literals import TEXT, empty_query, typed_null
from sqlfront.planner.context import DATASET, SYSTEM, TEMPORARY, Planning
from sqlfront.planner.folding import joined, mapped, request
from sqlfront.planner.relations import Call, Report
from sqlfront.problems import errors_as_ours
from sqlfront.sight import Sight
from sqlfront.system import RELATIONS
from sqlfront.trees import is_query, render, rewrite
from sqlfront.wire.types import plain_type
from sqlfront.workspace import Workspace


class Description:
    """Finds out names and types of planned queries over tables without rows.

    Args:
        cursor: where the empty tables are registered.
        types: of the statement's parameters.

    Attributes:
        empty: report table → its answer over no events, of the reports registered so far.
    """

    def __init__(
        self,
        cursor: duckdb.DuckDBPyConnection,
        workspace: Workspace,
        sight: Sight,
        types: Sequence[pa.DataType],
    ) -> None:
        self._cursor = cursor
        self._workspace = workspace
        self._sight = sight
        self._world = sight.world
        self._types = types
        self.empty: dict[str, pa.Table] = {}
        self._stored: set[str] = set()

    def register(self, reports: Mapping[str, Report]) -> None:
        """Register the reports that are not yet, each as an empty table of its schema."""
        for table, report in reports.items():
            if table not in self.empty:
                self.empty[table] = self._empty_answer(self._request(report))
                self._cursor.register(table, self.empty[table].slice(length=0))

    def register_calls(self, calls: Mapping[str, Call]) -> None:
        """Register calls of functions of schema ``system``, each as an empty table of its schema."""
        for table, call in calls.items():
            self._cursor.register(table, call_schema(call, self._world.definitions).empty_table())

    def _empty_answer(self, asked: ReportRequest) -> pa.Table:
        """Return a request's answer over no events; requests that differ in range and terms share it."""

        def find_out() -> pa.Table:
            with errors_as_ours():
                return empty_answer(asked, self._world)

        return self._workspace.empty.get((self._world.revision, self._sight.access.key, asked), find_out)

    def names(self, query: exp.Expr, planning: Planning) -> tuple[str, ...]:
        """Return a query's column names."""
        self.register(planning.reports)
        self.register_calls(planning.calls)
        return tuple(self.schema(query).names)

    def schema(self, query: exp.Expr) -> pa.Schema:
        """Return a query's schema, asking DuckDB."""
        return self.described(query)[0]

    def described(self, query: exp.Expr) -> tuple[pa.Schema, list[DuckDBPyType]]:
        """Return a query's schema, and DuckDB's types of its columns."""
        self._register_stored(query)
        with errors_as_ours():
            relation = self._cursor.sql(render(self._open(query)))
            return relation.limit(0).to_arrow_table().schema, relation.types

    def _register_stored(self, query: exp.Expr) -> None:
        for name in {table.name for table in query.find_all(exp.Table)} - self._stored:
            if name.startswith((DATASET, SYSTEM, TEMPORARY)):
                self._stored.add(name)
                self._cursor.register(name, self._stored_schema(name).empty_table())

    def _stored_schema(self, table: str) -> pa.Schema:
        if table.startswith(SYSTEM):
            return RELATIONS[table.removeprefix(SYSTEM)].schema
        if table.startswith(TEMPORARY):
            return self._sight.temporaries[table.removeprefix(TEMPORARY)].schema
        return self._sight.schema(table.removeprefix(DATASET))

    def _open(self, node: exp.Expr) -> exp.Expr:
        """Return a tree with parameters as NULLs of their types."""

        def change(part: exp.Expr) -> exp.Expr | None:
            if not isinstance(part, exp.Parameter):
                return None
            kind = self._types[int(part.name) - 1]
            return exp.null() if plain_type(kind) == TEXT else typed_null(kind)

        return rewrite(node.copy(), change, into_queries=True)

    def _request(self, report: Report) -> ReportRequest:
        """Return a request with the report's columns and nothing that has no influence on types."""
        metrics = tuple(replace(metric, condition=None) for metric in report.metrics)
        plain = replace(report, metrics=metrics, range=(), constants=(), segment=(), chosen=(), lookups=())
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
