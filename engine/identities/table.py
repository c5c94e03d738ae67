"""The table of the identity graph: identities, links with their evidence, and what graphs answer.

Three kinds of rows, each in files of its own: an identity says its component and its graph; a component
has its links with the evidence of each; a graph has its lexically first value of each namespace. All that
is said of an identity, a component or a graph is written at once, and the newest commit that did counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl
import pyarrow as pa

from engine.lake import delta, keyed
from stitching.identity import joined
from stitching.names import LookUp

SCHEMA: Final = pa.schema(
    [
        pa.field("hash", pa.int64()),
        *(pa.field(name, pa.string()) for name in ("namespace", "value", "component", "graph")),
        *(pa.field(name, pa.string()) for name in ("namespace_a", "value_a", "namespace_b", "value_b")),
        *(pa.field(name, pa.int64()) for name in ("first", "last", "records")),
        pa.field("dataset", pa.string()),
        pa.field("batch", pa.int64()),
        *(pa.field(name, pa.string()) for name in ("state", "because", "because_a", "because_b")),
    ]
)
"""All columns; a file has those of its kind."""

_TEXT, _NUMBER = pl.String(), pl.Int64()

IDENTITIES: Final = pl.Schema(dict.fromkeys(("namespace", "value", "component", "graph"), _TEXT))
"""Which component an identity is in, and which graph if any; null in all of them once it is in none."""
LINKS: Final = pl.Schema(
    {
        **dict.fromkeys(("component", "namespace_a", "value_a", "namespace_b", "value_b"), _TEXT),
        **dict.fromkeys(("first", "last", "records"), _NUMBER),
        "dataset": _TEXT,
        "batch": _NUMBER,
        **dict.fromkeys(("state", "because", "because_a", "because_b", "graph"), _TEXT),
    }
)
"""The evidence of a component's links, with what became of each link and the graph that it holds together."""
FIRSTS: Final = pl.Schema(dict.fromkeys(("graph", "namespace", "value"), _TEXT))
"""The lexically first value of a namespace in a graph."""


@dataclass(frozen=True)
class _Kind:
    """A kind of rows.

    Attributes:
        folder: of the table, with its files.
        key: columns that tell what a row says something of.
        told: a column that is null where nothing is said any more.
    """

    folder: str
    schema: pl.Schema
    key: tuple[str, ...]
    told: str


_IDENTITIES: Final = _Kind("members", IDENTITIES, ("namespace", "value"), "component")
_LINKS: Final = _Kind("links", LINKS, ("component",), "namespace_a")
_FIRSTS: Final = _Kind("firsts", FIRSTS, ("graph",), "namespace")


@dataclass(frozen=True)
class Content:
    """All that is to be said of some identities, components and graphs.

    Attributes:
        identities: as ``IDENTITIES``; ``component`` is null where nothing is said any more.
        links: as ``LINKS``; ``namespace_a`` is null likewise.
        firsts: as ``FIRSTS``; ``namespace`` is null likewise.
    """

    identities: pl.DataFrame
    links: pl.DataFrame
    firsts: pl.DataFrame


def identities(table: Path, version: int, asked: pl.DataFrame) -> pl.DataFrame:
    """Return the identities (``IDENTITIES``) among ``namespace, value`` that are in a component."""
    found = _find(table, version, _IDENTITIES, _hashes(_IDENTITIES, asked))
    return found.join(asked, on=["namespace", "value"], how="semi")


def links(table: Path, version: int, components: pl.Series) -> pl.DataFrame:
    """Return the links (``LINKS``) of components."""
    asked = components.unique().to_frame("component")
    return _find(table, version, _LINKS, _hashes(_LINKS, asked)).join(asked, on="component", how="semi")


def persons(table: Path, version: int, namespace: str, wanted: str, *, ahead: int = 0) -> LookUp:
    """Return what tells the lexically first value of a namespace in the graph of each of N identities.

    Args:
        table: folder of the table.
        version: its version.
        namespace: the namespace of the identities.
        wanted: that of the answers.
        ahead: as of ``keyed.look_up``.
    """
    graph = keyed.look_up(
        table,
        keyed.files(table, version, _IDENTITIES.folder),
        text="value",
        answer=pl.col("graph"),
        hashed=lambda values: _hashes(_IDENTITIES, pl.DataFrame({"namespace": namespace, "value": values})),
        where=pl.col("namespace") == namespace,
        ahead=ahead,
    )
    first = keyed.look_up(
        table,
        keyed.files(table, version, _FIRSTS.folder),
        text="graph",
        answer=pl.when(pl.col("namespace") == wanted).then("value"),
        hashed=keyed.hashes,
        where=pl.lit(True),
        ahead=ahead,
    )
    return lambda values: first(graph(values))


def values(table: Path, version: int, namespace: str) -> pl.Series:
    """Return all values of a namespace that are in a component."""
    found = _find(table, version, _IDENTITIES, None)
    return found.filter(pl.col("namespace") == namespace)["value"]


def linked(table: Path, version: int, namespace: str) -> pl.DataFrame:
    """Return every link with an identity of a namespace, also those that are in no graph.

    Returns:
        ``value`` of that identity, ``other_namespace`` and ``other`` of the other one; each pair once.
    """
    found = _find(table, version, _LINKS, None)
    sides = [
        found.filter(pl.col(f"namespace_{own}") == namespace).select(
            value=f"value_{own}", other_namespace=f"namespace_{other}", other=f"value_{other}"
        )
        for own, other in ("ab", "ba")
    ]
    return pl.concat(sides).unique()


def content(table: Path, version: int) -> Content:
    """Return everything that a version says."""
    return Content(*(_find(table, version, kind, None) for kind in (_IDENTITIES, _LINKS, _FIRSTS)))


def commit(table: Path, version: int, changed: Content) -> int:
    """Commit what changed; return the new version, or the old one if nothing did.

    Raises:
        HomeError: somebody else wrote to the table.
    """
    written: list[delta.NewFile] = []
    removed: list[str] = []
    for kind, rows in _kinds(changed):
        if rows.height:
            sources = keyed.files(table, version, kind.folder)
            rows, taken = keyed.taken_in(table, sources, _hashed(kind, rows), kind.key, version + 1)
            if len(taken) == len(sources):
                rows = rows.filter(pl.col(kind.told).is_not_null())
            written += _written(table, version + 1, kind, rows)
            removed += [file.path for file in taken]
    return delta.commit(table, version, written, removed) if written or removed else version


def tidied(table: Path, version: int) -> int:
    """Commit the table anew with what a version says and no more; return the new version.

    Files of before, which also hold what was said of identities that are gone, are needed by older
    versions only.
    """
    whole = content(table, version)
    return delta.overwrite(table, version, SCHEMA, _whole(table, version + 1, whole))


def overwrite(table: Path, whole: Content) -> int:
    """Make the table anew, whatever it held, in one commit; return its version."""
    version = delta.create(table, SCHEMA, "batch")
    delta.sweep(table, version)
    return delta.overwrite(table, version, SCHEMA, _whole(table, version + 1, whole))


def _whole(table: Path, sequence: int, told: Content) -> list[delta.NewFile]:
    return [
        file for kind, rows in _kinds(told) for file in _written(table, sequence, kind, _hashed(kind, rows))
    ]


def _kinds(told: Content) -> list[tuple[_Kind, pl.DataFrame]]:
    return [(_IDENTITIES, told.identities), (_LINKS, told.links), (_FIRSTS, told.firsts)]


def _written(table: Path, sequence: int, kind: _Kind, rows: pl.DataFrame) -> list[delta.NewFile]:
    return [keyed.write(table, kind.folder, sequence, rows, [keyed.HASH])] if rows.height else []


def _find(table: Path, version: int, kind: _Kind, asked: pl.Series | None) -> pl.DataFrame:
    sources = keyed.files(table, version, kind.folder)
    if not sources or (asked is not None and not len(asked)):
        return pl.DataFrame(schema=kind.schema)
    found = keyed.find(table, sources, kind.key, list(kind.schema), asked=asked)
    return found.filter(pl.col(kind.told).is_not_null())


def _hashed(kind: _Kind, rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(_hashes(kind, rows), *kind.schema)


def _hashes(kind: _Kind, rows: pl.DataFrame) -> pl.Series:
    text = joined(*map(pl.col, kind.key)) if len(kind.key) > 1 else pl.col(kind.key[0])
    return keyed.hashes(rows.select(text.alias("text"))["text"])
