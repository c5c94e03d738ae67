"""The home and its worlds: a reader sees one published world, a writer holds the lease.

Lake tables, journeys, stitch logs and definitions change separately; one catalog transaction
publishes their versions together, so that no reader ever sees half.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Final

from sqlalchemy import Connection
from sqlalchemy.exc import DatabaseError

from engine.catalog import access, replays
from engine.catalog.lock import exclusive
from engine.catalog.migrations import to_format_2, to_format_3, to_format_4
from engine.catalog.pins import Pins
from engine.catalog.records import BatchRecord, ReplayRecord, Skip, WorldRecord
from engine.catalog.store import Catalog
from engine.definitions.model import Definitions
from engine.errors import HomeError, UnknownNameError

FORMAT: Final = 4
"""The format of homes that this version writes."""

UPGRADES: Final[tuple[Callable[[Catalog], None], ...]] = (to_format_2, to_format_3, to_format_4)
"""Steps that bring a home from format n to n + 1, the step from format 1 first."""

_NO_CATALOG: Final = ("file is not a database", "no such table")
"""What SQLite says of a file that is no catalog."""


@dataclass(frozen=True)
class World:
    """What one statement sees.

    Attributes:
        cause: what published it, such as ``ingest web batch 3``.
        datasets: dataset → Delta version.
        journeys: connection → Delta version of its journeys, which have consumed all of
            ``datasets`` and nothing else.
        stitch_logs: connection → Delta version of its stitch log; only connections that stitch.
        devices: connection → Delta version of what is known of its devices; likewise.
        vacuumed_at: since when its files may be gone; None while it can be rolled back to.
        identities: Delta version of the identity graph, which has consumed all of ``datasets``; None if
            the definitions ask for none.
        revision: number of its definitions; worlds with the same have the same.
        identity_as_of: as of when a reader wants to know who is who, aware; None is as published.
    """

    id: int
    published_at: datetime
    cause: str
    definitions: Definitions
    datasets: Mapping[str, int]
    journeys: Mapping[str, int]
    stitch_logs: Mapping[str, int]
    devices: Mapping[str, int]
    vacuumed_at: datetime | None = None
    identities: int | None = None
    revision: int = 0
    identity_as_of: datetime | None = None


class Home:
    """An open home folder. Safe to share between threads."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.catalog = Catalog(self.root / "catalog.db")
        self._pins = Pins(self.catalog)
        self._world: World | None = None
        self._definitions = lru_cache(maxsize=16)(self._parse_definitions)

    @classmethod
    def create(cls, path: Path | str) -> Home:
        """Make a new home at a path and open it.

        Raises:
            HomeError: there is a home already, or the folder cannot be written.
        """
        root = Path(path)
        _make_folder(root)
        home = cls(root)
        with home.catalog.writing() as connection:
            home.catalog.create_tables(connection)
            if home.catalog.newest_world(connection) is not None:
                raise HomeError(
                    f"{root} is a wayline home already", hint="Open it, or choose another folder."
                )
            home.catalog.set_meta(connection, "format", str(FORMAT))
            access.begin(connection)
            revision = home.catalog.add_document(connection, _document(Definitions()))
            first = WorldRecord(1, datetime.now(UTC), "init", revision, {}, {}, {}, {})
            home.catalog.add_world(connection, first)
        return home

    @classmethod
    def open(cls, path: Path | str) -> Home:
        """Open a home; one of an older format is upgraded.

        Raises:
            HomeError: the folder is not a home, cannot be read, or a newer wayline wrote it.
        """
        root = Path(path)
        missing = HomeError(f"{root} is not a wayline home", hint=f"Create one: wayline init {root}")
        if not (root / "catalog.db").is_file():
            raise missing
        home = cls(root)
        written = home._format()
        if written is None:
            raise missing
        if written > FORMAT:
            raise HomeError(
                f"{root} has format {written}; this wayline reads formats up to {FORMAT}",
                hint="Upgrade wayline.",
            )
        if written < FORMAT:
            home._upgrade()
        return home

    def close(self) -> None:
        """Release this process's pins and close the catalog."""
        self._pins.close()
        self.catalog.close()

    @property
    def datasets(self) -> Path:
        """The folder of the Delta tables of all datasets."""
        return self.root / "datasets"

    def dataset_path(self, name: str) -> Path:
        """Return the Delta table of a dataset."""
        return self.datasets / name

    def journeys_path(self, connection: str) -> Path:
        """Return the Delta table of a connection's journeys."""
        return self.root / "journeys" / connection

    def stitch_log_path(self, connection: str) -> Path:
        """Return the Delta table of a connection's stitch log."""
        return self.root / "stitchlog" / connection

    def devices_path(self, connection: str) -> Path:
        """Return the Delta table of what a connection knows of its devices."""
        return self.root / "devices" / connection

    def identities_path(self) -> Path:
        """Return the Delta table of the identity graph."""
        return self.root / "identities" / "graph"

    def current(self) -> World:
        """Return the newest published world."""
        known = self._world
        if known is not None and known.id == self.catalog.newest_world_id():
            return known
        record = self.catalog.newest_world()
        if record is None:
            raise HomeError(f"{self.root} has no published world", hint="The catalog is damaged.")
        return self._remember(record)

    @contextmanager
    def pin(self) -> Iterator[World]:
        """Hold the newest world while the block runs: its files are not vacuumed."""
        record = self._pins.take()
        try:
            yield self._remember(record)
        finally:
            self._pins.release(record.id)

    @contextmanager
    def pin_past(self, worlds: Collection[World]) -> Iterator[None]:
        """Hold older worlds while the block runs, as ``pin`` does; HomeError if one was vacuumed."""
        self._pins.take_past([world.id for world in worlds])
        try:
            yield
        finally:
            for world in worlds:
                self._pins.release(world.id)

    @contextmanager
    def snapshot(self, catalog: Path) -> Iterator[World]:
        """Copy the catalog to a new file and hold the world that is newest in it, as ``pin`` does.

        Nobody can publish between the two, and nobody has to stop writing.
        """
        record = self._pins.take(copy_to=catalog)
        try:
            yield self._world_of(record)
        finally:
            self._pins.release(record.id)

    @contextmanager
    def lease(
        self, *, wait: float | None = None, on_wait: Callable[[str], None] | None = None
    ) -> Iterator[Lease]:
        """Be the only writer of this home, in all processes and threads, while the block runs.

        The kernel frees the lock when a process dies. A thread must not take the lease twice.

        Args:
            wait: seconds to wait for another writer; None waits for as long as it takes.
            on_wait: called once with a sentence for the user if there is something to wait for.

        Raises:
            BusyError: another writer held the lease for longer than ``wait``.
        """
        with exclusive(self.root / "writer.lock", wait=wait, on_wait=on_wait):
            yield Lease(self)

    def _format(self) -> int | None:
        try:
            written = self.catalog.meta("format")
        except DatabaseError as error:
            # A disk that is full, or another failure of the machine, says nothing of the folder.
            if not any(sign in str(error.orig) for sign in _NO_CATALOG):
                raise HomeError(
                    f"{self.root / 'catalog.db'} cannot be opened: {error.orig}",
                    hint="Be allowed to write in the folder, also to ask; and have space on its disk.",
                ) from None
            return None
        return None if written is None else int(written)

    def _upgrade(self) -> None:
        with self.lease():
            for number in range(self._format() or 1, FORMAT):
                UPGRADES[number - 1](self.catalog)
                with self.catalog.writing() as connection:
                    self.catalog.set_meta(connection, "format", str(number + 1))

    def _parse_definitions(self, revision: int) -> Definitions:
        return Definitions.model_validate_json(self.catalog.document(revision))

    def worlds(self) -> list[World]:
        """Return every world that is known, oldest first."""
        return [self._world_of(record) for record in self.catalog.worlds()]

    def _world_of(self, record: WorldRecord) -> World:
        return World(
            id=record.id,
            published_at=record.published_at,
            cause=record.cause,
            definitions=self._definitions(record.revision),
            datasets=record.datasets,
            journeys=record.journeys,
            stitch_logs=record.stitch_logs,
            devices=record.devices,
            vacuumed_at=record.vacuumed_at,
            identities=record.identities,
            revision=record.revision,
        )

    def world(self, number: int) -> World:
        """Return a world by its id.

        Raises:
            UnknownNameError: there is none.
        """
        newest = self.catalog.newest_world_id()
        # Asked only for ids that can be there: SQLite does not take integers of more than 64 bits.
        record = self.catalog.world(number) if 1 <= number <= newest else None
        if record is None:
            raise UnknownNameError(f"there is no world {number}", hint=f"There are worlds 1 to {newest}.")
        return self._world_of(record)

    def _remember(self, record: WorldRecord) -> World:
        known = self._world
        if known is not None and known.id == record.id:
            return known
        world = self._world_of(record)
        if self._world is None or self._world.id < world.id:
            self._world = world
        return world


@dataclass(frozen=True)
class Lease:
    """Proof that the holder is the only writer of the home."""

    home: Home

    def publish(
        self,
        cause: str,
        *,
        definitions: Definitions | None = None,
        datasets: Mapping[str, int] | None = None,
        journeys: Mapping[str, int] | None = None,
        stitch_logs: Mapping[str, int] | None = None,
        devices: Mapping[str, int] | None = None,
        identities: int | None = None,
        batch: BatchRecord | None = None,
        ended: Sequence[BatchRecord] = (),
        replay: ReplayRecord | None = None,
        skips: Sequence[Skip] = (),
        forget: Collection[str] = (),
        also: Callable[[Connection], None] = lambda _: None,
    ) -> World:
        """Publish a new world in one transaction: the previous one with the given changes.

        Args:
            cause: what happened, in a few words.
            definitions: the new definitions, complete.
            datasets, journeys, stitch_logs, devices: changed dataset or connection → Delta version.
            identities: new Delta version of the identity graph. Definitions that ask for none drop it.
            batch, ended, replay: what this world shows, or no longer shows; stored as they are given.
            skips: rows that connections did not take.
            forget: connections to drop first: removed ones, and ones that were rebuilt from nothing.
            also: changes more of the catalog in the same transaction, when the world is in it.
        """
        with (catalog := self.home.catalog).writing() as connection:
            previous = catalog.newest_world(connection)
            assert previous is not None  # noqa: S101 - create() publishes the first world
            new = None if definitions is None else catalog.add_document(connection, _document(definitions))
            for name in forget:
                catalog.forget_connection(connection, name)
            self._record(connection, [*ended, *([batch] if batch else [])], replay, skips)
            record = WorldRecord(
                previous.id + 1,
                datetime.now(UTC),
                cause,
                previous.revision if new is None else new,
                datasets={**previous.datasets, **(datasets or {})},
                journeys=_merge(previous.journeys, forget, journeys),
                stitch_logs=_merge(previous.stitch_logs, forget, stitch_logs),
                devices=_merge(previous.devices, forget, devices),
                identities=_graph_version(previous, definitions, identities),
            )
            catalog.add_world(connection, record)
            also(connection)
        return self.home._remember(record)

    def _record(
        self,
        connection: Connection,
        batches: Sequence[BatchRecord],
        replay: ReplayRecord | None,
        skips: Sequence[Skip],
    ) -> None:
        catalog = self.home.catalog
        for batch in batches:
            catalog.save_batch(connection, batch)
        if replay is not None:
            replays.save(connection, replay)
        catalog.add_skips(connection, skips)


def _merge(old: Mapping[str, int], forget: Collection[str], new: Mapping[str, int] | None) -> dict[str, int]:
    kept = {name: version for name, version in old.items() if name not in forget}
    return kept | dict(new or {})


def _graph_version(previous: WorldRecord, definitions: Definitions | None, version: int | None) -> int | None:
    if definitions is not None and not definitions.has_graph:
        return None
    return previous.identities if version is None else version


def _document(definitions: Definitions) -> str:
    return definitions.model_dump_json(exclude_defaults=True)


def _make_folder(root: Path) -> None:
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HomeError(f"cannot create {root}: {error.strerror}", hint="Choose another folder.") from None
