"""The proof that an identity is gone: every cell of every table, every text of the catalog, every byte.

Tables are decoded, old files and those of the Delta logs included, so that no encoding hides a value.
Short values occur in compressed bytes by chance; they are looked for in cells, and in quotes elsewhere.
"""

from __future__ import annotations

import json
import mmap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from shlex import quote
from typing import Final, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from sqlalchemy import func, select

from engine.catalog import privacy, tables
from engine.governance.scrub import finds, is_structure, texts
from engine.governance.words import LONG, Words, spellings, words_of
from engine.lake import delta
from engine.lake.log import needed_files
from engine.tables import Kind, Table, on_disk
from engine.world import Home, World
from stitching.identity import BETWEEN

Progress: TypeAlias = Callable[[str, int, int], None]
"""Told (phase, files done, files in all)."""

_CATALOG: Final = "catalog.db"
_ROWS: Final = 1 << 17
_ACCESS_REMEDIES: Final = {
    "users": "wayline user remove",
    "memberships": "wayline user remove",
    "credentials": "wayline user remove",
    "roles": "wayline role remove",
    "grants": "wayline grant with a rule that does not name it",
}


@dataclass(frozen=True)
class Trace:
    """Where an identity still is.

    Attributes:
        place: a file, relative to the home; of the catalog with table and column.
        what: what holds it there, such as ``3 cells of login.customer``.
        remedy: what takes it away.
    """

    place: str
    what: str
    remedy: str


@dataclass(frozen=True)
class Proof:
    """What a search for an identity found.

    Attributes:
        deleted: when it was deleted, if it was, last.
        traces: where it still is; none proves its absence.
        files: number of files that were searched.
        bytes: how many bytes they have.
        raw: whether their bytes were searched as well; values of a few characters occur by chance.
    """

    deleted: datetime | None
    traces: tuple[Trace, ...]
    files: int
    bytes: int
    raw: bool


@dataclass(frozen=True)
class _Search:
    """What is looked for, and where files belong."""

    home: Home
    world: World
    namespace: str
    value: str
    words: Words
    live: frozenset[Path]
    tables: tuple[Table, ...]

    @property
    def delete(self) -> str:
        """The command that deletes the identity."""
        return _deletion(self.namespace, self.value)


def prove(home: Home, namespace: str, value: str, progress: Progress | None = None) -> Proof:
    """Search a home for an identity, in whatever field or file its value stands.

    Args:
        home: the home.
        namespace: code of the identity's namespace.
        value: the identity, exactly as records have it.
        progress: told (phase, files done, files in all).
    """
    with home.pin() as world:
        search = _search(home, world, namespace, value)
        files = [path for path in sorted(home.root.rglob("*")) if path.is_file()]
        traces, size = list(_in_catalog(search)), 0
        for done, path in enumerate(files, start=1):
            found, bytes_read = _in_file(search, path)
            if not (path.name.startswith(_CATALOG) and traces):
                traces += found
            size += bytes_read
            if progress is not None:
                progress("searching", done, len(files))
    return Proof(_deleted(search), tuple(traces), len(files), size, len(value) >= LONG)


def _search(home: Home, world: World, namespace: str, value: str) -> _Search:
    found = tuple(on_disk(home))
    live = {
        table.path / name
        for table in found
        if (table.path / "_delta_log").is_dir()
        for name in needed_files(table.path, [delta.latest_version(table.path)])
    }
    return _Search(home, world, namespace, value, words_of([value]), frozenset(live), found)


def _deleted(search: _Search) -> datetime | None:
    salt = privacy.salt(search.home.catalog)
    wanted = privacy.digest(privacy.prefix(salt, search.namespace), search.value)
    stones = [stone.request for stone in privacy.tombstones(search.home.catalog) if stone.digest == wanted]
    moments = {request.id: request.finished_at for request in privacy.requests(search.home.catalog)}
    return moments[stones[-1]] if stones else None


def _in_catalog(search: _Search) -> Iterator[Trace]:
    """Yield what tables of the catalog say."""
    with search.home.catalog.reading() as connection:
        newest = connection.execute(select(func.max(tables.definitions.c.revision))).scalar()
        for table in tables.metadata.sorted_tables:
            for column in texts(table):
                if is_structure(column) and len(search.value) < LONG and column.name != "document":
                    continue
                keys = list(table.primary_key.columns)
                rows = connection.execute(select(column.label("text"), keys[0].label("key"))).all()
                held = [row.key for row in rows if finds(search.words, column.name, _text(row.text))]
                if held:
                    what = f"{len(held)} rows of {table.name}.{column.name}"
                    yield Trace(_CATALOG, what, _catalog_remedy(search, table.name, newest in held))


def _catalog_remedy(search: _Search, table: str, newest: bool) -> str:
    if table == "definitions" and newest:
        return "take it out of the project file and apply that"
    return _ACCESS_REMEDIES.get(table, search.delete)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _in_file(search: _Search, path: Path) -> tuple[list[Trace], int]:
    """Return what a file holds, and its size; one that is removed meanwhile holds nothing."""
    place = path.relative_to(search.home.root).as_posix()
    try:
        size = path.stat().st_size
        cells = list(_cells(path, search.value)) if path.suffix == ".parquet" and size else []
        if cells:
            named = [
                Trace(
                    place,
                    f"{count} cell{'' if count == 1 else 's'} of {column}",
                    _remedy(search, path, column),
                )
                for column, count in cells
            ]
            return named, size
        if size and _has_bytes(path, search.value):
            return [Trace(place, "bytes of the file", _remedy(search, path, None))], size
    except FileNotFoundError:
        return [], 0
    return [], size


def _cells(path: Path, value: str) -> Iterator[tuple[str, int]]:
    """Yield each text column of a Parquet file that holds a value, and in how many cells."""
    with pq.ParquetFile(path) as opened:
        columns = [opened.schema.column(index) for index in range(len(opened.schema))]
        for column in columns:
            if column.physical_type != "BYTE_ARRAY":
                continue
            batches = opened.iter_batches(_ROWS, columns=[column.path])
            count = sum(_count(array, value) for batch in batches for array in batch.columns)
            if count:
                yield column.path.replace(".list.element", ""), count


def _count(array: pa.Array, value: str) -> int:
    """Return how many texts in an array, however nested, are a value, or hold it if it is long."""
    kind = array.type
    if pa.types.is_map(kind):
        return _count(array.keys, value) + _count(array.items, value)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _count(array.flatten(), value)
    if pa.types.is_struct(kind):
        return sum(_count(inner, value) for inner in array.flatten())
    if pa.types.is_dictionary(kind):
        return _count(array.dictionary_decode(), value)
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return 0
    if len(value) >= LONG:
        held = pc.match_substring(array, value)
    else:
        held = pc.or_(pc.equal(array, value), pc.ends_with(array, f"{BETWEEN}{value}"))
    return int(pc.sum(held).as_py() or 0)


def _has_bytes(path: Path, value: str) -> bool:
    wanted = spellings(value)
    if len(value) < LONG:
        if path.suffix != ".json":
            return False
        wanted = {f'"{text}"' for text in wanted}
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return any(content.find(text.encode()) >= 0 for text in wanted)


def _remedy(search: _Search, path: Path, column: str | None) -> str:
    """Say what takes an identity out of a file."""
    table = next((table for table in search.tables if path.is_relative_to(table.path)), None)
    if path.name.startswith(_CATALOG):
        return "wayline vacuum, when nobody else has the home open"
    if table is None or "_delta_log" in path.parts:
        return "nothing of wayline writes it there: remove it by hand"
    if path not in search.live:
        return "wayline vacuum, when nobody reads an older world"
    if table.kind is Kind.DATASET and column is not None:
        return _field_remedy(search, table.name, column)
    return search.delete


def _deletion(namespace: str, value: str) -> str:
    """Return the command that deletes an identity, as a shell takes it."""
    return f"wayline privacy delete {quote(f'{namespace}:{value}')}"


def _field_remedy(search: _Search, dataset: str, column: str) -> str:
    field = search.world.definitions.datasets[dataset]
    try:
        label = field.field(column).identity
    except ValueError:
        # A part of an identity map.
        return search.delete
    if label == search.namespace:
        return search.delete
    if label is not None:
        return _deletion(label, search.value)
    return f"give {column} of {dataset} identity: {search.namespace}, apply that, and delete again"
