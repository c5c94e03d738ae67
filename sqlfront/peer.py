"""Who is at the other end of a connection: where it comes from, and whether it is encrypted, or has to be."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from enum import StrEnum


class Policy(StrEnum):
    """Who has to encrypt: nobody (it is not even offered), clients of other machines, everybody."""

    OFF = "off"
    REMOTE = "remote"
    ALWAYS = "always"


@dataclass(frozen=True)
class Tls:
    """How a connection is encrypted: ``TLSv1.3``, the cipher's name, and the bits of its key."""

    version: str
    cipher: str
    bits: int


@dataclass(frozen=True)
class Peer:
    """The client's address and port, and its encryption; None if it speaks in plain."""

    address: str = "127.0.0.1"
    port: int = 0
    tls: Tls | None = None

    @property
    def is_local(self) -> bool:
        """Whether it comes from this machine."""
        return is_loopback(self.address)


def is_loopback(host: str) -> bool:
    """Tell whether an address can be reached, or comes, from this machine alone."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return address.is_loopback or (mapped is not None and mapped.is_loopback)
