"""Statements about temporary tables: BI tools try with them what they may do, and keep long lists in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import sqlglot
from sqlglot import exp

from engine.errors import UnsupportedError
from sqlfront.cast_types import cast_type
from sqlfront.preparing import parenthesised, text_of
from sqlfront.sqlstate import SqlError
from sqlfront.temporary_rows import TEMPORARY_SCHEMAS
from sqlfront.tokens import Piece, Token, TokenReader, tokens
from sqlfront.wire.types import kept_type, storage_type

HINT: Final = "Questions are: SELECT, WITH, VALUES, TABLE, EXPLAIN. Data comes by ingest."
_INTO: Final = re.compile(r"\binto\b", re.IGNORECASE)
_TEMPORARY: Final = ("TEMP", "TEMPORARY")
_SCOPES: Final = ("LOCAL", "GLOBAL")
_CONSTRAINTS: Final = frozenset(("CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN", "EXCLUDE", "LIKE"))
_BEHIND_TYPE: Final = frozenset(
    ("NOT", "NULL", "PRIMARY", "UNIQUE", "CONSTRAINT", "REFERENCES", "CHECK", "COLLATE")
)
_REFUSED_OF_COLUMN: Final = frozenset(("DEFAULT", "GENERATED"))
_DECIMAL: Final = re.compile(r"(?:numeric|decimal)\s*\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)", re.IGNORECASE)


@dataclass(frozen=True)
class CreateTemporary:
    """``CREATE TEMPORARY TABLE``, with columns or a question; also ``SELECT … INTO TEMPORARY``.

    Attributes:
        columns: names and types; no types (null) where a question brings them.
        query: whose rows it keeps, None for an empty table.
        lenient: leave a table of that name as it is.
        with_rows: keep the question's rows, not its columns alone.
    """

    name: str
    columns: tuple[tuple[str, pa.DataType], ...]
    query: Piece | None = None
    lenient: bool = False
    with_rows: bool = True


@dataclass(frozen=True)
class Insert:
    """``INSERT INTO name (columns) question``; no columns are all."""

    name: str
    columns: tuple[str, ...]
    query: Piece


@dataclass(frozen=True)
class Drop:
    """``DROP TABLE`` of some names; ``lenient`` where IF EXISTS stands."""

    names: tuple[str, ...]
    lenient: bool


@dataclass(frozen=True)
class Truncate:
    """``TRUNCATE`` of some names."""

    names: tuple[str, ...]


def read_create(reader: TokenReader) -> CreateTemporary:
    """Read what follows CREATE.

    Raises:
        UnsupportedError: it would make anything but a temporary table.
    """
    reader.any_of(*_SCOPES)
    if not reader.any_of(*_TEMPORARY) or not reader.accept("TABLE"):
        raise UnsupportedError("CREATE is not supported", hint="Only temporary tables can be made.")
    lenient = reader.accept("IF", "NOT", "EXISTS")
    name = _name(reader)
    columns = _columns(reader) if reader.word() == "(" else ()
    _preserve_rows(reader)
    if not reader.accept("AS"):
        if not columns or any(pa.types.is_null(kind) for _, kind in columns):
            raise reader.problem(next(iter(reader.rest()), None))
        return CreateTemporary(name, columns, None, lenient)
    query, with_rows = _without_data_clause(reader.remaining_piece())
    reader.rest()
    return CreateTemporary(name, columns, query, lenient, with_rows)


def read_insert(reader: TokenReader) -> Insert:
    """Read what follows INSERT."""
    reader.expect("INTO")
    name = _name(reader)
    columns = reader.names() if reader.word() == "(" else ()
    query = reader.remaining_piece()
    reader.rest()
    return Insert(name, columns, query)


def read_drop(reader: TokenReader) -> Drop:
    """Read what follows DROP.

    Raises:
        UnsupportedError: it is no table that shall go.
    """
    if not reader.accept("TABLE"):
        raise UnsupportedError("DROP is not supported", hint=HINT)
    lenient = reader.accept("IF", "EXISTS")
    names = _names(reader)
    reader.any_of("CASCADE", "RESTRICT")
    return Drop(names, lenient)


def read_truncate(reader: TokenReader) -> Truncate:
    """Read what follows TRUNCATE."""
    reader.accept("TABLE")
    names = _names(reader)
    reader.any_of("CASCADE", "RESTRICT")
    return Truncate(names)


def read_select_into(piece: Piece) -> CreateTemporary | None:
    """Return the statement if it is ``SELECT … INTO TEMPORARY …``, else None.

    Its question keeps its places in the text: blanks take the place of the clause.
    """
    if not _INTO.search(piece.sql):
        return None
    found, depth = list(tokens(piece.sql)), 0
    for at, token in enumerate(found):
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth == 0 and token.kind == "word" and token.text.upper() == "INTO":
            return _into(piece, token, found[at + 1 :])
    return None


def _into(piece: Piece, into: Token, following: list[Token]) -> CreateTemporary | None:
    reader = TokenReader(Piece(piece.sql[into.end :], piece.offset + into.end))
    reader.any_of(*_SCOPES)
    if not reader.any_of(*_TEMPORARY):
        return None
    reader.accept("TABLE")
    name = _name(reader)
    end = into.end + reader.place()
    blanks = " " * (end - into.start)
    return CreateTemporary(name, (), Piece(piece.sql[: into.start] + blanks + piece.sql[end:], piece.offset))


def _without_schema(name: str) -> str:
    schema, dot, own = name.partition(".")
    return own if dot and schema in TEMPORARY_SCHEMAS else name


def _name(reader: TokenReader) -> str:
    name = _without_schema(reader.name())
    if "." in name:
        raise SqlError(f'"{name}" is in no temporary schema', "42P16", hint="Leave the schema out.")
    return name


def _names(reader: TokenReader) -> tuple[str, ...]:
    names = [_without_schema(reader.name())]
    while reader.accept(","):
        names.append(_without_schema(reader.name()))
    return tuple(names)


def _preserve_rows(reader: TokenReader) -> None:
    if reader.accept("ON", "COMMIT") and not reader.accept("PRESERVE", "ROWS"):
        raise UnsupportedError("only ON COMMIT PRESERVE ROWS is supported", hint="Drop the table yourself.")


def _columns(reader: TokenReader) -> tuple[tuple[str, pa.DataType], ...]:
    """Read column definitions, or names alone; constraints of the table are not kept."""
    parts = [part for part in parenthesised(reader) if part]
    return tuple(_column(part) for part in parts if part[0].text.upper() not in _CONSTRAINTS)


def _column(part: list[Token]) -> tuple[str, pa.DataType]:
    name = TokenReader(Piece(part[0].text, 0)).name()
    words = [token.text.upper() for token in part]
    if not _REFUSED_OF_COLUMN.isdisjoint(words):
        raise UnsupportedError("defaults of columns are not supported", hint="Insert the values.")
    end = next((at for at, word in enumerate(words) if at and word in _BEHIND_TYPE), len(part))
    return name, kept(text_of(part[1:end])) if end > 1 else pa.null()


def kept(written: str) -> pa.DataType:
    """Return the Arrow type in which values of a type are kept, by its name in SQL.

    Raises:
        SqlError: there is no such type, or no values of it.
    """
    decimal = _DECIMAL.fullmatch(written.strip())
    if decimal is not None:
        return pa.decimal128(int(decimal[1]), int(decimal[2] or 0))
    try:
        target = sqlglot.parse_one(written, read="postgres", into=exp.DataType)
        kind = cast_type(exp.Cast(this=exp.null(), to=target))
    except (sqlglot.errors.SqlglotError, ValueError):
        kind = None
    if kind is None:
        raise SqlError(f'type "{written}" does not exist', "42704")
    plain = kept_type(kind)
    return pa.string() if isinstance(plain, pa.BaseExtensionType) else storage_type(plain)


def _without_data_clause(piece: Piece) -> tuple[Piece, bool]:
    """Split ``WITH [NO] DATA`` off the end; return the question, and whether its rows are kept."""
    found = list(tokens(piece.sql))
    words = [token.text.upper() for token in found]
    for ending, with_rows in ((["WITH", "NO", "DATA"], False), (["WITH", "DATA"], True)):
        if words[-len(ending) :] == ending:
            return Piece(piece.sql[: found[-len(ending)].start].rstrip(), piece.offset), with_rows
    return piece, True
