"""Homes with a few thousand events of the demo shop, and answers through SQL in any of their worlds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any, TypeAlias

import polars as pl

from engine import flow
from engine.cancellation import Cancellation
from engine.definitions import project
from engine.definitions.model import Definitions
from engine.governance.access import OWNER
from engine.world import Home, World
from sqlfront.answer import Question
from sqlfront.dialect import parse
from sqlfront.execution import Execution
from sqlfront.workspace import Workspace
from tests.sqlfront.compare import same_rows
from wayline.generate import Generated

ANY = 100.0
"""Reject limit: some of the generated calls are malformed, wherever the batches are cut."""
COVERING = timedelta(days=200)
"""A replay's lookback that reaches behind the first event."""
DAYS = "daterangeday >= DATE '2026-02-10' AND daterangeday < DATE '2026-03-05'"

QUESTIONS = (
    "SELECT SUM(occurrences), SUM(visitors), SUM(visits), SUM(revenue), SUM(orders), SUM(calls) FROM shop",
    "SELECT channel, SUM(visitors), SUM(visits), SUM(revenue_first), SUM(revenue_last), SUM(revenue_linear)"
    " FROM shop GROUP BY channel",
    "SELECT campaign, SUM(visits), SUM(revenue), SUM(revenue_linear) FROM shop GROUP BY campaign",
    f"SELECT daterangeday, SUM(visitors), SUM(visits), SUM(orders) FROM shop WHERE {DAYS} GROUP BY 1",
    "SELECT channel, campaign, SUM(revenue_first), SUM(revenue_linear) FROM shop"
    f" WHERE {DAYS} AND device_type <> 'tablet' GROUP BY 1, 2",
    "SELECT call_reason, COUNT(*), SUM(visitors), SUM(call_minutes) FROM shop GROUP BY 1",
    "SELECT p.category, SUM(s.item_revenue), SUM(s.units), SUM(s.visitors)"
    " FROM shop s JOIN products p ON s.item = p.sku GROUP BY 1",
    'SELECT "timestamp", adobe_personid, event, channel, campaign, revenue, visits, visitors FROM shop',
)
"""Persons, sessions, persistence, attribution, a lookup, and every event with its person."""

Rows: TypeAlias = list[tuple[Any, ...]]


def definitions(made: Generated, **options: Any) -> Definitions:
    """Return the demo shop's definitions, its connection with options of our own."""
    found = project.load(made.project)
    shop = found.connections["shop"].model_copy(update=options)
    return found.model_copy(update={"connections": {"shop": shop}})


def build(root: Path, made: Generated, web: Sequence[Path], calls: Sequence[Path], **options: Any) -> Home:
    """Make a home and ingest each file as a batch of its own, then replay all of the time."""
    home = Home.create(root)
    flow.apply(home, definitions(made, **options))
    for dataset in ("crm", "products"):
        flow.ingest(home, dataset, made.files[dataset])
    for dataset, files in (("web", web), ("calls", calls)):
        for file in files:
            flow.ingest(home, dataset, [file], reject_limit_percent=ANY)
    replay(home, made)
    return home


def replay(home: Home, made: Generated) -> int:
    """Run a replay that covers every event; return how many rows it changed."""
    return flow.replay(home, "shop", at=made.end, lookback=COVERING).rows_changed


def shuffled_web(made: Generated, folder: Path, random: Random, batches: int) -> list[Path]:
    """Write the web events in random order, cut at random into batches; some of them arrive twice."""
    rows = pl.concat(pl.read_parquet(file) for file in made.files["web"])
    order = [*range(rows.height), *random.choices(range(rows.height), k=rows.height // 20)]
    random.shuffle(order)
    cuts = [0, *sorted(random.sample(range(1, len(order)), batches - 1)), len(order)]
    paths = []
    for number, (start, end) in enumerate(pairwise(cuts)):
        paths.append(folder / f"web-{number}.parquet")
        rows[order[start:end]].write_parquet(paths[-1])
    return paths


def shuffled_calls(made: Generated, folder: Path, random: Random) -> list[Path]:
    """Write the calls in random order into two files."""
    texts = [file.read_text().splitlines() for file in made.files["calls"]]
    lines = [line for text in texts for line in text[1:]]
    random.shuffle(lines)
    paths = [folder / "calls-0.csv", folder / "calls-1.csv"]
    for number, path in enumerate(paths):
        path.write_text("\n".join([texts[0][0], *lines[number::2]]) + "\n")
    return paths


def asker(home: Home) -> Callable[..., Rows]:
    """Return a function that answers a statement in the newest world, or in the one given."""
    workspace = Workspace(home.root / "datasets")

    def ask(sql: str, world: World | None = None) -> Rows:
        world = world or home.current()
        question = Question(parse(sql)[0], home, workspace, (), lambda: OWNER)
        sight = question.sight(world)
        planned = question.planned(sight)
        cursor = workspace.cursor()
        table = Execution(cursor, home, sight, Cancellation()).stream(planned, ()).read_all()
        cursor.close()
        return list(zip(*(column.to_pylist() for column in table.columns), strict=True))

    return ask


def answers(home: Home) -> list[Rows]:
    """Answer all the questions."""
    return [asker(home)(question) for question in QUESTIONS]


def same_answers(ours: Sequence[Rows], theirs: Sequence[Rows]) -> None:
    """Check answers to all the questions against others."""
    for left, right in zip(ours, theirs, strict=True):
        assert right
        same_rows(left, right)
