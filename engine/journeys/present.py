"""The events on which a column has a value: few, for most columns, and so worth a list."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from attribution.rows import marked_rows


@dataclass(frozen=True)
class Present:
    """A column without its NULLs.

    Attributes:
        rows: int32[K], ascending.
        values: K values.
    """

    rows: npt.NDArray[np.int32]
    values: pa.Array

    @property
    def nbytes(self) -> int:
        """Bytes held, a dictionary's values left out: the column has them anyway."""
        values = self.values.indices if pa.types.is_dictionary(self.values.type) else self.values
        return self.rows.nbytes + int(values.nbytes)


def present(column: pa.Array) -> Present:
    """Return the rows of a column that have a value, and the values."""
    rows = marked_rows(validity(column).view(np.uint8))
    return Present(rows, column if column.null_count == 0 else column.take(pa.array(rows)))


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
