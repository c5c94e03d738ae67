"""Several processes that want to write at once: all get through, one after the other, and none is in the way."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path

import pytest

from engine import flow
from engine.upkeep import Upkeep
from engine.vacuum import vacuum
from engine.world import Home
from tests.faults import deeds, events, victims
from tests.faults.inspection import answer, settled

pytestmark = pytest.mark.faults


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return victims.make_home(tmp_path)


def files(folder: Path, count: int) -> list[str]:
    return [events.write_events(folder / f"{number}.parquet", 10 + number, 100) for number in range(count)]


def holding(root: Path) -> victims.Victim:
    """Start a process that holds the lease until it is killed."""
    holder, end = victims.start("hold", root), time.monotonic() + 30
    while (root / "writer.lock").read_text() != f"process {holder.process.pid}":
        assert time.monotonic() < end
        time.sleep(0.01)
    return holder


@pytest.mark.parametrize("writers", [2, 10])
def test_all_writers_get_through(root: Path, tmp_path: Path, writers: int) -> None:
    started = [victims.start("ingest", root, file) for file in files(tmp_path, writers)]
    for victim in started:
        victims.finish(victim)
    home = Home.open(root)
    settled(home)
    causes = [world.cause for world in home.worlds() if world.cause.startswith("ingest web")]
    assert causes == [f"ingest web batch {number}" for number in range(1, 4 + writers)]
    assert len(home.catalog.batches("web")) == 3 + writers


def test_who_waits_says_so_and_a_death_lets_it_go_on(root: Path, tmp_path: Path) -> None:
    holder = holding(root)
    waited = victims.start("ingest", root, *files(tmp_path, 1), tell=True)
    assert f"waiting for process {holder.process.pid}" in waited.pipe.recv()
    holder.process.kill()
    victims.finish(waited)
    home = Home.open(root)
    settled(home)
    assert home.current().cause in ("ingest web batch 4", "compact shop")


def test_upkeep_gives_way_to_who_writes(root: Path) -> None:
    home = Home.open(root)
    holder = holding(root)
    thread, before = Upkeep(home, pause=0.01), home.current()
    thread.start()
    time.sleep(0.3)
    started = time.monotonic()
    thread.stop()
    assert time.monotonic() - started < 5
    assert home.current() == before
    holder.process.kill()
    settled(home)


def test_a_pinned_reader_keeps_its_world(root: Path, tmp_path: Path) -> None:
    home = Home.open(root)
    before = answer(home)
    reader = victims.start("read", root)
    assert reader.pipe.recv() == before
    number = home.current().id
    flow.ingest(home, "web", files(tmp_path, 1))
    flow.replay(home, "shop", at=deeds.AT, lookback=deeds.LOOKBACK)
    flow.compact(home)
    done = vacuum(home, keep=timedelta())
    assert set(done.pinned) == {number}
    assert answer(home) != before
    for _ in range(2):
        reader.pipe.send("again")
        assert reader.pipe.recv() == before
    settled(home)
    kept = _data(home)
    reader.process.kill()
    reader.process.join()
    assert vacuum(home, keep=timedelta()).gone == (number,)
    assert _data(home) < kept
    settled(home)


def _data(home: Home) -> set[Path]:
    return set(home.root.glob("*/*/**/*.parquet")) - set(home.root.glob("*/*/_delta_log/*"))
