"""Conditions of segments: what they may say, and how each refusal names its place and its remedy."""

import pytest
import yaml

from engine.applying import apply, segment_problems
from engine.dataview.components import data_view
from engine.dataview.segments import SegmentError, spelled
from engine.definitions.model import Definitions, SegmentDefinition
from engine.definitions.project import load
from engine.errors import DefinitionError
from engine.report.segments import checked
from engine.world import Home
from tests.report.conftest import DEFINITIONS

VIEW = data_view(DEFINITIONS, "shop")

ALLOWED = [
    "channel = 'email' AND NOT page IN ('a', 'b') OR orders BETWEEN 1 AND 2",
    "Channel <> 'email'",
    "\"channel\" IS NOT NULL AND page LIKE 'x%' AND page NOT ILIKE '%Y!%%' ESCAPE '!'",
    "channel IS DISTINCT FROM page AND channel ~ '^e' AND channel !~* 'X$'",
    "lower(trim(channel)) || '!' = 'email!' AND length(page) > 2 AND left(page, 1) = 'p'",
    "coalesce(nullif(channel, ''), 'none') = 'none' AND starts_with(page, 'p')",
    "substring(page, 1, 2) = 'pa' AND split_part(page, '/', 2) = 'x' AND position('a' IN page) > 0",
    "price * 2 - 1 > 10.5 AND abs(round(price, 1)) < 100 AND orders % 2 = 0",
    "CASE WHEN orders > 1 THEN channel = 'email' ELSE FALSE END",
    "channel::integer > 5 OR CAST(page AS date) < DATE '2024-01-01'",
    "timestamp >= '2024-01-01' AND timestamp < TIMESTAMP '2024-02-01 10:00:00'",
    "daterangeday = '2024-01-01' AND extract(hour FROM timestamp) < 6",
    "date_trunc('month', timestamp) + INTERVAL '1 month' > '2024-01-01' AND daterange = '2024-01-01'",
    "timeparthourofday < 6 AND timepartdayofweek = 'Monday' AND daterangehour > '2024-01-01'",
    "adobe_personid = 'ann' AND adobe_sessionstarts = 1 AND occurrences = 1 AND purchases = 1",
    "product = 'a' AND item_revenue > 50 AND product_ab IS NULL",
    "FALSE",
]


@pytest.mark.parametrize("text", ALLOWED)
def test_a_condition_may_compare_calculate_and_call_harmless_functions(text):
    assert checked([SegmentDefinition(where=text)], VIEW)


# (condition, part of the message, part of the hint)
REFUSED = [
    ("chanel = 'email'", 'no component "chanel"', '"channel"'),
    ("shop.channel = 'email'", "shop.channel", "components of the view alone"),
    ("visitors > 1", '"visitors" has no value', "container"),
    ("filterId = 'x'", '"filterId" has no value', "condition itself"),
    ("channel IN (SELECT 'email')", "sub-query", "IN ('email', 'paid')"),
    ("EXISTS (SELECT 1)", "sub-query", ""),
    ("count(*) > 1", "COUNT(*) adds up many events", "container"),
    ("sum(orders) OVER () > 1", "cannot be used", ""),
    ("now() > timestamp", "function current_timestamp", "Functions:"),
    ("current_date = daterange", "function current_date", "Functions:"),
    ("random() > 0.5", "function rand", ""),
    ("lowr(channel) = 'a'", "function lowr", '"lower"'),
    ("read_csv('x') = 'a'", "function read_csv", "Functions:"),
    ("getenv('HOME') = 'a'", "function getenv", "Functions:"),
    ("pg_read_file('/etc/passwd') = channel", "function pg_read_file", "Functions:"),
    ("channel = $1", "'$1' cannot", "comparisons"),
    ("channel COLLATE \"C\" = 'a'", "cannot be used", ""),
    ("channel = 'a' email", "cannot be used", ""),
    ("channel = 'a'; SELECT 2", "", ""),
    ("SELECT 1", "sub-query", ""),
    ("DROP TABLE x", "", ""),
    ("channel =", "is not a condition in SQL", "Such as"),
    ("", "is not a condition in SQL", "Such as"),
    ("(" * 4000, "is not a condition in SQL", "Such as"),
    ("channel", "neither true nor false", "Compare"),
    ("orders + 1", "neither true nor false", "Compare"),
    ("channel > 5", "compare values of type", "one type"),
    ("orders = 'abc'", "Could not convert string 'abc' to INT", "one type"),
    ("timestamp > 'yesterday'", "invalid timestamp", ""),
    ("timestamp > '2024-01-01 00:00:00+02'", "the view's time zone", "without an offset"),
    ("channel ~ '['", "missing ]", ""),
    ("channel = 1", "Could not convert string 'x' to INT32", "one type"),
    ("timeparthourofday = 'noon'", "Could not convert string 'noon' to INT", "one type"),
    ("timestamp::timestamptz > '2024-01-01'", "cannot cast to", "timestamp"),
]


@pytest.mark.parametrize(("text", "message", "hint"), REFUSED)
def test_everything_else_is_refused_with_a_remedy(text, message, hint):
    with pytest.raises(SegmentError) as caught:
        checked([SegmentDefinition(container="person", any=[{"where": "TRUE"}, {"where": text}])], VIEW)
    assert caught.value.message.startswith("segments.0.any.1.where: ")
    assert message in caught.value.message
    assert "\n" not in caught.value.message
    assert hint in (caught.value.hint or "")


def test_a_cast_that_cannot_be_made_is_no_value_not_the_end_of_every_report():
    (segment,) = checked([SegmentDefinition(where="CHANNEL::text::integer > 5")], VIEW)
    assert segment.condition.sql("duckdb") == 'TRY_CAST(TRY_CAST("channel" AS TEXT) AS INT) > 5'


@pytest.mark.parametrize(
    ("where", "meant"),
    [
        (r"CHANNEL like 'a\_%'", r"""("channel" LIKE 'a\_%' ESCAPE '\')"""),
        ("CHANNEL like 'a_%'", "\"channel\" LIKE 'a_%'"),
        ("CHANNEL like 'a!_' escape '!'", "\"channel\" LIKE 'a!_' ESCAPE '!'"),
    ],
)
def test_like_escapes_as_in_postgresql(where, meant):
    (segment,) = checked([SegmentDefinition(where=where)], VIEW)
    assert segment.condition.sql("duckdb") == meant.strip("()")


PROJECT = """\
datasets:
  web: {timestamp: ts, fields: {ts: timestamp, who: string, channel: string}}
connections:
  all: {datasets: {web: {person_id: who}}}
data_views:
  shop:
    connection: all
    segments:
      - container: person
        exclude: true
        any:
          - channel = 'bot'
          - where: channell = 'bot'
    dimensions: {channel: channel}
"""


def test_a_rule_that_cannot_work_is_refused_with_file_and_line(tmp_path):
    path = tmp_path / "shop.yaml"
    path.write_text(PROJECT)
    with pytest.raises(DefinitionError) as caught:
        load(path, then=(segment_problems,))
    where = f"{path}:13: data_views.shop.segments.0.any.1.where: there is no component"
    assert str(caught.value).startswith(where)
    assert caught.value.hint == 'Did you mean "channel"?'
    with pytest.raises(DefinitionError, match=r"data_views\.shop\.segments\.0\.any\.1\.where: there is"):
        apply(Home.create(tmp_path / "home"), load(path))


@pytest.mark.parametrize(
    ("text", "replacement", "line", "hint"),
    [
        ("exclude: true", "exclud: true", 10, "exclude"),
        ("container: person", "container: persons", 9, "person"),
        ("where: channell", "wher: channell", 13, "where"),
        ("exclude: true", "where: channel = 'x'", 9, ""),
    ],
)
def test_a_misspelled_key_of_a_segment_is_named_with_its_line(tmp_path, text, replacement, line, hint):
    path = tmp_path / "shop.yaml"
    path.write_text(PROJECT.replace(text, replacement, 1))
    with pytest.raises(DefinitionError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}:{line}: data_views.shop.segments.0")
    assert hint in (caught.value.hint or "")


def test_segments_survive_the_catalog():
    text = PROJECT.replace("channell", "channel")
    definitions = Definitions.model_validate(yaml.safe_load(text))
    assert Definitions.model_validate_json(definitions.model_dump_json(exclude_defaults=True)) == definitions


def test_a_segment_can_be_read_aloud():
    segment = SegmentDefinition.model_validate(
        {
            "container": "person",
            "all": ["channel = 'email'", {"container": "session", "exclude": True, "where": "orders > 0"}],
        }
    )
    assert spelled(checked([segment], VIEW)[0]) == (
        'persons with an event: (events: "channel" = \'email\') and (sessions without an event: "orders" > 0)'
    )
