"""``wayline explain``: one person's events, and the credit that each got."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

import typer

from engine.cancellation import Cancellation
from engine.dataview.components import DataView, data_view
from engine.report.keeping import persistence_of
from engine.report.moments import instant_of, range_of
from engine.report.person import COLUMNS, CreditRequest, credit_of_person
from wayline.options import HERE, AsOfOption, CsvOption, HomeOption, JsonOption, MemoryOption, open_home
from wayline.output import console, print_csv, print_json, print_table, shown

Row = Mapping[str, Any]


def explain(
    view: Annotated[str, typer.Argument(help="The data view.")],
    person: Annotated[str, typer.Option(help="The person's id, as adobe_personid shows it.")],
    metric: Annotated[str, typer.Option(help="The metric to explain.")],
    dimension: Annotated[
        str | None, typer.Option(help="By what it is grouped. Default: the total.", show_default=False)
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", help="Start of the report, in the view's time zone.")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", help="Its end, not included.")] = None,
    brief: Annotated[
        bool, typer.Option("--brief", help="Leave out events that have no part in the number.")
    ] = False,
    as_of: AsOfOption = None,
    home: HomeOption = HERE,
    json: JsonOption = False,
    csv: CsvOption = False,
    memory_limit: MemoryOption = None,
) -> None:
    """Show a person's journey, and which event got how much credit from which conversion.

    Example: wayline explain shop --person C1588754975 --metric revenue_linear --dimension channel
    """
    opened = open_home(home)
    with opened.pin() as pinned:
        world = replace(pinned, identity_as_of=instant_of(as_of) if as_of else None)
        found = data_view(world.definitions, view)
        window = range_of(start, end, found.definition.time_zone)
        asked = CreditRequest(view, person, metric, dimension, window)
        rows = credit_of_person(asked, opened, world, Cancellation()).to_pylist()
    if brief:
        rows = [row for row in rows if _matters(row, asked, found)]
    if json:
        print_json(rows)
    elif csv:
        print_csv(COLUMNS, [tuple(row.values()) for row in rows])
    else:
        _print(rows, asked, found)


def _matters(row: Row, asked: CreditRequest, view: DataView) -> bool:
    """Whether an event has a part in the number: it gives or may get credit, or sets a value that is kept."""
    kept = asked.dimension is not None and persistence_of(view.component(asked.dimension)) is not None
    return bool(row["is_touch"] or row["is_conversion"] or (kept and row["value"] is not None))


def _print(rows: list[Row], asked: CreditRequest, view: DataView) -> None:
    metric = view.component(asked.metric)
    columns = ["event", f"time ({view.definition.time_zone})", "dataset", "event id", "session"]
    names = ["event", "timestamp", "dataset", "event_id", "session"]
    if asked.dimension is not None:
        dimension = view.component(asked.dimension)
        columns.append(dimension.id)
        names.append("value")
        if persistence_of(dimension) is not None:
            columns.append("persisted")
            names.append("persisted")
    columns += [metric.id, "is", "credit", "from"]
    names.append("metric")
    print_table(columns, [(*(_plain(row, name) for name in names), *_credit(row)) for row in rows])
    _print_sums(rows, asked, view)


def _plain(row: Row, name: str) -> Any:
    # An event's number and a session's are names: not to be grouped by thousands.
    return str(row[name]) if name in ("event", "session") else row[name]


def _credit(row: Row) -> tuple[Any, ...]:
    roles = [word for word in ("touch", "conversion") if row[f"is_{word}"]]
    return (", ".join(roles) or None, row["credit"], _sources(row))


def _sources(row: Row) -> str | None:
    """Which conversions an event's credit comes from, by number: ``4: 20.50, 9: 3.10``."""
    parts = [f"{source['event']}: {shown(source['credit'])}" for source in row["credit_from"]]
    more = row["conversions"] - len(parts)
    if row["no_touch"] is not None:
        parts.append(f"{shown(row['no_touch'])} to no touch")
    return ", ".join([*parts, *([f"{more:,} more"] if more else [])]) or None


def _print_sums(rows: list[Row], asked: CreditRequest, view: DataView) -> None:
    """What a report that is filtered to the person says: the sums of the credit."""
    attributed = view.component(asked.metric).attribution is not None
    sums: dict[Any, float] = {}
    for row in rows:
        if row["credit"] is not None:
            value = row["value"] if attributed else row["persisted"]
            sums[value] = sums.get(value, 0.0) + row["credit"]
        if row["no_touch"] is not None:
            sums[None] = sums.get(None, 0.0) + row["no_touch"]
    if asked.dimension is None:
        console.print(f"{view.component(asked.metric).id} of the person: {shown(sum(sums.values()))}")
    elif sums:
        columns = [view.component(asked.dimension).id, view.component(asked.metric).id]
        print_table(columns, list(sums.items()), title="In a report of this person")
