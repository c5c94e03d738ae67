"""Statements that are about the catalogs without being SQL that a parser reads, as questions that are."""

from __future__ import annotations

from typing import Final

_TABLES: Final = """
SELECT CAST(c.relname AS text) AS name, CAST(c.relname AS text) AS "dataSetId",
    CAST(c.relname AS text) AS "dataSet", obj_description(c.oid, 'pg_class') AS description, true AS resolved
FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v') ORDER BY 1
"""
_CANNED: Final = {"show tables": _TABLES, "\\showtables": _TABLES}


def canned(sql: str) -> str | None:
    """Return the question that a statement stands for; None if it is one itself, or something else.

    >>> canned("SHOW  tables") is not None, canned("SHOW jit")
    (True, None)
    """
    return _CANNED.get(" ".join(sql.split()).lower())
