"""``wayline ingest`` and ``wayline rejects``: files become a batch, and what of them was not taken."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from engine import flow
from engine.errors import UnknownNameError
from engine.ingest.batch import dataset_of
from engine.ingest.formats import FormatOptions
from engine.ingest.report import BatchReport
from wayline.options import HERE, HomeOption, JsonOption, open_home, say
from wayline.output import console, print_json, print_table, progress_bar
from wayline.quality import tell_alarms


def ingest(
    dataset: Annotated[str, typer.Argument(help="The dataset that the files belong to.")],
    files: Annotated[list[Path], typer.Argument(help="CSV, JSON lines or Parquet, also .gz.")],
    home: HomeOption = HERE,
    reject_limit: Annotated[
        float, typer.Option(help="Percent of bad records that a batch may have before all of it fails.")
    ] = 0.0,
    ignore_unknown: Annotated[
        bool, typer.Option("--ignore-unknown", help="Leave out columns that the schema does not have.")
    ] = False,
    delimiter: Annotated[str | None, typer.Option(help="Of CSV files, if not a comma.")] = None,
    replace: Annotated[
        list[int] | None,
        typer.Option(help="Number of a batch that this one replaces; may be given several times."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Take files into a dataset as one batch: all or nothing, bad records kept with their reasons.

    Example: wayline ingest web day-1.parquet day-2.parquet --reject-limit 5

    Example: wayline ingest web day-1-mended.parquet --replace 1
    """
    opened = open_home(home)
    with progress_bar(not json) as report:
        batch = flow.ingest(
            opened,
            dataset,
            files,
            reject_limit_percent=reject_limit,
            replaces=replace or (),
            options=FormatOptions(ignore_unknown=ignore_unknown, delimiter=delimiter),
            progress=lambda done, total, _: report("reading", done, total),
            journey_progress=report,
            on_wait=say,
        )
    _print_batch(dataset, batch, json)
    if not json:
        parts = opened.current().definitions.connections
        tell_alarms(opened, [name for name, connection in parts.items() if dataset in connection.datasets])


def _print_batch(dataset: str, batch: BatchReport, json: bool) -> None:
    if json:
        print_json(
            {
                "dataset": dataset,
                "batch": batch.number,
                "input": batch.input,
                "output": batch.output,
                "failed": batch.failed,
                "replaced": [record.number for record in batch.replaced],
                "reasons": [
                    {"code": code, "reason": reason, "records": count}
                    for (code, reason), count in batch.reasons.items()
                ],
            }
        )
        return
    console.print(
        f"Batch {batch.number} of {dataset}: {batch.output:,} of {batch.input:,} records taken, "
        f"{batch.failed:,} rejected."
    )
    if batch.replaced:
        numbers = ", ".join(str(record.number) for record in batch.replaced)
        console.print(f"It replaces {numbers}.")
    if batch.reasons:
        rows = [(code, reason, count) for (code, reason), count in batch.reasons.items()]
        print_table(["code", "reason", "records"], rows)
        console.print(f"The records: wayline rejects {dataset} --batch {batch.number}")


def rejects(
    dataset: Annotated[str, typer.Argument(help="The dataset.")],
    batch: Annotated[int | None, typer.Option(help="Number of the batch. Default: the last one.")] = None,
    home: HomeOption = HERE,
    json: JsonOption = False,
) -> None:
    """Show the records that a batch did not take: file, line, code, reason, and the record itself.

    Example: wayline rejects calls --batch 1
    """
    opened = open_home(home)
    catalog = opened.catalog
    batches = {record.number: record for record in catalog.batches(dataset)}
    if not batches:
        dataset_of(opened.current().definitions, dataset)
    wanted = max(batches, default=None) if batch is None else batch
    if wanted not in batches:
        raise UnknownNameError(
            f'dataset "{dataset}" has no batch{"" if batch is None else f" {batch}"}',
            hint=f"It has batches 1 to {max(batches)}." if batches else f"wayline ingest {dataset} FILE …",
        )
    found = catalog.rejects(batches[wanted].id)
    if json:
        print_json([asdict(reject) for reject in found])
        return
    console.print(f"Batch {wanted} of {dataset}: {batches[wanted].failed_records:,} rejected records.")
    if found:
        columns = list(asdict(found[0]))
        print_table(columns, [tuple(asdict(reject).values()) for reject in found])
