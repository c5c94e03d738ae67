"""World law: while another process ingests, replays and rebuilds, each answer is that of one published world.

Readers ask over the wire, and in this process with a world pinned. What each world answers is found out
afterwards, by asking in that world again.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import psycopg
import pytest
from sqlglot import exp

from engine import flow
from engine.cancellation import Cancellation
from engine.journeys import compact
from engine.report import answers, run
from engine.report.request import Aggregate, DimensionColumn, MetricColumn, ReportRequest
from engine.world import Home, World
from sqlfront.users import add_user
from tests.laws import shop_homes as shop
from tests.laws.shop_homes import Rows
from wayline import generate
from wayline.serving import running

STATEMENTS = (
    # One statement over two tables and several reports: all of them must be of the same world.
    "SELECT (SELECT COUNT(*) FROM web) AS rows, (SELECT SUM(occurrences) FROM shop) AS events,"
    " (SELECT SUM(visitors) FROM shop) AS people, (SELECT SUM(visits) FROM shop) AS sessions",
    "SELECT channel, SUM(visitors), SUM(visits), SUM(revenue_linear) FROM shop GROUP BY channel",
)
PAUSE = 0.1
"""Seconds between two questions of a reader, so that the writer gets its share of the machine."""
COUNTS = ("occurrences", "visitors", "visits", "revenue")
CREDITED = ("revenue_first", "revenue_last", "revenue_linear")
ASKED: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    ((), (*COUNTS, *CREDITED)),
    (("channel",), (*COUNTS, *CREDITED)),
    *(((), (metric,)) for metric in ("visitors", "visits")),
    *((("channel",), (metric,)) for metric in CREDITED),
    (("campaign", "device_type"), COUNTS),
    (("campaign", "country"), CREDITED),
    (("daterangeday",), COUNTS),
    (("channel", "daterangeweek"), CREDITED),
    (("item",), ("occurrences", "visitors", "item_revenue")),
    (("call_reason", "adobe_personid"), ("calls", "call_minutes", "visits")),
    (("channel",), ()),
)
REQUESTS = tuple(
    ReportRequest(
        view="shop",
        dimensions=tuple(DimensionColumn(name, exp.column(name, quoted=True)) for name in dimensions),
        metrics=tuple(MetricColumn(m, Aggregate.VALUE, exp.column(m, quoted=True)) for m in metrics),
    )
    for dimensions, metrics in ASKED
)


def report(home: Home, world: World, number: int) -> Rows:
    table = run(REQUESTS[number], home, world, Cancellation())
    return [tuple(row.values()) for row in table.to_pylist()]


def write(root: Path, made: generate.Generated, web: Sequence[Path]) -> None:
    """Publish worlds one after the other; runs in a process of its own."""
    # So that runs are merged on the way, and put into the base.
    compact.MAX_RUNS, compact.SPLIT_ROWS = 2, 100  # type: ignore[misc]
    home = Home.open(root)
    for number, file in enumerate(web):
        flow.ingest(home, "web", [file])
        if number % 2:
            shop.replay(home, made)
        if number == 4:
            flow.ingest(home, "calls", made.files["calls"], reject_limit_percent=shop.ANY)
            flow.rebuild(home, "shop")
    home.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return generate.generate(tmp_path_factory.mktemp("made"), events=3_000, seed=29)


@pytest.fixture
def home(made, tmp_path):
    home = shop.build(tmp_path / "home", made, [], [])
    add_user(home.catalog, "ann", "secret")
    yield home
    home.close()


def over_the_wire(address: tuple[str, int], number: int, writing: Callable[[], bool]) -> list[Rows]:
    seen = []
    with psycopg.connect(
        host=address[0], port=address[1], user="ann", password="secret", dbname="wayline", autocommit=True
    ) as connection:
        while True:
            last = not writing()
            seen.append(connection.execute(STATEMENTS[number]).fetchall())
            if last:
                return seen
            time.sleep(PAUSE)


def pinned(home: Home, number: int, writing: Callable[[], bool]) -> list[tuple[int, Rows]]:
    seen = []
    while True:
        last = not writing()
        with home.pin() as world:
            seen.append((world.id, report(home, world, number)))
        if last:
            return seen
        time.sleep(PAUSE)


def same(ours: Rows, theirs: Rows) -> bool:
    try:
        shop.same_rows(ours, theirs)
    except AssertionError:
        return False
    return True


def follows_worlds(seen: Sequence[Rows], expected: Sequence[Rows]) -> int:
    """Check that answers are those of worlds in their order; return how many worlds were met at least."""
    place, met = 0, {0}
    for answer in seen:
        place = next((p for p in range(place, len(expected)) if same(answer, expected[p])), -1)
        assert place >= 0, f"an answer of no world, or of one before {max(met)}: {answer}"
        met.add(place)
    assert same(seen[-1], expected[-1])
    return len(met)


def test_every_answer_belongs_to_one_published_world(home, made, tmp_path, monkeypatch):
    """Two sessions over the wire and fourteen threads inside, each with another question; answers are kept."""
    monkeypatch.setenv(answers.VARIABLE, "64MB")
    web = shop.shuffled_web(made, tmp_path, Random(5), 6)
    writer = multiprocessing.get_context("spawn").Process(target=write, args=(home.root, made, web))
    with running(home) as address, ThreadPoolExecutor(len(STATEMENTS) + len(REQUESTS)) as readers:
        writer.start()
        wire = [readers.submit(over_the_wire, address, number, writer.is_alive) for number in (0, 1)]
        inside = [readers.submit(pinned, home, number, writer.is_alive) for number, _ in enumerate(REQUESTS)]
        writer.join()
        answered = [reader.result() for reader in wire]
        reported = [reader.result() for reader in inside]
    assert writer.exitcode == 0
    monkeypatch.setenv(answers.VARIABLE, "0")
    worlds = {world.id: world for world in home.worlds()}
    ask = shop.asker(home)
    for number, seen in enumerate(answered):
        assert follows_worlds(seen, [ask(STATEMENTS[number], w) for w in worlds.values() if w.journeys]) > 1
    for number, seen in enumerate(reported):
        ids = [world for world, _ in seen]
        assert ids == sorted(ids)
        assert ids[-1] == max(worlds)
        expected = {world: report(home, worlds[world], number) for world in set(ids)}
        for world, answer in seen:
            shop.same_rows(answer, expected[world])
