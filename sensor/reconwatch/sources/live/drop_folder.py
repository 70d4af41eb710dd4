"""A folder into which captures are put: each is taken once, when it is whole.

Nobody says when a file is whole. It is if it was quiet for a while, or came with an old time of change, as what was
renamed in does. Which file it is, its content says, so that a copy or a packed twin is not read again.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from reconwatch.sources.dialect import Dialect, recognise
from reconwatch.sources.live import marks
from reconwatch.sources.live.content import digest, head_of, opened
from reconwatch.sources.live.feed import Chunk
from reconwatch.sources.live.troubles import Troubles, why

QUIET = 5.0
"""Seconds without a change after which a file counts as whole: a copy over a slow line pauses for less."""
SCAN = 1.0
"""Seconds between looks into the folder."""
KNOWN_BY = 256 * 1024
"""Bytes of content by which a capture is known again: hundreds of packets with their times."""
HEAD = 64 * 1024
MOST = 20_000
"""Captures remembered, at 60 bytes each in a mark; of more, the oldest are forgotten."""
UNFINISHED = (".tmp", ".temp", ".part", ".partial", ".filepart", ".crdownload", ".swp", ".lock", "~")
"""How names end under which programs write before they rename."""


class _Taken(msgspec.Struct, frozen=True, array_like=True):
    content: bytes
    node: tuple[int, int]
    size: int
    modified: int


class _Mark(msgspec.Struct, array_like=True):
    taken: list[_Taken]


@dataclass(frozen=True)
class _There:
    path: Path
    node: tuple[int, int]
    size: int
    modified: int

    @property
    def state(self) -> tuple[tuple[int, int], int, int]:
        return self.node, self.size, self.modified


class DropFolder:
    """A feed of the captures in one folder; what lies deeper, links and hidden files are left alone. See `Feed`."""

    def __init__(
        self, folder: Path, start: Literal["start", "end"] = "start", clock: Callable[[], float] = time.time
    ) -> None:
        """`start`: whether captures that lie there at the very first start are taken."""
        self.name = str(folder)
        self._folder = folder
        self._passing_over = start == "end"
        self._clock = clock
        self._troubles = Troubles()
        self._due = 0.0
        self._known: dict[bytes, _Taken] = {}
        self._judged: set[tuple[tuple[int, int], int, int]] = set()
        """Files as they were when it was decided that they are not to be taken (again)."""
        self._changing: dict[tuple[int, int], tuple[int, int, float]] = {}
        self._whole: list[_There] = []
        self._waiting = 0

    def take(self, room: int) -> Chunk | None:
        """See `Feed`: one capture; `room` is no matter."""
        now = self._clock()
        if abs(now - self._due) >= SCAN or not self._due:
            self._due = now
            self._scan(now)
        while self._whole:
            chunk = self._taken(self._whole.pop(0))
            if chunk is not None:
                return chunk
        return None

    def _scan(self, now: float) -> None:
        try:
            there = sorted(self._there(), key=lambda each: (each.modified, each.path.name))
        except OSError as error:
            self._troubles.stands(self.name, why(error), "is it mounted, and may this user read it?")
            return
        self._troubles.heals(self.name)
        self._judged &= {each.state for each in there}
        new = [each for each in there if each.state not in self._judged]
        if self._passing_over:
            self._passing_over = False
            for each in new:
                self._taken(each)
            new = []
        self._whole = [each for each in new if self._is_whole(each, now)]
        self._waiting = sum(each.size for each in new)
        nodes = {each.node for each in new}
        self._changing = {node: state for node, state in self._changing.items() if node in nodes}

    def _there(self) -> Iterator[_There]:
        with os.scandir(self._folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name.lower().endswith(UNFINISHED):
                    continue
                try:
                    told = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if stat.S_ISREG(told.st_mode) and told.st_size:
                    node = (told.st_dev, told.st_ino)
                    yield _There(Path(entry.path), node, told.st_size, told.st_mtime_ns)

    def _is_whole(self, there: _There, now: float) -> bool:
        size, modified, since = self._changing.get(there.node, (-1, -1, now))
        if (size, modified) == (there.size, there.modified):
            return abs(now - since) >= QUIET
        self._changing[there.node] = (there.size, there.modified, now)
        return size < 0 and now - there.modified / 1e9 >= QUIET

    def _taken(self, there: _There) -> Chunk | None:
        """The capture, unless it was taken before, or is none."""
        try:
            fd = opened(there.path)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._cannot(there, error)
            return None
        try:
            told = os.fstat(fd)
            if (told.st_dev, told.st_ino) != there.node or told.st_size != there.size:
                return None  # it changed in this moment: the next look tells
            head = head_of(fd, KNOWN_BY).data
        except OSError as error:
            self._cannot(there, error)
            return None
        finally:
            os.close(fd)
        self._troubles.heals(str(there.path))
        self._judged.add(there.state)
        content = digest(head)
        if self._has_grown(there, head):
            what = "has grown since it was read, and is not read again"
            self._troubles.once(str(there.path), what, "write it under a name that ends in .tmp, then rename it")
            return None
        if content in self._known:
            return None
        if recognise(head) not in (Dialect.PCAP, Dialect.PCAPNG):
            self._troubles.once(
                str(there.path), "is no capture and is left alone", "logs are followed by zeek: or eve:"
            )
            return None
        self._remember(_Taken(content, there.node, there.size, there.modified))
        return Chunk(content.hex(), str(there.path), b"", 0, 1, head[:HEAD], last=True, capture=there.path)

    def _has_grown(self, there: _There, head: bytes) -> bool:
        """Whether a part of this file was taken for the whole of it before."""
        return any(
            each.node == there.node and each.size < there.size and digest(head[: each.size]) == each.content
            for each in self._known.values()
        )

    def _cannot(self, there: _There, error: OSError) -> None:
        self._troubles.stands(str(there.path), f"cannot be read: {why(error)}", "let this user read it")

    def _remember(self, taken: _Taken) -> None:
        self._known[taken.content] = taken
        while len(self._known) > MOST:
            del self._known[next(iter(self._known))]

    def mark(self) -> bytes:
        """See `Feed`."""
        if self._passing_over:
            self._scan(self._clock())
        return marks.written("captures", _Mark(list(self._known.values())))

    def resume(self, mark: bytes) -> None:
        """See `Feed`."""
        self._passing_over = False
        for taken in marks.read("captures", _Mark, mark).taken:
            self._remember(taken)
            self._judged.add((taken.node, taken.size, taken.modified))

    def kept(self) -> None:
        """See `Feed`. Captures are left where they are: who puts them there takes them away."""

    def lag(self) -> int:
        """See `Feed`."""
        return self._waiting if not self._whole else sum(each.size for each in self._whole)

    def problems(self) -> list[str]:
        """See `Feed`."""
        return self._troubles.told()

    def gaps(self) -> list[tuple[float, float]]:
        """See `Feed`: none, for nobody knows what was not put there."""
        return []

    def close(self) -> None:
        """See `Feed`."""
