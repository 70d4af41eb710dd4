"""What a TCP stream carries, told by its bytes: a hello, HTTP, or something that may yet turn into one of them."""

from __future__ import annotations

from reconwatch.sources.pcap.http1 import RequestReader, may_become_request, request_line
from reconwatch.sources.pcap.stream import Reader, Stream
from reconwatch.sources.pcap.tls import HelloReader

MAX_SEGMENTS = 256
"""Segments of one direction that are looked at. A hello behind STARTTLS, SOCKS, a database's SSLRequest or a proxy's
handshake comes within a dozen; the rest is for connections whose beginning was not captured."""

MAX_LINE = 64 << 10
"""A request line that is not ended by then is none; equal to what is kept of a head."""

_RECORD = 0x16
POSTGRES_SSL_REQUEST = bytes.fromhex("0000000804d2162f")


class Recogniser:
    """Looks at the beginning of the stream, then at the beginning of each segment, for something it can name.

    Protocols that turn to TLS half-way wait for the other side's consent, so the hello begins a segment. A first
    segment may be cut anywhere, even inside the bytes that tell.
    """

    __slots__ = ("_data", "_since", "_stream", "held", "left")

    def __init__(self, stream: Stream, left: int = MAX_SEGMENTS) -> None:
        """`left`: segments to look at, before the stream is given up."""
        self._stream = stream
        self._data = b""
        self._since = 0.0
        self.left = left
        """Segments that are still looked at."""
        self.held = 0

    def feed(self, chunk: bytes, ts: float) -> Reader | None:
        """Look at one more segment."""
        if self._data:
            if self._data[0] != _RECORD and b"\n" not in chunk and len(self._data) + len(chunk) < MAX_LINE:
                return self._wait(self._data + chunk, self._since)
            data, since = self._data + chunk, self._since
            self._data, self.held = b"", 0
        else:
            data, since = _behind_preambles(chunk), ts
            if not data:
                return self
        first = data[0]
        if first == _RECORD:
            if data[1:2] in (b"", b"\x03") and data[5:6] in (b"", b"\x01"):
                if len(data) < 6:
                    return self._wait(data, since)
                return HelloReader(self._stream, since).feed(data, ts)
        elif 0x20 < first < 0x7B:
            if data.find(b"\n") < 0:
                if may_become_request(data) and len(data) < MAX_LINE:
                    return self._wait(data, since)
            elif request_line(data) is not None:
                return RequestReader(self._stream, anew, since).feed(data, ts)
        self.left -= 1
        return self if self.left > 0 else None

    def gap(self) -> Reader | None:
        """Go on at the next segment."""
        self._data, self.held = b"", 0
        return self

    def end(self) -> None:
        """Nothing was recognised."""

    def _wait(self, data: bytes, since: float) -> Reader:
        self._data, self._since, self.held = data, since, len(data)
        return self


def is_head(data: bytes | bytearray, start: int, stop: int) -> bool:
    """Whether the segment `data[start:stop]`, which begins with a graphic character, may begin a request."""
    end = data.find(b"\n", start, stop)
    if end < 0:
        return stop - start < MAX_LINE and may_become_request(data, start, stop)
    return request_line(data, start, end + 1) is not None


def _behind_preambles(chunk: bytes) -> bytes:
    """What follows, in the same segment, messages that only ask for TLS, or empty lines."""
    at = 0
    while at < len(chunk) and chunk[at] in b"\0\r\n":
        if chunk[at]:
            at += 1
        elif chunk.startswith(POSTGRES_SSL_REQUEST, at):
            at += len(POSTGRES_SSL_REQUEST)
        else:
            break
    return chunk[at:]


def anew(stream: Stream) -> Reader:
    """Recognise a stream afresh."""
    return Recogniser(stream)
