"""``wayline.compat``: what a statement leaves open is closed as in the reference service, and only with it."""

from datetime import UTC, datetime, timedelta

import pytest

from engine.cancellation import Cancellation
from engine.governance.access import OWNER
from sqlfront.answer import plan
from sqlfront.dialect import parse
from sqlfront.settings import Settings
from sqlfront.sqlstate import SqlError
from tests.sqlfront.compare import same_rows

ALL = "daterange > '2020-01-01'"


@pytest.fixture(scope="session")
def compatible(home, workspace):
    """Ask with the setting on."""
    settings = Settings().with_value("Wayline.Compat", "TRUE").values

    def run(sql):
        question = plan(
            parse(sql)[0],
            home=home,
            world=home.current(),
            workspace=workspace,
            settings=settings,
            access=lambda: OWNER,
        )
        table = question.run((), Cancellation()).read_all()
        return list(zip(*(column.to_pylist() for column in table.columns), strict=True))

    return run


@pytest.mark.parametrize(
    ("term", "written"),
    [
        ("daterange <= '2024-01-31'", "daterange between '2024-01-01' and '2024-01-31'"),
        ("daterange < '2024-02-01'", "daterange between '2024-01-02' and '2024-01-31'"),
        (
            "\"timestamp\" < '2024-02-10 12:00:00'",
            "\"timestamp\" >= '2024-01-11 12:00:00' and \"timestamp\" < '2024-02-10 12:00:00'",
        ),
        (
            "daterange < '2024-02-01' and daterange < '2024-01-31'",
            "daterange between '2024-01-01' and '2024-01-30'",
        ),
        ("daterange >= '2024-02-01'", "daterange >= '2024-02-01'"),
        (
            "daterange between '2024-01-10' and '2024-03-01'",
            "daterange between '2024-01-10' and '2024-03-01'",
        ),
        ("daterangeName = 'Until March'", "daterange < '2024-03-01'"),
        ("page = 'pay'", "1 = 0"),
        ("(daterange < '2024-02-01' or page = 'pay')", "1 = 0"),
    ],
)
def test_the_ends_of_a_range_are_closed(term, written, compatible, ask):
    measured = "select {} count(*), sum(visits), sum(credited) from web where {}"
    same_rows(compatible(measured.format("", term)), ask(measured.format("", written)))
    grouped = "select page, count(*), sum(revenue) from web where {} group by 1"
    same_rows(compatible(grouped.format(term)), ask(grouped.format(written)))
    nested = "select count(*) from (select * from web) t where {}"
    same_rows(compatible(nested.format(term)), ask(nested.format(written)))


@pytest.mark.parametrize(
    "sql",
    [
        f"select channel, page, sum(revenue) as r, count(*) from web where {ALL} group by 1, 2",
        f"select * from (select channel, page, sum(revenue) as r, count(*) from web where {ALL} group by 1, 2) t",
        f"with t as (select channel, page, sum(revenue) as r from web where {ALL} group by 1, 2) select * from t",
    ],
)
def test_rows_come_by_the_first_metric(sql, compatible, ask):
    values = [row[2] for row in compatible(sql) if row[2] is not None]
    assert values == sorted(values, reverse=True) and len(values) > 5
    same_rows(compatible(sql + " order by 1 limit 100"), ask(sql))


def test_a_statement_says_its_own_order_and_limit(compatible):
    own = f"select channel, count(*) from web where {ALL} group by 1 order by 1 nulls first limit 2"
    assert [row[0] for row in compatible(own)] == [None, "Direct"]


def test_fifty_rows_are_the_default_over_views_alone(compatible, ask):
    assert len(compatible(f"select channel, revenue from web where {ALL}")) == 50
    assert len(compatible("select * from generate_series(1, 60) g")) == 60
    assert len(ask("select channel, revenue from web")) == 300


def test_extremes_of_time_are_for_range_pickers(compatible, ask):
    first, last, channel = compatible(
        f'select min("timestamp"), max(daterangeday), min(channel) from web where {ALL}'
    )[0]
    now = datetime.now(UTC).replace(tzinfo=None)
    assert abs(last - now) < timedelta(minutes=5) and last - first > timedelta(days=729)
    assert channel == "Direct"
    assert ask('select max("timestamp") from web')[0][0] < datetime(2024, 4, 1)


def test_the_setting_is_a_switch():
    assert Settings().show("wayline.compat") == "off"
    assert Settings().with_value("wayline.compat", "'on'").show("wayline.compat") == "on"
    with pytest.raises(SqlError, match="Boolean"):
        Settings().with_value("wayline.compat", "maybe")
