"""Commands for the worlds of a home: list them, return to one, give back space, back up and restore."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final

import typer

from engine import backup as copies
from engine.history import PastWorld, history
from engine.rollback import roll_back
from engine.vacuum import KEEP, Vacuumed
from engine.vacuum import vacuum as vacuum_home
from wayline.options import HERE, HomeOption, JsonOption, duration, open_home, say
from wayline.output import console, print_json, print_table, progress_bar

_UNITS: Final = ("B", "kB", "MB", "GB", "TB")


def worlds(
    home: HomeOption = HERE,
    last: Annotated[int, typer.Option(help="How many to show, the newest; 0 shows all.", min=0)] = 20,
    json: JsonOption = False,
) -> None:
    """List what was published when, why, and what can be returned to.

    Example: wayline worlds --last 5
    """
    every = history(open_home(home))
    shown = every[-last:] if last else every
    if json:
        print_json([asdict(world) for world in shown])
        return
    columns = ["world", "published (UTC)", "cause", "changed", "restorable", "read by"]
    print_table(columns, [_row(world) for world in shown])
    if len(shown) < len(every):
        console.print(f"{len(every) - len(shown)} older ones: wayline worlds --last 0")


def _row(world: PastWorld) -> tuple[object, ...]:
    changed = ", ".join(world.changed) or None
    readers = world.readers or None
    # As text: an id is not a number to be grouped by thousands.
    return str(world.id), world.published_at, world.cause, changed, world.restorable, readers


def rollback(
    world: Annotated[int, typer.Argument(help="The world to return to; wayline worlds lists them.")],
    home: HomeOption = HERE,
    json: JsonOption = False,
) -> None:
    """Show again exactly what an older world showed: data, persons, definitions.

    Nothing is lost: the rollback is a new world, and the newer ones can be returned to as well.

    Example: wayline rollback 12 --home my-home
    """
    opened = open_home(home)
    with progress_bar(not json) as report:
        published = roll_back(opened, world, progress=report, on_wait=say)
    if json:
        print_json({"world": published.id, "shows": world, "cause": published.cause})
        return
    console.print(f"World {published.id} shows what world {world} showed.")


def vacuum(
    home: HomeOption = HERE,
    keep: Annotated[
        str, typer.Option(help="How long a world can be returned to after it was replaced, such as 7d; or 0.")
    ] = f"{KEEP.days}d",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    release: Annotated[
        list[str] | None,
        typer.Option("--release", help="A machine that reads no more: what its processes pinned may go."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Remove files that no world needs which is the newest, young, or being read.

    Example: wayline vacuum --keep 14d --dry-run
    """
    opened = open_home(home)
    with progress_bar(not json) as report:
        done = vacuum_home(
            opened,
            keep=_keep(keep),
            dry_run=dry_run,
            release=release or (),
            progress=report,
            on_wait=say,
        )
    if json:
        print_json({"dry_run": dry_run, "files": done.files, "bytes": done.bytes, **asdict(done)})
    else:
        _print_vacuum(done, dry_run=dry_run)


def _keep(text: str) -> timedelta:
    return timedelta() if re.fullmatch(r"0+\s*[smhdw]?", text.strip()) else duration(text, "--keep")


def _print_vacuum(done: Vacuumed, *, dry_run: bool) -> None:
    if done.removed:
        rows = [(table.table, table.files, size(table.bytes)) for table in done.removed]
        print_table(["table", "files", "size"], rows)
    would = "Would remove" if dry_run else "Removed"
    console.print(f"{would} {done.files:,} files, {size(done.bytes)}.")
    gone = f"Worlds that {'would go' if dry_run else 'went'}: {len(done.gone)}"
    console.print(f"{gone}; that can be returned to: {len(done.kept)}.")
    if done.deleted:
        names = ", ".join(f"{dataset} {number}" for dataset, number in done.deleted)
        console.print(f"{'Would be deleted' if dry_run else 'Deleted'} for good: batches {names}.")
    for world, machines in done.pinned.items():
        console.print(f"World {world} stays because it is being read on {', '.join(machines)}.")


def backup(
    target: Annotated[Path, typer.Argument(help="The folder to make.")],
    home: HomeOption = HERE,
    json: JsonOption = False,
) -> None:
    """Copy the newest world of a home into a new folder, while others read and write.

    Example: wayline backup /backups/2026-03-01 --home my-home
    """
    with progress_bar(not json) as report:
        done = copies.backup(open_home(home), target, progress=report)
    _print_copy(done, "Backed up", json)


def restore(
    backup: Annotated[Path, typer.Argument(help="The folder that wayline backup made.")],
    home: Annotated[Path, typer.Argument(help="The home to make; must not exist yet.")],
    json: JsonOption = False,
) -> None:
    """Make a new home from a backup, with every file checked.

    Example: wayline restore /backups/2026-03-01 restored-home
    """
    with progress_bar(not json) as report:
        done = copies.restore(backup, home, progress=report)
    _print_copy(done, "Restored", json)


def _print_copy(done: copies.Copied, what: str, json: bool) -> None:
    if json:
        print_json(asdict(done))
        return
    moment = f"{done.published_at:%Y-%m-%d %H:%M:%S} UTC"
    console.print(f"{what} world {done.world}, published {moment}: {done.files:,} files, {size(done.bytes)}.")
    console.print(f"It is in {done.folder}.")


def size(count: int) -> str:
    """Return a number of bytes as a person reads it, such as ``1.5 MB``."""
    value, unit = float(count), 0
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.0f} {_UNITS[unit]}" if unit == 0 or value >= 99.95 else f"{value:.1f} {_UNITS[unit]}"
