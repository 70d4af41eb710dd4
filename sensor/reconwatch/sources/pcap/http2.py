"""HTTP/2 in clear text (RFC 9113) as a client sends it: the requests in HEADERS, decoded with HPACK (RFC 7541)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconwatch.sources.pcap.stream import Reader, Stream
from reconwatch.sources.pcap.tell import bare_host, text

if TYPE_CHECKING:
    from hpack import Decoder

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

MAX_BLOCK = 64 << 10
"""A longer header block is given up, and the connection with it: later ones depend on its dynamic table."""

_HEADERS, _PUSH_PROMISE, _CONTINUATION = 1, 5, 9
_END_HEADERS, _PADDED, _PRIORITY = 0x04, 0x08, 0x20


class FrameReader:
    """Reads frames behind the preface; anything but header blocks is stepped over without being kept."""

    __slots__ = (
        "_block",
        "_data",
        "_decoder",
        "_in_block",
        "_prefaced",
        "_since",
        "_skip",
        "_started",
        "_stream",
        "held",
    )

    def __init__(self, stream: Stream, since: float) -> None:
        # Imported here: clear-text HTTP/2 is rare.
        from hpack import Decoder

        self._stream = stream
        self._since = since
        """Time of the first byte of `_data`."""
        self._started = since
        """Time of the first byte of the header block."""
        self._data = b""
        self._skip = 0
        """Bytes of an uninteresting frame still to come."""
        self._prefaced = False
        self._block = b""
        self._in_block = False
        """A header block is not yet whole: only CONTINUATION frames may follow."""
        self._decoder: Decoder = Decoder(max_header_list_size=MAX_BLOCK)
        # The server may have allowed a larger table, in a direction that is not followed.
        self._decoder.max_allowed_table_size = MAX_BLOCK
        self.held = 0

    def feed(self, chunk: bytes, ts: float) -> Reader | None:
        """Read on."""
        if self._skip >= len(chunk):
            self._skip -= len(chunk)
            return self
        since = self._since if self._data else ts
        data = self._data + chunk[self._skip :]
        self._skip = 0
        at = 0
        if not self._prefaced:
            if len(data) < len(PREFACE):
                self._data, self._since = data, since
                return self if PREFACE.startswith(data) else None
            if not data.startswith(PREFACE):
                return None
            self._prefaced, at = True, len(PREFACE)
            self._stream.claim("http")
        while at + 9 <= len(data):
            length, kind, flags = int.from_bytes(data[at : at + 3], "big"), data[at + 3], data[at + 4]
            if kind not in (_HEADERS, _CONTINUATION):
                if at + 9 + length > len(data):
                    self._skip = at + 9 + length - len(data)
                    at = len(data)
                    break
            else:
                if length > MAX_BLOCK:
                    return None
                if at + 9 + length > len(data):
                    break
                if not self._header_frame(kind, flags, data[at + 9 : at + 9 + length], since if at == 0 else ts):
                    return None
            at += 9 + length
        self._data, self._since = data[at:], ts if at else since
        self.held = len(self._data) + len(self._block)
        return self

    def gap(self) -> Reader | None:
        """Frames and the dynamic table are lost for good."""
        return None

    def end(self) -> None:
        """A header block that is not whole cannot be decoded."""

    def _header_frame(self, kind: int, flags: int, payload: bytes, ts: float) -> bool:
        """Take a HEADERS or CONTINUATION frame; False if the connection cannot be read any further."""
        if (kind == _CONTINUATION) != self._in_block:
            return False
        if kind == _HEADERS:
            self._started = ts
            if flags & _PADDED:
                payload = payload[1 : max(1, len(payload) - payload[0])] if payload else b""
            if flags & _PRIORITY:
                payload = payload[5:]
        self._block += payload
        self._in_block = not flags & _END_HEADERS
        if self._in_block:
            return len(self._block) <= MAX_BLOCK
        block, self._block = self._block, b""
        return self._request(block)

    def _request(self, block: bytes) -> bool:
        from hpack import HPACKError

        try:
            decoded = self._decoder.decode(block, raw=True)
        except HPACKError:
            return False
        fields: dict[bytes, bytes] = {}
        for name, value in decoded:
            fields.setdefault(bytes(name), bytes(value))
        method = fields.get(b":method")
        if method is None:  # trailers
            return True
        stream = self._stream
        host = bare_host(text(fields.get(b":authority", fields.get(b"host", b""))))
        if method == b"CONNECT" and b":protocol" not in fields:
            stream.flow.teller.hello(self._started, stream.claim("http"), host or None, (), "connect")
            return True
        agent = fields.get(b"user-agent")
        uri = text(fields.get(b":path", b""))
        stream.flow.teller.request(
            self._started, stream.claim("http"), text(method), host, uri, None if agent is None else text(agent), "2"
        )
        return True
