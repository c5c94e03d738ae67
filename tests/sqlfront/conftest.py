"""A home with the shop's events, and the same events as a plain table beside it."""

from __future__ import annotations

import csv

import duckdb
import pytest

from engine import flow
from engine.cancellation import Cancellation
from engine.governance.access import OWNER
from engine.world import Home
from sqlfront.answer import plan
from sqlfront.dialect import parse
from sqlfront.workspace import Workspace
from tests.sqlfront.shop import CHANNELS, DEFINITIONS, EVENTS, FIELDS, PLAN


def write(path, names, rows):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows(rows)
    return path


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    made = Home.create(folder / "home")
    flow.apply(made, DEFINITIONS)
    flow.ingest(made, "events", [write(folder / "events.csv", FIELDS, EVENTS)])
    flow.ingest(made, "channels", [write(folder / "channels.csv", ("channel", "region", "rate"), CHANNELS)])
    flow.ingest(made, "plans", [write(folder / "plans.csv", ("id", "channel", "budget"), PLAN)])
    yield made
    made.close()


@pytest.fixture(scope="session")
def workspace(home):
    return Workspace(home.root / "datasets")


@pytest.fixture(scope="session")
def query(home, workspace):
    """Plan a statement."""

    def planned(sql, types=()):
        statement = parse(sql)[0]
        return plan(
            statement,
            home=home,
            world=home.current(),
            workspace=workspace,
            settings={},
            access=lambda: OWNER,
            parameter_types=types,
        )

    return planned


@pytest.fixture(scope="session")
def ask(query):
    """Run a statement and return its rows as tuples, in the order of the answer."""

    def run(sql, *values, types=()):
        table = query(sql, types).run(values, Cancellation()).read_all()
        return list(zip(*(column.to_pylist() for column in table.columns), strict=True))

    return run


@pytest.fixture(scope="session")
def plain():
    """Run SQL over the same events as a plain DuckDB table called web; the hand-written twin."""
    database = duckdb.connect()
    for setting in ("TimeZone = 'UTC'", "integer_division = true", "error_on_division_by_zero = false"):
        database.execute(f"SET {setting}")
    database.execute(
        'CREATE TABLE events ("timestamp" TIMESTAMP, who VARCHAR, channel VARCHAR, campaign VARCHAR,'
        " product VARCHAR, page VARCHAR, revenue DOUBLE, orders BIGINT)"
    )
    filled = [[None if value == "" else value for value in row] for row in EVENTS]
    database.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)", filled)
    database.execute(
        """CREATE TABLE web AS
        SELECT * EXCLUDE (gap, previous), who AS adobe_personid, 1 AS occurrences,
          CASE WHEN previous IS NULL THEN 1 ELSE 0 END AS visitors,
          CASE WHEN gap THEN 1 ELSE 0 END AS visits, CASE WHEN gap THEN 1 END AS adobe_sessionstarts,
          page AS "commerce.order", date_trunc('day', "timestamp") AS daterange,
          date_trunc('day', "timestamp") AS daterangeday, date_trunc('month', "timestamp") AS daterangemonth,
          date_trunc('hour', "timestamp") AS daterangehour
        FROM (SELECT *, lag("timestamp") OVER who_by_time AS previous,
                lag("timestamp") OVER who_by_time IS NULL
                OR "timestamp" - lag("timestamp") OVER who_by_time > INTERVAL 30 MINUTE AS gap
              FROM events WINDOW who_by_time AS (PARTITION BY who ORDER BY "timestamp"))"""
    )
    database.execute("CREATE TABLE channels (channel VARCHAR, region VARCHAR, rate DOUBLE)")
    database.executemany("INSERT INTO channels VALUES (?, ?, ?)", CHANNELS)
    database.execute("CREATE TABLE plans (id VARCHAR, channel VARCHAR, budget DOUBLE)")
    database.executemany("INSERT INTO plans VALUES (?, ?, ?)", PLAN)

    def run(sql):
        return [tuple(row) for row in database.execute(sql).fetchall()]

    return run
