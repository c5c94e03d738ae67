"""The one family of errors that wayline raises on purpose.

Every error carries a SQLSTATE (what a SQL client sees) and an HTTP status (what an inlet answers), and
its message says what was wrong, where, and what to do about it. Anything else that is raised is a bug.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class WaylineError(Exception):
    """Root of all errors that a user can cause or mend.

    Args:
        message: one line: what was wrong and where.
        hint: one line: what to do about it.
    """

    sqlstate = "58000"
    http_status = 500

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class DefinitionError(WaylineError):
    """A definition (YAML) is malformed or refers to something that is not there."""

    sqlstate = "42P17"
    http_status = 400


class HomeError(WaylineError):
    """The home folder is missing, of another format, or in use."""

    sqlstate = "58000"
    http_status = 503


class BusyError(HomeError):
    """Another process or thread is writing to the home."""


class InputError(WaylineError):
    """A file or record that was handed in cannot be read or breaks its schema."""

    sqlstate = "22023"
    http_status = 400


class UnknownNameError(WaylineError):
    """A dataset, connection, data view, or table that does not exist."""

    sqlstate = "42P01"
    http_status = 404


class UnknownColumnError(WaylineError):
    """A column or component that does not exist."""

    sqlstate = "42703"
    http_status = 400


class SyntaxProblem(WaylineError):
    """SQL text that cannot be parsed."""

    sqlstate = "42601"
    http_status = 400


class UnsupportedError(WaylineError):
    """A question that is understood but that wayline does not answer."""

    sqlstate = "0A000"
    http_status = 400


class ForbiddenError(WaylineError):
    """A statement that reaches for something the user was not granted."""

    sqlstate = "42501"
    http_status = 403


class CancelledError(WaylineError):
    """The client cancelled the statement or its time ran out."""

    sqlstate = "57014"
    http_status = 499


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """Return a hint that names the closest known spelling, or lists a few names; None if none are known.

    Of names those come first that are one's own: every data view has some that begin with ``adobe_``.
    """
    names = list(known)
    close = difflib.get_close_matches(name.lower(), [known.lower() for known in names], n=1, cutoff=0.6)
    if close:
        match = next(known for known in names if known.lower() == close[0])
        return f'Did you mean "{match}"?'
    if not names:
        return None
    shown = ", ".join(f'"{known}"' for known in sorted(names, key=_own_first)[:8])
    return f"Known: {shown}{' …' if len(names) > 8 else ''}."


def _own_first(name: str) -> tuple[bool, str]:
    return name.startswith("adobe_"), name
