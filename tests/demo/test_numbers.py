"""Every number that the demo shows equals hand-written SQL over the raw files."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import duckdb
import psycopg
import pytest

from wayline import generate
from wayline.demo import QUESTIONS, build_home, conninfo
from wayline.serving import running

BY_HAND = {
    "Revenue by channel": """
        SELECT channel,
               sum(revenue) FILTER (WHERE nth = 1),
               sum(revenue) FILTER (WHERE nth_from_last = 1),
               sum(revenue / greatest(touches, 1)),
               sum(revenue * CASE WHEN touches <= 2 THEN 1 / greatest(touches, 1)
                                  WHEN 1 IN (nth, nth_from_last) THEN 0.4
                                  ELSE 0.2 / (touches - 2) END),
               sum(revenue * coalesce(freshness / freshness_of_all, 1)),
               sum(revenue) FILTER (WHERE nth_of_channel = 1)
        FROM credit GROUP BY channel""",
    "People, sessions and orders": """
        SELECT date_trunc('day', local)::TIMESTAMP, count(DISTINCT person),
               count(DISTINCT (person, session)), sum(orders)
        FROM events
        WHERE local >= '2026-03-01' AND local < '2026-03-08' GROUP BY 1""",
    "The way Power BI asks": """
        SELECT channel,
               (SELECT sum(revenue) FROM credit
                WHERE nth_from_last = 1 AND credit.channel = events.channel
                  AND local >= '2026-02-01' AND local < '2026-03-01'),
               count(DISTINCT person)
        FROM events
        WHERE local >= '2026-02-01' AND local < '2026-03-01' AND channel IN ('email', 'social', 'paid search')
        GROUP BY channel""",
    "A data view joined": """
        SELECT category, sum(item.revenue), sum(item.quantity), count(DISTINCT person)
        FROM (SELECT person, unnest(items) AS item FROM events)
        JOIN products ON item.sku = products.sku GROUP BY category""",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return generate.generate(tmp_path_factory.mktemp("demo") / "data", events=30_000, seed=11)


@pytest.fixture(scope="module")
def by_hand(made):
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    script = (Path(__file__).parent / "by_hand.sql").read_text()
    for name, files in made.files.items():
        script = script.replace(f"{{{name}}}", repr([str(file) for file in files]))
    connection.execute(script)
    return connection


@pytest.fixture(scope="module")
def over_the_wire(made):
    home = build_home(made.project.parent.parent / "home", made)
    with running(home) as (host, port), psycopg.connect(conninfo(host, port), autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize("title", QUESTIONS)
def test_the_demo_equals_sql_by_hand(title, by_hand, over_the_wire):
    sql = next(sql for start, sql in BY_HAND.items() if title.startswith(start))
    expected = by_hand.execute(sql).fetchall()
    answered = over_the_wire.execute(QUESTIONS[title]).fetchall()
    assert len(answered) == len(expected) > 0
    for ours, theirs in zip(sorted(answered, key=_key), sorted(expected, key=_key), strict=True):
        assert ours[0] == theirs[0]
        assert [value or 0 for value in ours[1:]] == pytest.approx([value or 0 for value in theirs[1:]])


def _key(row: tuple[object, ...]) -> str:
    return row[0].isoformat() if isinstance(row[0], datetime) else str(row[0])
