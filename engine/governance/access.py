"""Who may read what: the grants of a user's roles together, and what is left of definitions under them.

Whatever several roles allow is allowed, as with permissive policies in PostgreSQL. A rule that no longer fits
its view closes the view: it never opens it.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Final

from pydantic import ValidationError

from engine.catalog.access import EVERY, Grant, Kind, RoleLimits, Roll
from engine.dataview.components import data_view
from engine.definitions.model import Definitions, SegmentDefinition
from engine.definitions.problem import Problem
from engine.errors import DefinitionError, ForbiddenError, WaylineError

_RESTRICTED: Final = 64
"""So many restricted definitions are kept."""


@dataclass(frozen=True)
class Access:
    """What somebody may read.

    Attributes:
        user: who.
        roles: by which the user may read it.
        views: view → rules, of which an event must follow one, or None for all events; None instead of a
            mapping: all views without rules.
        datasets, system: names of datasets and of relations of schema ``system``; None: all.
    """

    user: str
    roles: tuple[str, ...] = ()
    is_admin: bool = False
    views: Mapping[str, tuple[SegmentDefinition, ...] | None] | None = None
    every_view: bool = False
    datasets: frozenset[str] | None = None
    system: frozenset[str] | None = None
    limits: RoleLimits = field(default=RoleLimits(), compare=False)

    @cached_property
    def key(self) -> str:
        """What differs between two accesses that may get different answers; users of one role share it."""
        views = None
        if self.views is not None:
            views = [[name, self._rules_text(name)] for name in sorted(self.views)]
        names = [None if known is None else sorted(known) for known in (self.datasets, self.system)]
        text = json.dumps([views, self.every_view, *names, self.is_admin])
        return hashlib.sha256(text.encode()).hexdigest()

    def _rules_text(self, view: str) -> list[str] | None:
        rules = None if self.views is None else self.views[view]
        return None if rules is None else [rule.model_dump_json() for rule in rules]

    def rules(self, view: str) -> tuple[SegmentDefinition, ...] | None:
        """Return a view's rules, of which an event must follow one; None if all its events may be read.

        Raises:
            ForbiddenError: the view was not granted.
        """
        if self.views is None:
            return None
        if view in self.views:
            return self.views[view]
        if self.every_view:
            return None
        raise ForbiddenError(f"permission denied for view {view}")

    def may_read_view(self, name: str) -> bool:
        """Whether a view was granted, with or without a rule."""
        return self.views is None or self.every_view or name in self.views

    def may_read_dataset(self, name: str) -> bool:
        """Whether a dataset was granted."""
        return self.datasets is None or name in self.datasets

    def may_read_system(self, name: str) -> bool:
        """Whether a relation of schema ``system`` was granted."""
        return self.system is None or name in self.system

    def may_read_connection(self, name: str, definitions: Definitions) -> bool:
        """Whether all datasets of a connection were granted, so that nothing of it is hidden by rules."""
        return all(self.may_read_dataset(dataset) for dataset in definitions.connections[name].datasets)


OWNER: Final = Access("owner", is_admin=True)
"""Of whoever has the home's files: everything, without rules."""


def access_of(roll: Roll, user: str, role: str | None = None) -> Access:
    """Return what a user may read now, by all roles of the user or by one of them alone.

    Raises:
        ForbiddenError: there is no such user, the user may not log in any more, or does not have the role.
    """
    known = roll.users.get(user)
    if known is None or not known.is_welcome(datetime.now(UTC)):
        raise ForbiddenError(f'user "{user}" may not log in', hint="Ask an administrator.")
    roles = roll.roles_of(user)
    if role is not None and role not in (roll.roles if known.is_admin else roles):
        raise ForbiddenError(f'permission denied to set role "{role}"')
    if known.is_admin and role is None:
        return Access(user, roles, is_admin=True)
    return _granted(roll, user, roles if role is None else (role,))


def limits_in(roll: Roll, user: str, role: str | None = None) -> RoleLimits:
    """Return the limits of a user's statements now, of all roles of the user or of one; no error without."""
    known = roll.users.get(user)
    if known is None or (known.is_admin and role is None):
        return RoleLimits()
    roles = roll.roles_of(user) if role is None else (role,)
    return roll.limits_of(roles)


def access_of_roles(roll: Roll, roles: tuple[str, ...]) -> Access:
    """Return what some roles together allow, whoever has them."""
    return _granted(roll, "", roles)


def _granted(roll: Roll, user: str, roles: tuple[str, ...]) -> Access:
    grants = roll.grants_of(roles)
    return Access(
        user,
        roles,
        views=_views(grants),
        every_view=_every(grants, "view"),
        datasets=_names(grants, "dataset"),
        system=_names(grants, "system"),
        limits=roll.limits_of(roles),
    )


def _every(grants: Collection[Grant], kind: Kind) -> bool:
    return any(grant.kind == kind and grant.object == EVERY for grant in grants)


def _names(grants: Collection[Grant], kind: Kind) -> frozenset[str] | None:
    if _every(grants, kind):
        return None
    return frozenset(grant.object for grant in grants if grant.kind == kind)


def _views(grants: Collection[Grant]) -> dict[str, tuple[SegmentDefinition, ...] | None]:
    """Return view → its rules; a grant without a rule, be it of all views, lifts those of others."""
    found: dict[str, tuple[SegmentDefinition, ...] | None] = {}
    if _every(grants, "view"):
        return found
    for grant in grants:
        if grant.kind == "view":
            before = found.get(grant.object, ())
            rule = rule_of(grant)
            found[grant.object] = None if before is None or rule is None else (*before, rule)
    return found


def rule_of(grant: Grant) -> SegmentDefinition | None:
    """Return a grant's rule.

    Raises:
        ForbiddenError: it cannot be read, so nothing may be seen.
    """
    if grant.rule is None:
        return None
    try:
        return SegmentDefinition.model_validate(grant.rule)
    except ValidationError:
        raise ForbiddenError(
            f'the rule of role "{grant.role}" for {grant.kind} "{grant.object}" cannot be read',
            hint=f"Grant it anew: wayline grant {grant.role} {grant.kind}:{grant.object} --only …",
        ) from None


_lock = threading.Lock()
_known: dict[tuple[int, str], tuple[Definitions, Definitions]] = {}


def restricted(definitions: Definitions, access: Access) -> Definitions:
    """Return definitions with the views that may be read alone, and rules among their segments.

    The same object each time for the same definitions and access, as what is derived from it is kept by its
    identity. Datasets and connections all stay: views are made of them.
    """
    if access.views is None:
        return definitions
    key = (id(definitions), access.key)
    with _lock:
        known = _known.get(key)
        if known is None or known[0] is not definitions:
            if len(_known) >= _RESTRICTED:
                del _known[next(iter(_known))]
            known = _known[key] = (definitions, _restricted(definitions, access))
    return known[1]


def _restricted(definitions: Definitions, access: Access) -> Definitions:
    views = {}
    for name, view in definitions.data_views.items():
        if not access.may_read_view(name):
            continue
        rules = access.rules(name)
        if rules is None:
            views[name] = view
        elif not _problems(definitions, name, rules):
            segment = rules[0] if len(rules) == 1 else SegmentDefinition(any=rules)
            views[name] = view.model_copy(update={"segments": (*view.segments, segment)})
    return definitions.model_copy(update={"data_views": views})


def check_rule(definitions: Definitions, view: str, rule: SegmentDefinition) -> None:
    """Raise unless a rule fits a view.

    Raises:
        UnknownNameError: there is no such view.
        DefinitionError: the rule cannot be evaluated on it.
    """
    data_view(definitions, view)
    for problem in _problems(definitions, view, [rule]):
        raise DefinitionError(f"{'.'.join(problem.path)}: {problem.message}", hint=problem.hint)


def rule_problems(definitions: Definitions, roll: Roll) -> Iterator[Problem]:
    """Yield what is wrong with rules of roles under new definitions, where everything else is right."""
    for grant in roll.grants:
        if grant.rule is not None and grant.object in definitions.data_views:
            for problem in _problems(
                definitions, grant.object, [SegmentDefinition.model_validate(grant.rule)]
            ):
                said = f'breaks the rule of role "{grant.role}": {problem.message}'
                hint = f"Keep what it names, or first: wayline grant {grant.role} view:{grant.object} …"
                yield Problem(("data_views", grant.object), said, hint)


def closed_views(definitions: Definitions, access: Access) -> list[str]:
    """Return the views that were granted under a rule that does not fit them any more: nobody reads those."""
    left = restricted(definitions, access).data_views
    return [name for name in definitions.data_views if access.may_read_view(name) and name not in left]


def _problems(definitions: Definitions, view: str, rules: Sequence[SegmentDefinition]) -> list[Problem]:
    # Not at the top: the report engine takes long to import, and few commands need it.
    from engine.report.segments import checked

    try:
        checked(rules, data_view(definitions, view), ("rules",))
    except WaylineError as error:
        path, reason = getattr(error, "path", ("rules",)), getattr(error, "reason", error.message)
        return [Problem(tuple(path), reason, error.hint)]
    return []
