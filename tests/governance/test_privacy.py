"""Deleting identities: what goes, what falls back, what never comes back, and what is left in any file."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from engine import batches, flow
from engine.cancellation import Cancellation
from engine.catalog import queries, replays
from engine.catalog.privacy import requests, tombstones
from engine.errors import HomeError, InputError, UnknownNameError
from engine.governance import identities, privacy
from engine.governance.proof import Proof, prove
from engine.journeys import device_table, stitch_log
from engine.rollback import roll_back
from engine.vacuum import vacuum
from engine.world import Home
from sqlfront import querylog
from tests.journeys.support import commit_batch, definitions, ingest_rows, journeys, new_home
from tests.journeys.test_replay_examples import NOON, TABLE, persons, replay, table_rows, web

BOB = {"crm": {"Bob"}}
DAY = timedelta(days=1)
LEFT = ["246", "246", "246", "3579", "3579", "81911", "81911"]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """EX-ST-1, replayed."""
    home = new_home(tmp_path, definitions())
    ingest_rows(home, "web", table_rows(TABLE))
    replay(home, 30, DAY)
    return home


def places(proof: Proof) -> set[str]:
    return {trace.place.partition("/")[0] for trace in proof.traces}


def test_ex_st_1_after_privacy_delete(home: Home) -> None:
    assert privacy.plan(home, BOB) == privacy.Deletion(1, {"web": 5}, {"shop": 5})
    done = privacy.delete(home, BOB)
    assert (done.erased, done.unstitched) == ({"web": 5}, {"shop": 5})
    # Rows 2, 3, 5, 7 and 11 carry the identity; 1, 4, 6, 10 and 12 were stitched to it.
    assert persons(home) == LEFT
    status = flow.status(home).connections[0]
    assert (status.persons, status.events) == (3, 7)
    log = stitch_log.latest(home.stitch_log_path("shop"), home.current().stitch_logs["shop"], 0)
    assert log.height == 7
    assert "Bob" not in log["_person"]


def test_ex_st_1_without_a_replay(tmp_path: Path) -> None:
    home = new_home(tmp_path, definitions())
    ingest_rows(home, "web", table_rows(TABLE))
    assert privacy.delete(home, BOB).unstitched == {"shop": 3}
    assert persons(home) == LEFT


def test_absence_is_proved_once_old_files_are_gone(home: Home) -> None:
    assert places(prove(home, "crm", "Bob")) == {"datasets", "journeys", "stitchlog", "devices"}
    privacy.delete(home, BOB)
    proof = prove(home, "crm", "Bob")
    assert proof.traces
    assert {trace.remedy for trace in proof.traces} == {"wayline vacuum, when nobody reads an older world"}
    vacuum(home)
    after = prove(home, "crm", "Bob")
    assert after.traces == ()
    assert after.deleted is not None
    assert requests(home.catalog)[0].vacuumed_at is not None
    assert persons(home) == LEFT


def test_no_byte_of_a_long_value_is_left(tmp_path: Path) -> None:
    home = new_home(tmp_path, definitions())
    customer = "robert.longname@example.com"
    table = [(minute, device, customer if person else None) for minute, device, person in TABLE]
    ingest_rows(home, "web", table_rows(table))
    replay(home, 30, DAY)
    privacy.delete(home, {"crm": {customer}})
    vacuum(home)
    proof = prove(home, "crm", customer)
    assert proof.raw
    assert proof.traces == ()
    for path in home.root.rglob("*"):
        assert not (path.is_file() and customer.encode() in path.read_bytes()), path


def test_a_deleted_device_leaves_no_trace(home: Home) -> None:
    done = privacy.delete(home, {"ecid": {"81911"}})
    assert (done.erased, done.unstitched) == ({"web": 3}, {})
    vacuum(home)
    assert prove(home, "ecid", "81911").traces == ()
    states = device_table.read(home.devices_path("shop"), home.current().devices["shop"], 0)
    assert set(states["device"]) == {"246"}


def test_no_replay_brings_a_deleted_person_back(home: Home) -> None:
    privacy.delete(home, BOB)
    ingest_rows(home, "web", [web(20, "246", "Bob", "n1"), web(21, "246", None, "n2")])
    # Bob comes back: events that arrive from now on are Bob's, those from before stay the device's.
    assert persons(home) == [*LEFT, "Bob", "Bob"]
    replay(home, 30, DAY)
    assert persons(home) == [*LEFT, "Bob", "Bob"]
    assert replays.listed(home.catalog, "shop")[-1].rows_changed == 0
    flow.rebuild(home, "shop")
    assert persons(home) == [*LEFT, "Bob", "Bob"]


def test_a_new_connection_respects_tombstones(home: Home) -> None:
    privacy.delete(home, BOB)
    ingest_rows(home, "web", [web(0, "246", "Bob", "n1")])
    flow.apply(home, definitions(connections={}))
    flow.apply(home, definitions())
    assert persons(home) == [*LEFT, "Bob"]
    replay(home, 30, DAY)
    assert persons(home) == [*LEFT, "Bob"]


def test_deleted_twice(home: Home) -> None:
    privacy.delete(home, BOB)
    ingest_rows(home, "web", [web(20, "246", "Bob", "n1"), web(21, "246", None, "n2")])
    privacy.delete(home, BOB)
    assert persons(home) == [*LEFT, "246"]
    vacuum(home)
    assert prove(home, "crm", "Bob").traces == ()
    assert len(tombstones(home.catalog)) == 2


def test_others_on_a_device_are_no_heirs(tmp_path: Path) -> None:
    """Events of a deleted person become their device's, not those of who is known next."""
    home = new_home(tmp_path, definitions())
    shared = [(1, "123", None), (2, "123", "Bob"), (3, "123", None), (4, "123", "Alex"), (5, "123", None)]
    ingest_rows(home, "web", table_rows(shared))
    replay(home, 30, DAY)
    assert persons(home) == ["Bob", "Bob", "Bob", "Alex", "Alex"]
    privacy.delete(home, BOB)
    assert persons(home) == ["123", "123", "Alex", "Alex"]


def test_older_worlds_cannot_be_read(home: Home) -> None:
    before = home.current()
    privacy.delete(home, BOB)
    with pytest.raises(HomeError, match="identities that it shows were deleted in world"):
        roll_back(home, before.id)
    with pytest.raises(HomeError, match="cannot be asked"), home.pin_past([before]):
        pass
    after = home.current()
    ingest_rows(home, "web", [web(40, "246", None, "n1")])
    roll_back(home, after.id)
    assert persons(home) == LEFT


def test_a_world_that_is_being_read_keeps_its_files(home: Home) -> None:
    with home.pin() as world:
        other = Home.open(home.root)
        privacy.delete(other, BOB)
        done = vacuum(other)
        assert world.id in done.pinned
        assert requests(home.catalog)[0].vacuumed_at is None
        assert "datasets" in places(prove(other, "crm", "Bob"))
    other.close()
    home.close()
    again = Home.open(home.root)
    vacuum(again)
    assert prove(again, "crm", "Bob").traces == ()


def test_a_batch_of_which_nothing_is_left(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "calls.csv"
    file.write_text("at,customer\n2023-05-12T10:00:00Z,Bob\n")
    flow.ingest(home, "calls", [file])
    done = privacy.delete(home, BOB)
    assert done.erased == {"web": 5, "calls": 1}
    published = home.current()
    assert home.catalog.batches("calls")[0].output_records == 0
    ingest_rows(home, "web", [web(40, "246", None, "n1")])
    roll_back(home, published.id)
    assert [batch.status.value for batch in home.catalog.batches("calls")] == ["success"]


def test_a_repeat_takes_the_place_of_an_erased_event(home: Home) -> None:
    ingest_rows(home, "web", [web(5.5, "246", None, "e05")])
    assert flow.status(home).connections[0].events == 12
    privacy.delete(home, BOB)
    assert flow.status(home).connections[0].events == 8
    assert persons(home) == ["246", *LEFT]
    flow.rebuild(home, "shop")
    assert persons(home) == ["246", *LEFT]


def test_reverted_batches_and_dead_copies_leave_no_trace(home: Home) -> None:
    ingest_rows(home, "web", [web(20, "777", "Bob", "n1"), web(21, "777", None, "n2")])
    batches.revert(home, "web", 2)
    flow.rebuild(home, "shop")
    privacy.delete(home, BOB)
    vacuum(home)
    assert prove(home, "crm", "Bob").traces == ()
    assert [batch.status.value for batch in home.catalog.batches("web")] == ["success", "deleted"]


def test_what_the_catalog_quotes_is_scrubbed(tmp_path: Path) -> None:
    home = new_home(tmp_path, definitions())
    file = tmp_path / "Bob.csv"
    file.write_text('id,at,device\ne1,yesterday,d-Bob-1\ne2,"Bob",d2\ne3,2023-05-12T12:00:00Z,d3\n')
    flow.ingest(home, "web", [file], reject_limit_percent=80)
    assert places(prove(home, "crm", "Bob")) == {"catalog.db"}
    done = privacy.delete(home, BOB)
    assert done.texts > 0
    batch = home.catalog.batches("web")[0]
    records = [reject.record for reject in home.catalog.rejects(batch.id)]
    assert records == ["(deleted)", "(deleted)"]
    assert batch.files == (str(tmp_path / "(deleted).csv"),)
    vacuum(home)
    assert prove(home, "crm", "Bob").traces == ()


def test_definitions_that_name_a_person_are_told(home: Home) -> None:
    view = {"connection": "shop", "description": "all but 'Bob'", "dimensions": {"channel": "channel"}}
    flow.apply(home, definitions(data_views={"shop": view}))
    privacy.delete(home, BOB)
    vacuum(home)
    [trace] = prove(home, "crm", "Bob").traces
    assert trace.remedy == "take it out of the project file and apply that"
    flow.apply(home, definitions())
    privacy.delete(home, BOB)
    vacuum(home)
    assert prove(home, "crm", "Bob").traces == ()


def test_values_elsewhere_are_told_with_a_remedy(home: Home) -> None:
    ingest_rows(home, "web", [web(20, "9", None, "n1") | {"channel": "Bob"}])
    privacy.delete(home, BOB)
    vacuum(home)
    remedies = {trace.place.partition("/")[0]: trace.remedy for trace in prove(home, "crm", "Bob").traces}
    assert remedies["datasets"] == "give channel of web identity: crm, apply that, and delete again"


def test_nested_labels_maps_and_profiles(tmp_path: Path) -> None:
    """Labels inside of arrays, identity maps, keys of profiles."""
    people = {
        "kind": "profile",
        "key": "email",
        "fields": {
            "email": {"type": "string", "identity": "Email"},
            "known": {"type": "array", "fields": {"crm": {"type": "string", "identity": "crm"}}},
            "ids": "identity_map",
        },
    }
    datasets = definitions().model_dump(exclude_defaults=True)["datasets"] | {"people": people}
    home = new_home(tmp_path, definitions(datasets=datasets))
    rows = [
        {"email": "a@x.org", "known": [{"crm": "Ann"}, {"crm": "Bob"}]},
        {"email": "b@x.org", "ids": [{"namespace": "crm", "id": "Bob", "primary": True}]},
        {"email": "c@x.org", "ids": [{"namespace": "other", "id": "Bob", "primary": True}]},
        {"email": "d@x.org", "known": [{"crm": None}]},
    ]
    commit_batch(home, "people", rows, order_by="email")
    with home.lease() as lease:
        flow.recover(lease)
    assert privacy.plan(home, BOB).erased == {"people": 2}
    assert privacy.plan(home, {"Email": {"d@x.org"}}).erased == {"people": 1}
    privacy.delete(home, {"crm": {"Bob"}, "Email": {"d@x.org"}})
    path = home.dataset_path("people")
    left = pl.concat([pl.read_parquet(file, glob=False) for file in path.glob("*-*-*-*.parquet")])
    assert left["email"].to_list() == ["c@x.org"]


def test_a_person_in_a_field_without_label(tmp_path: Path) -> None:
    datasets = definitions().model_dump(exclude_defaults=True)["datasets"]
    del datasets["web"]["fields"]["login"]["fields"]["customer"]["identity"]
    home = new_home(tmp_path, definitions(datasets=datasets))
    ingest_rows(home, "web", table_rows(TABLE))
    privacy.delete(home, {"login.customer": {"Bob"}})
    assert persons(home) == LEFT


def test_skipped_rows_are_counted_again(tmp_path: Path) -> None:
    home = new_home(tmp_path, definitions())
    rows = [web(1, "1", "Bob", "a") | {"at": None}, web(1, "1", None, "b") | {"at": None}]
    ingest_rows(home, "web", rows)
    privacy.delete(home, BOB)
    assert [skip.rows for skip in home.catalog.skips("shop")] == [1]


def test_a_dry_run_changes_nothing(home: Home) -> None:
    before = home.current()
    privacy.plan(home, BOB)
    assert home.current() == before


def test_an_identity_that_nobody_has(home: Home) -> None:
    done = privacy.delete(home, {"crm": {"Nobody"}})
    assert (done.erased, done.unstitched) == ({}, {})
    with pytest.raises(UnknownNameError, match='namespace "cmr"') as error:
        privacy.delete(home, {"cmr": {"Bob"}})
    assert error.value.hint == 'Did you mean "crm"?'


def test_identities_are_read_from_texts_and_files(tmp_path: Path) -> None:
    assert identities.parse(["Email:a:b", "Email:c"]) == {"Email": {"a:b", "c"}}
    with pytest.raises(InputError, match="is not an identity"):
        identities.parse(["Bob"])
    table, listed, other = tmp_path / "a.csv", tmp_path / "a.json", tmp_path / "b.csv"
    table.write_text("namespace,id\ncrm,Bob\n")
    listed.write_text('[{"namespace": "crm", "id": "Bob"}]')
    assert identities.read_file(table) == identities.read_file(listed) == ["crm:Bob"]
    for content in ("name\nBob\n", "namespace,id\ncrm\n"):
        other.write_text(content)
        with pytest.raises(InputError, match="no list of identities"):
            identities.read_file(other)
    for content in ('[{"namespace": "crm", "id": null}]', '[{"namespace": "crm", "id": ["Bob"]}]'):
        listed.write_text(content)
        with pytest.raises(InputError, match="no list of identities"):
            identities.read_file(listed)


def test_a_connection_without_a_trace_stays_as_it_is(tmp_path: Path) -> None:
    parts = {"calls": {"person_id": "customer"}}
    connections = definitions().model_dump(exclude_defaults=True)["connections"]
    home = new_home(tmp_path, definitions(connections=connections | {"phone": {"datasets": parts}}))
    ingest_rows(home, "calls", [{"at": NOON, "customer": "Ann"}])
    ingest_rows(home, "web", table_rows(TABLE))
    before = home.current()
    privacy.delete(home, BOB)
    after = home.current()
    assert after.journeys["phone"] == before.journeys["phone"]
    assert after.datasets["calls"] == before.datasets["calls"]
    privacy.delete(home, {"crm": {"Nobody"}})
    assert home.current().devices == after.devices
    assert home.current().stitch_logs == after.stitch_logs


def test_as_of_an_instant_from_before_the_deletion_nobody_is_the_identity(home: Home) -> None:
    instant = home.world(home.current().id - 1).published_at

    def then() -> set[str]:
        world = replace(home.current(), identity_as_of=instant)
        return {person for rows in journeys(home, ("_row", "_person"), world) for _, _, person in rows}

    assert "Bob" in then()
    assert list((home.root / "asof").rglob("*.parquet"))
    privacy.delete(home, BOB)
    assert not list((home.root / "asof").rglob("*.parquet"))
    assert "Bob" not in then()
    vacuum(home)
    assert prove(home, "crm", "Bob").traces == ()


def test_the_query_log_forgets_whom_it_named(home: Home) -> None:
    """In statements that were written, that wait to be, and that run; what is asked later is its own."""
    sql = "SELECT SUM(orders) FROM web WHERE customer = 'Bob'"
    asker = querylog.Asker(1, "ann", "", "demo", {})
    written, log = querylog.QueryLog(home), querylog.QueryLog(home)
    with written.running(asker, sql, Cancellation()):
        pass
    written.close()
    with log.running(asker, sql, Cancellation()):
        with log.running(asker, sql, Cancellation()):
            pass
        privacy.delete(home, BOB)
        assert "Bob" not in str(querylog.query_rows(home).to_pylist())
    log.close()
    told = [row["statement"] for row in querylog.query_rows(home).to_pylist()]
    assert told == [sql.replace("Bob", "(deleted)"), queries.ERASED, queries.ERASED]
    assert "catalog" not in places(prove(home, "crm", "Bob"))
