"""Statements that once broke, answered or refused with the code that fits; ``wayline sql`` never crashes."""

import pytest

from engine.errors import WaylineError
from wayline.serving import ask

ANSWERED = {
    "SELECT COUNT(DISTINCT item) FROM shop": [(2,)],
    "SELECT channel, SUM(revenue * 2) FROM shop GROUP BY 1 ORDER BY 1": [
        ("Email", None),
        ("Social", None),
        (None, 30.0),
    ],
    "SELECT count(*) FROM shop WHERE timestamp < '0001-01-01' OR timestamp > '9999-12-31'": [(0,)],
    "SELECT count(*) FROM shop WHERE timestamp > '0001-01-01' AND timestamp < '0001-02-01'": [(0,)],
    "SELECT * FROM unnest(ARRAY[1, 2])": [(1,), (2,)],
    "SELECT * FROM (SELECT 1 AS a, 2 AS a) x": [(1, 2)],
    "SELECT count(*) FROM shop WHERE timestamp AT TIME ZONE 'Europe/Berlin' < '2026-03-29 01:00:00+00'": [
        (2,)
    ],
    "SELECT daterangehour, count(*) FROM shop WHERE daterangeday = DATE '2026-03-29' GROUP BY 1 ORDER BY 1": [
        ("2026-03-29 00:00:00", 1),
        ("2026-03-29 01:00:00", 1),
        ("2026-03-29 03:00:00", 1),
    ],
}
REFUSED = {
    "SELEC 1": "42601",
    ";": "42601",
    "": "42601",
    "SET x = 1": "0A000",
    "BEGIN": "0A000",
    "DROP TABLE web": "0A000",
    "SELECT 1; SELECT 2": "0A000",
    "SELECT nope FROM web": "42703",
    "SELECT nope FROM shop": "42703",
    "SELECT nope FROM pg_class": "42703",
    "SELECT * FROM nope": "42P01",
    "SELECT * FROM '/etc/passwd'": "42501",
    "SELECT * FROM read_text('/etc/passwd')": "42501",
    "SELECT 'a'::int": "22P02",
    "SELECT 1::nope": "42704",
    "SELECT now() AT TIME ZONE 'Nowhere/Land'": "22023",
    "SELECT channel FROM shop LIMIT -1": "2201W",
    "SELECT SUM(SUM(revenue)) FROM shop": "42803",
    "SELECT 1 WHERE SUM(1) > 0": "42803",
    "SELECT count(*) FROM shop WHERE " + " OR ".join(["channel = 'a'"] * 1500): "54001",
    "SELECT count(*) FROM shop WHERE " + "(" * 600 + "channel = 'a'" + ")" * 600: "54001",
}


@pytest.mark.parametrize("sql", ANSWERED)
def test_answered(home, sql):
    _, rows = ask(home, sql)
    shown = [tuple(str(value) if hasattr(value, "hour") else value for value in row) for row in rows]
    assert shown == ANSWERED[sql]


@pytest.mark.parametrize("sql", REFUSED)
def test_refused_with_a_code(home, sql):
    with pytest.raises(WaylineError) as refused:
        ask(home, sql)
    assert refused.value.sqlstate == REFUSED[sql]
    assert "\n" not in refused.value.message
