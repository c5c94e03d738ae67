"""Rows that are found by a hash, in files sorted by it; of a key's rows only the newest commit's count.

Few files, by size in tiers: a commit takes in the files before it that are no larger than what it
brings, so a row is rewritten a few times at most and a look-up opens a few files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from engine.lake import delta
from engine.lake.hashes import text_hashes
from engine.lake.opened import file_actions
from stitching.names import NOBODY, LookUp, Names, nobody

HASH: Final = "hash"
"""The column of every such file that rows are found by."""
SEQUENCE: Final = "sequence"
"""The number of the commit that wrote a row; in no file, but read from its name."""

_GROUP: Final = 1 << 16
_FEW: Final = 8


@dataclass(frozen=True)
class KeyedFile:
    """A file of such rows.

    Attributes:
        path: relative to the table.
    """

    path: str
    rows: int


@lru_cache(maxsize=64)
def files(table: Path, version: int, folder: str = "") -> tuple[KeyedFile, ...]:
    """Return the files of a version in a folder of the table, in the order of commits."""
    actions = file_actions(table, version)
    found = map(KeyedFile, actions["path"].to_pylist(), actions["num_records"].to_pylist())
    inside = [file for file in found if file.path.rpartition("/")[0] == folder]
    return tuple(sorted(inside, key=lambda file: file.path))


def hashes(texts: pl.Series) -> pl.Series:
    """Return the hashes of texts without nulls, as files hold them."""
    return pl.Series(HASH, text_hashes(texts).view(np.int64))


def find(
    table: Path,
    sources: Sequence[KeyedFile],
    key: Sequence[str],
    columns: Sequence[str],
    *,
    asked: pl.Series | None = None,
    where: pl.Expr | None = None,
) -> pl.DataFrame:
    """Return the newest rows, of whatever order.

    Args:
        table: folder of the table.
        sources: at least one file.
        key: the columns that tell rows apart beside their hash.
        columns: the columns to return.
        asked: hashes of the rows wanted; None is all. Others whose hash is equal come with them.
        where: what else holds of the rows wanted; of the key alone.
    """
    rows = scan(table, sources)
    rows = rows if where is None else rows.filter(where)
    rows = rows.select(list(dict.fromkeys([HASH, *key, *columns, SEQUENCE])))
    if asked is None:
        return newest(rows.collect(), key).select(columns)
    wanted = pl.col(HASH).is_in(asked.implode())
    found = rows.filter(wanted).collect() if few(sources, len(asked)) else rows.collect().filter(wanted)
    return newest(found, key).select(columns)


def few(sources: Sequence[KeyedFile], asked: int) -> bool:
    """Return whether to look for so many hashes while reading: for many that costs more than reading all."""
    return asked * _FEW < sum(file.rows for file in sources)


def look_up(
    table: Path,
    sources: Sequence[KeyedFile],
    *,
    text: str,
    answer: pl.Expr,
    hashed: Callable[[pl.Series], pl.Series],
    where: pl.Expr,
    ahead: int = 0,
) -> LookUp:
    """Return what answers from rows: of each text asked, what its newest row says.

    Args:
        table: folder of the table.
        sources: files of it, or none.
        text: the column that holds the texts.
        answer: a string or null, for each row; of a text's rows of one commit at most one has an answer.
        hashed: returns the hashes of texts without nulls, as the files hold them.
        where: what holds of the rows that count.
        ahead: files that together have no more rows than this are read now, others once something is asked.
    """
    if not sources:
        return nobody
    rows = scan(table, sources).filter(where)
    told = (SEQUENCE, pl.col(text).alias("text"), answer.alias("answer"))
    if sum(file.rows for file in sources) <= ahead:
        return partial(answers, rows.select(told).collect())

    def ask(asked: pl.Series) -> pl.Series:
        if not few(sources, len(asked)):
            return answers(rows.select(told).collect(), asked)
        wanted = pl.col(HASH).is_in(hashed(asked.drop_nulls()).implode())
        return answers(rows.filter(wanted).select(told).collect(), asked)

    return ask


def answers(rows: pl.DataFrame, asked: pl.Series) -> pl.Series:
    """Return what rows say of texts: N strings or nulls, in their order. O(rows + N).

    Args:
        rows: ``text`` and ``answer``, strings or null, and ``SEQUENCE``, in the order of commits. Of a text's
            rows only the newest commit's count; of these at most one has an answer.
        asked: N strings or nulls, as often as they please.
    """
    names = Names()
    places = names.number(asked)
    codes = names.find(rows["text"])
    hits = np.flatnonzero(codes != NOBODY)
    codes, sequences = codes[hits], rows[SEQUENCE].gather(hits).to_numpy()
    # Of several that are written to one place the last one stays: the newest.
    latest = np.zeros(len(names), np.int64)
    latest[codes] = sequences
    told = (sequences == latest[codes]) & rows["answer"].is_not_null().gather(hits).to_numpy()
    # The code of nobody is that of the last place.
    row = np.full(len(names) + 1, NOBODY, np.int64)
    row[codes[told]] = hits[told]
    found = pl.Series(row[places])
    return rows["answer"].gather(found.set(found == NOBODY, None))


def taken_in(
    table: Path, sources: Sequence[KeyedFile], rows: pl.DataFrame, key: Sequence[str], sequence: int
) -> tuple[pl.DataFrame, list[KeyedFile]]:
    """Return what the next commit has to write, and the newest files that it takes in.

    Args:
        table: folder of the table.
        sources: the files before the commit.
        rows: at least one row that is new.
        key: the columns that tell rows apart beside their hash.
        sequence: number of the commit.
    """
    merged = _tier(sources, rows.height)
    if not merged:
        return rows, []
    fresh = rows.with_columns(pl.lit(sequence, pl.Int64).alias(SEQUENCE))
    both = pl.concat([scan(table, merged).collect(), fresh])
    return newest(both, key).select(rows.columns), merged


def write(table: Path, folder: str, sequence: int, rows: pl.DataFrame, order: Sequence[str]) -> delta.NewFile:
    """Write rows, sorted by columns, for the commit with this number."""
    name = f"{delta.unique_name(sequence)}.parquet"
    path = f"{folder}/{name}" if folder else name
    return delta.write_file(table, path, rows.sort(order), group=_GROUP)


def scan(table: Path, sources: Iterable[KeyedFile]) -> pl.LazyFrame:
    """Return the rows of files, of which there is at least one, with ``SEQUENCE``."""
    frames = [
        pl.scan_parquet(table / file.path, glob=False).with_columns(
            pl.lit(delta.sequence_of(file.path), pl.Int64).alias(SEQUENCE)
        )
        for file in sources
    ]
    return pl.concat(frames)


def newest(rows: pl.DataFrame, key: Sequence[str]) -> pl.DataFrame:
    """Leave out the rows of keys of which a later commit wrote others."""
    if rows[SEQUENCE].n_unique() < 2:
        return rows
    latest = pl.col(SEQUENCE) == pl.col(SEQUENCE).max().over(HASH)
    kept, older = rows.filter(latest), rows.filter(~latest)
    # Hashes are compared first, which is fast; keys that share one by chance must not hide each other.
    other = older.join(kept, on=list(key), how="anti", nulls_equal=True)
    return pl.concat([kept, newest(other, key)]) if other.height else kept


def _tier(sources: Sequence[KeyedFile], rows: int) -> list[KeyedFile]:
    """Return the newest files, in the order of commits, that a commit of so many rows takes in."""
    taken: list[KeyedFile] = []
    for file in reversed(sources):
        if file.rows > rows:
            break
        rows += file.rows
        taken.append(file)
    return taken[::-1]
