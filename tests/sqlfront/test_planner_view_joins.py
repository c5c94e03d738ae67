"""Joins of data views by keys that repeat: each is reported by its keys first, and its metrics are added up."""

from __future__ import annotations

import pytest

from engine.errors import UnsupportedError
from tests.sqlfront.compare import same_rows

_KEYS = "(SELECT channel, SUM(revenue) AS revenue, COUNT(revenue) AS sold FROM web GROUP BY 1)"
_PAGES = "(SELECT channel, page, SUM(orders) AS orders FROM web GROUP BY 1, 2)"


@pytest.mark.parametrize(
    ("asked", "by_keys"),
    [
        (
            "SELECT SUM(a.revenue), SUM(b.revenue), COUNT(a.revenue) FROM web a JOIN web b ON a.channel = b.channel",
            f"SELECT SUM(a.revenue), SUM(b.revenue), SUM(a.sold) FROM {_KEYS} a JOIN {_KEYS} b ON a.channel = b.channel",
        ),
        (
            "SELECT b.page, SUM(a.revenue), SUM(b.orders) FROM web a JOIN web b ON a.channel = b.channel GROUP BY 1",
            f"SELECT b.page, SUM(a.revenue), SUM(b.orders) FROM {_KEYS} a"
            f" JOIN {_PAGES} b ON a.channel = b.channel GROUP BY 1",
        ),
        (
            "SELECT a.channel, SUM(a.revenue) FROM web a LEFT JOIN (SELECT * FROM web WHERE page = 'pay') b"
            " ON a.channel = b.channel AND a.channel <> 'Email' GROUP BY 1",
            f"SELECT channel, revenue FROM {_KEYS} AS k",
        ),
        (
            "SELECT SUM(b.revenue), MAX(b.page) FROM web a JOIN web b ON a.channel = b.channel",
            f"SELECT SUM(revenue), (SELECT MAX(page) FROM web) FROM {_KEYS} AS k WHERE channel IS NOT NULL",
        ),
        (
            "SELECT MAX(a.revenue), COUNT(*), COUNT(DISTINCT b.page) FROM web a JOIN web b ON a.channel = b.channel",
            "SELECT MAX(a.revenue), COUNT(*), COUNT(DISTINCT b.page) FROM web a JOIN web b ON a.channel = b.channel",
        ),
        (
            "SELECT SUM(a.revenue) FROM web a JOIN (SELECT * FROM web ORDER BY timestamp LIMIT 400) b"
            " ON a.channel = b.channel",
            "SELECT SUM(a.revenue) FROM web a JOIN web b ON a.channel = b.channel",
        ),
    ],
)
def test_sums_are_those_of_reports_by_keys(ask, plain, asked, by_keys):
    same_rows(ask(asked), plain(by_keys))


@pytest.mark.parametrize(
    "asked",
    [
        "SELECT SUM(a.revenue), COUNT(DISTINCT b.page) FROM web a JOIN web b ON a.channel = b.channel",
        "SELECT SUM(a.revenue), MAX(b.page) FROM web a JOIN web b ON a.channel = b.channel",
        "SELECT SUM(CASE WHEN b.page = 'pay' THEN a.revenue END) FROM web a JOIN web b ON a.channel = b.channel",
        "SELECT AVG(a.revenue) FROM web a LEFT JOIN web b ON a.channel = b.channel WHERE b.page IN ('pay', 'cart')",
        "SELECT b.page, SUM(a.revenue) FROM web a JOIN web b ON a.channel = b.channel GROUP BY ROLLUP (b.page)",
        "SELECT upper(b.product), SUM(a.revenue) FROM web a JOIN web b ON a.channel = b.channel GROUP BY 1",
    ],
)
def test_columns_that_would_split_the_other_reports_rows_are_refused(ask, asked):
    with pytest.raises(UnsupportedError, match="would count once for each"):
        ask(asked)
