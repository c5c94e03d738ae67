"""The home that benchmarks ask: generated events, taken in through the real path, kept between runs."""

from __future__ import annotations

import tempfile
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import yaml

from benchmarks.kept import ROOT, kept
from benchmarks.models import VIEW, metrics
from engine import flow, upkeep
from engine.definitions.model import Definitions
from engine.world import Home
from wayline.generate import generate, project_yaml

CONNECTION: Final = "bench"
DATASET: Final = "web"


class Stitching(StrEnum):
    """How a home knows whose events are."""

    FIELD = "field"
    """By what the events name; there is no identity graph."""
    RULES = "rules"
    """The same, with rules for identities in force, and a graph that is kept up with them."""
    GRAPH = "graph"
    """By that graph."""

    def names(self, what: str) -> str:
        """Return the name of what is measured or kept of such a home."""
        return what if self is Stitching.FIELD else f"{what}.{self}"


def definitions(stitching: Stitching = Stitching.FIELD) -> Definitions:
    """Return what is applied to the home: the demo's web dataset, and the view with metrics of all models."""
    project, bench = yaml.safe_load(project_yaml()), _read("bench.yaml")
    view = bench["data_views"][VIEW]
    view["metrics"] = metrics(view["metrics"])
    if stitching is not Stitching.FIELD:
        rules = _read("rules.yaml")
        bench |= rules["definitions"]
        if stitching is Stitching.GRAPH:
            bench["connections"][CONNECTION]["datasets"][DATASET]["stitching"] = rules["stitching"]
    return Definitions.model_validate({"datasets": {DATASET: project["datasets"][DATASET]}, **bench})


def bench_home(events: int, seed: int) -> Path:
    """Return the home with the generated events of this size and seed; build it if there is none yet."""

    def build(folder: Path) -> None:
        with tempfile.TemporaryDirectory(dir=folder.parent) as files:
            made = generate(Path(files), events=events, seed=seed)
            home = empty_home(folder)
            flow.ingest(home, DATASET, made.files[DATASET])
            upkeep.compact(home, CONNECTION)
            home.close()

    return kept(f"report-{events}-{seed}", build)


def empty_home(folder: Path, stitching: Stitching = Stitching.FIELD) -> Home:
    """Make a home with the benchmarks' definitions and no events."""
    home = Home.create(folder)
    flow.apply(home, definitions(stitching))
    return home


def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "benchmarks" / name).read_text(encoding="utf-8"))
    return found
