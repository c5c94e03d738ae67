"""The commits of journey tables, by the name under which journeys know them: ``engine.lake.delta``."""

from engine.lake.delta import (
    NewFile,
    add_columns,
    commit,
    create,
    drop_between,
    latest_version,
    overwrite,
    restore,
    schema_of,
    sweep,
    write_file,
)

__all__ = [
    "NewFile",
    "add_columns",
    "commit",
    "create",
    "drop_between",
    "latest_version",
    "overwrite",
    "restore",
    "schema_of",
    "sweep",
    "write_file",
]
