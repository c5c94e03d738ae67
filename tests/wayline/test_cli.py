"""The command line: what each command does and prints for machines, and one line for what is wrong."""

from __future__ import annotations

import io
import json
import socket
import subprocess
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from engine.world import Home
from wayline import cli, output
from wayline.serving import ask, running

PROJECT = """\
datasets:
  web:
    timestamp: ts
    event_id: id
    fields:
      id: {type: string, required: true}
      ts: timestamp
      device: {type: string, identity: device}
      customer: {type: string, identity: customer}
      channel: string
      revenue: double
connections:
  shop:
    datasets:
      web: {stitching: {persistent_id: device, person_id: customer}}
data_views:
  shop:
    connection: shop
    dimensions: {channel: channel}
    metrics: {revenue: revenue}
"""
HEADER = "id,ts,device,customer,channel,revenue\n"
EVENTS = (
    HEADER
    + """\
1,2024-03-01 10:00:00,d1,,email,
2,2024-03-01 10:05:00,d1,ann,,20.5
3,2024-03-01 11:00:00,d2,,paid,
"""
)
LATER = HEADER + "4,2024-03-01 12:00:00,d2,bob,,7\n"
QUESTION = "SELECT SUM(visitors) AS people, SUM(occurrences) AS events, SUM(revenue) AS revenue FROM shop"


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int | str | None
    out: str
    err: str

    def json(self):
        assert self.code == 0, self.err
        return json.loads(self.out)


@pytest.fixture
def wayline(monkeypatch):
    """Run a command in this process, by the same door as the installed program."""

    def run(*arguments):
        out, err = io.StringIO(), io.StringIO()
        monkeypatch.setattr(sys, "argv", ["wayline", *map(str, arguments)])
        monkeypatch.setattr(output.console, "file", out)
        monkeypatch.setattr(output.errors, "file", err)
        with redirect_stdout(out), pytest.raises(SystemExit) as ended:
            cli.main()
        return Ended(ended.value.code, out.getvalue(), err.getvalue())

    return run


@pytest.fixture
def root(tmp_path, wayline):
    """A home with three events, and the files that made it beside it."""
    (tmp_path / "project.yaml").write_text(PROJECT)
    (tmp_path / "events.csv").write_text(EVENTS)
    home = tmp_path / "home"
    assert wayline("init", home).code == 0
    assert wayline("apply", tmp_path / "project.yaml", "--home", home).code == 0
    assert wayline("ingest", "web", tmp_path / "events.csv", "--home", home).code == 0
    return home


def test_init_shows_a_password_once(tmp_path, wayline):
    made = wayline("init", tmp_path / "home", "--json").json()
    assert made["home"] == str(tmp_path / "home")
    assert made["user"] == "analyst"
    assert len(made["password"]) >= 12
    assert made["password"] not in (tmp_path / "home" / "catalog.db").read_bytes().decode("latin-1")
    again = wayline("init", tmp_path / "home")
    assert again.code == 1
    assert "is a wayline home already" in again.err


def test_apply_tells_what_changed(tmp_path, wayline):
    (tmp_path / "project.yaml").write_text(PROJECT)
    home = tmp_path / "home"
    wayline("init", home)
    first = wayline("apply", tmp_path / "project.yaml", "--home", home, "--json").json()
    assert first["added"] == ["dataset web", "connection shop", "data view shop"]
    second = wayline("apply", tmp_path / "project.yaml", "--home", home)
    assert (second.code, second.out) == (0, "Nothing to change.\n")


def test_infer_prints_a_project_that_applies(tmp_path, wayline):
    (tmp_path / "visits.csv").write_text(EVENTS)
    printed = wayline("schema", "infer", tmp_path / "visits.csv")
    assert printed.code == 0
    (tmp_path / "inferred.yaml").write_text(printed.out)
    home = tmp_path / "home"
    wayline("init", home)
    assert wayline("apply", tmp_path / "inferred.yaml", "--home", home).code == 0
    taken = wayline("ingest", "visits", tmp_path / "visits.csv", "--home", home, "--json").json()
    assert taken["output"] == 3


def test_ingest_counts_records_and_reasons(root, tmp_path, wayline):
    (tmp_path / "more.csv").write_text(LATER + "5,yesterday,d1,,,\n")
    taken = wayline(
        "ingest", "web", tmp_path / "more.csv", "--home", root, "--reject-limit", "50", "--json"
    ).json()
    [reason] = taken.pop("reasons")
    assert taken == {"dataset": "web", "batch": 2, "input": 2, "output": 1, "failed": 1, "replaced": []}
    assert set(reason) == {"code", "reason", "records"}
    assert reason["records"] == 1
    assert "ts" in reason["reason"]


def test_replay_moves_anonymous_events_to_their_person(root, tmp_path, wayline):
    (tmp_path / "later.csv").write_text(LATER)
    wayline("ingest", "web", tmp_path / "later.csv", "--home", root)
    command = ("replay", "shop", "--home", root, "--at", "2024-03-02", "--lookback", "7d", "--json")
    done = wayline(*command).json()
    assert done == {
        "connection": "shop",
        "at": "2024-03-02T00:00:00+00:00",
        "lookback": "1w",
        "rows_in_window": 4,
        "rows_changed": 2,
        "persons_before": 4,
        "persons_after": 2,
        "persons_merged": 2,
        "persons_split": 0,
        "rows_resumed": 0,
        "merges": [
            {"person": "ann", "others": ["ann", "d1"], "persons": 2, "rows": 1},
            {"person": "bob", "others": ["bob", "d2"], "persons": 2, "rows": 1},
        ],
        "splits": [],
    }
    assert wayline(*command).json()["rows_changed"] == 0
    answer = wayline("sql", QUESTION, "--home", root, "--json").json()
    assert answer == [{"people": 2, "events": 4, "revenue": 27.5}]


def test_status_shows_the_home(root, wayline):
    found = wayline("status", "--home", root, "--json").json()
    assert found["home"] == str(root)
    assert found["cause"] == "ingest web batch 1"
    [dataset], [connection] = found["datasets"], found["connections"]
    assert (dataset["name"], dataset["rows"], dataset["batches"], dataset["rejects"]) == ("web", 3, 1, 0)
    assert (connection["name"], connection["persons"], connection["events"]) == ("shop", 3, 3)
    assert connection["stitched_rate"] == pytest.approx(1 / 3)
    assert connection["last_replay"] is None
    table = wayline("status", "--home", root).out
    assert "33.3%" in table
    assert str(root) in table


def test_sql_as_a_table_json_and_csv(root, wayline):
    question = (
        "SELECT channel, SUM(revenue) AS revenue, SUM(visits) AS visits FROM shop GROUP BY 1 ORDER BY 1"
    )
    rows = wayline("sql", question, "--home", root, "--json").json()
    assert rows == [
        {"channel": "email", "revenue": None, "visits": 1},
        {"channel": "paid", "revenue": None, "visits": 1},
        {"channel": None, "revenue": 20.5, "visits": 1},
    ]
    text = wayline("sql", question, "--home", root, "--csv").out
    assert text.splitlines() == ["channel,revenue,visits", "email,,1", "paid,,1", ",20.5,1"]
    assert "20.50" in wayline("sql", question, "--home", root).out


def test_a_user_added_may_log_in(root, wayline):
    added = wayline("user", "add", "maria", "--home", root, "--json").json()
    assert added["user"] == "maria"
    wayline("user", "add", "otto", "--home", root, "--password", "sesame")
    with running(Home.open(root)) as (host, port):
        for user, password in (("maria", added["password"]), ("otto", "sesame")):
            assert connected(host, port, user, password).execute(QUESTION).fetchone() == (3, 3, 20.5)
        with pytest.raises(psycopg.OperationalError, match="password"):
            connected(host, port, "maria", "guessed")


def connected(host, port, user, password):
    return psycopg.connect(host=host, port=port, user=user, password=password, dbname="wayline")


def test_generate_writes_what_it_counts(tmp_path, wayline):
    command = ("generate", tmp_path / "data", "--events", 1000, "--seed", 3, "--format", "jsonl", "--json")
    made = wayline(*command).json()
    assert set(made) == {"files", "counts"}
    lines = sum(len(Path(file).read_text().splitlines()) for file in made["files"]["web"])
    assert lines == made["counts"]["web"] >= 1000
    wayline("init", tmp_path / "home")
    assert wayline("apply", tmp_path / "data" / "shop.yaml", "--home", tmp_path / "home").code == 0
    taken = wayline("ingest", "web", *made["files"]["web"], "--home", tmp_path / "home", "--json").json()
    assert taken["output"] == lines


BAD_PROJECTS = {
    "not YAML": ("datasets: [web\n", "bad.yaml:2", ""),
    "unknown key": (PROJECT.replace("timestamp: ts", "timestmap: ts"), "bad.yaml:3: datasets.web.timestmap", "timestamp"),
    "unknown type": (PROJECT.replace("revenue: double", "revenue: doubel"), "bad.yaml:11: datasets.web.fields.revenue", "double"),
    "unknown field": (PROJECT.replace("{channel: channel}", "{channel: chanel}"), "bad.yaml:19: data_views.shop.dimensions.channel", "channel"),
    "unknown dataset": (PROJECT.replace("web: {st", "wob: {st"), "bad.yaml:15: connections.shop.datasets.wob", "web"),
    "unknown connection": (PROJECT.replace("connection: shop", "connection: shup"), "bad.yaml:18: data_views.shop.connection", "shop"),
    "loses data": (PROJECT.replace("revenue: double", "revenue: string"), "revenue", ""),
}  # fmt: skip
BAD_FILES = {
    "missing.csv": (None, "missing.csv"),
    "empty.csv": ("", "empty.csv"),
    "events.txt": (EVENTS, "events.txt"),
    "no-time.csv": (EVENTS.replace(",ts,", ",moment,"), '"ts"'),
    "no-id.csv": (EVENTS.replace("id,", "key,", 1), '"id"'),
    "unknown-column.csv": (EVENTS.replace("channel", "chanel"), '"channel"'),
    "wrong-type.csv": (EVENTS.replace("20.5", "much"), "revenue"),
    "no-event-id.csv": (EVENTS + ",2024-03-01 10:00:00,d1,,,\n", "id"),
    "ragged.csv": (EVENTS + "5,2024-03-01\n", "record 4 of "),
    "broken.jsonl": ('{"id": "7", "ts": "2024-03-01T10:00:00Z"}\n{"id": \n', "record 2 of "),
    "rubbish.parquet": ("PAR0 but not really", "rubbish.parquet"),
    "rubbish.csv.gz": ("not compressed", "rubbish.csv.gz"),
}


@pytest.fixture
def unchanged(root, wayline):
    """Check that a command fails in one line and leaves world, answers and lake as they were."""

    def state():
        home = Home.open(root)
        answer, files = ask(home, QUESTION), sorted(home.dataset_path("web").rglob("*"))
        world = home.current().id
        home.close()
        return world, answer, files

    def run(*arguments):
        before = state()
        ended = wayline(*arguments)
        assert ended.code == 1
        assert ended.out == ""
        assert ended.err.startswith("error: ")
        assert ended.err.count("\n") == 1
        assert "Traceback" not in ended.err
        assert state() == before
        return ended.err

    return run


@pytest.mark.parametrize("name", BAD_PROJECTS)
def test_a_bad_project_names_file_line_key_and_remedy(name, root, tmp_path, unchanged):
    text, where, remedy = BAD_PROJECTS[name]
    (tmp_path / "bad.yaml").write_text(text)
    said = unchanged("apply", tmp_path / "bad.yaml", "--home", root)
    assert where in said
    if remedy:
        assert f'Did you mean "{remedy}"?' in said


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_refused_whole(name, root, tmp_path, unchanged):
    text, named = BAD_FILES[name]
    if text is not None:
        (tmp_path / name).write_text(text)
    (tmp_path / "good.csv").write_text(LATER)
    said = unchanged("ingest", "web", tmp_path / "good.csv", tmp_path / name, "--home", root)
    assert named in said


BAD_COMMANDS = {
    "unknown dataset": (("ingest", "wbe", "events.csv"), 'Did you mean "web"?'),
    "a folder": (("ingest", "web", "home"), "home"),
    "unknown connection": (("replay", "shup"), 'Did you mean "shop"?'),
    "bad duration": (("replay", "shop", "--lookback", "a week"), "--lookback 7d"),
    "no project file": (("apply", "none.yaml"), "none.yaml"),
    "nothing to infer from": (("schema", "infer", "none.csv"), "none.csv"),
    "syntax": (("sql", "SELECT FROM WHERE"), "syntax"),
    "unknown column": (("sql", "SELECT SUM(revenu) FROM shop"), 'Did you mean "revenue"?'),
    "unknown table": (("sql", "SELECT 1 FROM shap"), 'Did you mean "shop"?'),
    "a write": (("sql", "DELETE FROM web"), "DELETE is not supported"),
    "a setting": (("sql", "SET TimeZone = 'UTC'"), "without a server"),
    "nothing": (("sql", "; -- "), "no statement"),
    "an unknown column of a catalog": (("sql", "SELECT nope FROM pg_catalog.pg_class"), "nope"),
    "a file": (("sql", "SELECT * FROM read_csv('/etc/passwd')"), "read_csv"),
}


@pytest.mark.parametrize("name", BAD_COMMANDS)
def test_a_bad_command_says_what_is_wrong(name, root, tmp_path, unchanged, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WAYLINE_HOME", str(root))
    arguments, named = BAD_COMMANDS[name]
    assert named in unchanged(*arguments)


@pytest.mark.parametrize(
    "command", [("status",), ("sql", "SELECT 1"), ("ingest", "web", "a.csv"), ("serve",)]
)
def test_what_is_not_a_home_is_refused(command, tmp_path, wayline):
    ended = wayline(*command, "--home", tmp_path)
    assert ended.code == 1
    assert ended.err.startswith(f"error: {tmp_path} is not a wayline home")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_batch_is_remembered_with_its_rejects(root, tmp_path, wayline):
    (tmp_path / "bad.csv").write_text(EVENTS.replace("20.5", "much"))
    wayline("ingest", "web", tmp_path / "bad.csv", "--home", root)
    [rejected] = wayline("rejects", "web", "--home", root, "--json").json()
    assert (rejected["file"], rejected["line"]) == (str(tmp_path / "bad.csv"), 2)
    assert "much" in rejected["record"]
    unknown = wayline("rejects", "web", "--batch", 7, "--home", root)
    assert (unknown.code, unknown.err) == (
        1,
        'error: dataset "web" has no batch 7  It has batches 1 to 2.\n',
    )
    [dataset] = wayline("status", "--home", root, "--json").json()["datasets"]
    assert (dataset["rows"], dataset["batches"], dataset["failed_batches"]) == (3, 1, 1)


def test_an_unknown_column_over_the_wire(root, wayline):
    wayline("user", "add", "ann", "--home", root, "--password", "secret")
    with running(Home.open(root)) as (host, port), connected(host, port, "ann", "secret") as connection:
        with pytest.raises(psycopg.errors.UndefinedColumn) as refused:
            connection.execute("SELECT chanel, SUM(revenue) FROM shop GROUP BY 1")
        assert refused.value.sqlstate == "42703"
        assert refused.value.diag.message_hint == 'Did you mean "channel"?'


def program(*arguments):
    command = [sys.executable, "-m", "wayline", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_a_port_in_use(root):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = program("serve", "--home", root, "--port", port)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.startswith(f"error: port {port} on 127.0.0.1 is in use")
    assert ended.stderr.count("\n") == 1


def test_the_program_itself(root):
    asked = program("sql", "SELECT 6 * 7 AS answer", "--home", root, "--json")
    assert (asked.returncode, asked.stdout, asked.stderr) == (0, '[{"answer": 42}]\n', "")
    wrong = program("sql", "SELECT answer", "--home", root)
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert wrong.stderr == 'error: column "answer" does not exist\n'


def test_a_command_that_is_misspelt(wayline):
    assert wayline("stauts").code == 2
    assert wayline("ingest", "web").code == 2
