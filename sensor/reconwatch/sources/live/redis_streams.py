"""EVE through a stream of Redis (Suricata 8's `mode: xadd` or `stream`): a consumer group, acknowledged when kept.

What was delivered to us and not acknowledged is pending: after a start it is delivered again, in order, and what lies
behind the mark is left out and acknowledged. Suricata trims its stream (`stream-maxlen`, 100,000 by default): what was
cut off before it was delivered is told as a gap.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from reconwatch.sources.live import marks
from reconwatch.sources.live.redis_feed import Login, Record, RedisFeed

GROUP = "reconwatch"
FIELD = b"eve"
"""The field of an entry that holds the record (src/util-log-redis.c, redis_stream_format)."""
AT_ONCE = 1000
"""Entries acknowledged in one command."""


class _Mark(msgspec.Struct, array_like=True):
    entry: str
    """The last entry that was given out; `0-0`: none."""
    place: int
    line: int
    head: bytes
    taken: float
    ordinal: int | None


class StreamFeed(RedisFeed):
    """A feed of one stream. See `Feed`."""

    def __init__(
        self,
        stream: str,
        login: Login,
        start: Literal["start", "end"] = "start",
        consumer: str = "reconwatch",
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`start`: what is read of a stream that no group of ours has read before."""
        super().__init__(f"redis:{stream}", login, clock)
        self._key = stream
        self._stream = self.name
        self._start = start
        self._consumer = consumer
        self._entry = "0-0"
        self._pending = True
        """Whether what was delivered before is still being read."""
        self._resumed = False
        """Whether what is pending up to `_entry` is in the store, by the mark of an earlier run."""
        self._ordinal: int | None = None
        """Which entry of all that were ever added the last one was that was given out; None: that is not known yet."""
        self._behind: list[bytes] = []
        """Entries given out and not acknowledged, in order."""
        self._marked = 0
        """How many of them are behind the last mark."""

    def _begin(self, client: Any, now: float) -> None:
        self._pending = True
        try:
            first = "0" if self._start == "start" or self._taken else "$"
            client.xgroup_create(self._key, GROUP, id=first, mkstream=True)
        except self._redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
        else:
            if self._taken:
                what = "Redis has lost what it held, and what was sent to it is lost with that"
                self._lost(self._taken, now, what, "let it persist (appendonly yes), or prefer files")
        while self._resumed:
            kept = client.xpending_range(self._key, GROUP, "-", self._entry, AT_ONCE, self._consumer)
            if kept:
                client.xack(self._key, GROUP, *(each["message_id"] for each in kept))
            self._resumed = bool(kept)

    def _fetch(self, client: Any, count: int, now: float) -> bool:
        if self._pending:
            entries = self._read(client, self._entry, count)
            self._pending = bool(entries)
            if entries:
                self._add(entries, now)
                return True
        with client.pipeline(transaction=True) as pipeline:
            pipeline.xinfo_stream(self._key)
            pipeline.xreadgroup(GROUP, self._consumer, {self._key: ">"}, count=count)
            stream, read = pipeline.execute()
        entries = list(read[0][1]) if read else []
        self._count(stream, len(entries), len(entries) == count, now)
        self._add(entries, now)
        return len(entries) == count

    def _read(self, client: Any, behind: str, count: int) -> list[tuple[bytes, dict[bytes, bytes] | None]]:
        read = client.xreadgroup(GROUP, self._consumer, {self._key: behind}, count=count)
        return list(read[0][1]) if read else []

    def _add(self, entries: list[tuple[bytes, dict[bytes, bytes] | None]], now: float) -> None:
        cut_off = strange = 0
        for entry, fields in entries:
            value = (fields or {}).get(FIELD)
            if value is not None:
                self._fetched.append(self._record(entry, value))
                continue
            self._fetched.append(Record(entry, b""))
            cut_off += not fields
            strange += bool(fields)
        if cut_off:
            self._tell_cut_off(cut_off, now)
        if strange:
            self._troubles.once(self.name, f"{strange:,} entries have no field eve and were left out", "is it EVE?")

    def _count(self, stream: dict[str, Any], fetched: int, more: bool, now: float) -> None:
        """Tell what was cut off before it was delivered, by the number of entries that were ever added (Redis 7).

        `entries-read` of the group would say how many of them were read, but counts on as if none had been cut off.
        """
        added, length, first = stream.get("entries-added"), int(stream["length"]), stream.get("first-entry")
        # Only if nothing that is there was delivered before, something may have been cut off unread.
        unread = first is not None and _number(first[0]) > _number(self._entry.encode())
        if added is None or _text(stream.get("max-deleted-entry-id", "0-0")) != "0-0":
            return  # an older Redis, or somebody deletes entries
        missing = int(added) - length - (self._ordinal or 0)
        if unread and missing > 0 and self._ordinal is not None:
            self._tell_cut_off(missing, now)
        if unread:
            self._ordinal = int(added) - length
        elif not more:
            self._ordinal = int(added) - fetched
        self._waiting = int(added) - fetched - self._ordinal if self._ordinal is not None else 0

    def _tell_cut_off(self, count: int, now: float) -> None:
        what = f"{count:,} entries were cut off before they were read: Suricata trims its stream (stream-maxlen)"
        self._lost(self._taken or now, now, what, "raise stream-maxlen, or let reconwatch run without pauses")

    def _given(self, record: Record) -> None:
        self._entry = record.key.decode()
        self._behind.append(record.key)
        if self._ordinal is not None:
            self._ordinal += 1

    def mark(self) -> bytes:
        """See `Feed`."""
        self._marked = len(self._behind)
        mark = _Mark(self._entry, self._place, self._line, self._head, self._taken, self._ordinal)
        return marks.written(self.name, mark)

    def resume(self, mark: bytes) -> None:
        """See `Feed`."""
        kept = marks.read(self.name, _Mark, mark)
        self._entry, self._place, self._line = kept.entry, kept.place, kept.line
        self._head, self._taken, self._ordinal = kept.head, kept.taken, kept.ordinal
        self._resumed = kept.entry != "0-0"

    def _forget(self, client: Any) -> None:
        while self._marked:
            some = self._behind[: min(self._marked, AT_ONCE)]
            client.xack(self._key, GROUP, *some)
            del self._behind[: len(some)]
            self._marked -= len(some)


def _number(entry: bytes) -> tuple[int, int]:
    """An entry's name as what it is: milliseconds, and a number within them."""
    moment, _, number = entry.partition(b"-")
    return int(moment), int(number)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
