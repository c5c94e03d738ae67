"""Which of a record's identities stands for it, where the record carries a map of several."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Identity:
    """A value in a namespace; primary where the record says that it identifies the record."""

    namespace: str
    value: str
    primary: bool = False


def primary_identity(identities: Iterable[Identity]) -> Identity | None:
    """Return the primary identity; the lexicographically first of several; None without."""
    return _first(identity for identity in identities if identity.primary)


def identity_of_namespace(identities: Iterable[Identity], namespace: str) -> Identity | None:
    """Return the identity of a namespace; the lexicographically first of several; None without."""
    return _first(identity for identity in identities if identity.namespace == namespace)


def _first(candidates: Iterable[Identity]) -> Identity | None:
    return min(candidates, key=lambda found: (found.value, found.namespace), default=None)
