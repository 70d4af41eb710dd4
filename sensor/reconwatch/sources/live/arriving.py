"""Bytes that arrive in pieces of any size, and once only: kept until they are whole lines and somebody takes them."""

from __future__ import annotations

from collections import deque

from reconwatch.sources.lines import LONGEST_LINE, newlines
from reconwatch.sources.live.feed import Chunk
from reconwatch.sources.live.followed import HEAD, first_lines


class Arriving:
    """One stream of lines that is received. Its offsets and line numbers are those of what is given out."""

    def __init__(self, stream: str, name: str) -> None:
        self.stream = stream
        self.offset = 0
        self.line = 1
        self.over = False
        """Nothing more will come."""
        self._name = name
        self._held = bytearray()
        self._whole = 0
        """Bytes of `_held` that are whole lines."""
        self._head = b""
        self._dropping = False
        self._pieces: deque[tuple[int, float]] = deque()
        """Of each piece that was not given out whole: where it ends in the stream, and when it came."""

    def __len__(self) -> int:
        return len(self._held)

    def add(self, data: bytes, now: float) -> str:
        """Keep what came. Returns what to tell if a line is too long, which is left out."""
        if self._dropping:
            newline = data.find(b"\n") + 1
            self._dropping = not newline
            data = data[newline:] if newline else b""
        if not data:
            return ""
        newline = data.rfind(b"\n") + 1
        if newline:
            self._whole = len(self._held) + newline
        self._held += data
        told = ""
        if len(self._held) - self._whole > LONGEST_LINE:
            told = f"a line is longer than {LONGEST_LINE:,} bytes and is left out"
            self._dropping = True
            del self._held[self._whole :]
        self._pieces.append((self.offset + len(self._held), now))
        return told

    def take(self, room: int) -> Chunk | None:
        """The next whole lines; once it is over, the rest."""
        end = self._whole
        if end > room:
            end = self._held.rfind(b"\n", 0, room) + 1 or self._held.find(b"\n") + 1
        if not end and not self.over:
            return None
        last = self.over and end == self._whole
        data = bytes(self._held[: None if last else end])
        self._head = self._head or first_lines(data[:HEAD])
        chunk = Chunk(self.stream, self._name, data, self.offset, self.line, self._head, last)
        del self._held[: len(data)]
        self._whole -= min(self._whole, len(data))
        self.offset += len(data)
        self.line += newlines(data)
        return chunk

    def taken_until(self) -> float | None:
        """When the last piece came of which all was given out since this was last asked; None: there is none."""
        when = None
        while self._pieces and self._pieces[0][0] <= self.offset:
            when = self._pieces.popleft()[1]
        return when
