"""What benchmarks keep between runs, and copies of homes that measurements may change."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import uuid
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from engine.world import Home

ROOT: Final = Path(__file__).resolve().parent.parent
_KEPT: Final = Path(os.environ.get("WAYLINE_BENCH_DATA", ROOT / "bench-data"))
_DECIDING: Final = (
    "benchmarks/bench.yaml",
    "benchmarks/flows.py",
    "benchmarks/histories.py",
    "benchmarks/home.py",
    "benchmarks/models.py",
    "benchmarks/rules.yaml",
    "benchmarks/skewed.py",
    "benchmarks/wire_stage.py",
    "engine",
    "stitching",
    "wayline/generate",
)
"""Code and files that decide what is kept; a change to them makes it stale."""
_ONLY_READING: Final = ("engine/report", "engine/dataview")
"""Code among it that answers questions and decides nothing."""
_TABLES: Final = ("datasets", "journeys", "stitchlog", "devices")
_CATALOG: Final = "catalog.db"


def kept(name: str, build: Callable[[Path], None]) -> Path:
    """Return a folder of that name, which ``build`` fills if there is none that is up to date.

    It is built beside its place and moved there when complete, so that half of it is never used.
    """
    folder = _KEPT / f"{name}-{_fingerprint()}"
    if not folder.exists():
        for stale in _KEPT.glob(f"{name}-*"):
            shutil.rmtree(stale)
        with scratch("building-") as place:
            build(place / "made")
            (place / "made").rename(folder)
    return folder


@contextmanager
def scratch(prefix: str = "scratch-") -> Iterator[Path]:
    """Give a folder beside the kept ones, where files can be linked to theirs, while the block runs."""
    _KEPT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_KEPT, prefix=prefix) as folder:
        yield Path(folder)


def copy_home(source: Path, room: Path) -> Home:
    """Copy a home to a new folder in a room and open the copy.

    Table files never change, so the copy shares them. The folder's name is never used again, since the
    process remembers what it read by path and version.
    """
    target = room / uuid.uuid4().hex
    for folder, _, names in os.walk(source):
        place = Path(folder).relative_to(source)
        (target / place).mkdir(parents=True, exist_ok=True)
        immutable = place.parts[:1] and place.parts[0] in _TABLES and "_delta_log" not in place.parts
        for name in names:
            if not name.startswith(_CATALOG):
                _copy(Path(folder) / name, target / place / name, link=bool(immutable))
    _copy_catalog(source / _CATALOG, target / _CATALOG)
    return Home.open(target)


def discard_home(home: Home) -> None:
    """Close a copy and remove it."""
    home.close()
    shutil.rmtree(home.root)


def _copy_catalog(source: Path, target: Path) -> None:
    """Copy what has been committed, also what another connection has not moved to the main file yet."""
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


def _copy(source: Path, target: Path, *, link: bool) -> None:
    if link:
        os.link(source, target)
    else:
        shutil.copyfile(source, target)


def _fingerprint() -> str:
    """Return a checksum of all that decides what is kept."""
    checksum = 0
    for place in _DECIDING:
        path = ROOT / place
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            if not file.relative_to(ROOT).as_posix().startswith(_ONLY_READING):
                checksum = zlib.crc32(file.read_bytes(), checksum)
    return f"{checksum:08x}"
