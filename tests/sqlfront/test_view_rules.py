"""A view's own segments hold whatever is asked: answers are those of a home without the hidden persons."""

from __future__ import annotations

import pytest

from engine import flow
from engine.definitions.model import Definitions
from engine.report import explain
from engine.report.request import ReportRequest
from engine.world import Home
from tests.laws.shop_homes import asker
from tests.sqlfront.compare import same_rows
from tests.sqlfront.conftest import write
from tests.sqlfront.shop import CHANNELS, DEFINITIONS, EVENTS, FIELDS
from tests.sqlfront.test_planner_answers import SAME_TEXT

HIDDEN = ("p1", "p4", "p7")
RULE = {"container": "person", "exclude": True, "where": "adobe_personid IN ('p1', 'p4', 'p7')"}

MORE = [
    "select channel, sum(credited), sum(visitors), sum(visits) from web group by channel",
    "select sum(visitors), sum(visits), sum(occurrences), sum(adobe_sessionstarts) from web",
    "select * from web",
    "select w.channel, c.region, sum(w.revenue), sum(w.visitors) from web w join channels c on w.channel = c.channel"
    " group by 1, 2",
    "select w.adobe_personid, c.region from web w left join channels c on w.channel = c.channel",
    "select c.channel, sum(w.orders) from channels c left join web w on w.channel = c.channel group by 1",
    "select count(*) from channels where channel in (select channel from web where adobe_personid = 'p1')",
    "select x.channel, sum(x.orders) from (select channel, orders from web limit 1000) x group by 1",
    "select adobe_personid, sum(credited) from web where adobe_personid in ('p1', 'p2') group by 1",
    "select count(distinct adobe_personid), min(adobe_personid), max(adobe_personid) from web",
    "select daterangemonth, channel, sum(credited) from web where \"timestamp\" >= '2024-02-10' group by 1, 2",
]


def with_rule(definitions: Definitions) -> Definitions:
    view = definitions.data_views["web"].model_dump(exclude_defaults=True) | {"segments": [RULE]}
    views = definitions.model_dump(exclude_defaults=True)["data_views"] | {"web": view}
    return Definitions.model_validate(definitions.model_dump(exclude_defaults=True) | {"data_views": views})


def home_of(folder, definitions, events):
    home = Home.create(folder / "home")
    flow.apply(home, definitions)
    flow.ingest(home, "events", [write(folder / "events.csv", FIELDS, events)])
    flow.ingest(home, "channels", [write(folder / "channels.csv", ("channel", "region", "rate"), CHANNELS)])
    return home


@pytest.fixture(scope="module")
def homes(tmp_path_factory):
    visible = [event for event in EVENTS if event[1] not in HIDDEN]
    assert 0 < len(visible) < len(EVENTS)
    ruled = home_of(tmp_path_factory.mktemp("ruled"), with_rule(DEFINITIONS), EVENTS)
    fewer = home_of(tmp_path_factory.mktemp("fewer"), DEFINITIONS, visible)
    yield asker(ruled), asker(fewer)
    ruled.close()
    fewer.close()


# Statements without an order of rows: LIMIT may then show any of them.
ASKED = [*MORE, *(text for text in SAME_TEXT[::3] if "plans" not in text and "limit 3" not in text)]


@pytest.mark.parametrize("statement", ASKED)
def test_no_statement_sees_the_persons_that_a_rule_hides(statement, homes):
    ruled, fewer = homes
    same_rows(ruled(statement), fewer(statement))


def test_explain_names_the_rules_of_the_view(tmp_path):
    home = Home.create(tmp_path)
    flow.apply(home, with_rule(DEFINITIONS))
    rule = "    persons without an event: \"adobe_personid\" IN ('p1', 'p4', 'p7')"
    assert rule in explain(ReportRequest("web"), home.current())
