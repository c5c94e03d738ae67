"""Which batches may be taken out of their dataset, and what is then stored of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from engine.catalog.records import BatchRecord, BatchStatus
from engine.catalog.store import Catalog
from engine.errors import InputError, UnknownNameError

_NOT_ACTIVE: Final = {
    BatchStatus.LOADING: "is still loading",
    BatchStatus.FAILED: "failed, so nothing of it was written",
    BatchStatus.INACTIVE: "is inactive already",
    BatchStatus.DELETED: "is deleted already",
}


def find_batch(catalog: Catalog, dataset: str, number: int) -> BatchRecord:
    """Return a batch of a dataset by its number.

    Raises:
        UnknownNameError: the dataset has no such batch.
    """
    records = catalog.batches(dataset)
    found = next((record for record in records if record.number == number), None)
    if found is None:
        raise UnknownNameError(
            f'dataset "{dataset}" has no batch {number}', hint=_elsewhere(catalog, records, dataset, number)
        )
    return found


def active_batch(catalog: Catalog, dataset: str, number: int) -> BatchRecord:
    """Return a batch that is shown and so can be reverted or replaced.

    Raises:
        UnknownNameError: the dataset has no such batch.
        InputError: it is not active.
    """
    found = find_batch(catalog, dataset, number)
    if found.status is not BatchStatus.SUCCESS:
        raise InputError(
            f'batch {number} of dataset "{dataset}" {_NOT_ACTIVE[found.status]}{_ending(found)}',
            hint=f"Active batches: wayline batch list {dataset}",
        )
    return found


def active_batches(catalog: Catalog, dataset: str, numbers: Sequence[int]) -> tuple[BatchRecord, ...]:
    """Return batches that are shown, each once, in the order of their numbers; as ``active_batch``."""
    return tuple(active_batch(catalog, dataset, number) for number in sorted(set(numbers)))


def ended(record: BatchRecord, *, replaced_by: int | None = None, purge: bool = False) -> BatchRecord:
    """Return a batch as it is stored once it is no longer shown."""
    return replace(
        record,
        status=BatchStatus.INACTIVE,
        ended_at=datetime.now(UTC),
        replaced_by=replaced_by,
        purge=purge,
    )


def _ending(record: BatchRecord) -> str:
    if record.ended_at is None:
        return ""
    cause = "taken back" if record.replaced_by is None else f"replaced by batch {record.replaced_by}"
    return f" ({cause} {record.ended_at:%Y-%m-%d %H:%M} UTC)"


def _elsewhere(catalog: Catalog, records: Sequence[BatchRecord], dataset: str, number: int) -> str:
    """Say which batches there are, and which other datasets have one of that number."""
    own = f"It has batches 1 to {records[-1].number}." if records else "It has no batches."
    others = sorted({record.dataset for record in catalog.batches() if record.number == number} - {dataset})
    there = ", ".join(f'"{name}"' for name in others)
    return f"{own} Batch {number} exists in {there}." if others else own
