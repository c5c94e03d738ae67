"""A statement is planned once for all worlds of the same definitions, unless what is stored decided on its plan."""

from __future__ import annotations

import pytest

from engine import flow
from engine.cancellation import Cancellation
from engine.governance.access import OWNER
from engine.world import Home
from sqlfront import answer
from sqlfront.dialect import parse
from sqlfront.workspace import Workspace
from tests.sqlfront.conftest import write
from tests.sqlfront.shop import CHANNELS, DEFINITIONS, EVENTS, FIELDS

TOTAL = "select sum(orders) from web"
JOINED = (
    "select c.region, sum(w.orders) from web w join channels c on c.channel = w.channel group by 1 order by 1"
)


@pytest.fixture
def home(tmp_path):
    made = Home.create(tmp_path / "home")
    flow.apply(made, DEFINITIONS)
    flow.ingest(made, "events", [write(tmp_path / "events.csv", FIELDS, EVENTS[:20])])
    flow.ingest(made, "channels", [write(tmp_path / "channels.csv", ("channel", "region", "rate"), CHANNELS)])
    yield made
    made.close()


@pytest.fixture
def planned(monkeypatch):
    """The statements that were planned."""
    texts: list[str] = []
    prepare = answer.prepare

    def counting(tree, *rest, **options):
        texts.append(tree.sql())
        return prepare(tree, *rest, **options)

    monkeypatch.setattr(answer, "prepare", counting)
    return texts


@pytest.fixture
def ask(home):
    workspace = Workspace(home.root / "datasets")

    def asked(sql):
        question = answer.plan(
            parse(sql)[0],
            home=home,
            world=home.current(),
            workspace=workspace,
            settings={},
            access=lambda: OWNER,
        )
        return question.run([], Cancellation()).read_all().to_pylist()

    return asked


def test_new_events_leave_a_plan_as_it_is(home, ask, planned, tmp_path):
    before = ask(TOTAL)
    flow.ingest(home, "events", [write(tmp_path / "more.csv", FIELDS, EVENTS[20:60])])
    assert ask(TOTAL) != before
    assert len(planned) == 1


def test_new_definitions_make_it_anew(home, ask, planned):
    ask(TOTAL)
    changed = DEFINITIONS.model_copy(deep=True)
    changed.data_views["web"].metrics["orders"] = changed.data_views["web"].metrics["revenue"]
    flow.apply(home, changed)
    assert ask(TOTAL) == [{"sum": ask("select sum(revenue) from web")[0]["sum"]}]
    assert len(planned) == 3


def test_rows_that_decided_on_a_plan_are_looked_at_in_each_world(home, ask, planned, tmp_path):
    assert ask(JOINED) == ask(JOINED)
    assert len(planned) == 1
    doubled = write(tmp_path / "doubled.csv", ("channel", "region", "rate"), CHANNELS[:1])
    flow.ingest(home, "channels", [doubled])
    ask(JOINED)
    assert len(planned) == 2
