"""SCRAM-SHA-256: the RFC's own example, right and wrong passwords, unknown users."""

import base64
import hashlib
import hmac
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sqlfront import auth
from tests.sqlfront.fake_front import login_with

RFC_SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")


def client_final(password, client_first_bare, server_first, header=b"n,,"):
    """A client written straight from RFC 5802, for passwords that need no normalising."""
    nonce, salt, rounds = (part[2:] for part in server_first.split(b",", 2))
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), int(rounds))
    key = hmac.digest(salted, b"Client Key", "sha256")
    without_proof = b"c=" + base64.b64encode(header) + b",r=" + nonce
    transcript = b",".join([client_first_bare, server_first, without_proof])
    signature = hmac.digest(hashlib.sha256(key).digest(), transcript, "sha256")
    proof = bytes(a ^ b for a, b in zip(key, signature, strict=True))
    expected = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), transcript, "sha256")
    return without_proof + b",p=" + base64.b64encode(proof), expected


def test_example_of_rfc_7677():
    known = login_with("pencil", salt=RFC_SALT)
    server = auth.ScramServer("user", known, nonce="%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0")
    assert server.first(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO") == (
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    )
    final = server.final(
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
        b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    )
    assert final == b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


@settings(max_examples=20, deadline=None)
@given(st.text("abcXYZ019!", min_size=1), st.text("abcXYZ019!", min_size=1))
def test_only_the_right_password_passes(stored, tried):
    known = login_with(stored, iterations=16)
    server = auth.ScramServer("ada", known)
    challenge = server.first(b"n,,n=,r=abc")
    answer, signature = client_final(tried, b"n=,r=abc", challenge)
    if tried == stored:
        assert server.final(answer) == b"v=" + base64.b64encode(signature)
        return
    with pytest.raises(auth.PasswordError) as raised:
        server.final(answer)
    assert raised.value.sqlstate == "28P01"


def test_each_password_and_token_passes_until_it_expires():
    salt, now = b"0" * 16, datetime.now(UTC)
    ends = {"old": now - timedelta(seconds=1), "new": now + timedelta(hours=1), "lasting": None}
    verifiers = [
        replace(auth.verifier_of(word, salt, 16), credential=word, expires_at=end)
        for word, end in ends.items()
    ]
    login = auth.Login(salt, 16, verifiers)
    for word in ("new", "lasting"):
        server = auth.ScramServer("ada", login)
        answer, signature = client_final(word, b"n=,r=abc", server.first(b"n,,n=,r=abc"))
        assert server.final(answer) == b"v=" + base64.b64encode(signature)
        assert server.proven.credential == word
    for word, message in (("old", "has expired"), ("other", "password authentication failed")):
        server = auth.ScramServer("ada", login)
        answer, _ = client_final(word, b"n=,r=abc", server.first(b"n,,n=,r=abc"))
        with pytest.raises(auth.PasswordError, match=message):
            server.final(answer)
        assert server.proven is None


def test_unknown_user_sees_the_same_exchange():
    first = auth.ScramServer("nobody", None, nonce="n").first(b"n,,n=,r=abc")
    server = auth.ScramServer("nobody", None, nonce="n")
    assert server.first(b"n,,n=,r=abc") == first
    answer, _ = client_final("x", b"n=,r=abc", first)
    with pytest.raises(auth.PasswordError, match="password authentication failed"):
        server.final(answer)


@pytest.mark.parametrize(
    "message", [b"", b"n,,n=", b"x,,n=,r=a", b"p=tls-unique,,n=,r=a", b"n,,r=a", b"\xff"]
)
def test_malformed_first(message):
    with pytest.raises(auth.AuthenticationError):
        auth.ScramServer("ada", None).first(message)


@pytest.mark.parametrize("message", [b"", b"c=biws", b"c=biws,r=other,p=AAAA", b"c=!,r=a,p=!"])
def test_malformed_final(message):
    server = auth.ScramServer("ada", None)
    server.first(b"n,,n=,r=abc")
    with pytest.raises(auth.AuthenticationError):
        server.final(message)


def test_verifier_is_postgresqls():
    kept = auth.verifier_of("pencil", RFC_SALT)
    assert base64.b64encode(kept.stored_key) == b"WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
    assert base64.b64encode(kept.server_key) == b"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="


def test_passwords_are_normalised():
    salt = b"0" * 16
    assert auth.verifier_of("I\u00adX", salt) == auth.verifier_of("IX", salt)
    assert auth.verifier_of("\u2168", salt) == auth.verifier_of("IX", salt)
    assert auth.verifier_of("\u0007", salt) != auth.verifier_of("", salt)
