"""Compaction laws: whatever is appended, moved, removed, split, merged and grown, in whatever order, the
answers are those of a model that knows nothing of files, and the files keep their promises."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from engine.definitions.model import Definitions
from engine.journeys import change, compact, runs, store
from engine.journeys.columns import HASH_HIGH, SYSTEM, TIME
from engine.journeys.copies import live
from engine.journeys.order import hashed_and_ordered, journey_order
from engine.lake import delta
from engine.world import Home
from tests.journeys.support import journeys

EXAMPLES = int(os.environ.get("WAYLINE_LAW_EXAMPLES", "10"))
SCHEMA = pa.schema([*(pa.field(name, kind) for name, kind in SYSTEM.items()), pa.field("value", pa.string())])
COLUMNS = runs.polars_columns(SCHEMA)
PERSONS = [f"p{number}" for number in range(12)]


def at(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=UTC).timestamp()) * 1_000_000


FEBRUARY = at(2024, 2, 1)
TIMES = [
    at(1931, 5, 31, 23, 59, 59),
    at(1969, 12, 31, 23, 59, 59),
    at(2023, 12, 31),
    at(2024, 1, 1),
    FEBRUARY - 1,
    FEBRUARY,
    FEBRUARY + 1,
    at(2024, 2, 29, 12),
    at(2024, 4, 30, 23, 59, 59),
    at(2024, 5, 1),
    at(2024, 8, 8),
]
"""Edges of months, months without a neighbour, times before 1970; few, so that many are equal."""


@dataclass(frozen=True)
class Arrive:
    """Rows (time, person, value)."""

    rows: tuple[tuple[int, str, str | None], ...]


@dataclass(frozen=True)
class Move:
    """The rows at these places, modulo their number, belong to a person from now on; None removes them."""

    places: tuple[int, ...]
    person: str | None


@dataclass(frozen=True)
class Compact:
    """A piece of work, if there is something to do, with the rows that buckets may have."""

    work: str
    bucket: int = 1000


Operation = Arrive | Move | Compact

DEFINITIONS = Definitions.model_validate(
    {
        "datasets": {
            "web": {"timestamp": "at", "fields": {"at": "timestamp", "who": "string", "value": "string"}}
        },
        "connections": {"shop": {"datasets": {"web": {"person_id": "who"}}}},
    }
)


@dataclass
class Table:
    """A journey table, and what it must say: row → (time, person, value)."""

    home: Home
    version: int
    buckets: int
    model: dict[int, tuple[int, str, str | None]] = field(default_factory=dict)
    arrived: int = 0

    @property
    def path(self) -> Path:
        return self.home.journeys_path("shop")

    @property
    def files(self) -> store.Files:
        return store.files(self.path, self.version)


def new_table(folder: Path, buckets: int) -> Table:
    home = Home.create(tempfile.mkdtemp(dir=folder))
    return Table(home, delta.create(home.journeys_path("shop"), SCHEMA, TIME), buckets)


def frame(rows: dict[int, tuple[int, str, str | None]]) -> pl.DataFrame:
    """Whole rows in journey order, as appends and replays write them."""
    given = pl.DataFrame(
        {
            "_person": [person for _, person, _ in rows.values()],
            "_namespace": ["crm"] * len(rows),
            "_time": [time for time, _, _ in rows.values()],
            "_dataset": [0] * len(rows),
            "_event_id": [f"e{row % 3}" for row in rows],
            "_row": list(rows),
            "value": [value for _, _, value in rows.values()],
        },
        schema_overrides={"value": pl.String, "_dataset": pl.Int16, "_time": pl.Int64, "_row": pl.Int64},
    )
    return hashed_and_ordered(given).select(list(COLUMNS))


def write(table: Table, rows: dict[int, tuple[int, str, str | None]], dead: Sequence[int] = ()) -> None:
    """Commit new copies of rows, and a mask of the copies that they had."""
    how = change.writer(table.files, len(rows), table.buckets, alone=True)
    written = how.rows(table.path, table.version + 1, frame(rows)) if rows else []
    if dead:
        written += how.mask(frame({row: table.model[row] for row in dead}).select(store.MASK_ROW))
    if written:
        table.version = delta.commit(table.path, table.version, written)


def carry_out(table: Table, operation: Operation, patch: pytest.MonkeyPatch) -> None:
    if isinstance(operation, Arrive):
        rows = dict(enumerate(operation.rows, start=table.arrived))
        table.arrived += len(rows)
        write(table, rows)
        table.model |= rows
    elif isinstance(operation, Move):
        move(table, operation)
    else:
        patch.setattr(compact, "ROWS_PER_BUCKET", operation.bucket)
        work(table, operation.work)


def move(table: Table, operation: Move) -> None:
    known = sorted(table.model)
    rows = sorted({known[place % len(known)] for place in operation.places}) if known else []
    person = operation.person
    moved = (
        {} if person is None else {row: (table.model[row][0], person, table.model[row][2]) for row in rows}
    )
    write(table, moved, rows)
    table.model = {row: entry for row, entry in table.model.items() if row not in rows} | moved


def work(table: Table, name: str) -> None:
    files = table.files
    if name == "merge" and files.split:
        table.version = compact.merge(files, SCHEMA)
    elif name == "split" and files.unsplit:
        table.version = compact.split(files, SCHEMA, table.buckets)
    elif name == "merge runs" and len({file.sequence for file in files.unsplit}) > 1:
        table.version = compact.merge_runs(files, SCHEMA)
    elif name == "step":
        table.version = compact.step(table.path, table.version, SCHEMA, table.buckets) or table.version
    elif name in ("all", "due"):
        forced = name == "all"
        table.version = compact.compact_all(table.path, table.version, SCHEMA, table.buckets, force=forced)
        assert not (forced and (table.files.level0 or table.files.masks))


def check(table: Table) -> None:
    check_answers(table)
    files = table.files
    check_places(files)
    for file in (*files.base, *files.level0, *files.masks):
        check_content(files, file)


def check_answers(table: Table) -> None:
    expected = sorted((row, *entry) for row, entry in table.model.items())
    found = live(table.files, COLUMNS, ["_row", "_time", "_person", "value"]).collect()
    assert sorted(found.iter_rows()) == expected
    world = SimpleNamespace(journeys={"shop": table.version}, definitions=DEFINITIONS, identity_as_of=None)
    persons = journeys(table.home, ["_row", "_person", "_event_id", "value"], world)
    assert (
        sorted((row, time, person, value) for rows in persons for time, row, person, _, value in rows)
        == expected
    )
    assert len(persons) == len({person for _, person, _ in table.model.values()})
    for rows in persons:
        assert [(time, event, row) for time, row, _, event, _ in rows] == sorted(
            (time, event, row) for time, row, _, event, _ in rows
        )


def check_places(files: store.Files) -> None:
    newest = max((file.sequence for file in files.split), default=-1)
    assert all(file.sequence > newest for file in files.unsplit)
    ranges = sorted(
        file.hashes for file in {file.place: file for file in (*files.base, *files.split)}.values()
    )
    assert all(first[1] < second[0] for first, second in zip(ranges, ranges[1:], strict=False))
    for place in files.places:
        months = sorted(months_of(file) for file in files.base if file.place == place)
        assert all(first[1] < second[0] for first, second in zip(months, months[1:], strict=False))
    cut = min((of for _, of in files.places), default=1)
    assert all(of % cut == 0 for _, of in files.places)


def months_of(file: store.JourneyFile) -> tuple[tuple[int, int], tuple[int, int]]:
    assert file.min_time is not None and file.max_time is not None
    bounds = pl.Series([file.min_time, file.max_time]).cast(pl.Datetime("us"))
    first, last = bounds.to_list()
    return (first.year, first.month), (last.year, last.month)


def check_content(files: store.Files, file: store.JourneyFile) -> None:
    rows = pl.read_parquet(files.absolute(file))
    assert rows.height == file.rows > 0
    assert (rows[TIME].min(), rows[TIME].max()) == (file.min_time, file.max_time)
    assert rows[HASH_HIGH].is_between(*file.hashes).all()
    if file.kind is store.Kind.MASK:
        assert not rows.select(store.MASK_COLUMNS).is_duplicated().any()
    else:
        assert rows.equals(rows[journey_order(rows)])


def arrivals(most: int) -> st.SearchStrategy[Arrive]:
    row = st.tuples(st.sampled_from(TIMES), st.sampled_from(PERSONS), st.sampled_from([None, "a", "b"]))
    return st.builds(Arrive, st.lists(row, max_size=most).map(tuple))


def moves() -> st.SearchStrategy[Move]:
    places = st.lists(st.integers(0, 30), min_size=1, max_size=6).map(tuple)
    return st.builds(Move, places, st.sampled_from([None, *PERSONS[:3]]))


def compactions() -> st.SearchStrategy[Compact]:
    works = st.sampled_from(["merge", "split", "merge runs", "step", "step", "due", "all"])
    return st.builds(Compact, works, st.sampled_from([1, 4, 1000]))


OPERATIONS = st.lists(st.one_of(arrivals(12), moves(), compactions(), compactions()), max_size=12)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Thresholds that a few rows reach."""
    monkeypatch.setattr(compact, "MAX_RUNS", 2)
    monkeypatch.setattr(compact, "SPLIT_ROWS", 3)
    monkeypatch.setattr(compact, "STEP_ROWS", 8)
    monkeypatch.setattr(runs, "FILE_ROWS", 3)
    monkeypatch.setattr(runs, "SLICE_ROWS", 10)
    return monkeypatch


FIRST = Arrive(tuple((time, person, None) for time in TIMES[3:6] for person in PERSONS[:3]))
THERE_AND_BACK = [
    FIRST,
    Move((0,), "p9"),
    Compact("split"),
    Move((0,), FIRST.rows[0][1]),
    Compact("merge", bucket=1),
    Move((0,), "p9"),
    Move((0,), FIRST.rows[0][1]),
    Compact("merge runs"),
    Compact("split"),
    Compact("merge", bucket=1),
]
"""A row leaves its person and comes back, with compaction between the ways."""
OLDER_MASK = [
    FIRST,
    Compact("all"),
    Arrive(tuple((TIMES[3], person, "late") for person in PERSONS[:3])),
    Compact("split"),
    Move(tuple(range(9)), None),
    Compact("merge"),
]
"""A month is merged after a mask came that hits other months too: files of one bucket differ in age."""

MONTH_BETWEEN = [
    Arrive(tuple((TIMES[month], person, None) for month in (3, 5, 9) for person in PERSONS[:3])),
    Compact("all"),
    *(step for ends in ((0, 8), (0, 6)) for step in (Move(ends, None), Compact("split"), Compact("merge"))),
]
"""Two months become small, and the one between them stays as it is: they must not share a file."""


@settings(
    max_examples=6 * EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(operations=OPERATIONS, buckets=st.sampled_from([1, 2, 4]))
@example(operations=THERE_AND_BACK, buckets=2)
@example(operations=OLDER_MASK, buckets=1)
@example(operations=MONTH_BETWEEN, buckets=1)
def test_answers_and_files_stay_right(
    folder: Path, tiny: pytest.MonkeyPatch, operations: list[Operation], buckets: int
) -> None:
    table = new_table(folder, buckets)
    for operation in operations:
        carry_out(table, operation, tiny)
        check(table)


@settings(
    max_examples=2 * EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(first=arrivals(40), second=arrivals(6), moved=moves(), grown=st.booleans())
def test_a_merge_leaves_alone_what_nothing_happened_to(
    folder: Path, tiny: pytest.MonkeyPatch, first: Arrive, second: Arrive, moved: Move, grown: bool
) -> None:
    tiny.setattr(runs, "SLICE_ROWS", 1000)
    tiny.setattr(runs, "FILE_ROWS", 1)
    table = new_table(folder, 4)
    for operation in (first, Compact("all"), second, moved, Compact("split")):
        carry_out(table, operation, tiny)
    before = table.files
    carry_out(table, Compact("merge", bucket=3 if grown else 1000), tiny)
    after = {file.path for file in table.files.base}
    merged = {file.place for file in before.split} - {file.place for file in table.files.split}
    for file in before.base:
        touched = grown or any(hits(before, split, file) for split in before.split)
        assert file.path in after or (file.place in merged and touched)
    check(table)


def hits(files: store.Files, split: store.JourneyFile, base: store.JourneyFile) -> bool:
    """Whether a row or mask of a split file is of a base file's bucket and months."""
    first, last = months_of(base)
    times = pl.read_parquet(files.absolute(split))[TIME].cast(pl.Datetime("us")).to_list()
    return split.place == base.place and any(first <= (time.year, time.month) <= last for time in times)
