"""``wayline user``, ``token``, ``role``, ``grant`` and ``revoke``."""

import io
import json
import re
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from engine.catalog import access
from engine.catalog.access import Role, RoleLimits
from engine.errors import InputError, UnknownNameError, WaylineError
from sqlfront.users import MOST_TOKENS
from tests.access.homes import EMAIL, ask, build, front_of, outcome
from wayline import output
from wayline.cli import app


@pytest.fixture
def home(tmp_path):
    home = build(tmp_path)
    yield home
    home.close()


@pytest.fixture
def run(home):
    def command(*arguments):
        done = CliRunner().invoke(app, [*arguments, "--home", str(home.root), "--json"])
        if isinstance(done.exception, WaylineError):
            raise done.exception
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    return command


@pytest.fixture
def say(home, monkeypatch):
    def command(*arguments):
        told = io.StringIO()
        for console in (output.console, output.errors):
            monkeypatch.setattr(console, "file", told)
        done = CliRunner().invoke(app, [*arguments, "--home", str(home.root)])
        assert done.exit_code == 0, done.exception
        return " ".join(told.getvalue().split())

    return command


def test_a_user_is_added_listed_shown_and_removed(home, say, run):
    said = say("user", "add", "maria")
    assert "not shown again" in said and "Role: analysts" in said
    assert run("user", "list")[0] | {"valid_until": None} == {
        "user": "maria",
        "roles": "analysts",
        "is_admin": False,
        "tokens": 0,
        "last_login": None,
        "valid_until": None,
        "state": "may log in",
    }
    shown = run("user", "show", "maria")
    assert {grant["object"] for grant in shown["grants"]} == {"view:*", "dataset:*", "system:*"}
    assert "view:*" in say("user", "show", "maria")
    say("user", "disable", "maria")
    assert run("user", "list")[0]["state"] == "disabled"
    say("user", "enable", "maria")
    assert run("user", "list")[0]["state"] == "may log in"
    assert "password" in say("user", "password", "maria")
    say("user", "remove", "maria")
    assert run("user", "list") == []


def test_users_with_other_roles_or_none_or_as_administrators(home, say, run):
    say("role", "add", "germany")
    assert "Roles: analysts, germany." in say(
        "user", "add", "karl", "--role", "analysts", "--role", "germany"
    )
    assert "may read everything" in say("user", "add", "root", "--admin")
    say("role", "remove", "analysts")
    assert "may read nothing" in say("user", "add", "eve")
    say("user", "add", "old", "--valid-until", "2020-01-01")
    states = {entry["user"]: entry["state"] for entry in run("user", "list")}
    assert states == {"karl": "may log in", "root": "may log in", "eve": "may log in", "old": "expired"}
    assert outcome(front_of(home), "root", "select sum(revenue) from web") != "42501"


@pytest.mark.parametrize("name", ["", " ", "a\nb", "none", "Postgres", "pg_x", "analysts"])
def test_names_that_cannot_be(run, name):
    with pytest.raises(InputError):
        run("user", "add", name)
    with pytest.raises(InputError):
        run("role", "add", name)


def test_a_user_and_a_role_are_added_once(say, run):
    say("user", "add", "maria")
    say("role", "add", "germany")
    for command in (["user", "add", "maria"], ["user", "add", "germany"], ["role", "add", "maria"]):
        with pytest.raises(InputError, match="already"):
            run(*command)


def test_grants_with_rules_are_checked_and_hold(home, say, run, tmp_path):
    say("role", "add", "email", "--description", "Sees mail")
    say("user", "add", "ben", "--role", "email")
    assert "under its rule" in say("grant", "email", "view:web", "--only", "channel = 'Email'")
    front = front_of(home)
    assert ask(front, "ben", "select distinct channel from web") == [("Email",)]
    assert run("role", "show", "email")["grants"] == [{"role": "email", "object": "view:web", "rule": EMAIL}]
    rule = tmp_path / "rule.yaml"
    rule.write_text("container: person\nexclude: true\nwhere: channel = 'Email'\n")
    say("grant", "email", "views:web", "--rule", str(rule))
    assert ("Email",) not in ask(front, "ben", "select distinct channel from web")
    said = say("grant", "email", "dataset:events")
    assert "Warning: email also reads dataset events without the rule on web" in said
    assert "has no effect" in say("grant", "email", "view:*")
    say("revoke", "email", "view:*")
    say("revoke", "email", "view:web")
    assert outcome(front, "ben", "select sum(revenue) from web") == "42501"
    say("role", "leave", "email", "ben")
    assert outcome(front, "ben", "select * from events") == "42501"
    say("role", "join", "email", "ben")
    assert outcome(front, "ben", "select * from events") != "42501"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["grant", "nobody", "view:web"], UnknownNameError),
        (["grant", "analysts", "view:webb"], UnknownNameError),
        (["grant", "analysts", "dataset:web"], UnknownNameError),
        (["grant", "analysts", "system:users2"], UnknownNameError),
        (["grant", "analysts", "web"], InputError),
        (["grant", "analysts", "view:"], InputError),
        (["grant", "analysts", "table:web"], InputError),
        (["grant", "analysts", "view:*", "--only", "channel = 'Email'"], InputError),
        (["grant", "analysts", "dataset:events", "--only", "channel = 'Email'"], InputError),
        (["grant", "analysts", "view:web", "--only", "chanel = 'Email'"], WaylineError),
        (["grant", "analysts", "view:web", "--only", "channel"], WaylineError),
        (["grant", "analysts", "view:web", "--only", "channel in (select channel from web)"], WaylineError),
        (["grant", "analysts", "view:web", "--only", "read_csv('x') = 'y'"], WaylineError),
        (["revoke", "analysts", "view:web"], InputError),
        (["user", "show", "nobody"], UnknownNameError),
        (["user", "remove", "nobody"], UnknownNameError),
        (["role", "show", "nobody"], UnknownNameError),
        (["role", "join", "analysts", "nobody"], UnknownNameError),
        (["role", "set", "analysts", "--memory", "lots"], InputError),
        (["role", "set", "analysts", "--timeout", "soon"], InputError),
        (["token", "add", "nobody"], UnknownNameError),
        (["token", "revoke", "wl_nothing"], UnknownNameError),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(home, run, arguments, error):
    before = access.roll(home.catalog)
    with pytest.raises(error):
        run(*arguments)
    assert access.roll(home.catalog) == before


def test_a_relation_that_there_is_not_is_named_with_its_schema(run):
    with pytest.raises(UnknownNameError, match='there is no relation "users2" in schema system'):
        run("grant", "analysts", "system:users2")


def test_a_rule_with_a_wrong_name_is_told_the_view_s_own_first(run):
    with pytest.raises(WaylineError) as raised:
        run("grant", "analysts", "view:web", "--only", "zzzzzz = 'DE'")
    assert "adobe_" not in raised.value.hint.split(",")[0]


def test_limits_of_roles(home, say, run):
    say("role", "add", "small", "--statements", "2", "--memory", "25%", "--timeout", "10m", "--queue", "60s")
    role = access.roll(home.catalog).role("small")
    assert role.limits == RoleLimits(2, 25, 600_000, 60_000)
    say("role", "set", "small", "--connections", "5")
    assert access.roll(home.catalog).role("small") == replace(
        role, limits=RoleLimits(2, 25, 600_000, 60_000, 5)
    )
    shown = "2 statements at once, 25 % of the memory, 10m for a statement, 1m of waiting, 5 sessions"
    assert f"Limits: {shown}." in say("role", "show", "small")
    say("role", "set", "small", "--timeout", "none")
    assert "any time for a statement" in say("role", "show", "small")
    assert access.roll(home.catalog).role("small").limits.timeout_ms == 0
    say("role", "set", "small", "--unlimited", "--statements", "3")
    assert access.roll(home.catalog).role("small") == Role("small", limits=RoleLimits(statements=3))
    say("user", "add", "ann", "--role", "small")
    assert "Limits: 3 statements at once." in say("user", "show", "ann")
    assert [entry["users"] for entry in run("role", "list") if entry["name"] == "small"] == [["ann"]]


def test_tokens_are_shown_once_listed_and_revoked(home, say, run):
    say("user", "add", "ann")
    said = say("token", "add", "ann", "--label", "Power BI", "--expires", "never")
    secret = re.search(r"wl_\w{6}_\S{43}", said).group()
    (listed,) = run("token", "list", "ann")
    assert (listed["label"], listed["expires_at"], listed["state"]) == ("Power BI", None, "counts")
    assert secret.startswith(listed["id"])
    assert secret not in say("token", "list") and listed["id"] in say("user", "show", "ann")
    stored = (home.root / "catalog.db").read_bytes() + (home.root / "catalog.db-wal").read_bytes()
    assert secret.encode() not in stored
    say("token", "revoke", listed["id"])
    assert run("token", "list") == []
    for _ in range(MOST_TOKENS):
        say("token", "add", "ann")
    with pytest.raises(InputError, match="20 tokens"):
        run("token", "add", "ann")
