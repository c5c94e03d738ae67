"""The catalog: what is written is read back, and a transaction is all or nothing."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from engine.catalog import replays
from engine.catalog.records import BatchError, BatchStatus, Reject, ReplayRecord, Skip
from engine.catalog.store import REJECTS_KEPT, Catalog
from engine.errors import UnknownNameError


@pytest.fixture
def catalog(tmp_path):
    catalog = Catalog(tmp_path / "catalog.db")
    with catalog.writing() as connection:
        catalog.create_tables(connection)
    yield catalog
    catalog.close()


def test_batches_are_numbered_per_dataset(catalog):
    first = catalog.start_batch("a1", "web", ["x.csv"])
    assert [first.number, catalog.start_batch("a2", "web", []).number] == [1, 2]
    assert catalog.start_batch("a3", "app", []).number == 1
    assert catalog.batch("a1") == first
    assert [batch.id for batch in catalog.batches("web", BatchStatus.LOADING)] == ["a1", "a2"]


def test_a_batch_keeps_its_counts_errors_and_first_rejects(catalog):
    record = catalog.start_batch("a1", "web", ["x.csv", "y.csv"])
    error = BatchError("INGEST-1401-400", "not valid JSON", 2)
    done = replace(
        record,
        status=BatchStatus.SUCCESS,
        finished_at=datetime(2024, 1, 1, tzinfo=UTC),
        input_records=5_000_000_000,
        errors=(error,),
        version=7,
    )
    rejects = [Reject("x.csv", n, "c", "r", "text") for n in range(REJECTS_KEPT + 5)]
    with catalog.writing() as connection:
        catalog.save_batch(connection, done)
        catalog.save_rejects(connection, "a1", rejects)
    assert catalog.batch("a1") == done
    assert catalog.rejects("a1") == rejects[:REJECTS_KEPT]


def test_an_unknown_batch_is_an_error(catalog):
    with pytest.raises(UnknownNameError):
        catalog.batch("none")


def test_a_transaction_that_fails_leaves_nothing(catalog):
    with pytest.raises(ZeroDivisionError), catalog.writing() as connection:
        catalog.set_meta(connection, "key", "value")
        raise ZeroDivisionError
    assert catalog.meta("key") is None


def test_replays_and_skips_are_read_back(catalog):
    moment = datetime(2024, 1, 1, 12, 30, 0, 123, tzinfo=UTC)
    replay = ReplayRecord("shop", moment, timedelta(days=7), moment, moment, 10, 2, 5, 4)
    skip = Skip("shop", "web", "a1", "Empty visitor ID", 3)
    with catalog.writing() as connection:
        stored = replays.add(connection, replay)
        catalog.add_skips(connection, [skip])
        catalog.add_skips(connection, [replace(skip, rows=4)])
    assert replays.listed(catalog, "shop") == [stored]
    assert replace(stored, id=None) == replay
    assert catalog.skips("shop") == [replace(skip, rows=4)]
    assert replays.listed(catalog, "other") == []


def test_inactive_batches_hide_their_skips_and_can_be_purged_and_deleted(catalog):
    records = [catalog.start_batch(name, "web", []) for name in ("a1", "a2", "a3")]
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    ended = replace(records[1], status=BatchStatus.INACTIVE, ended_at=moment, replaced_by=3)
    with catalog.writing() as connection:
        catalog.save_batch(connection, replace(records[0], status=BatchStatus.SUCCESS))
        catalog.save_batch(connection, ended)
        catalog.add_skips(connection, [Skip("shop", "web", name, "r", 1) for name in ("a1", "a2", "a3")])
    assert catalog.batch("a2") == ended
    assert [skip.batch for skip in catalog.skips("shop")] == ["a1", "a3"]
    for name in ("a1", "a2"):
        catalog.purge_batch(name)
    assert [batch.purge for batch in catalog.batches("web")] == [False, True, False]
    with catalog.writing() as connection:
        catalog.mark_deleted(connection, ["a1", "a2"])
    assert [batch.status for batch in catalog.batches("web")] == ["success", "deleted", "loading"]
    assert [skip.batch for skip in catalog.skips("shop")] == ["a1", "a3"]
