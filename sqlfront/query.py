"""The contract between the wire session and whatever answers a statement: a planned query.

The data-view planner and the catalogs both return queries; a session only knows this shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from engine.cancellation import Cancellation


@dataclass(frozen=True)
class ResultColumn:
    """A column of an answer: its name as PostgreSQL would give it, and its Arrow type."""

    name: str
    type: pa.DataType


class Query(Protocol):
    """A planned statement that can run any number of times with different parameter values."""

    @property
    def columns(self) -> tuple[ResultColumn, ...]:
        """The answer's columns, known before it runs."""

    @property
    def parameters(self) -> tuple[pa.DataType, ...]:
        """Types of ``$1``, ``$2``, …: given by the client or inferred."""

    def run(self, values: Sequence[object], cancellation: Cancellation) -> pa.RecordBatchReader:
        """Run it in the calling thread and stream the answer; values are Python values or None."""
