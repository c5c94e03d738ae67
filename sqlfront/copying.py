"""COPY … TO STDOUT as text: which query, and in which of the three formats.

Both spellings of the options are read, ``(FORMAT csv, HEADER)`` and ``WITH CSV HEADER``, because clients
still send the old one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from engine.errors import UnsupportedError
from sqlfront.sqlstate import SqlError
from sqlfront.tokens import Piece, TokenReader, string_value
from sqlfront.wire.copy import CopyForm

_Options = dict[str, Any]


@dataclass(frozen=True)
class Copy:
    """``COPY (query) TO STDOUT``, or of a relation's columns."""

    query: Piece
    form: CopyForm


def read_copy(reader: TokenReader) -> Copy:
    """Return what follows the word COPY.

    Raises:
        SqlError: it is malformed, contradicts itself, or touches a file, a program or a table's rows.
    """
    binary = reader.accept("BINARY")
    query = reader.in_brackets() if reader.word() == "(" else _relation(reader)
    if reader.accept("FROM"):
        raise _not_allowed("COPY FROM", "Data comes by wayline ingest.")
    reader.expect("TO")
    if not reader.any_of("STDOUT", "STDIN"):
        raise _not_allowed("COPY to a file or program", "COPY … TO STDOUT, or psql's \\copy.")
    options: _Options = {"format": "binary"} if binary else {}
    for name, value in _options(reader):
        if name in options:
            raise SqlError("conflicting or redundant options", "42601")
        options[name] = value
    return Copy(query, _form(options))


def _not_allowed(what: str, hint: str) -> SqlError:
    return SqlError(f"permission denied: {what} is not allowed", "42501", hint=hint)


def _relation(reader: TokenReader) -> Piece:
    """Return the question for a relation; its offset makes positions fit the text as it was written."""
    start = reader.place()
    reader.name()
    relation = reader.since(start)
    if reader.word() != "(":
        return _question("*", relation, relation.offset - len("SELECT * FROM "))
    start = reader.place()
    reader.names()
    names = reader.since(start)
    return _question(names.sql[1:-1], relation, names.offset + 1 - len("SELECT "))


def _question(columns: str, relation: Piece, offset: int) -> Piece:
    return Piece(f"SELECT {columns} FROM {relation.sql}", offset)


def _options(reader: TokenReader) -> Iterator[tuple[str, Any]]:
    reader.accept("WITH")
    if reader.word() == "(":
        yield from _listed(reader)
        return
    while word := reader.word():
        if word not in _OLD:
            raise reader.problem(reader.take())
        reader.accept(word)
        yield _OLD[word](reader)


def _listed(reader: TokenReader) -> Iterator[tuple[str, Any]]:
    """Yield options in brackets: each a name, and mostly a value."""
    reader.expect("(")
    while True:
        yield reader.name(), _value(reader)
        if not reader.accept(","):
            break
    reader.expect(")")


def _value(reader: TokenReader) -> Any:
    """Return an option's value: text, names in brackets, or None if there is none."""
    if reader.word() in (",", ")", ""):
        return None
    if reader.word() == "(":
        return reader.names()
    token = reader.take()
    return string_value(token.text) if token.kind == "string" else token.text.lower()


def _text_of(name: str) -> Callable[[TokenReader], tuple[str, Any]]:
    def read(reader: TokenReader) -> tuple[str, Any]:
        reader.accept("AS")
        return name, reader.string()

    return read


def _forced(reader: TokenReader) -> tuple[str, Any]:
    reader.expect("QUOTE")
    return "force_quote", "*" if reader.accept("*") else _names_without_brackets(reader)


def _names_without_brackets(reader: TokenReader) -> tuple[str, ...]:
    found = [reader.name()]
    while reader.accept(","):
        found.append(reader.name())
    return tuple(found)


_OLD: Final[dict[str, Callable[[TokenReader], tuple[str, Any]]]] = {
    "BINARY": lambda reader: ("format", "binary"),
    "CSV": lambda reader: ("format", "csv"),
    "HEADER": lambda reader: ("header", None),
    "FREEZE": lambda reader: ("freeze", None),
    "FORCE": _forced,
} | {name.upper(): _text_of(name) for name in ("delimiter", "null", "quote", "escape", "encoding")}
_DEFAULTS: Final = {"text": ("\t", "\\N"), "csv": (",", ""), "binary": ("", "")}
_INPUT_ONLY: Final = ("force_not_null", "force_null")
_OPTIONS: Final = frozenset(("format", "header", "freeze", "force_quote", "encoding", *_INPUT_ONLY)) | {
    "delimiter",
    "null",
    "quote",
    "escape",
}
_BOOLEANS: Final = {"true": True, "on": True, "1": True, "false": False, "off": False, "0": False}
_ENCODINGS: Final = ("utf8", "utf-8", "unicode")


def _form(options: _Options) -> CopyForm:
    """Return the format that options ask for, once they agree with each other."""
    for name in options:
        if name not in _OPTIONS:
            raise SqlError(f'option "{name}" not recognized', "42601")
    kind = _text(options, "format", "text")
    if kind not in _DEFAULTS:
        raise SqlError(f'COPY format "{kind}" not recognized', "22023")
    _check_kind(kind, options)
    delimiter, null = _DEFAULTS[kind]
    quote = _character(options, "quote", '"')
    return CopyForm(
        kind,
        _header(options),
        _character(options, "delimiter", delimiter),
        _text(options, "null", null),
        quote,
        _character(options, "escape", quote),
        _forced_columns(options),
    ).checked()


def _check_kind(kind: str, options: _Options) -> None:
    """Raise if an option does not belong to its format, or to COPY TO, or we do not offer it."""
    for name in ("delimiter", "null"):
        if kind == "binary" and name in options:
            raise SqlError(f"cannot specify {name.upper()} in BINARY mode", "42601")
    if kind == "binary" and "header" in options and _header(options):
        raise UnsupportedError("cannot specify HEADER in BINARY mode")
    for name in ("quote", "escape", "force_quote"):
        if kind != "csv" and name in options:
            raise UnsupportedError(f"COPY {name.replace('_', ' ')} available only in CSV mode")
    for name in _INPUT_ONLY:
        if name in options:
            raise UnsupportedError(f"COPY {name.replace('_', ' ')} only available using COPY FROM")
    if "encoding" in options and str(options["encoding"]).lower() not in _ENCODINGS:
        raise UnsupportedError(f"COPY in {options['encoding']} is not supported", hint="Use ENCODING 'UTF8'.")


def _header(options: _Options) -> bool:
    if "header" not in options:
        return False
    value = "true" if options["header"] is None else str(options["header"]).lower()
    if value == "match":
        raise UnsupportedError('cannot use "match" with HEADER in COPY TO')
    if value not in _BOOLEANS:
        raise SqlError('header requires a Boolean value or "match"', "42601")
    return _BOOLEANS[value]


def _text(options: _Options, name: str, default: str) -> str:
    value = options.get(name, default)
    if not isinstance(value, str):
        raise SqlError(f"{name} requires a parameter", "42601")
    return value


def _character(options: _Options, name: str, default: str) -> str:
    value = _text(options, name, default)
    if name in options and len(value.encode()) != 1:
        raise UnsupportedError(f"COPY {name} must be a single one-byte character")
    return value


def _forced_columns(options: _Options) -> tuple[str, ...] | None:
    """Return the columns to quote always, None for all."""
    value = options.get("force_quote", ())
    if value == "*":
        return None
    if not isinstance(value, tuple):
        raise SqlError('argument to option "force_quote" must be a list of column names', "22023")
    return value
