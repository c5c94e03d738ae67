"""SQL text as tokens: where one statement ends, and what its words are.

Far less than a parser, so that it never fails: what it cannot read it passes on as a sign.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sqlfront.sqlstate import SqlError

LONGEST: Final = 4 << 20
"""Characters of a text: reading one of these takes seconds, in which nobody else is answered."""

_TOKEN: Final = re.compile(
    r"""
      (?P<space>\s+|--[^\n]*)
    | (?P<comment>/\*)
    | (?P<string>[eE]'(?:[^'\\]|\\.|'')*'|(?:[bBxXnN]|[uU]&)?'(?:[^']|'')*')
    | (?P<quoted>"(?:[^"]|"")*"|`(?:[^`]|``)*`)
    | (?P<dollar>(\$(?:[^\W\d]\w*)?\$).*?\6)
    | (?P<word>[^\W\d][\w$]*)
    | (?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE: Final = re.compile(
    r"""\\(?: (?P<octal>[0-7]{1,3}) | x(?P<byte>[0-9a-fA-F]{1,2})
    | u(?P<short>[0-9a-fA-F]{4}) | U(?P<long>00[0-9a-fA-F]{6}) | (?P<one>.) )""",
    re.VERBOSE | re.DOTALL,
)
_CONTROLS: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_HAS_ONE: Final = re.compile(r"\s*(?=[^\s;])(?:[^;/-]|/(?!\*)|-(?!-))+")
_COMMENT_EDGE: Final = re.compile(r"/\*|\*/")


@dataclass(frozen=True)
class Token:
    """A word, literal or sign of SQL text, with its place in it."""

    kind: str
    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Piece:
    """One statement of a text that may hold several, and where it starts there."""

    sql: str
    offset: int


def tokens(sql: str) -> Iterator[Token]:
    """Yield the tokens of SQL text; blanks and comments are left out."""
    at = 0
    while match := _TOKEN.match(sql, at):
        if match.lastgroup is None or match["comment"]:
            at = _comment_end(sql, at)
            continue
        at = match.end()
        kind = next(name for name, text in match.groupdict().items() if text is not None)
        if kind != "space":
            yield Token(kind, match[0], match.start(), match.end())


def _comment_end(sql: str, start: int) -> int:
    """Return where a comment ends; comments nest."""
    depth = 0
    for edge in _COMMENT_EDGE.finditer(sql, start):
        depth += 1 if edge[0] == "/*" else -1
        if not depth:
            return edge.end()
    return len(sql)


def split(sql: str) -> list[Piece]:
    """Return the statements of a text that are not empty.

    Raises:
        SqlError: the text is so long that others would have to wait while it is read.
    """
    if len(sql) > LONGEST:
        raise SqlError(
            f"the text has {len(sql):,} characters, and {LONGEST:,} are the most",
            "54000",
            hint="Send the statements one by one, and values as parameters.",
        )
    if _HAS_ONE.fullmatch(sql):
        return [Piece(sql.strip(), len(sql) - len(sql.lstrip()))]
    pieces: list[Piece] = []
    start = last = -1
    for token in tokens(sql):
        if token.text == ";" and token.kind == "other":
            if start >= 0:
                pieces.append(Piece(sql[start:last], start))
            start = -1
            continue
        start = token.start if start < 0 else start
        last = token.end
    if start >= 0:
        pieces.append(Piece(sql[start:last], start))
    return pieces


class TokenReader:
    """Walks over a statement's tokens."""

    def __init__(self, piece: Piece) -> None:
        self.piece = piece
        self._tokens = list(tokens(piece.sql))
        self._at = 0

    def word(self) -> str:
        """Return the next token in upper case without taking it; empty at the end."""
        return self._tokens[self._at].text.upper() if self._at < len(self._tokens) else ""

    def accept(self, *words: str) -> bool:
        """Take the given words if they come next."""
        coming = [token.text.upper() for token in self._tokens[self._at : self._at + len(words)]]
        if coming != list(words):
            return False
        self._at += len(words)
        return True

    def any_of(self, *words: str) -> str:
        """Take one of the given words; empty if none comes next."""
        return next((word for word in words if self.accept(word)), "")

    def name(self) -> str:
        """Take an identifier, dotted ones included; unquoted ones are folded to lower case."""
        parts = [self._identifier()]
        while self.accept("."):
            parts.append(self._identifier())
        return ".".join(parts)

    def names(self) -> tuple[str, ...]:
        """Take identifiers with commas between them, in brackets."""
        self.expect("(")
        found = [self.name()]
        while self.accept(","):
            found.append(self.name())
        self.expect(")")
        return tuple(found)

    def expect(self, *words: str) -> None:
        """Take the given words, which must come next."""
        if not self.accept(*words):
            raise self.problem(next(iter(self.rest()), None))

    def string(self) -> str:
        """Take a string literal; return its value."""
        token = self.take()
        if token.kind != "string":
            raise self.problem(token)
        return string_value(token.text)

    def in_brackets(self) -> Piece:
        """Take brackets with all that is between them, and return that as a statement of its own."""
        self.take()
        start, end, depth = self.place(), self.place(), 1
        while depth:
            token = self.take()
            depth += {"(": 1, ")": -1}.get(token.text, 0)
            end = token.end if depth else end
        return self._piece(start, end)

    def since(self, start: int) -> Piece:
        """Return the text from a place up to the last token taken."""
        return self._piece(start, self._tokens[self._at - 1].end)

    def place(self) -> int:
        """Return where the next token starts, or the text's end."""
        return self._tokens[self._at].start if self._at < len(self._tokens) else len(self.piece.sql)

    def _piece(self, start: int, end: int) -> Piece:
        return Piece(self.piece.sql[start:end], self.piece.offset + start)

    def _identifier(self) -> str:
        token = self.take()
        if token.kind == "quoted":
            return token.text[1:-1].replace(token.text[0] * 2, token.text[0])
        if token.kind != "word":
            raise self.problem(token)
        return token.text.lower()

    def take(self) -> Token:
        """Take the next token, whatever it is."""
        if self._at >= len(self._tokens):
            raise self.problem()
        self._at += 1
        return self._tokens[self._at - 1]

    def rest(self) -> list[Token]:
        """Take all remaining tokens."""
        remaining, self._at = self._tokens[self._at :], len(self._tokens)
        return remaining

    def remaining_piece(self) -> Piece:
        """Return what is left as a statement of its own."""
        if self._at >= len(self._tokens):
            raise self.problem()
        return self._piece(self.place(), len(self.piece.sql))

    def end(self) -> None:
        """Raise if anything is left."""
        if self._at < len(self._tokens):
            raise self.problem(self._tokens[self._at])

    def problem(self, token: Token | None = None) -> SqlError:
        """Return a syntax error at a token or at the end."""
        if token is None:
            return SqlError("syntax error at end of input", "42601", position=len(self.piece.sql) + 1)
        return SqlError(f'syntax error at or near "{token.text}"', "42601", position=token.start + 1)


def string_value(literal: str) -> str:
    r"""Return what a string literal stands for; ``E''`` literals may hold ``\n``, ``\x09``, ``\\``."""
    body = literal[literal.index("'") + 1 : -1].replace("''", "'")
    return _ESCAPE.sub(_unescaped, body) if literal[0] in "eE" else body


def _unescaped(found: re.Match[str]) -> str:
    if found["octal"]:
        return chr(int(found["octal"], 8) & 0xFF)
    if code := found["byte"] or found["short"] or found["long"]:
        return chr(int(code, 16))
    return _CONTROLS.get(found["one"], found["one"])
