"""Files that notices are appended to: each line whole, each (id, rev) once, whatever rotates the file or kills us.

A batch is written, brought to the disk (fdatasync), and only then its position is kept in the store. A kill in between
leaves lines that the store does not know of: at the next start all that lies behind the kept place is read back. A line
that was cut off is taken away, and what is there is not written again.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from reconwatch.notices import Notice, Verdict
from reconwatch.store.lines import FORMATS, Key
from reconwatch.store.output import Refused, Unreachable
from reconwatch.store.reading import VERDICTS

MODE: Final = 0o640
READ_BACK: Final = 64_000_000
"""Bytes of a file's end that are read back when no place is known in it (a new store): some 15,000 lines."""
_LONGEST: Final = 4_000_000
"""Bytes of a file's end in which its last line begins: more than any notice has."""


class Place(msgspec.Struct, frozen=True):
    """A file, and how much of it had been written when the position was kept."""

    device: int
    inode: int
    size: int


class Wanted(msgspec.Struct, frozen=True):
    """Which notices a sink is for."""

    verdict: Verdict = "monitor"
    """This one or worse."""
    notes: frozenset[str] = frozenset()
    """Empty: all."""

    def __call__(self, notice: Notice) -> bool:
        """Whether it is for this one."""
        if self.notes and notice.note not in self.notes:
            return False
        return VERDICTS.index(notice.verdict) >= VERDICTS.index(self.verdict)


class FileOutput:
    """Appends to one file, by its path: what was renamed or removed is let go of before the next batch."""

    slow = False

    def __init__(self, path: Path, form: str, *, name: str | None = None, wanted: Wanted = Wanted()) -> None:  # noqa: B008  # frozen
        self.path = path
        self.name = name or f"file:{path}"
        self._format = FORMATS[form]
        self._wanted = wanted
        self._handle: int | None = None
        self._identity = (0, 0)
        self._known: Place | None = None
        """Up to where each line is accounted for: by the store at the start, then by what was written."""
        self._written: set[Key] = set()
        """What lies in the file although the store does not know that."""
        self._problems: list[str] = []

    def accepts(self, notice: Notice) -> bool:
        """Whether it wants this one."""
        return self._wanted(notice)

    def resume(self, place: bytes | None) -> None:
        """Find what was written behind the place that the store knows; see Output."""
        self._known = None
        if place:
            with contextlib.suppress(msgspec.DecodeError):
                self._known = msgspec.json.decode(place, type=Place)
        self._release()
        with contextlib.suppress(Unreachable):
            self._open(create=False)
        if self._known is not None and self._identity != (self._known.device, self._known.inode):
            self._read_renamed(self._known)

    def send(self, notices: Sequence[Notice]) -> None:
        """Append them and bring them to the disk. Raises Unreachable, Refused."""
        handle = self._current()  # a file that is opened anew says what it holds
        lines: list[bytes] = []
        refused: Refused | None = None
        for number, notice in enumerate(notices):
            if (notice.id, notice.rev) in self._written:
                continue
            try:
                lines.append(self._format.render(notice).encode() + b"\n")
            except ValueError as error:
                refused = Refused(str(error), number, final=True)
                break
        if lines:
            self._append(handle, lines, notices[0])
        if refused is not None:
            raise refused

    def place(self) -> bytes:
        """The file and its size; empty if it was not opened yet."""
        return b"" if self._known is None else msgspec.json.encode(self._known)

    def problems(self) -> list[str]:
        """What else there is to tell since this was last asked."""
        told, self._problems = self._problems, []
        return told

    def close(self) -> None:
        """Release the file. Idempotent."""
        self._release()

    def _append(self, handle: int, lines: list[bytes], first: Notice) -> None:
        try:
            before = os.fstat(handle).st_size
            if before == 0 and self._format.header is not None:
                lines = [self._format.header(first).encode(), *lines]
            self._write(handle, b"".join(lines), before)
            os.fdatasync(handle)
            self._known = Place(*self._identity, os.fstat(handle).st_size)
        except OSError as error:
            self._release()  # what is left of it is looked at when it is opened again
            raise Unreachable(f"{self.path}: {error.strerror}") from None

    def _write(self, handle: int, data: bytes, before: int) -> None:
        """All or nothing: a full disk takes a part, and that is taken back."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(handle, rest) :]
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(handle, before)
            raise

    def _current(self) -> int:
        """The file that is at the path now."""
        if self._handle is not None:
            with contextlib.suppress(OSError):
                now = self.path.stat()
                if (now.st_dev, now.st_ino) == self._identity:
                    return self._handle
            self._release()
        return self._open(create=True)

    def _open(self, *, create: bool) -> int:
        # Never blocks: a pipe without a reader is an error instead.
        flags = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
        try:
            try:
                handle = os.open(self.path, flags)
            except FileNotFoundError:
                if not create:
                    raise
                handle = self._made(flags)
            status = os.fstat(handle)
        except OSError as error:
            raise Unreachable(f"{self.path}: {error.strerror}") from None
        if not stat.S_ISREG(status.st_mode):
            os.close(handle)
            raise Unreachable(f"{self.path}: is no file")
        self._handle, self._identity = handle, (status.st_dev, status.st_ino)
        try:
            self._read_back(handle, status.st_size)
        except OSError as error:
            self._release()
            raise Unreachable(f"{self.path}: {error.strerror}") from None
        return handle

    def _made(self, flags: int) -> int:
        """A new file, whose name is on the disk as well."""
        handle = os.open(self.path, flags | os.O_CREAT | os.O_EXCL, MODE)
        os.fchmod(handle, MODE)
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return handle

    def _read_back(self, handle: int, size: int) -> None:
        """Make the file end with a whole line, and note which of ours lie behind what the store knows."""
        start = self._unknown_from(handle, size)
        end = self._mended(handle, start, size)
        self._note(handle, start, end)

    def _unknown_from(self, handle: int, size: int) -> int:
        """Where what the store does not know begins: behind its place, if this is that file; else a good way back."""
        known = self._known
        if known is None or (known.device, known.inode) != self._identity or known.size > size:
            return max(size - READ_BACK, 0)
        if known.size and os.pread(handle, 1, known.size - 1) != b"\n":  # another file, which was given its number
            return max(size - READ_BACK, 0)
        return known.size

    def _mended(self, handle: int, start: int, size: int) -> int:
        """Take away the beginning of a line of ours at the end of the file; the size it has then."""
        if size == 0 or os.pread(handle, 1, size - 1) == b"\n":
            return size
        from_ = max(size - _LONGEST, 0)
        tail = os.pread(handle, size - from_, from_)
        cut = from_ + tail.rfind(b"\n") + 1
        if cut >= start and (cut > from_ or from_ == 0) and self._format.may_begin(tail[cut - from_ :]):
            os.ftruncate(handle, cut)
            self._problems.append(f"{self.path}: a line that was cut off is taken away; its notice comes again")
            return cut
        return size + os.write(handle, b"\n")  # somebody else's words: they stay, and ours begin a line of their own

    def _note(self, handle: int, start: int, end: int) -> None:
        rest = b""
        while start < end:
            block = os.pread(handle, min(1 << 20, end - start), start)
            if not block:
                break
            start += len(block)
            *lines, rest = (rest + block).split(b"\n")
            self._written.update(key for line in lines if (key := self._format.key(line)) is not None)

    def _read_renamed(self, known: Place) -> None:
        """The file that the store knows was rotated while nobody ran: it may hold lines of which it does not know."""
        with contextlib.suppress(OSError):
            for entry in os.scandir(self.path.parent):
                status = entry.stat(follow_symlinks=False)
                if (status.st_dev, status.st_ino) != (known.device, known.inode) or status.st_size < known.size:
                    continue
                handle = os.open(entry.path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK)
                try:
                    end = self._mended(handle, known.size, status.st_size)
                    self._note(handle, known.size, end)
                finally:
                    os.close(handle)

    def _release(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)
