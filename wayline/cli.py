"""The command line: one command per task, a table for people, ``--json`` for machines.

Every command ends in one line on standard error and a non-zero exit code if it cannot do its work.
"""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from deltalake.exceptions import DeltaError
from sqlalchemy.exc import DatabaseError

from engine import flow
from engine.applying import segment_problems
from engine.definitions import project
from engine.errors import HomeError, WaylineError
from engine.ingest.infer import infer
from engine.ingest.schema_text import schema_yaml
from engine.report.moments import instant_of
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
from wayline.ingesting import ingest, rejects
from wayline.options import HERE, AsOfOption, CsvOption, HomeOption, JsonOption, MemoryOption, open_home, say
from wayline.output import console, print_csv, print_error, print_json, print_table, progress_bar
from wayline.person_of import person_of
from wayline.privacy import privacy_app
from wayline.quality import quality
from wayline.roles import role_app
from wayline.serve import serve
from wayline.shop import demo, generate
from wayline.status import status
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
app.add_typer(batch_app, name="batch")
app.add_typer(graph_app, name="graph")
app.add_typer(privacy_app, name="privacy")


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


for everyday in (ingest, rejects, status):
    app.command()(everyday)


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


for command in (
    *(serve, replays.replay, person_of, explain, quality, diff, grant, revoke),
    *(worlds.worlds, worlds.rollback, worlds.vacuum, worlds.backup, worlds.restore),
    *(upkeep.compact, upkeep.rebuild, demo, generate),
):
    app.command()(command)
app.command("replays")(replays.list_replays)
