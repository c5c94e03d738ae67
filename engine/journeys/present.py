"""The events on which a column has a value: few, for most columns, and so worth a list."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from attribution.rows import marked_rows, mask_at


@dataclass(frozen=True)
class Present:
    """A column without its NULLs.

    Attributes:
        rows: int32[K], ascending.
        times: int64[K], µs UTC.
        values: K values.
    """

    rows: npt.NDArray[np.int32]
    times: npt.NDArray[np.int64]
    values: pa.Array

    @property
    def nbytes(self) -> int:
        """Bytes held, a dictionary's values left out: the column has them anyway."""
        values = self.values.indices if pa.types.is_dictionary(self.values.type) else self.values
        return self.rows.nbytes + self.times.nbytes + int(values.nbytes)

    def within(self, mask: npt.NDArray[np.uint8] | None) -> Present:
        """Return only the events on which a mask of all N events is 1; None keeps all."""
        if mask is None:
            return self
        kept = mask_at(mask, self.rows).view(np.bool_)
        return Present(self.rows[kept], self.times[kept], self.values.filter(pa.array(kept)))


def present(column: pa.Array, times: npt.NDArray[np.int64]) -> Present:
    """Return the events on which a column has a value.

    Args:
        column: N values.
        times: int64[N], µs UTC.
    """
    rows = marked_rows(validity(column).view(np.uint8))
    return Present(rows, times[rows], column.take(pa.array(rows)) if column.null_count else column)


def validity(values: pa.Array) -> npt.NDArray[np.bool_]:
    """Return bool[N]: where a column has a value."""
    if values.null_count == 0:
        return np.ones(len(values), np.bool_)
    bitmap = values.buffers()[0]
    if bitmap is None:
        return np.zeros(len(values), np.bool_)
    last = values.offset + len(values)
    bits = np.unpackbits(np.frombuffer(bitmap, np.uint8), count=last, bitorder="little")
    return bits[values.offset :].view(np.bool_)
