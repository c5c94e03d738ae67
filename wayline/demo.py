"""The demo: the main job from files to answers over the wire, narrated, on generated data.

Everything is real: the files go through the same doors as anyone's, and the questions are asked by
psycopg over a socket. The statements are here by name, so that tests can check their answers.
"""

from __future__ import annotations

import shutil
import time
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, LiteralString

import psycopg

from engine import flow
from engine.definitions import project
from engine.errors import HomeError
from engine.world import Home
from sqlfront.users import add_user
from wayline import generate
from wayline.output import console, print_table, progress_bar
from wayline.serving import running

USER: Final = "analyst"
PASSWORD: Final = "demo"  # noqa: S105 - of a server on this machine with generated data
MARKER: Final = ".wayline-demo"
REJECT_LIMIT: Final = 5.0
REPLAY_LOOKBACK: Final = timedelta(days=120)

QUESTIONS: Final[dict[str, LiteralString]] = {
    "Revenue by channel: who gets the credit depends on the model": """\
SELECT channel,
       SUM(revenue_first) AS first_touch,
       SUM(revenue_last) AS last_touch,
       SUM(revenue_linear) AS linear,
       SUM(revenue_u_shaped) AS u_shaped,
       SUM(revenue_time_decay) AS time_decay,
       SUM(revenue_participation) AS participation
FROM shop
GROUP BY channel
ORDER BY linear DESC""",
    "People, sessions and orders per day": """\
SELECT daterangeday AS day, SUM(visitors) AS people, SUM(visits) AS sessions, SUM(orders) AS orders
FROM shop
WHERE daterangeday BETWEEN DATE '2026-03-01' AND DATE '2026-03-07'
GROUP BY 1
ORDER BY 1""",
    "The way Power BI asks: layers of sub-selects": """\
select "_"."channel", "_"."a0", "_"."a1" from (
  select "rows"."channel" as "channel", sum("rows"."revenue_last") as "a0", sum("rows"."visitors") as "a1"
  from (
    select "_"."channel", "_"."revenue_last", "_"."visitors" from (
      select "channel", "revenue_last", "visitors", "daterange" from "public"."shop" "$Table") "_"
    where ("_"."daterange" < date '2026-03-01' and "_"."daterange" >= date '2026-02-01')
      and "_"."channel" in ('email', 'social', 'paid search')) "rows"
  group by "channel") "_"
where not "_"."a0" is null limit 1000001""",
    "A data view joined with a raw dataset: what sells, by category": """\
SELECT p.category, SUM(s.item_revenue) AS revenue, SUM(s.units) AS units, SUM(s.visitors) AS buyers
FROM shop s JOIN products p ON s.item = p.sku
GROUP BY p.category
ORDER BY revenue DESC""",
}
"""Title → statement, in the order in which they are asked."""


def run_demo(folder: Path, *, events: int, seed: int, port: int, once: bool) -> None:
    """Generate, ingest, replay, serve and ask; then serve on until Ctrl-C unless ``once``.

    Raises:
        HomeError: the folder holds something that is not a demo, or the port is in use.
    """
    started = time.monotonic()
    _clear(folder)
    console.rule("[bold]wayline demo")
    made = _generate(folder, events, seed)
    home = build_home(folder / "home", made, narrate=True)
    with running(home, host="127.0.0.1", port=port) as address:
        with psycopg.connect(conninfo(*address), autocommit=True) as connection:
            for number, (title, statement) in enumerate(QUESTIONS.items(), 4):
                _ask(connection, f"{number}. {title}", statement)
        console.print(f"\nAll of this took {time.monotonic() - started:.0f} seconds.")
        _print_connections(*address)
        if not once:
            console.print("\nServing until Ctrl-C.")
            _wait()


def build_home(root: Path, made: generate.Generated, *, narrate: bool = False) -> Home:
    """Make a home from generated files: two web batches, calls, customers, products, one replay."""
    home = Home.create(root)
    add_user(home.catalog, USER, PASSWORD)
    flow.apply(home, project.load(made.project))
    web = made.files["web"]
    later = max(1, len(web) // 4)
    batches = [("web", web[:-later]), ("web", web[-later:])]
    batches += [(name, made.files[name]) for name in ("calls", "crm", "products")]
    rows = []
    for dataset, files in batches:
        with progress_bar(narrate) as report:
            batch = flow.ingest(
                home, dataset, files, reject_limit_percent=REJECT_LIMIT, journey_progress=report
            )
        reasons = "; ".join(f"{reason}: {n}" for (_, reason), n in batch.reasons.items())
        rows.append((dataset, len(files), batch.input, batch.output, batch.failed, reasons))
    if narrate:
        console.print(
            "\n[bold]2. Ingested[/] (a batch is taken whole or not at all; bad records are kept apart)"
        )
        print_table(["dataset", "files", "records", "taken", "rejected", "why"], rows)
    with progress_bar(narrate) as report:
        done = flow.replay(home, "shop", lookback=REPLAY_LOOKBACK, at=made.end, progress=report)
    if narrate:
        _print_replay(home, done.persons_before, done.persons_after, done.rows_changed)
    return home


def _clear(folder: Path) -> None:
    """Make room for a new demo; never delete what is not one."""
    if folder.exists() and not folder.is_dir():
        raise HomeError(f"{folder} is a file", hint="Name a folder: wayline demo --folder DIR")
    if folder.exists() and any(folder.iterdir()) and not (folder / MARKER).exists():
        raise HomeError(
            f"{folder} is not empty and not an earlier demo", hint="Name another: wayline demo --folder DIR"
        )
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / MARKER).touch()


def _generate(folder: Path, events: int, seed: int) -> generate.Generated:
    with progress_bar() as report:
        made = generate.generate(
            folder / "data",
            events=events,
            seed=seed,
            progress=lambda done, total: report("generating events", done, total),
        )
    counts = made.counts
    console.print(
        f"\n[bold]1. Generated[/] 90 days of a web shop into {folder / 'data'}: {counts['web']:,} web events "
        f"({counts['web_duplicates']:,} of them delivered twice), {counts['calls']:,} calls."
    )
    return made


def _print_replay(home: Home, before: int, after: int, changed: int) -> None:
    console.print(
        "\n[bold]3. Replayed[/] the stitching with all that was learned since: "
        "anonymous visits before a login now belong to the customer."
    )
    shop = next(c for c in flow.status(home).connections if c.name == "shop")
    rate = "–" if shop.stitched_rate is None else f"{shop.stitched_rate:.1%}"
    print_table(
        ["web persons before", "web persons after", "rows moved", "rows with a known customer"],
        [(before, after, changed, rate)],
    )


def _ask(connection: psycopg.Connection[Any], title: str, statement: LiteralString) -> None:
    console.print(f"\n[bold]{title}[/]")
    console.print(statement, style="cyan", markup=False)
    asked = time.perf_counter()
    cursor = connection.execute(statement)
    rows = cursor.fetchall()
    taken = time.perf_counter() - asked
    print_table([column.name for column in cursor.description or ()], rows)
    console.print(f"[dim]{len(rows)} rows in {taken * 1e3:.0f} ms over the Postgres protocol[/]")


def conninfo(host: str, port: int) -> str:
    """Return how libpq reaches the demo's server."""
    return f"host={host} port={port} dbname=wayline user={USER} password={PASSWORD} sslmode=require"


def _print_connections(host: str, port: int) -> None:
    console.print("\n[bold]Ask yourself[/]")
    console.print(f'psql       psql "{conninfo(host, port)}"', markup=False)
    console.print(
        f"Power BI   Get data → PostgreSQL database: server {host}:{port}, database wayline, DirectQuery; "
        f"user {USER}, password {PASSWORD}, encrypted or not",
        markup=False,
    )
    console.print(
        f'notebook   import polars, psycopg; polars.read_database("SELECT * FROM shop LIMIT 10", '
        f'psycopg.connect("{conninfo(host, port)}"))',
        markup=False,
    )


def _wait() -> None:
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        console.print("Stopped.")
