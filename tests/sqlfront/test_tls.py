"""TLS on real sockets: certificates, who must encrypt, logins bound to the certificate, downgrades."""

import hashlib
import socket
import ssl
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import HomeError
from sqlfront import connection
from sqlfront.peer import Peer, Policy, Tls, is_loopback
from sqlfront.server import running
from sqlfront.tls import Credentials, Encryption, own_certificate
from tests.sqlfront.certificates import write
from tests.sqlfront.fake_front import fake_front, login_with
from tests.sqlfront.test_auth import client_final
from tests.sqlfront.wire_client import everything, message, simplified, startup

SSL_REQUEST = struct.pack("!II", 8, 80877103)
GSS_REQUEST = struct.pack("!II", 8, 80877104)
PASSWORD = "pass word ü"


@pytest.fixture(scope="module")
def credentials(tmp_path_factory):
    return own_certificate(tmp_path_factory.mktemp("home") / "tls")


@pytest.fixture(scope="module")
def front():
    return fake_front(login={"ada": login_with(PASSWORD)}.get)


@pytest.fixture(scope="module")
def address(front, credentials):
    with running(front, encryption=Encryption(credentials)) as address:
        yield address


def connect(address, **options):
    options = {"user": "ada", "password": PASSWORD, "dbname": "wayline", "host": address.host} | options
    return psycopg.connect(port=address.port, autocommit=True, **options)


def plain(address):
    return socket.create_connection((address.host, address.port), timeout=10)


def trusting():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def encrypted(address, context=None):
    client = plain(address)
    client.sendall(SSL_REQUEST)
    assert client.recv(1) == b"S"
    return (context or trusting()).wrap_socket(client, server_hostname="localhost")


def certificate_of(address):
    with encrypted(address) as client:
        return client.getpeercert(True)


def reply(client):
    """Return the next message's tag and body."""
    head = client.recv(5, socket.MSG_WAITALL) if not isinstance(client, ssl.SSLSocket) else client.recv(5)
    (length,) = struct.unpack_from("!I", head, 1)
    body = b""
    while len(body) < length - 4:
        body += client.recv(length - 4 - len(body))
    return chr(head[0]), body


# --- certificates ---


def test_own_certificate_is_made_once_and_for_this_machine(tmp_path):
    made = own_certificate(tmp_path / "tls", ["0.0.0.0", "db.example.org", "10.0.0.7"])
    assert made == own_certificate(tmp_path / "tls")
    assert made.key.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["tls"]
    certificate = x509.load_pem_x509_certificate(made.certificate.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {"localhost", "db.example.org"} <= set(names.get_values_for_type(x509.DNSName))
    addresses = {str(address) for address in names.get_values_for_type(x509.IPAddress)}
    assert addresses == {"127.0.0.1", "::1", "10.0.0.7"}


def test_of_two_servers_that_start_together_one_makes_it(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: own_certificate(tmp_path / "tls"), range(8)))
    assert [path.name for path in tmp_path.iterdir()] == ["tls"]
    Encryption(own_certificate(tmp_path / "tls"))


def test_a_certificate_without_its_key_is_no_certificate(tmp_path):
    own_certificate(tmp_path / "tls").key.unlink()
    with pytest.raises(HomeError, match=r"server\.key is missing"):
        own_certificate(tmp_path / "tls")


def test_unusable_files_are_named(tmp_path):
    one, other = write(tmp_path / "one"), write(tmp_path / "other")
    rubbish = tmp_path / "rubbish"
    rubbish.write_text("rubbish")
    locked = write(tmp_path / "locked", password=b"secret")
    for certificate, key in (
        (one.certificate, other.key),
        (one.certificate, rubbish),
        (rubbish, one.key),
        (tmp_path / "absent", one.key),
        (locked.certificate, locked.key),
    ):
        with pytest.raises(HomeError, match="cannot") as raised:
            Encryption(Credentials(certificate, key))
        assert str(certificate) in raised.value.message
        assert raised.value.hint


def test_a_reload_is_for_new_connections_and_rubbish_changes_nothing(tmp_path, front):
    credentials = write(tmp_path / "tls")
    encryption = Encryption(credentials)
    with running(front, encryption=encryption) as address, connect(address) as before:
        first = certificate_of(address)
        write(tmp_path / "tls")
        encryption.reload()
        assert certificate_of(address) != first
        credentials.key.write_text("rubbish")
        with pytest.raises(HomeError):
            encryption.reload()
        connect(address).close()
        assert before.execute("SELECT 1 AS a").fetchone() == (1,)


# --- clients ---


def test_clients_check_the_certificate(address, credentials, tmp_path):
    root = str(credentials.certificate)
    for host in ("localhost", "127.0.0.1"):
        with connect(address, host=host, sslmode="verify-full", sslrootcert=root) as client:
            assert client.info.parameter_status("server_version")
            assert client.pgconn.ssl_in_use
    other = str(write(tmp_path / "other").certificate)
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        connect(address, sslmode="verify-full", sslrootcert=other)
    context = ssl.create_default_context(cafile=root)
    with encrypted(address, context) as client:
        assert client.version() == "TLSv1.3"


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_tls_12_is_the_oldest(address):
    context = trusting()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with encrypted(address, context) as client:
        assert client.version() == "TLSv1.2"
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError, match="ALERT_PROTOCOL_VERSION"):
        encrypted(address, context)


def test_session_knows_that_it_is_encrypted(address):
    with connect(address, sslmode="require") as client:
        assert client.execute("SHOW ssl").fetchone() == ("on",)
    with connect(address, sslmode="disable") as client:
        assert client.execute("SHOW ssl").fetchone() == ("off",)


def test_catalogs_tell_how_it_is_encrypted(address):
    asked = "SELECT ssl, version, bits FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    with connect(address, sslmode="require") as client:
        is_encrypted, version, bits = client.execute(asked).fetchone()
        assert (is_encrypted, version) == (True, "TLSv1.3")
        assert bits >= 128
    with connect(address, sslmode="disable") as client:
        assert client.execute(asked).fetchone() == (False, None, None)


def test_large_results_and_parameters_pass(address):
    with connect(address, sslmode="require") as client:
        rows = client.execute("SELECT i, repeat('x', 200) AS t FROM range(100000) AS r(i)").fetchall()
        assert len(rows) == 100_000
        assert rows[-1] == (99_999, "x" * 200)
        long = "ü" * 3_000_000
        assert client.execute("SELECT %s::text AS t", [long]).fetchone() == (long,)


def test_direct_tls(address):
    context = trusting()
    context.set_alpn_protocols(["postgresql"])
    with context.wrap_socket(plain(address), server_hostname="localhost") as client:
        assert client.selected_alpn_protocol() == "postgresql"
        client.sendall(startup(user="ada"))
        assert reply(client)[0] == "R"
    with trusting().wrap_socket(plain(address), server_hostname="localhost") as client:
        (problem,) = everything(client)
        assert problem[:2] == ("E", "08P01")
        assert "ALPN" in problem[2]


def test_cancel_over_tls(address):
    with connect(address, sslmode="require") as client:
        outcome = []

        def run():
            try:
                client.execute(
                    "SELECT count(*) AS n FROM range(100000) a(i), range(100000) b(i) WHERE a.i > b.i"
                )
            except psycopg.Error as error:
                outcome.append(error.sqlstate)

        thread = threading.Thread(target=run)
        thread.start()
        time.sleep(0.3)
        key = struct.pack("!I", client.info.backend_pid) + b"\0\0\0\0"
        with encrypted(address) as wrong:
            wrong.sendall(struct.pack("!II", 16, 80877102) + key)
            assert wrong.recv(1) == b""
        assert not outcome
        client.cancel_safe(timeout=10)
        thread.join(10)
        assert outcome == ["57014"]


def test_a_handshake_may_come_in_any_pieces(address):
    """Each byte on its own: what belongs to TLS is kept until the rest is there, and nothing else is."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting().wrap_bio(incoming, outgoing, server_hostname="localhost")

    with plain(address) as carrier:
        carrier.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def until_done(step):
            while True:
                try:
                    return step()
                except ssl.SSLWantReadError:
                    send(outgoing.read())
                    incoming.write(carrier.recv(1))

        def send(data):
            for at in range(len(data)):
                carrier.sendall(data[at : at + 1])

        send(SSL_REQUEST)
        assert carrier.recv(1) == b"S"
        until_done(client.do_handshake)
        client.write(startup(user="ada"))
        send(outgoing.read())
        assert until_done(lambda: client.read(1)) == b"R"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rubbish=st.binary(min_size=1, max_size=300), begins=st.sampled_from([b"", SSL_REQUEST, b"\x16\x03\x01"])
)
def test_rubbish_ends_its_connection_alone(address, rubbish, begins):
    with plain(address) as client:
        client.sendall(begins)
        if begins == SSL_REQUEST:
            assert client.recv(1) == b"S"
        client.sendall(rubbish)
        client.shutdown(socket.SHUT_WR)
        answer = b""
        with suppress(ConnectionResetError):
            while part := client.recv(65536):
                answer += part
        assert not answer or answer[:1] in (b"E", b"v", b"N", b"S", b"\x15", b"\x16")


def test_and_everybody_else_is_served_afterwards(address):
    connect(address, sslmode="require", channel_binding="require").close()


# --- what is refused ---


@pytest.mark.parametrize("behind", [startup(user="ada"), b"\x16", SSL_REQUEST])
@pytest.mark.parametrize("request_", [SSL_REQUEST, GSS_REQUEST])
def test_plaintext_behind_a_request_for_encryption(address, request_, behind):
    with plain(address) as client:
        client.sendall(request_ + behind)
        (problem,) = everything(client)
    assert problem[:2] == ("E", "08P01")
    assert "unencrypted data" in problem[2]


def test_plaintext_in_place_of_the_handshake(address):
    with plain(address) as client:
        client.sendall(SSL_REQUEST)
        assert client.recv(1) == b"S"
        client.sendall(startup(user="ada"))
        alert = client.recv(100)
        assert not alert or alert[0] == 0x15  # TLS's own alert, never a message in plain


def test_encryption_is_asked_for_once(address):
    with encrypted(address) as client:
        client.sendall(SSL_REQUEST)
        assert everything(client)[0][:2] == ("E", "08P01")
    with encrypted(address) as client:
        client.sendall(GSS_REQUEST)
        assert everything(client)[0][:2] == ("E", "08P01")
    with plain(address) as client:
        client.sendall(GSS_REQUEST)
        assert client.recv(1) == b"N"
        client.sendall(GSS_REQUEST)
        assert everything(client)[0][:2] == ("E", "08P01")


def test_gss_is_declined_and_tls_goes_on(address):
    with plain(address) as client:
        client.sendall(GSS_REQUEST)
        assert client.recv(1) == b"N"
        client.sendall(SSL_REQUEST)
        assert client.recv(1) == b"S"
        with trusting().wrap_socket(client) as wrapped:
            wrapped.sendall(startup(user="ada"))
            assert reply(wrapped)[0] == "R"


def test_who_must_encrypt(front, credentials):
    here, remote, mapped = Peer("127.0.0.1"), Peer("192.168.1.7"), Peer("::ffff:127.0.0.1")
    assert is_loopback("::1")
    assert not is_loopback("db.example.org")
    policy = {one: Encryption(credentials, one).must_encrypt for one in (Policy.REMOTE, Policy.ALWAYS)}
    assert [policy[Policy.REMOTE](peer) for peer in (here, remote, mapped)] == [False, True, False]
    assert all(policy[Policy.ALWAYS](peer) for peer in (here, remote, mapped))
    with running(front, encryption=Encryption(credentials, Policy.ALWAYS)) as address:
        connect(address, sslmode="prefer").close()
        with plain(address) as client:
            client.sendall(startup(user="ada"))
            (problem,) = everything(client)  # before any word about a password
            assert problem[:2] == ("E", "28000")
            assert "must be encrypted" in problem[2]


# --- logins bound to the certificate ---


@pytest.mark.parametrize("digest", [hashes.SHA256(), hashes.SHA384(), hashes.SHA512()])
def test_logins_are_bound_to_the_certificate(tmp_path, front, digest):
    credentials = write(tmp_path / "tls", ec.generate_private_key(ec.SECP384R1()), digest)
    with running(front, encryption=Encryption(credentials)) as address:
        connect(address, channel_binding="require").close()
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            connect(address, channel_binding="require", password="wrong")
        connect(address, channel_binding="disable").close()


def test_a_certificate_without_a_hash_binds_nothing(tmp_path, front):
    credentials = write(tmp_path / "tls", ed25519.Ed25519PrivateKey.generate())
    with running(front, encryption=Encryption(credentials)) as address:
        connect(address, sslmode="require").close()
        with encrypted(address) as client:
            client.sendall(startup(user="ada"))
            assert reply(client) == ("R", struct.pack("!I", 10) + b"SCRAM-SHA-256\0\0")


def login(client, mechanism, header, binding=b"", password=PASSWORD):
    """Log in as ada with a client of our own; return the tags and errors that follow."""
    client.sendall(startup(user="ada"))
    kind, offered = reply(client)
    assert kind == "R"
    first = header + b"n=,r=abc"
    body = mechanism.encode() + b"\0" + struct.pack("!i", len(first)) + first
    client.sendall(message("p", body))
    kind, challenge = reply(client)
    if kind == "E":
        return offered, simplified(message(kind, challenge))[0]
    answer, _ = client_final(password, b"n=,r=abc", challenge[4:], header + binding)
    client.sendall(message("p", answer))
    kind, rest = reply(client)
    return offered, (kind,) if kind != "E" else simplified(message(kind, rest))[0]


BOUND = b"p=tls-server-end-point,,"


def test_our_own_client_is_bound(address):
    with encrypted(address) as client:
        hashed = hashlib.sha256(client.getpeercert(True)).digest()
        offered, ended = login(client, "SCRAM-SHA-256-PLUS", BOUND, hashed)
    assert offered[4:] == b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"
    assert ended == ("R",)


@pytest.mark.parametrize(
    ("mechanism", "header", "binding", "told"),
    [
        ("SCRAM-SHA-256", b"y,,", b"", "was not told"),
        ("SCRAM-SHA-256", BOUND, b"x" * 32, "do not go together"),
        ("SCRAM-SHA-256-PLUS", b"n,,", b"", "do not go together"),
        ("SCRAM-SHA-256-PLUS", b"y,,", b"", "was not told"),
        ("SCRAM-SHA-256-PLUS", BOUND, b"x" * 32, "does not fit this connection"),
        ("SCRAM-SHA-256-PLUS", BOUND, b"", "does not fit this connection"),
        ("SCRAM-SHA-256-PLUS", b"p=tls-unique,,", b"x" * 12, "only channel binding"),
        ("SCRAM-SHA-1", b"n,,", b"", "invalid SASL"),
    ],
)
def test_bindings_that_somebody_changed(address, mechanism, header, binding, told):
    with encrypted(address) as client:
        _, ended = login(client, mechanism, header, binding)
    assert ended[:2] == ("E", "28000")
    assert told in ended[2]


def test_what_a_plain_connection_offers(address):
    with plain(address) as client:
        offered, ended = login(client, "SCRAM-SHA-256", b"y,,")
        assert offered[4:] == b"SCRAM-SHA-256\0\0"
        assert ended == ("R",)
    with plain(address) as client:
        assert login(client, "SCRAM-SHA-256-PLUS", BOUND)[1][:2] == ("E", "28000")


def test_a_login_in_the_middle_does_not_pass(address, tmp_path, front):
    """Who ends the encryption with another certificate cannot pass the client's proof on."""
    other = write(tmp_path / "other")
    hashed = hashlib.sha384(ssl.PEM_cert_to_DER_cert(other.certificate.read_text())).digest()
    with encrypted(address) as client:
        _, ended = login(client, "SCRAM-SHA-256-PLUS", BOUND, hashed)
    assert ended[:2] == ("E", "28000")


# --- the password itself ---


def test_the_password_itself_only_within_tls(front, credentials):
    with running(front, encryption=Encryption(credentials), passwords=True) as address:
        with encrypted(address) as client:
            client.sendall(startup(user="ada"))
            assert reply(client) == ("R", struct.pack("!I", 3))
        with plain(address) as client:
            client.sendall(startup(user="ada"))
            assert reply(client)[1][:4] == struct.pack("!I", 10)
        connect(address, sslmode="require").close()
        for wrong in ({"password": "wrong"}, {"user": "nobody"}):
            with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
                connect(address, sslmode="require", **wrong)
        with encrypted(address) as client:
            client.sendall(startup(user="ada") + message("p", b"\xff\xfe\0"))
            assert everything(client)[-1][:2] == ("E", "08P01")


def test_peers_are_described(address, monkeypatch):
    seen = []
    original = connection.Session

    def session(*arguments):
        seen.append(arguments[4])
        return original(*arguments)

    monkeypatch.setattr(connection, "Session", session)
    with connect(address, sslmode="require"):
        pass
    (peer,) = seen
    assert peer.address == "127.0.0.1"
    assert peer.is_local
    assert isinstance(peer.tls, Tls)
    assert peer.tls.version == "TLSv1.3"
    assert peer.tls.bits >= 128
