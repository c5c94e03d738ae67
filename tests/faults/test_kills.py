"""kill -9 at any instant of anything that writes: afterwards everything is as before or as after."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from engine.governance.proof import prove
from engine.world import Home
from tests.faults import deeds, events, victims
from tests.faults.inspection import check, seen
from tests.faults.victims import Instant, Run

pytestmark = pytest.mark.faults


@dataclass(frozen=True)
class Case:
    """A deed, what is done before it, and whether it may be done again if it got through."""

    deed: str
    arguments: tuple[Any, ...] = ()
    before: tuple[tuple[Any, ...], ...] = ()
    repeatable: bool = False


FILE = "{file}"
CASES = {
    "ingest": Case("ingest", (FILE,)),
    "replace": Case("replace", (FILE,)),
    "revert": Case("revert"),
    "delete": Case("delete"),
    "replay": Case("replay", repeatable=True),
    "compact": Case("compact", repeatable=True),
    "compact after replay": Case("compact", before=(("replay raw",),), repeatable=True),
    "keep up": Case("keep up", before=(("runs",),), repeatable=True),
    "fields": Case("fields", before=(("compact",),), repeatable=True),
    "apply": Case("apply", repeatable=True),
    "link": Case("link", repeatable=True),
    "vacuum": Case("vacuum", before=(("compact",), ("replay",)), repeatable=True),
    "rebuild": Case("rebuild", before=(("replay",),), repeatable=True),
    "privacy": Case("privacy", before=(("replay",),), repeatable=True),
    "rollback": Case("rollback", (5,), before=(("compact",), ("revert",))),
}


MARKING = ("vacuum", "privacy")
"""Deeds that say of worlds that they cannot be read any more, while files of them may be left."""


@pytest.fixture(scope="module", autouse=True)
def small() -> Iterator[None]:
    """Limits as of the victims."""
    with pytest.MonkeyPatch.context() as patch:
        deeds.shrink(patch.setattr)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("faults")


@pytest.fixture(scope="module")
def origin(folder: Path) -> Path:
    return victims.make_home(folder)


@dataclass
class Attempt:
    """A case made ready: what is seen before it, after it, and after one more batch."""

    case: Case
    name: str
    root: Path
    file: str
    before: Any
    after: Any
    later: Any
    run: Run

    @property
    def arguments(self) -> tuple[Any, ...]:
        return tuple(self.file if value == FILE else value for value in self.case.arguments)


@cache
def prepared(name: str, origin: Path) -> Attempt:
    """Make a case ready and carry it out once, undisturbed."""
    case = CASES[name]
    root = victims.copy_of(origin, f"{name} before")
    file = str(origin.parent / "file.parquet")
    if not Path(file).exists():
        events.write_events(Path(file), 3)
        events.write_events(origin.parent / "more.parquet", 4, 300)
    for deed in case.before:
        deeds.carry_out(*deed, root, ())
    attempt = Attempt(case, name, root, file, None, None, None, Run(0, 0))
    attempt.before = seen(root)
    finished = victims.copy_of(root, f"{name} after")
    attempt.run = victims.run_to_the_end(case.deed, finished, *attempt.arguments)
    attempt.after = seen(finished)
    check(finished, half_vacuumed=case.deed in MARKING)
    attempt.later = append(finished, case)
    return attempt


def append(root: Path, case: Case) -> Any:
    deeds.carry_out("ingest", root, (str(root.parent / "more.parquet"),))
    check(root, half_vacuumed=case.deed == "privacy")
    return seen(root)


def survive(attempt: Attempt, instant: Instant) -> None:
    """Kill, look, recover, look, do it again, go on."""
    root = victims.copy_of(attempt.root, f"{attempt.name} {instant.seed}")
    either = (attempt.before, attempt.after)
    victims.kill(attempt.case.deed, root, *attempt.arguments, at=instant)
    assert seen(root) in either, "half a world"
    deeds.carry_out("recover", root, ())
    now = seen(root)
    assert now in either, "half a recovery"
    check(root, half_vacuumed=attempt.case.deed in MARKING)
    if attempt.case.repeatable or now == attempt.before:
        deeds.carry_out(attempt.case.deed, root, attempt.arguments)
        assert seen(root) == attempt.after, "done again, something else comes of it"
    assert append(root, attempt.case) == attempt.later, "an append after it goes wrong"
    shutil.rmtree(root)


@pytest.mark.parametrize("name", CASES)
def test_killed_at_any_instant(name: str, origin: Path) -> None:
    attempt = prepared(name, origin)
    for instant in victims.instants(name, attempt.run):
        survive(attempt, instant)


def test_an_identity_is_gone_whenever_its_deletion_was_killed(origin: Path) -> None:
    attempt = prepared("privacy", origin)
    whole = victims.copy_of(attempt.root, "erase whole")
    run = victims.run_to_the_end("erase", whole)
    for instant in victims.instants("erase", run):
        root = victims.copy_of(attempt.root, f"erase {instant.seed}")
        victims.kill("erase", root, at=instant)
        assert seen(root) in (attempt.before, attempt.after)
        deeds.carry_out("erase", root, ())
        assert seen(root) == attempt.after
        check(root)
        home = Home.open(root)
        traces = [prove(home, code, value).traces for code, [value] in deeds.PERSON.items()]
        home.close()
        assert traces == [(), ()]
        shutil.rmtree(root)


def test_a_killed_recovery_is_recovered(origin: Path) -> None:
    attempt = prepared("replay", origin)
    for instant in victims.instants("recovery", attempt.run):
        root = victims.copy_of(attempt.root, f"recovery {instant.seed}")
        late = Instant(instant.seed, seconds=attempt.run.seconds / 2)
        victims.kill("replay", root, at=late)
        victims.kill("recover", root, at=instant)
        deeds.carry_out("recover", root, ())
        check(root)
        assert seen(root) in (attempt.before, attempt.after)
        shutil.rmtree(root)


@pytest.mark.parametrize("deed", ["backup", "restore"])
def test_copies_are_there_whole_or_not_at_all(deed: str, origin: Path) -> None:
    folder = origin.parent / deed
    folder.mkdir()
    root, shown = victims.copy_of(origin, f"{deed}/home"), seen(origin)
    deeds.carry_out("backup", root, (str(folder / "source"),))
    given = () if deed == "backup" else (str(folder / "source"),)
    run = victims.run_to_the_end(deed, root, *given, str(folder / "first"))
    for instant in victims.instants(deed, run):
        target = folder / str(instant.seed)
        victims.kill(deed, root, *given, str(target), at=instant)
        if not target.exists():
            deeds.carry_out(deed, root, (*given, str(target)))
        if deed == "backup":
            source, target = target, folder / f"from {instant.seed}"
            deeds.carry_out("restore", root, (str(source), str(target)))
        assert seen(target) == shown
        check(target)
        assert not list(folder.glob(".*partial"))
