"""Passwords: SCRAM-SHA-256 (RFC 5802, RFC 7677) as PostgreSQL speaks it, without sockets.

Only verifiers are kept, from which no password can be read.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
import stringprep
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NoReturn

from engine.errors import WaylineError

MECHANISM: Final = "SCRAM-SHA-256"
PLUS: Final = "SCRAM-SHA-256-PLUS"
"""The same, bound to the server's certificate: who sits between client and server cannot pass it on."""
ITERATIONS: Final = 4096
_CLIENT_FIRST: Final = re.compile(rb"(n|y|p=[^,]+),([^,]*),((?:m=[^,]*,)?n=([^,]*),r=([!-+\--~]+).*)")
_CLIENT_FINAL: Final = re.compile(rb"(c=([^,]+),r=([!-+\--~]+)(?:,[^,]+)*),p=([^,]+)")
_BOUND: Final = b"p=tls-server-end-point"
_PROHIBITED: Final = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)
_MOCK_KEY: Final = secrets.token_bytes(32)


class PasswordError(WaylineError):
    """The password is wrong, or there is no such user; which of the two is not told."""

    sqlstate = "28P01"
    http_status = 401


class AuthenticationError(WaylineError):
    """The client tried to authenticate in a way that is not offered."""

    sqlstate = "28000"
    http_status = 401


@dataclass(frozen=True)
class Verifier:
    """What is kept of a password or token: raw bytes from which neither can be read.

    Attributes:
        credential: its id, by which it is revoked; empty if it has none.
        expires_at: from when on it no longer counts; None: it always does.
    """

    stored_key: bytes
    server_key: bytes
    credential: str = ""
    expires_at: datetime | None = None

    @property
    def is_expired(self) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and self.expires_at <= datetime.now(UTC)


@dataclass(frozen=True)
class Login:
    """How a user shows who they are: any of their passwords and tokens, all under one salt."""

    salt: bytes
    iterations: int
    verifiers: Sequence[Verifier]


def verifier_of(password: str, salt: bytes, iterations: int = ITERATIONS) -> Verifier:
    """Return what to keep of a password or token."""
    salted = hashlib.pbkdf2_hmac("sha256", _prepared(password), salt, iterations)
    stored = hashlib.sha256(_hmac(salted, b"Client Key")).digest()
    return Verifier(stored, _hmac(salted, b"Server Key"))


def mock_login(user: str) -> Login:
    """Return a login that no password fits, with the same salt for a user each time.

    With it an unknown user sees the same exchange as a known one.
    """
    salt = _hmac(_MOCK_KEY, user.encode())[:16]
    return Login(salt, ITERATIONS, (Verifier(secrets.token_bytes(32), secrets.token_bytes(32)),))


def _prepared(password: str) -> bytes:
    """Normalise a password (SASLprep, RFC 4013); one that has no normal form is taken as it is."""
    mapped = "".join(
        " " if stringprep.in_table_c12(char) else char
        for char in password
        if not stringprep.in_table_b1(char)
    )
    normal = unicodedata.normalize("NFKC", mapped)
    return password.encode() if not normal or _is_prohibited(normal) else normal.encode()


def _is_prohibited(text: str) -> bool:
    if any(table(char) for char in text for table in _PROHIBITED):
        return True
    if any(stringprep.in_table_a1(char) for char in text):
        return True
    right_to_left = [stringprep.in_table_d1(char) for char in text]
    if not any(right_to_left):
        return False
    left_to_right = any(stringprep.in_table_d2(char) for char in text)
    return left_to_right or not (right_to_left[0] and right_to_left[-1])


class ScramServer:
    """The server's side of one exchange: ``first``, then ``final``, with the client's words.

    Args:
        user: name from the startup message, for the error.
        known: how the user may log in, None if there is no such user.
        end_point: what the client may bind its login to; None if the connection has nothing for it.
        nonce: the server's part of the nonce; random unless given.

    Attributes:
        proven: the password or token that the client has shown to know; None until ``final``.
    """

    def __init__(
        self,
        user: str,
        known: Login | None,
        *,
        end_point: bytes | None = None,
        nonce: str | None = None,
    ) -> None:
        self.proven: Verifier | None = None
        self._user = user
        self._known = known is not None
        self._login = known or mock_login(user)
        self._end_point = end_point
        self._nonce = (nonce or _base64(secrets.token_bytes(18))).encode()
        self._header = b""
        self._binding = b""
        self._transcript = b""

    @property
    def mechanisms(self) -> list[str]:
        """The mechanisms to offer, the best first."""
        return [MECHANISM] if self._end_point is None else [PLUS, MECHANISM]

    def first(self, message: bytes, mechanism: str = MECHANISM) -> bytes:
        """Return the challenge for the client's first message.

        Raises:
            AuthenticationError: malformed, not what was offered, or the client did not get the offer whole.
        """
        match = _CLIENT_FIRST.fullmatch(message) or _malformed()
        self._check_binding(match[1], mechanism)
        self._header = match[1] + b"," + match[2] + b","
        if mechanism == PLUS and self._end_point is not None:
            self._binding = self._end_point
        self._nonce = match[5] + self._nonce
        salt = _base64(self._login.salt).encode()
        challenge = b"r=%s,s=%s,i=%d" % (self._nonce, salt, self._login.iterations)
        self._transcript = match[3] + b"," + challenge
        return challenge

    def _check_binding(self, flag: bytes, mechanism: str) -> None:
        if mechanism not in self.mechanisms:
            raise AuthenticationError("client selected an invalid SASL authentication mechanism")
        if flag == b"y" and self._end_point is not None:
            raise AuthenticationError(
                "the client supports channel binding but was not told that the server does too",
                hint="Somebody between the two may have changed what the server offered.",
            )
        if flag.startswith(b"p") != (mechanism == PLUS):
            raise AuthenticationError(f"{mechanism} and the client's channel binding do not go together")
        if flag.startswith(b"p") and flag != _BOUND:
            raise AuthenticationError("the only channel binding is tls-server-end-point")

    def final(self, message: bytes) -> bytes:
        """Return the server's signature if the client's proof is right.

        Raises:
            PasswordError: the proof is wrong, the user unknown, or the password or token expired.
            AuthenticationError: malformed.
        """
        match = _CLIENT_FINAL.fullmatch(message) or _malformed()
        if match[3] != self._nonce:
            _malformed()
        if _decoded(match[2]) != self._header + self._binding:
            raise AuthenticationError(
                "the client's channel binding does not fit this connection",
                hint="Is there a proxy between client and server that ends the encryption?",
            )
        transcript = self._transcript + b"," + match[1]
        proof = _decoded(match[4])
        fitting = [known for known in self._login.verifiers if _proves(known, proof, transcript)]
        self.proven = _unexpired(self._user, fitting if self._known else [])
        return b"v=" + _base64(_hmac(self.proven.server_key, transcript)).encode()


def check_password(user: str, known: Login | None, password: str) -> Verifier:
    """Return the password or token of a user that a client has sent as it is.

    Raises:
        PasswordError: it is wrong, the user unknown, or the password or token expired.
    """
    login = known or mock_login(user)
    shown = verifier_of(password, login.salt, login.iterations).stored_key
    fitting = [known for known in login.verifiers if hmac.compare_digest(known.stored_key, shown)]
    return _unexpired(user, fitting if known is not None else [])


def _unexpired(user: str, fitting: Sequence[Verifier]) -> Verifier:
    """Return the first of the credentials that a client has shown to know which still counts."""
    if not fitting:
        raise PasswordError(f'password authentication failed for user "{user}"')
    found = next((known for known in fitting if not known.is_expired), None)
    if found is None:
        raise PasswordError(
            f'the password or token of user "{user}" has expired',
            hint="Ask an administrator for a new one.",
        )
    return found


def _proves(known: Verifier, proof: bytes, transcript: bytes) -> bool:
    signature = _hmac(known.stored_key, transcript)
    if len(proof) != len(signature):
        return False
    key = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
    return hmac.compare_digest(hashlib.sha256(key).digest(), known.stored_key)


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _decoded(data: bytes) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error:
        return _malformed()


def _malformed() -> NoReturn:
    raise AuthenticationError("malformed SCRAM message")
