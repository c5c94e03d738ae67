"""Matches the columns of a flat file to a schema's fields, and says at once what cannot match."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from engine.definitions.model import DatasetDefinition
from engine.errors import InputError, did_you_mean


def field_name(header: str) -> str:
    """Return the field name that a column header stands for: no character that Parquet refuses."""
    return re.sub(r'[\s,;{}()="]+', "_", header.strip())


def match_columns(
    file: str, headers: Sequence[str], dataset: DatasetDefinition, *, ignore_unknown: bool
) -> dict[str, str]:
    """Return header → dotted field path of the columns to read.

    Raises:
        InputError: a header is blank or repeated, unknown (unless ignored), or names an array; or a
            field that every record needs has no column.
    """
    _check_headers(file, headers)
    leaves = dataset.leaves()
    by_name = {field_name(path): path for path in leaves}
    found = {header: by_name.get(field_name(header)) for header in headers}
    for header, path in found.items():
        if path is None and not ignore_unknown:
            raise unknown_column(file, header, dataset)
        if path is not None and leaves[path].type == "array":
            message = f'{file}: column "{header}" is an array, which a flat file cannot hold'
            raise InputError(message, hint="Use JSON lines or Parquet.")
    columns = {header: path for header, path in found.items() if path is not None}
    check_distinct(file, columns.values())
    check_needed(file, set(columns.values()), headers, dataset)
    return columns


def check_needed(
    file: str, paths: Collection[str], headers: Sequence[str], dataset: DatasetDefinition
) -> None:
    """Check that the fields that every record needs are there.

    Raises:
        InputError: one of them is not.
    """
    for path in needed_fields(dataset):
        if path not in paths:
            message = f'{file}: there is no column for "{path}", which every record needs'
            raise InputError(message, hint=did_you_mean(path, headers))


def needed_fields(dataset: DatasetDefinition) -> list[str]:
    """Return the paths that a file must have: timestamp, event id, key, and required fields."""
    special = [dataset.timestamp, dataset.event_id, dataset.key]
    required = [path for path, field in dataset.leaves().items() if field.required]
    return list(dict.fromkeys([path for path in special if path is not None] + required))


def _check_headers(file: str, headers: Sequence[str]) -> None:
    for number, header in enumerate(headers, 1):
        if not header.strip():
            raise InputError(f"INGEST-118-400: {file}: column {number} has no header")
    name, count = Counter(headers).most_common(1)[0] if headers else ("", 0)
    if count != 1:
        raise InputError(f'{file}: column "{name}" appears {count} times in the header')


def check_distinct(file: str, paths: Iterable[str]) -> None:
    """Check that no two columns stand for the same field.

    Raises:
        InputError: two do.
    """
    for path, count in Counter(paths).items():
        if count > 1:
            raise InputError(f'{file}: {count} columns stand for the field "{path}"')


def unknown_column(file: str, column: str, dataset: DatasetDefinition) -> InputError:
    """Return the error for a column that the schema does not have."""
    hint = did_you_mean(column, dataset.leaves()) or ""
    return InputError(
        f'{file}: column "{column}" is not in the schema',
        hint=f"{hint} Or leave such columns out with --ignore-unknown.".strip(),
    )
