"""TLS ClientHello (RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2): the server name and the ALPN offers."""

from __future__ import annotations

from reconwatch.sources.pcap.stream import Reader, Stream
from reconwatch.sources.pcap.tell import text

MAX_HELLO = 64 << 10
"""Declared length beyond which a hello is not believed; post-quantum key shares make about 2 KiB."""

HANDSHAKE = 0x16
_SERVER_NAME, _ALPN = 0, 16


def read_hello(body: bytes) -> tuple[str | None, tuple[str, ...], bool]:
    """(server name, ALPN offers, whether every extension was there) of a ClientHello body, which may be cut.

    The body begins behind the four bytes of the handshake header.
    """
    name: str | None = None
    alpn: tuple[str, ...] = ()
    size = len(body)
    at = 34
    if size <= at:
        return name, alpn, False
    at += 1 + body[at]
    at += 2 + int.from_bytes(body[at : at + 2], "big")
    if at >= size:
        return name, alpn, False
    at += 1 + body[at]
    if at == size:
        return name, alpn, True  # no extensions at all: legal before TLS 1.3
    end = at + 2 + int.from_bytes(body[at : at + 2], "big")
    at += 2
    while at + 4 <= min(end, size):
        kind = body[at] << 8 | body[at + 1]
        length = body[at + 2] << 8 | body[at + 3]
        at += 4
        if at + length > size:
            break
        if kind == _SERVER_NAME and name is None:
            name = _host_name(body[at : at + length])
        elif kind == _ALPN:
            alpn = _protocols(body[at : at + length])
        at += length
    return name, alpn, at >= end


def _host_name(extension: bytes) -> str | None:
    """RFC 6066 section 3: a list of (type, name); only type 0 exists."""
    at = 2
    while at + 3 <= len(extension):
        length = int.from_bytes(extension[at + 1 : at + 3], "big")
        if extension[at] == 0:
            return text(extension[at + 3 : at + 3 + length]).lower().rstrip(".") or None
        at += 3 + length
    return None


def _protocols(extension: bytes) -> tuple[str, ...]:
    offers, at = [], 2
    while at < len(extension):
        offers.append(text(extension[at + 1 : at + 1 + extension[at]]))
        at += 1 + extension[at]
    return tuple(offers)


class HelloReader:
    """Puts one ClientHello together over TLS records and segments, tells it, and is done."""

    __slots__ = ("_body", "_records", "_since", "_stream", "held")

    def __init__(self, stream: Stream, since: float) -> None:
        self._stream = stream
        self._since = since
        self._records = b""
        """Bytes of a record that is not yet whole."""
        self._body = bytearray()
        """The handshake message, record headers taken out."""
        self.held = 0

    def feed(self, chunk: bytes, ts: float) -> Reader | None:
        """Read on."""
        data = self._records + chunk if self._records else chunk
        at, size = 0, len(data)
        while at + 5 <= size:
            if data[at] != HANDSHAKE or data[at + 1] != 3:
                self._tell(whole=False)
                return None
            length = data[at + 3] << 8 | data[at + 4]
            if at + 5 + length > size:
                break
            self._body += data[at + 5 : at + 5 + length]
            at += 5 + length
            if len(self._body) >= 4 and len(self._body) >= 4 + (declared := int.from_bytes(self._body[1:4], "big")):
                del self._body[4 + declared :]
                self._tell(whole=True)
                return None
        self._records = data[at:]
        self.held = len(self._records) + len(self._body)
        if self.held > MAX_HELLO + 5 or int.from_bytes(self._body[1:4], "big") > MAX_HELLO:
            self._tell(whole=False)
            return None
        return self

    def gap(self) -> Reader | None:
        """The rest of the hello is lost; the name may have been before it."""
        self.end()
        return None

    def end(self) -> None:
        """Tell what there is of the hello."""
        self._body += self._records[5:]
        self._tell(whole=False)

    def _tell(self, whole: bool) -> None:
        """Tell a hello; one that is not whole only if its name was found: an unseen name is not an absent one."""
        if self._body[:1] != b"\x01":
            return
        name, alpn, _ = read_hello(bytes(self._body[4:]))
        if whole or name is not None:
            stream = self._stream
            stream.flow.teller.hello(self._since, stream.claim("ssl"), name, alpn, "tls")
