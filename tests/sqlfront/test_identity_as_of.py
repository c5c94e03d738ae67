"""``SET wayline.identity_as_of`` and ``system.identity_history`` in sessions, as clients use them."""

from datetime import timedelta

import pytest

from engine import flow
from sqlfront.front import open_front
from sqlfront.gate import OwnersGate
from sqlfront.session import Session
from sqlfront.wire import messages as m
from tests.journeys.support import definitions, ingest_rows, new_home
from tests.sqlfront.wire_client import simplified
from tests.world.homes import START, VIEW

PEOPLE = "SELECT SUM(visitors) AS n FROM shop"
NAMES = "SELECT adobe_personid AS p, SUM(occurrences) AS n FROM shop GROUP BY 1 ORDER BY 1"
SETTING = "wayline.identity_as_of"


def event(number, device, customer=None):
    at = START + timedelta(minutes=number)
    return {"id": f"e{number}", "at": at, "device": device, "login": {"customer": customer}, "channel": "x"}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Worlds 3: two devices; 4: one of them logs in; 5: a replay gives its first visit to Bob; 6: Ann comes."""
    home = new_home(tmp_path_factory.mktemp("as-of"), definitions(calls=False, **VIEW))
    ingest_rows(home, "web", [event(1, "d1"), event(2, "d2")])
    ingest_rows(home, "web", [event(3, "d1", "Bob"), event(4, "d1")])
    flow.replay(home, "shop", at=START + timedelta(days=1))
    ingest_rows(home, "web", [event(5, "d1"), event(6, "d2", "Ann")])
    yield home
    home.close()


@pytest.fixture(scope="module")
def front(home):
    return open_front(home, OwnersGate())


@pytest.fixture
def ask(front):
    session = Session(front, {"user": "ada", "database": "demo"}, 7, b"1234")

    def query(sql):
        found = simplified(b"".join(session.process([m.SimpleQuery(sql)])))
        errors = [message[1:] for message in found if message[0] == "E"]
        return errors or [message[1:] for message in found if message[0] == "D"]

    query.session = session
    return query


def when(home, world):
    return str(home.world(world).published_at)


def test_persons_are_those_known_then_on_the_events_of_now(home, ask):
    now = [("Ann", "1"), ("Bob", "4"), ("d2", "1")]
    assert ask(NAMES) == now
    assert ask(f"SET {SETTING} = '{when(home, 3)}'") == []
    # Two later events name their persons; the others' devices had none yet.
    assert ask(NAMES) == [("Ann", "1"), ("Bob", "1"), ("d1", "3"), ("d2", "1")]
    ask(f"SET {SETTING} TO '{when(home, 4)}'")
    # The last event came later: its device knew Bob by then.
    assert ask(NAMES) == [("Ann", "1"), ("Bob", "3"), ("d1", "1"), ("d2", "1")]
    ask(f"SET {SETTING} TO '{when(home, 5)}'")
    assert ask(NAMES) == now
    ask(f"SET {SETTING} TO '2020-01-01'")
    assert ask(NAMES) == [("Ann", "1"), ("Bob", "1"), ("d1", "3"), ("d2", "1")]
    ask(f"RESET {SETTING}")
    assert ask(NAMES) == now


def test_rows_and_one_persons_credit_are_of_then_too(home, ask):
    rows = "SELECT adobe_personid FROM shop ORDER BY timestamp"
    credit = "SELECT COUNT(*) FROM system.credit('shop', 'd1', 'occurrences')"
    assert ask(credit)[0][0] == "42P01" or "no person" in ask(credit)[0][1]
    ask(f"SET {SETTING} = '{when(home, 3)}'")
    assert ask(rows) == [("d1",), ("d2",), ("Bob",), ("d1",), ("d1",), ("Ann",)]
    assert ask(credit) == [("3",)]


def test_the_setting_is_shown_checked_and_taken_back(ask):
    assert ask(f"SHOW {SETTING}") == [("",)]
    ask(f"SET {SETTING} = '2026-03-01T12:00:00+02:00'")
    assert ask(f"SHOW {SETTING}") == [("2026-03-01 10:00:00+00:00",)]
    assert ask(f"SELECT current_setting('{SETTING}')") == [("2026-03-01 10:00:00+00:00",)]
    assert (SETTING, "2026-03-01 10:00:00+00:00") in ask("SHOW ALL")
    (problem,) = ask(f"SET {SETTING} = 'last week'")
    assert problem == ("22023", f'invalid value for parameter "{SETTING}": "last week"')
    for none in ("''", "now", "DEFAULT"):
        ask(f"SET {SETTING} = '2026-03-01'")
        ask(f"SET {SETTING} = {none}")
        assert ask(f"SHOW {SETTING}") == [("",)]


def test_a_transaction_takes_it_back(ask):
    assert ask(PEOPLE) == [("3",)]
    ask("BEGIN")
    ask(f"SET LOCAL {SETTING} = '2020-01-01'")
    assert ask(PEOPLE) == [("4",)]
    ask("COMMIT")
    assert ask(PEOPLE) == [("3",)]
    ask(f"BEGIN; SET {SETTING} = '2020-01-01'")
    ask("ROLLBACK")
    assert ask(PEOPLE) == [("3",)]


def test_a_client_may_connect_with_it(front):
    options = {"user": "ada", "options": f"-c {SETTING}=2020-01-01"}
    session = Session(front, options, 8, b"1234")
    found = simplified(b"".join(session.process([m.SimpleQuery(PEOPLE)])))
    assert ("D", "4") in found


def test_a_prepared_statement_follows_the_setting_of_its_run(ask):
    session = ask.session

    def run():
        messages = [m.Bind("", "s", (), (), ()), m.Execute("", 0), m.Sync()]
        found = simplified(b"".join(session.process(messages)))
        return [message[1] for message in found if message[0] == "D"]

    list(session.process([m.Parse("s", PEOPLE, ()), m.Sync()]))
    assert run() == ["3"]
    ask(f"SET {SETTING} = '2020-01-01'")
    assert run() == ["4"]
    ask(f"RESET {SETTING}")
    assert run() == ["3"]


def test_explain_says_it(ask):
    assert not [line for (line,) in ask(f"EXPLAIN {PEOPLE}") if "as of" in line]
    ask(f"SET {SETTING} = '2020-01-01'")
    for explain in ("EXPLAIN", "EXPLAIN ANALYZE"):
        lines = [line for (line,) in ask(f"{explain} {PEOPLE}") if "as of" in line]
        assert lines == [
            '  Report over data view "shop" in world 6, identities as of 2020-01-01 00:00:00 UTC'
        ]


def test_the_history_of_a_device(ask):
    found = ask(
        "SELECT why, dataset, device, person, namespace, first_event, last_event, events, still"
        " FROM system.identity_history('shop', 'd1') ORDER BY learned_at"
    )
    minutes = [f"2024-01-05 00:0{number}:00" for number in range(7)]
    assert found == [
        ("live", "web", "d1", "d1", "ecid", minutes[1], minutes[1], "1", "0"),
        ("live", "web", "d1", "Bob", "crm", minutes[3], minutes[4], "2", "2"),
        ("replay", "web", "d1", "Bob", "crm", minutes[1], minutes[1], "1", "1"),
        ("live", "web", "d1", "Bob", "crm", minutes[5], minutes[5], "1", "1"),
    ]
    assert ask("SELECT COUNT(*) FROM system.identity_history('shop', device => 'ecid:d1')") == [("4",)]
    assert ask("SELECT COUNT(*) FROM system.identity_history('shop', 'crm:d1')") == [("0",)]
    assert ask("SELECT COUNT(*) FROM system.identity_history('shop', NULL)") == [("0",)]
    joined = (
        "SELECT SUM(occurrences) FROM shop WHERE adobe_personid IN"
        " (SELECT person FROM system.identity_history('shop', 'd1'))"
    )
    assert ask(joined) == [("4",)]
    ask(f"SET {SETTING} = '2020-01-01'")
    assert ask("SELECT COUNT(*) FROM system.identity_history('shop', 'd1')") == [("4",)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("", "needs connection and device"),
        ("'shop'", "needs device"),
        ("'shopp', 'd1'", 'there is no connection "shopp"'),
        ("'shop', 'd1', 'd2'", 'no argument "device", or it is given twice'),
        ("'shop', wrong => 'd1'", 'no argument "wrong"'),
        ("lower('x'), 'd1'", 'argument "connection" of system.identity_history must be a constant'),
    ],
)
def test_what_is_wrong_with_a_call_is_said(ask, arguments, said):
    ((_, message),) = ask(f"SELECT * FROM system.identity_history({arguments})")
    assert said in message


def test_a_parameter_may_name_the_device(ask):
    session = ask.session
    sql = "SELECT COUNT(*) FROM system.identity_history('shop', $1)"
    messages = [m.Parse("", sql, ()), m.Bind("", "", (), (b"d2",), ()), m.Execute("", 0), m.Sync()]
    found = simplified(b"".join(session.process(messages)))
    assert [message[1] for message in found if message[0] == "D"] == ["2"]
