"""Sub-queries that read the query around them have the values that they have with a literal in its place."""

from __future__ import annotations

import json
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine import flow
from engine.cancellation import Cancellation
from engine.definitions.project import load
from engine.errors import UnsupportedError, WaylineError
from engine.governance.access import OWNER
from engine.world import Home
from sqlfront.answer import plan
from sqlfront.dialect import parse
from sqlfront.workspace import Workspace
from tests.sqlfront.compare import same_rows

DOCUMENT = """
datasets:
  events:
    timestamp: ts
    fields:
      ts: timestamp
      who: string
      channel: string
      page: string
      day: string
      revenue: double
      orders: integer
      items: {type: array, fields: {sku: string, price: double}}
  keys: {kind: lookup, key: id, fields: {id: string, value: string, region: string}}
connections:
  all: {datasets: {events: {person_id: who}}}
data_views:
  shop:
    connection: all
    dimensions:
      channel: {field: channel, persistence: {expiration: person}}
      source: {field: channel, persistence: {allocation: original, expiration: session}}
      page: page
      item: items.sku
      all_pages: {field: page, persistence: {allocation: all, expiration: person}}
    metrics:
      revenue: revenue
      orders: orders
      item_price: items.price
      starts: adobe_sessionstarts
      credited: {field: revenue, attribution: {model: linear}}
      once: {field: orders, deduplication: {by: page}}
"""
CHANNELS = ("Email", "Social", "Search", "Direct")
PAGES = ("home", "cart", "pay")
SKUS = ("a", "b", "c")
VALUES = {
    "channel": CHANNELS,
    "source": CHANNELS,
    "page": PAGES,
    "lower(s.page)": PAGES,
    "daterangeday": tuple(f"2024-01-{day:02} 00:00:00" for day in range(1, 12)),
    "daterangeweek": ("2024-01-01 00:00:00", "2024-01-08 00:00:00", "2024-01-03 00:00:00"),
    "adobe_personid": tuple(f"p{n}" for n in range(7)),
    "item": SKUS,
}
MEASURES = (
    "sum(revenue)",
    "coalesce(sum(s.revenue), -1) + count(*)",
    "count(*)",
    "count(revenue)",
    "sum(visitors)",
    "sum(visits) + 1",
    "sum(starts)",
    "sum(adobe_returnsessions)",
    "sum(adobe_timespent)",
    "avg(orders)",
    "max(revenue) - min(revenue)",
    "count(distinct page)",
    "count(distinct adobe_personid)",
    "sum(case when page = 'pay' then orders end)",
    "count(*) filter (where channel = 'Email')",
    "max(adobe_sessiontype)",
    "string_agg(distinct channel, ',' order by channel)",
    "sum(item_price)",
    "count(distinct item)",
    "sum(once)",
    "sum(credited)",
)
TERMS = (
    "",
    " and channel <> 'Direct'",
    " and page is null",
    " and daterange >= '2024-01-04'",
    " and item = 'a'",
    " and source = 'Email'",
    " and 1 = 0",
)


def events():
    random = Random(11)
    for number in range(250):
        skus = [random.choice((*SKUS, None)) for _ in range(random.choice((0, 0, 1, 2, 3)))]
        yield {
            "ts": f"2024-01-{random.randrange(1, 11):02}T{random.choice((8, 9, 10)):02}:{random.randrange(60):02}:{number % 60:02}Z",
            "who": f"p{random.randrange(6)}",
            "channel": random.choice((*CHANNELS, None, None)),
            "page": random.choice((*PAGES, None)),
            "revenue": random.choice((None, round(random.random() * 100, 2))),
            "orders": random.choice((None, 1, 2)),
            "items": [{"sku": sku, "price": round(random.random() * 10, 2)} for sku in skus],
        }


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Ask the shop."""
    folder = tmp_path_factory.mktemp("correlated")
    (folder / "shop.yaml").write_text(DOCUMENT)
    home = Home.create(folder / "home")
    flow.apply(home, load(folder / "shop.yaml"))
    (folder / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events()))
    flow.ingest(home, "events", [folder / "events.jsonl"])
    rows = [
        ("1", "Email", "EU"),
        ("2", "Social", "US"),
        ("3", "home", "EU"),
        ("4", "a", None),
        ("5", "Email", "US"),
    ]
    (folder / "keys.csv").write_text(
        "id,value,region\n" + "".join(",".join(v or "" for v in row) + "\n" for row in rows)
    )
    flow.ingest(home, "keys", [folder / "keys.csv"])
    workspace = Workspace(home.root / "datasets")

    def run(sql):
        question = plan(
            parse(sql)[0],
            home=home,
            world=home.current(),
            workspace=workspace,
            settings={},
            access=lambda: OWNER,
        )
        table = question.run((), Cancellation()).read_all()
        return list(zip(*(column.to_pylist() for column in table.columns), strict=True))

    yield run
    home.close()


def written(value, dimension):
    if value is None:
        return "null"
    return f"timestamp '{value}'" if dimension.startswith("daterange") else f"'{value}'"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_value_is_that_of_a_literal_or_refused(data, shop):
    dimension = data.draw(st.sampled_from(sorted(VALUES)))
    measure, term = data.draw(st.sampled_from(MEASURES)), data.draw(st.sampled_from(TERMS))
    chosen = data.draw(
        st.lists(
            st.sampled_from(
                (*VALUES[dimension], "nothing" if "date" not in dimension else "2031-01-01 00:00:00", None)
            ),
            min_size=1,
            max_size=4,
        )
    )
    keys = ", ".join(f"({at}, {written(value, dimension)})" for at, value in enumerate(chosen))
    tie = dimension if "(" in dimension else f"s.{dimension}"
    question = "select {} from shop s where {} = {}{}"
    try:
        ours = shop(
            f"select k.n, ({question.format(measure, tie, 'k.v', term)}) from (values {keys}) k(n, v)"
        )
    except UnsupportedError:
        assert refused(dimension, measure, term)
        return
    assert not refused(dimension, measure, term)
    literal = [shop(question.format(measure, tie, written(v, dimension), term))[0][0] for v in chosen]
    same_rows(ours, list(enumerate(literal)))


def refused(dimension, measure, term):
    """Whether grouping and filtering may differ, so that there is no answer."""
    inside = any(part in measure + term for part in ("item", "string_agg"))
    if any(part in measure for part in ("credited", "once")) or (dimension == "item" and inside):
        return True
    by_range = ("channel", "source", "starts", "adobe_returnsessions", "adobe_timespent", "adobe_sessiontype")
    return dimension.startswith("daterange") and any(part in measure + term for part in by_range)


@pytest.mark.parametrize(("dimension", "values"), [("channel", CHANNELS), ("page", PAGES), ("item", SKUS)])
@pytest.mark.parametrize("term", ["", " and s.source = 'Email'", " and daterange > '2024-01-09'"])
def test_existence_is_that_of_a_literal(dimension, values, term, shop):
    keys = ", ".join(f"('{value}')" for value in (*values, "nothing"))
    inner = "select {} from shop s where s." + dimension + " = {}" + term
    rows = shop(
        f"select v, exists ({inner.format('1', 'k.v')} limit 1), not exists ({inner.format('*', 'k.v')}) from (values {keys}) k(v)"
    )
    for value, found, missing in rows:
        expected = shop(inner.format("count(*)", f"'{value}'"))[0][0] > 0
        assert (found, missing) == (expected, not expected)
    members = shop(f"select v from (values {keys}) k(v) where 'cart' in ({inner.format('s.page', 'k.v')})")
    pages = {
        value: shop(f"select distinct page from shop s where s.{dimension} = '{value}'{term}")
        for value in values
    }
    same_rows(members, [(value,) for value in values if ("cart",) in pages[value]])


def test_the_best_of_each_group_is_found(shop):
    best = "select s.page from shop s where s.channel = {} group by s.page having count(*) > 1 order by sum(s.revenue) desc nulls last, 1 limit 1"
    rows = shop(f"select v, ({best.format('k.v')}) from (values ('Email'), ('Social'), ('x')) k(v)")
    literal = [
        (value, (shop(best.format(f"'{value}'")) or [(None,)])[0][0]) for value in ("Email", "Social", "x")
    ]
    same_rows(rows, literal)


def test_lateral_rows_are_those_of_a_literal(shop):
    inner = "select count(*) as n, sum(s.visitors) as p from shop s where s.channel = "
    expected = [(value, *shop(f"{inner}'{value}'")[0]) for value in ("Email", "x")]
    for join in ("cross join lateral ({}) l", "left join lateral ({}) l on true", ", lateral ({}) l"):
        rows = shop(f"select k.v, l.* from (values ('Email'), ('x')) k(v) {join.format(inner + 'k.v')}")
        same_rows(rows, expected)
    grouped = "select s.page, sum(s.revenue) as r from shop s where s.channel = {} group by s.page"
    rows = shop(
        f"select l.* from (values ('Email'), ('x')) k(v) cross join lateral ({grouped.format('k.v')}) l"
    )
    same_rows(rows, shop(grouped.format("'Email'")))


MEASURED = "count(*), sum(s.revenue), sum(s.visitors), sum(s.visits), sum(s.credited)"
AROUND_A_VIEW = [
    ("exists (select 1 from keys k where k.value = s.channel and k.region = 'EU')", "s.channel in ('Email')"),
    ("exists (select 1 from keys k where k.value = s.item)", "s.item = 'a'"),
    (
        "not exists (select * from keys k where s.channel = k.value)",
        "(s.channel not in ('Email', 'Social') or s.channel is null)",
    ),
    (
        "exists (select 1 from keys k where k.value = s.channel and k.region = s.page) or s.page = 'pay'",
        "(s.page = 'pay' or (s.page = 'EU' and s.channel = 'Email'))",
    ),
    (
        "exists (select 1 from keys k where k.value = s.channel and lower(k.value) = lower(s.channel))",
        "s.channel in ('Email', 'Social')",
    ),
    (
        "s.page in (select 'pay' from keys k where k.value = s.channel)",
        "(s.page = 'pay' and s.channel in ('Email', 'Social') or false)",
    ),
    ("(select count(*) from keys k where k.value = s.channel) = 2", "s.channel = 'Email'"),
    (
        "(select count(*) from keys k where k.value = s.channel) = 0",
        "(s.channel is null or s.channel not in ('Email', 'Social'))",
    ),
    (
        "(select max(k.region) from keys k where k.value = s.channel and k.id <> '1') = 'US'",
        "s.channel in ('Email', 'Social')",
    ),
    ("exists (select 1 from shop x where x.page = s.page and x.channel = 'Email')", "s.page is not null"),
]


@pytest.mark.parametrize(("term", "twin"), AROUND_A_VIEW)
@pytest.mark.parametrize("group", ["s.channel", "s.page", "s.daterangeday"])
def test_conditions_around_a_view_are_those_written_out(term, twin, group, shop):
    question = f"select {group}, {MEASURED} from shop s where {{}} group by 1"
    same_rows(shop(question.format(term)), shop(question.format(twin)))


def test_values_beside_groups(shop):
    rows = shop(
        "select s.channel, count(*), (select count(*) from keys k where k.value = s.channel) as n,"
        " (select max(k.region) from keys k where k.value = s.channel and k.id < '5'),"
        " (select sum(x.visits) + count(*) from shop x where x.channel = s.channel and x.page = 'pay')"
        " from shop s group by s.channel order by n desc"
    )
    for channel, events_, keys, region, paid in rows:
        term = f"channel = '{channel}'" if channel else "1 = 0"
        assert keys == {"Email": 2, "Social": 1}.get(channel, 0)
        assert region == {"Email": "EU", "Social": "US"}.get(channel)
        assert paid == shop(f"select sum(visits) + count(*) from shop where {term} and page = 'pay'")[0][0]
        assert channel is None or events_ == shop(f"select count(*) from shop where {term}")[0][0]


def test_a_value_per_event_is_hidden_from_the_star(shop):
    rows = shop(
        "select s.*, (select count(*) from keys k where k.value = s.channel) as n from shop s limit 1"
    )
    assert len(rows[0]) == len(shop("select * from shop limit 1")[0]) + 1


ERRORS = [
    ("(select sum(revenue) from shop s where s.channel > k.value)", "0A000"),
    ("(select sum(revenue) from shop s where s.channel = k.value or s.page = 'pay')", "0A000"),
    ("(select sum(revenue * length(k.region)) from shop s where s.channel = k.value)", "0A000"),
    ("(select sum(revenue) from shop s having max(s.channel) = k.value)", "0A000"),
    ("(select sum(revenue) from shop s where s.revenue = k.id::int)", "0A000"),
    (
        "(select sum(revenue) from shop s where s.all_pages = k.value and s.page = 'pay' and s.item = 'a')",
        "0A000",
    ),
    ("(select revenue from shop s where s.channel = k.value limit 1)", "0A000"),
    ("(select sum(sum(revenue)) over () from shop s where s.channel = k.value)", "0A000"),
    ("(select s.page from shop s where s.channel = k.value group by rollup (s.page) limit 1)", "0A000"),
    ("(select sum(revenue) from shop s where s.channel = k.value union select 1)", "0A000"),
    ("(select s.page from shop s where s.channel = k.value group by s.page)", "21000"),
    ("(select s.page from shop s where s.channel = k.value and s.page = 'pay' group by s.channel)", "42803"),
    ("exists (select 1 from shop s where s.channel = k.value limit 0)", "0A000"),
    ("'pay' in (select s.page from shop s where s.channel = k.value order by 1 limit 2)", "0A000"),
]


@pytest.mark.parametrize(("value", "sqlstate"), ERRORS)
def test_other_ties_are_refused(value, sqlstate, shop):
    with pytest.raises(WaylineError) as caught:
        shop(f"select k.value, {value} from keys k")
    assert caught.value.sqlstate == sqlstate, caught.value


AROUND_ERRORS = [
    "select s.channel, (select k.id from keys k where k.value = s.channel), count(*) from shop s group by 1",
    "select count(*) from shop s where s.page not in (select k.id from keys k where k.value = s.channel)",
    "select count(*) from shop s where not (s.page = 'x' or s.page in (select k.id from keys k where k.value = s.channel))",
    "select count(*) from shop s where s.page = any (select k.id from keys k where k.value = s.channel)",
    "select count(*) from shop s where exists (select max(k.id) from keys k where k.value = s.channel)",
    "select count(*) from shop s where exists (select 1 from keys k where k.value > s.channel)",
    "select count(*) from shop s where exists (select 1 from keys k where k.value = s.revenue::text)",
    "select s.channel, (select k.id from keys k where k.value = s.channel order by 1 limit 1) from shop s group by 1",
    "select s.channel, l.n from shop s, lateral (select count(*) n from keys k where k.value = s.channel) l",
]


@pytest.mark.parametrize("sql", AROUND_ERRORS)
def test_what_has_no_meaning_around_a_view_is_refused(sql, shop):
    with pytest.raises(UnsupportedError):
        shop(sql)
