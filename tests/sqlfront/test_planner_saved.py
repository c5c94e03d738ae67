"""Saved segments and date ranges by name: the same numbers as their conditions written out, and lists of names."""

import pytest

from engine.errors import WaylineError
from tests.sqlfront.compare import same_rows

MEASURED = "count(*), sum(orders), sum(visitors), sum(visits), sum(credited)"
SAME = [
    ("filterName = 'On sale'", "campaign = 'sale'"),
    ("'sale' = filterId", "campaign = 'sale'"),
    ("filterName in ('On sale')", "campaign = 'sale'"),
    ("filterName = 'On sale' and filterId = 'mail'", "campaign = 'sale' and channel = 'Email'"),
    ("filterName in ('On sale', 'By mail')", "(campaign = 'sale' or channel = 'Email')"),
    ("filterName = 'On ' || 'sale' and page = 'pay'", "campaign = 'sale' and page = 'pay'"),
    ("filterName = null", "1 = 0"),
    ("daterangeName = 'January 2024'", "daterange < '2024-02-01'"),
    (
        "daterangeName in ('Until March') and daterange > '2024-02-01'",
        "daterange between '2024-02-02' and '2024-02-29'",
    ),
    ("daterangeName = 'January 2024' and daterangeName = 'Until March'", "daterangemonth = '2024-01-01'"),
    (
        "daterangeName = 'Last Year'",
        "\"timestamp\" >= date_trunc('year', now()) - interval '1 year' and \"timestamp\" < date_trunc('year', now())",
    ),
]


@pytest.mark.parametrize(("chosen", "written"), SAME)
@pytest.mark.parametrize("group", ["page", "product"])
def test_a_choice_equals_its_condition(chosen, written, group, ask):
    ours = ask(f"select {group}, {MEASURED} from web where {chosen} group by 1")
    same_rows(ours, ask(f"select {group}, {MEASURED} from web where {written} group by 1"))
    same_rows(
        ask(f"select {MEASURED} from (select * from (select * from web) a) b where {chosen}"),
        ask(f"select {MEASURED} from web where {written}"),
    )
    same_rows(
        ask(f"select {group}, revenue from web where {chosen}"),
        ask(f"select {group}, revenue from web where {written}"),
    )


def test_the_container_of_a_saved_segment_counts(ask):
    most = "select adobe_personid, max(revenue) as r, count(*) as n from web group by 1"
    expected = ask(f"select sum(n), count(*) from ({most}) t where r > 150")
    assert ask("select count(*), sum(visitors) from web where filterId = 'spenders'") == expected


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("select filterName from web", [("Spenders",), ("On sale",), ("By mail",)]),
        ("select filterName from web_berlin", [("Spenders",)]),
        ("select filterId, filterName from web where filterName like 'B%' limit 5", [("mail", "By mail")]),
        (
            "select distinct filterName as n from web where daterange > '2024-01-01' order by n desc limit 1",
            [("Spenders",)],
        ),
        (
            "select f from (select filterName as f, channel from web) t group by f order by f",
            [("By mail",), ("On sale",), ("Spenders",)],
        ),
        (
            "select filterName from web where filterName = 'On sale' union all select 'x'",
            [("On sale",), ("x",)],
        ),
        (
            "select daterangeName from web where daterangeName like '% Month' or daterangeName like 'J%' order by 1",
            [("January 2024",), ("Last Month",), ("This Month",)],
        ),
    ],
)
def test_names_are_listed(sql, rows, ask):
    same_rows(ask(sql), rows)


def test_a_chosen_name_can_be_shown(ask):
    total = ask("select sum(orders) from web where campaign = 'sale'")[0][0]
    question = "select filterName, filterId, sum(orders) from web where {} group by 1, 2"
    for term in (
        "filterName = 'On sale'",
        "filterId in ('sale')",
        "filterName = 'On sale' and not filterName is null",
    ):
        assert ask(question.format(term)) == [("On sale", "sale", total)]


def test_a_choice_may_be_a_parameter(ask):
    question = "select count(*) from web where filterName = $1 and daterangeName = $2"
    expected = ask("select count(*) from web where campaign = 'sale' and daterange < '2024-02-01'")
    assert ask(question, "On sale", "January 2024") == expected
    with pytest.raises(WaylineError) as caught:
        ask(question, "On sale", "Januar 2024")
    assert caught.value.sqlstate == "22023" and 'Did you mean "January 2024"?' in caught.value.hint


ERRORS = [
    ("select count(*) from web where filterName = 'On sal'", "22023", 'Did you mean "On sale"?'),
    ("select count(*) from web where filterId = 'On sale'", "22023", 'Did you mean "sale"?'),
    ("select count(*) from web_berlin where filterName = 'On sale'", "22023", "Spenders"),
    ("select count(*) from web where filterName <> 'On sale'", "0A000", "AND"),
    ("select count(*) from web where filterName not in ('On sale')", "0A000", "AND"),
    ("select count(*) from web where filterName like 'On%'", "0A000", "AND"),
    ("select count(*) from web where filterName = 'On sale' or page = 'pay'", "0A000", "AND"),
    ("select count(*) from web where daterangeName in ('January 2024', 'Until March')", "0A000", "UNION"),
    ("select sum(case when filterName = 'On sale' then orders end) from web", "0A000", "AND"),
    ("select filterName, count(*) from web group by 1", "0A000", "AND"),
    (
        "select filterName, count(*) from web where filterName in ('On sale', 'By mail') group by 1",
        "0A000",
        "AND",
    ),
    ("select filterName from web where channel = 'Email'", "0A000", "by itself"),
    ("select filterName, daterangeName from web", "0A000", "by itself"),
]


@pytest.mark.parametrize(("sql", "sqlstate", "hint"), ERRORS)
def test_what_is_no_choice_is_refused(sql, sqlstate, hint, ask):
    with pytest.raises(WaylineError) as caught:
        ask(sql)
    assert caught.value.sqlstate == sqlstate and hint in caught.value.hint
