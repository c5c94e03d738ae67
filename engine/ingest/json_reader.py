"""Reads JSON lines (or one JSON array) as blocks of nested columns.

A block is parsed at once in the shape of the schema. If it refuses, it is halved until the records
that stand in the way are few enough to be read one by one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import json as arrow_json

from engine.catalog.records import Reject
from engine.definitions.model import DatasetDefinition
from engine.errors import InputError
from engine.ingest.block import Block
from engine.ingest.diagnostics import RECORD_LENGTH
from engine.ingest.formats import FormatOptions, SourceFile, told_as_input_error
from engine.ingest.json_record import RecordError, record_reader, text_type
from engine.ingest.json_shape import fast_schema, has_identity_map, is_expected, observed_schema

_BLOCK_BYTES: Final = 8 << 20
_FEW: Final = 1000
_SMALL_BYTES: Final = 1 << 20
_TWO_RECORDS: Final = re.compile(rb"\}[ \t\r]*\{")

Lines = Sequence[bytes]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Context:
    """What the reading of one file needs at every step."""

    file: str
    schema: pa.Schema
    text_schema: pa.Schema
    unexpected: str
    fits: Callable[[pa.Schema], bool]
    read_record: Callable[[bytes], dict[str, Any]]


def read_json(source: SourceFile, dataset: DatasetDefinition, options: FormatOptions) -> Iterator[Block]:
    """Yield the blocks of a file, in order. An array of records must fit in memory.

    Raises:
        InputError: the file is an array that is not valid JSON.
    """
    context: _Context | None = None
    last = 0
    for data, position in read_pieces(source):
        if context is None:
            context = _context(source, dataset, options, data)
        count = data.count(b"\n") + (not data.endswith(b"\n"))
        numbers = np.arange(last + 1, last + count + 1, dtype=np.int64)
        yield from _read_piece(context, data, numbers, position)
        last += count


def _context(
    source: SourceFile, dataset: DatasetDefinition, options: FormatOptions, first: bytes
) -> _Context:
    fields, ignore = dataset.fields, options.ignore_unknown
    # Which namespaces an identity map has is only known once it is parsed.
    open_ended = has_identity_map(fields)
    expected = partial(is_expected, fields)
    return _Context(
        file=str(source.path),
        schema=fast_schema(fields, observed_schema(first)),
        text_schema=pa.schema([pa.field(name, text_type(field)) for name, field in fields.items()]),
        unexpected="infer" if open_ended else "ignore" if ignore else "error",
        fits=expected if open_ended else (lambda _: True),
        read_record=record_reader(fields, ignore_unknown=ignore),
    )


def _read_piece(context: _Context, data: bytes, numbers: Numbers, position: int) -> Iterator[Block]:
    table = _parse(data, context)
    # Never two records in a line: then equal counts mean that every record stands in its line.
    if table is not None and table.num_rows == len(numbers) and not _TWO_RECORDS.search(data):
        yield Block(context.file, table, numbers, lambda row: _text(data.split(b"\n")[row]), (), position)
        return
    lines = data.split(b"\n")[: len(numbers)]
    filled = np.array([bool(line.strip()) for line in lines], np.bool_)
    kept = [line for line, is_filled in zip(lines, filled, strict=True) if is_filled]
    yield from _halve(context, kept, numbers[filled], position)


def _halve(context: _Context, lines: Lines, numbers: Numbers, position: int) -> Iterator[Block]:
    if not lines:
        return
    data = b"\n".join(lines)
    table = _parse(data, context)
    if table is not None and table.num_rows == len(lines) and not _TWO_RECORDS.search(data):
        yield Block(context.file, table, numbers, lambda row: _text(lines[row]), (), position)
    elif len(lines) <= _FEW:
        yield _one_by_one(context, lines, numbers, position)
    else:
        middle = len(lines) // 2
        yield from _halve(context, lines[:middle], numbers[:middle], position)
        yield from _halve(context, lines[middle:], numbers[middle:], position)


def _one_by_one(context: _Context, lines: Lines, numbers: Numbers, position: int) -> Block:
    records, readable, rejects = [], [], []
    for row, line in enumerate(lines):
        try:
            records.append(context.read_record(line))
            readable.append(row)
        except RecordError as error:
            where = int(numbers[row])
            rejects.append(Reject(context.file, where, error.code, error.reason, _text(line)))
    table = pa.Table.from_pylist(records, schema=context.text_schema)
    texts = [lines[row] for row in readable]
    kept = numbers[np.array(readable, np.int64)]
    return Block(context.file, table, kept, lambda row: _text(texts[row]), tuple(rejects), position)


def _parse(data: bytes, context: _Context) -> pa.Table | None:
    try:
        # The parser does not look whether text is UTF-8.
        if not data.isascii():
            data.decode()
        table = arrow_json.read_json(
            pa.BufferReader(data),
            read_options=arrow_json.ReadOptions(use_threads=len(data) > _SMALL_BYTES),
            parse_options=arrow_json.ParseOptions(
                explicit_schema=context.schema,
                unexpected_field_behavior=context.unexpected,
            ),
        )
    except (pa.ArrowInvalid, UnicodeDecodeError):
        return None
    return table if context.fits(table.schema) else None


def read_pieces(source: SourceFile) -> Iterator[tuple[bytes, int]]:
    """Yield whole lines of a file, a few megabytes at a time, and the bytes read so far.

    Raises:
        InputError: the file begins like an array, but is none.
    """
    with told_as_input_error(source), pa.OSFile(str(source.path)) as handle:
        compressed = source.compression is not None
        stream = pa.CompressedInputStream(handle, source.compression) if compressed else handle
        rest = stream.read(_BLOCK_BYTES)
        if rest.lstrip()[:1] == b"[":
            yield _array_lines(source, rest + stream.read()), handle.tell()
            return
        while rest:
            more = stream.read(_BLOCK_BYTES)
            cut = len(rest) if not more else rest.rfind(b"\n") + 1
            if cut:
                yield rest[:cut], handle.tell()
            rest = rest[cut:] + more


def _array_lines(source: SourceFile, data: bytes) -> bytes:
    try:
        records: list[Any] = json.loads(data)
    except ValueError as error:
        raise InputError(f"{source.path} is not a valid JSON array: {error}") from None
    except RecursionError:
        raise InputError(f"{source.path} is not a valid JSON array: nested too deeply") from None
    return b"\n".join(json.dumps(record).encode() for record in records)


def _text(line: bytes) -> str:
    return line[: 4 * RECORD_LENGTH].decode(errors="replace")[:RECORD_LENGTH]
