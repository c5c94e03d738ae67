"""Statements that concern the session alone: SET, SHOW, BEGIN, DECLARE, FETCH and their like.

They are read from the text, token by token, because no SQL parser agrees on all of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from engine.errors import ForbiddenError, UnsupportedError
from sqlfront.canned import canned
from sqlfront.configuring import SetConfig, read_set_config
from sqlfront.copying import Copy, read_copy
from sqlfront.dialect import QUESTION_WORDS
from sqlfront.preparing import Execute, Prepare, read_execute, read_prepare
from sqlfront.temporaries import (
    HINT,
    CreateTemporary,
    Drop,
    Insert,
    Truncate,
    read_create,
    read_drop,
    read_insert,
    read_select_into,
    read_truncate,
)
from sqlfront.tokens import Piece, Token, TokenReader, string_value, tokens


@dataclass(frozen=True)
class SetVariable:
    """``SET name = value``; no value means the default; ``local`` ends with the transaction."""

    name: str
    value: str | None
    local: bool = False


@dataclass(frozen=True)
class Reset:
    """``RESET name``, or all of them."""

    name: str | None


@dataclass(frozen=True)
class Show:
    """``SHOW name``; ``all`` shows every setting."""

    name: str


@dataclass(frozen=True)
class Transaction:
    """BEGIN, COMMIT, ROLLBACK; or SAVEPOINT, RELEASE, ``ROLLBACK TO`` with a name.

    A tag is what its completion is called, if not by the action.
    """

    action: str
    name: str = ""
    tag: str = ""


@dataclass(frozen=True)
class Declare:
    """``DECLARE name CURSOR FOR query``."""

    name: str
    query: Piece
    hold: bool
    binary: bool


@dataclass(frozen=True)
class Fetch:
    """``FETCH`` or ``MOVE`` forward; no count means all."""

    cursor: str
    count: int | None
    move: bool


@dataclass(frozen=True)
class CloseCursor:
    """``CLOSE name``, or all."""

    name: str | None


@dataclass(frozen=True)
class Deallocate:
    """``DEALLOCATE name``, or all."""

    name: str | None


@dataclass(frozen=True)
class Discard:
    """``DISCARD ALL`` or a part."""

    what: str


@dataclass(frozen=True)
class Nothing:
    """A statement that has nothing to do here and is answered with its tag."""

    tag: str


Control = (
    SetVariable
    | Reset
    | Show
    | Transaction
    | Declare
    | Fetch
    | CloseCursor
    | Deallocate
    | Discard
    | Copy
    | Prepare
    | Execute
    | SetConfig
    | CreateTemporary
    | Insert
    | Drop
    | Truncate
    | Nothing
)


def control(piece: Piece) -> Control | None:
    """Return the control statement that a piece is, or None if it is a question.

    Raises:
        SqlError: it begins like one but is malformed.
        UnsupportedError: it is one that we do not serve.
        ForbiddenError: it would reach files or other databases.
    """
    if _QUESTION.match(piece.sql):
        _check_explained(piece)
        return read_set_config(piece) or read_select_into(piece)
    if canned(piece.sql) is not None:
        return None
    reader = TokenReader(piece)
    word = reader.word()
    _check_word(word)
    read = _READERS.get(word)
    if read is None:
        raise reader.problem(next(iter(reader.rest()), None))
    reader.accept(word)
    statement = read(reader)
    reader.end()
    return statement


def _check_word(word: str) -> None:
    """Raise if a statement that begins with a word is never served."""
    if word in _FORBIDDEN:
        raise ForbiddenError(f"{word} is not allowed", hint=HINT)
    if word in _REFUSED:
        raise UnsupportedError(f"{word} is not supported", hint=HINT)


def _check_explained(piece: Piece) -> None:
    """Raise if EXPLAIN asks about a statement that is never served, or that is no question."""
    if not _EXPLAIN.match(piece.sql):
        return
    reader = TokenReader(piece)
    reader.accept("EXPLAIN")
    if reader.word() == "(" and not _is_question(reader):
        reader.in_brackets()
    while reader.any_of("ANALYZE", "ANALYSE", "VERBOSE"):
        continue
    word = reader.word()
    _check_word(word)
    if word in _READERS or word == "EXPLAIN":
        raise UnsupportedError(f"EXPLAIN of {word} is not supported", hint=HINT)


def _is_question(reader: TokenReader) -> bool:
    """Tell whether the bracket that comes next holds a question, and not options."""
    return _QUESTION.match(reader.piece.sql[reader.place() :].lstrip("( \t\r\n")) is not None


def question_of(found: Control) -> Piece | None:
    """Return the question that a control statement holds, if it holds one."""
    return found.query if isinstance(found, _WITH_QUESTIONS) else None


def check_question(piece: Piece) -> None:
    """Raise unless a piece that another statement holds (DECLARE, COPY, PREPARE) is a question."""
    if control(piece) is not None:
        raise UnsupportedError(
            f"{TokenReader(piece).word()} inside another statement is not supported",
            hint="Only questions can be prepared, declared and copied: SELECT, VALUES, TABLE, WITH.",
        )


def _set(reader: TokenReader) -> Control:
    if what := reader.any_of("GLOBAL", "VARIABLE", "PERSIST"):
        raise ForbiddenError(f"SET {what} is not allowed", hint="SET sets what is of the session.")
    local = reader.any_of("LOCAL", "SESSION") == "LOCAL"
    if reader.any_of("TRANSACTION", "CHARACTERISTICS", "CONSTRAINTS"):
        reader.rest()
        return Nothing("SET")
    if reader.accept("AUTHORIZATION") or reader.accept("SESSION", "AUTHORIZATION"):
        return SetVariable("session_authorization", _who(reader), local)
    if reader.accept("ROLE"):
        reader.any_of("TO", "=")
        return SetVariable("role", _who(reader), local)
    if reader.accept("TIME", "ZONE"):
        return SetVariable("TimeZone", _value(reader), local)
    if reader.accept("NAMES"):
        return SetVariable("client_encoding", _value(reader), local)
    name = reader.name()
    if not reader.any_of("TO", "="):
        raise reader.problem(next(iter(reader.rest()), None))
    return SetVariable(name, _value(reader), local)


def _who(reader: TokenReader) -> str | None:
    """Return the user or role to be taken, by name or as a text; None for the default and NONE."""
    if reader.any_of("DEFAULT", "NONE"):
        return None
    if reader.word().startswith(("'", "E'")):
        return _value(reader)
    return reader.name()


def _value(reader: TokenReader) -> str | None:
    """Return the value to be set, None for the default; a list keeps its commas."""
    parts = [_value_text(token) for token in reader.rest()]
    if not parts:
        raise reader.problem()
    if len(parts) == 1 and parts[0].upper() in ("DEFAULT", "LOCAL"):
        return None
    return "".join(", " if part == "," else part for part in parts)


def _value_text(token: Token) -> str:
    if token.kind == "string":
        return string_value(token.text)
    return token.text


def _reset(reader: TokenReader) -> Control:
    if reader.accept("ALL"):
        return Reset(None)
    if reader.accept("SESSION", "AUTHORIZATION"):
        return Reset("session_authorization")
    if reader.accept("TIME", "ZONE"):
        return Reset("TimeZone")
    return Reset(reader.name())


def _show(reader: TokenReader) -> Control:
    if what := reader.any_of("DATABASES", "COLUMNS", "SCHEMAS"):
        raise UnsupportedError(f"SHOW {what} is not supported", hint="Ask information_schema, or psql's \\d.")
    if reader.accept("ALL"):
        return Show("all")
    if reader.accept("TIME", "ZONE"):
        return Show("TimeZone")
    if reader.accept("TRANSACTION", "ISOLATION", "LEVEL"):
        return Show("transaction_isolation")
    if reader.accept("SESSION", "AUTHORIZATION"):
        return Show("session_authorization")
    return Show(reader.name())


def _begin(reader: TokenReader) -> Control:
    if reader.word() == "ATOMIC":
        raise reader.problem(reader.take())
    reader.rest()
    return Transaction("BEGIN")


def _start(reader: TokenReader) -> Control:
    if not reader.accept("TRANSACTION"):
        raise reader.problem(next(iter(reader.rest()), None))
    reader.rest()
    return Transaction("BEGIN", tag="START TRANSACTION")


def _commit(reader: TokenReader) -> Control:
    return _ended(reader, "COMMIT")


def _ended(reader: TokenReader, action: str) -> Control:
    reader.any_of("WORK", "TRANSACTION")
    if reader.accept("AND", "CHAIN"):
        raise UnsupportedError(f"{action} AND CHAIN is not supported", hint="Send BEGIN afterwards.")
    reader.accept("AND", "NO", "CHAIN")
    return Transaction(action)


def _rollback(reader: TokenReader) -> Control:
    if not any(token.text.upper() == "TO" for token in list(tokens(reader.piece.sql))):
        return _ended(reader, "ROLLBACK")
    reader.any_of("WORK", "TRANSACTION")
    reader.accept("TO")
    reader.accept("SAVEPOINT")
    return Transaction("ROLLBACK TO", reader.name())


def _savepoint(reader: TokenReader) -> Control:
    return Transaction("SAVEPOINT", reader.name())


def _release(reader: TokenReader) -> Control:
    reader.accept("SAVEPOINT")
    return Transaction("RELEASE", reader.name())


def _declare(reader: TokenReader) -> Control:
    name, binary = reader.name(), False
    while word := reader.any_of("BINARY", "INSENSITIVE", "ASENSITIVE", "NO", "SCROLL"):
        binary = binary or word == "BINARY"
    if not reader.accept("CURSOR"):
        raise reader.problem(next(iter(reader.rest()), None))
    hold = reader.accept("WITH", "HOLD")
    reader.accept("WITHOUT", "HOLD")
    if not reader.accept("FOR"):
        raise reader.problem(next(iter(reader.rest()), None))
    query = reader.remaining_piece()
    reader.rest()
    return Declare(name, query, hold, binary)


def _fetch(reader: TokenReader) -> Control:
    return _moved(reader, False)


def _move(reader: TokenReader) -> Control:
    return _moved(reader, True)


def _moved(reader: TokenReader, move: bool) -> Control:
    if backward := reader.any_of("BACKWARD", "PRIOR", "FIRST", "LAST", "ABSOLUTE", "RELATIVE", "-"):
        raise UnsupportedError(f"cursors only go forward, not {backward}", hint="Read it again.")
    count: int | None = 1
    if not reader.accept("NEXT"):
        reader.accept("FORWARD")
        count = _count(reader)
    reader.any_of("FROM", "IN")
    return Fetch(reader.name(), count, move)


def _count(reader: TokenReader) -> int | None:
    if reader.accept("ALL"):
        return None
    word = reader.word()
    return int(word) if word.isdigit() and reader.accept(word) else 1


def _close(reader: TokenReader) -> Control:
    return CloseCursor(None if reader.accept("ALL") else reader.name())


def _deallocate(reader: TokenReader) -> Control:
    reader.accept("PREPARE")
    return Deallocate(None if reader.accept("ALL") else reader.name())


def _discard(reader: TokenReader) -> Control:
    what = reader.any_of("ALL", "PLANS", "SEQUENCES", "TEMPORARY", "TEMP")
    if not what:
        raise reader.problem(next(iter(reader.rest()), None))
    return Discard("TEMP" if what == "TEMPORARY" else what)


def _nothing(tag: str) -> Callable[[TokenReader], Control]:
    def read(reader: TokenReader) -> Control:
        reader.rest()
        return Nothing(tag)

    return read


_QUESTION: Final = re.compile(rf"(?:{'|'.join(QUESTION_WORDS)}|explain)(?![\w$])|\(", re.IGNORECASE)
_EXPLAIN: Final = re.compile(r"EXPLAIN(?![\w$])", re.IGNORECASE)
_FORBIDDEN: Final = frozenset(
    ("ATTACH", "DETACH", "INSTALL", "LOAD", "EXPORT", "IMPORT", "PRAGMA", "FORCE", "CHECKPOINT", "USE")
)
_REFUSED: Final = frozenset(
    (
        *("DELETE", "MERGE", "ALTER", "COMMENT"),
        *("GRANT", "REVOKE", "REASSIGN", "SECURITY", "REFRESH", "REINDEX", "CLUSTER"),
        *("VACUUM", "ANALYZE", "ANALYSE", "LOCK", "NOTIFY", "CALL", "DO"),
        *("SUMMARIZE", "DESCRIBE", "DESC", "PIVOT", "UNPIVOT", "FROM", "UPDATE", "RESTORE", "REPLACE"),
    )
)
_WITH_QUESTIONS: Final = (Declare, Copy, Prepare, Execute, CreateTemporary, Insert)
_READERS: Final[dict[str, Callable[[TokenReader], Control]]] = {
    "SET": _set,
    "RESET": _reset,
    "SHOW": _show,
    "BEGIN": _begin,
    "START": _start,
    "COMMIT": _commit,
    "END": _commit,
    "ROLLBACK": _rollback,
    "ABORT": _rollback,
    "SAVEPOINT": _savepoint,
    "RELEASE": _release,
    "DECLARE": _declare,
    "FETCH": _fetch,
    "MOVE": _move,
    "CLOSE": _close,
    "DEALLOCATE": _deallocate,
    "DISCARD": _discard,
    "LISTEN": _nothing("LISTEN"),
    "UNLISTEN": _nothing("UNLISTEN"),
    "COPY": read_copy,
    "CREATE": read_create,
    "INSERT": read_insert,
    "DROP": read_drop,
    "TRUNCATE": read_truncate,
    "PREPARE": read_prepare,
    "EXECUTE": read_execute,
}
