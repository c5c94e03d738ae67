"""Why an answer changed: the split adds up, and each part is what the worlds of its cause did one by one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import batches, flow
from engine.definitions.model import Definitions
from engine.difference import Cause, Step, cause_of, rows_by_key, split, steps, without
from engine.errors import HomeError, InputError, UnknownNameError, UnsupportedError
from engine.rollback import roll_back
from engine.vacuum import vacuum
from engine.world import Home, World
from sqlfront import difference
from sqlfront.difference import Explained, why
from tests.journeys.support import ingest_rows
from tests.laws.shop_homes import asker
from tests.world.homes import QUESTION, START, make_home, pinned_worlds, rows, shop

CAUSES = {
    "ingest web batch 3": Cause.LATE,
    "ingest web batch 4 in place of 1, 2": Cause.DELETES,
    "replay shop": Cause.REPLAYS,
    "revert web batch 3": Cause.DELETES,
    "rollback to world 3": Cause.DELETES,
    "apply": Cause.DEFINITIONS,
    "compact shop": None,
    "rebuild shop": None,
    "recover": None,
    "init": None,
}


def world(number: int, cause: str, vacuumed: bool = False) -> World:
    gone = datetime(2024, 1, 1, tzinfo=UTC) if vacuumed else None
    return World(number, datetime(2024, 1, 1, tzinfo=UTC), cause, Definitions(), {}, {}, {}, {}, gone)


def can_be_asked(found: World) -> bool:
    return found.vacuumed_at is None


@pytest.mark.parametrize(("cause", "kind"), CAUSES.items())
def test_every_cause_is_of_a_kind(cause: str, kind: Cause | None) -> None:
    assert cause_of(world(2, cause)) is kind


published = st.lists(st.tuples(st.sampled_from(sorted(CAUSES)), st.booleans()), min_size=1, max_size=12)


@given(published)
def test_steps_lead_through_all_worlds_and_part_kinds_where_they_can(published: Any) -> None:
    worlds = [world(number, cause, gone) for number, (cause, gone) in enumerate(published)]
    worlds.append(world(99, "init"))
    path = steps(worlds, can_be_asked)
    places = [-1, *(worlds.index(step.world) for step in path)]
    assert places == sorted(set(places))
    assert path[-1].world is worlds[-1]
    for step, (start, end) in zip(path, pairwise(places), strict=True):
        between = worlds[start + 1 : end + 1]
        assert step.causes == {cause for found in between if (cause := cause_of(found))}
        # A world between that can be asked would have parted them, had its two sides other causes.
        assert {kinds for kinds in _parted(between) if kinds} <= {step.causes}
    assert all(left.causes != right.causes for left, right in pairwise(path))


def _parted(worlds: list[World]) -> Iterator[frozenset[Cause]]:
    """Yield the causes between each world that can be asked and the next one."""
    kinds: set[Cause] = set()
    for found in worlds:
        kinds |= {cause for cause in [cause_of(found)] if cause}
        if can_be_asked(found):
            yield frozenset(kinds)
            kinds = set()


def test_worlds_that_do_not_answer_count_to_the_next() -> None:
    kept = [world(2, "apply"), world(3, "replay shop"), world(4, "apply")]
    path = steps(kept, can_be_asked)
    assert [step.label for step in path] == ["definitions", "replays", "definitions"]
    assert [step.label for step in without(path, lambda found: found.id == 4)] == ["replays + definitions"]
    assert steps([world(2, "compact shop")], can_be_asked)[0].label == "upkeep"
    assert without([Step(frozenset(), kept[0]), *path], lambda found: found.id != 3)[-1].world.id == 4


values = st.one_of(st.none(), st.integers(-5, 5))
answers = st.lists(st.dictionaries(st.integers(0, 4), st.tuples(values, values)), min_size=2, max_size=6)


@given(answers, st.data())
def test_parts_add_up_and_no_row_is_lost(answers: list[dict[int, Any]], data: st.DataObject) -> None:
    tables = [{(key,): row for key, row in answer.items()} for answer in answers]
    labels = [data.draw(st.sampled_from(["a", "b", "a + b"])) for _ in answers[1:]]
    found = split(tables, labels, ["key"], ["x", "y"])
    changed = {change.key for change in found.changes}
    keys = {key for table in tables for key in table}
    assert found.unchanged == len(keys) - len(changed)
    for key in keys - changed:
        assert len({table.get(key, (None, None)) for table in (tables[0], tables[-1])}) == 1
    for change in found.changes:
        place = found.columns.index(change.column)
        before, after = (table.get(change.key, (None, None))[place] for table in (tables[0], tables[-1]))
        assert (change.before, change.after) == (before, after)
        assert sum(change.by.values()) == (after or 0) - (before or 0)
        assert set(change.by) == set(labels)


def test_texts_and_endless_numbers_are_shown_without_a_split() -> None:
    before, after = (
        {("a",): ("x", 1.5), ("b",): ("x", 1.0)},
        {("a",): ("y", float("inf")), ("b",): ("x", 1.0)},
    )
    found = split([before, after], ["replays"], ["k"], ["text", "number"])
    assert [(change.column, change.after, change.by) for change in found.changes] == [
        ("text", "y", {}),
        ("number", float("inf"), {}),
    ]


def test_sums_of_the_same_doubles_are_no_change() -> None:
    before, after = sum([0.1] * 3), 0.1 + (0.1 + 0.1)
    found = split([{("a",): (0.1 + 0.2 + 0.3,)}, {("a",): (0.3 + 0.2 + 0.1,)}], ["replays"], ["k"], ["x"])
    assert 0.1 + 0.2 + 0.3 != 0.3 + 0.2 + 0.1
    assert before == pytest.approx(after)
    assert (found.changes, found.unchanged) == ((), 1)


def test_rows_that_look_alike_are_refused_or_counted() -> None:
    table = pa.table({"k": ["a", "a", None], "list": [[1], [1], None], "x": [1, 2, 3]})
    assert rows_by_key(table.select(["k", "list"]), ["k", "list"]) == {("a", (1,)): (2,), (None, None): (1,)}
    with pytest.raises(InputError, match="several of them have the same k a"):
        rows_by_key(table, ["k"])


def replay(home: Home) -> None:
    flow.replay(home, "shop", at=START + timedelta(days=60), lookback=timedelta(days=90))


def apply(home: Home, random: Random) -> None:
    changed = home.current().definitions.model_dump()
    changed["data_views"]["shop"]["sessions"]["timeout"] = f"{random.randrange(10, 90)}h"
    flow.apply(home, Definitions.model_validate(changed))


def revert(home: Home, random: Random) -> None:
    shown = batches.batches(home, "web")
    active = [batch.number for batch in shown if batch.status.value == "success"]
    if len(active) > 1:
        batches.revert(home, "web", random.choice(active))


def publish_some(home: Home, random: Random) -> None:
    deeds = [
        lambda: ingest_rows(home, "web", rows(random.randrange(100, 999), 10)),
        lambda: replay(home),
        lambda: apply(home, random),
        lambda: revert(home, random),
        lambda: roll_back(home, random.randrange(3, home.current().id)),
        lambda: flow.compact(home, "shop"),
        lambda: flow.rebuild(home, "shop"),
    ]
    for deed in (*random.choices(deeds, k=6), deeds[0], deeds[1]):
        deed()


@pytest.mark.parametrize("seed", range(3))
def test_each_part_is_what_its_worlds_did_one_by_one(tmp_path: Path, seed: int) -> None:
    home, random = make_home(tmp_path, batches=2), Random(seed)
    publish_some(home, random)
    first, last = 3, home.current().id
    found = why(home, first, last, QUESTION)
    ask = asker(home)
    course = [
        (known, {row[0]: row[1:] for row in ask(QUESTION, known)})
        for known in home.worlds()
        if first <= known.id <= last
    ]
    parts: dict[tuple[Any, str, Any], float] = {}
    for (_, before), (known, after) in pairwise(course):
        for key in before.keys() | after.keys():
            empty = (0,) * 4
            moved = [
                new - old for old, new in zip(before.get(key, empty), after.get(key, empty), strict=True)
            ]
            if cause_of(known) is None:
                assert moved == [0] * 4
            for column, part in zip(found.difference.columns, moved, strict=True):
                place = (key, column, cause_of(known))
                parts[place] = parts.get(place, 0) + part
    ours = {
        (change.key[0], change.column, cause): part
        for change in found.difference.changes
        for cause, part in change.by.items()
    }
    assert {place: part for place, part in ours.items() if part} == {
        place: part for place, part in parts.items() if part
    }
    assert all(len(step.causes) == 1 for step in found.steps)


def test_upkeep_changes_nothing(tmp_path: Path) -> None:
    home = make_home(tmp_path, batches=3)
    first = home.current().id
    flow.compact(home, "shop")
    flow.rebuild(home, "shop")
    found = why(home, first, home.current().id, QUESTION)
    assert found.difference.changes == ()
    assert found.difference.unchanged == 3
    assert [step.label for step in found.steps] == ["upkeep"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """Worlds: 1 init, 2 apply, 3 and 4 batches, 5 replay, 6 batch, 7 revert, 8 apply."""
    home = make_home(tmp_path_factory.mktemp("homes"), batches=2)
    replay(home)
    ingest_rows(home, "web", rows(7))
    batches.revert(home, "web", 1)
    changed = shop().model_dump()
    changed["data_views"]["shop"]["metrics"] = {"income": "revenue"}
    flow.apply(home, Definitions.model_validate(changed))
    yield home
    home.close()


def test_questions_of_any_shape_are_split(home: Home) -> None:
    total = why(home, 4, 7, "SELECT SUM(occurrences) AS n FROM shop").difference
    assert (total.keys, total.columns, total.unchanged) == ((), ("n",), 0)
    by = total.changes[0].by
    for question in (
        "SELECT SUM(n) AS n FROM (SELECT channel, SUM(occurrences) AS n FROM shop GROUP BY channel) AS inside",
        "SELECT n FROM (SELECT SUM(occurrences) AS n FROM shop) AS inside",
        "WITH a AS (SELECT channel, COUNT(*) AS n FROM shop GROUP BY 1) SELECT SUM(n) AS n FROM a",
        "SELECT (SELECT SUM(occurrences) FROM shop) AS n",
    ):
        assert why(home, 4, 7, question).difference.changes[0].by == by
    hours = why(home, 4, 7, "SELECT EXTRACT(hour FROM timestamp) AS hour, COUNT(*) FROM shop GROUP BY 1")
    assert hours.difference.keys == ("hour",)
    assert sum(change.by["late data"] for change in hours.difference.changes) == by["late data"]
    alike = why(home, 4, 7, "SELECT channel, timestamp FROM shop").difference
    assert (alike.keys, alike.columns) == (("channel", "timestamp"), ("rows",))
    assert sum(change.by["deletes"] for change in alike.changes) == by["deletes"]
    histogram = (
        "SELECT n, COUNT(*) FROM (SELECT timestamp, COUNT(*) AS n FROM shop GROUP BY 1) AS a GROUP BY n"
    )
    assert why(home, 4, 7, histogram).difference.keys == ("n",)
    both = "SELECT channel, COUNT(*) AS n FROM shop GROUP BY 1 UNION ALL SELECT 'all', COUNT(*) FROM shop"
    assert why(home, 4, 7, both).difference.keys == ("channel",)
    star = "SELECT * FROM (SELECT channel, COUNT(*) AS n FROM web GROUP BY 1) AS a"
    assert why(home, 4, 7, star).difference.keys == ("channel",)


def test_rows_follow_the_last_answer_and_those_that_are_gone_come_last(home: Home) -> None:
    question = "SELECT timestamp, SUM(revenue) AS revenue FROM shop GROUP BY 1 ORDER BY 1 DESC"
    changes = why(home, 6, 7, question).difference.changes
    shown = [change.key[0] for change in changes if change.after is not None]
    gone = [change.key[0] for change in changes if change.after is None]
    assert gone
    assert [change.key[0] for change in changes] == shown + gone
    assert shown == sorted(shown, reverse=True)


def test_new_data_is_counted(home: Home) -> None:
    late = why(home, 5, 7, "SELECT SUM(revenue) FROM shop").late
    assert [(found.dataset, found.batches, found.rows, found.late) for found in late] == [("web", 1, 40, 40)]
    assert why(home, 5, 7, "SELECT COUNT(*) FROM web").late == late
    assert why(home, 3, 5, "SELECT COUNT(*) FROM calls").late == ()
    # Of what came with the second world, nothing is of a time before the first one, if that is long ago.
    old = {"published_at": datetime(2024, 1, 20, tzinfo=UTC)}
    world = home.world(5)
    ancient = World(**{**vars(world), **old})
    some = difference.lateness(home, ancient, home.world(7), ["web", "calls"])[0]
    expected = sum(row["at"] < old["published_at"] for row in rows(7))
    assert (some.rows, some.late) == (40, expected)
    assert 0 < expected < 40


def test_worlds_and_questions_that_cannot_be_asked_are_said(home: Home) -> None:
    with pytest.raises(UnknownNameError, match="there is no world 99"):
        why(home, 3, 99, QUESTION)
    with pytest.raises(InputError, match="world 4 was published after world 3") as reverse:
        why(home, 4, 3, QUESTION)
    assert reverse.value.hint == "Ask the other way: 3 4."
    with pytest.raises(InputError, match="world 4 is compared with itself"):
        why(home, 4, 4, QUESTION)
    with pytest.raises(InputError, match=r'world 8 cannot answer the question: column "revenue" does not'):
        why(home, 3, 8, QUESTION)
    with pytest.raises(
        InputError, match=r"other columns in world 8 \(.*income.*\) than in world 7 \(.*revenue"
    ):
        why(home, 7, 8, "SELECT * FROM shop")
    with pytest.raises(InputError, match="several of them have the same channel"):
        why(home, 4, 7, "SELECT channel, occurrences FROM shop")
    for question in ("EXPLAIN SELECT 1", "SELECT 1; SELECT 2", "SHOW all", "SELECT * FROM pg_class"):
        with pytest.raises(UnsupportedError):
            why(home, 4, 7, question)


def test_worlds_without_files_join_causes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = make_home(tmp_path, batches=2)
    first = home.current()
    expected = asker(home)("SELECT SUM(visits) FROM shop")
    with home.pin():
        replay(home)
        ingest_rows(home, "web", rows(8))
        vacuum(home, keep=timedelta())
    replay(home)
    found = why(home, first.id, home.current().id, "SELECT SUM(visits) AS n FROM shop")
    assert [step.label for step in found.steps] == ["late data + replays", "replays"]
    assert found.difference.labels == ("replays", "late data + replays")
    change = found.difference.changes[0]
    assert change.before == expected[0][0]
    assert sum(change.by.values()) == change.after - change.before
    with pytest.raises(HomeError, match="world 5 cannot be asked: its files were vacuumed"):
        why(home, 5, home.current().id, QUESTION)
    other = Home.open(home.root)
    asked: list[int] = []
    answer = difference._answer

    def vacuuming(question: Any, world: World) -> pa.Table:
        vacuum(other, keep=timedelta())
        asked.append(world.id)
        assert {first.id, home.current().id} <= pinned_worlds(other.catalog)
        return answer(question, world)

    monkeypatch.setattr(difference, "_answer", vacuuming)
    again: Explained = why(home, first.id, home.current().id, "SELECT SUM(visits) AS n FROM shop")
    assert again.difference == found.difference
    assert len(asked) == 3
