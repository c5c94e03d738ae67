"""Runs and masks that nobody has merged yet: every lane answers as after compaction, and as the oracle."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine import flow
from engine.cancellation import Cancellation
from engine.journeys import cache, chunks, compact, store
from engine.journeys.scan import loads
from engine.recovery import recover
from engine.report import run
from engine.world import Home
from tests.journeys.support import commit_batch
from tests.laws import shop_homes as shop
from tests.oracle import report as oracle
from tests.report import test_laws as laws
from wayline import generate

LANES = (
    # Events, touches and shares, by one dimension and by several.
    "SELECT channel, SUM(occurrences), SUM(visitors), SUM(visits), SUM(calls) FROM shop GROUP BY 1",
    "SELECT channel, SUM(revenue_first), SUM(revenue_last), SUM(revenue_linear) FROM shop GROUP BY 1",
    "SELECT channel, campaign, SUM(revenue_first), SUM(revenue_linear) FROM shop GROUP BY 1, 2",
    "SELECT daterangeday, channel, SUM(revenue_linear), SUM(revenue_last) FROM shop GROUP BY 1, 2",
    "SELECT DISTINCT channel FROM shop",
    # Elements, events once per element, distinct values.
    "SELECT item, SUM(item_revenue), SUM(units), SUM(orders), COUNT(*), SUM(visitors) FROM shop GROUP BY 1",
    "SELECT channel, COUNT(DISTINCT country), COUNT(DISTINCT item) FROM shop GROUP BY 1",
    # Lookups, filters, ranges, people, totals, rows.
    "SELECT p.category, SUM(s.item_revenue) FROM shop s JOIN products p ON s.item = p.sku GROUP BY 1",
    "SELECT country, SUM(visits), SUM(revenue_linear) FROM shop WHERE channel = 'email' GROUP BY 1",
    "SELECT channel, SUM(visits), SUM(revenue_linear) FROM shop WHERE daterange >= DATE '2026-03-01' GROUP BY 1",
    f"SELECT campaign, SUM(visitors), SUM(revenue) FROM shop WHERE {shop.DAYS} GROUP BY 1",
    "SELECT adobe_personid, SUM(visits), SUM(revenue), MIN(revenue), MAX(revenue) FROM shop GROUP BY 1",
    "SELECT SUM(occurrences), SUM(visitors), SUM(visits), SUM(revenue), COUNT(*) FROM shop",
    'SELECT "timestamp", adobe_personid, event, channel, campaign, revenue, visits, visitors FROM shop',
)


@pytest.fixture
def unmerged(monkeypatch):
    """Leave runs and masks where they are, and gather few of them in a layer."""
    monkeypatch.setattr(compact, "SPLIT_ROWS", 1_000_000)
    monkeypatch.setattr(compact, "MAX_RUNS", 1_000_000)


def files_of(home, connection="shop"):
    return store.files(home.journeys_path(connection), home.current().journeys[connection])


@pytest.mark.usefixtures("unmerged")
@pytest.mark.parametrize("chunk_rows", [chunks.SPLIT_ROWS, 100], ids=["large chunks", "small chunks"])
def test_every_lane_answers_as_after_compaction(tmp_path, monkeypatch, chunk_rows):
    monkeypatch.setattr(chunks, "SPLIT_ROWS", chunk_rows)
    monkeypatch.setattr(chunks, "TARGET_ROWS", 5 * chunk_rows)
    made = generate.generate(tmp_path / "made", events=3_000, seed=37)
    home = Home.create(tmp_path / "home")
    flow.apply(home, shop.definitions(made))
    for dataset in ("crm", "products"):
        flow.ingest(home, dataset, made.files[dataset])
    web = shop.shuffled_web(made, tmp_path, shop.Random(3), 7)
    for file in web[:3]:
        flow.ingest(home, "web", [file])
    flow.rebuild(home, "shop")
    for number, file in enumerate(web[3:]):
        flow.ingest(home, "web", [file])
        if number == 1:
            flow.ingest(home, "calls", made.files["calls"], reject_limit_percent=shop.ANY)
            shop.replay(home, made)
    shop.replay(home, made)
    files, ask = files_of(home), shop.asker(home)
    assert files.base and len(files.level0) > 4 and files.masks
    before = [ask(question) for question in LANES]
    flow.rebuild(home, "shop")
    files = files_of(home)
    assert files.base and not files.level0 and not files.masks
    for question, answer in zip(LANES, before, strict=True):
        assert answer
        shop.same_rows(answer, ask(question))
    home.close()


def known(question):
    """The definitions of the laws of reports, with event ids: the oracle's order among equal times."""
    found = laws.definitions(question).model_dump(mode="json", exclude_defaults=True)
    web = found["datasets"]["web"]
    web["event_id"] = "id"
    web["fields"]["id"] = {"type": "string"}
    found["connections"]["all"]["buckets"] = 2
    return type(laws.definitions(question)).model_validate(found)


def record(event):
    fields = {name: event[name] for name in ("channel", "campaign", "revenue", "orders")}
    at = datetime.fromtimestamp(event["time"] / 1_000_000, UTC)
    return {"id": f"e{event['order']:03}", "ts": at, "who": event["person"]} | fields


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@pytest.mark.usefixtures("unmerged")
@given(st.data(), laws.events, laws.questions(), laws.segments)
def test_reports_over_runs_equal_the_oracle(tmp_path, data, found, question, segment):
    text, condition = segment
    asked = oracle.Question(**{**question.__dict__, "segment": condition})
    home = Home.create(tmp_path / uuid.uuid4().hex)
    flow.apply(home, known(question))
    arriving = data.draw(st.permutations(found))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(found)), min_size=1, max_size=4)))
    for start, end in zip([0, *cuts], [*cuts, len(found)], strict=True):
        if end > start:
            with home.lease() as lease:
                commit_batch(home, "web", [record(event) for event in arriving[start:end]], order_by="ts")
                recover(lease)
        if start == 0:
            flow.rebuild(home, "all")
    table = run(laws.request_of(question, text), home, home.current(), Cancellation())
    laws.same(laws.by_group(table, question), oracle.report(found, asked), question)
    home.close()


@pytest.mark.usefixtures("unmerged")
def test_what_is_derived_from_a_base_survives_worlds(tmp_path, monkeypatch):
    """An append reads its own rows; bases, and layers of older commits, stay as they are."""
    made = generate.generate(tmp_path / "made", events=3_000, seed=41)
    home = shop.build(tmp_path / "home", made, [], [])
    web = shop.shuffled_web(made, tmp_path, shop.Random(4), 2)
    flow.ingest(home, "web", [web[0]])
    flow.rebuild(home, "shop")
    ask, question = shop.asker(home), LANES[1]
    ask(question)
    read, first = [], shop.pl.read_parquet(web[1])
    original = chunks._read

    def counted(table, path, name, kind):
        read.append(path)
        return original(table, path, name, kind)

    monkeypatch.setattr(chunks, "_read", counted)
    for place, rows in enumerate((64, 16, 4, 1)):
        part = tmp_path / f"part-{place}.parquet"
        first[100 * place : 100 * place + rows].write_parquet(part)
        flow.ingest(home, "web", [part])
        ask(question)
        newest = files_of(home).level0[-1].path
        assert set(read) == {newest}, "something old was decoded again"
        read.clear()
    version = home.current().journeys["shop"]
    assert len({load.source.key for load in loads(home, "shop", version, ["channel"])}) == 5
    cache.columns.clear()
    home.close()
