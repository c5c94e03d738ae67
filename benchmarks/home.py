"""The home that benchmarks ask: generated events, taken in through the real path, kept between runs."""

from __future__ import annotations

import shutil
import tempfile
import zlib
from pathlib import Path
from typing import Final

import yaml

from engine import flow
from engine.definitions.model import Definitions
from engine.world import Home
from wayline.generate import generate, project_yaml

CONNECTION: Final = "bench"
VIEW: Final = "bench"

_ROOT: Final = Path(__file__).resolve().parent.parent
_CACHE: Final = _ROOT / "bench-data"
_DECIDING: Final = (
    "benchmarks/bench.yaml",
    "engine/catalog",
    "engine/flow.py",
    "engine/ingest",
    "engine/journeys",
    "engine/lake",
    "engine/world.py",
    "stitching",
    "wayline/generate",
)
"""Code and files that decide what a home holds; a change to them makes kept homes stale."""


def definitions() -> Definitions:
    """Return what is applied to the home: the demo's web dataset, and the view of ``bench.yaml``."""
    project = yaml.safe_load(project_yaml())
    bench = yaml.safe_load((_ROOT / "benchmarks" / "bench.yaml").read_text(encoding="utf-8"))
    return Definitions.model_validate({"datasets": {"web": project["datasets"]["web"]}, **bench})


def bench_home(events: int, seed: int) -> Home:
    """Return the home with the generated events of this size and seed; build it if there is none yet."""
    size = f"report-{events}-{seed}"
    folder = _CACHE / f"{size}-{_fingerprint()}"
    if not folder.exists():
        for stale in _CACHE.glob(f"{size}-*"):
            shutil.rmtree(stale)
        _build(folder, events, seed)
    return Home.open(folder)


def _build(folder: Path, events: int, seed: int) -> None:
    """Build beside the final place and move there when complete, so that half a home is never used."""
    _CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_CACHE, prefix="building-") as scratch:
        made = generate(Path(scratch) / "files", events=events, seed=seed)
        home = Home.create(Path(scratch) / "home")
        flow.apply(home, definitions())
        flow.ingest(home, "web", made.files["web"])
        home.close()
        (Path(scratch) / "home").rename(folder)


def _fingerprint() -> str:
    """Return a checksum of all that decides what a home holds."""
    checksum = 0
    for place in _DECIDING:
        path = _ROOT / place
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            checksum = zlib.crc32(file.read_bytes(), checksum)
    return f"{checksum:08x}"
