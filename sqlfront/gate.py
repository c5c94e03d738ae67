"""Who may come in, and what they may read now: the users of a home as a running server knows them.

What was revoked counts within half a second, for sessions that are open as well.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from engine.catalog import access
from engine.catalog.access import RoleLimits, Roll
from engine.catalog.store import Catalog
from engine.governance.access import OWNER, Access, access_of, limits_in
from sqlfront.auth import Login, Verifier

FRESH_SECONDS: Final = 0.5
"""For so long what was read of users and grants is taken to hold."""
_NOTED: Final = timedelta(minutes=1)
"""The use of a password or token is written down at most so often."""


class Gate(Protocol):
    """Who may stay, and as what."""

    def note_use(self, credential: str) -> None:
        """Remember that somebody logged in with a password or token."""

    def is_welcome(self, user: str, credential: str) -> bool:
        """Tell whether a session may go on that a user opened with a password or token."""

    def may_become(self, user: str, role: str) -> bool:
        """Tell whether a user has a role."""

    def limits(self, user: str, role: str | None) -> RoleLimits:
        """Return what a user's statements may take now; reads nothing, so it may be asked on any thread."""

    def group(self, user: str) -> tuple[str, ...]:
        """Return the roles by which a user's sessions are counted; administrators' are not."""


class OpenGate:
    """For servers without users: whoever comes may stay, and there are no roles."""

    def note_use(self, credential: str) -> None:
        """There is nothing to remember."""

    def is_welcome(self, user: str, credential: str) -> bool:
        """Everybody is."""
        return True

    def may_become(self, user: str, role: str) -> bool:
        """Nobody has one."""
        return False

    def limits(self, user: str, role: str | None) -> RoleLimits:
        """Those of the server alone hold."""
        return RoleLimits()

    def group(self, user: str) -> tuple[str, ...]:
        """All are in one."""
        return ()


class UsersGate:
    """Guards what was last read of the users, roles and grants of a home.

    Args:
        fresh_seconds: for how long it is taken to hold.
    """

    def __init__(self, catalog: Catalog, fresh_seconds: float = FRESH_SECONDS) -> None:
        self._catalog = catalog
        self._fresh_seconds = fresh_seconds
        self._lock = threading.Lock()
        self._roll: Roll | None = None
        self._read_at = 0.0
        self._noted: dict[str, datetime] = {}

    def roll(self, *, now: bool = False) -> Roll:
        """Return users, roles and grants as of half a second ago at most, or as of now."""
        with self._lock:
            moment = time.monotonic()
            if self._roll is not None and not now and moment - self._read_at < self._fresh_seconds:
                return self._roll
            if self._roll is None or self._roll.version != access.version(self._catalog):
                self._roll = access.roll(self._catalog)
            self._read_at = moment
            return self._roll

    def login(self, user: str) -> Login | None:
        """Return how a user shows who they are; None if there is none of this name.

        A user who may not log in at this time has no password that fits, as if it were wrong.
        """
        roll = self.roll(now=True)
        known = roll.users.get(user)
        if known is None:
            return None
        if not known.is_welcome(datetime.now(UTC)):
            return Login(known.salt, known.iterations, ())
        kept = roll.credentials_of(user)
        verifiers = tuple(Verifier(one.stored_key, one.server_key, one.id, one.expires_at) for one in kept)
        return Login(known.salt, known.iterations, verifiers)

    def note_use(self, credential: str) -> None:
        """Remember that somebody logged in with a password or token, at most once a minute."""
        moment = datetime.now(UTC)
        with self._lock:
            before = self._noted.get(credential)
            if before is not None and moment - before < _NOTED:
                return
            self._noted[credential] = moment
        access.note_use(self._catalog, credential, moment)

    def is_welcome(self, user: str, credential: str) -> bool:
        """Tell whether a session may go on that a user opened with a password or token."""
        roll, now = self.roll(), datetime.now(UTC)
        known = roll.users.get(user)
        shown = next((one for one in roll.credentials_of(user) if one.id == credential), None)
        return known is not None and known.is_welcome(now) and shown is not None and shown.is_live(now)

    def may_become(self, user: str, role: str) -> bool:
        """Tell whether a user has a role; an administrator has all, and everybody is their own."""
        roll = self.roll()
        known = roll.users.get(user)
        if known is not None and known.is_admin:
            return role in roll.roles or role == user
        return role in roll.roles_of(user) or role == user

    def limits(self, user: str, role: str | None) -> RoleLimits:
        """Return what a user's statements may take, as of when grants were last read; reads nothing."""
        known = self._roll
        return RoleLimits() if known is None else limits_in(known, user, None if role == user else role)

    def group(self, user: str) -> tuple[str, ...]:
        """Return the roles of a user who is no administrator, as of when grants were last read."""
        known = self._roll
        found = None if known is None else known.users.get(user)
        return () if known is None or found is None or found.is_admin else known.roles_of(user)

    def about(self, user: str) -> dict[str, str]:
        """Return what the catalogs may tell a user of users and roles: of others only an administrator.

        Lines of ``principals`` are name, ``t`` for those who may log in, and ``t`` for administrators;
        those of ``memberships`` are role and user; each parted by tabs.
        """
        roll = self.roll()
        known = roll.users.get(user)
        is_admin = known is not None and known.is_admin
        users = roll.users.values() if is_admin else [known] if known is not None else []
        roles = list(roll.roles) if is_admin else list(roll.roles_of(user))
        who = [(one.name, "t", "t" if one.is_admin else "f") for one in users]
        who += [(role, "f", "f") for role in roles]
        pairs = [(role, name) for name, role in sorted(roll.memberships) if is_admin or name == user]
        return {
            "principals": "\n".join("\t".join(line) for line in who),
            "memberships": "\n".join("\t".join(line) for line in pairs),
        }

    def access(self, user: str, role: str | None) -> Access:
        """Return what a user may read now, by all roles or by one of them.

        Raises:
            ForbiddenError: the user may not log in any more, or does not have the role.
        """
        return access_of(self.roll(), user, None if role == user else role)


class OwnersGate(OpenGate):
    """For statements that run without a server: whoever has the home's files may read all of it."""

    def access(self, user: str, role: str | None) -> Access:
        """Return access to everything."""
        return OWNER

    def about(self, user: str) -> dict[str, str]:
        """Return what the catalogs tell of users: of whoever asks alone."""
        return {"principals": f"{user}\tt\tt", "memberships": ""}
