"""to_char of times: PostgreSQL's date patterns as concatenations of strftime and small expressions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from sqlglot import exp

from engine.errors import UnsupportedError
from sqlfront.functions.templates import call, chained, fill, text

ITEM: Final = re.compile(
    r"(?P<fill>(?:FM|TM)*)(?P<item>Y,YYY|YYYY|YYY|YY|Y|IYYY|IYY|IDDD|IY|ID|IW|I|MONTH|MON|MM|MI|MS|DAY|DY"
    r"|DDD|DD|D|WW|W|CC|J|Q|RM|TZH|TZM|TZ|OF|HH24|HH12|HH|SSSSS|SSSS|SS|US|FF[1-6]|A\.M\.|P\.M\.|AM|PM"
    r"|B\.C\.|A\.D\.|BC|AD)(?P<ordinal>TH)?"
    r'|FM|TM|FX|"(?P<quoted>[^"]*)"?|\\(?P<escaped>.)|(?P<other>.)',
    re.DOTALL | re.IGNORECASE,
)
"""One item of a pattern, with what stands before and behind it."""

_STRFTIME: Final = {
    "YYYY": "%Y",
    "YY": "%y",
    "IYYY": "%G",
    "MM": "%m",
    "DDD": "%j",
    "DD": "%d",
    "ID": "%u",
    "IW": "%V",
    "HH24": "%H",
    "HH12": "%I",
    "HH": "%I",
    "MI": "%M",
    "SS": "%S",
    "MS": "%g",
    "US": "%f",
    "FF3": "%g",
    "FF6": "%f",
    "AM": "%p",
    "PM": "%p",
}
"""Items that strftime writes as PostgreSQL does, when they are in capitals and filled."""
_NAMES: Final = {"MONTH": "%B", "MON": "%b", "DAY": "%A", "DY": "%a"}
_UNPADDED: Final = {
    "MM": "%-m",
    "DDD": "%-j",
    "DD": "%-d",
    "YY": "%-y",
    "HH24": "%-H",
    "HH12": "%-I",
    "HH": "%-I",
    "MI": "%-M",
    "SS": "%-S",
}
_OTHERS: Final = {
    "Y,YYY": "CAST(YEAR(x) // 1000 AS TEXT) || ',' || RIGHT(STRFTIME(x, '%Y'), 3)",
    "YYY": "RIGHT(STRFTIME(x, '%Y'), 3)",
    "Y": "RIGHT(STRFTIME(x, '%Y'), 1)",
    "IYY": "RIGHT(STRFTIME(x, '%G'), 3)",
    "IY": "RIGHT(STRFTIME(x, '%G'), 2)",
    "I": "RIGHT(STRFTIME(x, '%G'), 1)",
    "IDDD": "PRINTF('%03d', 7 * (WEEK(x) - 1) + ISODOW(x))",
    "D": "CAST(DAYOFWEEK(x) + 1 AS TEXT)",
    "WW": "PRINTF('%02d', (DAYOFYEAR(x) + 6) // 7)",
    "W": "CAST((DAY(x) + 6) // 7 AS TEXT)",
    "CC": "PRINTF('%02d', CENTURY(x))",
    "J": "CAST(DATE_DIFF('day', CAST('1970-01-01' AS DATE), CAST(x AS DATE)) + 2440588 AS TEXT)",
    "Q": "CAST(QUARTER(x) AS TEXT)",
    "RM": "RPAD(SPLIT_PART('I II III IV V VI VII VIII IX X XI XII', ' ', MONTH(x)), 4, ' ')",
    "TZ": "CASE WHEN TYPEOF(x) = 'TIMESTAMP WITH TIME ZONE' THEN 'UTC' ELSE '' END",
    "TZH": "'+00'",
    "TZM": "'00'",
    "OF": "'+00'",
    "SSSSS": "CAST(HOUR(x) * 3600 + MINUTE(x) * 60 + SECOND(x) AS TEXT)",
    "SSSS": "CAST(HOUR(x) * 3600 + MINUTE(x) * 60 + SECOND(x) AS TEXT)",
    "FF1": "LEFT(STRFTIME(x, '%f'), 1)",
    "FF2": "LEFT(STRFTIME(x, '%f'), 2)",
    "FF4": "LEFT(STRFTIME(x, '%f'), 4)",
    "FF5": "LEFT(STRFTIME(x, '%f'), 5)",
    "A.M.": "CASE WHEN HOUR(x) < 12 THEN 'A.M.' ELSE 'P.M.' END",
    "P.M.": "CASE WHEN HOUR(x) < 12 THEN 'A.M.' ELSE 'P.M.' END",
    "BC": "CASE WHEN YEAR(x) > 0 THEN 'AD' ELSE 'BC' END",
    "AD": "CASE WHEN YEAR(x) > 0 THEN 'AD' ELSE 'BC' END",
    "B.C.": "CASE WHEN YEAR(x) > 0 THEN 'A.D.' ELSE 'B.C.' END",
    "A.D.": "CASE WHEN YEAR(x) > 0 THEN 'A.D.' ELSE 'B.C.' END",
}
_OF_INTERVAL: Final = {
    "YYYY": "PRINTF('%04d', YEAR(x))",
    "MM": "PRINTF('%02d', MONTH(x))",
    "DDD": "PRINTF('%03d', MONTH(x) * 30 + YEAR(x) * 360 + DAY(x))",
    "DD": "PRINTF('%02d', DAY(x))",
    "HH24": "PRINTF('%02d', HOUR(x))",
    "HH12": "PRINTF('%02d', CASE WHEN HOUR(x) % 12 = 0 THEN 12 ELSE HOUR(x) % 12 END)",
    "HH": "PRINTF('%02d', CASE WHEN HOUR(x) % 12 = 0 THEN 12 ELSE HOUR(x) % 12 END)",
    "MI": "PRINTF('%02d', MINUTE(x))",
    "SS": "PRINTF('%02d', SECOND(x))",
    "MS": "PRINTF('%03d', MILLISECOND(x) % 1000)",
    "US": "PRINTF('%06d', MICROSECOND(x) % 1000000)",
    "SSSS": "CAST(HOUR(x) * 3600 + MINUTE(x) * 60 + SECOND(x) AS TEXT)",
    "AM": "CASE WHEN HOUR(x) % 24 < 12 THEN 'AM' ELSE 'PM' END",
    "PM": "CASE WHEN HOUR(x) % 24 < 12 THEN 'AM' ELSE 'PM' END",
}
_FILLED: Final = frozenset(_UNPADDED)
"""Items that FM shortens."""
_CASED: Final = frozenset({"AM", "PM", "A.M.", "P.M.", "BC", "AD", "B.C.", "A.D.", "RM", "TZ", *_NAMES})
_ORDINAL: Final = (
    ("1\\d$", "\\0th"),
    ("1$", "\\0st"),
    ("2$", "\\0nd"),
    ("3$", "\\0rd"),
    ("\\d$", "\\0th"),
)

_AMBIGUOUS: Final = frozenset({"D", "MI"})
"""Items of times that patterns of numbers have as well."""


def is_of_number(pattern: str) -> bool:
    """Tell whether a pattern of to_char can only be one of numbers.

    >>> [is_of_number(p) for p in ("FM999D00", "YYYY-MM-01", "MI", "S999", "RN", "HH24:00")]
    [True, False, False, True, True, False]
    """
    found = [match for match in ITEM.finditer(pattern) if match["quoted"] is None]
    items = {match["item"].upper() for match in found if match["item"]}
    others = {match["other"].upper() for match in found if match["other"]}
    if items - _AMBIGUOUS:
        return False
    return bool(others & {"0", "9"}) or "RN" in pattern.upper()


def may_be_of_interval(pattern: str) -> bool:
    """Tell whether a pattern asks for nothing but days and the time of day."""
    items = {match["item"].upper() for match in ITEM.finditer(pattern) if match["item"]}
    return bool(items) and items <= _OF_INTERVAL.keys() - {"YYYY", "MM"}


def time_text(value: exp.Expr, pattern: str) -> exp.Expr:
    """Write a date or a time with a date by a pattern."""
    pieces: list[exp.Expr] = []
    plain = ""
    for match in ITEM.finditer(pattern):
        piece = _code(match) if match["item"] else _literal(match).replace("%", "%%")
        if piece is not None:
            plain += piece
            continue
        pieces += [_strftime(value, plain)] if plain else []
        pieces.append(_piece(match, value, _OTHERS))
        plain = ""
    pieces += [_strftime(value, plain)] if plain or not pieces else []
    return chained(pieces)


def interval_text(value: exp.Expr, pattern: str) -> exp.Expr:
    """Write an interval by a pattern.

    Raises:
        UnsupportedError: the pattern asks for what an interval has not, such as the name of a day.
    """
    pieces: list[exp.Expr] = [text("")]
    for match in ITEM.finditer(pattern):
        if match["item"] is None:
            pieces.append(text(_literal(match)))
        elif match["item"].upper() in _OF_INTERVAL:
            pieces.append(_piece(match, value, _OF_INTERVAL))
        else:
            raise UnsupportedError(
                f'to_char of an interval with "{match["item"]}" is not supported',
                hint="Use DD, HH24, HH12, MI, SS, MS, US, MM or YYYY.",
            )
    filled = fill("CASE WHEN NOT x IS NULL THEN '' END", x=value)
    return chained([filled, *pieces[1:]])


def _literal(match: re.Match[str]) -> str:
    return match["quoted"] or match["escaped"] or match["other"] or ""


def _strftime(value: exp.Expr, pattern: str) -> exp.Expr:
    return exp.func("strftime", value.copy(), text(pattern), dialect="duckdb")


def _code(match: re.Match[str]) -> str | None:
    """Return strftime's code for an item; None if it has none that writes the same."""
    item = match["item"].upper()
    if match["ordinal"] or (item in _CASED and match["item"] != item):
        return None
    return _UNPADDED.get(item) if match["fill"] and item in _FILLED else _STRFTIME.get(item)


def _piece(match: re.Match[str], value: exp.Expr, table: Mapping[str, str]) -> exp.Expr:
    spelled, item, filled = match["item"], match["item"].upper(), not match["fill"]
    template = table.get(item)
    if item in _NAMES:
        piece = _name(value, item, filled)
    elif template is not None:
        piece = fill(template, x=value)
        if not filled and item not in _CASED:
            piece = fill("REGEXP_REPLACE(x, '^0+([0-9])', '\\1')", x=piece)
        elif not filled:
            piece = fill("RTRIM(x)", x=piece)
    else:
        piece = _strftime(value, _UNPADDED.get(item, _STRFTIME[item]) if not filled else _STRFTIME[item])
    if item in _CASED and spelled == spelled.lower():
        piece = fill("LOWER(x)", x=piece)
    elif item in ("MONTH", "MON", "DAY", "DY") and spelled == item:
        piece = fill("UPPER(x)", x=piece)
    return piece if match["ordinal"] is None else _with_ordinal(piece, match["ordinal"])


def _name(value: exp.Expr, item: str, filled: bool) -> exp.Expr:
    """Write the name of a month or day, padded to nine as PostgreSQL does unless it is short."""
    name = _strftime(value, _NAMES[item])
    return fill("RPAD(x, 9, ' ')", x=name) if filled and item in ("MONTH", "DAY") else name


def _with_ordinal(piece: exp.Expr, spelled: str) -> exp.Expr:
    for ending, replacement in _ORDINAL:
        written = replacement.upper() if spelled == "TH" else replacement
        piece = call("regexp_replace", piece, text(ending), text(written))
    return piece


def parsed(value: exp.Expr, pattern: str) -> exp.Expr:
    """Read a text by a pattern as a timestamp; what separates its parts may be written otherwise.

    Raises:
        UnsupportedError: the pattern has an item that only to_char knows.
    """
    written = ""
    for match in ITEM.finditer(pattern):
        if not match["item"]:
            written += _separator(_literal(match))
            continue
        code = _STRFTIME.get(match["item"].upper()) or _NAMES.get(match["item"].upper())
        if code is None:
            raise UnsupportedError(
                f'reading a time with "{match["item"]}" is not supported',
                hint="Use YYYY, MM, Mon, Month, DD, DDD, HH24, HH12, MI, SS, MS, US and AM.",
            )
        written += code
    separated = fill("TRIM(REGEXP_REPLACE(x, '[^[:alnum:]]+', ' ', 'g'))", x=value)
    return call("strptime", separated, text(re.sub(" +", " ", written).strip()))


def _separator(literal: str) -> str:
    return re.sub(r"[^0-9A-Za-z]+", " ", literal)
