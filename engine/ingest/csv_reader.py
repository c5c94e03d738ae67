"""Reads CSV and TSV files as blocks of text columns, named by the fields that they go to."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import csv as arrow_csv

from engine.catalog.records import Reject
from engine.definitions.model import DatasetDefinition
from engine.ingest.block import Block
from engine.ingest.columns import match_columns
from engine.ingest.diagnostics import RECORD_LENGTH, UNPARSABLE
from engine.ingest.formats import FileKind, FormatOptions, SourceFile, told_as_input_error

_BLOCK_BYTES: Final = 8 << 20


def read_csv(source: SourceFile, dataset: DatasetDefinition, options: FormatOptions) -> Iterator[Block]:
    """Yield the blocks of a file, in order.

    Raises:
        InputError: the header does not fit the schema, or the file cannot be read on.
    """
    file, delimiter = str(source.path), _delimiter(source, options)
    with told_as_input_error(source), pa.OSFile(file) as handle:
        headers = list(options.header or read_header(source, options))
        columns = match_columns(file, headers, dataset, ignore_unknown=options.ignore_unknown)
        broken = _BrokenRows(file, header_rows=0 if options.header else 1)
        reader = open_csv(handle, source, headers, list(columns), options, broken)
        yield from _blocks(file, reader, handle, columns, broken, delimiter)


def read_header(source: SourceFile, options: FormatOptions) -> list[str]:
    """Return the first record of a file."""
    encoding = "utf-8-sig" if options.encoding == "utf8" else options.encoding
    # What does not decode further down is told row by row.
    with (
        source.open() as stream,
        io.TextIOWrapper(stream, encoding, errors="replace", newline="") as text,
    ):
        rows = csv.reader(
            text,
            delimiter=_delimiter(source, options),
            quotechar=options.quote or None,
            escapechar=options.escape or None,
            quoting=csv.QUOTE_MINIMAL if options.quote else csv.QUOTE_NONE,
        )
        return next(rows, [])


class _BrokenRows:
    """Rows with too many or too few columns, as the parser reports them, and their numbers."""

    def __init__(self, file: str, header_rows: int) -> None:
        self._file = file
        self._header_rows = header_rows
        self._new: list[Reject] = []
        self._numbers: list[int] = []

    def __call__(self, row: arrow_csv.InvalidRow) -> str:
        line = row.number - self._header_rows
        self._numbers.append(line)
        if row.text.strip():
            reason = f"{row.actual_columns} columns instead of {row.expected_columns}"
            text = row.text[:RECORD_LENGTH]
            self._new.append(Reject(self._file, line, UNPARSABLE, reason, text))
        return "skip"

    def take(self) -> tuple[Reject, ...]:
        """Return the rows reported since the last call."""
        new, self._new = self._new, []
        return tuple(new)

    def lines_after(self, last: int, rows: int) -> npt.NDArray[np.int64]:
        """Return the numbers of the next readable rows, which are those in between."""
        self._numbers = [number for number in self._numbers if number > last]
        candidates = np.arange(last + 1, last + 1 + rows + len(self._numbers), dtype=np.int64)
        return np.setdiff1d(candidates, self._numbers, assume_unique=True)[:rows]


def open_csv(
    handle: pa.NativeFile,
    source: SourceFile,
    headers: Sequence[str],
    wanted: list[str],
    options: FormatOptions,
    broken: Callable[[arrow_csv.InvalidRow], str],
) -> arrow_csv.CSVStreamingReader:
    """Open a reader of text columns.

    Args:
        handle: the opened file.
        source: what is known of it.
        headers: the names of all its columns.
        wanted: the names of the columns to read.
        options: how to read it.
        broken: called for a row with too many or too few columns.
    """
    stream = pa.CompressedInputStream(handle, source.compression) if source.compression else handle
    markers = [""] if options.null_marker is None else ["", options.null_marker]
    return arrow_csv.open_csv(
        stream,
        # Without threads broken rows are numbered; reading runs beside the conversion anyway.
        read_options=arrow_csv.ReadOptions(
            use_threads=False,
            block_size=_BLOCK_BYTES,
            column_names=headers,
            skip_rows_after_names=0 if options.header else 1,
            encoding=options.encoding,
        ),
        parse_options=arrow_csv.ParseOptions(
            delimiter=_delimiter(source, options),
            quote_char=options.quote or False,
            escape_char=options.escape or False,
            newlines_in_values=True,
            ignore_empty_lines=len(headers) > 1,
            invalid_row_handler=broken,
        ),
        convert_options=arrow_csv.ConvertOptions(
            column_types={name: pa.string() for name in wanted},
            include_columns=wanted,
            strings_can_be_null=True,
            null_values=markers,
            check_utf8=False,
        ),
    )


def _blocks(
    file: str,
    reader: arrow_csv.CSVStreamingReader,
    handle: pa.NativeFile,
    columns: dict[str, str],
    broken: _BrokenRows,
    delimiter: str,
) -> Iterator[Block]:
    last = 0
    for batch in reader:
        lines = broken.lines_after(last, batch.num_rows)
        last = int(lines[-1]) if len(lines) else last
        table = pa.Table.from_batches([batch]).rename_columns(list(columns.values()))
        yield _block(file, table, lines, broken.take(), handle.tell(), delimiter)
    rest = broken.take()
    if rest:
        nothing = pa.table({})
        yield Block(file, nothing, np.zeros(0, np.int64), str, rest, handle.tell())


def _block(
    file: str,
    table: pa.Table,
    lines: npt.NDArray[np.int64],
    rejects: tuple[Reject, ...],
    position: int,
    delimiter: str,
) -> Block:
    undecodable = _undecodable(table)
    if undecodable.any():
        reason = "not valid UTF-8"
        bad = tuple(Reject(file, int(n), UNPARSABLE, reason, "") for n in lines[undecodable])
        rejects, lines = rejects + bad, lines[~undecodable]
        table = table.filter(pa.array(~undecodable))
    return Block(file, table, lines, lambda row: _row_text(table, row, delimiter), rejects, position)


def _undecodable(table: pa.Table) -> npt.NDArray[np.bool_]:
    mask = np.zeros(table.num_rows, np.bool_)
    for column in table.columns:
        values = column.cast(pa.binary())
        try:
            values.cast(pa.string())
        except pa.ArrowInvalid:
            mask |= np.array([not _is_utf8(value) for value in values.to_pylist()])
    return mask


def _is_utf8(value: bytes | None) -> bool:
    try:
        (value or b"").decode()
    except UnicodeDecodeError:
        return False
    return True


def _row_text(table: pa.Table, row: int, delimiter: str) -> str:
    line = io.StringIO()
    values = [column[row].as_py() for column in table.columns]
    csv.writer(line, delimiter=delimiter, lineterminator="").writerow(values)
    return line.getvalue()


def _delimiter(source: SourceFile, options: FormatOptions) -> str:
    return options.delimiter or ("\t" if source.kind is FileKind.TSV else ",")
