"""Reads rows of a connection's datasets from the lake and says which of them can be taken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from engine.definitions.model import (
    ConnectionDatasetDefinition,
    DatasetDefinition,
    Definitions,
    StitchingDefinition,
)
from engine.errors import DefinitionError, did_you_mean
from engine.journeys.columns import (
    DATASET,
    EVENT_ID,
    NAMESPACE,
    PERSON,
    TIME,
    connection_of,
)
from engine.journeys.digests import content_digests
from engine.lake.leaves import leaf_frame
from engine.lake.rows import in_microseconds, lake_rows
from engine.lake.table import ROW, LakeFile

EARLIEST: Final = -2_208_988_800_000_000
"""1900-01-01 in microseconds: earlier events are not taken."""
NO_PERSON: Final = "Empty visitor ID"
"""Why a row without person and device is skipped."""
NO_TIME: Final = "No timestamp, or before 1900"
"""Why a row without a usable time is skipped."""

IDENTITIES: Final = pl.Schema(
    {
        "row": pl.Int64,
        "time": pl.Int64,
        "event_id": pl.String,
        "device": pl.String,
        "person": pl.String,
    }
)
"""What a row is before it belongs to a person; ``event_id`` is NULL where the row has none."""


@dataclass(frozen=True)
class Member:
    """A dataset in its connection.

    Attributes:
        index: place in the connection, from 0.
    """

    index: int
    name: str
    dataset: DatasetDefinition
    part: ConnectionDatasetDefinition

    @property
    def stitching(self) -> StitchingDefinition | None:
        """How the dataset is stitched, if it is."""
        return self.part.stitching

    @property
    def person_path(self) -> str:
        """The field that carries the person."""
        return self.stitching.person_id if self.stitching else str(self.part.person_id)

    @property
    def device_path(self) -> str | None:
        """The field that carries the device; None without stitching."""
        return self.stitching.persistent_id if self.stitching else None

    def namespace(self, path: str) -> str:
        """Return the identity namespace of a field; without one, the field's own path."""
        return self.dataset.field(path).identity or path


def members(definitions: Definitions, name: str) -> tuple[Member, ...]:
    """Return the datasets of a connection in their order.

    Raises:
        UnknownNameError: there is no such connection.
        DefinitionError: it refers to a dataset or field that is not there or does not fit.
    """
    parts = connection_of(definitions, name).datasets
    return tuple(
        Member(index, dataset, _event_dataset(definitions, name, dataset), part)
        for index, (dataset, part) in enumerate(parts.items())
    )


def check(definitions: Definitions, name: str) -> None:
    """Raise DefinitionError if a person or device field of a connection cannot be used."""
    for member in members(definitions, name):
        leaves = member.dataset.leaves()
        for path in filter(None, (member.person_path, member.device_path)):
            if path not in leaves or leaves[path].type == "array":
                raise DefinitionError(
                    f'connection "{name}": dataset "{member.name}" has no scalar field "{path}"',
                    hint=did_you_mean(path, leaves),
                )


def leaf(path: str) -> pl.Expr:
    """Return the expression that reads a dotted path from nested rows."""
    first, *rest = path.split(".")
    expression = pl.col(first)
    for name in rest:
        expression = expression.struct.field(name)
    return expression


def identities(member: Member, rows: pl.LazyFrame, leaf: Callable[[str], pl.Expr] = leaf) -> pl.LazyFrame:
    """Return the identity columns (``IDENTITIES``) of lake rows; a blank is NULL.

    Args:
        member: the dataset in its connection.
        rows: its rows.
        leaf: how a dotted path is read from them; default: they are nested.
    """

    def text(path: str | None) -> pl.Expr:
        return pl.lit(None, pl.String) if path is None else _unblank(leaf(path))

    return rows.select(
        row=pl.col(ROW),
        time=in_microseconds(leaf(str(member.dataset.timestamp))),
        event_id=text(member.dataset.event_id),
        device=text(member.device_path),
        person=text(member.person_path),
    )


def identities_of(member: Member, files: Sequence[LakeFile]) -> pl.DataFrame:
    """Return the identity columns of all rows of lake files; nothing else is decoded."""
    dataset = member.dataset
    paths = {str(dataset.timestamp), dataset.event_id, member.device_path, member.person_path}
    rows = leaf_rows(dataset, files, sorted(filter(None, paths)), None)
    return identities(member, rows.lazy(), pl.col).collect()


def admissible() -> pl.Expr:
    """Return the condition on identity columns under which a row is taken."""
    return _timed() & _named()


def skipped(rows: pl.DataFrame) -> pl.DataFrame:
    """Count the rows that are not taken: ``number`` of the batch, ``reason``, ``rows``."""
    reason = pl.when(~_timed()).then(pl.lit(NO_TIME)).otherwise(pl.lit(NO_PERSON))
    refused = rows.filter(~admissible()).select(number=pl.col("row") // (1 << 32), reason=reason)
    return refused.group_by("number", "reason").agg(rows=pl.len()).sort("number", "reason")


def own_person(member: Member, rows: pl.DataFrame) -> pl.DataFrame:
    """Give rows without stitching their own person: ``row, _person, _namespace``."""
    namespace = pl.lit(member.namespace(member.person_path))
    return rows.select("row", pl.col("person").alias(PERSON), namespace.alias(NAMESPACE))


def journey_identity(member: Member) -> tuple[pl.Expr, pl.Expr]:
    """Return the expressions for device and person in journeys of a stitched dataset; blank is NULL."""
    device, person = (pl.col(path).cast(pl.String) for path in (str(member.device_path), member.person_path))
    return pl.when(device != "").then(device), pl.when(person != "").then(person)


def full_rows(
    member: Member, files: Sequence[LakeFile], adds: pl.DataFrame, columns: pl.Schema
) -> pl.DataFrame:
    """Read the columns of journeys from the lake and give the rows their persons.

    Args:
        member: the dataset in its connection.
        files: lake files to look in.
        adds: ``row, _person, _namespace`` of the rows wanted; others are left out.
        columns: the connection's journey columns; the result has them all, but for the hash.
    """
    wide = _wide(member, files, adds, columns)
    found = wide.select(row=pl.col(ROW)).join(adds, on="row", how="left", maintain_order="left")
    wanted = found[PERSON].is_not_null()
    taken = wide.with_columns(found[PERSON], found[NAMESPACE], pl.lit(member.index, pl.Int16).alias(DATASET))
    taken = taken if wanted.all() else taken.filter(wanted)
    absent = [pl.lit(None, kind).alias(name) for name, kind in columns.items() if name not in taken]
    return taken.with_columns(absent).select(list(columns))


def _wide(member: Member, files: Sequence[LakeFile], adds: pl.DataFrame, columns: pl.Schema) -> pl.DataFrame:
    """Return ``_row``, ``_time``, ``_event_id`` and the wanted fields; perhaps of more rows than wanted."""
    dataset, few = member.dataset, adds.height * 4 < sum(file.rows for file in files)
    fields = {path for path in dataset.leaves() if path in columns}
    if dataset.event_id is None:
        fields = set(dataset.leaves())
    own = {str(dataset.timestamp), *([dataset.event_id] if dataset.event_id else [])}
    ids = adds.select(pl.col("row").alias(ROW)) if few else None
    rows = leaf_rows(dataset, files, sorted(fields | own), ids)
    event_id = _unblank(pl.col(dataset.event_id)) if dataset.event_id else pl.lit(None, pl.String)
    moment = in_microseconds(pl.col(str(dataset.timestamp)))
    timed = rows.with_columns(moment.alias(TIME), event_id.alias(EVENT_ID))
    return _with_event_ids(dataset, files, timed.drop(own - fields))


def leaf_rows(
    dataset: DatasetDefinition, files: Sequence[LakeFile], paths: Sequence[str], ids: pl.DataFrame | None
) -> pl.DataFrame:
    """Read ``_row`` and leaf fields under their dotted paths; nothing else is decoded.

    Args:
        dataset: the dataset.
        files: its lake files.
        paths: dotted paths of leaf fields.
        ids: ``_row`` of the rows wanted; None takes all.
    """
    flat = [path for path in paths if "." not in path]
    if len(flat) == len(paths):
        return _only(lake_rows(files, dataset), ids).select(ROW, *flat).collect()
    # Polars would decode objects whole.
    kinds = {path: dataset.field(path).arrow() for path in paths if "." in path}
    frames = []
    for file in files:
        inner = leaf_frame(file.path, kinds)
        outer = lake_rows([file], dataset).select(ROW, *flat).collect()
        frames.append(_only(outer.hstack(inner).lazy(), ids).select(ROW, *paths).collect())
    return (
        pl.concat(frames)
        if frames
        else lake_rows([], dataset).select(ROW, *(leaf(path).alias(path) for path in paths)).collect()
    )


def _only(rows: pl.LazyFrame, ids: pl.DataFrame | None) -> pl.LazyFrame:
    return rows if ids is None else rows.join(ids.lazy(), on=ROW, how="semi", maintain_order="left")


def _with_event_ids(
    dataset: DatasetDefinition, files: Sequence[LakeFile], rows: pl.DataFrame
) -> pl.DataFrame:
    """Fill missing event ids with the digest of the row's content, which all fields take part in."""
    missing = rows[EVENT_ID].is_null()
    if not missing.any():
        return rows
    paths, places = list(dataset.leaves()), missing.arg_true()
    content = rows.select(pl.all().gather(places))
    if not set(paths) <= set(rows.columns):
        ids = content.select(ROW)
        content = ids.join(leaf_rows(dataset, files, paths, ids), on=ROW, how="left", maintain_order="left")
    return rows.with_columns(rows[EVENT_ID].scatter(places, content_digests(content.select(paths))))


def _event_dataset(definitions: Definitions, name: str, dataset: str) -> DatasetDefinition:
    if dataset not in definitions.datasets:
        hint = did_you_mean(dataset, definitions.datasets)
        raise DefinitionError(f'connection "{name}": there is no dataset "{dataset}"', hint=hint)
    found = definitions.datasets[dataset]
    if found.kind != "event":
        raise DefinitionError(
            f'connection "{name}": dataset "{dataset}" is a {found.kind}, not an event dataset',
            hint="Only event datasets form journeys; profiles and lookups are joined in SQL.",
        )
    return found


def _unblank(value: pl.Expr) -> pl.Expr:
    text = value.cast(pl.String)
    return pl.when(text != "").then(text)


def _timed() -> pl.Expr:
    return pl.col("time").is_not_null() & (pl.col("time") >= EARLIEST)


def _named() -> pl.Expr:
    return pl.col("person").is_not_null() | pl.col("device").is_not_null()
