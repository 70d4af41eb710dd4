"""What was read to its end, remembered for as long as it may turn up again: packed, moved, or grown after all."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from reconwatch.sources.live.content import Fingerprint, digest

MOST = 20_000
"""Streams remembered: 60 logs of Zeek, rotated every hour, are 1,440 a day. About 60 bytes each in a mark."""
LATE = 24 * 3600 * 10**9
"""Nanoseconds that a file may be older than the newest one seen and still be new to us: a logger's archive that was
moved late. What is remembered covers twice that."""


class Done(msgspec.Struct, frozen=True, array_like=True):
    """A stream that was read to its end."""

    stream: str
    known_by: Fingerprint
    length: int
    line: int
    modified: int
    """When its file was last written: nanoseconds since the epoch."""


class Finished:
    """A bounded memory of streams that were finished."""

    def __init__(self, done: Iterable[Done] = (), floor: int = 0) -> None:
        self._by_size: dict[int, dict[bytes, Done]] = {}
        self._streams: dict[str, Done] = {}
        self.floor = floor
        """What was last written before this (nanoseconds since the epoch) may have been forgotten."""
        for each in done:
            self.add(each)

    def __contains__(self, stream: str) -> bool:
        return stream in self._streams

    def __len__(self) -> int:
        return len(self._streams)

    def add(self, done: Done) -> None:
        """Remember a stream, in place of what was known of it before."""
        self.forget(done.stream)
        self._streams[done.stream] = done
        self._by_size.setdefault(done.known_by.size, {})[done.known_by.digest] = done

    def forget(self, stream: str) -> None:
        """It is read again after all."""
        done = self._streams.pop(stream, None)
        if done is not None:
            same_size = self._by_size[done.known_by.size]
            if same_size.get(done.known_by.digest) is done:
                del same_size[done.known_by.digest]
            if not same_size:
                del self._by_size[done.known_by.size]

    def find(self, head: bytes) -> Done | None:
        """The stream that a content with this beginning is; of several the one known by most."""
        for size in sorted(self._by_size, reverse=True):
            if 0 < size <= len(head) and (done := self._by_size[size].get(digest(head[:size]))):
                return done
        return None

    def prune(self, seen: int) -> None:
        """Forget what is too old to turn up, and the oldest of too many. `seen`: the newest time of change seen."""
        old = [done for done in self._streams.values() if done.modified < seen - 2 * LATE]
        if len(self._streams) - len(old) > MOST:
            old = sorted(self._streams.values(), key=lambda done: done.modified)[: len(self._streams) - MOST]
            self.floor = max(self.floor, old[-1].modified)
        for done in old:
            self.forget(done.stream)

    def all(self) -> list[Done]:
        """All that are remembered."""
        return list(self._streams.values())
