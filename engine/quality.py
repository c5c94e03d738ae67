"""How good stitching is, in numbers: of each stitched dataset per day, and the persons with most rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl
import pyarrow as pa

from engine.journeys import devices, intake
from engine.journeys.columns import DATASET, NAMESPACE, PERSON, TIME, connection_of
from engine.journeys.copies import live
from engine.journeys.devices import Journeys
from engine.journeys.intake import Member
from engine.world import Home, World
from stitching import quality
from stitching.identity import parted

_TEXT: Final = pa.string()
_COUNT: Final = pa.int64()
_RATE: Final = pa.float64()
_RATES: Final = frozenset(rate.meta.output_name() for rate in quality.RATES)
_PLACE: Final = [pa.field("connection", _TEXT), pa.field("dataset", _TEXT)]

QUALITY: Final = pa.schema(
    [
        *(*_PLACE, pa.field("day", pa.date32())),
        *(pa.field(name, _RATE if name in _RATES else _COUNT) for name in quality.MEASURES),
    ]
)
"""A stitched dataset on a day, UTC: see ``stitching.quality``."""

BIGGEST: Final = pa.schema(
    [
        *(*_PLACE, pa.field("place", _COUNT), pa.field("person", _TEXT), pa.field("is_person", pa.bool_())),
        *(pa.field("rows", _COUNT), pa.field("share_of_rows", _RATE)),
        *(pa.field("devices", _COUNT), pa.field("days", _COUNT)),
        *(pa.field("first_day", pa.date32()), pa.field("last_day", pa.date32())),
    ]
)
"""A person among those of a stitched dataset with most rows."""

_OF_OWN: Final = ("rows_with_person", "authentication_rate", "increase", "lift")
"""What is only known where a field of the rows names the person."""

MOST: Final = 100
"""So many of a dataset's persons are listed, or of the suspects of one kind."""

Check = Callable[[], None]
"""Called between steps; raises if the work is to end."""


def go_on() -> None:
    """Let the work go on: what checks if nobody can end it."""


@dataclass(frozen=True)
class DatasetQuality:
    """A stitched dataset in numbers.

    Attributes:
        total: ``quality.MEASURES`` of all its rows, one row; no row without any.
        days: the same with ``day``, a row per day in order.
        biggest: ``quality.biggest`` of its persons.
    """

    name: str
    total: pl.DataFrame
    days: pl.DataFrame
    biggest: pl.DataFrame


def quality_of(home: Home, world: World, connection: str, most: int = MOST) -> list[DatasetQuality]:
    """Return the numbers of a connection's stitched datasets, and so many of their persons.

    Raises:
        UnknownNameError: there is no such connection.
    """
    connection_of(world.definitions, connection)
    return [
        DatasetQuality(
            member.name,
            _measured(member, rows).filter(pl.col("rows") > 0),
            _measured(member, rows, ["day"]),
            quality.biggest(rows, most),
        )
        for _, member, rows in _stitched(home, world, [connection], go_on)
    ]


def stitching_quality(home: Home, world: World, check: Check = go_on) -> pa.Table:
    """Return ``QUALITY`` of all connections, by connection, dataset and day."""
    found = [
        _placed(_measured(member, rows, ["day"]), connection, member)
        for connection, member, rows in _stitched(home, world, world.definitions.connections, check)
    ]
    return as_table(found, QUALITY)


def biggest_persons(home: Home, world: World, check: Check = go_on) -> pa.Table:
    """Return ``BIGGEST`` of all connections: of each dataset the persons with most rows."""
    found = []
    for connection, member, rows in _stitched(home, world, world.definitions.connections, check):
        biggest = quality.biggest(rows, MOST).with_row_index("place", 1)
        shares = biggest.with_columns(share_of_rows=pl.col("rows") / rows.height)
        found.append(_placed(shares, connection, member))
    return as_table(found, BIGGEST)


def as_table(frames: Sequence[pl.DataFrame], schema: pa.Schema) -> pa.Table:
    """Return frames as one table with exactly the columns and types of a schema."""
    tables = [frame.select(schema.names).to_arrow().cast(schema) for frame in frames]
    return pa.concat_tables(tables) if tables else schema.empty_table()


def _measured(member: Member, rows: pl.DataFrame, by: Sequence[str] = ()) -> pl.DataFrame:
    """Return the measures of rows; where the identity graph says who is who, rows name nobody themselves."""
    found = quality.measured(rows, by)
    return (
        found
        if member.person is not None
        else found.with_columns(pl.lit(None).alias(name) for name in _OF_OWN)
    )


def _placed(frame: pl.DataFrame, connection: str, member: Member) -> pl.DataFrame:
    return frame.with_columns(connection=pl.lit(connection), dataset=pl.lit(member.name))


def _stitched(
    home: Home, world: World, connections: Iterable[str], check: Check
) -> Iterator[tuple[str, Member, pl.DataFrame]]:
    """Yield the stitched datasets of connections with their rows, as ``quality.with_shared`` returns them."""
    for name in connections:
        source = devices.journeys(home, world.definitions, name, world.journeys[name])
        for member in intake.members(world.definitions, name):
            if member.stitching is not None:
                check()
                yield name, member, quality.with_shared(_rows(source, member))


def _rows(source: Journeys, member: Member) -> pl.DataFrame:
    """Read whom the live rows of a dataset name and belong to; texts become numbers as they are read."""
    texts = pl.Categorical(pl.Categories.random())
    ids = intake.journey_identity(member)
    wanted = [*(name for text in ids for name in text.meta.root_names()), TIME, PERSON, NAMESPACE]
    device, person = (parted(text)[1] for text in ids) if member.varies else ids
    where = pl.col(DATASET) == member.index
    rows = live(source.files, source.columns, list(dict.fromkeys(wanted)), where=where)
    return rows.select(
        day=pl.from_epoch(TIME, "us").dt.date(),
        device=device.cast(texts),
        person=person.cast(texts),
        stitched=pl.col(PERSON).cast(texts),
        known=intake.is_stitched(member),
    ).collect(engine="streaming")
