"""What the programs of Python clients share: where the server is, what to ask, and how to tell what came.

A line is ``ok``, ``error`` or ``version``, the step and a value, with tabs between.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from urllib.parse import urlencode

HOST = os.environ["WAYLINE_HOST"]
PORT = int(os.environ["WAYLINE_PORT"])
DATABASE = os.environ["WAYLINE_DATABASE"]
USER = os.environ["WAYLINE_USER"]
PASSWORD = os.environ["WAYLINE_PASSWORD"]
CA = os.environ["WAYLINE_CA"]
PARAMETERS = ("hé", 42, 0.5, True, date(2024, 2, 29), None)
BOUND = ("email", date(2026, 2, 1))
LIST = """
    SELECT table_name AS name FROM information_schema.tables
    WHERE table_schema = 'public' ORDER BY table_name
"""
DESCRIBE = """
    SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'public' AND c.relname = 'crm' AND a.attnum > 0 ORDER BY a.attnum
"""


def asked(name: str, *markers: str) -> str:
    """Return a statement by name, its parameters marked as the client marks them."""
    text = os.environ[f"ASK_{name.upper()}"]
    for number, marker in enumerate(markers, 1):
        text = text.replace(f"{{{number}}}", marker)
    return text


def tls() -> dict[str, str]:
    """Return the options of libpq that make the connection encrypted, verified and bound to its channel."""
    return {"sslmode": "verify-full", "sslrootcert": CA, "channel_binding": "require"}


def connectorx_tls() -> dict[str, str]:
    """Return the options of rust-postgres, as connectorx takes them."""
    return {"sslmode": "require", "sslrootcert": CA}


def uri(password: str = PASSWORD, user: str = USER, **options: str) -> str:
    """Return the address of the server."""
    return f"postgresql://{user}:{password}@{HOST}:{PORT}/{DATABASE}?{urlencode(options)}"


def described(columns: Iterable[Sequence[object]]) -> str:
    """Return columns as ``name type``."""
    return ", ".join(f"{name} {type_name}" for name, type_name in columns)


def refused(connect: Callable[[], object]) -> str:
    """Return that a connection was refused because of its password, or of the many tries that a pool made."""
    try:
        connect()
    except Exception as error:
        if "password authentication failed" in str(error) or "too many failed logins" in str(error):
            return "refused"
        raise
    return "let in"


def tell(version: str, steps: Mapping[str, Callable[[], str]]) -> None:
    """Do the steps, each whatever became of the others, and print what they return."""
    print("version", "", version, sep="\t")
    for name, step in steps.items():
        try:
            print("ok", name, step(), sep="\t", flush=True)
        except Exception as error:
            traceback.print_exc()
            told = " ".join(f"{type(error).__name__}: {error}".split())
            print("error", name, told, sep="\t", flush=True)
