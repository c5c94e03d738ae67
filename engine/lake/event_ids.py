"""Which rows of a lake file may have an event id: sorted hashes beside the file, found by bisection.

The files are derived: one that is missing, torn or of another field is made again from its lake
file. They lie in ``_eventids/`` of the dataset's table, which Delta readers pass over.
"""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from engine.lake.commits import sync_file
from engine.lake.hashes import Hashes, text_hashes

_FOLDER: Final = "_eventids"
_MAGIC: Final = 0x31534449_4C574159
_HEADER: Final = np.dtype([("magic", "<u8"), ("field", "<u8"), ("ids", "<u8")])

_Places: TypeAlias = npt.NDArray[np.uint32]


def write(file: Path, field: str, ids: pl.Series) -> None:
    """Keep the hashes of a lake file's event ids.

    Args:
        file: the lake file.
        field: dotted path of the event id.
        ids: the file's event ids in the order of its rows, of any scalar type.
    """
    texts = ids.cast(pl.String)
    places = (texts != "").fill_null(False).arg_true()
    hashes = text_hashes(texts.gather(places))
    order = np.argsort(hashes, kind="stable")
    header = np.array([(_MAGIC, _field_hash(field), len(hashes))], _HEADER)
    rows = places.to_numpy().astype(np.uint32)
    _replace(_path_of(file), header.tobytes() + hashes[order].tobytes() + rows[order].tobytes())


def find(file: Path, field: str, wanted: Hashes) -> npt.NDArray[np.int64]:
    """Return the places of a lake file's rows whose event id has a wanted hash, in no order.

    Args:
        file: the lake file.
        field: dotted path of the event id.
        wanted: distinct hashes (``text_hashes``), ascending.
    """
    kept = _read(file, field)
    if kept is None:
        write(file, field, _ids(file, field))
        kept = _read(file, field)
    assert kept is not None  # noqa: S101 - it was written just now
    hashes, places = kept
    if len(hashes) < len(wanted):
        return places[_among(hashes, wanted)].astype(np.int64)
    first, last = np.searchsorted(hashes, wanted), np.searchsorted(hashes, wanted, side="right")
    hits = np.flatnonzero(last > first)
    found = [places[first[hit] : last[hit]] for hit in hits.tolist()]
    return np.concatenate([np.empty(0, np.uint32), *found]).astype(np.int64)


def remove(file: Path) -> None:
    """Remove what is kept of a lake file that goes or is gone."""
    for path in (file.parent / _FOLDER).glob(f"{file.stem}.*"):
        path.unlink()


def _among(hashes: Hashes, wanted: Hashes) -> npt.NDArray[np.bool_]:
    """Return for each hash whether it is wanted."""
    places = np.minimum(np.searchsorted(wanted, hashes), len(wanted) - 1)
    found: npt.NDArray[np.bool_] = wanted[places] == hashes
    return found


def _read(file: Path, field: str) -> tuple[Hashes, _Places] | None:
    """Map the kept hashes and their rows; None unless they are whole and of this field."""
    path = _path_of(file)
    try:
        content = np.memmap(path, np.uint8, mode="r")
    except (FileNotFoundError, ValueError):
        return None
    if len(content) < _HEADER.itemsize:
        return None
    header = content[: _HEADER.itemsize].view(_HEADER)[0]
    ids, body = int(header["ids"]), content[_HEADER.itemsize :]
    if header["magic"] != _MAGIC or header["field"] != _field_hash(field) or len(body) != ids * 12:
        return None
    return body[: ids * 8].view(np.uint64), body[ids * 8 :].view(np.uint32)


def _ids(file: Path, field: str) -> pl.Series:
    first, *rest = field.split(".")
    scanned = pl.scan_parquet(file, glob=False)
    if first not in scanned.collect_schema():
        return pl.Series(dtype=pl.String)
    ids = pl.col(first)
    for name in rest:
        ids = ids.struct.field(name)
    return scanned.select(ids).collect().to_series()


def _path_of(file: Path) -> Path:
    return file.parent / _FOLDER / f"{file.stem}.hashes"


def _field_hash(field: str) -> int:
    return int(text_hashes(pl.Series([field]))[0])


def _replace(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    path.parent.mkdir(exist_ok=True)
    scratch = path.with_suffix(f".{uuid.uuid4().hex[:8]}")
    scratch.write_bytes(content)
    sync_file(scratch)
    scratch.replace(path)
