"""Reads PostgreSQL's arrays, text and binary, of any number of dimensions, as lists in lists."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator, Sequence
from math import prod
from typing import Any, Final, NoReturn

_TOKEN: Final = re.compile(
    r'\s*(?:"((?:[^"\\]|\\.)*)"|([{},])|((?:[^",{}\\\s]|\\.|\s+(?=[^",{}\s]))+))\s*', re.DOTALL | re.ASCII
)
_BOUNDS: Final = re.compile(r"\s*(?:\[-?\d+:-?\d+\])+\s*=\s*")
_MOST_DIMENSIONS: Final = 6


def _invalid() -> NoReturn:
    raise ValueError


def read_array(raw: str, read: Callable[[str], Any]) -> list[Any]:
    """Read ``{a,"b c",NULL}`` or ``{{1,2},{3,4}}``; bounds in front (``[0:1]={…}``) have no effect.

    Args:
        read: text of an element → its value.

    Raises:
        ValueError: it is no array, or its parts differ in size.
    """
    bounds = _BOUNDS.match(raw)
    tokens = _tokens(raw[bounds.end() :] if bounds else raw)
    found = _list(tokens, read) if next(tokens, None) == ("{", None) else _invalid()
    if next(tokens, None) is not None:
        raise ValueError
    _check(found)
    return found


def _tokens(text: str) -> Iterator[tuple[str, str | None]]:
    """Yield (sign, None) and ("", text of an element) pairs; a bare NULL is ("NULL", None)."""
    at = 0
    while at < len(text):
        token = _TOKEN.match(text, at) or _invalid()
        at = token.end()
        quoted, sign, bare = token.groups()
        if sign is not None:
            yield sign, None
        elif quoted is not None:
            yield "", _unescaped(quoted)
        elif bare.upper() == "NULL":
            yield "NULL", None
        else:
            yield "", _unescaped(bare)


def _unescaped(written: str) -> str:
    return re.sub(r"\\(.)", r"\1", written, flags=re.DOTALL)


def _list(tokens: Iterator[tuple[str, str | None]], read: Callable[[str], Any]) -> list[Any]:
    """Read elements up to the closing brace; the opening one is taken already."""
    items: list[Any] = []
    wants_item, sign = True, ""
    for sign, text in tokens:
        if sign == "}" and (not wants_item or not items):
            return items
        if sign == ",":
            wants_item = True if not wants_item else _invalid()
            continue
        if not wants_item or sign == "}":
            raise ValueError
        wants_item = False
        items.append(_list(tokens, read) if sign == "{" else None if text is None else read(text))
    raise ValueError


def _check(items: list[Any]) -> None:
    """Raise unless all parts of an array have one shape."""
    parts = [item for item in items if isinstance(item, list)]
    if parts and (len(parts) != len(items) or len({len(part) for part in parts}) > 1):
        raise ValueError
    for part in parts:
        _check(part)


def read_array_binary(raw: bytes, read: Callable[[int, bytes], Any]) -> list[Any]:
    """Read an array in binary format.

    Args:
        read: oid of the element type, and an element's bytes → its value.
    """
    dimensions, _, oid = struct.unpack_from("!iiI", raw)
    if not dimensions:
        return []
    if not 0 < dimensions <= _MOST_DIMENSIONS:
        raise ValueError
    sizes = [struct.unpack_from("!i", raw, 12 + 8 * at)[0] for at in range(dimensions)]
    items = _items(raw, 12 + 8 * dimensions, prod(sizes))
    return _shaped([None if item is None else read(oid, item) for item in items], sizes)


def _items(raw: bytes, at: int, count: int) -> list[bytes | None]:
    items: list[bytes | None] = []
    for _ in range(count):
        (length,) = struct.unpack_from("!i", raw, at)
        at += 4
        items.append(None if length == -1 else raw[at : at + length])
        at += max(length, 0)
    return items if at == len(raw) else _invalid()


def _shaped(items: list[Any], sizes: Sequence[int]) -> list[Any]:
    if len(sizes) == 1:
        return items
    step = prod(sizes[1:])
    return [_shaped(items[at : at + step], sizes[1:]) for at in range(0, len(items), step)]
