"""A role's rule is a rule of the view: what a user gets is what everybody would get if the view had it.

And two users who ask the same in turn never get an answer, a plan, a listing or a name of the other's.
"""

from __future__ import annotations

import re
from itertools import product
from random import Random

import pytest

from engine.definitions.model import Definitions
from tests.access.homes import ask, build, front_of, grant, opened, outcome, user
from tests.faults.victims import FIRST_SEED, SEEDS
from tests.sqlfront.compare import same_rows
from tests.sqlfront.shop import DEFINITIONS, EVENTS
from tests.sqlfront.test_planner_answers import SAME_TEXT
from tests.sqlfront.test_view_rules import MORE

CHANNELS = ("Email", "Social", "Search", "Direct")
CREDIT = "select * from system.credit('web', person => '%s', metric => '%s', dimension => 'channel')"
# Without an order LIMIT may show any rows.
PLAIN = [text for text in SAME_TEXT if "limit" not in text]
ASKED = [
    *MORE,
    *(CREDIT % (person, metric) for person, metric in product(("p1", "p4"), ("credited", "revenue"))),
    "explain select channel, sum(credited) from web group by channel",
    "select web.channel, b.revenue from web join (select channel, sum(revenue) revenue from web_berlin group by 1) b"
    " on b.channel = web.channel where web.channel = 'Email'",
    "select channel, sum(orders) from web group by 1 union all select channel, sum(revenue) from web_berlin group by 1",
    "select count(distinct adobe_personid), count(distinct channel) from web",
    "select * from web_berlin",
    "select count(*) from plans where exists (select 1 from web where orders = 2)",
    "select relname, relnatts from pg_class where relnamespace = 2200",
    "select column_name from information_schema.columns where table_name = 'web'",
]


def random_rule(random: Random, depth: int = 2):
    found = {
        "container": random.choice(("event", "event", "session", "person")),
        "exclude": random.random() < 0.25,
    }
    if depth and random.random() < 0.3:
        parts = [random_rule(random, depth - 1) for _ in range(2)]
        return found | {random.choice(("all", "any")): parts}
    conditions = (
        f"channel = '{random.choice(CHANNELS)}'",
        f"channel IN ('{random.choice(CHANNELS)}', '{random.choice(CHANNELS)}')",
        f"revenue > {random.randrange(80)}",
        f"adobe_personid <> 'p{random.randrange(12)}'",
        "campaign = 'sale'",
        "page IS NULL",
        "orders >= 1",
    )
    return found | {"where": random.choice(conditions)}


def with_rules(rules):
    changed = DEFINITIONS.model_dump(exclude_defaults=True)
    for view, rule in rules.items():
        changed["data_views"][view]["segments"] = [rule]
    return Definitions.model_validate(changed)


def berlin(random: Random):
    return {"where": f"channel <> '{random.choice(CHANNELS)}'"}


def same(ours, theirs):
    if isinstance(ours, str) or isinstance(theirs, str):
        assert ours == theirs
        return
    assert ours[0] == theirs[0]
    same_rows(ours[1], theirs[1])


@pytest.mark.parametrize("turn", range(min(2 * SEEDS, 4)))
def test_a_rule_of_a_role_is_one_of_the_view(turn, tmp_path):
    seed = (FIRST_SEED + turn) % 4
    print(f"WAYLINE_FAULT_SEED={seed}")
    random = Random(seed)
    rules = {"web": random_rule(random), "web_berlin": berlin(random)}
    (tmp_path / "role").mkdir()
    (tmp_path / "yaml").mkdir()
    role, yaml = build(tmp_path / "role"), build(tmp_path / "yaml", with_rules(rules))
    for home in (role, yaml):
        for view, rule in rules.items():
            grant(home, "some", f"view:{view}", rule=rule if home is role else None)
        grant(home, "some", "dataset:channels", "dataset:plans")
        user(home, "ann", "some")
    by_role, by_yaml = front_of(role), front_of(yaml)
    answered, asked = 0, [*ASKED, *PLAIN[seed::4]]
    for sql in asked:
        ours, theirs = outcome(by_role, "ann", sql), outcome(by_yaml, "ann", sql)
        answered += not isinstance(ours, str)
        same(ours, theirs)
    assert answered > 0.9 * len(asked)
    role.close()
    yaml.close()


@pytest.fixture(scope="module")
def homes(tmp_path_factory):
    """A home whose users take turns, and for each user the same home opened again, for that user alone."""
    home = build(tmp_path_factory.mktemp("turns"))
    grant(home, "email", "view:web", rule={"where": "channel = 'Email'"})
    grant(
        home, "social", "view:web", rule={"container": "person", "where": "channel = 'Social' AND orders = 2"}
    )
    grant(home, "social", "view:web_berlin", "dataset:plans")
    grant(home, "raw", "dataset:channels", "dataset:plans")
    user(home, "ann", "analysts")
    user(home, "ben", "email")
    user(home, "cat", "social")
    user(home, "dot", "raw")
    yield home
    home.close()


TURNS = ("ann", "ben", "cat", "dot", "ben", "ann")
SYSTEM = [
    "select count(*) from system.stitching_quality",
    "select relname from pg_class where relnamespace in (2200, 13001) order by 1",
    "select has_table_privilege('plans', 'select'), current_user",
    "select rolname from pg_roles order by 1",
]


def test_users_who_take_turns_never_share_an_answer(homes):
    print(f"WAYLINE_FAULT_SEED={FIRST_SEED}")
    statements = [*ASKED, *PLAIN[FIRST_SEED % 6 :: 6], *SYSTEM]
    alone = {}
    for name in set(TURNS):
        with opened(homes.root) as home:
            front = front_of(home)
            alone[name] = [outcome(front, name, sql) for sql in statements]
    assert len({str(answers) for answers in alone.values()}) == len(alone)
    front = front_of(homes)
    for number, sql in enumerate(statements):
        for name in TURNS:
            same(outcome(front, name, sql), alone[name][number])


def test_explain_analyze_does_not_count_hidden_events(homes):
    front = front_of(homes)
    asked = "explain analyze select sum(revenue) from web"
    ruled, all_of_it = ("\n".join(row[0] for row in ask(front, name, asked)) for name in ("ben", "ann"))
    assert f"{len(EVENTS)} rows" in all_of_it
    assert "\"channel\" = 'Email'" in ruled and " ms)" in ruled
    assert not re.search(r" rows| MB", ruled)
