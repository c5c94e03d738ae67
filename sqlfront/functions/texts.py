"""PostgreSQL's functions of texts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from sqlglot import exp

from engine.errors import UnsupportedError
from sqlfront.functions.constants import data
from sqlfront.functions.templates import Arguments, Builder, call, chained, constant, fill, filled, text
from sqlfront.wording import NO_CHARACTER

_PLACE: Final = re.compile(r"%(?:(?P<at>\d+)\$)?(?P<kind>[sIL%])")
_ESCAPED: Final = re.compile(r"\\(?:\\|([0-9A-Fa-f]{4})|\+([0-9A-Fa-f]{6})|u([0-9A-Fa-f]{4}))")
_CHARACTER: Final = (
    f"CHR(CASE WHEN n < 0 THEN ERROR('{NO_CHARACTER}')"
    " WHEN n = 0 THEN ERROR('null character not permitted') ELSE n END)"
)
_FORMS: Final = frozenset({"nfc"})
_IDENTIFIER: Final = (
    "CASE WHEN REGEXP_FULL_MATCH(x, '[a-z_][a-z0-9_$]*') THEN x"
    " ELSE '\"' || REPLACE(x, '\"', '\"\"') || '\"' END"
)
_LITERAL: Final = (
    "CASE WHEN CONTAINS(x, '\\') THEN ' E''' || REPLACE(REPLACE(x, '\\', '\\\\'), '''', '''''') || ''''"
    " ELSE '''' || REPLACE(x, '''', '''''') || '''' END"
)


def _int(template: str) -> Builder:
    """Return a builder of a function that PostgreSQL answers with a 4-byte number."""
    return lambda arguments: exp.cast(fill(template, x=arguments[0]), "int", dialect="duckdb")


def substring(whole: exp.Expr, start: exp.Expr, length: exp.Expr | None) -> exp.Expr:
    """Return part of a text; what lies in front of its first character counts, but is not there."""
    if _is_positive(start):
        return exp.Substring(this=whole, start=start, length=length)
    if length is None:
        return fill("SUBSTRING(x, GREATEST(a, 1))", x=whole, a=start)
    return fill("SUBSTRING(x, GREATEST(a, 1), GREATEST(l + LEAST(a, 1) - 1, 0))", x=whole, a=start, l=length)


def character(number: exp.Expr) -> exp.Expr:
    """Return ``chr(…)``; there is no text with the character 0 in it."""
    return fill(_CHARACTER, n=number)


def _is_positive(start: exp.Expr) -> bool:
    return (
        isinstance(start, exp.Literal) and not start.is_string and start.name.isdigit() and start.name != "0"
    )


def _substr(arguments: Arguments) -> exp.Expr:
    return substring(arguments[0], arguments[1], arguments[2] if len(arguments) > 2 else None)


def _encode(arguments: Arguments) -> exp.Expr:
    templates = {"base64": "TO_BASE64(x)", "hex": "LOWER(HEX(x))"}
    form = constant(arguments[1], "encode").lower()
    if form not in templates:
        raise UnsupportedError(f'encode to "{form}" is not supported', hint="Use base64 or hex.")
    value = arguments[0]
    is_text = isinstance(value, exp.Literal)
    return fill(templates[form], x=data(value.name) if is_text else exp.cast(value, "blob", dialect="duckdb"))


def _decode(arguments: Arguments) -> exp.Expr:
    templates = {"base64": "FROM_BASE64(x)", "hex": "UNHEX(x)"}
    form = constant(arguments[1], "decode").lower()
    if form not in templates:
        raise UnsupportedError(f'decode from "{form}" is not supported', hint="Use base64 or hex.")
    return fill(templates[form], x=arguments[0])


def _quote_nullable(arguments: Arguments) -> exp.Expr:
    return fill("COALESCE(x, 'NULL')", x=fill(_LITERAL, x=_text(arguments[0])))


def _text(value: exp.Expr) -> exp.Expr:
    return exp.cast(value, "text", dialect="duckdb")


def _format(arguments: Arguments) -> exp.Expr:
    """Write ``format('%s %I %L', …)`` as its parts one behind the other."""
    pattern, values = constant(arguments[0], "format"), arguments[1:]
    pieces: list[exp.Expr] = [text("")]
    end = following = 0
    for match in _PLACE.finditer(pattern):
        pieces.append(text(pattern[end : match.start()]))
        end = match.end()
        if match["kind"] == "%":
            pieces.append(text("%"))
            continue
        place = int(match["at"]) - 1 if match["at"] else following
        following = place + 1
        if not 0 <= place < len(values):
            raise UnsupportedError("too few arguments for format()", hint="Give one for each %s, %I and %L.")
        pieces.append(_formatted(values[place], match["kind"]))
    pieces.append(text(pattern[end:]))
    if "%" in _PLACE.sub("", pattern):
        raise UnsupportedError(
            "format() with widths or other letters than s, I and L is not supported", hint="Use lpad()."
        )
    return chained([piece for piece in pieces if piece != text("")] or [text("")])


def _formatted(value: exp.Expr, kind: str) -> exp.Expr:
    if kind == "s":
        return fill("COALESCE(x, '')", x=_text(value))
    return fill(_IDENTIFIER, x=_text(value)) if kind == "I" else _quote_nullable([value])


def _unistr(arguments: Arguments) -> exp.Expr:
    def character(match: re.Match[str]) -> str:
        digits = match[1] or match[2] or match[3]
        return chr(int(digits, 16)) if digits else "\\"

    return text(_ESCAPED.sub(character, constant(arguments[0], "unistr")))


def _normalize(arguments: Arguments) -> exp.Expr:
    form = arguments[1].name.lower() if len(arguments) > 1 else "nfc"
    if form not in _FORMS:
        raise UnsupportedError(f"normalize to {form.upper()} is not supported", hint="Use NFC.")
    return call("nfc_normalize", arguments[0])


def _trimmed(function: str) -> Builder:
    return lambda arguments: call(function, *arguments)


def like(node: exp.Expr) -> exp.Expr | None:
    r"""Return LIKE with PostgreSQL's escape ``\``, where the pattern may hold one; else None."""
    if isinstance(node.parent, exp.Escape) or isinstance(node.expression, (exp.Any, exp.All)):
        return None
    pattern = node.expression
    if isinstance(pattern, exp.Literal) and "\\" not in pattern.name:
        return None
    return exp.Escape(this=node, expression=text("\\"))


def like_any(node: exp.Expr, patterns: exp.Expr, every: bool) -> exp.Expr:
    """Return ``x LIKE ANY (ARRAY[…])`` as the comparisons one by one.

    Raises:
        UnsupportedError: the patterns are not written out.
    """
    while isinstance(patterns, exp.Paren):
        patterns = patterns.this
    if not isinstance(patterns, (exp.Array, exp.Tuple)) or not patterns.expressions:
        raise UnsupportedError(
            "LIKE ANY of patterns that are not written out is not supported", hint="Use ~ with a pattern."
        )
    whole: exp.Expr | None = None
    for pattern in patterns.expressions:
        one = node.copy()
        one.set("expression", pattern.copy())
        term = like(one) or one
        if whole is None:
            whole = term
        else:
            whole = exp.And(this=whole, expression=term) if every else exp.Or(this=whole, expression=term)
    return exp.Paren(this=whole)


_CAPITALISED: Final = (
    r"ARRAY_TO_STRING(LIST_TRANSFORM(REGEXP_EXTRACT_ALL(x, '[\p{L}\p{N}]+|[^\p{L}\p{N}]+'),"
    " word -> UPPER(LEFT(word, 1)) || LOWER(SUBSTRING(word, 2))), '')"
)


def capitalised(node: exp.Expr) -> exp.Expr:
    """Return a text whose words, letters and digits in a row, begin with a capital."""
    return fill(_CAPITALISED, x=node)


BUILDERS: Final[Mapping[str, Builder]] = {
    "substr": _substr,
    "length": _int("LENGTH(x)"),
    "char_length": _int("LENGTH(x)"),
    "character_length": _int("LENGTH(x)"),
    "octet_length": _int(
        "CASE WHEN TYPEOF(x) = 'BLOB' THEN OCTET_LENGTH(TRY_CAST(x AS BLOB)) ELSE STRLEN(x) END"
    ),
    "bit_length": _int("BIT_LENGTH(x)"),
    "strpos": lambda arguments: exp.cast(
        fill("STRPOS(x, y)", x=arguments[0], y=arguments[1]), "int", dialect="duckdb"
    ),
    "ltrim": _trimmed("ltrim"),
    "rtrim": _trimmed("rtrim"),
    "btrim": _trimmed("trim"),
    "upper": filled("REPLACE(UPPER(x), 'ẞ', 'ß')"),
    "to_hex": filled("LOWER(TO_HEX(x))"),
    "encode": _encode,
    "decode": _decode,
    "format": _format,
    "quote_ident": filled(_IDENTIFIER),
    "quote_literal": lambda arguments: fill(_LITERAL, x=_text(arguments[0])),
    "quote_nullable": _quote_nullable,
    "unistr": _unistr,
    "normalize": _normalize,
}
