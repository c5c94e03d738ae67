"""Shuts a DuckDB off from all but given folders, so that no statement can reach further or change that."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import duckdb

_CLOSED: Final = (
    "SET GLOBAL python_enable_replacements = false",
    "SET GLOBAL autoinstall_known_extensions = false",
    "SET GLOBAL autoload_known_extensions = false",
    "SET GLOBAL allow_community_extensions = false",
    "SET GLOBAL enable_external_access = false",
    "SET GLOBAL lock_configuration = true",
)


def locked(database: duckdb.DuckDBPyConnection, folders: Iterable[Path] = ()) -> None:
    """Lock a database for good: its files are those of some folders, its settings are as they are.

    Args:
        folders: absolute or relative; symbolic links may be followed to them.
    """
    named = {str(path) for folder in folders for path in (folder.absolute(), folder.resolve())}
    database.execute("SET GLOBAL allowed_directories = ?", [sorted(named)])
    for setting in _CLOSED:
        database.execute(setting)
