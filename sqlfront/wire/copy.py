"""Rows as CopyData messages, one a row, in COPY's three formats: text, CSV and binary.

Whole columns are escaped and joined by Arrow, so no row is touched in Python.
"""

from __future__ import annotations

import struct
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engine.errors import UnsupportedError
from sqlfront.query import ResultColumn
from sqlfront.sqlstate import SqlError
from sqlfront.wire.columns import Variable, encode_column
from sqlfront.wire.datarow import data_rows
from sqlfront.wire.replies import Data

_TAG: Final = b"d"
_SIGNATURE: Final = b"PGCOPY\n\xff\r\n\0" + struct.pack("!II", 0, 0)
_END: Final = b"\xff\xff"
_HEAD: Final = np.dtype([("tag", "S1"), ("length", ">i4")])
_CONTROLS: Final = {"\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t", "\v": "v"}
_NO_DELIMITERS: Final = frozenset("\\.abcdefghijklmnopqrstuvwxyz0123456789")


@dataclass(frozen=True)
class CopyForm:
    """How COPY writes rows.

    Attributes:
        kind: ``text``, ``csv`` or ``binary``.
        header: whether the first row holds the names.
        null: what stands for NULL.
        quote: goes round CSV values that need it, and ``escape`` before these two inside.
        force_quote: columns whose values are quoted even where they need not be, None for all.
    """

    kind: str = "text"
    header: bool = False
    delimiter: str = "\t"
    null: str = "\\N"
    quote: str = '"'
    escape: str = '"'
    force_quote: tuple[str, ...] | None = ()

    @property
    def is_binary(self) -> bool:
        """Tell whether values come in binary."""
        return self.kind == "binary"

    def checked(self) -> CopyForm:
        """Return itself if what it writes could be read back, else raise."""
        if self.delimiter in ("\n", "\r"):
            raise SqlError("COPY delimiter cannot be newline or carriage return", "22023")
        if "\n" in self.null or "\r" in self.null:
            raise SqlError("COPY null representation cannot use newline or carriage return", "22023")
        if self.kind == "text" and self.delimiter in _NO_DELIMITERS:
            raise SqlError(f'COPY delimiter cannot be "{self.delimiter}"', "22023")
        if self.kind == "csv" and self.delimiter == self.quote:
            raise SqlError("COPY delimiter and quote must be different", "22023")
        if not self.is_binary and self.delimiter in self.null:
            raise UnsupportedError("COPY delimiter must not appear in the NULL specification")
        if self.kind == "csv" and self.quote in self.null:
            raise UnsupportedError("CSV quote character must not appear in the NULL specification")
        return self

    def quotes(self, name: str) -> bool:
        """Tell whether all values of a column are quoted."""
        return self.force_quote is None or name in self.force_quote

    def check(self, names: Sequence[str]) -> None:
        """Raise if it quotes columns that are not among the answer's names."""
        for name in self.force_quote or ():
            if name not in names:
                raise SqlError(f'column "{name}" does not exist', "42703")


def copy_data(
    batches: Iterable[pa.RecordBatch], columns: Sequence[ResultColumn], form: CopyForm
) -> Generator[Data, None, int]:
    """Yield CopyData messages for all rows and what frames them; return the number of rows.

    Args:
        batches: the rows.
        columns: their names, and the types to write them in: instants show the zone of theirs.
        form: how to write them.
    """
    write = _binary if form.is_binary else _lines
    return (yield from write(batches, columns, form))


def _message(body: bytes) -> bytes:
    return _TAG + struct.pack("!I", len(body) + 4) + body


def _binary(
    batches: Iterable[pa.RecordBatch], columns: Sequence[ResultColumn], form: CopyForm
) -> Generator[Data, None, int]:
    """As PostgreSQL does, let the first message hold the signature besides the first row."""
    types, formats = [column.type for column in columns], [True] * len(columns)
    count, opening = 0, _SIGNATURE
    for batch in batches:
        if opening and batch.num_rows:
            first = data_rows(batch.slice(0, 1), types, formats, _TAG)
            yield _message(opening + first[5:])
            opening = b""
            yield data_rows(batch.slice(1), types, formats, _TAG)
        else:
            yield data_rows(batch, types, formats, _TAG)
        count += batch.num_rows
    yield _message(opening + _END)
    return count


def _lines(
    batches: Iterable[pa.RecordBatch], columns: Sequence[ResultColumn], form: CopyForm
) -> Generator[Data, None, int]:
    alone = len(columns) == 1
    if form.header:
        names = (pa.array([column.name.encode()], pa.binary()) for column in columns)
        yield _joined([_written(name, form, False, alone) for name in names], form)
    count = 0
    for batch in batches:
        written = [
            _written(encode_column(array, column.type, False), form, form.quotes(column.name), alone)
            for array, column in zip(batch.columns, columns, strict=True)
        ]
        yield _joined(written, form)
        count += batch.num_rows
    return count


def _written(values: Variable, form: CopyForm, always: bool, alone: bool) -> Variable:
    """Return a column's values quoted or escaped, NULLs included; ``alone`` if it is the only column."""
    shown = _quoted(values, form, always, alone) if form.kind == "csv" else _escaped(values, form)
    return pc.fill_null(shown, form.null.encode()) if shown.null_count else shown


def _escaped(values: Variable, form: CopyForm) -> Variable:
    specials = {"\\": "\\", **_CONTROLS}
    specials.setdefault(form.delimiter, form.delimiter)
    if not _any(_holds(values, "".join(specials))):
        return values
    for character, shown in specials.items():
        values = pc.replace_substring(values, character.encode(), b"\\" + shown.encode())
    return values


def _quoted(values: Variable, form: CopyForm, always: bool, alone: bool) -> Variable:
    if always:
        return _in_quotes(values, form)
    needed = _holds(values, form.delimiter + form.quote + "\n\r")
    needed = pc.or_(needed, pc.equal(values, form.null.encode()))
    if alone:
        needed = pc.or_(needed, pc.equal(values, b"\\."))
    return pc.if_else(needed, _in_quotes(values, form), values) if _any(needed) else values


def _in_quotes(values: Variable, form: CopyForm) -> Variable:
    quote, escape = form.quote.encode(), form.escape.encode()
    for character in dict.fromkeys((escape, quote)):
        values = pc.replace_substring(values, character, escape + character)
    return pc.binary_join_element_wise(quote, values, quote, b"")


def _holds(values: Variable, characters: str) -> pa.BooleanArray:
    found = "".join(f"\\x{ord(character):02x}" for character in characters)
    return pc.match_substring_regex(values, f"[{found}]")


def _any(found: pa.BooleanArray) -> bool:
    return bool(pc.any(found).as_py())


def _joined(columns: Sequence[Variable], form: CopyForm) -> bytes:
    """Return one message per row: its values with delimiters between them, and the line's end."""
    lines = pc.binary_join_element_wise(*columns, form.delimiter.encode())
    heads = np.empty(len(lines), _HEAD)
    heads["tag"], heads["length"] = _TAG, pc.binary_length(lines).to_numpy() + np.int32(5)
    messages = pa.FixedSizeBinaryArray.from_buffers(pa.binary(5), len(lines), [None, pa.py_buffer(heads)])
    joined = pc.binary_join_element_wise(messages.cast(pa.binary()), lines, b"\n", b"")
    return bytes(joined.buffers()[2])
