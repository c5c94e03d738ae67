"""Writes a batch into a dataset: sorted Parquet files as rows stream in, then one commit for all.

Until the commit nothing is visible; a writer that fails removes its files.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa
from deltalake.transaction import AddAction, CommitProperties, Transaction

from engine.definitions.model import DatasetDefinition
from engine.lake import event_ids
from engine.lake.commits import NO_HOOKS, settle
from engine.lake.files import column, write_rows
from engine.lake.opened import opened
from engine.lake.removal import removal_information, removals
from engine.lake.schema import ROW, physical_schema
from engine.lake.table import file_name, latest_version

_ROWS_PER_FILE: Final = 1 << 20
_BYTES_PER_FILE: Final = 1 << 30


class BatchWriter:
    """A batch on its way into a dataset; a context manager. Memory stays at one file's rows.

    Args:
        table: folder of the dataset's table.
        dataset: the dataset's definition.
        batch_id: names the files and the transaction; letters and digits only.
        number: the batch's number, the high half of its row ids.
        order_by: dotted paths of the fields that files are sorted by.
    """

    def __init__(
        self,
        table: Path,
        dataset: DatasetDefinition,
        batch_id: str,
        number: int,
        order_by: Sequence[str],
    ) -> None:
        self._table = table
        self._batch_id = batch_id
        self._number = number
        self._order_by = tuple(order_by)
        self._dataset = dataset
        self._schema = dataset.arrow()
        self._pending: list[pa.Table] = []
        self._actions: list[AddAction] = []
        self._transaction = f"wayline-batch-{batch_id}"
        self._committed = False
        self.rows = 0

    def __enter__(self) -> BatchWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # A commit may have got through although it was reported to fail.
        if not self._committed and not self._is_in_log():
            remove_files(self._table, self._batch_id)

    def write(self, batch: pa.RecordBatch | pa.Table | pl.DataFrame) -> None:
        """Add rows whose columns are the dataset's, in any order; their ordinals follow on."""
        table = _conform(batch, self._schema)
        if table.num_rows == 0:
            return
        first = (self._number << 32) + self.rows
        ids = pa.array(np.arange(first, first + table.num_rows, dtype=np.int64))
        self._pending.append(table.append_column(ROW, ids))
        self.rows += table.num_rows
        if self._is_full():
            self._flush()

    def commit(self, metadata: Mapping[str, str], replaced: Collection[str] = ()) -> int:
        """Write what is pending and commit all files at once; return the new Delta version.

        Args:
            metadata: goes to the commit's information; never an identity.
            replaced: ids of the batches whose files go in the same commit.
        """
        self._flush()
        with opened(self._table) as delta:
            delta.create_write_transaction(
                [*self._actions, *removals(self._table, delta.version(), replaced)],
                mode="append",
                schema=physical_schema(self._schema),
                commit_properties=CommitProperties(
                    custom_metadata={**metadata, **removal_information(replaced), "batch": self._batch_id},
                    app_transactions=[Transaction(self._transaction, 1)],
                ),
                post_commithook_properties=NO_HOOKS,
            )
        self._committed = True
        return settle(self._table, latest_version(self._table))

    def _is_in_log(self) -> bool:
        with opened(self._table) as delta:
            return delta.transaction_version(self._transaction) is not None

    def _is_full(self) -> bool:
        rows = sum(int(table.num_rows) for table in self._pending)
        size = sum(int(table.nbytes) for table in self._pending)
        return rows >= _ROWS_PER_FILE or size >= _BYTES_PER_FILE

    def _flush(self) -> None:
        if not self._pending:
            return
        rows = pa.concat_tables(self._pending)
        self._pending.clear()
        name = file_name(self._number, self._batch_id, len(self._actions))
        ordered = _sorted(rows, self._order_by)
        self._actions.append(write_rows(self._table, name, ordered, self._dataset))


def remove_files(table: Path, batch_id: str) -> None:
    """Remove the files of a batch that was never committed."""
    for path in table.glob(f"*-{batch_id}-*.parquet"):
        event_ids.remove(path)
        path.unlink()


def _conform(batch: pa.RecordBatch | pa.Table | pl.DataFrame, schema: pa.Schema) -> pa.Table:
    if isinstance(batch, pl.DataFrame):
        batch = batch.to_arrow()
    table = pa.Table.from_batches([batch]) if isinstance(batch, pa.RecordBatch) else batch
    return table.select(schema.names).cast(schema)


def _sorted(rows: pa.Table, order_by: Sequence[str]) -> pa.Table:
    if not order_by:
        return rows
    keys = [column(rows, path) for path in order_by]
    frame = pl.DataFrame([pl.Series(str(index), key) for index, key in enumerate(keys)])
    order = frame.select(pl.arg_sort_by(frame.columns, maintain_order=True)).to_series()
    return rows.take(order.to_arrow())
