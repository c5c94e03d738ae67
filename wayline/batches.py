"""``wayline batch``: list the batches of a dataset, and take one back."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from engine import batches
from engine.catalog.records import BatchRecord, BatchStatus
from wayline.options import HERE, HomeOption, JsonOption, open_home, say
from wayline.output import console, print_json, print_table, progress_bar

batch_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="""Batches of a dataset: list them, take one back.

    Example: wayline batch list web

    Example: wayline batch revert web 3
    """,
)
DatasetArgument = Annotated[str, typer.Argument(help="The dataset.")]
NumberArgument = Annotated[int, typer.Argument(help="The batch's number: wayline batch list DATASET.")]


@batch_app.command("list")
def batch_list(dataset: DatasetArgument, home: HomeOption = HERE, json: JsonOption = False) -> None:
    """List the batches of a dataset: number, status, records, and what became of them.

    Example: wayline batch list web --json
    """
    found = batches.batches(open_home(home), dataset)
    if json:
        print_json([_facts(record) for record in found])
        return
    if not found:
        console.print(f"{dataset} has no batches.")
        return
    print_table(
        ["batch", "status", "records", "rejected", "files", "taken", "ended", "replaced by"],
        [_row(record) for record in found],
    )


@batch_app.command("revert")
def batch_revert(
    dataset: DatasetArgument, number: NumberArgument, home: HomeOption = HERE, json: JsonOption = False
) -> None:
    """Take a batch back: out of its dataset and of all journeys, at once for every reader.

    Older worlds still show it until a vacuum after the retention time.

    Example: wayline batch revert web 3
    """
    with progress_bar(not json) as report:
        gone = batches.revert(open_home(home), dataset, number, progress=report, on_wait=say)
    _print_gone(gone, json, "Its files stay for older worlds until a vacuum removes them.")


@batch_app.command("delete")
def batch_delete(
    dataset: DatasetArgument, number: NumberArgument, home: HomeOption = HERE, json: JsonOption = False
) -> None:
    """Revert a batch, and let the next vacuum remove its files whatever the retention time.

    A batch that is inactive already is marked for that vacuum.

    Example: wayline batch delete web 3
    """
    with progress_bar(not json) as report:
        gone = batches.delete(open_home(home), dataset, number, progress=report, on_wait=say)
    _print_gone(gone, json, "The next vacuum removes its files.")


def _print_gone(record: BatchRecord, json: bool, files: str) -> None:
    if json:
        print_json(_facts(record))
    else:
        gone = f"Batch {record.number} of {record.dataset} ({record.output_records:,} records)"
        console.print(f"{gone} is inactive. {files}")


def _facts(record: BatchRecord) -> dict[str, Any]:
    return {
        "dataset": record.dataset,
        "batch": record.number,
        "status": record.status.value,
        "input": record.input_records,
        "output": record.output_records,
        "failed": record.failed_records,
        "files": list(record.files),
        "started_at": record.started_at,
        "finished_at": record.finished_at,
        "ended_at": record.ended_at,
        "replaced_by": record.replaced_by,
        "purge": record.purge,
    }


def _status(record: BatchRecord) -> str:
    waits = record.purge and record.status is BatchStatus.INACTIVE
    return f"{record.status.value}, to be purged" if waits else record.status.value


def _row(record: BatchRecord) -> tuple[object, ...]:
    return (
        record.number,
        _status(record),
        record.output_records,
        record.failed_records,
        len(record.files),
        record.finished_at,
        record.ended_at,
        record.replaced_by,
    )
