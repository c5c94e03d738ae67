"""What kind of file a name stands for, and the options that a user may give for reading it."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import pyarrow as pa

from engine.errors import InputError


class FileKind(StrEnum):
    """A file format that can be ingested."""

    CSV = "csv"
    TSV = "tsv"
    JSON = "json"
    PARQUET = "parquet"


_KINDS: Final = {
    ".csv": FileKind.CSV,
    ".tsv": FileKind.TSV,
    ".jsonl": FileKind.JSON,
    ".ndjson": FileKind.JSON,
    ".json": FileKind.JSON,
    ".parquet": FileKind.PARQUET,
}
_COMPRESSIONS: Final = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}


@dataclass(frozen=True)
class FormatOptions:
    """How to read the files of a batch; None means what the format usually does.

    Attributes:
        kind: the files' format, if their names do not say.
        header: column names of CSV files that have no header line.
        delimiter: a CSV file's delimiter.
        quote: a CSV file's quote character; empty for none.
        escape: a CSV file's escape character; empty for none.
        null_marker: text that stands for no value in a CSV file, besides a blank.
        encoding: a CSV file's character set.
        ignore_unknown: leave out columns and keys that the schema does not have.
    """

    kind: FileKind | None = None
    header: Sequence[str] | None = None
    delimiter: str | None = None
    quote: str = '"'
    escape: str = ""
    null_marker: str | None = None
    encoding: str = "utf8"
    ignore_unknown: bool = False


@dataclass(frozen=True)
class SourceFile:
    """A file to be read: where it is, what it is and how it is compressed."""

    path: Path
    kind: FileKind
    compression: str | None

    def open(self) -> pa.NativeFile:
        """Open the file for reading its decompressed bytes."""
        return pa.input_stream(str(self.path), compression=self.compression)


@contextmanager
def told_as_input_error(source: SourceFile) -> Iterator[None]:
    """Turn what libraries raise on an unreadable file into an InputError that names it."""
    try:
        yield
    except (pa.ArrowInvalid, OSError, UnicodeError, csv.Error) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{source.path} cannot be read: {reason}") from None


def source_file(path: Path | str, kind: FileKind | None = None) -> SourceFile:
    """Return what is known of a file from its name.

    Args:
        path: the file.
        kind: its format, if the name does not say.

    Raises:
        InputError: there is no such file, it is empty, or its name does not tell its format.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"there is no file {path}")
    if path.stat().st_size == 0:
        raise InputError(f"INGEST-106-400: {path} is empty")
    *_, last = path.suffixes or [""]
    compression = _COMPRESSIONS.get(last)
    suffix = Path(path.stem).suffix if compression else last
    found = kind or _KINDS.get(suffix.lower())
    if found is None:
        known = " ".join(_KINDS)
        raise InputError(f"{path}: the file name does not tell the format", hint=f"Known: {known}.")
    return SourceFile(path, found, compression)
