"""What the records of batches say of links between identities: evidence, which goes when its batch goes.

A batch's evidence follows from its live rows and the settings alone, so what was said before a change of
the lake can be worked out again from the files that left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Final

import polars as pl

from engine.definitions.model import DatasetDefinition, Definitions
from engine.lake import table as lake
from engine.lake.identities import record_identities, rules_of
from engine.lake.rows import in_microseconds, lake_rows, leaf
from engine.lake.schema import ROW
from engine.lake.table import LakeFile
from engine.world import Home, World
from stitching.graph import LINKS, Rules, links_of

EVIDENCE: Final = pl.Schema({**LINKS, "dataset": pl.String(), "batch": pl.Int64()})
"""A link as the records of one batch show it: ``first`` and ``last`` are times in µs; ``batch`` a number."""
ENDS: Final = ("namespace_a", "value_a", "namespace_b", "value_b")
"""The two identities of a link, ``a`` the one of higher priority."""
KEY: Final = (*ENDS, "dataset", "batch")
"""What tells evidence apart."""

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class _Batch:
    """Live files of one batch."""

    dataset: str
    number: int
    files: tuple[LakeFile, ...]


def graph_rules(definitions: Definitions) -> Rules:
    """Return what keeps persons apart in a home that has an identity graph."""
    settings = definitions.identities
    assert settings is not None  # noqa: S101 - asked only where there is a graph
    types = definitions.namespace_types()
    return Rules(settings.priority, frozenset(settings.unique), types, settings.limit)


def everything(
    home: Home, definitions: Definitions, datasets: Mapping[str, int], progress: Progress | None = None
) -> pl.DataFrame:
    """Return the evidence (``EVIDENCE``) of all batches that dataset versions show."""
    batches = [
        batch
        for name in definitions.feeders()
        for batch in _batches(name, lake.files(home.dataset_path(name), datasets[name]))
    ]
    return _of(home, definitions, batches, progress)


def changes(
    home: Home, world: World, datasets: Mapping[str, int], progress: Progress | None = None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the evidence that goes and the evidence that comes between a world and newer versions.

    Args:
        home: the home.
        world: the newest published world.
        datasets: changed datasets and their versions.
        progress: told (phase, done, total).
    """
    before: list[_Batch] = []
    after: list[_Batch] = []
    for name in world.definitions.feeders().keys() & datasets.keys():
        path = home.dataset_path(name)
        old, new = lake.files(path, world.datasets[name]), lake.files(path, datasets[name])
        touched = {file.batch for file in {*old} ^ {*new}}
        before += _batches(name, [file for file in old if file.batch in touched])
        after += _batches(name, [file for file in new if file.batch in touched])
    gone = _of(home, world.definitions, before, progress)
    come = _of(home, world.definitions, after, progress)
    same = list(EVIDENCE)
    return gone.join(come, on=same, how="anti"), come.join(gone, on=same, how="anti")


def identities_of(evidence: pl.DataFrame) -> pl.DataFrame:
    """Return the distinct identities that links join: ``namespace, value``."""
    ends = [evidence.select(namespace=f"namespace_{end}", value=f"value_{end}") for end in "ab"]
    return pl.concat(ends).unique()


def _batches(dataset: str, files: Sequence[LakeFile]) -> Iterator[_Batch]:
    for number, found in groupby(files, _number):
        yield _Batch(dataset, number, tuple(found))


def _number(file: LakeFile) -> int:
    return int(Path(file.path).name.split("-")[0])


def _of(
    home: Home, definitions: Definitions, batches: Sequence[_Batch], progress: Progress | None
) -> pl.DataFrame:
    arrivals = {
        (record.dataset, record.number): record.started_at
        for name in {batch.dataset for batch in batches}
        for record in home.catalog.batches(name)
    }
    found = [pl.DataFrame(schema=EVIDENCE)]
    for done, batch in enumerate(batches, start=1):
        found.append(_links(definitions, batch, arrivals[batch.dataset, batch.number]))
        if progress is not None:
            progress("linking identities", done, len(batches))
    return pl.concat(found)


def _links(definitions: Definitions, batch: _Batch, arrival: datetime) -> pl.DataFrame:
    dataset = definitions.datasets[batch.dataset]
    records = pl.concat(_records(definitions, dataset, file, arrival) for file in batch.files)
    links = links_of(records, graph_rules(definitions))
    origin = {"dataset": pl.lit(batch.dataset), "batch": pl.lit(batch.number, pl.Int64)}
    return links.with_columns(**origin).select(list(EVIDENCE))


def _records(
    definitions: Definitions, dataset: DatasetDefinition, file: LakeFile, arrival: datetime
) -> pl.DataFrame:
    """Return the identities of a file's records as ``links_of`` takes them.

    Records without a time have that of the batch's arrival.
    """
    paths = [*dataset.identity_fields(), *([dataset.timestamp] if dataset.timestamp else [])]
    rows = lake_rows([file], dataset).select(ROW, *dict.fromkeys(path.split(".")[0] for path in paths))
    found = record_identities(dataset, rows, rules_of(definitions))
    moment = in_microseconds(leaf(dataset.timestamp)) if dataset.timestamp else pl.lit(None, pl.Int64)
    times = rows.select(ROW, time=moment.fill_null(in_microseconds(pl.lit(arrival)))).collect()
    timed = found.join(times, on=ROW, how="left")
    return timed.select(pl.col(ROW).alias("record"), "time", "namespace", "value")
