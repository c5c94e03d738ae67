"""Clumsy commands: one line on standard error, a non-zero code, no traceback."""

import shutil
import sys

import pytest

from wayline import cli

CLUMSY = [
    ["ingest", "web", "FILE", "--delimiter", ";;"],
    ["ingest", "web", "FILE", "--delimiter", '"'],
    ["ingest", "web", "FILE", "--reject-limit", "nan"],
    ["ingest", "web", "FILE", "--reject-limit", "-1"],
    ["ingest", "web", "FILE", "--reject-limit", "101"],
    ["ingest", "nope", "FILE"],
    ["schema", "infer", "FILE"],
    ["generate", "FILE", "--events", "1000"],
    ["demo", "--folder", "FILE", "--once"],
    ["user", "add", ""],
    ["user", "add", "a\0b"],
    ["replay", "shop", "--lookback", "0d"],
    ["apply", "FILE"],
    ["rollback", "0"],
    ["rollback", "99"],
    ["rollback", "99999999999999999999"],
    ["vacuum", "--keep", "nonsense"],
    ["vacuum", "--keep", "99999999999d"],
    ["batch", "list", "nope"],
    ["batch", "revert", "web", "99999999999999999999"],
    ["ingest", "web", "FILE", "--replace", "99999999999999999999"],
    ["rejects", "nope"],
    ["compact", "nope"],
    ["backup", "FILE"],
    ["backup", "FILE/below"],
    ["restore", "FILE", "FILE/below"],
    ["worlds", "--home", "FILE"],
    ["sql", "SELEC 1"],
    ["sql", "SELECT nope FROM pg_class"],
]


def run(monkeypatch, arguments):
    said = []
    monkeypatch.setattr(cli, "print_error", lambda error: said.append(error.message))
    monkeypatch.setattr(sys, "argv", ["wayline", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code, said


@pytest.mark.parametrize("arguments", CLUMSY, ids=" ".join)
def test_clumsy_commands_end_in_one_line(home, tmp_path, monkeypatch, arguments):
    file = tmp_path / "a file.csv"
    file.write_text("id,id,ts\n1,1,2026-01-01\n")
    monkeypatch.setenv("WAYLINE_HOME", str(home.root))
    before = home.current().datasets
    code, said = run(monkeypatch, [word.replace("FILE", str(file)) for word in arguments])
    assert (code, len(said)) == (1, 1)
    assert "\n" not in said[0]
    assert home.current().datasets == before


@pytest.mark.parametrize("gone", ["datasets", "journeys"])
@pytest.mark.parametrize("command", [["status"], ["sql", "SELECT SUM(revenue) FROM shop, web"]])
def test_a_home_with_files_missing(home, tmp_path, monkeypatch, gone, command):
    broken = tmp_path / "broken"
    shutil.copytree(home.root, broken)
    shutil.rmtree(broken / gone)
    monkeypatch.setenv("WAYLINE_HOME", str(broken))
    code, said = run(monkeypatch, command)
    assert (code, len(said)) == (1, 1)


def test_an_unknown_dataset_is_named_before_its_batches(home, monkeypatch):
    monkeypatch.setenv("WAYLINE_HOME", str(home.root))
    assert run(monkeypatch, ["rejects", "wab"]) == (1, ['there is no dataset "wab"'])


def test_a_home_that_cannot_be_opened_is_still_a_home(home, tmp_path, monkeypatch):
    shut = tmp_path / "shut"
    shutil.copytree(home.root, shut)
    for name in ("catalog.db-wal", "catalog.db-shm"):
        (shut / name).unlink(missing_ok=True)
    (shut / "catalog.db-wal").mkdir()
    code, (said,) = run(monkeypatch, ["status", "--home", str(shut)])
    assert code == 1
    assert f"{shut / 'catalog.db'} cannot be opened: " in said
