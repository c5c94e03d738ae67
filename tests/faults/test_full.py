"""No space left: one line that says so, everything as before, nothing left over, and later it works."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.faults import deeds, events, victims
from tests.faults.inspection import check, seen

pytestmark = pytest.mark.faults

DEEDS = ("ingest", "replay", "compact", "rebuild", "apply")
MOST = 1 << 15
"""Bytes that a file may have at most."""
LEFT = 1 << 18
"""Bytes that are left on a disk at most."""

Attempt = Callable[[str, Path, tuple[Any, ...]], tuple[int, str]]


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("full")
    events.write_events(folder / "file.parquet", 3)
    return victims.make_home(folder)


def fails_well(deed: str, root: Path, given: tuple[Any, ...], attempt: Attempt, after: Any) -> None:
    """Assert that a deed fails as it should, if it does."""
    before = seen(root)
    code, said = attempt(deed, root, given)
    print(code, said)
    now = seen(root)
    if code == 0:
        assert now == after
    else:
        assert (code, said.count("\n")) == (1, 1), said
        assert "error:" in said and "space" in said and "Traceback" not in said
        assert now == before


@pytest.mark.parametrize("deed", DEEDS)
def test_no_space(origin: Path, deed: str, tmp_path: Path) -> None:
    given = (str(origin.parent / "file.parquet"),) if deed == "ingest" else ()
    done = victims.copy_of(origin, f"{deed} done")
    deeds.carry_out(deed, done, given)
    after = seen(done)
    for seed, chosen in victims.tries(f"no space {deed}"):
        root = victims.copy_of(origin, f"{deed} {seed}")
        fails_well(deed, root, given, partial(_limited, most=chosen.randrange(MOST)), after)
        works_later(deed, root, given, after)
    if not _can_mount():
        return
    for seed, chosen in victims.tries(f"full disk {deed}"):
        with small_disk(tmp_path / "disk") as disk:
            root = disk / str(seed)
            shutil.copytree(origin, root)
            filled = partial(_filled, ballast=disk / "ballast", room=chosen.randrange(LEFT))
            fails_well(deed, root, given, filled, after)
            works_later(deed, root, given, after)


def works_later(deed: str, root: Path, given: tuple[Any, ...], after: Any) -> None:
    """Assert that nothing is left over once there is space, and that it can be done then."""
    deeds.carry_out("recover", root, ())
    check(root)
    if seen(root) != after:
        deeds.carry_out(deed, root, given)
        assert seen(root) == after


def _limited(deed: str, root: Path, given: tuple[Any, ...], *, most: int) -> tuple[int, str]:
    return victims.command(deed, root, *given, most=most)


def _filled(deed: str, root: Path, given: tuple[Any, ...], *, ballast: Path, room: int) -> tuple[int, str]:
    state = os.statvfs(root)
    ballast.write_bytes(bytes(state.f_bavail * state.f_frsize - room))
    try:
        return victims.command(deed, root, *given)
    finally:
        ballast.unlink()


def _can_mount() -> bool:
    """Return whether this machine lets a test have a disk of its own; limits on files are always tried."""
    return os.geteuid() == 0 and shutil.which("mount") is not None


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
