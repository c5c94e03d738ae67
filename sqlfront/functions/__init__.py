"""Functions that a statement may call, and how PostgreSQL's are written for DuckDB.

Everything is a rewrite of the tree, never a macro: expressions also run inside reports, in an engine
that knows nothing of a SQL session. What depends on a type that a statement does not show is left to
DuckDB, which knows ``typeof(…)`` of each expression before it runs anything.
"""

from sqlfront.functions.names import (
    AGGREGATES,
    GENERATORS,
    SAFE,
    SYSTEM_FUNCTIONS,
    TABLE_FUNCTIONS,
    called,
    system_function,
)
from sqlfront.functions.rewriting import is_now, now, to_duckdb
from sqlfront.functions.written import as_written, is_short

__all__ = [
    "AGGREGATES",
    "GENERATORS",
    "SAFE",
    "SYSTEM_FUNCTIONS",
    "TABLE_FUNCTIONS",
    "as_written",
    "called",
    "is_now",
    "is_short",
    "now",
    "system_function",
    "to_duckdb",
]
