"""The bytes of one file from any place on, plain or decompressed, and by which of them it is known again."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, Protocol, cast

import msgspec

from reconwatch.account import Account
from reconwatch.sources.inflate import decompressed

KNOWN_BY = 4096
"""Bytes by which a file is known again, wherever it lies and however it is packed: the header of a Zeek log (600 bytes)
with the time at which it was opened, or several records of EVE, each with its time and flow."""
SKIPPED_AT_ONCE = 8 * 1024 * 1024
"""Bytes that one call may go over to reach its place, or the end of a line that is left out: 10 ms."""
_PACKED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd")
"""How gzip and zstd begin."""


class Fingerprint(msgspec.Struct, frozen=True, array_like=True):
    """The first `size` bytes of a content, as a digest."""

    size: int
    digest: bytes

    @classmethod
    def of(cls, head: bytes) -> Fingerprint:
        """What a content is known by that begins with these bytes, or is no longer than they are."""
        head = head[:KNOWN_BY]
        return cls(len(head), digest(head))

    def fits(self, head: bytes) -> bool:
        """Whether a content that begins with `head` begins with these bytes."""
        return 0 < self.size <= len(head) and digest(head[: self.size]) == self.digest


def digest(data: bytes) -> bytes:
    """Twelve bytes: enough for as many files as there will ever be, few in a mark."""
    return blake2b(data, digest_size=12).digest()


def own_name(head: bytes) -> bytes | None:
    """What a stream is named after: its header and first record, the same however much of it was there when first seen.

    None: no record is there yet. Lines with a # are a header, of Zeek and W3C; they alone say nothing of whose it is.
    """
    end = 0
    while True:
        at = head.find(b"\n", end, KNOWN_BY)
        if at < 0:
            return head[:KNOWN_BY] if len(head) >= KNOWN_BY else None
        if head[end : end + 1] != b"#":
            return head[: at + 1]
        end = at + 1


class Content(Protocol):
    """Bytes by their place."""

    def read(self, place: int, size: int) -> bytes | None:
        """`size` bytes from a place, fewer at the end of what is there; None: not got there yet, ask again.

        Places asked for never decrease. Raises OSError.
        """
        ...

    def close(self) -> None:
        """Close the file. Idempotent."""
        ...


class Plain:
    """An open file, read by place: whoever renames or deletes it changes nothing."""

    def __init__(self, fd: int, begin: int = 0) -> None:
        self.fd = fd
        self.begin = begin
        """Where its content begins: behind the NULs that a writer leaves which was cut without noticing."""

    def read(self, place: int, size: int) -> bytes:
        """See `Content`."""
        return os.pread(self.fd, size, self.begin + place)

    def close(self) -> None:
        """Close the file. Idempotent."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class Packed:
    """A gzip or zstd file, read from its beginning on."""

    def __init__(self, fd: int) -> None:
        self._account = Account("")
        os.lseek(fd, 0, os.SEEK_SET)
        self._stream = decompressed(cast(BinaryIO, io.FileIO(fd, closefd=True)), self._account)
        self._held = b""
        self._at = 0
        """The place of `_held`."""
        self.ended = False
        """Whether all of it was unpacked."""

    @property
    def cut(self) -> bool:
        """Once it was read to its end: whether it ends within its packing, damaged or still being written."""
        return bool(self._account.skipped)

    def read(self, place: int, size: int) -> bytes | None:
        """See `Content`."""
        gone = 0
        while place > self._at + len(self._held) and not self.ended:
            if gone > SKIPPED_AT_ONCE:
                return None
            gone += len(self._held)
            self._at += len(self._held)
            self._held = self._more(1024 * 1024)
        if place > self._at:
            self._held = self._held[place - self._at :]
            self._at = place
        pieces = [self._held]
        held = len(self._held)
        while held < size and not self.ended:
            more = self._more(size - held)
            pieces.append(more)
            held += len(more)
        self._held = b"".join(pieces)
        return self._held[:size]

    def _more(self, size: int) -> bytes:
        data = self._stream.read(size)
        self.ended = not data
        return data

    def close(self) -> None:
        """Close the file. Idempotent."""
        self._stream.close()


@dataclass(frozen=True)
class Head:
    """The beginning of a file as it lies there."""

    data: bytes
    """Of the content, at most what was asked for; fewer only if there are no more."""
    packed: bool
    begin: int = 0
    """Bytes of NUL in front."""


def head_of(fd: int, size: int = KNOWN_BY) -> Head:
    """The head of an open plain or packed file. Raises OSError."""
    first = os.pread(fd, size, 0)
    if first.startswith(_PACKED):
        with io.FileIO(os.dup(fd), closefd=True) as again:
            again.seek(0)
            stream = decompressed(cast(BinaryIO, again))
            data = b""
            while len(data) < size and (more := stream.read(size - len(data))):
                data += more
        return Head(data, packed=True)
    if first.startswith(b"\0"):
        begin = _behind_the_hole(fd)
        return Head(os.pread(fd, size, begin), packed=False, begin=begin)
    return Head(first, packed=False)


def _behind_the_hole(fd: int) -> int:
    """The place of the first byte that is not NUL, or the end."""
    try:
        place = os.lseek(fd, 0, os.SEEK_DATA)  # a file system that knows its holes goes over them at once
    except OSError:
        place = 0
    while data := os.pread(fd, 1024 * 1024, place):
        rest = data.lstrip(b"\0")
        place += len(data) - len(rest)
        if rest:
            break
    return place


def opened(path: Path) -> int:
    """A descriptor to read a regular file by. Raises OSError; a pipe or device under that name is not waited for."""
    return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
