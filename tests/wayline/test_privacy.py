"""``wayline privacy``, as docs/privacy.md tells it: the page's example, run as it stands."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from engine.errors import InputError
from wayline.cli import app

PAGE = Path(__file__).parents[2] / "docs" / "privacy.md"


def block(kind: str) -> str:
    found = re.search(rf"```{kind}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return found.group(1)


def wayline(command: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, shlex.split(command))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The page's files in the working folder; its commands."""
    monkeypatch.chdir(tmp_path)
    Path("project.yaml").write_text(block("yaml"))
    Path("events.csv").write_text(block("csv"))
    return [line.removeprefix("wayline ") for line in block("sh").splitlines()]


def test_the_page_s_example(example: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    for command in example:
        wayline(command)
    said = json.loads(wayline("status --home my-home --json").stdout)
    [connection] = said["connections"]
    assert (connection["persons"], connection["events"]) == (3, 7)
    [request] = json.loads(wayline("privacy list --home my-home --json").stdout)
    assert (request["erased"], request["unstitched"], request["identities"]) == ({"web": 5}, {"shop": 5}, 1)
    assert request["vacuumed_at"] is not None
    assert "Bob" not in json.dumps(request)


def test_a_check_says_where_it_is(example: list[str]) -> None:
    for command in example[:4]:
        wayline(command)
    said = json.loads(wayline("privacy check CRMID:Bob --home my-home --json", 1).stdout)
    assert not said["absent"]
    assert {trace["remedy"] for trace in said["traces"]} == {"wayline privacy delete CRMID:Bob"}
    planned = json.loads(wayline("privacy delete CRMID:Bob --dry-run --home my-home --json").stdout)
    assert (planned["erased"], planned["dry_run"]) == ({"web": 5}, True)
    Path("requests.csv").write_text("namespace,id\nCRMID,Bob\nECID,3579\n")
    done = json.loads(wayline("privacy delete --file requests.csv --home my-home --json").stdout)
    assert (done["erased"], done["identities"]) == ({"web": 7}, 2)
    with pytest.raises(InputError, match="nothing to delete"):
        wayline("privacy delete --home my-home")


def test_what_a_check_advises_can_be_run_as_it_stands(example: list[str]) -> None:
    events = Path("events.csv")
    events.write_text(events.read_text().replace("Bob", "Bob O'Hara"))
    for command in example[:4]:
        wayline(command)
    identity = shlex.quote("CRMID:Bob O'Hara")
    said = json.loads(wayline(f"privacy check {identity} --home my-home --json", 1).stdout)
    [remedy] = {trace["remedy"] for trace in said["traces"]}
    wayline(f"{remedy.removeprefix('wayline ')} --home my-home --vacuum")
    wayline(f"privacy check {identity} --home my-home")
