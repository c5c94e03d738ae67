"""``wayline status``: what is in a home."""

from __future__ import annotations

from dataclasses import asdict

from engine import flow
from engine.status import ConnectionStatus
from wayline import replays
from wayline.options import HERE, HomeOption, JsonOption, open_home
from wayline.output import console, print_json, print_table
from wayline.quality import print_alarms


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
