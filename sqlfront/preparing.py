"""PREPARE and EXECUTE in SQL: the same prepared statements as the protocol's, under the same names."""

from __future__ import annotations

from dataclasses import dataclass

import sqlglot
from sqlglot import exp

from sqlfront.cast_types import pg_type
from sqlfront.sqlstate import SqlError
from sqlfront.tokens import Piece, Token, TokenReader
from sqlfront.wire.types import BY_NAME

_VALUES = "VALUES "


@dataclass(frozen=True)
class Prepare:
    """``PREPARE name (types) AS query``.

    Attributes:
        oids: types of the parameters, 0 where they are left open.
    """

    name: str
    oids: tuple[int, ...]
    query: Piece


@dataclass(frozen=True)
class Execute:
    """``EXECUTE name (values)``.

    Attributes:
        query: a question whose one row has the values; None if there are none.
    """

    name: str
    query: Piece | None


def read_prepare(reader: TokenReader) -> Prepare:
    """Read what follows PREPARE."""
    name = reader.name()
    oids = tuple(type_oid(text) for text in _listed(reader)) if reader.word() == "(" else ()
    if not reader.accept("AS"):
        raise reader.problem(next(iter(reader.rest()), None))
    query = reader.remaining_piece()
    reader.rest()
    return Prepare(name, oids, query)


def read_execute(reader: TokenReader) -> Execute:
    """Read what follows EXECUTE."""
    name = reader.name()
    if not reader.word():
        return Execute(name, None)
    if reader.word() != "(":
        raise reader.problem(next(iter(reader.rest()), None))
    values = reader.remaining_piece()
    reader.rest()
    return Execute(name, Piece(_VALUES + values.sql, values.offset - len(_VALUES)))


def _listed(reader: TokenReader) -> list[str]:
    """Take what stands in parentheses, split at its commas."""
    return [text_of(part) for part in parenthesised(reader)]


def parenthesised(reader: TokenReader) -> list[list[Token]]:
    """Take a list in parentheses: the tokens of each of its parts."""
    if not reader.accept("("):
        raise reader.problem(next(iter(reader.rest()), None))
    parts: list[list[Token]] = [[]]
    depth = 1
    while depth:
        token = reader.take()
        depth += (token.text == "(") - (token.text == ")")
        if token.text == "," and depth == 1:
            parts.append([])
        elif depth:
            parts[-1].append(token)
    return parts


def text_of(tokens: list[Token]) -> str:
    """Return tokens as text again."""
    return " ".join(token.text for token in tokens)


def type_oid(text: str) -> int:
    """Return the oid of a type by its name in SQL; 0 for ``unknown``.

    Raises:
        SqlError: there is no such type.
    """
    name = type_called(text)
    if name == "unknown":
        return 0
    return BY_NAME[name[1:]].array if name.startswith("_") else BY_NAME[name].oid


def type_called(text: str) -> str:
    """Return what ``pg_type`` calls a type by its name in SQL."""
    try:
        target = sqlglot.parse_one(text, read="postgres", into=exp.DataType)
        name = pg_type(exp.Cast(this=exp.null(), to=target))
    except (sqlglot.errors.SqlglotError, ValueError):
        name = ""
    if not name:
        raise SqlError(f'type "{text}" does not exist', "42704")
    return name
