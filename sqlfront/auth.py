"""Passwords: SCRAM-SHA-256 (RFC 5802, RFC 7677) as PostgreSQL speaks it, without sockets.

Only a verifier is kept, in PostgreSQL's own text form, from which no password can be read.
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
from dataclasses import dataclass
from typing import Final, NoReturn

from engine.errors import WaylineError

MECHANISM: Final = "SCRAM-SHA-256"
ITERATIONS: Final = 4096
_VERIFIER: Final = re.compile(r"SCRAM-SHA-256\$(\d+):([^$]+)\$([^:]+):(.+)")
_CLIENT_FIRST: Final = re.compile(rb"([nyp][^,]*),([^,]*),((?:m=[^,]*,)?n=([^,]*),r=([!-+\--~]+).*)")
_CLIENT_FINAL: Final = re.compile(rb"(c=([^,]+),r=([!-+\--~]+)(?:,[^,]+)*),p=([^,]+)")
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
    """What is kept of a password; all but ``iterations`` are raw bytes."""

    iterations: int
    salt: bytes
    stored_key: bytes
    server_key: bytes


def verifier(password: str, *, salt: bytes | None = None, iterations: int = ITERATIONS) -> str:
    """Return the text to store for a password: ``SCRAM-SHA-256$4096:salt$stored:server``."""
    salt = salt if salt is not None else secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", _prepared(password), salt, iterations)
    stored = hashlib.sha256(_hmac(salted, b"Client Key")).digest()
    server = _hmac(salted, b"Server Key")
    return f"{MECHANISM}${iterations}:{_base64(salt)}${_base64(stored)}:{_base64(server)}"


def read_verifier(text: str) -> Verifier:
    """Return a stored verifier's parts.

    Raises:
        AuthenticationError: it is not in the form that ``verifier`` writes.
    """
    match = _VERIFIER.fullmatch(text)
    if match is None:
        raise AuthenticationError("the stored verifier is malformed", hint="Set the password anew.")
    return Verifier(int(match[1]), *(base64.b64decode(match[part]) for part in (2, 3, 4)))


def mock_verifier(user: str) -> Verifier:
    """Return a verifier that no password fits, the same for a user each time.

    With it an unknown user sees the same exchange as a known one.
    """
    salt = _hmac(_MOCK_KEY, user.encode())[:16]
    return Verifier(ITERATIONS, salt, secrets.token_bytes(32), secrets.token_bytes(32))


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
        known: the user's verifier, None if there is no such user.
        nonce: the server's part of the nonce; random unless given.
    """

    def __init__(self, user: str, known: Verifier | None, *, nonce: str | None = None) -> None:
        self._user = user
        self._known = known is not None
        self._verifier = known or mock_verifier(user)
        self._nonce = (nonce or _base64(secrets.token_bytes(18))).encode()
        self._header = b""
        self._transcript = b""

    def first(self, message: bytes) -> bytes:
        """Return the challenge for the client's first message.

        Raises:
            AuthenticationError: malformed, or it asks for channel binding.
        """
        match = _CLIENT_FIRST.fullmatch(message) or _malformed()
        if match[1].startswith(b"p"):
            raise AuthenticationError("channel binding is not offered: the connection is plain")
        self._header = match[1] + b"," + match[2] + b","
        self._nonce = match[5] + self._nonce
        salt = _base64(self._verifier.salt).encode()
        challenge = b"r=%s,s=%s,i=%d" % (self._nonce, salt, self._verifier.iterations)
        self._transcript = match[3] + b"," + challenge
        return challenge

    def final(self, message: bytes) -> bytes:
        """Return the server's signature if the client's proof is right.

        Raises:
            PasswordError: the proof is wrong, or the user unknown.
            AuthenticationError: malformed.
        """
        match = _CLIENT_FINAL.fullmatch(message) or _malformed()
        if _decoded(match[2]) != self._header or match[3] != self._nonce:
            _malformed()
        transcript = self._transcript + b"," + match[1]
        if not self._proves(_decoded(match[4]), transcript) or not self._known:
            raise PasswordError(f'password authentication failed for user "{self._user}"')
        signature = _hmac(self._verifier.server_key, transcript)
        return b"v=" + _base64(signature).encode()

    def _proves(self, proof: bytes, transcript: bytes) -> bool:
        signature = _hmac(self._verifier.stored_key, transcript)
        if len(proof) != len(signature):
            return False
        key = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
        return hmac.compare_digest(hashlib.sha256(key).digest(), self._verifier.stored_key)


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
