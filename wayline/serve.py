"""``wayline serve``: who may reach the SQL front, how, and for how long."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from engine.errors import InputError
from sqlfront.admission import PLACES
from sqlfront.limits import Limits
from sqlfront.peer import Policy
from wayline.options import HERE, HomeOption, MemoryOption, duration, is_none, open_home

_USUAL = Limits()


class Method(StrEnum):
    """How clients show that they know a password."""

    SCRAM = "scram"
    PASSWORD = "password"  # noqa: S105 - the name of a method


HostOption = Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all.")]
PortOption = Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65535)]
TlsOption = Annotated[
    Policy, typer.Option(help="Who has to encrypt: clients on other machines, all always, or nobody (off).")
]
CertificateOption = Annotated[
    Path | None,
    typer.Option(
        help="Your own certificate and its chain, in PEM; SIGHUP reads it anew.",
        show_default="made at the first start, in the home's folder tls",
    ),
]
KeyOption = Annotated[
    Path | None, typer.Option(help="Its private key, in PEM, without a password.", show_default=False)
]
AuthOption = Annotated[
    Method, typer.Option(help="password: ask encrypted clients for the password itself, if they lack SCRAM.")
]
ConnectionsOption = Annotated[int, typer.Option(help="Clients at once.", min=1, max=10_000)]
PlacesOption = Annotated[
    int, typer.Option("--statements", help="Statements that work at once; others wait.", min=1, max=1000)
]
StatementOption = Annotated[
    str,
    typer.Option(
        help="Longest time for a statement of roles without a --timeout of their own; none: any time."
    ),
]
IdleOption = Annotated[
    str, typer.Option(help="Longest time between two statements; within a transaction at most 1h.")
]
GraceOption = Annotated[
    str, typer.Option(help="Time that running statements get at the end: Ctrl-C, SIGTERM.")
]


def serve(
    home: HomeOption = HERE,
    host: HostOption = "127.0.0.1",
    port: PortOption = 5442,
    tls: TlsOption = Policy.REMOTE,
    tls_cert: CertificateOption = None,
    tls_key: KeyOption = None,
    auth: AuthOption = Method.SCRAM,
    max_connections: ConnectionsOption = _USUAL.connections,
    places: PlacesOption = PLACES,
    statement_timeout: StatementOption = "1h",
    idle_timeout: IdleOption = "12h",
    grace: GraceOption = "5s",
    memory_limit: MemoryOption = None,
) -> None:
    """Answer SQL over the Postgres protocol until Ctrl-C.

    Example: wayline serve --home my-home --port 5442

    Example: wayline serve --host 0.0.0.0 --tls-cert server.crt --tls-key server.key
    """
    from wayline.serving import Serving, serve_until_interrupted

    idle = _seconds(idle_timeout, "--idle-timeout")
    limits = Limits(
        connections=max_connections,
        statement_seconds=_seconds(statement_timeout, "--statement-timeout"),
        idle_seconds=idle,
        idle_in_transaction_seconds=_shorter(idle, _USUAL.idle_in_transaction_seconds),
        grace_seconds=_seconds(grace, "--grace") or 0.0,
    )
    certificate = _pair(tls_cert, tls_key)
    if certificate is not None and tls is Policy.OFF:
        raise InputError("--tls off uses no certificate", hint="Leave --tls-cert out, or --tls off.")
    options = Serving(host, port, tls, certificate, auth is Method.PASSWORD, limits, places)
    serve_until_interrupted(open_home(home), options)


def _seconds(text: str, option: str) -> float | None:
    return None if is_none(text) else duration(text, option).total_seconds()


def _shorter(first: float | None, second: float | None) -> float | None:
    return min((time for time in (first, second) if time is not None), default=None)


def _pair(certificate: Path | None, key: Path | None) -> tuple[Path, Path] | None:
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        missing = "--tls-cert" if certificate is None else "--tls-key"
        raise InputError(f"{missing} is missing", hint="A certificate goes with its key: name both.")
    return certificate, key
