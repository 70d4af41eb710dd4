"""HTTP/1 (RFC 9112) as a client sends it: every request of a connection, bodies stepped over."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import NamedTuple

from reconwatch.sources.pcap.http2 import PREFACE, FrameReader
from reconwatch.sources.pcap.stream import Reader, Stream
from reconwatch.sources.pcap.tell import bare_host, text

MAX_HEAD = 64 << 10
"""A longer head is told as far as it goes; servers refuse heads beyond 8 to 64 KiB."""

MAX_CHUNK_LINE = 4096
"""Chunk extensions (RFC 9112 section 7.1.1) are hardly ever sent; a longer line is no chunk's."""

REQUEST_LINE = re.compile(rb"([!-~]{1,32})[ \t]+(\S(?:.*?\S)??)[ \t]+HTTP/(\d(?:\.\d?)?)[ \t]*\r?\n", re.DOTALL)
_SIMPLE_REQUEST = re.compile(rb"(GET|HEAD|POST|PUT|DELETE|OPTIONS|TRACE|PATCH)[ \t]+(/[^\r\n]*?)()[ \t]*\r?\n")
"""Without a version: HTTP/0.9 (RFC 1945 section 4.1), or what careless scanners send for later ones."""

_BEGINNING = re.compile(rb"[A-Za-z][!-~]{0,31}(?:[ \t][^\r\n]*\r?)?\Z")
_END_OF_HEAD = re.compile(rb"\n\r?\n")
_FIELDS = re.compile(
    rb"\n(host|user-agent|content-length|transfer-encoding|upgrade)[ \t]*:[ \t]*([^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)",
    re.IGNORECASE,
)
"""Folded lines (RFC 9112 section 5.2) belong to the value."""
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://([^/?#]*)(.*)", re.DOTALL)
_CHUNK_LINE = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,32})[ \t]*(?:;[^\n]*)?\r?\n")

NOT_CREDIBLE = 10**15
"""Bytes. Of a body or chunk that claims more, nothing is stepped over."""


class Head(NamedTuple):
    """What a request's head says that matters here."""

    method: str
    host: str
    """For CONNECT: the host that is to be connected to."""
    uri: str
    user_agent: str | None
    version: str
    length: int
    """Bytes of the body that follows, unless it comes in chunks."""
    chunked: bool
    upgrade: bytes


def read_head(line: re.Match[bytes], head: bytes | bytearray) -> Head:
    """A head that begins with a request line; it may be cut."""
    fields: dict[bytes, bytes] = {}
    for name, value in _FIELDS.findall(head):
        fields.setdefault(name.lower(), value.rstrip())
    method, target, host = text(line[1]), text(line[2]), text(fields.get(b"host", b""))
    if method == "CONNECT":
        # Where a path stands in its place, the authority is what Host repeats (section 3.2).
        authority = host if target.startswith("/") else target.split()[0]
        return Head(method, bare_host(authority), "", None, "", 0, False, b"")
    host, uri = split_target(target, host)
    agent = fields.get(b"user-agent")
    chunked = b"chunked" in fields.get(b"transfer-encoding", b"").lower()
    length = fields.get(b"content-length", b"").lstrip(b"0")
    return Head(
        method, host, uri, None if agent is None else text(agent), line[3].decode() or "0.9",
        int(length) if length.isdigit() and len(length) < 16 and not chunked else 0, chunked,
        fields.get(b"upgrade", b""),
    )  # fmt: skip


def whole_request(data: bytes | bytearray, start: int, stop: int) -> Head | None:
    """The head of the one request that fills `data[start:stop]`, its body included; None if that is anything else.

    Also None for what changes the meaning of what follows: CONNECT, an upgrade, HTTP/2's preface.
    """
    line = request_line(data, start, stop)
    if line is None or line[1] in (b"CONNECT", b"PRI"):
        return None
    end = _END_OF_HEAD.search(data, line.end() - 1, stop)
    if end is None:
        return None
    head = read_head(line, data[start : end.end()])
    return None if head.upgrade or head.chunked or end.end() + head.length != stop else head


Anew = Callable[[Stream], Reader]
"""Gives who recognises afresh what a stream carries."""

_WAIT, _LEAVE = -1, -2


def request_line(data: bytes | bytearray, at: int = 0, stop: int = sys.maxsize) -> re.Match[bytes] | None:
    """The request line (RFC 9112 section 3) at `at`, if its line feed is there, before `stop`."""
    end = data.find(b"\n", at, stop)
    if end < 0:
        return None
    return REQUEST_LINE.fullmatch(data, at, end + 1) or _SIMPLE_REQUEST.fullmatch(data, at, end + 1)


def may_become_request(data: bytes | bytearray, at: int = 0, stop: int = sys.maxsize) -> bool:
    """Whether `data[at:stop]`, which holds no whole line, could be the beginning of a request line."""
    return _BEGINNING.match(data, at, stop) is not None


def split_target(target: str, host: str) -> tuple[str, str]:
    """(host, origin form) of a request target: in absolute form it names the host itself (RFC 9112 section 3.2.2)."""
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None:
        return bare_host(host), target
    rest = absolute[2]
    return bare_host(absolute[1]), rest if rest.startswith("/") else "/" + rest


class RequestReader:
    """Reads requests until the connection turns to something else."""

    __slots__ = ("_anew", "_body", "_chunked", "_data", "_heir", "_lined", "_since", "_stream", "_upgrade", "held")

    def __init__(self, stream: Stream, anew: Anew, since: float | None = None) -> None:
        """`since`: the time of the first byte, if it came before the first chunk that is fed."""
        self._stream = stream
        self._anew = anew
        self._data = b""
        """What came of a head, or of a chunk's line."""
        self._since = since
        self._body = 0
        """Bytes of a body still to come."""
        self._chunked = False
        """In a chunked body: when `_body` is used up, the line of a chunk follows."""
        self._upgrade = b""
        self._lined = False
        """`_data` begins with a request line, and holds no end of a head."""
        self._heir: Reader | None = None
        self.held = 0

    def feed(self, chunk: bytes, ts: float) -> Reader | None:
        """Read on."""
        if self._body >= len(chunk):
            self._body -= len(chunk)
            return self
        data = self._data + chunk if self._data else chunk
        since = ts if self._since is None else self._since
        at = 0
        while at < len(data):
            if self._body:
                step = min(self._body, len(data) - at)
                self._body -= step
                at += step
                continue
            behind = self._chunk_line(data, at) if self._chunked else self._head(data, at, ts if at else since, ts)
            if behind == _LEAVE:
                return self._heir
            if behind == _WAIT:
                break
            at = behind
        self._data = data[at:]
        self._since = None if not self._data else ts if at else since
        self.held = len(self._data)
        return self

    def gap(self) -> Reader | None:
        """Inside a head, the rest of it is lost; what follows is recognised afresh at the next segment."""
        self.end()
        return self._anew(self._stream)

    def end(self) -> None:
        """Tell the head as far as it came."""
        if self._data and not self._chunked and not self._body:
            line = request_line(self._data)
            if line is not None and line[1] != b"PRI":
                self._request(line, self._data, self._since or 0.0)
        self._data = b""

    def at_rest(self) -> bool:
        """Whether the next byte begins a request like the first, whatever was said before."""
        return not (self._data or self._body or self._chunked or self._upgrade)

    def expects_http2(self) -> bool:
        """Whether the request asked for HTTP/2 in clear text."""
        return self._upgrade.lower() == b"h2c"

    def _head(self, data: bytes, at: int, since: float, ts: float) -> int:
        """Read the head at `at`; the offset behind it, _WAIT, or _LEAVE."""
        while at < len(data) and data[at] in b"\r\n":  # empty lines before a request are to be ignored (section 2.2)
            at += 1
        if at == len(data):
            return at
        # A head that comes in many small pieces is not searched from its beginning each time.
        known, self._lined = self._lined and at == 0, False
        end = _END_OF_HEAD.search(data, max(0, len(self._data) - 2) if known else at)
        if known and end is None and len(data) <= MAX_HEAD:
            self._lined = True
            return _WAIT
        line = request_line(data, at)
        if end is None:
            whole_line = data.find(b"\n", at) >= 0
            if len(data) - at <= MAX_HEAD and (line is not None if whole_line else may_become_request(data, at)):
                self._lined = line is not None
                return _WAIT
            if line is not None:
                self._request(line, data[at:], since)
            return self._leave()
        if line is None:
            return self._leave()
        if line[1] == b"PRI":
            heir = FrameReader(self._stream, since)
            self._heir = heir.feed(data[at:], ts) if data.startswith(PREFACE[:18], at) else None
            return _LEAVE
        behind = end.end()
        self._request(line, data[at:behind], since)
        return self._leave(data[behind:]) if line[1] == b"CONNECT" else behind

    def _leave(self, rest: bytes = b"") -> int:
        """Stop reading HTTP: behind a CONNECT, whose tunnel begins with `rest`, or because it is none (any more)."""
        # Behind an Upgrade whose answer was not seen, what is no request is the other protocol: nothing for us.
        self._heir = None if self._upgrade else self._anew(self._stream)
        self._stream.rest = rest
        return _LEAVE

    def _request(self, line: re.Match[bytes], head: bytes, since: float) -> None:
        """Tell the request, and note how its body is to be stepped over."""
        told = read_head(line, head)
        stream = self._stream
        at = stream.claim("http")
        if told.method == "CONNECT":
            stream.flow.teller.hello(since, at, told.host or None, (), "connect")
            return
        stream.flow.teller.request(since, at, told.method, told.host, told.uri, told.user_agent, told.version)
        self._chunked, self._body, self._upgrade = told.chunked, told.length, told.upgrade
        if self._upgrade:
            stream.watch(UpgradeWatch(stream))

    def _chunk_line(self, data: bytes, at: int) -> int:
        """Read the line of a chunk (section 7.1); trailers are stepped over like the empty lines before a request."""
        line = _CHUNK_LINE.match(data, at)
        if line is None:
            if data.find(b"\n", at) < 0 and len(data) - at < MAX_CHUNK_LINE:
                return _WAIT
            return self._leave()
        size = int(line[1], 16)
        if size >= NOT_CREDIBLE:  # made to overflow in one of two readers: what follows is for the other one
            size = 0
        self._body = size + 2 if size else 0
        self._chunked = size > 0
        return line.end()


class UpgradeWatch:
    """Reads the server's next answer: 101 ends HTTP, so that nothing is "found" inside what comes then."""

    __slots__ = ("_client", "held")

    def __init__(self, client: Stream) -> None:
        self._client = client
        self.held = 0

    def feed(self, chunk: bytes, ts: float) -> Reader | None:
        """Look at the status line; interim answers other than 101 are waited out."""
        status = chunk[9:12] if chunk.startswith(b"HTTP/1.") else b""
        if status == b"100":
            return self
        reader = self._client.reader
        # Behind an upgrade to h2c the client sends the HTTP/2 preface, which its reader understands (RFC 7540, 3.2).
        if status == b"101" and isinstance(reader, RequestReader) and not reader.expects_http2():
            self._client.reader = None
            self._client.waiting = []
        return None

    def gap(self) -> Reader | None:
        """The answer is lost."""
        return None

    def end(self) -> None:
        """Nothing to tell."""
