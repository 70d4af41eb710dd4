"""Sightings as Zeek publishes them over its WebSocket API: a feed of reconwatch.log without the file.

What comes over a WebSocket comes once. Zeek publishes to those who are connected and keeps nothing for others: while
we were away a row is lost, and the span of that is told once, when Zeek has acknowledged us again. A thread listens, so
that Zeek is never made to wait for what is being judged: its queue for a slow client has no bound.
"""

from __future__ import annotations

import datetime
import random
import secrets
import threading
import time
from collections.abc import Callable, Collection, Mapping

import msgspec

from reconwatch.broker.connection import AwayError, Connection, Login, Pauses, library
from reconwatch.broker.frames import BadFrameError, Event
from reconwatch.sources.live import marks
from reconwatch.sources.live.arriving import Arriving
from reconwatch.sources.live.feed import NOBODY, Chunk
from reconwatch.sources.live.troubles import Troubles
from reconwatch.sources.live.zeek_rows import TOPIC, MisfitError, line_of

HELD = 64 * 1024 * 1024
"""Bytes received and not yet taken: some 150,000 rows."""
TOLD = 10
"""Frames of one connection that are told each by itself; the rest are counted."""
TURN = 0.5
"""Seconds in which the listening thread looks up whether it is to end."""


class _Open(msgspec.Struct, array_like=True):
    stream: str
    offset: int
    line: int


class _Mark(msgspec.Struct, array_like=True):
    heard: float
    """Until when nothing was missed of what is behind the mark (UTC epoch seconds); before there was a Zeek: when the
    mark was made, for it may have come, and been followed, before the next mark."""
    open: list[_Open]


class ZeekFeed:
    """A feed of the rows that a Zeek with `@load reconwatch/broker` publishes. See `Feed`."""

    def __init__(
        self,
        login: Login,
        clock: Callable[[], float] = time.time,
        *,
        jitter: Callable[[], float] = random.random,
        connect: Callable[[], Connection] | None = None,
    ) -> None:
        """Raises ModuleNotFoundError with one sentence if the websockets package is not installed."""
        library()
        self.name = f"websocket:{login.url}"
        self._clock = clock
        self._connect = connect or (lambda: Connection(login, [TOPIC]))
        self._pauses = Pauses(jitter)
        self._lock = threading.Lock()
        """Over all below."""
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._troubles = Troubles()
        self._gaps: list[tuple[float, float]] = []
        self._run = secrets.token_hex(6)
        self._number = 0
        self._streams: list[Arriving] = []
        """Of connections, the last of them perhaps open."""
        self._left_open: list[Chunk] = []
        self._heard: float | None = None
        """When Zeek was last known to be connected."""
        self._taken: float | None = None
        """When the last of what was taken came."""
        self._bad = 0
        self._full: tuple[float, int] | None = None
        """Since when rows are dropped because too many wait, and how many were."""

    # -- the thread

    def _listen(self) -> None:
        while not self._ended.is_set():
            try:
                connection = self._connect()
                try:
                    self._follow(connection)
                finally:
                    connection.close()
            except AwayError as error:
                with self._lock:
                    self._troubles.stands(self.name, str(error), error.advice)
            except Exception as error:  # a fault of ours must not end the thread: it is told, and tried again
                with self._lock:
                    self._troubles.stands(self.name, f"cannot be used: {type(error).__name__}: {error}")
            self._ended.wait(self._pauses.next())

    def _follow(self, connection: Connection) -> None:
        """Take in what one connection brings, until it ends."""
        with self._lock:
            self._troubles.heals(self.name)
            self._number += 1
            arriving = Arriving(f"websocket:{self._run}-{self._number}", self.name)
            self._streams.append(arriving)
            self._bad = 0
            self._connected(self._clock())
        try:
            self._receive(connection, arriving)
        except AwayError as error:
            with self._lock:
                self._troubles.stands(self.name, str(error), error.advice or "what is sighted meanwhile is lost")
        finally:
            with self._lock:
                arriving.over = True
                if self._bad > TOLD:
                    self._troubles.once(self.name, f"{self._bad:,} frames of this connection could not be read")

    def _receive(self, connection: Connection, arriving: Arriving) -> None:
        silent, number = 0.0, 0
        while not self._ended.is_set():
            try:
                message = connection.receive(TURN)
            except BadFrameError as error:
                number += 1
                silent = 0.0
                self._refuse(number, str(error))
                continue
            if message is None:
                silent += TURN
                if silent < connection.quiet:
                    continue
                connection.is_there()
                silent = 0.0
                self._pauses.well()
                with self._lock:
                    self._heard = self._clock()
                continue
            silent = 0.0
            self._pauses.well()  # not before: who accepts and closes at once is not to be asked each second
            number += 1
            if isinstance(message, Event):
                try:
                    line = line_of(message)
                except MisfitError as error:
                    self._refuse(number, str(error))
                else:
                    self._keep(arriving, line)
            else:
                self._refuse(number, f"Zeek says {ascii(message)[:200]}, to one who only listens")

    def _refuse(self, number: int, what: str) -> None:
        """Tell of a frame that is left out."""
        with self._lock:
            self._heard = self._clock()
            self._bad += 1
            if self._bad <= TOLD:
                advice = "is the package reconwatch in Zeek of this version?"
                self._troubles.once(f"{self.name}: frame {number}", what, advice)

    def _keep(self, arriving: Arriving, line: bytes) -> None:
        with self._lock:
            now = self._heard = self._clock()
            if self.lag() + len(line) > HELD:
                since, dropped = self._full or (now, 0)
                if self._full is None:
                    what = f"{HELD >> 20} MiB were received and not yet read: rows are lost from here on"
                    self._troubles.once(self.name, what, "prefer reconwatch.log, which waits")
                self._full = (since, dropped + 1)
                return
            if self._full is not None:
                since, dropped = self._full
                self._full = None
                self._gap(since, now, f"{dropped:,} rows were lost")
            if told := arriving.add(line, now):
                self._troubles.once(self.name, told)

    def _connected(self, now: float) -> None:
        """Zeek acknowledged: what was published since it was last heard of is lost."""
        if self._heard is not None:
            self._gap(self._heard, now, "what was sighted then is lost")
        self._heard = now
        if not self.lag():
            self._taken = now

    def _gap(self, since: float, until: float, what: str) -> None:
        since = min(since, until)
        self._gaps.append((since, until))
        text = f"nothing was received from {_stamp(since)} to {_stamp(until)}: {what}"
        self._troubles.once(self.name, text, "prefer reconwatch.log, which waits")

    # -- the service

    def take(self, room: int, come: Mapping[str, float] = NOBODY) -> Chunk | None:
        """See `Feed`. The first call begins to listen."""
        if self._thread is None and not self._ended.is_set():
            self._thread = threading.Thread(target=self._listen, name=self.name, daemon=True)
            self._thread.start()
        with self._lock:
            if self._left_open:
                return self._left_open.pop()
            for arriving in self._streams:
                if arriving.over and not arriving.offset and not len(arriving):
                    self._streams.remove(arriving)  # nobody has heard of it
                    return None
                chunk = arriving.take(room)
                if chunk is not None:
                    self._taken = arriving.taken_until() or self._taken
                    if chunk.last:
                        self._streams.remove(arriving)
                    return chunk
        return None

    def waiting(self) -> Collection[str]:
        """See `Feed`."""
        with self._lock:
            return [arriving.stream for arriving in self._streams if arriving.has_lines]

    def mark(self) -> bytes:
        """See `Feed`. What was received and not taken is not behind it: it is lost if we die."""
        with self._lock:
            left = [_Open(each.stream, each.offset, each.line) for each in self._left_open]
            streams = [_Open(each.stream, each.offset, each.line) for each in self._streams if each.offset]
            heard = self._taken if self.lag() else self._heard
            return marks.written("websocket", _Mark(self._clock() if heard is None else heard, left + streams))

    def resume(self, mark: bytes) -> None:
        """See `Feed`. The connections of the run before are over: each has a last, empty chunk."""
        kept = marks.read("websocket", _Mark, mark)
        self._heard = self._taken = kept.heard
        self._left_open = [Chunk(each.stream, self.name, b"", each.offset, each.line, b"", True) for each in kept.open]

    def kept(self) -> None:
        """See `Feed`. Zeek keeps nothing for us."""

    def lag(self) -> int:
        """See `Feed`."""
        return sum(map(len, self._streams))

    def problems(self) -> list[str]:
        """See `Feed`."""
        with self._lock:
            return self._troubles.told()

    def gaps(self) -> list[tuple[float, float]]:
        """See `Feed`: from when Zeek was last heard of to its next acknowledgement."""
        with self._lock:
            gaps, self._gaps = self._gaps, []
            return gaps

    def close(self) -> None:
        """See `Feed`. The thread lets go of its connection within its turn; it is not waited for long."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(2 * TURN)


def _stamp(moment: float) -> str:
    return datetime.datetime.fromtimestamp(moment, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
