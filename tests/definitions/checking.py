"""Checks of definitions as an apply makes them: the first problem is raised."""

from __future__ import annotations

from engine.definitions.checks import problems, refuse
from engine.definitions.model import Definitions


def check(definitions: Definitions) -> None:
    """Raise DefinitionError for the first problem of definitions."""
    refuse(problems(definitions))
