"""A person's credit adds up to what a report of the person says, whatever the model; and what it lists."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.cancellation import Cancellation
from engine.dataview.components import Role, data_view
from engine.errors import (
    CancelledError,
    InputError,
    UnknownColumnError,
    UnknownNameError,
    UnsupportedError,
    WaylineError,
)
from engine.governance.access import OWNER
from engine.report import person as subject
from engine.report.moments import range_of
from engine.report.person import (
    COLUMNS,
    CreditRequest,
    credit_in,
    credit_of_person,
    credit_schema,
    planned_for,
)
from engine.report.request import TimeRange
from sqlfront.answer import plan
from sqlfront.dialect import parse
from sqlfront.workspace import Workspace
from tests.journeys.support import definitions as shop_definitions
from tests.journeys.support import ingest_rows, new_home
from tests.laws.shop_homes import asker
from tests.oracle import report as oracle
from tests.report.test_laws import COLUMN, ask, chunk_of, definitions, events, questions
from tests.world.homes import START, rows


def listing(question, journey, metric, group):
    """Return the credit of one person in memory, as dictionaries."""
    known = definitions(question)
    window = TimeRange(question.start, question.end)
    asked = CreditRequest("shop", journey[0]["person"], f"m_{metric}", COLUMN.get(group), window)
    chunk = chunk_of([journey])
    ids = pa.array([str(place) for place in range(chunk.rows)]).dictionary_encode()
    extra = {"_dataset": pa.array(np.zeros(chunk.rows, np.int16)), "_event_id": ids}
    chunk = replace(chunk, columns={**chunk.columns, **extra})
    return credit_in(planned_for(asked, known), chunk, known, Cancellation()).to_pylist()


def sums_of(found, attributed):
    sums = {}
    for row in found:
        value = row["value"] if attributed else row["persisted"]
        sums[value] = sums.get(value, 0.0) + (row["credit"] or 0.0)
        sums[None] = sums.get(None, 0.0) + (row["no_touch"] or 0.0)
    return {value: total for value, total in sums.items() if abs(total) > 1e-9}


@settings(max_examples=30, deadline=None)
@given(events, questions(), st.sampled_from(["channel", "campaign", "channel", "day", "hour", None]))
def test_credit_adds_up_to_the_report_of_the_person(found, question, group):
    question = oracle.Question(**{**question.__dict__, "groups": (group,) if group else ()})
    for journey in oracle.journeys(found):
        report = ask(question, journey)
        for metric, (_, rule) in question.metrics.items():
            ours = listing(question, journey, metric, group)
            touched = rule is not None and group in ("channel", "campaign")
            sums = sums_of(ours, touched)
            if group in ("day", "hour"):
                sums = {key.date() if group == "day" else key: total for key, total in sums.items()}
            theirs = {key[0] if key else None: row[metric] or 0.0 for key, row in report.items()}
            assert sums == pytest.approx({key: total for key, total in theirs.items() if abs(total) > 1e-9})
            assert [row["event"] for row in ours] == list(range(1, len(ours) + 1))
            for row in ours:
                given_by = sum(source["credit"] for source in row["credit_from"])
                assert given_by == pytest.approx(row["credit"] or 0.0)
                assert len(row["credit_from"]) == row["conversions"]
                assert all(ours[source["event"] - 1]["is_conversion"] for source in row["credit_from"])
                assert row["is_touch"] or not touched or not row["conversions"]


VIEWS = {
    "data_views": {
        "shop": {
            "connection": "shop",
            "time_zone": "Europe/Berlin",
            "dimensions": {
                "channel": {
                    "field": "channel",
                    "persistence": {"allocation": "most_recent", "expiration": "person"},
                },
                "channels": {"field": "channel", "persistence": {"allocation": "all"}},
                "sku": "items.sku",
            },
            "metrics": {
                "revenue": "revenue",
                "linear": {"field": "revenue", "attribution": {"model": "linear", "container": "person"}},
                "price": "items.price",
            },
        }
    }
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = new_home(tmp_path_factory.mktemp("homes"), shop_definitions(calls=False, **VIEWS))
    for seed in range(3):
        ingest_rows(home, "web", rows(seed, 60))
    yield home
    home.close()


def credit(home, *arguments, **more):
    return credit_of_person(CreditRequest("shop", *arguments, **more), home, home.current(), Cancellation())


def test_every_person_is_found_and_agrees_with_sql(home):
    ask_sql = asker(home)
    people = [row[0] for row in ask_sql("SELECT adobe_personid FROM shop GROUP BY 1")]
    assert len(people) > 10
    for number, person in enumerate(people):
        found = credit(home, person, "linear", "channel").to_pylist()
        counted = ask_sql(f"SELECT SUM(occurrences), SUM(visits) FROM shop WHERE adobe_personid = '{person}'")
        assert counted == [(len(found), found[-1]["session"])]
        if number % 5 == 0:
            statement = f"SELECT channel, SUM(linear) FROM shop WHERE adobe_personid = '{person}' GROUP BY 1"
            report = {value: total for value, total in ask_sql(statement) if total}
            assert sums_of(found, True) == pytest.approx(report)


def test_an_event_says_where_and_when_it_was(home):
    person = asker(home)("SELECT adobe_personid, SUM(visits) FROM shop GROUP BY 1 ORDER BY 2 DESC")[0][0]
    found = credit(home, person, "revenue", "channel")
    assert tuple(found.column_names) == COLUMNS
    assert found.schema == credit_schema(
        CreditRequest("shop", person, "revenue", "channel"), home.current().definitions
    )
    journey = found.to_pylist()
    for before, row in zip([None, *journey], journey, strict=False):
        assert row["dataset"] == "web"
        assert row["event_id"].startswith("e")
        begins = before is None or before["session"] < row["session"]
        assert row["session_start"] == (row["timestamp"] if begins else before["session_start"])
        assert row["persisted"] == (row["value"] or (before and before["persisted"]))
        assert row["is_conversion"] == bool(row["metric"])
        assert row["credit"] == (row["metric"] or None)
    assert journey[-1]["session"] > 1


def test_a_range_lists_its_events_and_earlier_ones_with_credit(home):
    person = asker(home)("SELECT adobe_personid, SUM(visits) FROM shop GROUP BY 1 ORDER BY 2 DESC")[0][0]
    whole = credit(home, person, "linear", "channel").to_pylist()
    middle = whole[len(whole) // 2]["timestamp"]
    window = range_of(middle.isoformat(), None, "Europe/Berlin")
    later = credit(home, person, "linear", "channel", window).to_pylist()
    early = [row for row in later if row["timestamp"] < middle]
    assert all(row["conversions"] and not row["is_conversion"] for row in early)
    assert [row["event_id"] for row in later if row["timestamp"] >= middle] == [
        row["event_id"] for row in whole if row["timestamp"] >= middle
    ]
    # Sessions are numbered from the person's first one, wherever the range begins.
    sessions = {row["event_id"]: row["session"] for row in whole}
    assert all(row["session"] == sessions[row["event_id"]] for row in later)
    past = credit(home, person, "linear", "channel", TimeRange(None, 0))
    assert (past.num_rows, past.schema) == (0, credit(home, person, "linear", "channel").schema)


def test_long_lists_are_cut_and_counted(home, monkeypatch):
    monkeypatch.setattr(subject, "LISTED", 1)
    people = asker(home)("SELECT adobe_personid FROM shop GROUP BY 1")
    found = [row for (person,) in people for row in credit(home, person, "linear", "channel").to_pylist()]
    assert max(row["conversions"] for row in found) > 1
    assert all(len(row["credit_from"]) == min(row["conversions"], 1) for row in found)


def test_event_ids_are_shown_only_where_there_are_any(tmp_path):
    given = shop_definitions(**VIEWS)
    home = new_home(tmp_path, given)
    ingest_rows(home, "calls", [{"at": START, "customer": "Ann", "channel": "phone", "topic": "x"}])
    ingest_rows(home, "web", [{"id": "e1", "at": START + timedelta(days=1), "login": {"customer": "Ann"}}])
    found = credit(home, "Ann", "occurrences").to_pylist()
    assert [(row["dataset"], row["event_id"], row["value"]) for row in found] == [
        ("calls", None, None),
        ("web", "e1", None),
    ]


def test_what_cannot_be_explained_is_said(home):
    person = asker(home)("SELECT adobe_personid FROM shop LIMIT 1")[0][0]
    with pytest.raises(UnknownNameError, match='there is no person "nobody" in data view "shop"'):
        credit(home, "nobody", "revenue")
    with pytest.raises(UnknownNameError, match='data view "shopp" does not exist') as unknown:
        credit_of_person(CreditRequest("shopp", person, "revenue"), home, home.current(), Cancellation())
    assert "shop" in unknown.value.hint
    with pytest.raises(UnknownColumnError, match='column "revenu" does not exist'):
        credit(home, person, "revenu")
    with pytest.raises(UnknownColumnError, match='"channel" is not a metric'):
        credit(home, person, "channel")
    with pytest.raises(UnknownColumnError, match='"revenue" is not a dimension'):
        credit(home, person, "revenue", "revenue")
    with pytest.raises(UnsupportedError, match='"visitors" counts persons or sessions'):
        credit(home, person, "visitors")
    with pytest.raises(UnsupportedError, match="cannot be explained by event"):
        credit(home, person, "price", "sku")
    with pytest.raises(UnsupportedError, match="cannot be explained by event"):
        credit(home, person, "revenue", "channels")
    assert credit(home, person, "linear", "channels").num_rows
    with pytest.raises(InputError, match="'soon' is not a time"):
        range_of("soon", None, "UTC")
    with pytest.raises(InputError, match="ends before it begins"):
        range_of("2026-03-02", "2026-03-02", "UTC")
    cancelled = Cancellation()
    cancelled.cancel()
    with pytest.raises(CancelledError):
        credit_of_person(CreditRequest("shop", person, "linear", "channel"), home, home.current(), cancelled)


def sql(home, statement):
    return asker(home)(statement)


def test_sql_lists_the_same(home):
    person = asker(home)("SELECT adobe_personid, SUM(visits) FROM shop GROUP BY 1 ORDER BY 2 DESC")[0][0]
    ours = [tuple(row.values()) for row in credit(home, person, "linear", "channel").to_pylist()]
    by_place = f"SELECT * FROM system.credit('shop', '{person}', 'linear', 'channel')"
    assert sql(home, by_place) == ours
    by_name = f"system.credit('SHOP', dimension => 'channel', metric => 'linear', person => '{person}') AS c"
    assert sql(home, f"SELECT * FROM {by_name} ORDER BY event") == ours
    total = sum(row["credit"] or 0.0 for row in credit(home, person, "linear", "channel").to_pylist())
    assert sql(home, f"SELECT SUM(c.credit) FROM {by_name}") == [(pytest.approx(total),)]
    with_view = f"SELECT SUM(revenue) FROM shop WHERE channel IN (SELECT value FROM {by_name})"
    with_values = "SELECT SUM(revenue) FROM shop WHERE channel IN ('paid', 'mail')"
    assert sql(home, with_view) == sql(home, with_values)
    joined = f"SELECT s.channel, s.r, c.n FROM (SELECT channel, SUM(revenue) AS r FROM shop GROUP BY 1) AS s JOIN (SELECT value, COUNT(*) AS n FROM {by_name} GROUP BY 1) AS c ON c.value = s.channel"
    assert len(sql(home, joined)) == 2
    ranged = (
        f"SELECT COUNT(*) FROM system.credit('shop', '{person}', 'linear', NULL, DATE '2024-01-20', NULL)"
    )
    assert sql(home, ranged)[0][0] < len(ours)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("'shop'", "needs person and metric"),
        ("'shop', 'p', 'revenue', wrong => 'x'", 'no argument "wrong"'),
        ("'shop', 'p', 'revenue', view => 'x'", 'no argument "view", or it is given twice'),
        ("'shop', 'p', lower('x')", 'argument "metric" of system.credit must be a constant'),
        ("'shop', 'p', $1", 'argument "metric" of system.credit must be a constant'),
        ("'other', 'p', 'revenue'", 'data view "other" does not exist'),
        ("'shop', 'nobody', 'revenue'", 'there is no person "nobody"'),
    ],
)
def test_sql_says_what_is_wrong(home, arguments, said):
    with pytest.raises(WaylineError, match=said):
        sql(home, f"SELECT * FROM system.credit({arguments})")


def test_sql_takes_the_person_and_the_range_as_parameters(home):
    person = asker(home)("SELECT adobe_personid, SUM(visits) FROM shop GROUP BY 1 ORDER BY 2 DESC")[0][0]
    workspace, world = Workspace(home.root / "datasets"), home.current()
    call = "system.credit('shop', person => $1, metric => 'linear', dimension => 'channel', date_from => $2)"
    statement = parse(f"SELECT event, credit FROM {call}")[0]
    query = plan(statement, home=home, world=world, workspace=workspace, settings={}, access=lambda: OWNER)
    for start in (None, "2024-01-20"):
        window = range_of(start, None, "Europe/Berlin")
        ours = credit(home, person, "linear", "channel", window).select(["event", "credit"])
        assert query.run((person, start), Cancellation()).read_all() == ours
    assert query.run((None, None), Cancellation()).read_all().num_rows == 0
    explained = parse(f"EXPLAIN SELECT event FROM {call}")[0]
    query = plan(explained, home=home, world=world, workspace=workspace, settings={}, access=lambda: OWNER)
    lines = query.run((), Cancellation())
    assert lines.read_all().num_rows == 2


def test_no_other_function_gets_in_through_the_schema(home):
    for call in ("system.read_csv('x')", "credit('shop', 'p', 'revenue')", "other.credit('shop', 'p', 'm')"):
        with pytest.raises(WaylineError, match=r"not allowed|does not exist"):
            sql(home, f"SELECT * FROM {call}")
    with pytest.raises(WaylineError, match="does not exist"):
        sql(home, "SELECT system.credit('shop', 'p', 'revenue')")


def test_every_component_agrees_with_sql_or_is_refused(home):
    """Whatever a view offers: the credit adds up, or the message says why there is none."""
    view = data_view(home.current().definitions, "shop").components.values()
    metrics = [component.id for component in view if component.role is Role.METRIC]
    dimensions = [component.id for component in view if component.role is Role.DIMENSION]
    person = asker(home)("SELECT adobe_personid, SUM(visits) FROM shop GROUP BY 1 ORDER BY 2 DESC")[0][0]
    refused = set()
    for metric, dimension in [(m, "channel") for m in metrics] + [("revenue", d) for d in dimensions]:
        try:
            found = credit(home, person, metric, dimension).to_pylist()
        except UnsupportedError:
            refused |= {metric if metric != "revenue" else dimension}
            continue
        statement = (
            f'SELECT "{dimension}", SUM("{metric}") FROM shop WHERE adobe_personid = \'{person}\' GROUP BY 1'
        )
        report = {value: float(total) for value, total in asker(home)(statement) if total}
        touched = metric == "linear" and dimension == "channel"
        assert sums_of(found, touched) == pytest.approx(report), (metric, dimension)
    assert {"visitors", "visits", "sku"} <= refused
    assert refused.isdisjoint({"occurrences", "price", "daterangeweek", "channel"})


RULES = [
    {"where": "channel = 'paid'"},
    {"where": "channel = 'paid'", "container": "session"},
    {"where": "channel = 'paid'", "container": "person", "exclude": True},
    {"where": "revenue > 90", "container": "person"},
]


@pytest.mark.parametrize("rule", RULES)
def test_rules_on_rows_hold_and_hidden_people_are_not_there(tmp_path, rule):
    views = {"data_views": {"shop": VIEWS["data_views"]["shop"] | {"segments": [rule]}}}
    home = new_home(tmp_path, shop_definitions(calls=False, **views))
    for seed in range(3):
        ingest_rows(home, "web", rows(seed, 60))
    ask_sql = asker(home)
    counted = dict(ask_sql("SELECT adobe_personid, SUM(occurrences) FROM shop GROUP BY 1"))
    everybody = {row[0] for row in ask_sql("SELECT DISTINCT device FROM web WHERE device IS NOT NULL")}
    assert everybody - counted.keys()
    for person in everybody | counted.keys():
        if person not in counted:
            with pytest.raises(UnknownNameError, match="there is no person"):
                credit(home, person, "linear", "channel")
            continue
        found = credit(home, person, "linear", "channel").to_pylist()
        assert len(found) == counted[person]
        statement = f"SELECT channel, SUM(linear) FROM shop WHERE adobe_personid = '{person}' GROUP BY 1"
        report = {value: total for value, total in ask_sql(statement) if total}
        assert sums_of(found, True) == pytest.approx(report)
