"""What went wrong in a batch: error codes, counts per cause, and the first rejected records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from engine.catalog.records import BatchError, Reject
from engine.catalog.store import REJECTS_KEPT

UNPARSABLE: Final = "INGEST-1401-400"
"""The record cannot be read at all."""
NOT_CONVERTIBLE: Final = "INGEST-1402-400"
"""A value does not fit its field's type."""
UNKNOWN_FIELD: Final = "INGEST-1403-400"
"""The record has a field that the schema does not have."""
REQUIRED_MISSING: Final = "INGEST-1555-400"
"""A required field has no value."""
BAD_BATCH: Final = "INGEST-400-400"
"""The batch as a whole cannot be read."""
SUMMARY: Final = "INGEST-1212-400"
"""The line that sums a batch's errors up."""

RECORD_LENGTH: Final = 500
"""Characters kept of a rejected record."""


class Diagnostics:
    """Counts the records of one batch, and collects the rejected ones.

    Attributes:
        accepted: records that are good.
    """

    def __init__(self) -> None:
        self._rejects: list[Reject] = []
        self._counts: Counter[tuple[str, str]] = Counter()
        self.accepted = 0

    def add(self, reject: Reject) -> None:
        """Count a rejected record and keep it if it is among the first."""
        self._counts[reject.code, reject.reason] += 1
        if self.wants_records:
            self._rejects.append(reject)

    def count(self, code: str, reason: str, records: int) -> None:
        """Count rejected records that are not kept."""
        self._counts[code, reason] += records

    @property
    def wants_records(self) -> bool:
        """Whether rejected records are still kept, not only counted."""
        return len(self._rejects) < REJECTS_KEPT

    @property
    def failed(self) -> int:
        """Number of rejected records."""
        return self._counts.total()

    @property
    def rejects(self) -> tuple[Reject, ...]:
        """The first rejected records."""
        return tuple(self._rejects)

    @property
    def reasons(self) -> Mapping[tuple[str, str], int]:
        """(code, reason) → rejected records, the most frequent first."""
        return dict(self._counts.most_common())

    def errors(self) -> tuple[BatchError, ...]:
        """Return a summary and one entry per cause; nothing if every record was accepted."""
        if not self.failed:
            return ()
        text = f"{self.failed} records rejected, {self.accepted} accepted"
        causes = [BatchError(*cause, count) for cause, count in self.reasons.items()]
        return (BatchError(SUMMARY, text, self.failed), *causes)
