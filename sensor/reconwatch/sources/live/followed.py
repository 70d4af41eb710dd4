"""One stream of lines in a file: where it stands, and the next whole lines of it."""

from __future__ import annotations

import os
from collections.abc import Callable

import msgspec

from reconwatch.sources.lines import LONGEST_LINE, newlines
from reconwatch.sources.live.content import (
    KNOWN_BY,
    SKIPPED_AT_ONCE,
    Content,
    Fingerprint,
    Packed,
    Plain,
    digest,
    head_of,
    own_name,
)
from reconwatch.sources.live.feed import Chunk

HEAD = 64 * 1024
"""Bytes of `Chunk.head`."""


class Standing(msgspec.Struct, array_like=True):
    """What a mark says of a stream that is not at its end."""

    stream: str
    path: str
    node: tuple[int, int]
    modified: int
    """When the file was last written, as it was last seen: nanoseconds since the epoch."""
    known_by: Fingerprint
    place: int
    """Bytes of content that were given out."""
    line: int
    """The number of the next line, counted from 1."""
    dropping: bool
    """The line that is read is too long, and is left out up to its end."""
    taken: float
    """When something was last given out: UTC epoch seconds."""


class Cut(Exception):  # it is no error of ours
    """The file was cut or written anew in place."""


class Followed:
    """A stream, and the file that holds it, if it is known which."""

    def __init__(self, standing: Standing, live: bool) -> None:
        self.at = standing
        self.live = live
        """Its file bears the name of one that is written."""
        self.content: Content | None = None
        self.packed = False
        self.size = 0
        """Of its file, as last looked at: bytes, as they lie there."""
        self.changed = 0.0
        """When it was last seen to have grown, by the feed's clock."""
        self.away = 0.0
        """Since when its file is written no longer, or none is known; 0: it is."""
        self.lost = False
        """No file that holds it is known."""
        self.former: str = ""
        """The name it bore while it was written."""
        self.waits = False
        """A packed file that ended too early, and is looked at again when it has changed."""
        self.exhausted = False
        """A packed file that was read to its end."""
        self.cut_node: tuple[int, int] | None = None
        """The file that held it until it was cut: what is in there now is something else."""
        self._looked = 0
        """Content up to which no newline was found beyond `at.place`."""
        self._head = b""
        self._first = b""

    @property
    def ready(self) -> bool:
        """Whether there may be something to give out."""
        if self.lost or self.waits or self.exhausted or not self.at.stream:
            return False
        return self.packed or self.size > max(self.at.place, self._looked)

    @property
    def waiting(self) -> int:
        """Bytes that are known to wait: of a packed file those on the disk."""
        if self.lost:
            return 0
        return self.size if self.packed else max(0, self.size - self.at.place)

    def hold(self, fd: int) -> None:
        """Take an open file that holds this stream; the descriptor is then this object's. Raises OSError."""
        self.drop()
        head = head_of(fd, HEAD)
        told = os.fstat(fd)
        self.content = Packed(fd) if head.packed else Plain(fd, head.begin)
        self.packed = head.packed
        self.size = told.st_size if head.packed else told.st_size - head.begin
        self.at.node = (told.st_dev, told.st_ino)
        self.at.modified = told.st_mtime_ns
        self.lost = False
        self.waits = False
        self._looked = 0
        self._first = head.data[:KNOWN_BY]
        self._grow(self._first)
        if not self._head and self.at.place:
            self._head = first_lines(head.data[: self.at.place])

    def begin_at(self, place: int, line: int) -> None:
        """Pass over what comes before a line."""
        assert self.content is not None
        self.at.place, self.at.line = place, line
        self._head = first_lines((self.content.read(0, HEAD) or b"")[:place])

    def drop(self) -> None:
        """Let go of the file."""
        if self.content is not None:
            self.content.close()
            self.content = None

    def look(self, now: float) -> None:
        """Ask how large the file is now. Raises OSError, and Cut."""
        if not isinstance(self.content, Plain):
            return
        told = os.fstat(self.content.fd)
        size = told.st_size - self.content.begin
        if size < self.at.place:
            raise Cut
        if size != self.size or told.st_mtime_ns != self.at.modified:
            self.changed = now
            self.size = size
            self.at.modified = told.st_mtime_ns
            if not self.at.stream or self.size == self.at.place:
                self._unchanged(b"")

    def check(self, now: float) -> None:
        """Make sure that the file is as large as `size` says, and was not cut. Raises OSError, and Cut."""
        self.look(now)
        self._unchanged(b"")

    @property
    def over(self) -> bool:
        """Whether all that was last seen of the file was given out."""
        return self.exhausted or (not self.packed and self.size <= self.at.place)

    @property
    def at_end(self) -> bool:
        """Whether a packed file was read to its end."""
        return isinstance(self.content, Packed) and self.content.ended

    def is_known_by(self, known_by: Fingerprint) -> bool:
        """Whether the open file begins as it should."""
        return known_by.fits(self._first)

    @property
    def cut_short(self) -> bool:
        """Whether a packed file ended within its packing."""
        return isinstance(self.content, Packed) and self.content.cut

    def name_it(self, taken: Callable[[str], bool], headers_alone: bool) -> None:
        """Name the stream after its content, if enough of that is there; `taken`: whether another has the name."""
        name = own_name(self._first) or (self._first if headers_alone else None)
        if name is None:
            return
        stream = digest(name).hex()
        number = 1
        while taken(stream if number == 1 else f"{stream}-{number}"):
            number += 1
        self.at.stream = stream if number == 1 else f"{stream}-{number}"

    @property
    def unlinked(self) -> bool:
        """Whether the open file has no name any more."""
        return isinstance(self.content, Plain) and os.fstat(self.content.fd).st_nlink == 0

    def prefix_of_this(self, head: bytes) -> bool:
        """Whether a file that begins with `head`, and holds no more, may be an unfinished copy of this one."""
        return self._first.startswith(head)

    def take(self, room: int, now: float, ending: bool) -> tuple[Chunk | None, str]:
        """(whole lines, if there are any; what was left out and why, if so).

        `ending`: the file will not grow: a last line needs no newline. Raises OSError, and Cut.
        """
        assert self.content is not None
        told = ""
        left_out = 0
        while True:
            data, end = self._lines(room)
            if data is None:
                return None, told
            if self.at.dropping or (end == 0 and len(data) > LONGEST_LINE):
                said = self._leave_out(data)
                told = told or said
                left_out += len(data)
                if self.at.dropping and (not data or left_out > SKIPPED_AT_ONCE):
                    return None, told
                continue
            if end == 0 and ending:
                end = len(data)
            if end == 0:
                self._looked = self.at.place + len(data)
                return None, told
            return self._given(data if end == len(data) else data[:end], now), told

    def _lines(self, room: int) -> tuple[bytes | None, int]:
        """(what lies ahead, how much of it is whole lines): more than asked for, if a line is longer."""
        assert self.content is not None
        size = max(room, SKIPPED_AT_ONCE if self.at.dropping else KNOWN_BY)
        if self._looked > self.at.place:  # a line that grows slowly is not read again from its beginning each time
            size = max(size, 2 * (self._looked - self.at.place))
        while True:
            data = self.content.read(self.at.place, size)
            self._unchanged(data)
            if data is None:
                return None, 0
            # Of what was read beyond the room for the sake of a long line, that line alone.
            end = (data.find(b"\n") if size > max(room, KNOWN_BY) else data.rfind(b"\n")) + 1
            if end or self.at.dropping or len(data) < size or size > LONGEST_LINE:
                return data, end
            size *= 2

    def _unchanged(self, data: bytes | None) -> None:
        """Make sure, after a read, that what was read came from before the file was cut. Raises Cut."""
        if not isinstance(self.content, Plain):
            return
        first = os.pread(self.content.fd, KNOWN_BY, self.content.begin)
        if not first.startswith(self._first):
            raise Cut
        size = os.fstat(self.content.fd).st_size - self.content.begin
        if size < self.at.place + len(data or b""):
            raise Cut
        self.size = max(self.size, size)
        if len(first) > len(self._first):
            self._first = first
            self._grow(first)

    def _grow(self, head: bytes) -> None:
        if len(head) > self.at.known_by.size:
            self.at.known_by = Fingerprint.of(head)

    def _leave_out(self, data: bytes) -> str:
        """Go over what belongs to a line that is too long. Returns what to tell of it, once for each."""
        at = self.at
        begun = not at.dropping
        newline = data.find(b"\n") + 1
        at.dropping = not newline
        at.place += newline or len(data)
        where = at.line
        at.line += bool(newline)
        return f"line {where} is longer than {LONGEST_LINE:,} bytes and is left out" if begun else ""

    def _given(self, data: bytes, now: float) -> Chunk:
        at = self.at
        if not self._head:
            self._head = first_lines(data[:HEAD])
        chunk = Chunk(at.stream, at.path, data, at.place, at.line, self._head)
        at.place += len(data)
        at.line += newlines(data)
        at.taken = now
        return chunk

    def last(self) -> Chunk:
        """That nothing more comes."""
        return Chunk(self.at.stream, self.at.path, b"", self.at.place, self.at.line, self._head, last=True)

    @property
    def ends_within_a_line(self) -> bool:
        """Whether something was left that is no whole line."""
        return self._looked > self.at.place


def first_lines(data: bytes) -> bytes:
    """The whole lines of the beginning of a stream; all of it if it is one line."""
    end = data.rfind(b"\n") + 1
    return data[:end] if end else data
