"""A connection to Zeek's WebSocket API, and each way in which there is none."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.zeek_server import ACK, row, serving, subscribed

from reconwatch.broker.connection import FIRST_PAUSE, LONGEST_PAUSE, MISSING, PATH, AwayError, Connection, Login, Pauses
from reconwatch.broker.frames import BadFrameError, Event, Trouble, written


def rests(connection: Any) -> None:
    """Until the other side ends it."""
    for _ in connection:
        pass


def test_it_says_who_it_is_and_what_it_wants_and_waits_for_the_acknowledgement() -> None:
    asked: list[tuple[str, str | None, list[str]]] = []

    def zeek(connection: Any) -> None:
        request = connection.request
        asked.append((request.path, request.headers.get("X-Application-Name"), subscribed(connection)))
        rests(connection)

    with serving(zeek) as url:
        connection = Connection(Login(url), ["/a", "/b"])
        connection.close()
        connection.close()
    assert asked == [(PATH, "reconwatch", ["/a", "/b"])]
    assert connection.zeek == "8.2.2"


def test_what_comes_before_the_acknowledgement_is_not_lost() -> None:
    def zeek(connection: Any) -> None:
        connection.recv()
        connection.send(written(row("/early")))
        connection.send(ACK)
        connection.send(written(row("/late")))
        rests(connection)

    with serving(zeek) as url:
        connection = Connection(Login(url), ["/a"])
        came = [connection.receive(30.0), connection.receive(30.0)]
        connection.close()
    assert came == [row("/early"), row("/late")]


@pytest.mark.parametrize("frame", ["x" * 100, "[]", '{"type":"ack"}', b"\xff"])
def test_a_bad_frame_does_not_end_it(frame: str | bytes) -> None:
    def zeek(connection: Any) -> None:
        subscribed(connection)
        connection.send(frame)
        connection.send(written(row()))
        rests(connection)

    with serving(zeek) as url:
        connection = Connection(Login(url), ["/a"])
        with pytest.raises(BadFrameError):
            connection.receive(30.0)
        assert isinstance(connection.receive(30.0), Event)
        connection.close()


def test_an_error_behind_the_acknowledgement_is_told() -> None:
    def zeek(connection: Any) -> None:
        subscribed(connection)
        connection.send('{"type":"error","code":"deserialization_failed","context":"input #1: no"}')
        rests(connection)

    with serving(zeek) as url:
        connection = Connection(Login(url), ["/a"])
        assert connection.receive(30.0) == Trouble("deserialization_failed", "input #1: no")
        connection.close()


def test_an_end_is_told_with_its_reason_and_stays_one() -> None:
    def zeek(connection: Any) -> None:
        subscribed(connection)
        connection.close(1001, "Terminating")

    with serving(zeek) as url:
        connection = Connection(Login(url), ["/a"])
        for _ in range(2):
            with pytest.raises(AwayError, match=r"Zeek closed the connection: .*Terminating"):
                connection.receive(30.0)
        with pytest.raises(AwayError):
            connection.send(row())


def test_who_speaks_no_websocket_is_told_as_such() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answers() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.recv(65_536)
                peer.sendall(b"HTTP/1.1 404 \x1b[31mNot Found\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=answers)
        thread.start()
        with pytest.raises(AwayError, match="no WebSocket there") as away:
            Connection(Login(f"ws://127.0.0.1:{listener.getsockname()[1]}"), ["/a"])
        thread.join()
    assert str(away.value).isprintable()


class Relay:
    """Passes bytes between a client and a server until it is told to swallow them: a peer that hangs."""

    def __init__(self, url: str) -> None:
        self._server = ("127.0.0.1", int(url.rpartition(":")[2]))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"ws://127.0.0.1:{self._listener.getsockname()[1]}"
        self.swallows = threading.Event()
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        server = socket.create_connection(self._server)
        self._sockets += [client, server]
        for source, sink in ((client, server), (server, client)):
            self._threads.append(threading.Thread(target=self._pass, args=(source, sink)))
            self._threads[-1].start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65_536):
                if not self.swallows.is_set():
                    sink.sendall(data)
        except OSError:  # ended by the test
            pass

    def ends(self) -> None:
        for each in (self._listener, *self._sockets):
            with suppress(OSError):  # it ended before
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join()


def test_a_peer_that_hangs_is_away_after_a_ping_without_an_answer() -> None:
    def zeek(connection: Any) -> None:
        subscribed(connection)
        rests(connection)

    with serving(zeek) as url:
        relay = Relay(url)
        connection = Connection(Login(relay.url), ["/a"], patience=2.0)
        connection.is_there()
        relay.swallows.set()
        assert connection.receive(0.0) is None
        with pytest.raises(AwayError, match="does not answer a ping within 2 s"):
            connection.is_there()
        relay.ends()
        connection.close()


def test_pauses_double_up_to_half_a_minute_and_begin_anew_when_it_is_well() -> None:
    pauses = Pauses(lambda: 1.0)
    found = [pauses.next() for _ in range(8)]
    assert found == [FIRST_PAUSE, 2.0, 4.0, 8.0, 16.0, LONGEST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE]
    pauses.well()
    assert pauses.next() == FIRST_PAUSE
    assert Pauses(lambda: 0.0).next() == FIRST_PAUSE / 2


def test_without_the_package_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in sys.modules if each.partition(".")[0] == "websockets"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ModuleNotFoundError) as caught:
        Connection(Login("ws://127.0.0.1:1"), [])
    assert str(caught.value) == MISSING


Certified = tuple[Path, Path]


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Certified:
    """A certificate of 127.0.0.1 that signs itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "zeek")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "zeek.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "zeek.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )  # fmt: skip
    return folder / "zeek.crt", folder / "zeek.key"


@contextmanager
def encrypted(certified: Certified, handler: Callable[[Any], None]) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certified)
    with serving(handler, ssl=context) as url:
        yield url.replace("ws:", "wss:")


def test_over_tls_its_certificate_must_be_signed_by_who_was_named(certified: Certified) -> None:
    def zeek(connection: Any) -> None:
        subscribed(connection)
        connection.send(written(row()))
        rests(connection)

    with encrypted(certified, zeek) as url:
        connection = Connection(Login(url, str(certified[0])), ["/a"])
        assert connection.receive(30.0) == row()
        connection.close()
        with pytest.raises(AwayError, match="no TLS with it") as away:
            Connection(Login(url), ["/a"])
        assert "ca_file:" in away.value.advice
        with pytest.raises(AwayError):
            Connection(Login(url.replace("wss:", "ws:")), ["/a"], patience=2.0)


def test_certificates_that_are_not_there_are_told() -> None:
    with pytest.raises(AwayError, match="no such file"):
        Connection(Login("wss://127.0.0.1:1", "/nowhere/ca.pem"), ["/a"])
