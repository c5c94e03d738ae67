"""DuckDB's messages in PostgreSQL's words, without what concerns the server: paths, settings, our tables."""

from __future__ import annotations

import re
from typing import Final

_TYPES: Final = {
    "STRING_LITERAL": "unknown",
    "INTEGER_LITERAL": "integer",
    "VARCHAR": "text",
    "INT16": "smallint",
    "INT32": "integer",
    "INT64": "bigint",
    "INT128": "numeric",
    "HUGEINT": "numeric",
    "INTEGER": "integer",
    "BIGINT": "bigint",
    "DOUBLE": "double precision",
    "BOOL": "boolean",
    "TIMESTAMP WITH TIME ZONE": "timestamp with time zone",
    "TIMESTAMP": "timestamp without time zone",
    "FLOAT": "real",
    "DECIMAL": "numeric",
    "STRUCT": "record",
    "BLOB": "bytea",
}
_TYPE: Final = re.compile(rf"\b(DECIMAL)\(\d+,\d+\)|\b(?:{'|'.join(_TYPES)})\b")
_OURS: Final = re.compile(
    r'"?\b_(?:report|recursive|partials|call|dataset|system|temporary|rows)(?:_\w+|\d*\b)"?\.?'
)
_PATHS: Final = re.compile(r"(?<![\w/])/(?:[\w.@+-]+/)+[\w.@+-]*")
_SETTINGS: Final = re.compile(r"\bSET \w+ ?= ?\S+|https?://\S+|\b(?:wayline|duckdb)_\w+")
_UNREADABLE: Final = re.compile(r"""Could not convert string (?:'(.*)'|"(.*)") to (\w+)""")
_WORDS: Final = (
    (re.compile(r"Invalid UTF8 Codepoint (\d+)"), r"requested character not valid for encoding: \1"),
    (re.compile(r"Argument for ntile must be"), "argument of ntile must be"),
    (re.compile(r"Subquery returns \d+ columns - expected 1"), "subquery must return only one column"),
    (
        re.compile(r"json_object\(\) requires an even number of arguments"),
        "argument list must have even number of elements",
    ),
    (
        re.compile(r'Macro "?(\w+)(?:\(\))?"?(?:\(\))? does not support the supplied arguments.*'),
        r"function \1 does not take these arguments",
    ),
)
_OVERFLOW: Final = re.compile(r"Overflow in \w+ of (\w+)")
_NO_CAST: Final = re.compile(r"Unimplemented type for cast \((.+) -> (.+)\)")
_NOT_UNIQUE: Final = re.compile(
    r"""Could not choose a best candidate function for the function call "(\w+)\((.*)\)"[.]"""
)
NO_CHARACTER: Final = "character number must be positive"
"""What is said of ``chr(-1)``."""
_CALLED: Final = re.compile(r"""No function matches the given name and argument types '(\W+|\w+)\((.*)\)'""")


def in_our_words(line: str) -> str:
    """Return a message that speaks of the statement alone.

    >>> in_our_words("Could not convert string 'x' to INT32")
    'invalid input syntax for type integer: "x"'
    """
    if found := _UNREADABLE.match(line):
        return f'invalid input syntax for type {_type(found[3])}: "{found[1] or found[2] or ""}"'
    if found := _OVERFLOW.match(line):
        return f"{_type(found[1])} out of range"
    if found := _NO_CAST.match(line):
        return f"cannot cast type {_typed(found[1]).lower()} to {_typed(found[2]).lower()}"
    if found := _NOT_UNIQUE.match(line):
        return f"function {found[1]}({_typed(found[2])}) is not unique".replace('"NULL"', "unknown")
    if found := _CALLED.match(line):
        return _not_there(found[1], _typed(found[2]))
    for pattern, instead in (*_WORDS, (_OURS, ""), (_PATHS, "a file"), (_SETTINGS, "a setting")):
        line = pattern.sub(instead, line)
    return line


def _not_there(name: str, types: str) -> str:
    if name[:1].isalpha():
        return f"function {name}({types}) does not exist"
    left, _, right = types.rpartition(", ")
    return f"operator does not exist: {f'{left} {name} {right}'.strip()}"


def _typed(text: str) -> str:
    return _TYPE.sub(lambda found: _type(found[1] or found[0]), text)


def _type(name: str) -> str:
    return _TYPES.get(name, name.lower())
