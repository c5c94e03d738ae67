"""docs/access.md: its commands run as they stand, and the user of its example reads what the page says."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine import flow
from engine.catalog import access
from engine.catalog.access import RoleLimits
from engine.definitions.model import Definitions
from engine.world import Home
from tests.access.homes import ask, front_of, outcome
from wayline.cli import app

PAGE = (Path(__file__).parents[2] / "docs" / "access.md").read_text(encoding="utf-8")
SHOP = Definitions.model_validate(
    {
        "datasets": {
            "web": {
                "timestamp": "ts",
                "fields": {"ts": "timestamp", "who": "string", "country": "string"},
            }
        },
        "connections": {"all": {"datasets": {"web": {"person_id": "who"}}}},
        "data_views": {"shop": {"connection": "all", "dimensions": {"country": "country"}}},
    }
)


@pytest.fixture
def home(tmp_path, monkeypatch):
    made = Home.create(tmp_path)
    flow.apply(made, SHOP)
    (tmp_path / "web.csv").write_text("ts,who,country\n2024-01-01,a,DE\n2024-01-02,b,FR\n2024-01-03,c,DE\n")
    flow.ingest(made, "web", [tmp_path / "web.csv"])
    monkeypatch.chdir(tmp_path)
    yield made
    made.close()


def test_the_page_s_commands(home):
    lines = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
    assert len(lines) > 5
    for line in lines:
        done = CliRunner().invoke(app, shlex.split(line, comments=True)[1:])
        assert done.exit_code == 0, (line, done.exception)
    front = front_of(home)
    assert ask(front, "maria", "select country, sum(occurrences) from shop group by 1") == [("DE", 2)]
    assert outcome(front, "maria", "select * from web") == "42501"
    role = access.roll(home.catalog).role("germany")
    assert (role.description, role.limits) == ("Sees German events", RoleLimits())
