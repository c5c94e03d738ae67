"""docs/architecture.md: every module that it names is there, and it names every room."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
FLOORS = ("wayline", "engine", "sqlfront", "stitching", "attribution")


def modules_of(row: str) -> set[str]:
    return set(re.findall(r"`(\w+\.py)`", row))


def rooms() -> dict[str, set[str]]:
    """Room → modules that the table of rooms names."""
    return {
        room: modules_of(rest) for room, rest in re.findall(r"^\| `([\w/]+)/` \|(.*)$", PAGE, re.MULTILINE)
    }


def test_the_rooms_are_those_of_the_code():
    packages = {
        path.parent.relative_to(ROOT) for floor in FLOORS for path in (ROOT / floor).rglob("__init__.py")
    }
    assert {Path(room) for room in rooms()} == packages


def test_every_module_that_is_named_is_there():
    named = [ROOT / room / module for room, modules in rooms().items() for module in modules]
    named += [ROOT / path for path in re.findall(r"`(\w+/[\w/]+\.py)`", PAGE)]
    assert len(named) > 60
    assert [path for path in named if not path.is_file()] == []
    known = {path.name for floor in FLOORS for path in (ROOT / floor).rglob("*.py")}
    assert modules_of(PAGE) <= known
