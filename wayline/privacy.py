"""``wayline privacy``: delete identities, prove that they are gone, list what was deleted."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.catalog.privacy import PrivacyRequest, requests
from engine.errors import InputError
from engine.governance import privacy
from engine.governance.identities import parse, read_file
from engine.governance.privacy import Deletion
from engine.governance.proof import Proof, prove
from engine.vacuum import Vacuumed
from engine.vacuum import vacuum as vacuum_home
from wayline.options import HERE, HomeOption, JsonOption, open_home, say
from wayline.output import console, print_json, print_table, progress_bar

privacy_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="""Privacy requests: delete an identity from everything, and prove that it is gone.

    Example: wayline privacy delete Email:ann@example.com --dry-run

    Example: wayline privacy check Email:ann@example.com
    """,
)


@privacy_app.command("delete")
def privacy_delete(
    identity: Annotated[list[str] | None, typer.Argument(help="NAMESPACE:VALUE, as records have it.")] = None,
    file: Annotated[
        Path | None, typer.Option(help="CSV or JSON with namespace and id of more of them.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be deleted.")] = False,
    vacuum: Annotated[
        bool,
        typer.Option("--vacuum", help="Remove the files of older worlds at once, as wayline vacuum does."),
    ] = False,
    home: HomeOption = HERE,
    json: JsonOption = False,
) -> None:
    """Delete identities from datasets, journeys and catalog; what was stitched to them is so no longer.

    Records that carry one go. Events that were only stitched to one fall back to their device. Older
    worlds can no longer be read; their files go with the next vacuum.

    Example: wayline privacy delete Email:ann@example.com CRMID:81 --vacuum

    Example: wayline privacy delete --file requests.csv --dry-run
    """
    texts = [*(identity or ()), *(read_file(file) if file is not None else ())]
    if not texts:
        raise InputError("there is nothing to delete", hint="Name NAMESPACE:VALUE, or --file.")
    wanted = parse(texts)
    opened = open_home(home)
    if dry_run:
        _print_deletion(privacy.plan(opened, wanted), None, json)
        return
    with progress_bar(not json) as report:
        done = privacy.delete(opened, wanted, progress=report, on_wait=say)
        swept = vacuum_home(opened, progress=report, on_wait=say) if vacuum else None
    _print_deletion(done, swept, json)


@privacy_app.command("check")
def privacy_check(
    identity: Annotated[str, typer.Argument(help="NAMESPACE:VALUE, as records have it.")],
    home: HomeOption = HERE,
    json: JsonOption = False,
) -> None:
    """Search every table, text and file of the home for an identity; exit code 1 if it is anywhere.

    Example: wayline privacy check Email:ann@example.com
    """
    [(namespace, values)] = parse([identity]).items()
    with progress_bar(not json) as report:
        proof = prove(open_home(home), namespace, values.pop(), report)
    if json:
        print_json({"absent": not proof.traces, **asdict(proof)})
    else:
        _print_proof(proof, identity)
    if proof.traces:
        raise typer.Exit(1)


@privacy_app.command("list")
def privacy_list(home: HomeOption = HERE, json: JsonOption = False) -> None:
    """List what was deleted: when and how much, never whom.

    Example: wayline privacy list --json
    """
    found = requests(open_home(home).catalog)
    if json:
        print_json([_facts(request) for request in found])
        return
    if not found:
        console.print("Nothing was deleted.")
        return
    print_table(
        ["request", "deleted", "identities", "records", "unstitched", "world", "files gone"],
        [_row(request) for request in found],
    )


def _print_deletion(done: Deletion, swept: Vacuumed | None, json: bool) -> None:
    if json:
        request = None if done.request is None else _facts(done.request)
        told = {name: value for name, value in asdict(done).items() if name != "request"}
        print_json({**told, "request": request, "dry_run": request is None, "vacuumed": swept is not None})
        return
    counts = [("records deleted from", done.erased), ("events unstitched in", done.unstitched)]
    rows = [(f"{what} {name}", count) for what, each in counts for name, count in each.items()]
    if rows:
        print_table(["", "rows" if done.request else "rows that would be"], rows)
    elif not done.texts:
        console.print("No record carries it, and no event is stitched to it.")
    if done.request is None:
        console.print("Nothing was changed.")
        return
    console.print(f"Request {done.request.id} is published as world {done.request.world}.")
    _print_files(done, swept)


def _print_files(done: Deletion, swept: Vacuumed | None) -> None:
    """Say what becomes of the files of older worlds."""
    if swept is None:
        console.print("Files of older worlds go with the next vacuum: wayline vacuum")
    elif swept.pinned:
        machines = ", ".join(sorted({name for names in swept.pinned.values() for name in names}))
        console.print(f"Older worlds are still being read on {machines}; run wayline vacuum after that.")
    elif not done.rewritten:
        console.print("Others had the catalog open; run wayline vacuum once more.")
    else:
        console.print("Files of older worlds are gone.")


def _print_proof(proof: Proof, identity: str) -> None:
    if proof.traces:
        rows = [(trace.place, trace.what, trace.remedy) for trace in proof.traces]
        print_table(["where", "what", "remedy"], rows)
    if proof.deleted is not None:
        console.print(f"{identity} was deleted {proof.deleted:%Y-%m-%d %H:%M:%S} UTC.", markup=False)
    searched = f"{proof.files:,} files, {proof.bytes:,} bytes searched"
    short = "" if proof.raw else "; too short to tell from chance in compressed bytes, so cells were searched"
    verdict = f"{len(proof.traces)} places hold it" if proof.traces else "it is nowhere"
    console.print(f"{searched}: {verdict}{short}.")


def _facts(request: PrivacyRequest) -> dict[str, Any]:
    return {name: value for name, value in asdict(request).items() if name != "erasure"}


def _row(request: PrivacyRequest) -> tuple[object, ...]:
    return (
        request.id,
        request.finished_at,
        request.identities,
        sum(request.erased.values()),
        sum(request.unstitched.values()),
        request.world,
        request.vacuumed_at or "at the next vacuum",
    )
