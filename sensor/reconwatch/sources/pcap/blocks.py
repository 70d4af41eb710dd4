"""Block-wise reading: a window of bytes over a stream that never grows beyond what one record needs."""

from __future__ import annotations

from typing import BinaryIO, Protocol, cast

BLOCK = 2 << 20
"""Bytes that a window is filled with: enough packets for numpy's calls to cost little each, few enough to be in the
cache still when their fields are looked at."""

SLACK = 128
"""Bytes of the buffer behind those read: a fixed-size look at a header may reach beyond the last packet."""


class _Readable(Protocol):
    def readinto(self, buffer: memoryview, /) -> int | None: ...


class Window:
    """The unread part of a stream. `data[at:end]` is what is at hand, `base` the offset of `data[0]` in the stream.

    The buffer is reused: what is kept beyond the next `has` or `more` must be copied out of it.
    """

    __slots__ = ("_read", "at", "base", "data", "end", "ended")

    def __init__(self, stream: BinaryIO) -> None:
        self._read = cast(_Readable, stream).readinto
        self.data = bytearray(BLOCK + SLACK)
        self.base = 0
        self.at = 0
        self.end = 0
        self.ended = False

    @property
    def position(self) -> int:
        """Offset in the stream of the next byte to be looked at."""
        return self.base + self.at

    def has(self, count: int) -> bool:
        """Whether `count` bytes from `at` on are at hand, reading on where needed. False only at the end of input."""
        if self.end - self.at >= count:
            return True
        room = max(count, BLOCK)
        data, left = self.data, self.end - self.at
        if room + SLACK > len(data):
            self.data = bytearray(room + SLACK)
            self.data[:left] = data[self.at : self.end]
        elif self.at:
            data[:left] = data[self.at : self.end]
        self.base += self.at
        self.at, self.end = 0, left
        with memoryview(self.data) as view:
            while self.end < room and not self.ended:
                # A pipe gives 64 KiB at a time; a block is worth waiting for.
                got = self._read(view[self.end : room]) or 0
                self.ended = not got
                self.end += got
        return self.end >= count
