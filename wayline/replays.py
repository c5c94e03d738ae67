"""``wayline replay`` and ``wayline replays``: stitch again, rehearse it, stop it, list what was done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from engine import flow, replaying, schedules
from engine.catalog import replays as records
from engine.catalog.records import Regrouping, ReplayRecord, ReplayStatus
from engine.definitions.values import write_duration
from engine.errors import InputError, WaylineError
from engine.journeys.columns import connection_of
from engine.replaying import Order
from engine.report.moments import instant_of
from engine.status import ConnectionStatus
from engine.world import Home
from wayline.options import HERE, HomeOption, JsonOption, duration, open_home, say
from wayline.output import console, print_error, print_json, print_table, progress_bar, shown
from wayline.quality import tell_alarms

_FACTS = (
    "connection",
    "at",
    "lookback",
    "rows_in_window",
    "rows_changed",
    "persons_before",
    "persons_after",
    "persons_merged",
    "persons_split",
)


def replay(
    connection: Annotated[
        str | None, typer.Argument(help="The connection to restitch; none with --due.")
    ] = None,
    home: HomeOption = HERE,
    lookback: Annotated[
        list[str] | None,
        typer.Option(
            help="How far back, such as 7d. Several with --dry-run. Default: as the connection says."
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(help="The end of the window, UTC or with an offset.", show_default="now"),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would change, for each --lookback.")
    ] = False,
    cancel: Annotated[
        bool, typer.Option("--cancel", help="Stop the replay that another process is at; nothing changes.")
    ] = False,
    due: Annotated[
        bool, typer.Option("--due", help="Do what is due by schedule, in all connections; for cron.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Stitch a window of time again, with what has been learned since, and say what it did.

    Example: wayline replay shop --dry-run --lookback 7d --lookback 14d --lookback 30d

    Example: wayline replay shop --lookback 30d --at 2024-04-01

    Example: wayline replay --due
    """
    _check_options(connection, lookback or [], at, {"--dry-run": dry_run, "--cancel": cancel, "--due": due})
    opened = open_home(home)
    if due:
        _replay_due(opened, json)
    elif cancel:
        _cancel(opened, str(connection), json)
    else:
        windows = [duration(text, "--lookback") for text in lookback or []]
        end = None if at is None else instant_of(at)
        orders = [Order(str(connection), window, end) for window in windows or (None,)]
        if dry_run:
            _rehearse(opened, orders, json)
        else:
            _replay(opened, orders[0], json)


def list_replays(
    connection: Annotated[str | None, typer.Argument(help="Default: every connection.")] = None,
    home: HomeOption = HERE,
    last: Annotated[int, typer.Option(help="How many to show, the newest; 0 shows all.", min=0)] = 20,
    json: JsonOption = False,
) -> None:
    """List the replays that were: for which window, what they changed, how they ended.

    Example: wayline replays shop --last 5
    """
    opened = open_home(home)
    if connection is not None:
        connection_of(opened.current().definitions, connection)
    every = records.listed(opened.catalog, connection)
    found = every[-last:] if last else every
    if json:
        print_json([_record(record) for record in found])
        return
    columns = ["connection", "at (UTC)", "lookback", "rows", "restitched", "people before", "after"]
    rows = [_row(record) for record in found]
    print_table([*columns, "merged", "split", "ended", "schedule"], rows)
    for record in found:
        if record.error is not None:
            console.print(f"{shown(record.at)}: {shown(record.error)}")


def print_schedule(connection: ConnectionStatus) -> None:
    """Say how the last replay of a connection failed, if it did, and when the next one is due."""
    failed = connection.failed_replay
    if failed is not None:
        console.print(f"{connection.name}: the replay of {shown(failed.at)} failed: {shown(failed.error)}")
    due = connection.next_replay
    if due is None:
        return
    if due <= datetime.now(UTC):
        console.print(f"{connection.name}: a replay is due: wayline serve, or wayline replay --due.")
    else:
        console.print(f"{connection.name}: the next replay is due {shown(due)} UTC.")


def _check_options(
    connection: str | None, lookbacks: Sequence[str], at: str | None, modes: dict[str, bool]
) -> None:
    chosen = [option for option, given in modes.items() if given]
    if len(chosen) > 1:
        raise InputError(f"{' and '.join(chosen)} exclude each other", hint="Give one of them.")
    due = modes["--due"]
    if due == (connection is not None):
        problem = "--due takes no connection" if due else "which connection shall be replayed?"
        raise InputError(problem, hint="wayline replay shop, or wayline replay --due")
    if (due or modes["--cancel"]) and (lookbacks or at is not None):
        raise InputError(f"{chosen[0]} takes neither --lookback nor --at", hint="Leave them out.")
    if len(lookbacks) > 1 and not modes["--dry-run"]:
        raise InputError("several --lookback only with --dry-run", hint="A replay has one window.")


def _replay(home: Home, order: Order, json: bool) -> None:
    with progress_bar(not json) as report:
        done = flow.replay(
            home, order.connection, lookback=order.lookback, at=order.at, progress=report, on_wait=say
        )
    if json:
        print_json(_report(done))
        return
    facts = [(name.replace("_", " "), value) for name, value in _facts(done).items()]
    if done.rows_resumed:
        facts.append(("rows resumed", done.rows_resumed))
    print_table(["replay", ""], facts)
    _print_examples([done])
    tell_alarms(home, [order.connection])


def _rehearse(home: Home, orders: Sequence[Order], json: bool) -> None:
    with progress_bar(not json) as report:
        found = replaying.rehearse(home, orders, progress=report)
    if json:
        print_json([_report(record) for record in found])
        return
    facts = [_facts(record) for record in found]
    rows = [(name.replace("_", " "), *(one[name] for one in facts)) for name in _FACTS]
    print_table(["would replay", *("" for _ in found)], rows)
    _print_examples(found)
    console.print("Nothing was changed.")


def _cancel(home: Home, connection: str, json: bool) -> None:
    record = replaying.cancel(home, connection)
    if json:
        print_json(_record(record))
    elif record.status is ReplayStatus.RUNNING:
        console.print(f"The replay of {connection} was asked to stop; it is still at a step.")
    elif record.status is ReplayStatus.DONE:
        console.print(f"The replay of {connection} was done before it could stop.")
    else:
        console.print(f"The replay of {connection} was {record.status}; everything is as before.")


def _replay_due(home: Home, json: bool) -> None:
    with progress_bar(not json) as report:
        outcomes = schedules.run_due(home, progress=report)
    done = [outcome.record for outcome in outcomes if outcome.record is not None]
    if json:
        print_json([_report(record) for record in done])
    elif done:
        print_table(
            [name.replace("_", " ") for name in _FACTS], [tuple(_facts(one).values()) for one in done]
        )
    else:
        console.print("No replay was done." if outcomes else "No replay is due.")
    errors = [outcome.error for outcome in outcomes if outcome.error is not None]
    for error in errors:
        print_error(error if isinstance(error, WaylineError) else WaylineError(str(error)))
    if errors:
        raise typer.Exit(1)


def _facts(record: ReplayRecord) -> dict[str, Any]:
    facts = {name: getattr(record, name) for name in _FACTS}
    return facts | {"lookback": write_duration(record.lookback)}


def _record(record: ReplayRecord) -> dict[str, Any]:
    """Return what is kept of a replay."""
    kept = asdict(record) | {"lookback": write_duration(record.lookback)}
    return {name: value for name, value in kept.items() if name not in ("merges", "splits")}


def _report(record: ReplayRecord) -> dict[str, Any]:
    """Return what a replay reports: numbers, and examples."""
    examples = {name: [asdict(one) for one in getattr(record, name)] for name in ("merges", "splits")}
    return _facts(record) | {"rows_resumed": record.rows_resumed} | examples


def _row(record: ReplayRecord) -> tuple[object, ...]:
    return (
        record.connection,
        record.at,
        write_duration(record.lookback),
        record.rows_in_window,
        record.rows_changed,
        record.persons_before,
        record.persons_after,
        record.persons_merged,
        record.persons_split,
        record.status.value,
        record.schedule,
    )


def _print_examples(found: Sequence[ReplayRecord]) -> None:
    """Show the biggest merges and splits, per window if there are several."""
    for kind, columns in (
        ("merges", ["merged into", "persons before", "rows gained", "such as"]),
        ("splits", ["split", "persons after", "rows lost", "such as"]),
    ):
        rows = [
            ((write_duration(record.lookback),) if len(found) > 1 else ()) + _example(one)
            for record in found
            for one in getattr(record, kind)
        ]
        if rows:
            print_table((["window"] if len(found) > 1 else []) + columns, rows)


def _example(one: Regrouping) -> tuple[object, ...]:
    return (one.person, one.persons, one.rows, ", ".join(one.others))
