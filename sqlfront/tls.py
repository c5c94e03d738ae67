"""The server's certificate, made at the first start or the user's own, and what is encrypted with it."""

from __future__ import annotations

import hashlib
import ipaddress
import shutil
import socket
import ssl
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from engine.errors import HomeError
from sqlfront.peer import Peer, Policy

CERTIFICATE: Final = "server.crt"
KEY: Final = "server.key"
PROTOCOL: Final = "postgresql"
"""What clients say (ALPN) that begin with TLS instead of asking for it."""
_VALID_FOR: Final = timedelta(days=3650)
_CLOCKS_DIFFER: Final = timedelta(days=1)
_USAGE: Final = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)
_WEAK: Final = frozenset(("md5", "sha1"))


@dataclass(frozen=True)
class Credentials:
    """Where a certificate (with the chain behind it) and its private key are, both in PEM."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class Identity:
    """A certificate as it is in use.

    Attributes:
        context: makes encrypted connections.
        end_point: what a login can be bound to (``tls-server-end-point`` of RFC 5929): a hash of the
            certificate; None if its signature has none, as with Ed25519.
    """

    context: ssl.SSLContext
    end_point: bytes | None


class Encryption:
    """Guards the certificate that new connections get.

    Args:
        credentials: the certificate and its key.
        policy: who has to encrypt.

    Raises:
        HomeError: the files cannot be read, or do not belong together.
    """

    def __init__(self, credentials: Credentials, policy: Policy = Policy.REMOTE) -> None:
        self._credentials = credentials
        self._policy = policy
        self.identity = _read(credentials)

    def reload(self) -> None:
        """Read the files again, for connections from now on; if they are unusable nothing changes.

        Raises:
            HomeError: the files cannot be read, or do not belong together.
        """
        self.identity = _read(self._credentials)

    def must_encrypt(self, peer: Peer) -> bool:
        """Tell whether a client may not go on in plain."""
        return self._policy is Policy.ALWAYS or (self._policy is Policy.REMOTE and not peer.is_local)


def own_certificate(folder: Path, hosts: Iterable[str] = ()) -> Credentials:
    """Return the certificate in a folder; without one, make one signed by itself.

    Args:
        folder: appears at once with both files in it, so that of two servers that start only one makes it.
        hosts: names and addresses that the certificate shall be good for, beside this machine's.

    Raises:
        HomeError: the folder cannot be written, or a file is missing in it.
    """
    made = Credentials(folder / CERTIFICATE, folder / KEY)
    try:
        if not folder.exists():
            _make(folder, [*_own_names(), *hosts])
    except OSError as error:
        hint = "Make the folder writable, name your own with --tls-cert and --tls-key, or use --tls off."
        raise HomeError(f"cannot make a certificate in {folder}: {error.strerror}", hint=hint) from None
    for path in (made.certificate, made.key):
        if not path.exists():
            raise HomeError(f"{path} is missing", hint=f"Remove {folder} to have a new certificate made.")
    return made


def _make(folder: Path, hosts: Iterable[str]) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _signed_by_itself(key, hosts)
    drawn = Path(tempfile.mkdtemp(prefix=".tls-", dir=folder.parent))
    try:
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (drawn / KEY).touch(0o600)
        (drawn / KEY).write_bytes(pem)
        (drawn / CERTIFICATE).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        drawn.rename(folder)
    except OSError:
        shutil.rmtree(drawn)
        if not folder.exists():
            raise


def _signed_by_itself(key: ec.EllipticCurvePrivateKey, hosts: Iterable[str]) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "wayline")])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCKS_DIFFER)
        .not_valid_after(now + _VALID_FOR)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_USAGE, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.SubjectAlternativeName(list(_alternatives(hosts))), critical=False)
        .sign(key, hashes.SHA256())
    )


def _own_names() -> list[str]:
    return ["localhost", "127.0.0.1", "::1", socket.gethostname()]


def _alternatives(hosts: Iterable[str]) -> Iterator[x509.GeneralName]:
    for host in dict.fromkeys(hosts):
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            if host.isascii():
                yield x509.DNSName(host)
        else:
            if not address.is_unspecified:
                yield x509.IPAddress(address)


def _read(credentials: Credentials) -> Identity:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET
    context.num_tickets = 0
    context.set_alpn_protocols([PROTOCOL])
    where = f"{credentials.certificate} and {credentials.key}"
    try:
        context.load_cert_chain(credentials.certificate, credentials.key, password=_no_password)
        certificate = x509.load_pem_x509_certificate(credentials.certificate.read_bytes())
    except ssl.SSLError as error:
        hint = "Both must be in PEM, the key without a password, and belong together."
        raise HomeError(f"cannot use {where}: {error.reason or error}", hint=hint) from None
    except (OSError, ValueError) as error:
        raise HomeError(f"cannot read {where}: {error}", hint="Name files that exist, in PEM.") from None
    return Identity(context, _end_point(certificate))


def _no_password() -> str:
    raise ValueError("the key is protected by a password")


def _end_point(certificate: x509.Certificate) -> bytes | None:
    signed = certificate.signature_hash_algorithm
    if signed is None:
        return None
    name = "sha256" if signed.name in _WEAK else signed.name
    return hashlib.new(name, certificate.public_bytes(serialization.Encoding.DER)).digest()
