"""What a server lets its clients use: connections, bytes and time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from sqlfront.durations import milliseconds, shown

GREETING_BYTES: Final = 64 * 1024
"""Longest message before a client has shown who it is; tokens of SASL are far shorter."""


@dataclass(frozen=True)
class Limits:
    """Bounds of one server; all times are seconds, and None is no bound.

    Attributes:
        connections: clients at once; each may run one statement.
        greetings: clients at once that have not shown who they are.
        greeting_seconds: time to do so, encryption included.
        send_seconds: a client that takes nothing of what waits for it for so long is cut off.
        grace_seconds: time that running statements get when the server ends.
        statement_seconds: longest time for a statement of those whose roles set none of their own; sessions
            may set less. Some statements, such as an endless recursion, would otherwise never end.
        idle_seconds: longest time between statements.
        idle_in_transaction_seconds: the same within a transaction block.
    """

    connections: int = 100
    greetings: int = 50
    greeting_seconds: float = 10.0
    send_seconds: float = 600.0
    grace_seconds: float = 5.0
    statement_seconds: float | None = 3600.0
    idle_seconds: float | None = 12 * 3600.0
    idle_in_transaction_seconds: float | None = 3600.0

    @property
    def settings(self) -> dict[str, str]:
        """The bounds that sessions see as settings, and may lower."""
        return {
            "statement_timeout": _setting(self.statement_seconds),
            "idle_session_timeout": _setting(self.idle_seconds),
            "idle_in_transaction_session_timeout": _setting(self.idle_in_transaction_seconds),
        }

    def with_timeout(self, role_ms: int | None) -> Limits:
        """Return the bounds of a role: a timeout of its own counts instead of the server's; 0 is none."""
        return self if role_ms is None else replace(self, statement_seconds=role_ms / 1000 or None)


def seconds(setting: str, bound: float | None) -> float | None:
    """Return what a timeout setting comes to: its value, at most the bound; 0 stands for none."""
    asked = milliseconds(setting) / 1000
    return min((time for time in (asked, bound) if time), default=None)


def _setting(bound: float | None) -> str:
    return shown(round((bound or 0) * 1000))
