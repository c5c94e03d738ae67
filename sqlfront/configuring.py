"""``SELECT set_config(name, value, is_local)``: SET as a function, which answers with the value."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from engine.errors import ForbiddenError
from sqlfront.tokens import Piece, Token, string_value
from sqlfront.tokens import tokens as split_into_tokens

_HINT: Final = re.compile(r"\bset_config\b", re.IGNORECASE)
_TRUE: Final = frozenset(("true", "'t'", "'true'", "'on'", "'1'"))
_FALSE: Final = frozenset(("false", "'f'", "'false'", "'off'", "'0'"))
_IDENTITIES: Final = frozenset(("role", "session_authorization"))


@dataclass(frozen=True)
class Setting:
    """One call: the setting, its value, whether it ends with the transaction, and the output's name."""

    name: str
    value: str
    local: bool
    output: str


@dataclass(frozen=True)
class SetConfig:
    """A SELECT of nothing but calls of set_config with constants."""

    settings: tuple[Setting, ...]


def read_set_config(piece: Piece) -> SetConfig | None:
    """Return the statement if that is what it is, else None.

    Raises:
        ForbiddenError: it would change who the user is.
    """
    if not _HINT.search(piece.sql):
        return None
    tokens = list(split_into_tokens(piece.sql))[1:]
    settings: list[Setting] = []
    while tokens:
        found = _call(tokens)
        if found is None:
            return None
        setting, tokens = found
        settings.append(setting)
    if any(setting.name.lower() in _IDENTITIES for setting in settings):
        raise ForbiddenError("set_config cannot change who you are", hint="Use SET ROLE.")
    return SetConfig(tuple(settings)) if settings else None


def _call(tokens: list[Token]) -> tuple[Setting, list[Token]] | None:
    """Read one call from the front of a list of tokens; return it and what follows the comma."""
    words = [token.text.lower() for token in tokens]
    if words[:2] == ["pg_catalog", "."]:
        tokens, words = tokens[2:], words[2:]
    shape = words[:2] + words[3:4] + words[5:6] + words[7:8]
    if shape != ["set_config", "(", ",", ",", ")"] or words[6] not in _TRUE | _FALSE:
        return None
    if tokens[2].kind != "string" or tokens[4].kind != "string":
        return None
    output, rest = _alias(tokens[8:])
    value = string_value(tokens[4].text)
    setting = Setting(string_value(tokens[2].text), value, words[6] in _TRUE, output)
    if rest and rest[0].text != ",":
        return None
    return setting, rest[1:]


def _alias(tokens: list[Token]) -> tuple[str, list[Token]]:
    if not tokens or tokens[0].text == ",":
        return "set_config", tokens
    named = tokens[1:] if tokens[0].text.lower() == "as" else tokens
    if not named or named[0].kind not in ("word", "quoted"):
        return "set_config", tokens
    return named[0].text.strip('"'), named[1:]
