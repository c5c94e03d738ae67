"""What users may read: by name, in listings, in functions and relations of schema system, by role."""

import pytest

from engine import flow
from engine.catalog import access
from engine.catalog.access import RoleLimits
from engine.definitions.model import Definitions
from engine.errors import DefinitionError, ForbiddenError, UnknownNameError, WaylineError
from engine.governance.access import OWNER, access_of, closed_views, restricted
from sqlfront.planner.credit import COLUMNS
from sqlfront.system import RELATIONS
from sqlfront.users import add_token
from tests.access.homes import EMAIL, ask, build, front_of, grant, outcome, planned, revoke, rows, user
from tests.sqlfront.shop import DEFINITIONS

REVENUE = "select sum(revenue) from web"


@pytest.fixture
def home(tmp_path):
    home = build(tmp_path)
    yield home
    home.close()


@pytest.fixture
def front(home):
    grant(home, "web", "view:web")
    grant(home, "email", "view:web", rule=EMAIL)
    grant(home, "raw", "dataset:channels")
    user(home, "ann", "web")
    user(home, "ben", "email")
    user(home, "cat", "raw")
    user(home, "dot", "analysts")
    user(home, "eve")
    user(home, "root", is_admin=True)
    return front_of(home)


@pytest.mark.parametrize(
    ("name", "readable"),
    [
        ("ann", {"web"}),
        ("ben", {"web"}),
        ("cat", {"channels"}),
        ("dot", {"web", "web_berlin", "events", "channels", "plans"}),
        ("root", {"web", "web_berlin", "events", "channels", "plans"}),
        ("eve", set()),
    ],
)
def test_by_name_and_in_listings_users_find_what_was_granted(front, name, readable):
    for relation in ("web", "web_berlin", "events", "channels", "plans"):
        for spelled in (relation, f"public.{relation}", f'"{relation.upper()}"'):
            found = outcome(front, name, f"select * from {spelled} limit 0")
            assert (found != "42501") == (relation in readable), spelled
        listed = "select relname from pg_class where relnamespace = 2200 and relname = "
        assert ask(front, name, f"{listed}'{relation}'") == ([(relation,)] if relation in readable else [])
        allowed = "select has_table_privilege('%s', 'SELECT'), has_table_privilege('%s', 'INSERT')"
        assert ask(front, name, allowed % (relation, relation)) == [(relation in readable, False)]
    tables = "select table_name from information_schema.tables where table_schema = 'public'"
    assert {row[0] for row in ask(front, name, tables)} == readable
    columns = "select distinct table_name from information_schema.columns where table_schema = 'public'"
    assert {row[0] for row in ask(front, name, columns)} == readable


def test_what_is_refused_says_so_and_nothing_else(front):
    with pytest.raises(ForbiddenError, match=r"^permission denied for view web$") as refused:
        planned(front, "cat", REVENUE)
    assert refused.value.hint is None
    with pytest.raises(ForbiddenError, match=r"^permission denied for table plans$"):
        planned(front, "ann", "select * from plans")
    for sql in ("select * from chanels", "select * from webb", "select * from system.stitching"):
        with pytest.raises(UnknownNameError) as unknown:
            planned(front, "eve", sql)
        assert unknown.value.hint is None
    with pytest.raises(UnknownNameError) as unknown:
        planned(front, "ann", "select * from webb")
    assert unknown.value.hint == 'Did you mean "web"?'


@pytest.mark.parametrize(
    "sql",
    [
        "select 1 where exists (select 1 from web)",
        "with web2 as (select * from web) select sum(revenue) from web2",
        "select region from channels union select channel from web",
        "select (select sum(revenue) from web) from channels",
        "select c.region from channels c join web w on w.channel = c.channel",
        "select region from channels where channel in (select channel from web)",
        "explain select sum(revenue) from web",
        "explain analyze select sum(revenue) from web",
        "table web",
        "select * from system.credit('web', person => 'p1', metric => 'revenue')",
        "select * from system.credit('WEB', person => 'p1', metric => 'revenue')",
    ],
)
def test_wherever_a_view_is_named(front, sql):
    assert outcome(front, "cat", sql) == "42501"
    assert outcome(front, "dot", sql) != "42501"


def test_a_rule_leaves_the_events_of_which_it_holds(front):
    by_channel = "select channel, sum(occurrences) from web group by channel"
    everything = dict(ask(front, "ann", by_channel))
    assert len(everything) > 2
    assert ask(front, "ben", by_channel) == [("Email", everything["Email"])]
    assert ask(front, "ben", "select distinct channel from web") == [("Email",)]


def test_roles_add_up(home, front):
    grant(home, "social", "view:web", rule={"where": "channel = 'Social'"})
    user(home, "both", "email", "social")
    user(home, "more", "email", "web")
    by_channel = "select channel, sum(occurrences), sum(visitors) from web group by channel"
    everything = {row[0]: row for row in ask(front, "ann", by_channel)}
    found = {row[0]: row for row in ask(front, "both", by_channel)}
    assert found == {name: everything[name] for name in ("Email", "Social")}
    assert sorted(ask(front, "more", by_channel), key=str) == sorted(everything.values(), key=str)


def test_set_role_narrows_and_gives_nothing_more(home, front):
    user(home, "both", "web", "email")
    everything, email = ask(front, "ann", REVENUE), ask(front, "ben", REVENUE)
    assert everything != email
    assert ask(front, "both", REVENUE) == everything
    assert ask(front, "both", REVENUE, role="none") == everything
    assert ask(front, "both", REVENUE, role="both") == everything
    assert ask(front, "both", REVENUE, role="email") == email
    assert outcome(front, "ann", REVENUE, role="email") == "42501"
    assert outcome(front, "both", "select relname from pg_class", role="raw") == "42501"
    assert ask(front, "root", REVENUE, role="email") == email
    assert outcome(front, "root", REVENUE, role="raw") == "42501"
    assert ask(front, "both", "select current_user, session_user", role="email") == [("email", "both")]


def test_relations_of_schema_system_need_a_grant_and_tell_of_granted_datasets(home, front):
    for name in RELATIONS:
        asked = f"select * from system.{name}"
        assert outcome(front, "ann", asked) == "42501"
        assert outcome(front, "dot", asked) != "42501"
    listed = "select count(*) from pg_class where relnamespace = 13001"
    assert ask(front, "ann", listed) == [(0,)]
    assert ask(front, "dot", listed) == [(len(RELATIONS),)]


@pytest.mark.parametrize(("relation", "by"), [("users", "user"), ("roles", "role"), ("grants", "role")])
def test_who_may_do_what_is_told_of_oneself_and_to_administrators(home, front, relation, by):
    grant(home, "email", f"system:{relation}")
    asked = f'select distinct "{by}" from system.{relation} order by 1'
    mine = {"user": "ben", "role": "email"}[by]
    assert ask(front, "ben", asked) == [(mine,)]
    assert ask(front, "dot", asked) == [({"user": "dot", "role": "analysts"}[by],)]
    everybody = {row[0] for row in ask(front, "root", asked)}
    assert everybody > {mine} and len(everybody) >= 4
    assert outcome(front, "ann", asked) == "42501"
    assert ask(front, "root", f"{asked} limit 1", role="analysts") != []


def test_tokens_are_listed_without_their_secrets(home, front):
    token, _ = add_token(home.catalog, "dot", label="Power BI")
    add_token(home.catalog, "ann")
    asked = "select * from system.tokens"
    (row,) = ask(front, "dot", asked)
    assert row[:3] == (token.id, "dot", "Power BI")
    assert len(ask(front, "root", asked)) == 2
    for name in ("users", "tokens", "roles", "grants"):
        columns = planned(front, "root", f"select * from system.{name}").columns
        assert not any("key" in column.name or column.name == "salt" for column in columns)


def test_access_is_told_to_administrators_alone(front):
    names = "select rolname from pg_roles where rolname <> 'postgres' order by 1"
    assert ask(front, "ben", names) == [("ben",), ("email",)]
    assert ("ann",) in ask(front, "root", names) and ("raw",) in ask(front, "root", names)
    members = (
        "select r.rolname, u.rolname from pg_auth_members m join pg_roles r on r.oid = m.roleid"
        " join pg_roles u on u.oid = m.member"
    )
    assert ask(front, "ben", members) == [("email", "ben")]
    assert ("email", "ben") in ask(front, "root", members)
    assert ask(front, "ben", "select pg_has_role('email', 'member'), pg_has_role('web', 'member')") == [
        (True, False)
    ]
    assert ask(front, "ben", "select role_name from information_schema.enabled_roles order by 1") == [
        ("ben",),
        ("email",),
    ]
    privileges = "select grantee, privilege_type from information_schema.table_privileges where table_name = "
    assert ask(front, "ben", f"{privileges}'web'") == [("ben", "SELECT")]
    assert ask(front, "ben", f"{privileges}'events'") == []


def test_what_was_planned_before_a_change_follows_it(home, front):
    query = planned(front, "ben", REVENUE)
    listing = planned(front, "ben", "select relname from pg_class where relname = 'web'")
    email = rows(query)
    grant(home, "email", "view:web")
    assert rows(query) == ask(front, "ann", REVENUE) != email
    grant(home, "email", "view:web", rule=EMAIL)
    assert rows(query) == email
    assert rows(listing) == [("web",)]
    revoke(home, "email", "view:web")
    with pytest.raises(ForbiddenError):
        rows(query)
    assert rows(listing) == []
    with access.changing(home.catalog) as connection:
        access.drop_user(connection, "ben")
    for planned_before in (query, listing):
        with pytest.raises(ForbiddenError):
            rows(planned_before)


def test_a_rule_that_does_not_fit_closes_its_view(home, front):
    changed = DEFINITIONS.model_dump(exclude_defaults=True)
    del changed["data_views"]["web"]["dimensions"]["channel"]
    del changed["segments"]
    without = Definitions.model_validate(changed)
    with pytest.raises(DefinitionError, match='breaks the rule of role "email"') as refused:
        flow.apply(home, without)
    assert "wayline grant email view:web" in refused.value.hint
    revoke(home, "email", "view:web")
    flow.apply(home, without)
    # As after a rollback to definitions from before the rule.
    grant(home, "email", "view:web", rule=EMAIL)
    definitions = home.current().definitions
    assert closed_views(definitions, access_of(access.roll(home.catalog), "ben")) == ["web"]
    for sql in (REVENUE, "select * from web limit 0", "explain select sum(revenue) from web"):
        assert outcome(front, "ben", sql) == "42501"
    assert outcome(front, "ben", "select relname from pg_class where relname = 'web'") == (["relname"], [])
    assert outcome(front, "ann", REVENUE) != "42501"


def test_a_view_that_is_applied_later_is_granted_by_name_or_by_all(home, front):
    more = DEFINITIONS.model_dump(exclude_defaults=True)
    more["data_views"]["new"] = more["data_views"]["web"]
    flow.apply(home, Definitions.model_validate(more))
    asked = "select sum(revenue) from new"
    assert outcome(front, "ann", asked) == "42501"
    assert ask(front, "dot", asked) == ask(front, "root", asked) == ask(front, "ann", REVENUE)
    assert ask(front, "dot", "select relname from pg_class where relname = 'new'") == [("new",)]
    assert ask(front, "ann", "select relname from pg_class where relname = 'new'") == []


def test_restricted_definitions_are_one_object(home, front):
    definitions, roll = home.current().definitions, access.roll(home.catalog)
    first, again = (restricted(definitions, access_of(roll, "ben")) for _ in range(2))
    assert first is again
    assert restricted(definitions, access_of(roll, "dot")).data_views == definitions.data_views
    assert restricted(definitions, OWNER) is definitions
    assert set(first.data_views) == {"web"}
    assert first.datasets == definitions.datasets


def test_users_of_one_role_share_what_is_kept_and_others_do_not(home, front):
    user(home, "ben2", "email")
    grant(home, "social", "view:web", rule={"where": "channel = 'Social'"})
    user(home, "soc", "social")
    roll = access.roll(home.catalog)
    keys = {name: access_of(roll, name).key for name in roll.users}
    assert keys["ben"] == keys["ben2"]
    assert len(set(keys.values())) == len(keys) - 1
    assert OWNER.key == keys["root"]


def test_a_limit_holds_where_every_role_sets_it(home):
    grant(home, "small", "view:web", statements=1, timeout_ms=100)
    grant(home, "large", "view:web", statements=4)
    roll = access.roll(home.catalog)
    together = roll.limits_of(["small", "large"])
    assert (together.statements, together.timeout_ms) == (4, None)
    assert roll.limits_of([]) == roll.limits_of(["nobody"]) == RoleLimits()


def test_credit_keeps_to_the_rule(front):
    asked = "select event_id, credit from system.credit('web', person => '%s', metric => 'credited', dimension => 'channel')"
    persons = [row[0] for row in ask(front, "ben", "select distinct adobe_personid from web order by 1")]
    assert persons
    for person in persons:
        total = ask(front, "ben", f"select sum(credited) from web where adobe_personid = '{person}'")[0][0]
        listed = ask(front, "ben", asked % person)
        everything = ask(front, "ann", asked % person)
        assert len(listed) < len(everything)
        assert sum(credit or 0 for _, credit in listed) == pytest.approx(total or 0)
    assert "event_id" in COLUMNS


@pytest.mark.parametrize(
    "sql",
    [
        "select sum(revenue) from web where channel::int = 1",
        "select sum(revenue) filter (where channel::int = 1) from web",
        "select sum(credited) from web where channel::int = 1",
        "select channel, sum(credited) filter (where channel::int = 1) from web group by 1",
        "select * from web where channel::int = 1",
        "select channel::int, sum(orders) from web group by 1",
        "select sum(channel::int) from web",
        "select distinct channel::int from web",
        "select count(*) from web w join channels c on c.channel = w.channel where w.channel::int = 1",
        "select c.region, sum(w.orders) from web w join channels c on c.rate = w.channel::int group by 1",
    ],
)
def test_errors_name_no_value_of_a_hidden_event(home, front, sql):
    grant(home, "email", "dataset:channels")
    with pytest.raises(WaylineError) as refused:
        ask(front, "ben", sql)
    told = str(refused.value) + (refused.value.hint or "")
    assert not any(hidden in told for hidden in ("Social", "Search", "Direct"))


def test_conditions_are_not_tried_on_hidden_events(front):
    refuses_hidden = "case when channel <> 'Email' then channel::int else 1 end = 1"
    assert outcome(front, "ann", f"select sum(revenue) from web where {refuses_hidden}") == "22P02"
    for asked in ("select sum(revenue) from web", "select sum(credited) from web", "select channel from web"):
        assert ask(front, "ben", f"{asked} where {refuses_hidden}") == ask(front, "ben", asked)
