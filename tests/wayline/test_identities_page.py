"""docs/identities.md: its commands run, and events belong to whom the page says."""

from __future__ import annotations

import re
from pathlib import Path

from typer.testing import CliRunner

import wayline
from engine import flow
from engine.definitions import project
from engine.world import Home
from tests.journeys.support import ingest_rows, journeys, new_home
from tests.journeys.test_identity_maps import PRIMARY, definitions, row, stitched
from tests.wayline.test_python_pages import DOCS, blocks
from wayline.cli import app

PAGE = "identities.md"


def told(home: Home) -> dict[str, tuple[str, str]]:
    rows = [row for rows in journeys(home, ["_event_id", "_person", "_namespace"]) for row in rows]
    return {name: (person, namespace) for _, name, person, namespace in rows}


def test_the_example_gives_the_persons_that_the_page_shows(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    first, placeholders = blocks(PAGE, "yaml")
    Path("project.yaml").write_text(first)
    Path("web.jsonl").write_text(blocks(PAGE, "json")[0])
    for command in blocks(PAGE, "")[0].splitlines():
        done = CliRunner().invoke(app, command.split()[1:])
        assert done.exit_code == 0, (command, done.output)
    home = Home.open(Path("my-home"))
    shown = re.findall(r"^\| (\d) \| (\S+) \| (\S+) \|", (DOCS / PAGE).read_text(), re.MULTILINE)
    assert told(home) == {event: (person, space) for event, person, space in shown if person != "–"}
    assert flow.status(home).connections[0].skips == {"Empty visitor ID": 1}

    Path("more.yaml").write_text(placeholders.replace("kiosk", "Tom"))
    assert project.load("more.yaml", home.current().definitions).identities is not None
    done = CliRunner().invoke(app, ["apply", "more.yaml", "--home", "my-home"])
    assert done.exit_code == 0, done.output
    assert told(home) == dict.fromkeys("123", ("e-7", "ECID"))


def test_parts_of_an_identity_map_are_components_like_fields_of_any_array(tmp_path: Path) -> None:
    view = {"connection": "shop", "dimensions": {"space": "who.ids.namespace", "id": "who.ids.id"}}
    home = new_home(tmp_path, definitions(stitched(PRIMARY, "customer"), data_views={"visits": view}))
    ids = {"ECID": [{"id": "e", "primary": True}], "CRMID": [{"id": "Tom", "primary": False}]}
    ingest_rows(
        home, "web", [row("a", 0, ids), row("b", 1, {"ECID": ids["ECID"]}), row("c", 2, customer="Tom")]
    )
    with wayline.open(home.root) as opened:
        found = opened.report("visits", dimensions=["space"], metrics=["occurrences"])
        assert sorted(found.polars().rows(), key=str) == [("CRMID", 1), ("ECID", 2), (None, 1)]
