"""Which file holds which stream: found again after renames, packing and restarts, by content and never by name."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from typing import Literal

from reconwatch.sources.live.content import KNOWN_BY, Fingerprint, Head, head_of, opened
from reconwatch.sources.live.finished import LATE, Done, Finished
from reconwatch.sources.live.followed import Cut, Followed, Standing
from reconwatch.sources.live.places import Found, Pattern
from reconwatch.sources.live.troubles import Troubles, why

SETTLED = 2.0
"""Seconds for which a file that was put away, or is packed, must not change before it is looked into: it may be a copy
that is still being made."""
ARCHIVE = 5.0
"""Seconds between looks into the archive: what was rotated while we watch is read on through its open descriptor."""
FOR_GOOD = -1
"""A judgement that only a change of the file itself can change."""
COUNTED = 256 * 1024 * 1024
"""Bytes of a file whose lines are counted before its end is read, 0.1 s; of a larger one lines count from there."""


class Roll:
    """The streams there are, and those there were."""

    def __init__(self, live: list[str], archive: list[str], start: Literal["start", "end"], troubles: Troubles) -> None:
        self.streams: list[Followed] = []
        self.finished = Finished()
        self.begun: int | None = None
        """The newest time of change (nanoseconds since the epoch) of any file when this feed began, ever."""
        self.seen = 0
        """The same as of the last look."""
        self.unsure = False
        """Whether the last look left files aside that may hold what is missed: being written, or not to be read."""
        self.cuts: list[Followed] = []
        """Streams whose file was found to have been cut in place, to be told."""
        self._found_last: dict[tuple[int, int], Found] = {}
        self._live = [Pattern(each, live=True) for each in live]
        self._archive = [Pattern(each, live=False) for each in archive]
        self._start = start
        self._troubles = troubles
        self._archive_due = 0.0
        self._settling: dict[tuple[int, int], tuple[int, int, float]] = {}
        self._judged: dict[tuple[tuple[int, int], int, int], int] = {}
        self._generation = 0
        """Raised when a stream is lost or finished: what was a copy of it may be needed now."""

    @property
    def sees_live(self) -> bool:
        """Whether a file lies under a live name, be it empty."""
        return any(each.live for each in self._found_last.values())

    def scan(self, now: float) -> None:
        """Look at all files there are."""
        missed = [each for each in self.streams if each.lost]
        whole = bool(missed) or self.begun is None or now >= self._archive_due
        found = self._found(now, whole, missed)
        self._found_last = found
        self._recognise(found, now, whole)
        held = {each.at.node for each in self.streams if not each.lost}
        self.unsure = False
        for each in sorted(found.values(), key=lambda each: each.modified):
            if each.node not in held:
                self._judge(each, now)
        if whole:
            self._archive_due = now + ARCHIVE
            newest = max((each.modified for each in found.values()), default=0)
            self.seen = max(self.seen, newest)
            if self.begun is None:
                self.begun = self.seen
            self.finished.prune(self.seen)
            self._forget(found)

    def _found(self, now: float, whole: bool, missed: list[Followed]) -> dict[tuple[int, int], Found]:
        """The files there are, each once; under the name of a live one if it has one."""
        found: dict[tuple[int, int], Found] = {}
        if whole and self.begun is not None:
            oldest = min([self._floor(), *(each.at.modified for each in missed)])
            for pattern in self._archive:
                found |= {each.node: each for each in pattern.files(now, max(0, oldest - LATE), self._troubles)}
        elif whole:  # of the archive, only what there is
            for pattern in self._archive:
                for each in pattern.files(now, 0, self._troubles):
                    found[each.node] = each
        for pattern in self._live:
            found |= {each.node: each for each in pattern.files(now, 0, self._troubles)}
        return found

    def _floor(self) -> int:
        """A file that was last written before this, and is not known, is none of ours."""
        return max(self.begun or 0, self.seen - LATE, self.finished.floor)

    def _recognise(self, found: dict[tuple[int, int], Found], now: float, whole: bool) -> None:
        """Note under which names the files lie now that hold known streams, and which have gone."""
        for stream in self.streams:
            if stream.lost:
                continue
            each = found.get(stream.at.node)
            if each is None and (stream.content is None or stream.waits):
                if whole:
                    self.lose(stream, now)
            elif each is None:
                self._away(stream, now)
            else:
                if not each.live:
                    self._away(stream, now)
                else:
                    stream.live, stream.away = True, 0.0
                stream.at.path = str(each.path)
                if stream.content is None and not stream.packed:
                    stream.changed = now if stream.size != each.size else stream.changed
                    stream.size = each.size
                if stream.waits and each.size != stream.size:
                    stream.drop()
                    stream.size, stream.waits = each.size, False

    @staticmethod
    def _away(stream: Followed, now: float) -> None:
        if stream.live:
            stream.live = False
            stream.former = stream.at.path
        if not stream.away:
            stream.away = now

    def lose(self, stream: Followed, now: float) -> None:
        """No file is known any more that holds a stream."""
        stream.drop()
        self._away(stream, now)
        stream.lost = True
        stream.away = now
        self._generation += 1

    def remove(self, stream: Followed) -> None:
        """A stream is at its end."""
        stream.drop()
        self.streams.remove(stream)
        self._generation += 1
        if stream.at.stream:
            at = stream.at
            self.finished.add(Done(at.stream, at.known_by, at.place, at.line, at.modified))

    def _judge(self, found: Found, now: float) -> None:
        """What a file is that holds no stream we read."""
        if self._judged.get((found.node, found.size, found.modified)) in (self._generation, FOR_GOOD):
            return
        old = self._is_old(found)
        if old and not any(each.lost and found.modified >= each.at.modified - LATE for each in self.streams):
            return
        if found.size == 0 or (not found.live and not self._settled(found, now)):
            self.unsure |= found.size > 0
            return
        try:
            fd = opened(found.path)
        except OSError as error:
            self._cannot(found, error)
            return
        try:
            head = head_of(fd)
        except OSError as error:
            os.close(fd)
            self._cannot(found, error)
            return
        self._troubles.heals(str(found.path))
        if head.packed and found.live and not self._settled(found, now):
            self.unsure = True
        elif self._assign(found, fd, head, old, now):
            return
        os.close(fd)

    def _cannot(self, found: Found, error: OSError) -> None:
        if error.errno == errno.ENOENT:
            return  # moved since: the next look finds it
        self.unsure = True
        advice = "let this user read it (its group, or an ACL)" if error.errno in (errno.EACCES, errno.EPERM) else ""
        self._troubles.stands(str(found.path), f"cannot be read: {why(error)}", advice)

    def _is_old(self, found: Found) -> bool:
        """Whether it was finished before we began, or was forgotten since."""
        if self.begun is None:
            return not found.live
        return found.modified < self._floor() if found.live else found.modified <= self._floor()

    def _settled(self, found: Found, now: float) -> bool:
        size, modified, since = self._settling.get(found.node, (-1, -1, now))
        if (size, modified) != (found.size, found.modified):
            self._settling[found.node] = (found.size, found.modified, now)
            return False
        return now - since >= SETTLED

    def _assign(self, found: Found, fd: int, head: Head, old: bool, now: float) -> bool:
        """Give a file to the stream it holds. False: it holds none that is wanted now; nobody took the descriptor."""
        key = (found.node, found.size, found.modified)
        if b"\n" not in head.data and len(head.data) < KNOWN_BY:
            return False  # not yet one line
        known = self._known(found, head)
        if known is not None and not known.lost:
            self._look_again(known, now)
        if known is not None and known.lost:
            if not head.packed and found.size - head.begin < known.at.place:
                self.unsure = True  # a copy that is still being made
                return False
            if not head.packed and known.cut_node is None and self._was_copied(known, found):
                known.cut_node = known.at.node
                self.cuts.append(known)
            return self._hold(known, fd, found, now)
        if known is not None and (head.packed or known.packed or found.size <= known.size):
            self._judged[key] = self._generation
            return False  # a copy of what is being read
        if known is None and len(head.data) < KNOWN_BY and any(s.prefix_of_this(head.data) for s in self.streams):
            return False  # perhaps the beginning of one
        done = self.finished.find(head.data)
        if done is not None:
            if self._grown(found, fd, head, done):
                at = Standing(
                    done.stream, str(found.path), found.node, found.modified, done.known_by,
                    done.length, done.line, False, now,
                )  # fmt: skip
                self.finished.forget(done.stream)
                return self._begin(Followed(at, found.live), fd, found, now)
        elif not old:
            at = Standing("", str(found.path), found.node, found.modified, Fingerprint.of(head.data), 0, 1, False, now)
            return self._begin(Followed(at, found.live), fd, found, now)
        self._judged[key] = FOR_GOOD if done is not None else self._generation
        return False

    def _look_again(self, stream: Followed, now: float) -> None:
        """How large the file of a stream is at this moment, and whether it was cut, now that there is a copy of it."""
        try:
            stream.check(now)
        except Cut:
            self.cut(stream, now)
        except OSError:
            self.lose(stream, now)

    def cut(self, stream: Followed, now: float) -> None:
        """The file of a stream was cut in place: what was read is read; a copy may hold the rest."""
        stream.cut_node = stream.at.node
        self.cuts.append(stream)
        self.lose(stream, now)

    def _was_copied(self, stream: Followed, found: Found) -> bool:
        """Whether a stream is in another file than it was although that one is still there, with something else in it.

        Renaming keeps the inode on one device; what went to another device may have left its inode to a new file.
        """
        there = self._found_last.get(stream.at.node)
        return (
            there is not None
            and there.live
            and there.node != found.node
            and there.device == found.device
            and str(there.path) == stream.at.path
        )

    def _known(self, found: Found, head: Head) -> Followed | None:
        """The stream, of those being read, that begins so; of several the one known by most."""
        fits = [each for each in self.streams if each.cut_node != found.node and each.at.known_by.fits(head.data)]
        return max(fits, key=lambda each: (each.at.known_by.size, each.lost), default=None)

    @staticmethod
    def _grown(found: Found, fd: int, head: Head, done: Done) -> bool:
        """Whether a file holds more of a finished stream than was read of it."""
        if not head.packed:
            return found.size - head.begin > done.length
        if os.pread(fd, 2, 0) != b"\x1f\x8b":
            return False
        # The last four bytes of a gzip member are the length of its content modulo 2**32 (RFC 1952, section 2.3.1);
        # of several members this is the last one's, and then it is read again, up to where it was read, for nothing.
        length = int.from_bytes(os.pread(fd, 4, found.size - 4), "little")
        return length != done.length % 2**32

    def _begin(self, stream: Followed, fd: int, found: Found, now: float) -> bool:
        if not self._hold(stream, fd, found, now):
            return False
        if not stream.at.stream:
            self.name(stream)
        if self._start == "end" and self.begun is None and not stream.packed:
            stream.begin_at(*_end(fd, stream.size))
        self.streams.append(stream)
        if not stream.live:  # of a long absence there may be more of them than descriptors
            stream.drop()
        return True

    def _hold(self, stream: Followed, fd: int, found: Found, now: float) -> bool:
        try:
            stream.hold(fd)
        except OSError as error:
            self._cannot(found, error)
            return False
        stream.at.path = str(found.path)
        stream.live = found.live
        stream.away = 0.0 if found.live else now
        stream.changed = now
        return True

    def name(self, stream: Followed, headers_alone: bool = False) -> None:
        """Name a stream, if enough of it is there; or after its headers, if there is nothing else."""
        others = {each.at.stream for each in self.streams if each is not stream}
        stream.name_it(lambda name: name in others or name in self.finished, headers_alone)

    def _forget(self, found: dict[tuple[int, int], Found]) -> None:
        keys = {(each.node, each.size, each.modified) for each in found.values()}
        self._judged = {key: generation for key, generation in self._judged.items() if key in keys}
        self._settling = {node: since for node, since in self._settling.items() if node in found}


def _end(fd: int, size: int) -> tuple[int, int]:
    """(where the last whole line of a plain file ends, the number of the line behind it)."""
    place = size
    while place > 0:
        step = min(place, 64 * 1024)
        at = os.pread(fd, step, place - step).rfind(b"\n") + 1
        place -= step
        if at:
            place += at
            break
    return place, 1 + (sum(map(_newlines, _pieces(fd, place))) if place <= COUNTED else 0)


def _newlines(data: bytes) -> int:
    return data.count(b"\n")


def _pieces(fd: int, size: int) -> Iterator[bytes]:
    for place in range(0, size, 1024 * 1024):
        yield os.pread(fd, min(1024 * 1024, size - place), place)
