"""From the first byte of a connection to its session: encryption requests, cancels, passwords.

No sockets here: an exchange is a generator that a connection drives.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Final

from engine.errors import WaylineError
from sqlfront.auth import AuthenticationError, Login, ScramServer, check_password
from sqlfront.sqlstate import SqlError
from sqlfront.tls import PROTOCOL
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
TLS_BEGINS: Final = 0x16
"""First byte of a client that begins with TLS; as a message's length it would be far too long."""


@dataclass(frozen=True)
class Offer:
    """How clients may show who they are on a connection.

    Attributes:
        password: ask for the password itself, which only an encrypted connection may carry.
        end_point: what the login can be bound to; None where nothing can be.
    """

    password: bool = False
    end_point: bytes | None = None


class Encrypting:
    """Guards what a client may still ask for before its startup message.

    Args:
        offered: whether it can have TLS.
    """

    def __init__(self, *, offered: bool) -> None:
        self._offered = offered
        self._asked: set[bool] = set()
        self.encrypted = False

    def answer(self, request: m.EncryptionRequest, buffered: int) -> bytes:
        """Return what to say to a request for encryption; if it is yes, TLS must begin at once.

        Args:
            request: for TLS or GSS.
            buffered: bytes that came behind it, in plain: whoever sent them, none may count as encrypted.

        Raises:
            ProtocolError: there are some, or it has been asked for before.
        """
        kind = "GSSAPI encryption" if request.gss else "SSL"
        if request.gss in self._asked or (request.gss and self.encrypted):
            raise m.ProtocolError(f"{kind} was asked for twice")
        if buffered:
            raise m.ProtocolError(
                f"received unencrypted data after {kind} request",
                hint="Either the client has a bug, or somebody sits between it and the server.",
            )
        self._asked.add(request.gss)
        self.encrypted = self.encrypted or (self._offered and not request.gss)
        return replies.ENCRYPTED if self._offered and not request.gss else replies.NOT_ENCRYPTED

    def begun(self, protocol: str | None) -> None:
        """Note that the client began with TLS, and the protocol that it named then.

        Raises:
            ProtocolError: it named none, so it may not know to whom it speaks.
        """
        self._asked.add(False)
        self.encrypted = True
        if protocol != PROTOCOL:
            raise m.ProtocolError(
                "received direct SSL connection request without ALPN protocol negotiation extension"
            )


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


def authenticate(user: str, find_login: FindLogin | None, offer: Offer) -> Authentication:
    """Run the server's side of the authentication, until the client has shown who it is.

    Raises:
        PasswordError: the password is wrong or expired, or the user unknown.
        AuthenticationError: the client does not follow SCRAM.
    """
    if find_login is None:
        return Admitted(replies.authentication_ok())
    login = find_login(user)
    if offer.password:
        answer = yield replies.authentication_cleartext_password()
        proven = check_password(user, login, _cleartext(answer))
        return Admitted(replies.authentication_ok(), proven.credential)
    server = ScramServer(user, login, end_point=offer.end_point)
    chosen = yield replies.authentication_sasl(server.mechanisms)
    mechanism, first = _initial_response(chosen)
    answer = yield replies.authentication_sasl_continue(server.first(first, mechanism))
    final = server.final(_password(answer))
    credential = server.proven.credential if server.proven is not None else ""
    return Admitted(replies.authentication_sasl_final(final) + replies.authentication_ok(), credential)


def _cleartext(message: m.Message) -> str:
    try:
        return _password(message).removesuffix(b"\0").decode()
    except UnicodeDecodeError:
        raise m.ProtocolError("the password is not in UTF-8") from None


def _password(message: m.Message) -> bytes:
    if not isinstance(message, m.Password):
        raise m.ProtocolError(f"expected SASL response, got {type(message).__name__} message")
    return message.data


def _initial_response(message: m.Message) -> tuple[str, bytes]:
    """Return the mechanism and the SCRAM message inside a SASLInitialResponse."""
    mechanism, _, rest = _password(message).partition(b"\0")
    if len(rest) < 4 or struct.unpack_from("!i", rest)[0] != len(rest) - 4:
        raise m.ProtocolError("malformed SASL response")
    return mechanism.decode(errors="replace"), rest[4:]


def goodbye(error: WaylineError) -> bytes:
    """Return the error after which the server closes the connection."""
    return replies.error_response(error, "FATAL")
