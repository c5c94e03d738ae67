"""to_char and to_number: PostgreSQL's patterns of numbers, as a chain of replacements in the number's text.

The chain starts with a sign, digits and a fixed number of decimals, and reads its argument once; what a
step puts in (``#``, commas, signs) is not touched by later ones.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from sqlglot import exp

from engine.errors import UnsupportedError
from sqlfront.functions.templates import call, fill, number, text

_ITEM: Final = re.compile(
    r'(?P<item>FM|EEEE|SG|PL|MI|PR|RN|TH|[09.,DGSLV])|"(?P<quoted>[^"]*)"?|\\(?P<escaped>.)|(?P<other>.)',
    re.DOTALL | re.IGNORECASE,
)
_BLANK: Final = " "
_ORDINALS: Final = (("^(\\d*1\\d)$", "th"), ("^(\\d*1)$", "st"), ("^(\\d*2)$", "nd"), ("^(\\d*3)$", "rd"))
_ROMAN: Final = (
    "['', 'M', 'MM', 'MMM'][x // 1000 + 1]"
    " || ['', 'C', 'CC', 'CCC', 'CD', 'D', 'DC', 'DCC', 'DCCC', 'CM'][x // 100 % 10 + 1]"
    " || ['', 'X', 'XX', 'XXX', 'XL', 'L', 'LX', 'LXX', 'LXXX', 'XC'][x // 10 % 10 + 1]"
    " || ['', 'I', 'II', 'III', 'IV', 'V', 'VI', 'VII', 'VIII', 'IX'][x % 10 + 1]"
)


@dataclass(frozen=True)
class NumberPattern:
    """A pattern, read.

    Attributes:
        whole: digits and commas in front of the decimal point, such as ``9,990``.
        decimals: digits behind it.
        has_point: whether the point itself is written.
        moved: digits behind V, by which the number is shifted.
        sign: ``S``, ``MI``, ``PR``, ``SG`` or empty; with ``<`` behind it if it stands in front.
        is_short: FM: no blanks and no idle zeros.
        before, after: other characters around the number.
        ordinal: ``TH``, ``th`` or empty.
        kind: ``EEEE``, ``RN``, ``rn`` or empty.
    """

    whole: str = ""
    decimals: str = ""
    has_point: bool = False
    moved: int = 0
    sign: str = ""
    is_short: bool = False
    before: str = ""
    after: str = ""
    ordinal: str = ""
    kind: str = ""

    @property
    def digits(self) -> int:
        """Digits in front of the point."""
        return len(self.whole.replace(",", ""))


def read(pattern: str) -> NumberPattern:
    """Read a pattern.

    Raises:
        UnsupportedError: other characters stand between digits, or it asks for what is not offered.
    """
    state: dict[str, object] = {}
    whole = decimals = before = after = ""
    has_point, moved = False, -1
    for match in _ITEM.finditer(pattern):
        item = (match["item"] or "").upper()
        if item in ("0", "9") and not (after or state.get("sign") in ("S", "SG", "MI", "PR")):
            moved += moved >= 0
            whole, decimals = (whole, decimals + item) if has_point else (whole + item, decimals)
        elif item in (",", "G") and not has_point:
            whole += ","
        elif item in (".", "D") and not has_point:
            has_point = True
        elif item == "V":
            moved = 0
        elif item in ("S", "SG", "MI", "PR"):
            state["sign"] = item + ("" if whole or decimals else "<")
        elif item in ("EEEE", "RN", "TH"):
            state["ordinal" if item == "TH" else "kind"] = match["item"] if item != "EEEE" else item
        elif item == "FM":
            state["is_short"] = True
        elif item in ("", "L") and (whole or has_point):
            after += _other(match)
        elif item in ("", "L"):
            before += _other(match)
        else:
            raise UnsupportedError(
                f'to_char of a number with "{match[0]}" at that place of the pattern is not supported',
                hint="Put the number together from parts, or use round() and ||.",
            )
    return NumberPattern(whole, decimals, has_point, max(moved, 0), before=before, after=after, **state)  # type: ignore[arg-type]


def _other(match: re.Match[str]) -> str:
    """Return a character that stands for itself; the currency's sign is a blank, as in the C locale."""
    return match["quoted"] or match["escaped"] or match["other"] or _BLANK


def number_text(value: exp.Expr, pattern: str) -> exp.Expr:
    """Write a number by a pattern."""
    form = read(pattern)
    if form.kind.upper() == "RN":
        return _roman(value, form)
    if form.kind == "EEEE":
        return _scientific(value, form)
    whole = _digits(value, form)
    for step in (_overflow, _grouped, _shortened, _signed, _padded):
        whole = step(whole, form)
    if form.ordinal:
        whole = _ordinal(whole, form)
    return _between(form.before, whole, form.after)


def _between(before: str, written: exp.Expr, after: str) -> exp.Expr:
    if before:
        written = exp.DPipe(this=text(before), expression=written)
    if after:
        written = exp.DPipe(this=written, expression=text(after))
    return exp.paren(written, copy=False) if before or after else written


def _replaced(whole: exp.Expr, pattern: str, replacement: str) -> exp.Expr:
    return call("regexp_replace", whole, text(pattern), text(replacement))


def _digits(value: exp.Expr, form: NumberPattern) -> exp.Expr:
    """Return sign, digits and decimals: binary numbers are rounded as they are, others half up."""
    if form.moved:
        value = fill("x * y", x=value, y=number(10**form.moved))
    places = len(form.decimals)
    return fill(
        "CASE WHEN TYPEOF(x) IN ('DOUBLE', 'FLOAT') THEN PRINTF(f, CAST(x AS DOUBLE))"
        f" ELSE CAST(CAST(x AS DECIMAL(38, {places})) AS TEXT) END",
        x=value,
        f=text(f"%.{places}f"),
    )


def _overflow(whole: exp.Expr, form: NumberPattern) -> exp.Expr:
    filled = re.sub(r"\d", "#", form.whole) + ("." if form.decimals else "") + "#" * len(form.decimals)
    return _replaced(whole, rf"^(-?)\d{{{form.digits + 1},}}(\.\d*)?$", rf"\1{filled}")


def _grouped(whole: exp.Expr, form: NumberPattern) -> exp.Expr:
    """Fill with zeros, put the commas in, and take idle zeros and commas away."""
    if not form.digits:
        return _replaced(whole, r"^(-?)0\.", r"\1.")
    whole = _replaced(whole, r"^(-?)(\d)", rf"\1{'0' * form.digits}\2")
    groups = [len(group) for group in form.whole.split(",") if group]
    sizes = "".join(rf"(\d{{{size}}})" for size in groups)
    commas = ",".join(f"\\{at + 2}" for at in range(len(groups)))
    whole = _replaced(whole, rf"^(-?)\d*?{sizes}(\.\d*)?$", rf"\1{commas}\{len(groups) + 2}")
    zero = form.whole.find("0")
    idle = zero if zero >= 0 else len(form.whole) - (0 if form.decimals else 1)
    whole = _replaced(whole, rf"^(-?)[0,]{{0,{idle}}}", r"\1") if idle else whole
    return whole


def _shortened(whole: exp.Expr, form: NumberPattern) -> exp.Expr:
    if form.is_short and form.decimals:
        kept = form.decimals.rfind("0") + 1
        whole = _replaced(whole, rf"(\.\d{{{kept}}}\d*?)0+$", r"\1")
        whole = _replaced(whole, r"^(-?)\.$", r"\10.")
    return whole


def _signed(whole: exp.Expr, form: NumberPattern) -> exp.Expr:
    blank = "" if form.is_short else _BLANK
    if form.sign == "S<":
        return _replaced(whole, r"^([^-])", r"+\1")
    if form.sign in ("S", "SG"):
        return _replaced(_replaced(whole, r"^([^-].*)$", r"\1+"), r"^-(.*)$", r"\1-")
    if form.sign == "MI":
        return _replaced(_replaced(whole, r"^([^-].*)$", rf"\1{blank}"), r"^-(.*)$", r"\1-")
    if form.sign == "PR":
        return _replaced(_replaced(whole, r"^([^-].*)$", rf"\1{blank}"), r"^-(.*)$", r"<\1>")
    return whole


def _padded(whole: exp.Expr, form: NumberPattern) -> exp.Expr:
    width = len(form.whole) + len(form.decimals) + bool(form.decimals) + 1 + (form.sign == "PR")
    if not form.is_short:
        whole = call("lpad", whole, number(width), text(_BLANK))
    if form.sign == "SG<":
        return _replaced(_replaced(whole, r"^ *([^- ].*)$", r"+\1"), r"^( *)-(.*)$", r"-\1\2")
    if form.sign == "MI<":
        return _replaced(whole, r"^( *)-(.*)$", r"-\1\2")
    return whole


def _ordinal(whole: exp.Expr, form: NumberPattern) -> exp.Expr:
    for pattern, ending in (*_ORDINALS, ("^(\\d+)$", "th")):
        written = ending.upper() if form.ordinal == "TH" else ending
        whole = _replaced(whole, pattern.replace("^(", "^( *"), rf"\1{written}")
    return whole


def _scientific(value: exp.Expr, form: NumberPattern) -> exp.Expr:
    places = len(form.decimals)
    whole = fill("PRINTF(f, CAST(x AS DOUBLE))", x=value, f=text(f"%.{places}e"))
    return whole if form.is_short else _replaced(whole, r"^([^-])", r" \1")


def _roman(value: exp.Expr, form: NumberPattern) -> exp.Expr:
    roman = fill(_ROMAN, x=fill("CAST(ROUND(x) AS INT)", x=value))
    roman = fill(
        "CASE WHEN x BETWEEN 1 AND 3999 THEN y WHEN NOT x IS NULL THEN REPEAT('#', 15) END",
        x=value,
        y=roman,
    )
    if not form.is_short:
        roman = call("lpad", roman, number(15), text(_BLANK))
    return fill("LOWER(x)", x=roman) if form.kind == "rn" else roman


def number_of(value: exp.Expr, pattern: str) -> exp.Expr:
    """Read a number that is written by a pattern: signs count wherever they stand."""
    form = read(pattern)
    digits = fill("REGEXP_REPLACE(REGEXP_REPLACE(x, '[^0-9.]', '', 'g'), '^$', '0')", x=value)
    kept = fill(f"CAST(y AS DECIMAL(38, {len(form.decimals)}))", y=digits)
    return fill("CASE WHEN REGEXP_MATCHES(x, '[-<]') THEN -y ELSE y END", x=value, y=kept)
