"""The database that a client names when it connects, which says what it wants to be shown, and how.

``prod:cja?FLATTEN&CJA_USE_IDS`` lists data views alone, opens objects, and calls views by their ids. Tools
differ in what they let through a connection string, so that ``%3FFLATTEN`` is the same, in any case.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

from sqlfront.sqlstate import SqlError

ALL: Final = "all"
VIEWS: Final = "cja"
_OPTIONS: Final = ("flatten", "cja_use_ids")


@dataclass(frozen=True)
class Database:
    """What a database name asks for.

    Attributes:
        name: as the client wrote it, which is what ``current_database()`` gives back.
        scope: ``all`` lists everything, ``cja`` data views; any other, in lower case, is the one relation to
            list.
        flatten: columns of datasets that are objects are opened into their leaves, ``"a.b"``.
        use_ids: data views are called by their ids.
    """

    name: str
    scope: str = ALL
    flatten: bool = False
    use_ids: bool = False

    @property
    def only(self) -> str | None:
        """The one relation to list, if it is one."""
        return None if self.scope in (ALL, VIEWS) else self.scope

    @property
    def key(self) -> tuple[str, bool, bool]:
        """What listings and plans differ by."""
        return self.scope, self.flatten, self.use_ids

    def wants(self, *names: str) -> bool:
        """Tell whether a relation with one of these names is listed, as far as names matter."""
        return self.only is None or self.only in (name.lower() for name in names)


ANY_DATABASE: Final = Database("")
"""The database of whoever did not name one: everything, as it is."""


@lru_cache(maxsize=1024)
def read_database(name: str) -> Database:
    """Return what a database name asks for.

    Raises:
        SqlError: it has an option that is not known.
    """
    place, _, options = unquote(name).partition("?")
    asked = {option.lower() for option in options.split("&") if option}
    for option in sorted(asked.difference(_OPTIONS)):
        raise SqlError(
            f'database "{name}" has an unknown option "{option}"',
            "3D000",
            hint="There are FLATTEN and CJA_USE_IDS.",
        )
    scope = place.partition(":")[2].lower() or ALL
    return Database(name, scope, "flatten" in asked, "cja_use_ids" in asked)


def view_id(name: str) -> str:
    """Return the id of a data view, under which it is listed where ids are asked for."""
    return f"dv_{hashlib.blake2s(name.encode(), digest_size=6).hexdigest()}"
