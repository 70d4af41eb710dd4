"""WHOIS (RFC 3912): one line from the client."""

from __future__ import annotations

from reconwatch.sources.pcap.stream import Reader, Stream
from reconwatch.sources.pcap.tell import text

PORT = 43
MAX_LINE = 512
"""Characters kept of a line; queries are a name and some flags."""


class LineReader:
    """Tells the client's first line."""

    __slots__ = ("_line", "_since", "_stream", "held")

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._line = b""
        self._since = 0.0
        self.held = 0

    def feed(self, chunk: bytes, ts: float) -> Reader | None:
        """Read on."""
        if not self._line:
            self._since = ts
        self._line += chunk
        self.held = len(self._line)
        if b"\n" in chunk or self.held >= 4 * MAX_LINE:
            self.end()
            return None
        return self

    def gap(self) -> Reader | None:
        """The line goes only as far as it was captured."""
        self.end()
        return None

    def end(self) -> None:
        """Tell the line, also one that was not ended by a line feed."""
        line = text(self._line.partition(b"\n")[0].rstrip(b"\r"))[:MAX_LINE]
        if line:
            self._stream.flow.teller.whois(self._since, self._stream.claim(None), line)
