"""What a session holds: settings and transaction, prepared statements, portals and cursors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa

from engine.catalog.access import RoleLimits
from engine.errors import ForbiddenError, UnsupportedError
from sqlfront.auth import Login
from sqlfront.gate import Gate, OpenGate
from sqlfront.peer import Peer
from sqlfront.portal import Portal, Prepared
from sqlfront.query import Query
from sqlfront.settings import REPORTED, Settings, arrow_zone, role_of
from sqlfront.sqlstate import SqlError
from sqlfront.temporaries import HINT
from sqlfront.temporary_rows import Tables
from sqlfront.transaction import FAILED, IDLE, TransactionBlock
from sqlfront.wire import replies

_HERE: Final = Peer()


@dataclass(frozen=True)
class Caller:
    """Who asks, as far as an answer may depend on it.

    Attributes:
        user: name given at the start, authenticated if users exist.
        database: name given at the start, which may carry options.
        process: number of the session, as in ``pg_backend_pid()``.
        settings: values by name in lower case, as they are whenever they are read: a statement is prepared
            under some and may run under others.
        peer: where the question comes from.
        about: returns what else the catalogs may tell of the user, by name: who has which role.
        temporaries: returns the session's temporary tables as they are then.
    """

    user: str
    database: str
    process: int
    settings: Mapping[str, str]
    peer: Peer = _HERE
    about: Callable[[], Mapping[str, str]] = field(default=dict, compare=False)
    temporaries: Callable[[], Tables] = field(default=dict, compare=False)


@dataclass(frozen=True)
class Front:
    """What a session needs from the rest of the house.

    Attributes:
        parse: text of one statement → whatever ``plan`` takes; raises SyntaxProblem.
        plan: parsed statement, caller, and the parameter types that the client declared (None
            where it left them open) → query.
        login: user name → how that user shows who they are, None if nobody of that name may log in;
            None instead of a function lets everybody in.
        gate: who may stay, and in which role.
        close: called when no session is left and none will come.
        check: raises if there is nothing for a caller in the database that it named.
    """

    parse: Callable[[str], Any]
    plan: Callable[[Any, Caller, Sequence[pa.DataType | None]], Query]
    login: Callable[[str], Login | None] | None = None
    gate: Gate = field(default_factory=OpenGate)
    close: Callable[[], None] = lambda: None
    check: Callable[[Caller], None] | None = None


class _Current(Mapping[str, str]):
    """Guards the view of a block's settings as they are now."""

    def __init__(self, block: TransactionBlock) -> None:
        self._block = block

    def __getitem__(self, name: str) -> str:
        return self._block.settings.values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._block.settings.values)

    def __len__(self) -> int:
        return len(self._block.settings.values)


class SessionState:
    """Guards what statements of one session leave behind for the next."""

    def __init__(
        self,
        user: str,
        database: str,
        process: int,
        settings: Settings,
        gate: Gate,
        peer: Peer = _HERE,
    ) -> None:
        self.user = user
        self.gate = gate
        self.database = database
        self.process = process
        self.peer = peer
        self.block = TransactionBlock(settings)
        self.in_script = False
        self._prepared: dict[str, Prepared] = {}
        self._portals: dict[str, Portal] = {}
        self._reported: dict[str, str] = {}
        self._told: Settings | None = None

    def caller(self) -> Caller:
        """Return who asks now."""
        return Caller(
            self.user,
            self.database,
            self.process,
            _Current(self.block),
            peer=self.peer,
            temporaries=lambda: self.block.tables,
        )

    def limits(self) -> RoleLimits:
        """Return what the user's statements may take now, in the role that is set."""
        return self.gate.limits(self.user, role_of(self.block.settings.values))

    @property
    def zone(self) -> str:
        """Return the time zone in which instants are shown as text."""
        return arrow_zone(self.block.settings.show("TimeZone"))

    def changed_settings(self) -> bytes:
        """Return ParameterStatus messages for what the client has not been told yet."""
        if self.block.settings is self._told:
            return b""
        self._told = self.block.settings
        current = {name: self.block.settings.show(name) for name in REPORTED}
        news = {name: value for name, value in current.items() if self._reported.get(name) != value}
        self._reported = current
        return b"".join(replies.parameter_status(name, value) for name, value in news.items())

    def check_setting(self, name: str, value: str | None) -> None:
        """Raise if a setting would make the user somebody else.

        A role is asked for again whenever something is read, so that no other way of setting it gives more.

        Raises:
            ForbiddenError: it is another user's name, or a role that the user does not have.
        """
        if name == "session_authorization" and value not in (None, self.user):
            raise ForbiddenError("permission denied to set session authorization")
        narrows = name == "role" and value is not None and value.lower() != "none"
        if narrows and not self.gate.may_become(self.user, value or ""):
            raise ForbiddenError(f'permission denied to set role "{value}"')

    def check_block(self, *, leaves_block: bool) -> None:
        """Raise unless the block takes statements, or the statement ends a failed block."""
        if self.block.status == FAILED and not leaves_block:
            raise SqlError(
                "current transaction is aborted, commands ignored until end of transaction block",
                "25P02",
            )

    @property
    def is_in_block(self) -> bool:
        """Tell whether cursors last beyond the statement: in a block, or in a script."""
        return self.in_script or self.block.status != IDLE

    def temporary(self, name: str) -> pa.Table:
        """Return a temporary table.

        Raises:
            UnsupportedError: there is none of that name, and no other kind of table can be written.
        """
        if name not in self.block.tables:
            raise UnsupportedError(f'"{name}" is no temporary table, and no other can be written', hint=HINT)
        return self.block.tables[name]

    def prepare(self, name: str, prepared: Prepared) -> None:
        """Remember a prepared statement; only the unnamed one may be replaced."""
        if name and name in self._prepared:
            raise SqlError(f'prepared statement "{name}" already exists', "42P05")
        self._prepared[name] = prepared

    def prepared(self, name: str) -> Prepared:
        """Return a prepared statement."""
        if name not in self._prepared:
            raise SqlError(f'prepared statement "{name}" does not exist', "26000")
        return self._prepared[name]

    def find_prepared(self, name: str) -> Prepared | None:
        """Return a prepared statement, None if there is none of that name."""
        return self._prepared.get(name)

    def forget_prepared(self, name: str | None) -> bool:
        """Forget a prepared statement, or all that have a name; tell whether there was one."""
        if name is not None:
            return self._prepared.pop(name, None) is not None
        self._prepared = {name: prepared for name, prepared in self._prepared.items() if not name}
        return True

    def open_portal(self, name: str, portal: Portal) -> None:
        """Remember a portal or cursor; only the unnamed one may be replaced."""
        if name and name in self._portals:
            raise SqlError(f'cursor "{name}" already exists', "42P03")
        self.close_portal(name)
        self._portals[name] = portal

    def portal(self, name: str, kind: str = "portal") -> Portal:
        """Return a portal or cursor."""
        if name not in self._portals:
            raise SqlError(f'{kind} "{name}" does not exist', "34000")
        return self._portals[name]

    def find_portal(self, name: str) -> Portal | None:
        """Return a portal or cursor, None if there is none of that name."""
        return self._portals.get(name)

    def close_portal(self, name: str) -> bool:
        """Close a portal or cursor; tell whether there was one."""
        portal = self._portals.pop(name, None)
        if portal is not None:
            portal.close()
        return portal is not None

    def close_portals(self, *, but: Portal | None = None) -> None:
        """Close all portals and cursors, but one."""
        for name, portal in list(self._portals.items()):
            if portal is not but:
                self.close_portal(name)

    def end_portals(self, *, committed: bool) -> None:
        """Close the portals and cursors that end with their transaction, those to be held if it failed."""
        for name, portal in list(self._portals.items()):
            portal.held = portal.hold and (committed or portal.held)
            if not portal.held:
                self.close_portal(name)

    def fail(self) -> None:
        """Note that a statement failed."""
        self.block.fail()
        if self.block.status == IDLE:
            self.end_portals(committed=False)

    def end_group(self) -> None:
        """Keep what a group of messages, or a script, has left behind; outside of a block that is little."""
        self.in_script = False
        self.block.end_group()
        if self.block.status == IDLE:
            self.end_portals(committed=True)

    def discard_all(self) -> None:
        """Go back to how the session began."""
        self.close_portals()
        self.forget_prepared(None)
        self.block.settings = self.block.settings.reset()
        self.block.tables = {}
