"""PostgreSQL's regular expressions, as far as DuckDB's (RE2) understand them.

They have neither look-around nor references back to groups.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from sqlglot import exp

from engine.errors import UnsupportedError
from sqlfront.functions.templates import Arguments, Builder, call, constant, fill, number, text

_BEYOND: Final = re.compile(r"\(\?[=!<]|\\[1-9]")
_WORD_EDGE: Final = re.compile(r"((?:^|[^\\])(?:\\\\)*)\\[mMy]")
_GROUP: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|(\((?!\?))", re.DOTALL)


def _pattern(arguments: Arguments, function: str) -> str:
    pattern = constant(arguments[1], function)
    if _BEYOND.search(pattern):
        raise UnsupportedError(
            f"{function} with look-around or back-references is not supported",
            hint="Use groups, and split_part() or another pattern.",
        )
    return _WORD_EDGE.sub(r"\1\\b", pattern)


def understood(pattern: exp.Expr) -> exp.Expr:
    """Return the pattern of ``~`` as DuckDB reads it, if it is a constant: edges of words, any character."""
    if not (isinstance(pattern, exp.Literal) and pattern.is_string):
        return pattern
    written = _WORD_EDGE.sub(r"\1\\b", pattern.name)
    return text(f"(?s){written}" if re.search(r"\.|\[\^", written) else written)


def _groups(pattern: str) -> int:
    """Return how many groups a pattern captures."""
    return sum(match[1] is not None for match in _GROUP.finditer(pattern))


def _flags(arguments: Arguments, at: int, function: str) -> str:
    """Return the flags that DuckDB takes as well; ``g`` is kept."""
    given = constant(arguments[at], function) if len(arguments) > at else ""
    if set(given) - set("gicnsmpw"):
        raise UnsupportedError(f'{function} with flags "{given}" is not supported', hint="Use i, n, s, g.")
    known = {"i": "i", "c": "c", "g": "g", "n": "m", "m": "m", "s": "s"}
    flags = "".join(dict.fromkeys(known[flag] for flag in given if flag in known))
    return flags if set("ms") & set(flags) else flags + "s"


def _with_flags(pattern: str, flags: str) -> exp.Expr:
    """Put flags into a pattern, as not all functions take them as an argument."""
    inline = "".join(flag for flag in flags if flag in "ism")
    return text(f"(?{inline}){pattern}" if inline else pattern)


def _match(arguments: Arguments) -> exp.Expr:
    """Return the groups of the first match as an array, NULL if there is none."""
    pattern = _pattern(arguments, "regexp_match")
    written = _with_flags(pattern, _flags(arguments, 2, "regexp_match").replace("g", ""))
    subject = exp.cast(arguments[0], "text", dialect="duckdb")
    groups = range(1, _groups(pattern) + 1) if _groups(pattern) else (0,)
    found = exp.Array(expressions=[_group(subject, written, group) for group in groups])
    return fill("CASE WHEN REGEXP_MATCHES(x, p) THEN y END", x=subject, p=written, y=found)


def _group(subject: exp.Expr, pattern: exp.Expr, group: int) -> exp.Expr:
    return call("regexp_extract", subject.copy(), pattern.copy(), number(group))


def _matches(arguments: Arguments) -> exp.Expr:
    """Return all matches, a row each; only the first without flag ``g``."""
    pattern = _pattern(arguments, "regexp_matches")
    flags = _flags(arguments, 2, "regexp_matches")
    if "g" not in flags:
        return exp.Explode(this=fill("CASE WHEN NOT x IS NULL THEN [x] END", x=_match(arguments)))
    if _groups(pattern) > 1:
        raise UnsupportedError(
            "regexp_matches of several groups with flag g is not supported", hint="Use one group."
        )
    written = _with_flags(pattern, flags)
    group = number(min(_groups(pattern), 1))
    found = call("regexp_extract_all", arguments[0], written, group)
    return exp.Explode(this=call("list_transform", found, _as_list()))


def _as_list() -> exp.Expr:
    item = exp.to_identifier("item")
    return exp.Lambda(this=exp.Array(expressions=[exp.to_identifier("item")]), expressions=[item])


def _substring(arguments: Arguments) -> exp.Expr:
    """Return the first group of the first match, or all of it; NULL if there is none."""
    pattern = _pattern(arguments, "substring")
    written = _with_flags(pattern, _flags(arguments, 9, "substring"))
    found = _group(arguments[0], written, min(_groups(pattern), 1))
    return fill("CASE WHEN REGEXP_MATCHES(x, p) THEN y END", x=arguments[0], p=written, y=found)


def substring_of(subject: exp.Expr, pattern: exp.Expr) -> exp.Expr:
    """Return ``substring(subject FROM 'pattern')``."""
    return _substring([subject, pattern])


def _substr(arguments: Arguments) -> exp.Expr:
    _refuse_more(arguments, 2, "regexp_substr")
    written = _with_flags(_pattern(arguments, "regexp_substr"), "s")
    found = _group(arguments[0], written, 0)
    return fill("CASE WHEN REGEXP_MATCHES(x, p) THEN y END", x=arguments[0], p=written, y=found)


def _refuse_more(arguments: Arguments, most: int, function: str) -> None:
    if len(arguments) > most:
        raise UnsupportedError(
            f"{function} with more than {most} arguments is not supported", hint="Leave them out."
        )


def _count(arguments: Arguments) -> exp.Expr:
    _refuse_more(arguments, 2, "regexp_count")
    written = _with_flags(_pattern(arguments, "regexp_count"), "s")
    return fill("CAST(LENGTH(REGEXP_EXTRACT_ALL(x, p)) AS INT)", x=arguments[0], p=written)


def _like(arguments: Arguments) -> exp.Expr:
    written = _with_flags(_pattern(arguments, "regexp_like"), _flags(arguments, 2, "regexp_like"))
    return fill("REGEXP_MATCHES(x, p)", x=arguments[0], p=written)


def _instr(arguments: Arguments) -> exp.Expr:
    _refuse_more(arguments, 2, "regexp_instr")
    written = _with_flags(f"^(.*?)(?:{_pattern(arguments, 'regexp_instr')})", "s")
    return fill(
        "CAST(CASE WHEN REGEXP_MATCHES(x, p) THEN LENGTH(REGEXP_EXTRACT(x, p, 1)) + 1 ELSE 0 END AS INT)",
        x=arguments[0],
        p=written,
    )


def _replace(arguments: Arguments) -> exp.Expr:
    r"""Return ``regexp_replace(x, pattern, replacement [, flags])``; its whole match is ``\&``."""
    subject, pattern, replacement = arguments[:3]
    if isinstance(pattern, exp.Literal):
        pattern = _with_flags(_pattern(arguments, "regexp_replace"), "s")
    if isinstance(replacement, exp.Literal):
        replacement = text(replacement.name.replace("\\&", "\\0"))
    flags = _flags(arguments, 3, "regexp_replace")
    given = [text(flags)] if len(arguments) > 3 else []
    return call("regexp_replace", subject, pattern, replacement, *given)


def _split(arguments: Arguments) -> exp.Expr:
    written = _with_flags(_pattern(arguments, "regexp_split_to_array"), _flags(arguments, 2, "regexp_split"))
    return call("string_split_regex", arguments[0], written)


def similar(subject: exp.Expr, pattern: exp.Expr) -> exp.Expr:
    """Return ``subject SIMILAR TO pattern`` as a regular expression that matches all of the subject."""
    written = constant(pattern, "SIMILAR TO")
    found, at = "", 0
    while at < len(written):
        character = written[at]
        if character == "\\" and at + 1 < len(written):
            at += 1
            found += re.escape(written[at])
        elif character == "[":
            end = written.find("]", at + 2)
            end = len(written) - 1 if end < 0 else end
            found += written[at : end + 1]
            at = end
        else:
            found += {"%": ".*", "_": ".", ".": "\\.", "^": "\\^", "$": "\\$"}.get(character, character)
        at += 1
    return call("regexp_full_match", subject, text(f"(?s)(?:{found})"))


BUILDERS: Final[Mapping[str, Builder]] = {
    "regexp_match": _match,
    "regexp_matches": _matches,
    "regexp_substr": _substr,
    "regexp_count": _count,
    "regexp_like": _like,
    "regexp_instr": _instr,
    "regexp_replace": _replace,
    "regexp_split_to_array": _split,
    "regexp_split_to_table": lambda arguments: exp.Explode(this=_split(arguments)),
}
