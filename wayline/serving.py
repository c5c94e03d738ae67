"""Runs the SQL front for the command line: until Ctrl-C, in the background, or for one statement."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

import duckdb

from engine.cancellation import Cancellation
from engine.errors import SyntaxProblem, UnsupportedError
from engine.schedules import scheduled_replays
from engine.upkeep import upkeep
from engine.world import Home
from sqlfront.front import open_front
from sqlfront.server import Address, serve
from sqlfront.server import running as running_front
from sqlfront.sqlstate import to_wayline_error
from sqlfront.state import Caller
from sqlfront.statements import control
from sqlfront.tokens import split
from wayline.output import console


def serve_until_interrupted(home: Home, host: str, port: int) -> None:
    """Serve a home's data over the Postgres protocol until Ctrl-C; compact and replay what is due meanwhile.

    Raises:
        HomeError: the port is in use.
    """

    def ready(address: Address) -> None:
        console.print(f"Serving {home.root} on {address.host}:{address.port} until Ctrl-C.")
        console.print(
            f'psql "host={address.host} port={address.port} dbname=wayline user=analyst"', markup=False
        )

    with suppress(KeyboardInterrupt), upkeep(home), scheduled_replays(home):
        asyncio.run(serve(open_front(home), host=host, port=port, ready=ready))


@contextmanager
def running(home: Home, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[tuple[str, int]]:
    """Serve a home's data in the background while the block lasts."""
    with running_front(open_front(home), host=host, port=port) as address:
        yield address.host, address.port


def ask(
    home: Home, statement: str, settings: Mapping[str, str] | None = None
) -> tuple[list[str], list[tuple[object, ...]]]:
    """Answer one statement without a server, under settings by name: column names and rows.

    Raises:
        WaylineError: the statement cannot be answered.
    """
    _check_question(statement)
    front, caller = open_front(home, as_owner=True), Caller("local", "wayline", 0, settings or {})
    try:
        query = front.plan(front.parse(statement), caller, ())
        table = query.run((), Cancellation()).read_all()
    except (duckdb.Error, RecursionError) as error:
        raise to_wayline_error(error) from None
    columns = [column.name for column in query.columns]
    return columns, list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def _check_question(text: str) -> None:
    """Refuse what only means something within a session: settings, transactions, cursors."""
    pieces = split(text)
    if not pieces:
        raise SyntaxProblem("there is no statement", hint="Ask with SELECT.")
    if any(control(piece) is not None for piece in pieces):
        raise UnsupportedError(
            "only a question can be asked without a server",
            hint="Ask with SELECT; sessions need wayline serve.",
        )
