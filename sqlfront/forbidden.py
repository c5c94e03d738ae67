"""Names that stand for more than a user's data: files, other databases, secrets, settings of the machine.

Nothing of that name can be reached in any case; who asks for it is told that it is not allowed, and not
that it does not exist.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

import duckdb
from sqlglot import exp

from engine.errors import ForbiddenError
from sqlfront.known_settings import known_settings

HINT: Final = "Data is reached through the tables that the catalog lists."
SUPERUSERS: Final = frozenset(
    (
        *("pg_authid", "pg_shadow", "pg_statistic", "pg_statistic_ext_data", "pg_user_mapping"),
        *("pg_largeobject", "pg_hba_file_rules", "pg_file_settings", "pg_ident_file_mappings", "pg_config"),
        *("pg_shmem_allocations", "pg_backend_memory_contexts", "pg_replication_origin_status"),
    )
)
"""Relations of ``pg_catalog`` that PostgreSQL lets only superusers read."""

_PLACES: Final = re.compile(
    r"[/\\*?]|^\.+$|^file:|\.(?:csv|tsv|txt|log|json|jsonl|ndjson|parquet|arrow|orc|avro|xlsx|db|duckdb|sqlite"
    r"|gz|zst|bz2|ya?ml|key|crt|pem)$",
    re.IGNORECASE,
)
_INSIDE: Final = re.compile(
    r"_(?:report|recursive|partials|call)_?\d*$|_(?:dataset|system|temporary|rows)_|duckdb_|sqlite_|pragma_",
    re.IGNORECASE,
)
_ELSEWHERE: Final = frozenset({"main", "memory", "temp", "pg", "info", "own", "duckdb", "sqlite", "pg_toast"})
_HIDDEN_SETTINGS: Final = frozenset(
    (
        *("config_file", "data_directory", "external_pid_file", "hba_file", "ident_file", "log_directory"),
        *("log_filename", "dynamic_library_path", "krb_server_keyfile", "session_preload_libraries"),
        *("shared_preload_libraries", "local_preload_libraries", "ssl_key_file", "ssl_cert_file"),
        *("ssl_ca_file", "ssl_passphrase_command", "archive_command", "archive_cleanup_command"),
        *("restore_command", "primary_conninfo", "unix_socket_directories", "stats_temp_directory"),
    )
)


def check_relation(table: exp.Table) -> None:
    """Raise if what a statement calls a relation stands for something else; for names that are none.

    Raises:
        ForbiddenError: it names a file, an address, a secret, or a table of our own making.
    """
    parts = [part.name.lower() for part in table.parts]
    name, schemas = parts[-1], parts[:-1]
    is_secret = name in SUPERUSERS and schemas[-1:] in ([], ["pg_catalog"])
    if (
        is_secret
        or _INSIDE.match(name)
        or _ELSEWHERE.intersection(schemas)
        or any(map(_PLACES.search, parts))
    ):
        raise ForbiddenError(f'permission denied for relation "{".".join(parts)}"', hint=HINT)


def check_shown(name: str) -> None:
    """Raise if a setting tells of the machine.

    Raises:
        ForbiddenError: it does, or it is one of DuckDB's.
    """
    if name.lower() in _HIDDEN_SETTINGS or is_of_duckdb(name):
        raise ForbiddenError(f'permission denied to examine "{name}"', hint="It concerns the server.")


def check_set(name: str) -> None:
    """Raise if a setting is none of a session.

    Raises:
        ForbiddenError: it tells of the machine, or it is one of DuckDB's.
    """
    if name.lower() in _HIDDEN_SETTINGS or is_of_duckdb(name):
        raise ForbiddenError(f'permission denied to set parameter "{name}"', hint="It concerns the server.")


def is_of_duckdb(name: str) -> bool:
    """Tell whether a setting is known to DuckDB and not to PostgreSQL."""
    return name.lower() in _duckdb_settings()


@cache
def _duckdb_settings() -> frozenset[str]:
    with duckdb.connect() as database:
        rows = database.execute("SELECT lower(name) FROM duckdb_settings()").fetchall()
    return frozenset(name for (name,) in rows) - set(known_settings()) - {"role", "timezone"}
