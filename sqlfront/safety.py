"""What a SQL user may ask: an allow-list over the parsed statement, checked before anything else.

Data is reached through tables that the catalog knows and nothing else. What is not on the lists below
is refused, so a function or clause that the database gains one day is closed until it is opened here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from sqlglot import exp

from engine.errors import ForbiddenError, UnsupportedError, did_you_mean
from sqlfront.dialect import is_function_of_elements
from sqlfront.forbidden import HINT
from sqlfront.functions import AGGREGATES, GENERATORS, SAFE, TABLE_FUNCTIONS, called, system_function
from sqlfront.problems import UnknownFunctionError
from sqlfront.trees import is_query

_STRUCTURE: Final = (
    exp.Query,
    exp.Values,
    exp.Table,
    exp.TableAlias,
    exp.CTE,
    exp.With,
    exp.From,
    exp.Join,
    exp.Where,
    exp.Group,
    exp.GroupingSets,
    exp.Rollup,
    exp.Cube,
    exp.Having,
    exp.Order,
    exp.Ordered,
    exp.Limit,
    exp.LimitOptions,
    exp.Offset,
    exp.Fetch,
    exp.Distinct,
    exp.Lateral,
    exp.Unnest,
    exp.Window,
    exp.WindowSpec,
    exp.Filter,
    exp.WithinGroup,
)
_EXPRESSIONS: Final = (
    exp.Star,
    exp.Column,
    exp.Identifier,
    exp.Alias,
    exp.Literal,
    exp.Boolean,
    exp.Null,
    exp.Paren,
    exp.Tuple,
    exp.Interval,
    exp.Var,
    exp.DataType,
    exp.DataTypeParam,
    exp.Bracket,
    exp.Slice,
    exp.AtTimeZone,
    exp.Collate,
    exp.Any,
    exp.All,
    exp.Binary,
    exp.Unary,
    exp.Predicate,
    exp.Func,
    exp.JSONPath,
    exp.JSONPathPart,
    exp.ByteString,
    exp.RawString,
    exp.UnicodeString,
    exp.BitString,
    exp.HexString,
    exp.National,
    exp.Lambda,
    exp.Aliases,
)
_ALLOWED: Final = (*_STRUCTURE, *_EXPRESSIONS)

SYNTAX: Final = (
    exp.Connector,
    exp.Binary,
    exp.Case,
    exp.If,
    exp.Cast,
    exp.TryCast,
    exp.Extract,
    exp.Exists,
    exp.Array,
    exp.Trim,
    exp.Substring,
    exp.StrPosition,
    exp.Overlay,
    exp.Concat,
    exp.RegexpLike,
    exp.JSONExtract,
    exp.JSONExtractScalar,
    exp.CurrentDate,
    exp.CurrentTimestamp,
    exp.CurrentTime,
    exp.Localtime,
    exp.Localtimestamp,
    exp.Unnest,
    exp.ExplodingGenerateSeries,
    exp.TsOrDsToDate,
    exp.Date,
    exp.Timestamp,
    exp.Interval,
    exp.GroupConcat,
    exp.ArgMax,
    exp.ArgMin,
    exp.Ceil,
    exp.Chr,
    exp.Floor,
    exp.Initcap,
    exp.Sqrt,
    exp.Cbrt,
    exp.StartsWith,
)
"""Functions that the parser reads by rules of their own, so that the name they had is not kept."""

_SECRET: Final = re.compile(
    r"caller$|read_|write_|scan_|parquet_|glob$|getenv|getvariable|query|duckdb_|pragma_|sniff_|pg_read|pg_ls|"
    r"pg_stat_file|lo_|dblink|copy|load|install|attach|which_secret|current_setting|set_config|"
    r"pg_sleep|pg_terminate|pg_cancel|nextval|setval|currval|http|sqlite_|postgres_|mysql_|delta_|"
    r"iceberg_|st_read|arrow_scan|seq_scan|index_scan|pandas_scan|python_|test_|force_|"
    r"checkpoint|from_substrait|get_substrait|json_execute|json_serialize|sql_auto|write_log|log_|"
    r".*_to_xml|xpath|xmlparse|txid_|pg_.*_xact|pg_current_xact|pg_advisory|pg_reload|pg_rotate|pg_notify|"
    r"pg_logical|pg_create|pg_drop|pg_switch|pg_backup|pg_promote|pg_replication|pg_wal|pg_relation_file|"
    r"pg_tablespace_location|secret|"
    r"binary_upgrade|current_query|ts_stat|table_to|cursor_to|schema_to|parse_path|export|import"
)
_PLAIN: Final = re.compile(r"[\w$ .]+")
"""What names of functions are made of; escapes and paths are not."""


def check(tree: exp.Expr) -> None:
    """Pass a question that only reads, or raise.

    Raises:
        ForbiddenError: it writes, reaches for files or the server, or calls such a function.
        UnknownFunctionError: it calls a function that does not exist.
        UnsupportedError: it uses a clause that is harmless but not offered.
    """
    if not is_query(tree):
        raise ForbiddenError(
            f"{_spelled(tree)} is not allowed", hint="Only questions (SELECT) can be asked here."
        )
    for node in tree.walk():
        _check_node(node)


def _check_node(node: exp.Expr) -> None:
    if isinstance(node, (exp.DDL, exp.DML, exp.Command, exp.Into, exp.Copy)):
        raise ForbiddenError(f"{_spelled(node)} is not allowed", hint="SQL users may read and not write.")
    if isinstance(node, exp.Parameter):
        _check_parameter(node)
    elif not isinstance(node, _ALLOWED):
        raise UnsupportedError(f"{_spelled(node)} is not supported")
    if isinstance(node, exp.Lambda) and not is_function_of_elements(node):
        raise UnsupportedError("a function of elements (x -> …) cannot stand here")
    if isinstance(node, exp.Func):
        _check_function(node)
    if isinstance(node, exp.Table):
        _check_table(node)
    if isinstance(node, exp.Lateral) and not is_query(node.this) and not node.args.get("view"):
        _check_source(node.this)
    if isinstance(node, exp.Star) and any(node.args.values()):
        raise UnsupportedError("EXCEPT, REPLACE and RENAME after * are not supported")


def _spelled(node: exp.Expr) -> str:
    """Return the words of a node's class as SQL would say them: ``TableSample`` → ``TABLE SAMPLE``."""
    if isinstance(node, exp.Command):
        return str(node.name).upper()
    if isinstance(node, exp.Into):
        return "SELECT INTO"
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(node).__name__).upper()


def _check_parameter(node: exp.Parameter) -> None:
    if not (isinstance(node.this, exp.Literal) and not node.this.is_string):
        raise UnsupportedError("variables are not supported", hint="Number parameters: $1, $2, …")


def _check_function(function: exp.Func) -> None:
    name = called(function)
    if name is None:
        if not isinstance(function, SYNTAX):
            raise UnsupportedError(f"{_spelled(function)} is not supported")
    elif isinstance(function.parent, exp.Table) and function.parent.this is function:
        return
    elif _is_qualified(function) or name not in SAFE:
        raise unknown_function(name)


def _is_qualified(function: exp.Expr) -> bool:
    """Tell whether a function is called by a schema other than PostgreSQL's own."""
    around = function.parent
    qualified = isinstance(around, exp.Dot) and around.expression is function
    return qualified and around is not None and around.this.name.lower() != "pg_catalog"


def _check_table(table: exp.Table) -> None:
    if isinstance(table.this, exp.Func):
        if system_function(table) is None:
            _check_source(table.this)
    elif not all(isinstance(part, exp.Identifier) for part in _qualifiers(table)):
        raise ForbiddenError("only names stand before the name of a table", hint=HINT)
    elif not isinstance(table.this, exp.Identifier):
        raise UnsupportedError("a table name has at most a database and a schema in front")


def _qualifiers(table: exp.Table) -> Iterator[object]:
    return filter(None, (table.args.get("db"), table.args.get("catalog")))


def _check_source(function: exp.Expr) -> None:
    known = isinstance(function, (exp.ExplodingGenerateSeries, exp.Unnest))
    name = called(function) or ""
    if name in GENERATORS:
        raise UnsupportedError(
            f"{name} in FROM is not supported",
            hint=f"Write SELECT {name}(…), or LATERAL VIEW {name}(…) e AS name behind a table.",
        )
    if not known and name not in TABLE_FUNCTIONS:
        raise unknown_function(name or _spelled(function).lower())


def unknown_function(name: str) -> ForbiddenError | UnknownFunctionError:
    """Return the error for a function that may not be called: forbidden, or not there at all."""
    if _SECRET.match(name.lower()) or not _PLAIN.fullmatch(name):
        return ForbiddenError(
            f"function {name} is not allowed",
            hint=HINT,
        )
    return UnknownFunctionError(f"function {name} does not exist", hint=did_you_mean(name, SAFE))


def is_aggregate(node: exp.Expr) -> bool:
    """Tell whether a node calls an aggregate function."""
    if isinstance(node, exp.AggFunc) and called(node) is None:
        return True
    return isinstance(node, exp.Func) and called(node) in AGGREGATES
