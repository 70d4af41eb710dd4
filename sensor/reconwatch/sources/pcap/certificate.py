"""The certificate that a server sends in the clear, as it does up to TLS 1.2 (RFC 5246 section 7.4.2)."""

from __future__ import annotations

from reconwatch.sources.pcap.stream import Reader, Stream
from reconwatch.sources.pcap.tls import HANDSHAKE

MOST = 16 << 10
"""Bytes of a server's first flight in which its certificate is sought: it stands in front of its chain, and has 1 to
4 KiB."""

_HELLO, _CERTIFICATE = 2, 11


class CertificateReader:
    """Reads a server's first flight: its hello, then its certificate. Whatever else it begins with is not for it."""

    __slots__ = ("_at", "_body", "_data", "_stream", "held")

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._data = b""
        """What lies behind the last whole record."""
        self._body = bytearray()
        """What the records held: handshake messages, from `_at` on not looked at."""
        self._at = 0
        self.held = 0

    def feed(self, chunk: bytes, ts: float) -> Reader | None:
        """Take one more segment; None when the certificate is there, or none will come."""
        data = self._data + chunk
        while len(data) >= 5:
            if data[0] != HANDSHAKE or data[1] != 3:
                return None
            end = 5 + int.from_bytes(data[3:5], "big")
            if len(data) < end:
                break
            self._body += data[5:end]
            data = data[end:]
            if self._look():
                return None
        if data[:1] not in (b"", b"\x16") or len(self._body) + len(data) >= MOST:
            return None
        self._data = data
        self.held = len(self._body) + len(data)
        return self

    def gap(self) -> Reader | None:
        """What is missing may have been it."""
        return None

    def end(self) -> None:
        """It never came whole."""

    def _look(self) -> bool:
        """Go through whole messages; whether nothing more is to be looked at."""
        body = self._body
        while len(body) >= self._at + 4:
            kind, start = body[self._at], self._at + 4
            end = start + int.from_bytes(body[start - 3 : start], "big")
            if kind not in (_HELLO, _CERTIFICATE):
                return True
            if kind == _CERTIFICATE:
                # A list of three bytes' length; the first is the server's own.
                size = int.from_bytes(body[start + 3 : start + 6], "big")
                if start + 6 + size > end:
                    return True
                if len(body) < start + 6 + size:
                    return False
                self._stream.flow.teller.certificate(self._stream.flow, bytes(body[start + 6 : start + 6 + size]))
                return True
            if len(body) < end:
                return False
            self._at = end
        return False
