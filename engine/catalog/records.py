"""What the catalog hands out and takes in: plain records, one class per thing that it remembers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class BatchStatus(StrEnum):
    """Where a batch stands. Only a successful one is visible.

    An inactive batch was reverted or replaced: older worlds still show it. Of a deleted one the files
    are gone.
    """

    LOADING = "loading"
    SUCCESS = "success"
    FAILED = "failed"
    INACTIVE = "inactive"
    DELETED = "deleted"


@dataclass(frozen=True)
class BatchError:
    """One cause of rejected records in a batch, with how many records it hit."""

    code: str
    description: str
    records: int


@dataclass(frozen=True)
class BatchRecord:
    """One ingested batch of a dataset.

    Attributes:
        number: 1, 2, 3 … within the dataset; the high half of its rows' ids.
        files: the files that were read, as named by the user.
        version: Delta version of its commit; None until known.
        ended_at: when it became inactive.
        replaced_by: number of the batch that replaced it; None if it was reverted.
        purge: once inactive, its files may go without waiting for the retention time.
    """

    id: str
    dataset: str
    number: int
    status: BatchStatus
    started_at: datetime
    finished_at: datetime | None = None
    input_records: int = 0
    output_records: int = 0
    failed_records: int = 0
    files: tuple[str, ...] = ()
    errors: tuple[BatchError, ...] = ()
    version: int | None = None
    ended_at: datetime | None = None
    replaced_by: int | None = None
    purge: bool = False


@dataclass(frozen=True)
class Reject:
    """A record that was not accepted.

    Attributes:
        line: 1-based: the data line of a CSV file (header not counted), else the record's number.
        record: the record's text, cut to 500 characters.
    """

    file: str
    line: int
    code: str
    reason: str
    record: str


@dataclass(frozen=True)
class ReplayRecord:
    """One replay of a connection: its window (at − lookback, at] and what it changed.

    Attributes:
        persons_before: distinct persons of the window's rows in stitched datasets, before it.
        persons_after: the same after it.
        id: given by the catalog when the record is published; None before.
    """

    connection: str
    at: datetime
    lookback: timedelta
    started_at: datetime
    finished_at: datetime | None = None
    rows_in_window: int = 0
    rows_changed: int = 0
    persons_before: int = 0
    persons_after: int = 0
    id: int | None = None


@dataclass(frozen=True)
class Skip:
    """Rows of a batch that a connection did not take, by reason."""

    connection: str
    dataset: str
    batch: str
    reason: str
    rows: int


@dataclass(frozen=True)
class WorldRecord:
    """A published world as stored: versions per name and the revision of the definitions.

    Attributes:
        vacuumed_at: since when its files may be gone; None while it can be read and rolled back to.
        identities: version of the identity graph; None if there is none.
    """

    id: int
    published_at: datetime
    cause: str
    revision: int
    datasets: Mapping[str, int]
    journeys: Mapping[str, int]
    stitch_logs: Mapping[str, int]
    devices: Mapping[str, int]
    vacuumed_at: datetime | None = None
    identities: int | None = None
