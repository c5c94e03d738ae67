"""Golden pairs: a statement, and the reports and the rest that it is planned as.

Each case in ``tests/golden/*.sql`` is a title, a statement and the plan as comments. To accept what the planner
does now, run with ``WAYLINE_WRITE_GOLDEN=1`` and read the difference.
"""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.governance.access import OWNER
from engine.world import World
from sqlfront import planner
from sqlfront.dialect import parse
from sqlfront.sight import sight_of
from tests.sqlfront.shop import DEFINITIONS

SIGHT = sight_of(World(1, datetime.now(UTC), "test", DEFINITIONS, {}, {}, {}, {}), OWNER)
FOLDER = Path(__file__).parents[1] / "golden"
CASE = re.compile(r"-- # (?P<title>[^\n]+)\n(?P<sql>.*?;)\n(?P<plan>(?:-- [^#\n][^\n]*\n)*)", re.DOTALL)


def cases():
    return [
        (file, match["title"], match["sql"], match["plan"])
        for file in sorted(FOLDER.glob("*.sql"))
        for match in CASE.finditer(file.read_text())
    ]


def sql(node):
    return node.sql("duckdb")


def described(report):
    yield f"{report.view_name}{', single events' if report.row_level else ''}"
    yield from (f"  group {d.name}: {sql(d.expression)}" for d in report.dimensions)
    for metric in report.metrics:
        where = f" where {sql(metric.condition)}" if metric.condition is not None else ""
        yield f"  {metric.aggregate} {metric.name}: {sql(metric.expression)}{where}"
    for term in report.range:
        steps = ", ".join(f"{how} {period}" for period, how in term.steps)
        yield f"  {'from' if term.is_start else 'before'} {sql(term.bound)} ({steps})"
    yield from (f"  constant {sql(term)}" for term in report.constants)
    yield from (f"  segment {sql(term)}" for term in report.segment)
    for choice in report.chosen:
        yield f"  chosen {choice.column}: {', '.join(map(sql, choice.values))}"
    for lookup in report.lookups:
        keys = ", ".join(f"{sql(mine)} = {name}" for mine, name in lookup.keys)
        yield f"  {'outer ' if lookup.outer else ''}lookup {lookup.alias} on {keys}: {sql(lookup.query)}"


def plan_text(statement):
    plan = planner.plan(
        parse(statement)[0].tree,
        SIGHT,
        names_of=lambda *_: (),
        is_unique=lambda rows, _: "channels" in sql(rows.query),
    )
    lines = []
    for table, report in plan.reports.items():
        first, *others = described(report)
        lines += [f"{table}: {first}", *others]
    return "".join(f"-- {line}\n" for line in [*lines, f"rest: {sql(plan.query)}"])


@pytest.mark.parametrize(("file", "title", "statement", "plan"), cases(), ids=lambda value: str(value)[:40])
def test_golden(file, title, statement, plan):
    found = plan_text(statement)
    if os.environ.get("WAYLINE_WRITE_GOLDEN"):
        text = file.read_text()
        file.write_text(text.replace(f"{statement}\n{plan}", f"{statement}\n{found}", 1))
        return
    assert found == plan, title
