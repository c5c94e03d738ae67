"""PostgreSQL's spellings that the parser would misread, put into others token by token."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from sqlglot.tokenizer_core import Token, TokenType

_SIMPLE: Final = re.compile(r"\s*[+-]?\d+\s*(?:second|minute|hour|day|week|month|year)s?\s*", re.IGNORECASE)
_UNITS: Final = frozenset({"year", "month", "day", "hour", "minute", "second"})
_TYPES: Final = frozenset(
    (
        *(TokenType.TIMESTAMP, TokenType.TIMESTAMPTZ, TokenType.TIMESTAMPNTZ, TokenType.DATE, TokenType.TIME),
        *(TokenType.TIMETZ, TokenType.UUID, TokenType.JSON, TokenType.JSONB, TokenType.BOOLEAN),
        *(TokenType.DOUBLE, TokenType.DECIMAL, TokenType.TEXT, TokenType.VARCHAR, TokenType.INTERVAL),
    )
)
_COMPARING: Final = frozenset(("=", "<>", "!=", "<", ">", "<=", ">="))
_ZONE: Final = ("time", "zone")


def in_our_words(tokens: Sequence[Token]) -> list[Token]:
    """Return a statement's tokens with four spellings changed.

    ``INTERVAL '1 day 02:00'`` becomes a cast, as the parser would only read its first number and unit;
    ``DATE '2024-01-01'::text`` gets parentheses, as ``::`` would bind to the literal alone;
    ``(a, b) OVERLAPS (c, d)`` gets the operator of arrays, which no tuples have;
    ``= SOME (…)`` is ``= ANY (…)``.
    """
    changed: list[Token] = []
    at = 0
    while at < len(tokens):
        literal = _literal(tokens, at)
        if literal:
            changed += _typed(tokens, at, literal)
            at = literal + 1
            continue
        token = tokens[at]
        around = [other.text for other in (*tokens[max(at - 1, 0) : at], *tokens[at + 1 : at + 2])]
        if token.text.lower() == "overlaps" and around == [")", "("]:
            token.token_type = TokenType.DAMP
        if token.token_type == TokenType.SOME and around[0] in _COMPARING and around[-1] == "(":
            token.token_type, token.text = TokenType.ANY, "ANY"
        changed.append(token)
        at += 1
    return changed


def _literal(tokens: Sequence[Token], at: int) -> int:
    """Return where the literal is that follows the name of a type; 0 if there is none."""
    if tokens[at].token_type not in _TYPES or (at and tokens[at - 1].text in (".", "::")):
        return 0
    end = at + 1
    words = [token.text.lower() for token in tokens[end : end + 3]]
    if words[:1] in (["with"], ["without"]) and tuple(words[1:]) == _ZONE:
        end += 3
    is_literal = end < len(tokens) and tokens[end].token_type == TokenType.STRING
    return end if is_literal else 0


def _typed(tokens: Sequence[Token], at: int, literal: int) -> Iterator[Token]:
    written, following = tokens[at : literal + 1], tokens[literal + 1 : literal + 2]
    next_word = following[0].text.lower() if following else ""
    if tokens[at].token_type == TokenType.INTERVAL:
        if next_word in _UNITS or _SIMPLE.fullmatch(tokens[literal].text):
            yield from _bracketed(written, next_word)
            return
        name, text = written
        yield from (_like(name, TokenType.VAR, "CAST"), _like(name, TokenType.L_PAREN, "("), text)
        yield from (_like(text, TokenType.ALIAS, "AS"), name, _like(text, TokenType.R_PAREN, ")"))
        return
    yield from _bracketed(written, next_word)


def _bracketed(written: Sequence[Token], next_word: str) -> Iterator[Token]:
    if next_word != "::":
        yield from written
        return
    yield _like(written[0], TokenType.L_PAREN, "(")
    yield from written
    yield _like(written[-1], TokenType.R_PAREN, ")")


def _like(token: Token, kind: TokenType, text: str) -> Token:
    """Return a token at the place of another."""
    return Token(kind, text, token.line, token.col, token.start, token.end)
