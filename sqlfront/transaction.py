"""The transaction block of a session: its status, and what a rollback restores.

Only settings and temporary tables are written through SQL; each statement still reads one world.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlfront.settings import Settings
from sqlfront.sqlstate import SqlError
from sqlfront.temporary_rows import Tables

IDLE: Final = "I"
OPEN: Final = "T"
FAILED: Final = "E"


@dataclass(frozen=True)
class _Mark:
    """Settings and tables to go back to, and the savepoint's name; the block's start has an empty one."""

    name: str
    settings: Settings
    tables: Tables


class TransactionBlock:
    """Status, settings, temporary tables and savepoints. Methods return a warning to be sent, or None."""

    def __init__(self, settings: Settings) -> None:
        self.status = IDLE
        self.settings = settings
        self.tables: Tables = {}
        self._start = _Mark("", settings, {})
        self._marks: list[_Mark] = []
        self._local: dict[str, Settings] = {}

    def fail(self) -> None:
        """Note that a statement failed: an open block takes no further ones, without one it all ends.

        What was set since the last savepoint, or since the start, is taken back.
        """
        if self.status == OPEN:
            self.status, self.settings = FAILED, self._marks[-1].settings
        elif self.status == IDLE:
            self._roll_back()

    def end_group(self) -> None:
        """Keep what a group of statements outside of a block has set."""
        if self.status == IDLE:
            self._keep()

    def begin(self) -> str | None:
        """Open the block; what came before in the same group of statements belongs to it."""
        if self.status != IDLE:
            return "there is already a transaction in progress"
        self.status = OPEN
        self._marks = [self._start]
        return None

    def commit(self) -> str | None:
        """Close the block; a failed one is rolled back."""
        if self.status == FAILED:
            return self.rollback()
        warning = "there is no transaction in progress" if self.status == IDLE else None
        self._keep()
        return warning

    def rollback(self) -> str | None:
        """Close the block and take its settings back."""
        warning = "there is no transaction in progress" if self.status == IDLE else None
        self._roll_back()
        return warning

    def _keep(self) -> None:
        for name, before in self._local.items():
            self.settings = _restored(self.settings, before, name)
        self._end()

    def _roll_back(self) -> None:
        self.settings, self.tables = self._start.settings, self._start.tables
        self._end()

    def _end(self) -> None:
        self._start = _Mark("", self.settings, self.tables)
        self.status, self._marks, self._local = IDLE, [], {}

    def savepoint(self, name: str) -> None:
        """Remember the settings under a name."""
        self._require_block("SAVEPOINT")
        self._marks.append(_Mark(name, self.settings, self.tables))

    def release(self, name: str) -> None:
        """Forget a savepoint and those after it."""
        self._require_block("RELEASE SAVEPOINT")
        del self._marks[self._find(name) :]

    def rollback_to(self, name: str) -> None:
        """Go back to a savepoint, which stays; a failed block goes on."""
        self._require_block("ROLLBACK TO SAVEPOINT")
        at = self._find(name)
        self.settings, self.tables = self._marks[at].settings, self._marks[at].tables
        del self._marks[at + 1 :]
        self.status = OPEN

    def _find(self, name: str) -> int:
        for at in range(len(self._marks) - 1, 0, -1):
            if self._marks[at].name == name:
                return at
        raise SqlError(f'savepoint "{name}" does not exist', "3B001")

    def _require_block(self, statement: str) -> None:
        if self.status == IDLE:
            raise SqlError(f"{statement} can only be used in transaction blocks", "25P01")

    def set(self, name: str, value: str | None, *, local: bool = False) -> str | None:
        """Set a value, None for the default; a local one lasts until the block or group ends."""
        before = self.settings
        self.settings = before.without(name) if value is None else before.with_value(name, value)
        if local:
            self._local.setdefault(name, before)
        is_lost = local and self.status == IDLE
        return "SET LOCAL can only be used in transaction blocks" if is_lost else None


def _restored(settings: Settings, before: Settings, name: str) -> Settings:
    try:
        return settings.with_value(name, before.show(name))
    except SqlError:
        return settings.without(name)
