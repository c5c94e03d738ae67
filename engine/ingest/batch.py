"""Ingests files as one batch of a dataset: read, convert, check, reject, then one lake commit.

The commit makes the batch part of the lake; publishing it to readers is the caller's next step.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from engine.catalog.records import BatchError, BatchRecord, BatchStatus
from engine.catalog.store import Catalog
from engine.definitions.model import DatasetDefinition, Definitions, IdentityReference
from engine.errors import InputError, UnknownNameError, WaylineError, did_you_mean
from engine.ingest.accept import accept
from engine.ingest.block import Block, prefetched
from engine.ingest.csv_reader import read_csv
from engine.ingest.diagnostics import BAD_BATCH, Diagnostics
from engine.ingest.ending import active_batches, ended
from engine.ingest.formats import FileKind, FormatOptions, SourceFile, source_file
from engine.ingest.json_reader import read_json
from engine.ingest.parquet_reader import read_parquet
from engine.ingest.report import BatchFailedError, BatchReport
from engine.lake.batch import BatchWriter, remove_files
from engine.world import Lease

Reader = Callable[[SourceFile, DatasetDefinition, FormatOptions], Iterator[Block]]
Progress = Callable[[int, int, int], None]

_READERS: Final[Mapping[FileKind, Reader]] = {
    FileKind.CSV: read_csv,
    FileKind.TSV: read_csv,
    FileKind.JSON: read_json,
    FileKind.PARQUET: read_parquet,
}


def ingest(
    lease: Lease,
    dataset: str,
    files: Sequence[Path | str],
    *,
    reject_limit_percent: float = 0.0,
    replaces: Sequence[int] = (),
    progress: Progress | None = None,
    options: FormatOptions | None = None,
) -> BatchReport:
    """Write files into a dataset as one batch.

    Args:
        lease: proof that nobody else writes.
        dataset: the dataset's name.
        files: files to read, in this order.
        reject_limit_percent: how many of the records may be rejected, in per cent, inclusive.
        replaces: numbers of active batches of the dataset that go in the same commit.
        progress: called with bytes done, bytes in total and records read.
        options: how to read the files.

    Raises:
        UnknownNameError: there is no such dataset, or no such batch to replace.
        BatchFailedError: too many records were rejected; nothing was written.
        InputError: a file cannot be read or does not fit the schema; nothing was written.
    """
    if not 0 <= reject_limit_percent <= 100:
        raise InputError(f"a reject limit of {reject_limit_percent} percent is not from 0 to 100")
    options = options or FormatOptions()
    definitions = lease.home.current().definitions
    definition = dataset_of(definitions, dataset)
    sources = [source_file(file, options.kind) for file in files]
    names = [str(source.path) for source in sources]
    catalog, diagnostics = lease.home.catalog, Diagnostics()
    replaced = active_batches(catalog, dataset, replaces)
    record = catalog.start_batch(uuid.uuid4().hex, dataset, names)
    table, order_by = lease.home.dataset_path(dataset), sort_fields(definitions, dataset)
    try:
        with (
            BatchWriter(table, definition, record.id, record.number, order_by) as writer,
            closing(_blocks(sources, definition, options, progress)) as blocks,
        ):
            _write(blocks, definition, writer, diagnostics, reject_limit_percent)
            _check_limit(_counted(record, diagnostics), diagnostics, reject_limit_percent)
            done = _commit(catalog, writer, _counted(record, diagnostics), diagnostics, replaced)
    except BaseException as error:
        _save(catalog, _failed(record, diagnostics, error), diagnostics)
        raise
    gone = tuple(ended(batch, replaced_by=record.number) for batch in replaced)
    return BatchReport(done, diagnostics.rejects, diagnostics.reasons, gone)


def abandon_unfinished(lease: Lease) -> list[BatchRecord]:
    """Mark batches that a dead process left behind as failed, remove their files, return them.

    Batches whose commit is in the lake must have been published before.
    """
    catalog = lease.home.catalog
    left = catalog.batches(status=BatchStatus.LOADING)
    for record in left:
        remove_files(lease.home.dataset_path(record.dataset), record.id)
        failed = replace(record, status=BatchStatus.FAILED, finished_at=datetime.now(UTC))
        with catalog.writing() as connection:
            catalog.save_batch(connection, failed)
    return left


def sort_fields(definitions: Definitions, dataset: str) -> tuple[str, ...]:
    """Return the fields by which a dataset's files are sorted: its device or person, then time."""
    definition = definitions.datasets[dataset]
    owners: list[IdentityReference | None] = [definition.key]
    for connection in definitions.connections.values():
        part = connection.datasets.get(dataset)
        if part is not None:
            owners.append(part.stitching.persistent_id if part.stitching else part.person_id)
    owners += [path for path, field in definition.leaves().items() if field.identity]
    # Files are sorted by single values only, not by what is in a map.
    owner = next((path for path in owners if isinstance(path, str)), None)
    return tuple(path for path in (owner, definition.timestamp) if path is not None)


def dataset_of(definitions: Definitions, dataset: str) -> DatasetDefinition:
    """Return a dataset's definition; UnknownNameError if there is none."""
    found = definitions.datasets.get(dataset)
    if found is None:
        hint = did_you_mean(dataset, definitions.datasets)
        raise UnknownNameError(f'there is no dataset "{dataset}"', hint=hint)
    return found


def _blocks(
    sources: Sequence[SourceFile],
    definition: DatasetDefinition,
    options: FormatOptions,
    progress: Progress | None,
) -> Generator[Block]:
    sizes = [source.path.stat().st_size for source in sources]
    rows = 0
    for index, source in enumerate(sources):
        for block in prefetched(_READERS[source.kind](source, definition, options)):
            yield block
            rows += len(block.lines) + len(block.rejects)
            if progress is not None:
                progress(sum(sizes[:index]) + block.position, sum(sizes), rows)


def _write(
    blocks: Iterator[Block],
    definition: DatasetDefinition,
    writer: BatchWriter,
    diagnostics: Diagnostics,
    limit: float,
) -> None:
    for block in blocks:
        rows = accept(block, definition.fields, diagnostics)
        # A batch that is bound to fail is only read on for its diagnostics.
        if limit > 0 or diagnostics.failed == 0:
            writer.write(rows)


def _counted(record: BatchRecord, diagnostics: Diagnostics) -> BatchRecord:
    accepted, failed = diagnostics.accepted, diagnostics.failed
    return replace(
        record,
        finished_at=datetime.now(UTC),
        input_records=accepted + failed,
        output_records=accepted,
        failed_records=failed,
        errors=diagnostics.errors(),
    )


def _check_limit(record: BatchRecord, diagnostics: Diagnostics, limit: float) -> None:
    if record.failed_records * 100 > limit * record.input_records:
        failed = _failed(record, diagnostics, None)
        raise BatchFailedError(BatchReport(failed, diagnostics.rejects, diagnostics.reasons))


def _commit(
    catalog: Catalog,
    writer: BatchWriter,
    record: BatchRecord,
    diagnostics: Diagnostics,
    replaced: Sequence[BatchRecord],
) -> BatchRecord:
    """Commit a batch in place of others; return its finished record."""
    # Counts come first: a batch found in the lake after a crash can then be published.
    _save(catalog, record, diagnostics)
    version = writer.commit({"records": str(record.output_records)}, [batch.id for batch in replaced])
    return replace(record, status=BatchStatus.SUCCESS, version=version)


def _failed(record: BatchRecord, diagnostics: Diagnostics, error: BaseException | None) -> BatchRecord:
    counted = replace(_counted(record, diagnostics), status=BatchStatus.FAILED, output_records=0)
    if error is None or isinstance(error, BatchFailedError):
        return counted
    message = str(error) if isinstance(error, WaylineError) else f"stopped: {error!r}"
    return replace(counted, errors=(BatchError(BAD_BATCH, message, 0), *counted.errors))


def _save(catalog: Catalog, record: BatchRecord, diagnostics: Diagnostics) -> None:
    with catalog.writing() as connection:
        catalog.save_batch(connection, record)
        catalog.save_rejects(connection, record.id, diagnostics.rejects)
