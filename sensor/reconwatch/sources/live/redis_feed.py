"""What both ways of EVE through Redis share: a connection that comes and goes, and records that become lines."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from reconwatch.sources.lines import LONGEST_LINE
from reconwatch.sources.live.feed import NOBODY, Chunk
from reconwatch.sources.live.followed import HEAD, first_lines
from reconwatch.sources.live.troubles import Troubles

PATIENCE = 1.0
"""Seconds that Redis may take to answer; a call never waits for records to come."""
POLL = 0.1
"""Seconds between looks when there was nothing."""
BACKOFF = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Seconds until the next try to connect, by how many have failed."""
BATCH = 2000
"""Records fetched at once, at most: some 2 MB of EVE."""

MISSING = "EVE through Redis needs the redis package: pip install 'reconwatch[redis]'"


@dataclass(frozen=True)
class Login:
    """Where a Redis is, and how to be let in."""

    url: str
    """`redis://`, `rediss://` or `unix://`, without a password."""
    password: Callable[[], str | None] = lambda: None
    """Asked at each connection: a file may have changed. Raises OSError."""


@dataclass(frozen=True)
class Record:
    """One record that was fetched and not given out yet."""

    key: bytes
    """What Redis calls it, if it does."""
    line: bytes
    """With its newline; empty for what is left out."""


class RedisFeed(ABC):
    """A feed of records that lie in Redis until they are kept. See `Feed`."""

    def __init__(self, name: str, login: Login, clock: Callable[[], float] = time.time) -> None:
        """Raises ModuleNotFoundError with one sentence if the redis package is not installed."""
        try:
            import redis
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(MISSING) from error
        self.name = name
        self._redis: Any = redis
        self._login = login
        self._clock = clock
        self._troubles = Troubles()
        self._gaps: list[tuple[float, float]] = []
        self._client: Any = None
        self._failures = 0
        self._tried = 0.0
        self._wait = 0.0
        self._fetched: deque[Record] = deque()
        self._average = 1000.0
        self._waiting = 0
        """Records in Redis that were not fetched."""
        self._stream = ""
        self._place = 0
        self._line = 1
        self._head = b""
        self._taken = 0.0

    @abstractmethod
    def _begin(self, client: Any, now: float) -> None:
        """Find out, on a new connection, what is to be read. May raise what the client raises."""

    @abstractmethod
    def _fetch(self, client: Any, count: int, now: float) -> bool:
        """Put records into `_fetched`; whether there may be more at once. May raise what the client raises."""

    @abstractmethod
    def _given(self, record: Record) -> None:
        """A record is part of a chunk now."""

    @abstractmethod
    def _forget(self, client: Any) -> None:
        """Let Redis forget what the last mark has behind it. May raise what the client raises."""

    def take(self, room: int, come: Mapping[str, float] = NOBODY) -> Chunk | None:
        """See `Feed`."""
        now = self._clock()
        if not self._fetched:
            count = max(1, min(BATCH, int(room / self._average)))
            self._try(lambda client: self._look(client, count, now), now)
        return self._chunk(room, now)

    def waiting(self) -> Collection[str]:
        """See `Feed`."""
        return (self._stream,) if self._stream and (self._fetched or self._waiting) else ()

    def _look(self, client: Any, count: int, now: float) -> None:
        if abs(now - self._tried) < self._wait:
            return
        self._tried = now
        self._wait = 0.0 if self._fetch(client, count, now) else POLL

    def _try(self, doing: Callable[[Any], None], now: float) -> None:
        """Do something with Redis; what fails is told, and tried again after a while."""
        if self._client is None and self._failures and abs(now - self._tried) < self._wait:
            return
        try:
            if self._client is None:
                self._client = self._connected()
                self._begin(self._client, now)
                self._wait = 0.0
            doing(self._client)
        except (OSError, self._redis.RedisError) as error:
            self._fetched.clear()
            self._let_go()
            self._tried = now
            self._wait = BACKOFF[min(self._failures, len(BACKOFF) - 1)]
            self._failures += 1
            self._troubles.stands(self.name, *_said(error))
        else:
            self._failures = 0
            self._troubles.heals(self.name)

    def _connected(self) -> Any:
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        client = self._redis.Redis.from_url(
            self._login.url,
            password=self._login.password(),
            socket_timeout=PATIENCE,
            socket_connect_timeout=PATIENCE,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
        client.ping()
        return client

    def _chunk(self, room: int, now: float) -> Chunk | None:
        lines = []
        size = 0
        while self._fetched and (not size or size + len(self._fetched[0].line) <= room):
            record = self._fetched.popleft()
            self._given(record)
            lines.append(record.line)
            size += len(record.line)
        if not size:
            return None
        data = b"".join(lines)
        self._head = self._head or first_lines(data[:HEAD])
        chunk = Chunk(self._stream, self.name, data, self._place, self._line, self._head)
        count = sum(map(bool, lines))
        self._place += size
        self._line += count
        self._average = 0.9 * self._average + 0.1 * size / count
        self._taken = now
        return chunk

    def _record(self, key: bytes, value: bytes) -> Record:
        """A record as a line of its own, whatever its writer put into it."""
        value = value.rstrip(b"\r\n").replace(b"\n", b" ")
        if len(value) > LONGEST_LINE:
            self._troubles.once(self.name, f"a record is longer than {LONGEST_LINE:,} bytes and is left out")
            return Record(key, b"")
        return Record(key, value + b"\n")

    def _lost(self, since: float, now: float, what: str, advice: str) -> None:
        self._gaps.append((min(since, now), now))
        self._troubles.once(self.name, what, advice)

    def kept(self) -> None:
        """See `Feed`: Redis may forget it."""
        now = self._clock()
        if self._client is not None:
            self._try(self._forget, now)

    def lag(self) -> int:
        """See `Feed`: an estimate, by the average of the records so far."""
        return sum(len(record.line) for record in self._fetched) + int(self._waiting * self._average)

    def problems(self) -> list[str]:
        """See `Feed`."""
        return self._troubles.told()

    def gaps(self) -> list[tuple[float, float]]:
        """See `Feed`."""
        gaps, self._gaps = self._gaps, []
        return gaps

    def close(self) -> None:
        """See `Feed`."""
        self._let_go()

    def _let_go(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


def _said(error: Exception) -> tuple[str, str]:
    """(what is wrong, what to do about it), without what a URL may hold."""
    text = " ".join(str(error).split())
    lower = text.lower()
    if "wrongtype" in lower:
        return "the key is of another kind", "list: for Suricata's modes list, lpush and rpush, stream: for xadd"
    if "unknown command" in lower:
        return f"Redis is too old: {text}", "lists need Redis 6.2 or later, streams 5.0"
    if any(word in lower for word in ("noauth", "authentication", "wrongpass", "password")):
        return "Redis does not let us in", "password_file: or password_env:, and the user before the @ of the URL"
    if "no permissions" in lower or "noperm" in lower:
        return f"Redis does not permit it: {text}", "what docs/site.md says the user needs"
    return f"Redis cannot be used: {text}", "it is tried again, at most every 30 seconds"
