"""Homes and worlds: who may open, who may write, and what a reader holds."""

import subprocess
import sys
import threading
import time
from datetime import timedelta
from typing import Any

import pytest

from engine.catalog import access
from engine.catalog.records import Skip
from engine.definitions.model import Definitions
from engine.errors import HomeError
from engine.world import FORMAT, Home
from tests.world.homes import pinned_worlds

HOLD = """
import sys, time
from engine.world import Home
with Home.open(sys.argv[1]).lease():
    print("held", flush=True)
    time.sleep(60)
"""
DEFINITIONS = Definitions.model_validate(
    {"datasets": {"web": {"timestamp": "ts", "fields": {"ts": "timestamp"}}}}
)


@pytest.fixture
def home(tmp_path):
    home = Home.create(tmp_path / "home")
    yield home
    home.close()


@pytest.fixture
def holder(home):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(home.root)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_new_home_has_a_first_world(home):
    world = home.current()
    assert (world.id, world.cause, world.datasets) == (1, "init", {})
    assert Home.open(home.root).current() == world


def test_a_home_is_not_created_twice(home):
    with pytest.raises(HomeError, match="is a wayline home already"):
        Home.create(home.root)


@pytest.mark.parametrize("content", [None, b"", b"not a database" * 100])
def test_what_is_not_a_home_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "catalog.db").write_bytes(content)
    with pytest.raises(HomeError, match="is not a wayline home"):
        Home.open(tmp_path)


def test_creating_again_after_a_death_on_the_way_works(tmp_path):
    (tmp_path / "catalog.db").touch()
    assert Home.create(tmp_path).current().id == 1


def test_a_home_of_a_newer_format_is_refused(home):
    with home.catalog.writing() as connection:
        home.catalog.set_meta(connection, "format", str(FORMAT + 1))
    with pytest.raises(HomeError, match=f"has format {FORMAT + 1}") as caught:
        Home.open(home.root)
    assert caught.value.hint == "Upgrade wayline."


def test_an_older_home_is_upgraded_step_by_step(home, monkeypatch):
    steps = []
    upgrades = (lambda catalog: steps.append(1), lambda catalog: steps.append(2))
    monkeypatch.setattr("engine.world.UPGRADES", upgrades)
    monkeypatch.setattr("engine.world.FORMAT", 3)
    with home.catalog.writing() as connection:
        home.catalog.set_meta(connection, "format", "1")
    assert Home.open(home.root).catalog.meta("format") == "3"
    assert steps == [1, 2]


def test_a_home_of_format_1_has_worlds_that_know_no_devices(home):
    with home.catalog.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE worlds DROP COLUMN devices")
        connection.exec_driver_sql("CREATE TABLE device_memory (device TEXT)")
        home.catalog.set_meta(connection, "format", "1")
    opened = Home.open(home.root)
    assert opened.catalog.meta("format") == str(FORMAT)
    assert opened.current().devices == {}


def test_a_home_of_format_2_has_worlds_without_an_identity_graph(home):
    with home.catalog.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE worlds DROP COLUMN identities")
        home.catalog.set_meta(connection, "format", "2")
    opened = Home.open(home.root)
    assert opened.catalog.meta("format") == str(FORMAT)
    assert opened.current().identities is None


def test_users_of_a_home_of_format_3_keep_their_passwords_and_read_everything(home):
    verifier = "SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy"
    with home.catalog.writing() as connection:
        for table in ("credentials", "memberships", "grants", "roles", "users"):
            connection.exec_driver_sql(f"DROP TABLE {table}")
        connection.exec_driver_sql(
            "CREATE TABLE users (name TEXT NOT NULL PRIMARY KEY, verifier TEXT NOT NULL)"
        )
        for user in (("ann", verifier), ("bad", "md5abc")):
            connection.exec_driver_sql("INSERT INTO users VALUES (?, ?)", user)
        home.catalog.set_meta(connection, "format", "3")
    opened = Home.open(home.root)
    assert opened.catalog.meta("format") == str(FORMAT)
    roll = access.roll(opened.catalog)
    (ann,) = roll.users.values()
    assert (ann.name, ann.salt, ann.iterations, ann.is_admin) == ("ann", b"salt", 4096, False)
    (password,) = roll.credentials_of("ann")
    assert (password.kind, password.stored_key, password.server_key) == ("password", b"stored", b"server")
    assert roll.roles_of("ann") == ("analysts",)
    assert {(grant.kind, grant.object, grant.rule) for grant in roll.grants} == {
        ("view", "*", None),
        ("dataset", "*", None),
        ("system", "*", None),
    }
    assert Home.open(home.root).catalog.meta("format") == str(FORMAT)


def test_publishing_changes_only_what_is_given(home):
    with home.lease() as lease:
        lease.publish("apply", definitions=DEFINITIONS, datasets={"web": 0}, journeys={"shop": 0})
        world = lease.publish("ingest web batch 1", datasets={"web": 1}, stitch_logs={"shop": 4})
    assert world == home.current() == Home.open(home.root).current()
    assert world.id == 3
    assert (world.datasets, world.journeys, world.stitch_logs) == (
        {"web": 1},
        {"shop": 0},
        {"shop": 4},
    )
    assert world.definitions == DEFINITIONS


def test_forgetting_a_connection_comes_before_the_new_versions(home):
    skip = Skip("a", "web", "b1", "reason", 1)
    with home.lease() as lease:
        versions = {"a": 3, "b": 3}
        lease.publish(
            "x",
            journeys=versions,
            stitch_logs=versions,
            devices=versions,
            skips=[skip],
        )
        world = lease.publish("y", journeys={"a": 9}, forget=["a"])
    assert (world.journeys, world.stitch_logs) == ({"a": 9, "b": 3}, {"b": 3})
    assert world.devices == {"b": 3}
    assert home.catalog.skips("a") == []


def test_a_publication_that_fails_changes_nothing(home):
    broken: Any = Skip("a", "web", "b1", "reason", None)  # type: ignore[arg-type]
    with home.lease() as lease, pytest.raises(Exception, match="NOT NULL"):
        lease.publish("x", datasets={"web": 1}, skips=[broken])
    assert home.current().id == 1


def test_two_processes_do_not_write_at_once(home, holder):
    told = []
    lease = home.lease(wait=0.2, on_wait=told.append)
    with pytest.raises(HomeError, match=f"written by process {holder.pid}"), lease:
        pass
    assert len(told) == 1
    holder.kill()
    with home.lease(wait=10) as lease:
        assert lease.home is home


def test_two_threads_do_not_write_at_once(home):
    order = []

    def write():
        with home.lease():
            order.append("second")

    with home.lease():
        thread = threading.Thread(target=write)
        thread.start()
        time.sleep(0.2)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_a_pin_holds_a_world_until_its_last_reader_is_done(home):
    with home.pin() as first, home.pin() as again:
        assert first is again
        with home.lease() as lease:
            lease.publish("x", datasets={"web": 1})
        with home.pin() as second:
            assert (first.id, second.id) == (1, 2)
            assert first.datasets == {}
        assert pinned_worlds(home.catalog) == {1, 2}
    with home.lease() as lease:
        lease.publish("x", datasets={"web": 2})
    with home.pin():
        assert pinned_worlds(home.catalog) == {3}
    home.close()
    assert pinned_worlds(home.catalog) == set()


def test_pinning_a_world_that_is_held_already_writes_nothing(home):
    with home.pin():
        pass
    with home.catalog.writing(), home.pin() as world:
        assert world.id == 1


def test_pins_of_dead_processes_do_not_count(home):
    code = "import os, sys; from engine.world import Home; h = Home.open(sys.argv[1])\n"
    code += "with h.pin(): os._exit(1)"
    subprocess.run([sys.executable, "-c", code, str(home.root)], check=False)
    assert len(home.catalog.pins()) == 1
    assert pinned_worlds(home.catalog) == set()


def test_lengths_of_time_survive_the_catalog(home):
    document = {
        "datasets": {"web": {"timestamp": "ts", "fields": {"ts": "timestamp", "p": "string"}}},
        "connections": {"shop": {"duplicate_window": "90m", "datasets": {"web": {"person_id": "p"}}}},
    }
    with home.lease() as lease:
        lease.publish("apply", definitions=Definitions.model_validate(document))
    connection = Home.open(home.root).current().definitions.connections["shop"]
    assert connection.duplicate_window == timedelta(minutes=90)
