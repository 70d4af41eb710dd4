"""Block-wise reading: a window of bytes over a stream that never grows beyond what one record needs."""

from __future__ import annotations

from typing import BinaryIO

BLOCK = 1 << 20
"""Bytes asked for at a time: large enough that a read costs nothing a packet, small enough to stay in the L2 cache."""


class Window:
    """The unread part of a stream. `data[at:]` is what is at hand, `base` the offset of `data[0]` in the stream."""

    __slots__ = ("at", "base", "data", "ended", "stream")

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.data = b""
        self.base = 0
        self.at = 0
        self.ended = False

    @property
    def position(self) -> int:
        """Offset in the stream of the next byte to be looked at."""
        return self.base + self.at

    def has(self, count: int) -> bool:
        """Whether `count` bytes from `at` on are at hand, reading on where needed. False only at the end of input."""
        while len(self.data) - self.at < count:
            if not self.more():
                return False
        return True

    def more(self) -> bool:
        """Read one more block behind the unread bytes, dropping those before `at`; False at the end of input."""
        if self.ended:
            return False
        chunk = self.stream.read(BLOCK)
        if not chunk:
            self.ended = True
            return False
        self.base += self.at
        self.data = self.data[self.at :] + chunk
        self.at = 0
        return True
