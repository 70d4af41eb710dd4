"""Whole lines of a byte stream, a block at a time, without an object for any of them.

A block is one reused buffer: the carried tail of the last read, and behind it what `readinto` gave. Blocks of about
512 KiB stay in a core's L2 cache while a sieve runs over them; a longer line grows the buffer, up to a bound.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol, cast

from reconwatch.account import Account

BLOCK = 512 * 1024
"""Bytes of a buffer: measured best between 512 KiB and 1 MiB."""
LONGEST_LINE = 16 * 1024 * 1024
"""Bytes. Suricata's `stats` records reach 100 KiB; a longer "line" is a hole or not text at all."""

WHOLE_EVERY = 64
"""Of so many blocks one is looked at whole, for lines that cannot be read and that no sieve hits."""

VECTOR_AFTER = 256 * 1024 * 1024
"""Bytes of a process from which numpy counts the newlines: loading it costs what it saves on so many."""

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines in `data[start:end]`. The buffer is reused: it is valid only until the next block is asked for."""

    data: bytearray
    start: int
    end: int
    """Behind the last newline, or at the end of the input where the last line has none."""
    offset: int
    """Where `data[0]` lies in the stream, in bytes."""
    first_line: int
    """The number of the line at `start`, counted from 1."""
    whole: bool = False
    """Whether its lines are to be checked that no sieve hits."""

    def line_number(self, at: int) -> int:
        """The number of the line that holds `data[at]`. Counted only when somebody asks."""
        return self.first_line + self.data.count(b"\n", self.start, at)

    def rest(self, at: int) -> Block:
        """The block from the line that begins at `data[at]` on."""
        at = min(at, self.end)
        return Block(self.data, at, self.end, self.offset, self.line_number(at), self.whole)

    def lines(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """The lines of `data[start:stop]`, which begins with one, as (start, end) without the newline."""
        data = self.data
        while start < stop:
            end = data.find(b"\n", start, stop)
            if end < 0:
                end = stop
            yield start, end
            start = end + 1

    def stands_alone(self, start: int, end: int) -> bool:
        """Whether the line is the input's first, or its last and without a newline.

        Those are cut wherever a log is rotated or written to: what is wrong with them says nothing of the others.
        """
        return end == self.end or (self.first_line == 1 and start == self.start)

    def line(self, start: int, end: int) -> bytes:
        """One line's bytes without its newline, the CR of a CRLF, and NULs in front.

        NULs are what `copytruncate` and a crashed file system leave where the old content was.
        """
        if start >= end:
            return b""
        data = self.data
        if data[end - 1] == 0x0D:
            end -= 1
        line = bytes(data[start:end])
        return line if data[start] else line.lstrip(b"\0")


class _Newlines:
    """Counts newlines. `bytearray.count` looks at one byte a cycle, numpy at 64."""

    def __init__(self) -> None:
        self._seen = 0
        self._numpy: Any = sys.modules.get("numpy")

    def expect(self, size: int) -> None:
        """So many bytes will come: if that is enough, numpy counts from the first of them."""
        if self._seen + size >= VECTOR_AFTER:
            self._seen = VECTOR_AFTER

    def count(self, data: bytearray | bytes, start: int, end: int) -> int:
        """The newlines in `data[start:end]`."""
        if self._numpy is None:
            self._seen += end - start
            if self._seen < VECTOR_AFTER:
                return data.count(b"\n", start, end)
            import numpy

            self._numpy = numpy
        numpy = self._numpy
        return int(numpy.count_nonzero(numpy.frombuffer(data, numpy.uint8, end - start, start) == 0x0A))


_newlines = _Newlines()


class _Readable(Protocol):
    def readinto(self, buffer: memoryview, /) -> int | None: ...


def _reader(stream: BinaryIO) -> Callable[[memoryview], int | None]:
    """One read of what is there: a buffered stream's own `readinto` would wait until it has filled the buffer."""
    return cast(
        Callable[[memoryview], int | None], getattr(stream, "readinto1", None) or cast(_Readable, stream).readinto
    )


def _size(stream: BinaryIO) -> int:
    """The bytes of a plain file; 0 of what does not tell, such as a pipe or what is decompressed."""
    try:
        return os.fstat(stream.fileno()).st_size
    except OSError:
        return 0


class Blocks:
    """Iterates over the blocks of a stream. Counts every line in `account.records`, and the blocks.

    A line longer than `longest` is one counted skip; reading goes on at the next newline. A UTF-8 byte order mark
    at the very start is left out. Yields what one `readinto` gave, so that a slow pipe is not waited for; what a
    pipe gives in pieces is one block to `account.blocks` and `Block.whole`. A last line without a newline is none.

    A stream that had nothing more may have more later (a live log): iterating again goes on there.
    """

    def __init__(self, stream: BinaryIO, account: Account, *, block: int = BLOCK, longest: int = LONGEST_LINE) -> None:
        self._read = _reader(stream)
        self._account = account
        self._size = block
        self._longest = longest
        self._stretch = -1
        self._whole = False
        self._offset = 0
        self._line = 1
        _newlines.expect(_size(stream))

    def __iter__(self) -> Iterator[Block]:
        buffer = bytearray(self._size)
        tail, offset, line = 0, self._offset, self._line
        dropping = False
        while True:
            buffer = self._roomy(buffer, tail)
            with memoryview(buffer)[tail:] as free:
                got = self._read(free)
            if not got:
                break
            filled = tail + got
            start = 0
            end = buffer.rfind(b"\n", tail, filled) + 1
            if dropping and end:
                start = buffer.find(b"\n", 0, filled) + 1
                line += 1
                dropping = False
            if start < end:
                lines = _newlines.count(buffer, start, end)
                self._account.records += lines
                self._count((offset + filled - 1) // self._size)
                yield self._block(buffer, start, end, offset, line, self._whole)
                line += lines
            tail = filled - end
            if dropping or tail > self._longest:
                dropping = self._drop(line, dropping)
                offset += filled
                tail = 0
                continue
            buffer[:tail] = buffer[end:filled]
            offset += end
        self._offset, self._line = offset + tail, line + bool(tail)
        if tail:
            self._account.records += 1
            yield self._block(buffer, 0, tail, offset, line, whole=True)

    def begin(self, offset: int, line: int) -> None:
        """What the stream has next stands that far in it: bytes before it, and the number of its first line."""
        self._offset, self._line = offset, line

    def _count(self, stretch: int) -> None:
        """Count a block, unless it is another piece of the one before."""
        if stretch != self._stretch:
            self._stretch = stretch
            self._whole = (self._account.blocks + self._account.phase) % WHOLE_EVERY == 0
            self._account.blocks += 1
            self._account.whole += self._whole

    def _block(self, buffer: bytearray, start: int, end: int, offset: int, line: int, whole: bool) -> Block:
        if offset == 0 and start == 0 and buffer.startswith(_BOM):
            start = len(_BOM)
        return Block(buffer, start, end, offset, line, whole)

    def _drop(self, line: int, already: bool) -> bool:
        if not already:
            self._account.records += 1
            self._account.skip(f"a line longer than {self._longest} bytes", f"line {line}", "is this a text log?")
        return True

    def _roomy(self, buffer: bytearray, tail: int) -> bytearray:
        """A buffer that holds the tail and at least as much again: grown by a long line, small again after it."""
        size = self._size
        while size < 2 * tail:
            size *= 2
        if size == len(buffer):
            return buffer
        roomy = bytearray(size)
        roomy[:tail] = memoryview(buffer)[:tail]
        return roomy


def newlines(data: bytes) -> int:
    """The newlines in some bytes."""
    return _newlines.count(data, 0, len(data))
