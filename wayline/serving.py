"""Runs the SQL front for the command line: until Ctrl-C, in the background, or for one statement."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from engine.cancellation import Cancellation
from engine.errors import HomeError, SyntaxProblem, UnsupportedError
from engine.schedules import scheduled_replays
from engine.upkeep import upkeep
from engine.world import Home
from sqlfront.admission import PLACES
from sqlfront.front import open_front
from sqlfront.gate import OwnersGate
from sqlfront.limits import Limits
from sqlfront.peer import Policy
from sqlfront.server import Address, serve
from sqlfront.server import running as running_front
from sqlfront.sqlstate import to_wayline_error
from sqlfront.state import Caller
from sqlfront.statements import control
from sqlfront.tls import Credentials, Encryption, own_certificate
from sqlfront.tokens import split
from sqlfront.watch import set_hard_limit
from wayline.output import console, print_error

_USUAL: Final = Limits()


@dataclass(frozen=True)
class Serving:
    """How to serve.

    Attributes:
        host: address to listen on.
        port: 0 takes any free one.
        policy: who has to encrypt.
        certificate: one's own certificate and its key; None: the home's, made at the first start.
        passwords: ask encrypted clients for the password itself.
        limits: what clients may use.
        places: so many statements work at once; the others wait their turn.
    """

    host: str = "127.0.0.1"
    port: int = 0
    policy: Policy = Policy.REMOTE
    certificate: tuple[Path, Path] | None = None
    passwords: bool = False
    limits: Limits = _USUAL
    places: int = PLACES


def certificate_of(home: Home, options: Serving) -> Credentials:
    """Return the certificate to serve a home with, made if there is none.

    Raises:
        HomeError: it cannot be made.
    """
    if options.certificate is not None:
        return Credentials(*options.certificate)
    return own_certificate(home.root / "tls", [options.host])


def _encryption(home: Home, options: Serving) -> Encryption | None:
    if options.policy is Policy.OFF:
        return None
    return Encryption(certificate_of(home, options), options.policy)


def serve_until_interrupted(home: Home, options: Serving) -> None:
    """Serve a home's data over the Postgres protocol until Ctrl-C or SIGTERM; meanwhile compact and replay.

    Raises:
        HomeError: the port is in use, or the certificate cannot be used.
    """
    encryption = _encryption(home, options)
    set_hard_limit()

    def ready(address: Address) -> None:
        console.print(f"Serving {home.root} on {address.host}:{address.port} until Ctrl-C.")
        place = f"host={address.host} port={address.port} dbname=wayline user=analyst"
        mode = "" if encryption is None else " sslmode=require"
        console.print(f'psql "{place}{mode}"', markup=False)
        if encryption is not None:
            console.print(f"Certificate: {certificate_of(home, options).certificate}", markup=False)

    with suppress(KeyboardInterrupt, asyncio.CancelledError), upkeep(home), scheduled_replays(home):
        asyncio.run(_serve_until_told(home, options, encryption, ready))


async def _serve_until_told(
    home: Home, options: Serving, encryption: Encryption | None, ready: Callable[[Address], object]
) -> None:
    """Serve until SIGTERM; on SIGHUP read the certificate again."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    if task is not None:
        loop.add_signal_handler(signal.SIGTERM, task.cancel)
    if encryption is not None:
        loop.add_signal_handler(signal.SIGHUP, _reload, encryption)
    await serve(
        open_front(home, places=options.places),
        host=options.host,
        port=options.port,
        ready=ready,
        limits=options.limits,
        encryption=encryption,
        passwords=options.passwords,
    )


def _reload(encryption: Encryption) -> None:
    try:
        encryption.reload()
    except HomeError as error:
        print_error(error)
    else:
        console.print("The certificate was read again.")


@contextmanager
def running(home: Home, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[tuple[str, int]]:
    """Serve a home's data in the background while the block lasts."""
    options = Serving(host, port)
    encryption = _encryption(home, options)
    with running_front(open_front(home), host=host, port=port, encryption=encryption) as address:
        yield address.host, address.port


def ask(
    home: Home, statement: str, settings: Mapping[str, str] | None = None
) -> tuple[list[str], list[tuple[object, ...]]]:
    """Answer one statement without a server, under settings by name: column names and rows.

    Raises:
        WaylineError: the statement cannot be answered.
    """
    _check_question(statement)
    front, caller = open_front(home, OwnersGate()), Caller("local", "wayline", 0, settings or {})
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
