"""Pieces of a rebuild or a large replay until its commit: slices of rows, safe on the disk once whole.

One that was killed goes on from them, if what its rows follow from is still the same. No
version of the table knows them; right before the one commit they get their names in the table.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from engine.definitions.model import Definitions
from engine.folders import sync_folder, sync_folders
from engine.journeys import runs, store
from engine.journeys.columns import journey_schema
from engine.lake.delta import NewFile

FOLDER: Final = "_rebuild"
"""The folder of a journey table that holds the pieces."""

_BASIS: Final = "basis.json"
_FILES: Final = "files.json"


@dataclass(frozen=True)
class Basis:
    """What the rows of pieces follow from: equal bases, equal rows.

    Attributes:
        datasets: dataset of the connection → version of the lake.
        stitch_log: the version that is read; None if none is.
        recipe: digest of all that is not state, such as definitions and columns.
        journeys: the version that a replay reads; None for a rebuild.
        at: the end of a replay's window, as ISO 8601; None for a rebuild.
    """

    datasets: Mapping[str, int]
    stitch_log: int | None
    recipe: str
    journeys: int | None = None
    at: str | None = None


def recipe(definitions: Definitions, name: str, graph: int | None, *further: object) -> str:
    """Return the digest of what rows of a connection follow from beside state; each wayline has its own.

    Args:
        definitions: the definitions.
        name: the connection.
        graph: version of the identity graph, which counts where the connection asks it.
        further: what else they follow from, as JSON takes it.
    """
    connection, identities = definitions.connections[name], definitions.identities
    facts = [
        _wayline(),
        connection.model_dump_json(),
        *(definitions.datasets[dataset].model_dump_json() for dataset in connection.datasets),
        str(journey_schema(definitions, name)),
        identities.model_dump_json() if identities else None,
        graph if connection.asks_graph else None,
        runs.SLICE_ROWS,
        *further,
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


@cache
def _wayline() -> str:
    return version("wayline")


def prepare(table: Path, basis: Basis) -> None:
    """Make the folder fit for a rebuild: slices of another basis go, and so do half-written ones."""
    if not is_basis(table, basis):
        discard(table)
        (table / FOLDER).mkdir(parents=True)
        _write(table / FOLDER / _BASIS, asdict(basis))
    for folder in (table / FOLDER).glob("*/"):
        if _read(folder / _FILES) is None:
            shutil.rmtree(folder)


def is_basis(table: Path, basis: Basis) -> bool:
    """Return whether the pieces that are there were written on a basis."""
    return _basis(table) == asdict(basis)


def window_end(table: Path) -> datetime | None:
    """Return the end of the window of the replay that left pieces; None if there is none."""
    basis = _basis(table)
    return None if basis is None or basis.get("at") is None else datetime.fromisoformat(basis["at"])


def finished_rows(table: Path, basis: Basis) -> int:
    """Return how many rows of finished slices there are on a basis."""
    if not is_basis(table, basis):
        return 0
    numbers = (int(folder.name) for folder in (table / FOLDER).glob("*/"))
    return sum(file.rows for number in numbers for file in finished(table, number) or ())


def finished(table: Path, number: int) -> list[NewFile] | None:
    """Return the files of a slice, relative to the table; None if it has to be written."""
    entries = _read(_slice(table, number) / _FILES)
    if entries is None:
        return None
    files = [NewFile(**{**entry, "times": entry["times"] and tuple(entry["times"])}) for entry in entries]
    return files if all(_is_whole(table / file.path, file) for file in files) else None


def write(table: Path, number: int, writer: Callable[[Path], list[NewFile]]) -> list[NewFile]:
    """Write a slice; it is finished, and stays so whatever happens, on return.

    Args:
        table: folder of the journey table.
        number: the slice's place among all, from 0.
        writer: writes the slice's files below a folder.

    Returns:
        The files, relative to the table.
    """
    folder = _slice(table, number)
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir()
        inner = folder.relative_to(table).as_posix()
        files = [replace(file, path=f"{inner}/{file.path}") for file in writer(folder)]
        sync_folders(folder)
        _write(folder / _FILES, [asdict(file) for file in files])
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        if not any((table / FOLDER).glob("*/")):
            discard(table)
        raise
    return files


def named(table: Path, sequence: int, files: Sequence[NewFile]) -> list[NewFile]:
    """Give finished files their names in the table, for the commit with this number; return them so.

    The pieces stay as well, as links: the commit, or the world that shows it, may still fail.
    """
    given: list[NewFile] = []
    try:
        for file in files:
            path = store.renumbered("/".join(file.path.split("/")[2:]), sequence)
            (table / path).parent.mkdir(parents=True, exist_ok=True)
            given.append(replace(file, path=path))
            _link(table / file.path, table / path)
    except BaseException:
        for file in given:
            (table / file.path).unlink(missing_ok=True)
        raise
    for folder in {(table / file.path).parent for file in given}:
        sync_folder(folder)
    return given


def discard(table: Path) -> None:
    """Remove all pieces of a rebuild or a replay."""
    folder = table / FOLDER
    if folder.exists():
        # Without its basis, what is left is nothing to go on from, should this be interrupted.
        (folder / _BASIS).unlink(missing_ok=True)
        shutil.rmtree(folder)


def is_current(
    table: Path, datasets: Mapping[str, int], stitch_log: int | None, journeys: int | None
) -> bool:
    """Return whether somebody in this state of the home could go on from the pieces that are there."""
    basis = _basis(table)
    if basis is None or any(datasets.get(name) != version for name, version in basis["datasets"].items()):
        return False
    return basis["stitch_log"] in (None, stitch_log) and basis.get("journeys") in (None, journeys)


def sweep(table: Path, datasets: Mapping[str, int], stitch_log: int | None, journeys: int) -> None:
    """Remove the pieces unless somebody in this state could go on from them."""
    if (table / FOLDER).exists() and not is_current(table, datasets, stitch_log, journeys):
        discard(table)


def _slice(table: Path, number: int) -> Path:
    return table / FOLDER / f"{number:06d}"


def _basis(table: Path) -> dict[str, Any] | None:
    found: dict[str, Any] | None = _read(table / FOLDER / _BASIS)
    return found


def _is_whole(path: Path, file: NewFile) -> bool:
    return path.is_file() and path.stat().st_size == file.size


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        # There are file systems without links; then it cannot be gone on with from here on.
        source.replace(target)


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None


def _write(path: Path, value: object) -> None:
    """Write a file that is there whole or not at all, also after a power cut."""
    partial = path.with_suffix(".partial")
    with partial.open("w", encoding="utf-8") as file:
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)
    sync_folder(path.parent)
