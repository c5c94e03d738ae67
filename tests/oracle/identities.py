"""Which identity is meant, and what is none: one record and one value at a time.

An identity map is a mapping of namespaces to lists of ``{"id", "primary"}``, or None.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

Identities = Mapping[str, Sequence[Mapping[str, Any]]] | None
Found = tuple[str, str] | None
"""(namespace, value)"""

WORDS = ("undefined", "null", "none", "unknown", "anonymous", "n/a", "(null)", "(none)", "(not set)")
SPELLINGS = {spelled for word in WORDS for spelled in (word, word.upper(), word.capitalize())}
SPELLINGS |= {"(Null)", "(None)", "(Not set)", "(Not Set)"}
SPELLINGS |= {"[object object]", "[object Object]", "[OBJECT OBJECT]", "[Object object]"}


def is_identity(value: str | None, placeholders: Collection[str] = (), usual: bool = True) -> bool:
    """Whether a value identifies somebody."""
    if value is None or not value.strip(" \t\n\r\f\v") or len(value) > 1024 or value in placeholders:
        return False
    if not usual:
        return True
    return not set(value) <= {"0", "-", *" \t\n\r\f\v"} and value not in SPELLINGS


def stitched_by_namespace(ids: Identities, namespace: str) -> str | None:
    """The lexically first valid identity of a namespace."""
    values = [entry["id"] for entry in (ids or {}).get(namespace, ())]
    return min(filter(is_identity, values), default=None)


def stitched_by_primary(ids: Identities, without: str | None = None) -> Found:
    """The lexically first valid identity that is marked as primary; of equal ones, by namespace."""
    found = [
        (entry["id"], namespace)
        for namespace, entries in (ids or {}).items()
        for entry in entries
        if entry["primary"] and is_identity(entry["id"]) and namespace not in ("", without)
    ]
    return min(found)[::-1] if found else None


def own_by_namespace(ids: Identities, namespace: str) -> str | None:
    """The identity of a namespace that is written first, as it is."""
    values = [entry["id"] for entry in (ids or {}).get(namespace, ()) if entry["id"]]
    return values[0] if values else None


def own_by_primary(ids: Identities) -> Found:
    """The first primary identity of the first namespace that has one."""
    for namespace in sorted(ids or {}):
        for entry in (ids or {})[namespace]:
            if entry["primary"] and entry["id"] and namespace:
                return namespace, entry["id"]
    return None
