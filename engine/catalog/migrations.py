"""Steps that bring the catalog of an older home to the next format."""

from __future__ import annotations

from engine.catalog.store import Catalog


def add_devices_to_worlds(catalog: Catalog) -> None:
    """Format 1 to 2: what is known of devices leaves the catalog for tables that worlds have versions of.

    Older worlds have none: the next change of a connection reads its devices from its journeys.
    """
    with catalog.writing() as connection:
        columns = connection.exec_driver_sql("PRAGMA table_info(worlds)").all()
        if all(column.name != "devices" for column in columns):
            connection.exec_driver_sql("ALTER TABLE worlds ADD COLUMN devices JSON NOT NULL DEFAULT '{}'")
        connection.exec_driver_sql("DROP TABLE IF EXISTS device_memory")
