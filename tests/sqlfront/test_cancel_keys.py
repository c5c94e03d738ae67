"""Requests to cancel: a right key counts, and whoever guesses keys is not listened to for a while."""

from __future__ import annotations

import asyncio

import pytest

from sqlfront import logins
from sqlfront.limits import Limits
from sqlfront.logins import FREE_TRIES, Guesses
from sqlfront.sessions import Guest, Sessions


class Noted:
    """A session that counts how often it was cancelled."""

    def __init__(self, number, secret):
        self.number, self.secret, self.cancelled = number, secret, 0

    def cancel(self):
        self.cancelled += 1

    def close(self):
        """Holds nothing."""


def after(*tries):
    """Return how often a session was cancelled after tries of (is right, address)."""

    async def run():
        sessions = Sessions(Limits())
        with sessions.opened(Noted, Guest("ada")) as session:
            wrong = bytes(255 - byte for byte in session.secret)
            for is_right, address in tries:
                sessions.cancel(session.number, session.secret if is_right else wrong, address)
            return session.cancelled

    return asyncio.run(run())


HERE, THERE = "10.0.0.1", "10.0.0.2"


@pytest.mark.parametrize(
    ("tries", "cancelled"),
    [
        ([(True, HERE)], 1),
        ([(False, HERE)], 0),
        ([(True, HERE)] * 20, 20),
        ([(False, HERE)] * (FREE_TRIES - 1) + [(True, HERE)], 1),
        ([(False, HERE)] * FREE_TRIES + [(True, HERE)], 0),
        ([(False, HERE)] * FREE_TRIES + [(True, THERE)], 1),
    ],
)
def test_after_wrong_keys_an_address_waits(tries, cancelled):
    assert after(*tries) == cancelled


@pytest.mark.parametrize("secret", [b"", b"\0\0\0\0", b"\0" * 8])
def test_keys_of_a_session_that_is_not_there_are_wrong_ones(secret):
    async def run():
        sessions = Sessions(Limits())
        with sessions.opened(Noted, Guest("ada")) as session:
            for _ in range(FREE_TRIES):
                sessions.cancel(session.number + 1, secret, HERE)
            sessions.cancel(session.number, session.secret, HERE)
            return session.cancelled

    assert asyncio.run(run()) == 0


def test_waiting_grows_and_ends():
    now = [0.0]
    guesses = Guesses(lambda: now[0])
    waits = []
    for _ in range(FREE_TRIES + 6):
        guesses.failed(HERE)
        waits.append(guesses.wait(HERE))
    assert waits == [0] * (FREE_TRIES - 1) + [1, 2, 4, 8, 16, 30, 30]
    now[0] = logins.LONGEST_WAIT
    assert guesses.wait(HERE) == 0
    assert guesses.wait(THERE) == 0
