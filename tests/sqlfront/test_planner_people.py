"""Distinct metrics, attribution and per-column ranges, beside hand-written SQL."""

import pytest

from tests.sqlfront.compare import same_rows

PAIRS = [
    (
        "select sum(visitors), sum(visits), sum(adobe_sessionstarts) from web",
        "select count(distinct who), sum(visits), sum(visits) from web",
    ),
    (
        "select channel, sum(visitors) from web group by channel",
        "select channel, count(distinct who) from web group by channel",
    ),
    (
        "select channel, visitors from web group by channel",
        "select channel, count(distinct who) from web group by 1",
    ),
    (
        "select campaign, sum(visitors) from web where page = 'pay' group by campaign",
        "select campaign, count(distinct who) from web where page = 'pay' group by campaign",
    ),
    (
        "select sum(visitors) from web where daterange between '2024-01-03' and '2024-01-05'",
        "select count(distinct who) from web where daterange between '2024-01-03' and '2024-01-05'",
    ),
    (
        "select channel, sum(case when page = 'pay' then visitors end) from web group by channel",
        "select channel, count(distinct case when page = 'pay' then who end) from web group by channel",
    ),
    (
        "select channel, sum(if(page = 'pay', visitors, 0)) from web group by channel",
        "select channel, count(distinct case when page = 'pay' then who end) from web group by channel",
    ),
    (
        "select channel, sum(visitors) filter (where page = 'pay') from web group by channel",
        "select channel, count(distinct case when page = 'pay' then who end) from web group by channel",
    ),
    (
        "select campaign, sum(v) from (select campaign, visitors as v from web where channel = 'Email') t group by 1",
        "select campaign, count(distinct who) from web where channel = 'Email' group by 1",
    ),
    (
        "select sum(visitors) / sum(occurrences)::float from web",
        "select count(distinct who) / 300.0 from web",
    ),
    ("select sum(visitors + occurrences) from web", "select count(distinct who) + 300 from web"),
    (
        "select 2 * sum(visitors), sum(visitors * 2), sum(-visitors) from web",
        "select 2 * count(distinct who), 2 * count(distinct who), -count(distinct who) from web",
    ),
    (
        "select region, sum(visitors) from web join channels using (channel) group by region",
        "select region, count(distinct who) from web join channels using (channel) group by region",
    ),
    (
        "select region, sum(visitors) from web left join channels using (channel) group by region",
        "select region, count(distinct who) from web left join channels using (channel) group by region",
    ),
    (
        "select campaign, sum(visitors) from web join channels using (channel) where region = 'EU' group by 1",
        "select campaign, count(distinct who) from web join channels using (channel) where region = 'EU' group by 1",
    ),
    (
        "select page, sum(visitors) from web join (select adobe_personid as p from web group by 1"
        " having sum(orders) > 8) b on adobe_personid = b.p group by 1",
        "select page, count(distinct who) from web where who in (select who from web group by 1 having sum(orders) > 8)"
        " group by 1",
    ),
    (
        "select page, sum(visitors) from web where adobe_personid in (select adobe_personid from web group by 1"
        " having sum(orders) > 8) group by 1",
        "select page, count(distinct who) from web where who in (select who from web group by 1 having sum(orders) > 8)"
        " group by 1",
    ),
    (
        "select channel, campaign, sum(visitors) from web group by rollup (channel, campaign)",
        "select channel, campaign, count(distinct who) from web group by rollup (channel, campaign)",
    ),
    (
        "select channel, sum(visitors), rank() over (order by sum(visitors) desc, channel) from web group by 1",
        "select channel, count(distinct who), rank() over (order by count(distinct who) desc, channel) from web"
        " group by 1",
    ),
    (
        "select w.campaign, sum(w.visitors) from web w join channels c on w.channel = c.channel"
        " where c.region < w.page group by 1",
        "select w.campaign, count(distinct who) from web w join channels c on w.channel = c.channel"
        " where c.region < w.page group by 1",
    ),
    (
        "select c.region, sum(w.visitors) from web w left join channels c on w.channel = c.channel and c.rate > 1"
        " group by 1",
        "select c.region, count(distinct who) from web w left join channels c"
        " on w.channel = c.channel and c.rate > 1 group by 1",
    ),
    ("select adobe_personid, visitors, visits from web", "select who, visitors, visits from web"),
    (
        "select sum(x) from (select visitors as v, revenue as x from web limit 1000) t",
        "select sum(revenue) from web",
    ),
    ("select count(*) from (select visitors from web limit 1000) t", "select 300"),
]


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_pairs(ours, theirs, ask, plain):
    same_rows(ask(ours), plain(theirs))


@pytest.mark.parametrize("most", [0, 1])
def test_long_lists_and_lookups_go_through_files(most, ask, plain, monkeypatch):
    monkeypatch.setattr("sqlfront.planner.folding.MOST_WRITTEN", most)
    monkeypatch.setattr("sqlfront.execution.MOST_WRITTEN", most)
    for ours, theirs in PAIRS[-7:-5]:
        same_rows(ask(ours), plain(theirs))


def test_the_total_of_an_attributed_metric_is_that_of_the_metric(ask):
    credited, revenue = ask("select sum(credited), sum(revenue) from web")[0]
    by_channel = ask("select channel, sum(credited) from web group by channel")
    assert credited == pytest.approx(revenue)
    assert sum(value for _, value in by_channel) == pytest.approx(revenue)


def test_a_filter_on_a_grouped_dimension_filters_the_rows(ask):
    whole = dict(ask("select channel, sum(credited) from web group by channel"))
    one = ask("select channel, sum(credited) from web where channel = 'Email' group by channel")
    column = ask(
        "select sum(x) from (select channel, sum(case when channel = 'Email' then credited end) as x"
        " from web group by channel) t"
    )
    top = ask(
        "select w.channel, sum(w.credited) from web w join (select 'Email' as c) t on w.channel = t.c"
        " group by 1"
    )
    assert one == [("Email", pytest.approx(whole["Email"]))] == top
    assert column == [(pytest.approx(whole["Email"]),)]


def test_a_range_in_a_column_reads_like_a_range_of_the_whole(ask):
    whole = ask("select channel, sum(credited) from web where daterange >= '2024-02-10' group by channel")
    column = ask(
        "select channel, sum(case when daterange >= '2024-02-10' then credited end), sum(revenue)"
        " from web group by channel"
    )
    same_rows([row for row in whole if row[1]], [row[:2] for row in column if row[1]])
    assert len(column) >= len(whole)


def test_a_segment_in_a_column_reads_like_a_segment_of_the_whole(ask):
    whole = ask("select channel, sum(credited) from web where page = 'pay' group by channel")
    column = ask(
        "select channel, sum(case when page = 'pay' then credited end), sum(revenue) from web group by 1"
    )
    same_rows([row for row in whole if row[1]], [row[:2] for row in column if row[1]])


@pytest.mark.parametrize(
    ("on_lookup", "on_view"),
    [
        ("c.region = 'EU'", "w.channel in ('Email', 'Search')"),
        (
            "c.rate > 1 and c.region < w.product",
            "(w.channel, w.product > 'EU') = ('Email', true) or"
            " (w.channel, w.product > 'US') = ('Social', true)",
        ),
    ],
)
def test_a_condition_on_a_lookup_takes_touches_and_conversions_away(on_lookup, on_view, ask):
    joined = "from web w left join channels c on w.channel = c.channel"
    segment = ask(f"select page, sum(credited) from web w where {on_view} group by 1")
    same_rows(ask(f"select page, sum(credited) {joined} where {on_lookup} group by 1"), segment)
    column = ask(f"select page, sum(case when {on_lookup} then credited end), count(*) {joined} group by 1")
    same_rows([row[:2] for row in column if row[1]], [row for row in segment if row[1]])


@pytest.mark.parametrize(
    "nothing",
    [
        "\"timestamp\" >= '2024-03-01' and \"timestamp\" < '2024-02-01'",
        "\"timestamp\" >= '2031-01-01' and \"timestamp\" < '2032-01-01'",
        "1 = 0",
    ],
)
def test_an_empty_range_has_no_people_whatever_makes_it_empty(nothing, ask):
    counted = "sum(visits), sum(visitors), count(*), count(distinct page), sum(revenue)"
    assert ask(f"select {counted} from web where {nothing}") == [(0, 0, 0, 0, None)]
