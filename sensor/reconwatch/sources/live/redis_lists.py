"""EVE through a list of Redis (Suricata's `mode: list`, `lpush` or `rpush`): moved aside, forgotten when it is kept.

A record is moved in one step from the list to a processing list of ours, so that it is always in one of them, and
leaves that when the store has what came of it. How many left it is counted beside it, in the same transaction: so a
mark that was stored just before we died says which of the first records in the processing list were read already.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from reconwatch.sources.live import marks
from reconwatch.sources.live.redis_feed import Login, Record, RedisFeed


class _Mark(msgspec.Struct, array_like=True):
    life: str
    """Which processing list it is about: Redis may have lost it, and begun another."""
    records: int
    """Records that were given out since that began."""
    place: int
    line: int
    head: bytes
    taken: float


class ListFeed(RedisFeed):
    """A feed of one list. See `Feed`."""

    def __init__(
        self,
        list: str,
        login: Login,
        push: Literal["lpush", "rpush"] = "lpush",
        consumer: str = "reconwatch",
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`push`: at which end Suricata puts them; its `mode: list` is lpush (src/util-log-redis.c)."""
        super().__init__(f"redis:{list}", login, clock)
        self._list = list
        self._aside = f"{list}:{consumer}"
        self._book = f"{list}:{consumer}:kept"
        self._oldest = "RIGHT" if push == "lpush" else "LEFT"
        self._life = ""
        self._records = 0
        self._base = 0
        """Records that have left the processing list since it began."""
        self._catching_up = True
        self._marked = _Mark("", 0, 0, 1, b"", 0.0)

    def _begin(self, client: Any, now: float) -> None:
        with client.pipeline(transaction=True) as pipeline:
            pipeline.hsetnx(self._book, "life", secrets.token_hex(6))
            pipeline.hgetall(self._book)
            _, book = pipeline.execute()
        life, self._base = book[b"life"].decode(), int(book.get(b"records", 0))
        self._catching_up = True
        if life != self._life:
            if self._life:
                what = "Redis has lost what it held, and what was sent to it is lost with that"
                self._lost(self._taken, now, what, "let it persist (appendonly yes), or prefer files")
            self._life, self._records = life, self._base
            self._place, self._line, self._head = int(book.get(b"bytes", 0)), int(book.get(b"lines", 0)) + 1, b""
            self._stream = f"redis:{self._list}:{life}"
        elif self._records < self._base:
            what = f"{self._base - self._records:,} records were forgotten that are not in the store"
            self._lost(self._taken, now, what, "give each reconwatch a consumer of its own")
            self._records, self._place = self._base, int(book.get(b"bytes", 0))
            self._line = int(book.get(b"lines", 0)) + 1

    def _fetch(self, client: Any, count: int, now: float) -> bool:
        if self._catching_up:
            first = self._records - self._base
            values = client.lrange(self._aside, first, first + count - 1)
            self._catching_up = bool(values)
            if values:
                self._fetched.extend(self._record(b"", value) for value in values)
                return True
        with client.pipeline(transaction=False) as pipeline:
            for _ in range(count):
                pipeline.lmove(self._list, self._aside, self._oldest, "RIGHT")
            pipeline.llen(self._list)
            *moved, self._waiting = pipeline.execute()
        values = [value for value in moved if value is not None]
        self._fetched.extend(self._record(b"", value) for value in values)
        return len(values) == count

    def _given(self, record: Record) -> None:
        self._records += 1

    def mark(self) -> bytes:
        """See `Feed`."""
        self._marked = _Mark(self._life, self._records, self._place, self._line, self._head, self._taken)
        return marks.written(self.name, self._marked)

    def resume(self, mark: bytes) -> None:
        """See `Feed`."""
        kept = marks.read(self.name, _Mark, mark)
        self._life, self._records, self._place = kept.life, kept.records, kept.place
        self._line, self._head, self._taken = kept.line, kept.head, kept.taken
        self._stream = f"redis:{self._list}:{kept.life}"

    def _forget(self, client: Any) -> None:
        marked = self._marked
        if marked.life != self._life or marked.records <= self._base:
            return
        with client.pipeline(transaction=True) as pipeline:
            pipeline.ltrim(self._aside, marked.records - self._base, -1)
            book = {"records": marked.records, "bytes": marked.place, "lines": marked.line - 1}
            pipeline.hset(self._book, mapping=book)
            pipeline.execute()
        self._base = marked.records
