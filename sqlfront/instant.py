"""Groups of messages that ask for constants alone: they are answered where they arrive, without a thread.

Handing ``SELECT 1`` to a thread and its answer back takes several times as long as answering it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlfront.portal import Prepared
from sqlfront.state import SessionState
from sqlfront.wire import messages as m

_KEPT: Final = 32


class Instant:
    """Guards what one session may answer at once: statements whose answer is known.

    Args:
        state: where the session's prepared statements are.
    """

    def __init__(self, state: SessionState) -> None:
        self._state = state
        self._known: dict[str, Prepared] = {}

    def prepared(self, sql: str) -> Prepared | None:
        """Return a text's statement if its answer is known."""
        return self._known.get(sql)

    def remember(self, sql: str, prepared: Prepared) -> None:
        """Keep a text's only statement if its answer is known by now."""
        if prepared.constant is not None:
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[sql] = prepared

    def covers(self, messages: Sequence[m.Message]) -> bool:
        """Tell whether all messages of a group are about such statements."""
        statements: set[str] = set()
        portals: set[str] = set()
        return all(self._is_covered(message, statements, portals) for message in messages)

    def _is_covered(self, message: m.Message, statements: set[str], portals: set[str]) -> bool:
        """Tell whether one is, after others that made the given statements and portals."""
        match message:
            case m.SimpleQuery():
                return message.sql in self._known
            case m.Parse():
                statements.add(message.name)
                return message.sql in self._known and not message.parameter_oids
            case m.Bind():
                portals.add(message.portal)
                return message.statement in statements or self._is_constant(message.statement)
            case m.Describe(kind="S"):
                return message.name in statements or self._is_constant(message.name)
            case m.Describe():
                return message.name in portals
            case m.Execute():
                return message.portal in portals
        return isinstance(message, m.Sync | m.Flush)

    def _is_constant(self, statement: str) -> bool:
        prepared = self._state.find_prepared(statement)
        return prepared is not None and prepared.constant is not None
