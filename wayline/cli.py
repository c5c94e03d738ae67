"""The command line: one command per task, a table for people, ``--json`` for machines.

Every command ends in one line on standard error and a non-zero exit code if it cannot do its work.
"""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from deltalake.exceptions import DeltaError
from sqlalchemy.exc import DatabaseError

from engine import flow
from engine.applying import segment_problems
from engine.definitions import project
from engine.errors import HomeError, UnknownNameError, WaylineError
from engine.ingest.batch import dataset_of
from engine.ingest.formats import FormatOptions
from engine.ingest.infer import infer
from engine.ingest.report import BatchReport
from engine.ingest.schema_text import schema_yaml
from engine.report.moments import instant_of
from engine.status import ConnectionStatus
from engine.world import Home
from sqlfront.settings import IDENTITY_AS_OF
from sqlfront.sqlstate import to_wayline_error
from sqlfront.users import add_user
from wayline import replays, upkeep, worlds
from wayline.batches import batch_app
from wayline.diff import diff
from wayline.explain import explain
from wayline.grants import grant, revoke
from wayline.graph import graph_app
from wayline.options import HERE, AsOfOption, CsvOption, HomeOption, JsonOption, MemoryOption, open_home, say
from wayline.output import console, print_csv, print_error, print_json, print_table, progress_bar
from wayline.person_of import person_of
from wayline.privacy import privacy_app
from wayline.quality import print_alarms, quality, tell_alarms
from wayline.roles import role_app
from wayline.serve import serve
from wayline.tokens import token_app
from wayline.users import new_password, user_app

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="""Customer-journey analytics: events in, persons stitched, answers in SQL.

    A new home in four steps:

    wayline init my-home

    wayline apply project.yaml --home my-home

    wayline ingest web events/*.parquet --home my-home

    wayline serve --home my-home
    """,
)
schema_app = typer.Typer(no_args_is_help=True, help="Schemas of files.")
app.add_typer(schema_app, name="schema")
app.add_typer(user_app, name="user")
app.add_typer(role_app, name="role")
app.add_typer(token_app, name="token")
app.command()(grant)
app.command()(revoke)
for world_command in (worlds.worlds, worlds.rollback, worlds.vacuum, worlds.backup, worlds.restore):
    app.command()(world_command)
app.command()(diff)
app.command()(explain)
app.command()(quality)
app.command()(replays.replay)
app.command("replays")(replays.list_replays)
app.command()(person_of)
app.command()(serve)
app.command()(upkeep.compact)
app.command()(upkeep.rebuild)
app.add_typer(batch_app, name="batch")
app.add_typer(graph_app, name="graph")
app.add_typer(privacy_app, name="privacy")


class FileFormat(StrEnum):
    """Formats of generated web events."""

    PARQUET = "parquet"
    CSV = "csv"
    JSONL = "jsonl"


DEFAULT_USER = "analyst"


def main() -> NoReturn:
    """Run a command; what a user can mend is one line and exit code 1."""
    try:
        app()
    except WaylineError as error:
        print_error(error)
        sys.exit(1)
    except RecursionError as error:
        print_error(to_wayline_error(error))
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except (OSError, DeltaError, DatabaseError) as error:
        print_error(_of_the_disk(error))
        sys.exit(1)
    sys.exit(0)


def _of_the_disk(error: Exception) -> HomeError:
    """Say in one line what the disk refused: a path that cannot be written, a home with files missing."""
    told = error.orig if isinstance(error, DatabaseError) else error
    return HomeError(
        str(told).partition("\n")[0],
        hint="Check the path, its permissions and free space; a home whose files are gone needs its backup.",
    )


@app.command()
def init(
    home: Annotated[Path, typer.Argument(help="The folder to make.")],
    json: JsonOption = False,
) -> None:
    """Make a new home with a first SQL user, whose password is shown once.

    Example: wayline init my-home
    """
    created = Home.create(home)
    password = new_password()
    add_user(created.catalog, DEFAULT_USER, password)
    if json:
        print_json({"home": created.root, "user": DEFAULT_USER, "password": password})
        return
    console.print(f"Made a home in {created.root}.")
    console.print(f"SQL user [bold]{DEFAULT_USER}[/], password [bold]{password}[/] (not shown again).")
    console.print(f"Next: wayline apply project.yaml --home {shlex.quote(str(home))}", markup=False)


@app.command()
def apply(
    file: Annotated[Path, typer.Argument(help="YAML with datasets, connections, data_views.")],
    home: HomeOption = HERE,
    json: JsonOption = False,
) -> None:
    """Apply the definitions in a project file; what it does not name stays as it is.

    Example: wayline apply project.yaml --home my-home
    """
    opened = open_home(home)
    known = opened.current().definitions
    definitions = project.load(file, known, then=(segment_problems,))
    with progress_bar(not json) as report:
        applied = flow.apply(opened, project.merge(known, definitions), progress=report, on_wait=say)
    if json:
        print_json(asdict(applied))
        return
    for change, names in asdict(applied).items():
        for name in names:
            console.print(f"{change}: {name}")
    if applied == flow.Applied():
        console.print("Nothing to change.")


@schema_app.command("infer")
def schema_infer(
    file: Annotated[Path, typer.Argument(help="CSV, JSON lines or Parquet.")],
) -> None:
    """Print a dataset definition that fits a file, to be checked and put into a project file.

    Example: wayline schema infer events.csv > project.yaml
    """
    sys.stdout.write(schema_yaml(infer(file)))


@app.command()
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


@app.command()
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


@app.command()
def status(home: HomeOption = HERE, json: JsonOption = False) -> None:
    """Show what is in a home: datasets, connections, persons, the last replay.

    Example: wayline status --home my-home
    """
    opened = open_home(home)
    found = flow.status(opened)
    if json:
        print_json({"home": opened.root, **asdict(found)})
        return
    published = f"{found.published_at:%Y-%m-%d %H:%M:%S} UTC"
    console.print(f"{opened.root}: world {found.world}, published {published} ({found.cause})")
    print_table(
        ["dataset", "kind", "rows", "batches", "rejected", "failed batches", "last batch"],
        [
            (d.name, d.kind, d.rows, d.batches, d.rejects, d.failed_batches, d.last_batch_at)
            for d in found.datasets
        ],
    )
    print_table(
        ["connection", "persons", "events", "stitched", "runs", "last replay", "skipped"],
        [_connection_row(connection) for connection in found.connections],
    )
    for connection in found.connections:
        print_alarms(connection.name, connection.alarms)
        replays.print_schedule(connection)


def _connection_row(connection: ConnectionStatus) -> tuple[object, ...]:
    rate, last = connection.stitched_rate, connection.last_replay
    return (
        connection.name,
        connection.persons,
        connection.events,
        None if rate is None else f"{rate:.1%}",
        connection.runs,
        None if last is None else last.at,
        sum(connection.skips.values()),
    )


@app.command()
def sql(
    statement: Annotated[str, typer.Argument(help="One SQL statement.")],
    home: HomeOption = HERE,
    json: JsonOption = False,
    csv: CsvOption = False,
    as_of: AsOfOption = None,
    memory_limit: MemoryOption = None,
) -> None:
    """Ask one question without a server.

    Example: wayline sql "SELECT channel, SUM(revenue) FROM shop GROUP BY channel"

    Example: wayline sql "SELECT SUM(visitors) FROM shop" --as-of 2026-03-01
    """
    from wayline.serving import ask

    instant = instant_of(as_of) if as_of else None
    settings = {} if instant is None else {IDENTITY_AS_OF: instant.isoformat()}
    columns, rows = ask(open_home(home), statement, settings)
    if json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    elif csv:
        print_csv(columns, rows)
    else:
        print_table(columns, rows)


@app.command()
def generate(
    folder: Annotated[Path, typer.Argument(help="Where to write the files.")],
    events: Annotated[int, typer.Option(help="Web events; calls come on top.", min=1_000)] = 100_000,
    seed: Annotated[int, typer.Option(help="The same seed makes the same data.")] = 1,
    file_format: Annotated[
        FileFormat, typer.Option("--format", help="Of the web events; CSV goes without the array of items.")
    ] = FileFormat.PARQUET,
    json: JsonOption = False,
) -> None:
    """Write demo data of a web shop: visits, logins, orders, calls, customers, products, and a project file.

    Example: wayline generate shop-data --events 1000000 --seed 7
    """
    from wayline import generate as demo_data

    with progress_bar(not json) as report:
        made = demo_data.generate(
            folder,
            events=events,
            seed=seed,
            format=file_format.value,
            progress=lambda done, total: report("generating", done, total),
        )
    if json:
        print_json({"files": made.files, "counts": made.counts})
        return
    print_table(
        ["dataset", "files", "records"],
        [(name, len(files), made.counts[name]) for name, files in made.files.items()],
    )


@app.command()
def demo(
    folder: Annotated[Path, typer.Option(help="Where to put the demo's home.")] = Path("wayline-demo"),
    events: Annotated[int, typer.Option(help="Web events to generate.", min=1_000)] = 200_000,
    seed: Annotated[int, typer.Option(help="The same seed makes the same data.")] = 1,
    port: Annotated[int, typer.Option(help="Port to serve on; 0 takes any free one.")] = 5442,
    once: Annotated[
        bool, typer.Option("--once", help="End after the answers instead of serving on.")
    ] = False,
) -> None:
    """Show the main job on generated data: ingest, stitch, replay, ask over the wire.

    Example: wayline demo --once
    """
    from wayline.demo import run_demo

    run_demo(folder, events=events, seed=seed, port=port, once=once)
