"""Deleting identities: what goes, what falls back, what never comes back, and what is left in any file."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from engine import flow
from engine.governance import privacy
from engine.journeys import stitch_log
from engine.world import Home
from tests.journeys.support import definitions, ingest_rows, new_home
from tests.journeys.test_replay_examples import TABLE, persons, replay, table_rows

BOB = {"crm": {"Bob"}}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """EX-ST-1, replayed."""
    home = new_home(tmp_path, definitions())
    ingest_rows(home, "web", table_rows(TABLE))
    replay(home, 30, timedelta(days=1))
    return home


def test_ex_st_1_after_privacy_delete(home: Home) -> None:
    assert privacy.plan(home, BOB) == privacy.Deletion(1, {"web": 5}, {"shop": 5})
    done = privacy.delete(home, BOB)
    assert (done.erased, done.unstitched) == ({"web": 5}, {"shop": 5})
    # Rows 2, 3, 5, 7 and 11 carry the identity; 1, 4, 6, 10 and 12 were stitched to it.
    assert persons(home) == ["246", "246", "246", "3579", "3579", "81911", "81911"]
    status = flow.status(home).connections[0]
    assert (status.persons, status.events) == (3, 7)
    log = stitch_log.latest(home.stitch_log_path("shop"), home.current().stitch_logs["shop"], 0)
    assert log.height == 7
    assert "Bob" not in log["_person"]
