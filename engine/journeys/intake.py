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
    IdentityReference,
    MapIdentity,
    StitchingDefinition,
    path_of,
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
from engine.lake.identities import rules_of
from engine.lake.rows import in_microseconds, leaf, leaf_rows
from engine.lake.table import ROW, LakeFile
from stitching.identity import (
    Rules,
    first,
    first_primary,
    identifying,
    is_identity,
    joined,
    lowest,
    lowest_primary,
    parted,
)

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


_NOBODY: Final = pl.lit(None, pl.String)


@dataclass(frozen=True)
class Member:
    """A dataset in its connection.

    Attributes:
        index: place in the connection, from 0.
        rules: which values are no identities.
    """

    index: int
    name: str
    dataset: DatasetDefinition
    part: ConnectionDatasetDefinition
    rules: Rules

    @property
    def stitching(self) -> StitchingDefinition | None:
        """How the dataset is stitched, if it is."""
        return self.part.stitching

    @property
    def graph(self) -> str | None:
        """The namespace of persons that the identity graph gives; None unless stitching is graph-based."""
        return self.stitching.graph if self.stitching else None

    @property
    def field_based(self) -> bool:
        """Whether events of a device give other events of it their person."""
        return self.stitching is not None and self.graph is None

    @property
    def person(self) -> IdentityReference | None:
        """Where the person is found; None if the identity graph says who it is."""
        return self.stitching.person_id if self.stitching else self.part.person_id

    @property
    def device(self) -> IdentityReference | None:
        """Where the device is found; None without stitching."""
        return self.stitching.persistent_id if self.stitching else None

    @property
    def person_path(self) -> str:
        """The field that carries the person; that of the device if none does."""
        found = self.person if self.person is not None else self.device
        assert found is not None  # noqa: S101 - definitions have one of them
        return path_of(found)

    @property
    def device_path(self) -> str | None:
        """The field that carries the device; None without stitching."""
        return None if self.device is None else path_of(self.device)

    @property
    def varies(self) -> bool:
        """Whether the namespace of device or person is another from row to row.

        Then both are texts of namespace and value (``identity.joined``) until the person is known.
        """
        return any(isinstance(found, MapIdentity) and found.primary for found in (self.person, self.device))

    def namespace(self, reference: IdentityReference | None) -> str | None:
        """Return the namespace of an identity; a field without one is its own. None if rows tell it."""
        if reference is None:
            return self.graph
        if isinstance(reference, MapIdentity):
            return reference.namespace
        return self.dataset.field(reference).identity or reference


def members(definitions: Definitions, name: str) -> tuple[Member, ...]:
    """Return the datasets of a connection in their order.

    Raises:
        UnknownNameError: there is no such connection.
        DefinitionError: it refers to a dataset or field that is not there or does not fit.
    """
    parts, rules = connection_of(definitions, name).datasets, rules_of(definitions)
    return tuple(
        Member(index, dataset, _event_dataset(definitions, name, dataset), part, rules)
        for index, (dataset, part) in enumerate(parts.items())
    )


def check(definitions: Definitions, name: str) -> None:
    """Raise DefinitionError if a person or device field of a connection cannot be used."""
    for member in members(definitions, name):
        leaves = member.dataset.leaves()
        for reference in (member.person, member.device):
            if reference is None:
                continue
            path, mapped = path_of(reference), isinstance(reference, MapIdentity)
            if path not in leaves or leaves[path].is_list != mapped:
                kind = "identity map" if mapped else "scalar field"
                raise DefinitionError(
                    f'connection "{name}": dataset "{member.name}" has no {kind} "{path}"',
                    hint=did_you_mean(path, leaves),
                )


def identities(member: Member, rows: pl.LazyFrame, leaf: Callable[[str], pl.Expr] = leaf) -> pl.LazyFrame:
    """Return the identity columns (``IDENTITIES``) of lake rows; what identifies nobody is NULL.

    Args:
        member: the dataset in its connection.
        rows: its rows.
        leaf: how a dotted path is read from them; default: they are nested.
    """
    event_id = member.dataset.event_id
    device, person = _identity_of(member, leaf)
    return rows.select(
        row=pl.col(ROW),
        time=in_microseconds(leaf(str(member.dataset.timestamp))),
        event_id=_NOBODY if event_id is None else _unblank(leaf(event_id)),
        device=device,
        person=person,
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
    namespace, person = pl.lit(member.namespace(member.person)), pl.col("person")
    if member.varies:
        namespace, person = parted(person)
    return rows.select("row", person.alias(PERSON), namespace.alias(NAMESPACE))


def named(member: Member, rows: pl.DataFrame) -> pl.DataFrame:
    """Turn what stitching says into ``row, _person, _namespace``.

    Args:
        member: the stitched dataset in its connection.
        rows: ``row``, ``person`` string or null, and ``known``: whether a person id says so.
    """
    taken, person = rows.filter(pl.col("person").is_not_null()), pl.col("person")
    person_space, device_space = (member.namespace(found) for found in (member.person, member.device))
    namespace = pl.when("known").then(pl.lit(person_space)).otherwise(pl.lit(device_space))
    if member.varies:
        namespace, person = parted(person)
    return taken.select("row", person.alias(PERSON), namespace.alias(NAMESPACE))


def is_stitched(member: Member) -> pl.Expr:
    """Return the condition under which rows of a stitched dataset in journeys have a person's namespace."""
    person, device = (member.namespace(found) for found in (member.person, member.device))
    return pl.col(NAMESPACE) == person if person is not None else pl.col(NAMESPACE) != device


def journey_identity(member: Member) -> tuple[pl.Expr, pl.Expr]:
    """Return device and person in journeys of a stitched dataset; what identifies nobody is NULL."""
    return _identity_of(member, pl.col)


def unjudged_identity(member: Member) -> tuple[pl.Expr, pl.Expr]:
    """Return the same with fields as they are, for who asks ``judge`` of each distinct value once."""
    return _identity_of(member, pl.col, judged=member.varies)


def judge(member: Member) -> Callable[[pl.Series], pl.Series] | None:
    """Return what tells which texts of ``unjudged_identity`` identify somebody; None: all do."""
    if member.varies:
        return None
    return lambda texts: texts.to_frame("text").select(is_identity(pl.col("text"), member.rules)).to_series()


def _identity_of(
    member: Member, leaf: Callable[[str], pl.Expr], *, judged: bool = True
) -> tuple[pl.Expr, pl.Expr]:
    """Return device and person of rows, texts or NULL; both ``joined`` where a namespace varies."""
    if member.stitching is None:
        return _NOBODY, _NOBODY if member.person is None else _own(member.person, leaf)
    device = _stitched(member, member.device, leaf, member.person, judged=judged)
    return device, _stitched(member, member.person, leaf, member.device, judged=judged)


def _own(reference: IdentityReference, leaf: Callable[[str], pl.Expr]) -> pl.Expr:
    """Return the person of a dataset without stitching: whatever is written, but for blanks."""
    if isinstance(reference, str):
        return _unblank(leaf(reference))
    ids = leaf(reference.map)
    return first_primary(ids) if reference.namespace is None else first(ids, reference.namespace)


def _stitched(
    member: Member,
    reference: IdentityReference | None,
    leaf: Callable[[str], pl.Expr],
    other: IdentityReference | None,
    *,
    judged: bool,
) -> pl.Expr:
    """Return the device or person of a stitched dataset; ``other`` is the other one of the two."""
    if reference is None:
        return _NOBODY
    if isinstance(reference, str):
        found = leaf(reference).cast(pl.String)
        found = identifying(found, member.rules) if judged else found
    elif reference.namespace is None:
        # What the graph is asked for may be a person itself.
        others = None if other is None else member.namespace(other)
        return lowest_primary(leaf(reference.map), member.rules, without=others)
    else:
        found = lowest(leaf(reference.map), reference.namespace, member.rules)
    return joined(pl.lit(member.namespace(reference)), found) if member.varies else found


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
