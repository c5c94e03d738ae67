"""What an ingestion hands back: the batch, its counts and its diagnostics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.catalog.records import BatchRecord, BatchStatus, Reject
from engine.errors import InputError


@dataclass(frozen=True)
class BatchReport:
    """What became of a batch.

    Attributes:
        record: the batch as it is to be published: ``Lease.publish(…, batch=report.record)``.
        rejects: the first rejected records.
        reasons: (code, reason) → rejected records, the most frequent first.
        replaced: the batches that went in the same commit, as they are to be published.
    """

    record: BatchRecord
    rejects: tuple[Reject, ...]
    reasons: Mapping[tuple[str, str], int]
    replaced: tuple[BatchRecord, ...] = ()

    @property
    def batch_id(self) -> str:
        """The batch's id."""
        return self.record.id

    @property
    def number(self) -> int:
        """The batch's number within its dataset."""
        return self.record.number

    @property
    def status(self) -> BatchStatus:
        """Whether the batch was written."""
        return self.record.status

    @property
    def version(self) -> int | None:
        """The dataset's Delta version with this batch; None if nothing was written."""
        return self.record.version

    @property
    def input(self) -> int:
        """Records read."""
        return self.record.input_records

    @property
    def output(self) -> int:
        """Records written."""
        return self.record.output_records

    @property
    def failed(self) -> int:
        """Records rejected."""
        return self.record.failed_records


class BatchFailedError(InputError):
    """A batch with too many rejected records, of which nothing was written."""

    def __init__(self, report: BatchReport) -> None:
        cause = next((f", mostly: {reason}" for _, reason in report.reasons), "")
        first = next((f" (first: record {reject.line} of {reject.file})" for reject in report.rejects), "")
        super().__init__(
            f"{report.failed} of {report.input} records were rejected{cause}{first};"
            f" nothing was written to {report.record.dataset}",
            hint="Mend the records, or raise the reject limit.",
        )
        self.report = report
