"""Follows files: read to their end whatever is done to them, each byte once, over renames, packing and restarts.

A file is what its device, inode and first bytes say, never its name. What was renamed is read on through its open
descriptor and finished before what replaced it; what was put away while nobody looked is found by its content.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Literal

import msgspec

from reconwatch.sources.live import marks
from reconwatch.sources.live.content import opened
from reconwatch.sources.live.feed import NOBODY, Chunk
from reconwatch.sources.live.finished import Done, Finished
from reconwatch.sources.live.followed import Cut, Followed, Standing
from reconwatch.sources.live.roll import Roll
from reconwatch.sources.live.troubles import Troubles, why

POLL = 0.2
"""Seconds between looks at the sizes of open files: one `fstat` each, and a fifth of the second that lines may wait."""
SCAN = 1.0
"""Seconds between looks for new, renamed and missing files."""
GRACE = 60.0
"""Seconds for which a file that is written no longer under its name must be quiet before it counts as finished: a
writer holds it open until it is told to open the new one (logrotate's `postrotate`), or has a line to write."""
LONGEST_AWAY = 3600.0
"""Seconds after which it counts as finished even if nothing has appeared under its old name: Zeek opens a log with its
next record, Suricata with its next SIGHUP."""
PATIENCE = 5.0
"""Seconds after a start for which live files wait while the rest of what they replaced is looked for."""
MISSED = 60.0
"""Seconds for which a stream is looked for whose file has gone before it is told to be lost."""
MISSED_AT_MOST = 600.0
"""The same while files lie there that may be it, half copied or not to be read."""

_ABSENT = "absent"


class _Mark(msgspec.Struct, array_like=True):
    begun: int | None
    seen: int
    floor: int
    streams: list[Standing]
    done: list[Done]


def log_of(path: str, live: Sequence[str]) -> str:
    """Which log a file belongs to, by its name and those of the logs that are written now, the longest first.

    `eve.json-20261124.gz` and `eve.json` are one, `dns.18:00:00-19:00:00.log.gz` and `dns.log` too; the threads of
    Suricata write several, `eve.1.json` and `eve.2.json`. Where no such log is written now, what stands before the
    first dot says it.
    """
    name = Path(path).name
    for each in live:
        if name.startswith(each) or (each.count(".") == 1 and name.startswith(each.partition(".")[0] + ".")):
            return each
    return name.partition(".")[0]


class FilesFeed:
    """A feed of the files of some patterns, live and put away. See `Feed`."""

    def __init__(
        self,
        name: str,
        live: Iterable[str],
        archive: Iterable[str] = (),
        start: Literal["start", "end"] = "start",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self._clock = clock
        self._troubles = Troubles()
        self._gaps: list[tuple[float, float]] = []
        self._live = list(live)
        self._roll = Roll(self._live, list(archive), start, self._troubles)
        self._poll_due = 0.0
        self._scan_due = 0.0
        self._ending: list[Followed] = []
        self._last = 0.0
        self._ahead = 0.0
        self._patient_until = 0.0

    def take(self, room: int, come: Mapping[str, float] = NOBODY) -> Chunk | None:
        """See `Feed`."""
        now = self._now()
        if now >= self._scan_due:
            self._scan(now)
        if now >= self._poll_due:
            self._poll(now)
        return self._end(room, now) or self._next(room, now, come)

    def _now(self) -> float:
        """The clock, as if it had never been set back."""
        now = self._clock() + self._ahead
        self._ahead += max(0.0, self._last - now)
        self._last = max(self._last, now)
        return self._last

    def _gap(self, since: float) -> None:
        now = self._clock()
        self._gaps.append((min(since, now), now))

    def _scan(self, now: float) -> None:
        self._scan_due = now + SCAN
        self._roll.scan(now)
        self._tell_cuts()
        for pattern in self._live:
            if self._roll.streams or self._roll.sees_live:
                self._troubles.heals(pattern, _ABSENT)
            elif not self._roll.finished:
                advice = "is the path right? it is looked for every second"
                self._troubles.stands(pattern, "no file fits", advice, _ABSENT)

    def _poll(self, now: float) -> None:
        self._poll_due = now + POLL
        for stream in list(self._roll.streams):
            try:
                stream.look(now)
            except Cut:
                self._cut(stream, now)
            except OSError as error:
                self._broken(stream, error, now)
            if not stream.at.stream:
                quiet = not stream.live and now - max(stream.changed, stream.away) >= GRACE
                self._roll.name(stream, headers_alone=quiet)
            if stream.lost:
                self._miss(stream, now)
            elif stream not in self._ending and self._is_over(stream, now):
                self._ending.append(stream)

    def _is_over(self, stream: Followed, now: float) -> bool:
        """Whether nothing more will come of a stream, all of which was given out."""
        if stream.live or stream.ready or now - max(stream.changed, stream.away) < GRACE:
            return False
        if stream.packed or not stream.former or now - stream.away >= LONGEST_AWAY:
            return not stream.waits
        replaced = any(each.live and each.at.path == stream.former for each in self._roll.streams)
        return replaced or stream.unlinked

    def _miss(self, stream: Followed, now: float) -> None:
        if now - stream.away < (MISSED_AT_MOST if self._roll.unsure else MISSED):
            return
        known_to_wait = stream.size > stream.at.place or not stream.size
        if stream.cut_node is None and known_to_wait:
            self._troubles.once(
                stream.at.path,
                f"was removed before it was read: what it held behind byte {stream.at.place:,} is lost",
                "say where rotated files go: archive: ...",
            )
            self._gap(stream.at.taken)
        self._ending.append(stream)
        stream.lost = False
        stream.size = stream.at.place

    def _cut(self, stream: Followed, now: float) -> None:
        self._roll.cut(stream, now)
        self._tell_cuts()
        self._scan_due = min(self._scan_due, now)

    def _tell_cuts(self) -> None:
        while self._roll.cuts:
            self._tell_cut(self._roll.cuts.pop())

    def _tell_cut(self, stream: Followed) -> None:
        self._troubles.once(
            stream.at.path,
            "was cut in place (copytruncate): what was written between the copy and the cut is lost",
            "let logrotate rename it instead (create, with a postrotate that tells the writer)",
        )
        self._gap(stream.at.taken)

    def _broken(self, stream: Followed, error: OSError, now: float) -> None:
        self._troubles.stands(stream.at.path, f"cannot be read: {why(error)}", "it is tried again every second")
        self._roll.lose(stream, now)

    def waiting(self) -> Collection[str]:
        """See `Feed`."""
        return [stream.at.stream for stream in self._first(self._clock())]

    def _next(self, room: int, now: float, come: Mapping[str, float]) -> Chunk | None:
        """Lines of the stream that has come the least far, among the first of each log."""
        for stream in sorted(self._first(now), key=lambda each: come.get(each.at.stream, -inf)):
            chunk = self._from(stream, room, now, ending=False)
            if chunk is not None:
                if stream.live:
                    self._roll.streams.remove(stream)
                    self._roll.streams.append(stream)
                return chunk
        return None

    def _first(self, now: float) -> list[Followed]:
        """Of each log the stream to be read first: the oldest that is written no longer, else those that are."""
        ready = [each for each in self._roll.streams if each.ready]
        if now < self._patient_until and self._roll.unsure:
            ready = [each for each in ready if not each.live]  # what was written before them is still looked for
        logs = self._logs()
        first: dict[str, Followed] = {}
        for each in sorted((each for each in ready if not each.live), key=lambda each: each.at.modified):
            first.setdefault(log_of(each.former or each.at.path, logs), each)
        live = [each for each in ready if each.live and log_of(each.at.path, logs) not in first]
        return [*first.values(), *live]

    def _logs(self) -> list[str]:
        return sorted({Path(each.at.path).name for each in self._roll.streams if each.live}, key=len, reverse=True)

    def _end(self, room: int, now: float) -> Chunk | None:
        """The last chunk of a stream that is over: half a line, if its file ends with one."""
        while self._ending:
            stream = self._ending[-1]
            chunk = None
            if stream.ready:  # it has grown after all
                self._ending.pop()
                continue
            if stream.content is not None and stream.ends_within_a_line:
                chunk = self._from(stream, room, now, ending=True)
                if chunk is not None and not stream.over:
                    return chunk
            self._ending.pop()
            if stream.lost or stream not in self._roll.streams:
                continue
            self._roll.remove(stream)
            return replace(chunk, last=True) if chunk is not None else stream.last()
        return None

    def _from(self, stream: Followed, room: int, now: float, ending: bool) -> Chunk | None:
        try:
            if stream.content is None and not self._opened(stream, now):
                return None
            chunk, left_out = stream.take(room, now, ending)
        except Cut:
            self._cut(stream, now)
            return None
        except OSError as error:
            self._broken(stream, error, now)
            return None
        if left_out:
            self._troubles.once(stream.at.path, left_out, "is this a text log?")
        if chunk is None and stream.packed and not stream.at.dropping and stream.at_end:
            self._packed_end(stream)
        elif chunk is None and not stream.live and not stream.former and not stream.ends_within_a_line:
            stream.drop()  # it was put away before we saw it; should it grow all the same, the next look will tell
        return chunk

    def _packed_end(self, stream: Followed) -> None:
        """All that a packed file holds was given out."""
        if stream.cut_short:
            if not stream.waits:
                self._troubles.stands(
                    stream.at.path,
                    "ends within its compression, damaged or still being written: what it holds was read",
                    "it is read on when it has grown",
                )
            stream.waits = True
        else:
            self._troubles.heals(stream.at.path)
            stream.exhausted = True
            self._ending.append(stream)

    def _opened(self, stream: Followed, now: float) -> bool:
        """Open a file that was put away, when its turn has come."""
        try:
            fd = opened(Path(stream.at.path))
        except FileNotFoundError:
            self._roll.lose(stream, now)
            return False
        node, known_by = stream.at.node, stream.at.known_by
        try:
            told = os.fstat(fd)
            if (told.st_dev, told.st_ino) != node:
                raise FileNotFoundError(stream.at.path)  # noqa: TRY301  # another file has its name now
            stream.hold(fd)
        except FileNotFoundError:
            os.close(fd)
            self._roll.lose(stream, now)
            return False
        except OSError:
            os.close(fd)
            raise
        if not stream.is_known_by(known_by):  # the inode was given to another file
            self._roll.lose(stream, now)
            return False
        return True

    def mark(self) -> bytes:
        """See `Feed`. Before the first `take` it says what there was: what comes after it is new."""
        if self._roll.begun is None:
            self._scan(self._now())
        roll = self._roll
        streams = [each.at for each in roll.streams if each.at.stream]
        return marks.written("files", _Mark(roll.begun, roll.seen, roll.finished.floor, streams, roll.finished.all()))

    def resume(self, mark: bytes) -> None:
        """See `Feed`."""
        kept = marks.read("files", _Mark, mark)
        self._roll.begun, self._roll.seen = kept.begun, kept.seen
        self._roll.finished = Finished(kept.done, kept.floor)
        now = self._now()
        self._patient_until = now + PATIENCE
        for standing in kept.streams:
            stream = Followed(standing, live=False)
            stream.lost, stream.away = True, now
            self._roll.streams.append(stream)

    def kept(self) -> None:
        """See `Feed`. Who writes files keeps them as long as its rotation says."""

    def lag(self) -> int:
        """See `Feed`. Of packed files, the bytes on the disk."""
        return sum(each.waiting for each in self._roll.streams)

    def problems(self) -> list[str]:
        """See `Feed`."""
        return self._troubles.told()

    def gaps(self) -> list[tuple[float, float]]:
        """See `Feed`."""
        gaps, self._gaps = self._gaps, []
        return gaps

    def close(self) -> None:
        """See `Feed`."""
        for stream in self._roll.streams:
            stream.drop()
