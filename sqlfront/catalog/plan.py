"""Recognises questions about the catalogs and plans them over a private DuckDB of their own."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Final

import duckdb
import pyarrow as pa
import sqlglot
from sqlglot import exp

from engine.cancellation import Cancellation
from sqlfront.canned import canned
from sqlfront.catalog.allowed import check
from sqlfront.catalog.listings import shared_listings
from sqlfront.catalog.naming import column_name
from sqlfront.catalog.output import named, output_types, parameter_types, types_by_name
from sqlfront.catalog.relations import Relations, temporary_relations
from sqlfront.catalog.rewrite import REG_TYPES, rewrite, type_name
from sqlfront.catalog.rows import catalog_tables
from sqlfront.peer import Tls
from sqlfront.query import Query, ResultColumn
from sqlfront.state import Caller
from sqlfront.workspace import Cache

_CACHED: Final = 1024
_HINT: Final = re.compile(
    r"\bpg_\w|information_schema|\bcurrent_\w|\bsession_user\b|\bversion\b|\buser\b|\bset_config\b"
    r"|\bhas_\w+_privilege\b|\breg(?:class|type|proc|procedure|namespace|role|collation|oper)\b"
    r"|\bquote_ident\b|\bformat_type\b|_description\b|\bto_reg\w+|\binet_\w|\btxid_\w|getdatabaseencoding",
    re.IGNORECASE,
)
_FUNCTION: Final = re.compile(
    r"pg_(?!typeof)\w+|version|current_(?:database|schema|schemas|setting|catalog|user|role)|set_config"
    r"|has_\w+_privilege|session_user|user|format_type|(?:obj|col|shobj)_description|to_reg\w+"
    r"|inet_(?:server|client)_(?:addr|port)|quote_ident|txid_\w+|getdatabaseencoding|_pg_\w+",
)
_UNPARSABLE_ARRAY: Final = re.compile(r"::\s*(?:pg_catalog\.)?(oid|xid|reg[a-z]+)\s*\[\s*\]", re.IGNORECASE)
_ARRAY_TYPE: Final = r"::_\1"


@dataclass(frozen=True)
class CatalogQuestion:
    """A statement about the catalogs, parsed."""

    sql: str
    tree: exp.Expr


def recognise(sql: str) -> CatalogQuestion | None:
    """Return the question if a statement is about the catalogs or the session, else None.

    Text that cannot be parsed is not recognised; the main parser says what is wrong with it.
    """
    canned_question = canned(sql)
    if canned_question is not None:
        return CatalogQuestion(sql, sqlglot.parse_one(canned_question, read="postgres"))
    if not _HINT.search(sql):
        return None
    try:
        tree = sqlglot.parse_one(_UNPARSABLE_ARRAY.sub(_ARRAY_TYPE, sql), read="postgres")
    except sqlglot.errors.SqlglotError:
        return None
    return CatalogQuestion(sql, tree) if mentions(tree) else None


def mentions(tree: exp.Expr) -> bool:
    """Tell whether a parsed statement is to be answered from the catalogs.

    It is if it reads any of their tables, or no table at all but calls one of their functions.
    """
    if not isinstance(tree, exp.Query):
        return False
    ctes = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    tables = [
        table
        for table in tree.find_all(exp.Table)
        if not isinstance(table.this, exp.Func) and table.name.lower() not in ctes
    ]
    if tables:
        return any(_is_catalog_table(table) for table in tables)
    return any(_is_catalog_call(node) for node in tree.walk())


def _is_catalog_table(table: exp.Table) -> bool:
    return f"{table.db.lower() or 'pg_catalog'}.{table.name.lower()}" in catalog_tables() or (
        table.db.lower() in ("pg_catalog", "information_schema")
    )


def _is_catalog_call(node: exp.Expr) -> bool:
    if isinstance(node, exp.Cast):
        return type_name(node).lstrip("_") in REG_TYPES
    if isinstance(node, exp.Column):
        is_bare = not node.table and not node.this.args.get("quoted")
        return is_bare and column_name(node) in ("user", "session_user", "current_catalog")
    if isinstance(node, exp.Func):
        return bool(_FUNCTION.fullmatch(column_name(node)))
    return False


@dataclass(frozen=True)
class _Planned:
    """What does not depend on the caller: the SQL to run and its columns."""

    sql: str
    columns: tuple[ResultColumn, ...]


@dataclass(frozen=True)
class CatalogQuery:
    """A planned question about the catalogs."""

    catalog: Catalog
    sql: str
    columns: tuple[ResultColumn, ...]
    parameters: tuple[pa.DataType, ...]
    caller: Caller

    def run(self, values: Sequence[object], cancellation: Cancellation) -> pa.RecordBatchReader:
        """Answer it for what there is now; catalogs are small, so the whole answer is made at once."""
        cursor = self.catalog.cursor(self.caller)
        with closing(cursor), cancellation.interrupting(cursor.interrupt):
            answer: pa.Table = cursor.sql(self.sql, params=list(values)).to_arrow_table()
        return answer.to_reader()


class Catalog:
    """Guards the plans of questions about the catalogs, which differ by text alone.

    Args:
        relations: tells what a caller may list now; called for every statement, so it should be cheap.
    """

    def __init__(self, relations: Callable[[Caller], Relations]) -> None:
        self._relations = relations
        self._owner = object()
        self._planned: Cache[_Planned] = Cache(_CACHED)

    def cursor(self, caller: Caller) -> duckdb.DuckDBPyConnection:
        """Return a cursor in which the catalogs tell a caller what there is now."""
        listed, own = self._relations(caller), caller.temporaries()
        if not own:
            return shared_listings().cursor(self._owner, (listed,), _about(caller))
        about = {**_about(caller), "temporaries": "t"}
        return shared_listings().cursor(self._owner, (listed, temporary_relations(own)), about)

    def plan(
        self,
        question: CatalogQuestion,
        caller: Caller,
        declared: Sequence[pa.DataType | None] = (),
    ) -> Query:
        """Plan a question for a caller.

        Args:
            question: from ``recognise``.
            caller: who asks.
            declared: parameter types that the client gave, None where it left them open.

        Raises:
            WaylineError: it reads or calls what is no part of the catalogs.
            duckdb.Error: it names something that the catalogs do not have.
        """
        check(question.tree)
        parameters = parameter_types(question.tree, declared)
        planned = self._planned.get(question.sql, lambda: self._plan(question, len(parameters), caller))
        return CatalogQuery(self, planned.sql, planned.columns, parameters, caller)

    def _plan(self, question: CatalogQuestion, parameters: int, caller: Caller) -> _Planned:
        types = output_types(question.tree)
        sql = rewrite(_printable(question.tree, types)).sql("duckdb")
        probe = f"SELECT * FROM ({sql}) LIMIT 0"
        with closing(self.cursor(caller)) as cursor:
            empty: pa.Table = cursor.sql(probe, params=[None] * parameters).to_arrow_table()
        fields = list(empty.schema)
        names = [field.name for field in fields]
        if types and isinstance(question.tree, exp.Query):
            names = [column_name(projection) for projection in question.tree.selects]
        else:
            types = types_by_name(question.tree, names)
        columns = zip(names, types, fields, strict=True)
        return _Planned(sql, tuple(ResultColumn(n, named(kind, field.type)) for n, kind, field in columns))


def _printable(tree: exp.Expr, types: Sequence[str]) -> exp.Expr:
    """Show outer columns of type ``regproc`` as names of functions, as PostgreSQL prints them."""
    if "regproc" not in types:
        return tree
    tree = tree.copy()
    select = tree.find(exp.Select)
    for projection, kind in zip(select.expressions if select else (), types, strict=False):
        column = projection.unalias()
        if kind == "regproc" and isinstance(column, exp.Column):
            call = exp.Anonymous(this="regproc_name", expressions=[column.copy()])
            projection.replace(exp.alias_(call, column_name(projection), quoted=True))
    return tree


def _about(caller: Caller) -> dict[str, str]:
    """Return what the macros may read of the caller."""
    settings = {f"setting.{name}": value for name, value in caller.settings.items()}
    return (
        settings
        | dict(caller.about())
        | {
            "user": caller.user,
            "database": caller.database,
            "process": str(caller.process),
            **_of_encryption(caller.peer.tls),
        }
    )


def _of_encryption(tls: Tls | None) -> dict[str, str]:
    if tls is None:
        return {}
    return {"ssl_version": tls.version, "ssl_cipher": tls.cipher, "ssl_bits": str(tls.bits)}
