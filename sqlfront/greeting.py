"""From the first byte of a connection to its session: encryption requests, cancels, passwords.

No sockets here: an exchange is a generator that a connection drives.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Generator
from dataclasses import dataclass

from engine.errors import WaylineError
from sqlfront.auth import MECHANISM, AuthenticationError, Login, ScramServer
from sqlfront.sqlstate import SqlError
from sqlfront.wire import messages as m
from sqlfront.wire import replies


@dataclass(frozen=True)
class Admitted:
    """The end of an authentication that went well.

    Attributes:
        reply: the last word to send.
        credential: id of the password or token that was shown; empty if it has none.
    """

    reply: bytes
    credential: str = ""


Authentication = Generator[bytes, m.Message, Admitted]
"""Yields what to send, is sent the client's answers, and returns how it ended."""

FindLogin = Callable[[str], Login | None]


def negotiation(startup: m.Startup) -> bytes:
    """Return what to tell a client that asks for a newer minor version or unknown options."""
    unknown = [name for name in startup.parameters if name.startswith("_pq_.")]
    return replies.negotiate_protocol_version(0, unknown) if startup.minor or unknown else b""


def check_startup(startup: m.Startup) -> None:
    """Raise if the startup message asks for what is not served."""
    if not startup.parameters.get("user"):
        raise AuthenticationError("no PostgreSQL user name specified in startup packet")
    if startup.parameters.get("replication", "false").lower() not in ("false", "off", "no", "0"):
        raise SqlError("replication connections are not supported", "0A000")


def authenticate(user: str, find_login: FindLogin | None) -> Authentication:
    """Run the server's side of the authentication, until the client has shown who it is.

    Raises:
        PasswordError: the password is wrong or expired, or the user unknown.
        AuthenticationError: the client does not follow SCRAM.
    """
    if find_login is None:
        return Admitted(replies.authentication_ok())
    server = ScramServer(user, find_login(user))
    chosen = yield replies.authentication_sasl([MECHANISM])
    answer = yield replies.authentication_sasl_continue(server.first(_initial_response(chosen)))
    final = server.final(_password(answer))
    credential = server.proven.credential if server.proven is not None else ""
    return Admitted(replies.authentication_sasl_final(final) + replies.authentication_ok(), credential)


def _password(message: m.Message) -> bytes:
    if not isinstance(message, m.Password):
        raise m.ProtocolError(f"expected SASL response, got {type(message).__name__} message")
    return message.data


def _initial_response(message: m.Message) -> bytes:
    """Return the SCRAM message inside a SASLInitialResponse."""
    mechanism, _, rest = _password(message).partition(b"\0")
    if mechanism.decode(errors="replace") != MECHANISM:
        raise AuthenticationError("client selected an invalid SASL authentication mechanism")
    if len(rest) < 4 or struct.unpack_from("!i", rest)[0] != len(rest) - 4:
        raise m.ProtocolError("malformed SASL response")
    return rest[4:]


def goodbye(error: WaylineError) -> bytes:
    """Return the error after which the server closes the connection."""
    return replies.error_response(error, "FATAL")
