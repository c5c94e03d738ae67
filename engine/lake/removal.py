"""Takes batches out of a dataset: one commit without their files, which stay for older versions."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

from deltalake import DeltaTable
from deltalake.transaction import AddAction, CommitProperties, RemoveAction, Transaction

from engine.lake.commits import NO_HOOKS, require, settle
from engine.lake.table import files, latest_version

_REMOVED: Final = "removed"
_PURGED: Final = "purged"
_TRANSACTION: Final = "wayline-removal"


def remove_batches(table: Path, expected: int, batch_ids: Collection[str], *, purge: bool = False) -> int:
    """Commit the removal of batches to a table whose newest version is ``expected``; return the next one.

    Args:
        table: folder of the dataset's table.
        expected: the version that the caller has seen.
        batch_ids: ids of the batches; one without rows has no files.
        purge: noted in the commit: the files may go without waiting for the retention time.

    Raises:
        HomeError: somebody else wrote to the table.
    """
    delta = DeltaTable(table)
    require(table, delta.version() == expected)
    require(table, (delta.transaction_version(_TRANSACTION) or 0) <= expected)
    delta.create_write_transaction(
        removals(table, expected, batch_ids),
        mode="append",
        schema=delta.schema(),
        commit_properties=CommitProperties(
            custom_metadata=removal_information(batch_ids, purge=purge),
            app_transactions=[Transaction(_TRANSACTION, expected + 1)],
        ),
        post_commithook_properties=NO_HOOKS,
    )
    require(table, latest_version(table) == expected + 1)
    return settle(table, expected + 1)


def removals(table: Path, version: int, batch_ids: Collection[str]) -> list[AddAction | RemoveAction]:
    """Return the actions that remove batches from a version of a table."""
    now = time.time_ns() // 1_000_000
    gone = [file for file in files(table, version) if file.batch in batch_ids]
    return [RemoveAction(Path(file.path).name, True, now) for file in gone]


def removal_information(batch_ids: Collection[str], *, purge: bool = False) -> dict[str, str]:
    """Return what a commit says of the batches that it removes."""
    if not batch_ids:
        return {}
    return {_REMOVED: ",".join(sorted(batch_ids)), _PURGED: "yes" if purge else "no"}


def removed_batches(information: Mapping[str, Any]) -> tuple[tuple[str, ...], bool]:
    """Return the ids of the batches that a commit removed, and whether their files may go at once."""
    ids = tuple(filter(None, str(information.get(_REMOVED, "")).split(",")))
    return ids, information.get(_PURGED) == "yes"
