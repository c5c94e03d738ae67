"""What commits to Delta tables share: nobody else's change is lost, what is made survives a power cut."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from deltalake import DeltaTable
from deltalake.transaction import PostCommitHookProperties

from engine.errors import HomeError
from engine.lake.log import log_path

CHECKPOINT_EVERY: Final = 16
"""Commits after which the log is summed up, so that opening a table does not slow with its age."""

# The library's own checkpoints would also remove old logs, and with them the way to older versions.
NO_HOOKS: Final = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)
"""How the library is told to do nothing after a commit."""


def require(table: Path, holds: bool) -> None:
    """Raise HomeError unless a table is as it was expected to be."""
    if not holds:
        raise HomeError(
            f"{table} was changed by another program",
            hint="Only wayline may write there; run the command again.",
        )


def settle(table: Path, version: int) -> int:
    """Return a version once its commit is on the disk; sum up the log now and then."""
    sync_file(log_path(table, version))
    if version and version % CHECKPOINT_EVERY == 0:
        DeltaTable(table, version=version).create_checkpoint()
        log = log_path(table, version).parent
        for file in (*log.glob(f"{version:020d}.checkpoint*.parquet"), log / "_last_checkpoint"):
            sync_file(file)
    return version


def sync_file(path: Path) -> None:
    """Return once a file's content is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
