"""``wayline diff``: why the answer to a question is not what it was."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from engine.difference import Change, Step
from engine.world import World
from sqlfront.difference import Explained, why
from wayline.options import HERE, CsvOption, HomeOption, JsonOption, MemoryOption, open_home
from wayline.output import console, print_csv, print_json, print_table, progress_bar


def diff(
    world1: Annotated[int, typer.Argument(help="The earlier world; wayline worlds lists them.")],
    world2: Annotated[int, typer.Argument(help="The later world.")],
    question: Annotated[str, typer.Argument(help="One SELECT, asked in both worlds.")],
    home: HomeOption = HERE,
    json: JsonOption = False,
    csv: CsvOption = False,
    memory_limit: MemoryOption = None,
) -> None:
    """Show how an answer changed from one world to another, and what changed it.

    Each difference is split into late data, replays, deletes and changed definitions.

    Example: wayline diff 5 9 "SELECT channel, SUM(revenue) AS revenue FROM shop GROUP BY channel"
    """
    with progress_bar(not (json or csv)) as report:
        found = why(open_home(home), world1, world2, question, report)
    columns, rows = _table(found)
    if json:
        print_json(_facts(found))
    elif csv:
        print_csv(columns, rows)
    else:
        _print(found, columns, rows)


def _table(found: Explained) -> tuple[list[str], list[tuple[Any, ...]]]:
    """One row per changed value; the column that it is of is named where there are several."""
    difference = found.difference
    several = len(difference.columns) > 1
    columns = [*difference.keys, *(["column"] if several else []), "before", "after", *difference.labels]
    rows = [
        (
            *change.key,
            *([change.column] if several else []),
            change.before,
            change.after,
            *(change.by.get(label) for label in difference.labels),
        )
        for change in difference.changes
    ]
    return columns, rows


def _print(found: Explained, columns: list[str], rows: list[tuple[Any, ...]]) -> None:
    difference = found.difference
    what = difference.columns[0] if len(difference.columns) == 1 else "The answer"
    console.print(f"{what} from {_published(found.first)} to {_published(found.last)}:", markup=False)
    if rows:
        print_table(columns, rows)
    changed = len({change.key for change in difference.changes})
    console.print(f"{_rows(changed)} changed, {_rows(difference.unchanged)} as before.")
    for sentence in _remarks(found):
        console.print(sentence, markup=False)


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"


def _published(world: World) -> str:
    return f"world {world.id} ({world.published_at:%Y-%m-%d %H:%M} UTC)"


def _remarks(found: Explained) -> Iterator[str]:
    for late in found.late:
        batches = f"{late.batches} new batch{'' if late.batches == 1 else 'es'}"
        yield (
            f"{late.dataset}: {late.rows:,} rows in {batches}, "
            f"{late.late:,} of them of a time before world {found.first.id} was published."
        )
    if any(len(step.causes) > 1 for step in found.steps):
        yield "What is in one column together cannot be told apart: the worlds between cannot be asked."


def _facts(found: Explained) -> dict[str, Any]:
    difference = found.difference
    return {
        "from": found.first.id,
        "to": found.last.id,
        "causes": difference.labels,
        "steps": [_step(step) for step in found.steps],
        "changes": [_change(change, difference.keys) for change in difference.changes],
        "unchanged_rows": difference.unchanged,
        "new_data": [vars(late) for late in found.late],
    }


def _step(step: Step) -> dict[str, Any]:
    return {"world": step.world.id, "causes": step.label}


def _change(change: Change, keys: tuple[str, ...]) -> dict[str, Any]:
    return {
        "row": dict(zip(keys, change.key, strict=True)),
        "column": change.column,
        "before": change.before,
        "after": change.after,
        "by": change.by,
    }
