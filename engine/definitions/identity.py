"""What users write about identities: namespaces, the identity graph, and whom events belong to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from engine.definitions.base import Definition, ShortForm
from engine.definitions.schedule import ReplaySchedule
from engine.definitions.values import Duration, RefusalError
from engine.errors import InputError

NamespaceType: TypeAlias = Literal[
    "cookie", "device", "cross_device", "email", "phone", "non_people", "partner"
]

OUTSIDE: Final = ("non_people", "partner")
"""Types of namespaces whose identities never enter the graph."""
NOT_PEOPLE: Final = ("cookie", "device")
"""Types of namespaces that name a thing that somebody uses."""
Identity: TypeAlias = tuple[str, str]
"""Namespace and value."""

_CODE: Final = re.compile(r"[^\s:\x00-\x1f\x7f]{1,255}")


def identity_of(text: str) -> Identity:
    """Read ``NAMESPACE:VALUE``.

    Raises:
        InputError: it is not that.
    """
    namespace, _, value = text.partition(":")
    if not namespace or not value:
        hint = "Write NAMESPACE:VALUE, such as Email:ann@example.com."
        raise InputError(f"{text!r} is not an identity", hint=hint)
    return namespace, value


def _code(value: str) -> str:
    if not _CODE.fullmatch(value):
        raise ValueError(f"{value!r} is not a namespace's code: no blanks, no colon, 1 to 255 characters")
    return value


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise RefusalError(f"{value!r} is not a regular expression: {error}", key="format") from None
    return value


Code = Annotated[str, AfterValidator(_code)]
"""Code of a namespace; its case matters."""


class NamespaceDefinition(ShortForm):
    """Where an identity's value comes from. ``CRMID: cross_device`` is short for its ``type``.

    Attributes:
        type: what values of the namespace name; identities of ``non_people`` and ``partner`` ones are
            in no graph.
        format: regular expression that a whole value matches; the graph ignores others.
    """

    short_key = "type"

    type: NamespaceType
    description: str = ""
    format: Annotated[str, AfterValidator(_pattern)] | None = None


def _standard(kind: NamespaceType, description: str, pattern: str | None = None) -> NamespaceDefinition:
    return NamespaceDefinition(type=kind, description=description, format=pattern)


STANDARD: Final[Mapping[str, NamespaceDefinition]] = {
    "AAID": _standard("cookie", "Analytics visitor"),
    "AdCloud": _standard("cookie", "Advertising cookie"),
    "APNS": _standard("device", "Apple push token"),
    "ECID": _standard("cookie", "Experience Cloud visitor", "[0-9]{38}"),
    "Email": _standard("email", "Email address"),
    "Email_LC_SHA256": _standard("email", "Email address: lower case, trimmed, hashed"),
    "FCM": _standard("device", "Firebase push token"),
    "GAID": _standard("device", "Google advertising id"),
    "IDFA": _standard("device", "Apple advertising id"),
    "Phone": _standard("phone", "Phone number"),
    "Phone_E.164": _standard("phone", "Phone number in international form"),
    "Phone_SHA256": _standard("phone", "Phone number, hashed"),
    "Phone_SHA256_E.164": _standard("phone", "Phone number in international form, hashed"),
    "TNTID": _standard("cookie", "Target visitor"),
    "WAID": _standard("device", "Windows advertising id"),
}
"""Namespaces that everybody knows; a definition of the same code takes their place."""


class IdentitiesDefinition(Definition):
    """Which values identify nobody, and how identities are linked to graphs.

    Attributes:
        priority: codes, those that name a person most surely first; others come after all of these.
        unique: codes of which a graph holds one identity at most.
        limit: identities that a graph holds at most.
        placeholders: values that identify nobody, exactly as written.
        default_placeholders: whether the usual ones (``undefined``, ``null``, zeros …) do so too.
        graph: whether identities are linked at all.
    """

    priority: tuple[Code, ...] = ()
    unique: tuple[Code, ...] = ()
    limit: int = Field(default=50, ge=2, le=10_000)
    placeholders: tuple[str, ...] = ()
    default_placeholders: bool = True
    graph: bool = True

    @model_validator(mode="after")
    def _check(self) -> IdentitiesDefinition:
        for key, codes in (("priority", self.priority), ("unique", self.unique)):
            twice = next((code for code in codes if codes.count(code) > 1), None)
            if twice is not None:
                raise RefusalError(f"{twice!r} is there twice", key=key)
        if self.unique and self.priority and self.priority[0] not in self.unique:
            message = f"{self.priority[0]!r} comes first in priority, so a graph may hold only one of it"
            raise RefusalError(message, hint=f"Add {self.priority[0]} to unique.", key="unique")
        return self


class MapIdentity(Definition):
    """One identity of an identity map: of a namespace, or one that is marked as primary.

    Attributes:
        map: dotted path of the identity map.
        namespace: the code whose identity is meant.
        primary: the identity that is marked as primary is meant.
    """

    map: str
    namespace: Code | None = None
    primary: bool = False

    @model_validator(mode="after")
    def _check(self) -> MapIdentity:
        if (self.namespace is not None) == self.primary:
            raise ValueError("give either namespace: CODE or primary: true")
        return self


IdentityReference: TypeAlias = str | MapIdentity
"""Where an identity is found: a dotted path, or an identity of a map."""


def path_of(reference: IdentityReference) -> str:
    """Return the dotted path of the field that holds an identity."""
    return reference if isinstance(reference, str) else reference.map


class StitchingDefinition(Definition):
    """How events of a dataset that show only a device get a person: from its other events, or the graph.

    Attributes:
        persistent_id: the device.
        person_id: the person, once known; field-based stitching.
        graph: the namespace whose identity in the device's graph is the person; graph-based stitching.
        lookback: how far back a replay restitches.
        shared_devices: of a device that several persons use, a replay gives each the events from
            theirs on (``split``), or the last one all of them (``last``).
    """

    persistent_id: IdentityReference
    person_id: IdentityReference | None = None
    graph: Code | None = None
    lookback: Duration = timedelta(days=7)
    shared_devices: Literal["split", "last"] = "split"

    @model_validator(mode="after")
    def _check(self) -> StitchingDefinition:
        if (self.person_id is None) == (self.graph is None):
            hint = "person_id stitches by a field, graph: CODE by the identity graph."
            raise RefusalError("give either person_id or graph", hint=hint)
        if self.graph is not None and self.shared_devices != "split":
            hint = "The graph knows one person per device: name unique namespaces under identities."
            raise RefusalError("shared_devices belongs to person_id", hint=hint, key="shared_devices")
        return self


class ConnectionDatasetDefinition(Definition):
    """A dataset's part in a connection: where its person comes from.

    Attributes:
        replay: when it is replayed by itself; only if it is stitched.
    """

    person_id: IdentityReference | None = None
    stitching: StitchingDefinition | None = None
    replay: ReplaySchedule | None = None

    @model_validator(mode="after")
    def _check(self) -> ConnectionDatasetDefinition:
        if (self.person_id is None) == (self.stitching is None):
            raise ValueError("give either person_id or stitching")
        if self.replay is not None and self.stitching is None:
            hint = "Give it stitching, or leave replay out."
            raise RefusalError("there is nothing to replay without stitching", hint=hint, key="replay")
        return self
