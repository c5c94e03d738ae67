"""Which values are identities, and which one of several in an identity map is meant.

Columns in, columns out: everything is a Polars expression over texts, or over lists of
``{namespace, id, primary}``. An identity whose namespace varies from row to row is one text, the
namespace before the value, so that it is compared, grouped and remembered as one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl
from polars.expr.struct import ExprStructNameSpace

LONGEST: Final = 1024
"""Characters that an identity has at most."""
BETWEEN: Final = "\x1f"
"""Stands between namespace and value; in no namespace."""
PLACEHOLDERS: Final = (
    "undefined",
    "null",
    "none",
    "unknown",
    "anonymous",
    "n/a",
    "(null)",
    "(none)",
    "(not set)",
    "[object object]",
)
"""Values that stand for a missing one; also with a capital first, or in capitals."""
_TELLING: Final = r"[^0\-\s]"
"""A character that zeros and dashes, such as those of an empty UUID, do not have."""


@dataclass(frozen=True)
class Rules:
    """What is no identity.

    Attributes:
        placeholders: values that identify nobody, exactly as written.
        usual: whether those of ``PLACEHOLDERS``, and what has nothing but zeros and dashes, identify nobody.
        formats: namespace → regular expression that its whole values match in the graph.
    """

    placeholders: frozenset[str] = frozenset()
    usual: bool = True
    formats: Mapping[str, str] | None = None


def identifying(value: pl.Expr, rules: Rules) -> pl.Expr:
    """Return a text, or null where it identifies nobody: blank, too long, or a placeholder."""
    return pl.when(is_identity(value, rules)).then(value)


def is_identity(value: pl.Expr, rules: Rules) -> pl.Expr:
    """Return whether a text identifies somebody; never null."""
    # Only what begins with less than a 1 can be nothing but blanks, dashes and zeros: most values do not.
    suspect = pl.when(value < "1").then(value)
    telling = suspect.str.contains(_TELLING if rules.usual else r"\S").fill_null(True)
    good = (value.str.len_chars() <= LONGEST) & telling
    if words := placeholders(rules):
        good &= ~value.is_in(words)
    return good.fill_null(False)


def placeholders(rules: Rules) -> list[str]:
    """Return all values that identify nobody, sorted."""
    return sorted({*rules.placeholders, *(_spellings() if rules.usual else ())})


def well_formed(namespace: pl.Expr, value: pl.Expr, rules: Rules) -> pl.Expr:
    """Return whether values have the formats of their namespaces."""
    good = pl.lit(True)
    for code, pattern in (rules.formats or {}).items():
        good &= (namespace != code) | value.str.contains(f"^(?:{pattern})$")
    return good


def lowest(entries: pl.Expr, namespace: str, rules: Rules) -> pl.Expr:
    """Return the lexically first identity of a namespace in lists of identities, or null."""
    return _lowest(_has(namespace) & _good(rules), entries).field("id")


def lowest_primary(entries: pl.Expr, rules: Rules, without: str | None = None) -> pl.Expr:
    """Return the primary identity whose value is lexically first, as ``joined``, or null.

    Args:
        entries: lists of identities, sorted by namespace, which decides between equal values.
        rules: what is no identity.
        without: a namespace that is not looked at.
    """
    asked = _is_primary() & _good(rules)
    asked &= pl.lit(True) if without is None else _field("namespace") != without
    found = _lowest(asked, entries)
    return joined(found.field("namespace"), found.field("id"))


def first(entries: pl.Expr, namespace: str) -> pl.Expr:
    """Return the identity of a namespace that is written first, whatever it is, or null."""
    return _first(_has(namespace), entries).field("id")


def first_primary(entries: pl.Expr) -> pl.Expr:
    """Return the first primary identity of the alphabetically first namespace, as ``joined``, or null.

    Args:
        entries: lists of identities, sorted by namespace.
    """
    found = _first(_is_primary(), entries)
    return joined(found.field("namespace"), found.field("id"))


def joined(namespace: pl.Expr, value: pl.Expr) -> pl.Expr:
    """Return namespace and value as one text, null where either is."""
    return pl.concat_str(namespace, pl.lit(BETWEEN), value)


def parted(text: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """Return the namespace and the value of texts of ``joined``."""
    parts = text.str.splitn(BETWEEN, 2).struct
    return parts.field("field_0"), parts.field("field_1")


def _spellings() -> set[str]:
    words = {spelled for word in PLACEHOLDERS for spelled in (word, word.capitalize(), word.upper())}
    return {*words, "[object Object]", "(Null)", "(None)", "(Not set)", "(Not Set)"}


def _lowest(asked: pl.Expr, entries: pl.Expr) -> ExprStructNameSpace:
    """Return the entry with the lexically first id among those asked for; the first of equal ones."""
    ids = entries.list.eval(pl.when(asked).then(_field("id")))
    return entries.list.get(ids.list.arg_min(), null_on_oob=True).struct


def _first(asked: pl.Expr, entries: pl.Expr) -> ExprStructNameSpace:
    """Return the first entry that is asked for."""
    # Places are far faster to find than to drop nulls from every list.
    marks = entries.list.eval(pl.when(asked).then(pl.lit(0, pl.UInt8)))
    return entries.list.get(marks.list.arg_min(), null_on_oob=True).struct


def _field(name: str) -> pl.Expr:
    return pl.element().struct.field(name)


def _has(namespace: str) -> pl.Expr:
    return (_field("namespace") == namespace) & _field("id").is_not_null()


def _is_primary() -> pl.Expr:
    named = is_code(_field("namespace")) & _field("id").is_not_null()
    return _field("primary").fill_null(False) & named


def _good(rules: Rules) -> pl.Expr:
    return is_identity(_field("id"), rules)


def is_code(namespace: pl.Expr) -> pl.Expr:
    """Return whether a text can be the code of a namespace."""
    return ((namespace != "") & ~namespace.str.contains(f"[:{BETWEEN}]")).fill_null(False)
