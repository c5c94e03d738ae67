"""The demo data is the same for the same seed, fits its schema, and looks like a web shop."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from engine.dataview.components import field_paths
from engine.definitions.model import Definitions
from engine.errors import InputError
from wayline.generate import Generated, Plan, generate, project_yaml, run, visits, web_events
from wayline.generate.delivery import deliver

EVENTS = 60_000
SEED = 11


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Generated:
    return generate(tmp_path_factory.mktemp("demo"), events=EVENTS, seed=SEED)


@pytest.fixture(scope="module")
def web(demo: Generated) -> pl.DataFrame:
    return pl.concat([pl.read_parquet(path) for path in demo.files["web"]])


@pytest.fixture(scope="module")
def definitions() -> Definitions:
    return Definitions.model_validate(yaml.safe_load(project_yaml()))


def contents(made: Generated) -> Iterator[tuple[str, bytes]]:
    for paths in made.files.values():
        for path in paths:
            yield path.name, path.read_bytes()


@pytest.mark.parametrize("file_format", ["parquet", "csv", "jsonl"])
def test_same_seed_and_size_give_the_same_bytes(tmp_path: Path, file_format: Any) -> None:
    first = generate(tmp_path / "a", events=3_000, seed=5, format=file_format)
    second = generate(tmp_path / "b", events=3_000, seed=5, format=file_format)
    assert dict(contents(first)) == dict(contents(second))
    assert first.counts == second.counts


def test_another_seed_gives_other_events(tmp_path: Path, demo: Generated) -> None:
    other = generate(tmp_path, events=EVENTS, seed=SEED + 1)
    assert all(
        one.read_bytes() != two.read_bytes()
        for one, two in zip(demo.files["web"], other.files["web"], strict=True)
    )


def test_rows_do_not_depend_on_how_days_are_cut_into_files(
    tmp_path: Path, web: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "FEWEST_FILES", 17)
    other = generate(tmp_path, events=EVENTS, seed=SEED)
    assert len(other.files["web"]) == 17
    assert pl.concat([pl.read_parquet(path) for path in other.files["web"]]).equals(web)


def test_a_day_can_be_made_on_its_own() -> None:
    plan = Plan(EVENTS, SEED)
    alone = visits.events(plan, 40)
    after_others = [visits.events(plan, day) for day in range(39, 42)][1]
    assert all(np.array_equal(alone[name], after_others[name]) for name in alone)


def test_every_format_holds_the_same_rows(tmp_path: Path) -> None:
    made = {
        name: generate(tmp_path / name, events=2_000, seed=3, format=name)  # type: ignore[arg-type]
        for name in ("parquet", "csv", "jsonl")
    }
    parquet = pl.concat([pl.read_parquet(path) for path in made["parquet"].files["web"]])
    text = parquet.with_columns(pl.col("ts").dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ"))
    lines = [json.loads(line) for path in made["jsonl"].files["web"] for line in path.open(encoding="utf-8")]
    assert lines == text.to_dicts()
    csv = pl.concat([pl.read_csv(path, schema_overrides=text.schema) for path in made["csv"].files["web"]])
    assert csv.equals(text.drop("items"))


def test_memory_holds_one_day_and_what_is_late() -> None:
    """The carried remainder is what arrives on a later day: under two per cent of a week."""
    plan = Plan(200_000, SEED)
    largest = max(plan.events_on(day) for day in range(90))
    arrived = [columns["key"].size for columns in deliver(plan)]
    assert max(arrived) <= largest * 1.1
    assert sum(arrived) < 200_000 * 1.006


def test_events_are_counted_exactly(demo: Generated, web: pl.DataFrame) -> None:
    assert web["event_id"].n_unique() == demo.counts["web_events"] == EVENTS
    assert web.height == demo.counts["web"] == EVENTS + demo.counts["web_duplicates"]


@pytest.mark.parametrize("events", [1, 7, 100, 1_001])
def test_small_sizes_are_exact_too(tmp_path: Path, events: int) -> None:
    made = generate(tmp_path, events=events, seed=2)
    rows = pl.concat([pl.read_parquet(path) for path in made.files["web"]])
    assert rows["event_id"].n_unique() == events


@pytest.mark.parametrize(("events", "file_format"), [(0, "csv"), (10, "xml")])
def test_what_cannot_be_generated_is_said(tmp_path: Path, events: int, file_format: Any) -> None:
    with pytest.raises(InputError, match="cannot"):
        generate(tmp_path / "none", events=events, seed=1, format=file_format)
    assert not (tmp_path / "none").exists()


def test_progress_counts_up_to_all_events(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    generate(tmp_path, events=1_000, seed=1, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (1_000, 1_000)
    assert seen == sorted(seen)


def test_files_fit_their_schema(demo: Generated, definitions: Definitions) -> None:
    wanted = definitions.datasets["web"].arrow()
    written = pq.read_schema(demo.files["web"][0])
    assert {field.name: _flat(field.type) for field in written} == {
        field.name: _flat(field.type) for field in wanted
    }
    for dataset in ("calls", "crm", "products"):
        header = demo.files[dataset][0].open(encoding="utf-8").readline().strip().split(",")
        assert header == list(definitions.datasets[dataset].fields)


def _flat(kind: pa.DataType) -> str:
    return str(kind).replace("element:", "item:")


def test_required_fields_have_values(web: pl.DataFrame, definitions: Definitions) -> None:
    fields = definitions.datasets["web"].fields
    required = [name for name, field in fields.items() if field.required]
    assert web.select(pl.col(required).null_count().sum()).row(0) == (0,) * len(required)


def test_the_demo_project_has_the_promised_parts(definitions: Definitions) -> None:
    view = definitions.data_views["shop"]
    assert view.time_zone == "Europe/Berlin"
    models = {name: metric.attribution.model for name, metric in view.metrics.items() if metric.attribution}
    shown = ("first", "linear", "last", "u_shaped", "time_decay", "participation")
    assert models == {f"revenue_{model}": model for model in shown}
    paths = field_paths([definitions.datasets["web"], definitions.datasets["calls"]])
    used = {dimension.field for dimension in view.dimensions.values()}
    used |= {metric.field for metric in view.metrics.values()}
    assert used <= set(paths)


def test_events_lie_in_the_quarter_and_arrive_in_order_of_time(demo: Generated, web: pl.DataFrame) -> None:
    first, last = web["ts"].min(), web["ts"].max()
    assert datetime(2026, 1, 1, tzinfo=UTC) <= first  # type: ignore[operator]
    assert last < demo.end  # type: ignore[operator]
    assert (web["ts"].diff().dt.total_seconds().fill_null(0) >= 0).mean() > 0.99


def test_late_events_come_in_a_later_file(demo: Generated) -> None:
    late = 0
    for path in demo.files["web"][1:]:
        day = datetime.strptime(path.stem[4:], "%Y-%m-%d").replace(tzinfo=UTC)
        late += pl.read_parquet(path).filter(pl.col("ts") < day - pl.duration(days=1)).height
    assert late > 0


def test_duplicates_are_few_and_mostly_exact(web: pl.DataFrame) -> None:
    repeated = web.filter(pl.col("event_id").is_duplicated())
    assert 0.003 < (web.height - EVENTS) / EVENTS < 0.005
    groups = repeated.group_by("event_id").agg(
        exact=pl.col("ts").n_unique() == 1, apart=pl.col("ts").max() - pl.col("ts").min()
    )
    assert 0.65 < groups["exact"].mean() < 0.85  # type: ignore[operator]
    assert groups["apart"].max().total_seconds() <= 300  # type: ignore[union-attr]
    rest = repeated.drop("ts", "items").unique()
    assert rest.height == groups.height


def test_calls_have_malformed_rows_at_the_known_rate(demo: Generated) -> None:
    lines = [
        line.rstrip("\n").split(",")
        for path in demo.files["calls"]
        for line in path.read_text(encoding="utf-8").splitlines()[1:]
    ]
    broken = [line for line in lines if not _well_formed(line)]
    assert len(lines) == demo.counts["calls"]
    assert len(broken) == demo.counts["calls_malformed"]
    assert len(lines) - len(broken) == round(EVENTS * 0.03)
    assert 0 < len(broken) / len(lines) < 0.01


def _well_formed(line: list[str]) -> bool:
    if len(line) != 7 or not line[4].isdigit():
        return False
    try:
        datetime.fromisoformat(line[1])
    except ValueError:
        return False
    return True


def test_every_customer_has_one_profile(demo: Generated, web: pl.DataFrame) -> None:
    profiles = pl.read_csv(demo.files["crm"][0])
    assert profiles["customer_id"].is_unique().all()
    assert set(web["customer_id"].drop_nulls()) <= set(profiles["customer_id"])


def test_channel_is_set_on_landings_only(web: pl.DataFrame) -> None:
    share = web["channel"].null_count() / web.height
    assert 0.86 <= share <= 0.90
    assert web.filter(pl.col("channel").is_null())["campaign"].null_count() == round(share * web.height)


def test_orders_add_up(web: pl.DataFrame) -> None:
    bought = web.filter(pl.col("event") == "purchase")
    others = web.filter(pl.col("event") != "purchase")
    assert 0.005 < bought.height / web.height < 0.02
    assert others.select(pl.col("revenue", "orders", "items").count().sum()).row(0) == (0, 0, 0)
    totals = bought["items"].list.eval(pl.element().struct.field("revenue")).list.sum()
    assert (totals - bought["revenue"]).abs().max() < 1e-6  # type: ignore[operator]
    assert bought["orders"].to_list() == [1] * bought.height
    revenue = bought["revenue"].to_numpy()
    assert (np.rint(revenue * 100) / 100 == revenue).all()


def test_days_outside_the_quarter_have_the_same_people_and_other_events(tmp_path: Path) -> None:
    plan = Plan(9_000, SEED)
    parts = {
        name: pl.concat([pl.read_parquet(path) for path in web_events(tmp_path / name, plan, days)])
        for name, days in {"before": range(-90, 0), "within": range(90), "after": range(90, 180)}.items()
    }
    for name, start in {"before": "2025-10-03", "within": "2026-01-01", "after": "2026-04-01"}.items():
        assert parts[name]["event_id"].n_unique() == plan.events
        assert f"{parts[name]['ts'].min():%Y-%m-%d}" == start
        known = parts[name]["customer_id"].is_not_null().mean()
        assert 0.05 < known < 0.5
    together = pl.concat(parts.values())
    assert together["event_id"].n_unique() == 3 * plan.events
    assert together["device_id"].n_unique() < 2 * parts["within"]["device_id"].n_unique()


def test_the_quarter_s_days_are_those_of_the_demo(tmp_path: Path, web: pl.DataFrame) -> None:
    files = web_events(tmp_path, Plan(EVENTS, SEED), range(90))
    assert pl.concat([pl.read_parquet(path) for path in files]).equals(web)
