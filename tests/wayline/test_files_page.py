"""docs/files.md: what it says about the files is true, asked of DuckDB alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from engine import batches, flow
from engine.catalog.records import BatchStatus
from engine.identities import table
from engine.rollback import roll_back
from engine.status import status
from engine.vacuum import vacuum
from engine.world import Home
from tests.journeys.support import ingest_rows
from tests.world.homes import make_home, rows

PAGE = Path(__file__).parents[2] / "docs" / "files.md"


def statements() -> list[str]:
    blocks = re.findall(r"```sql\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return [piece for block in blocks for piece in re.split(r";\s*\n", block) if piece.strip()]


def answers(home: Home) -> dict[str, list[tuple[object, ...]]]:
    """Run the page's statements on a home; return the answer of each by its columns."""
    found = {}
    with duckdb.connect() as connection:
        for statement in statements():
            relation = connection.sql(statement.replace("my-home", str(home.root)))
            if relation is not None:
                found[",".join(relation.columns)] = relation.pl().rows()
    return found


def graphs(home: Home) -> list[tuple[str, list[str]]]:
    """Return graph → members, of the identity graph that the newest world shows."""
    version = home.current().identities
    assert version is not None
    members: dict[str, list[str]] = {}
    for namespace, value, _, graph in table.content(home.identities_path(), version).identities.iter_rows():
        if graph is not None:
            members.setdefault(graph, []).append(f"{namespace}:{value}")
    return sorted((graph, sorted(found)) for graph, found in members.items())


def replayed(home: Home) -> None:
    ingest_rows(home, "web", rows(3, 200))
    flow.replay(home, "shop", lookback=timedelta(days=20_000))


def returned_to(home: Home) -> None:
    batches.revert(home, "web", 2)
    roll_back(home, home.current().id - 1)
    batches.revert(home, "web", 1)


def compacted(home: Home) -> None:
    replayed(home)
    flow.compact(home, "shop")
    ingest_rows(home, "web", rows(4))
    batches.revert(home, "web", 2)
    vacuum(home, keep=timedelta())


@pytest.mark.parametrize("history", [replayed, returned_to, compacted])
def test_the_page_counts_what_status_counts(tmp_path: Path, history: Callable[[Home], None]) -> None:
    home = make_home(tmp_path)
    history(home)
    found = answers(home)
    shown = status(home)
    (shop,) = shown.connections
    (web,) = (dataset for dataset in shown.datasets if dataset.name == "web")
    assert found["persons,events"] == [(shop.persons, shop.events)]
    batches_with_rows, counts = zip(*found["batch,rows"], strict=True)
    active = [batch.number for batch in home.catalog.batches("web", BatchStatus.SUCCESS)]
    assert list(batches_with_rows) == active
    assert sum(counts) == web.rows
    assert found["row,person,kind,logged_at"]
    assert found["dataset,device,known,timeline"]
    assert found["graph,members"] == graphs(home)
    assert found["namespace_a,value_a,namespace_b,value_b,seen,state"]
