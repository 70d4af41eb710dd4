"""The loop of `reconwatch run`: bytes from feeds through a live run into the store, and from there to the sinks.

One thread does it all, in turns that never wait for anybody outside. What is read and what came of it are kept together
(`Store.snapshot`); between snapshots only notices are. While the store can keep nothing, nothing is read: the logs wait
on disk, where they are safe.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from reconwatch.live import Live
from reconwatch.notices import Notice
from reconwatch.said_of_itself import Diary, Tally, input_gap
from reconwatch.snapshot import SnapshotError
from reconwatch.sources.live import Feed
from reconwatch.store import Delivery, Retention, Store, StoreError

ROOM: Final = 1 << 20
"""Bytes that one feed gives in one turn: 10 to 300 ms of work, so that no feed waits long for another."""
SNAPSHOT_EVERY: Final = 30.0
"""Seconds between snapshots: so much is read again after a crash."""
SNAPSHOT_SHARE: Final = 20
"""A snapshot is taken at most this many times its own duration apart from the last: it may take 5 % of the time."""
DELIVERY_TIME: Final = 0.25
"""Seconds a turn for sinks that are behind."""
TIDY_EVERY: Final = 60.0
"""Seconds between looks for what is too old to be kept."""
BEHIND: Final = 64 << 20
"""Bytes that wait from which input may be coming faster than it is judged: more than a busy minute of a sensor."""
BEHIND_FOR: Final = 60.0
"""Seconds for which so much waits until that is told: after a start there is always something to catch up with."""
RETRY: Final = 1.0
"""Seconds until a store that failed is asked again."""
STATE: Final = "live"
"""The name of a part of the snapshot: the state of the run."""
DIARY: Final = "diary"
"""The name of the other: what the service said of itself."""


@dataclass
class Counts:
    """What a service has done since it began; only ever rising."""

    bytes: int = 0
    chunks: int = 0
    snapshots: int = 0
    snapshot_seconds: float = 0.0
    store_failures: int = 0
    gaps: int = 0
    gap_seconds: float = 0.0
    reloads: int = 0
    refused_reloads: int = 0
    notices: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By (note, verdict), those that the store did not have yet."""


class Service:
    """Feeds in, sinks out. `begin`, then `turn` as long as there is nothing else to do, then `end`."""

    def __init__(
        self,
        live: Live,
        feeds: Sequence[Feed],
        store: Store,
        delivery: Delivery,
        *,
        say: Callable[[str], None],
        ticks: Callable[[], float] = time.monotonic,
        retention: Retention | None = None,
        snapshot_every: float = SNAPSHOT_EVERY,
        room: int = ROOM,
        diary: Diary | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`say` tells people a line; `ticks` is a clock that is never set back, in seconds; `clock` is that of people.

        With a `diary` the service tells of itself, too: heartbeats, gaps, its self-test.
        """
        self.live, self.feeds, self.store, self.delivery = live, list(feeds), store, delivery
        self.counts = Counts()
        self.gaps: list[tuple[str, float, float]] = []
        """(feed, from, to) of what may have been lost, since the process began."""
        self._say, self._ticks, self._every, self._room = say, ticks, snapshot_every, room
        self._retention, self._diary, self._clock = retention, diary, clock
        self._gaps_to_tell: list[tuple[str, float, float]] = []
        self.last_told: Notice | None = None
        """The last notice that the store took, since the process began."""
        self.last_snapshot = (0.0, 0, 0.0)
        """When the last snapshot was taken (UTC epoch seconds), bytes of state in it, seconds that it took."""
        self._tidy_at = self._lag_at = self._behind_told = float("-inf")
        self._behind_since: float | None = None
        self._pending: list[Notice] = []
        """Notices that the store could not keep yet."""
        self._trouble: str | None = None
        self._retry_at = self._snapshot_at = float("-inf")
        self._generation = store.generation

    @property
    def trouble(self) -> str | None:
        """Why nothing is read at the moment; None if it is."""
        return self._trouble

    @property
    def caught_up(self) -> bool:
        """Whether all that the feeds had was read when they were last asked."""
        return not any(feed.waiting() for feed in self.feeds)

    def begin(self) -> None:
        """Go on where the last run ended, and keep where that is. Raises StoreError."""
        last = self.store.restored()
        if last is not None:
            if last.parts is not None:
                self._restore(last.parts)
                self._go_on_with_diary(last.parts.get(DIARY))
            for feed in self.feeds:
                if feed.name in last.marks:
                    self._resume(feed, last.marks[feed.name])
        self.snapshot()

    def _restore(self, parts: Mapping[str, bytes]) -> None:
        try:
            self.live.restore(parts[STATE])
        except (SnapshotError, KeyError) as error:
            self._say(f"the state of the last run is not gone on with: {error}; reading goes on where it ended")

    def _go_on_with_diary(self, kept: bytes | None) -> None:
        if self._diary is None or kept is None:
            return
        try:
            self._diary.restore(kept)
        except ValueError as error:
            self._say(f"what the service said of itself is forgotten: {error}")

    def _resume(self, feed: Feed, mark: bytes) -> None:
        try:
            feed.resume(mark)
        except ValueError as error:
            self._say(f"{feed.name}: where the last run ended is not known ({error}): read as on a first start")

    def turn(self) -> bool:
        """One turn for every feed, the store and the sinks; whether there may be more to do at once."""
        more = False
        if self._trouble is None or self._ticks() >= self._retry_at:
            more = self._keep() and self._read()
        if not more:
            self.live.tick()
            self._keep()
        self._pending += self._of_itself()
        if self._trouble is None and self._ticks() >= self._snapshot_at:
            self.snapshot()
        sending = self.delivery.step(self._ticks() + (0.0 if more else DELIVERY_TIME))
        for line in self.delivery.problems():
            self._say(line)
        if not more:
            self._tidy()
        self._watch_lag()
        return more or sending

    def _watch_lag(self) -> None:
        """Say when input comes faster than it is judged, and when that is over. Nothing is skipped meanwhile."""
        now = self._ticks()
        if now < self._lag_at:
            return
        self._lag_at = now + 1.0
        waiting = sum(self.lag().values())
        if waiting < BEHIND:
            if self._behind_since is not None and now - self._behind_since >= BEHIND_FOR:
                self._say("input has been caught up with")
            self._behind_since = None
        elif self._behind_since is None:
            self._behind_since = now
        elif now - self._behind_since >= BEHIND_FOR > self._behind_told - self._behind_since:
            self._behind_told = now
            self._say(
                f"{waiting >> 20:,} MiB have waited to be read for a minute and more: input comes faster than it is"
                " judged; nothing is skipped, notices come later"
            )

    def _tidy(self) -> None:
        """A step of housekeeping, when there is nothing else to do."""
        if self._retention is None or self._trouble is not None or self._ticks() < self._tidy_at:
            return
        try:
            more = self.store.tidy(self._retention)
        except StoreError as error:
            self._failed(error)
            return
        self._tidy_at = self._ticks() + (0.0 if more else TIDY_EVERY)

    def _read(self) -> bool:
        """A chunk of each feed; whether any had one."""
        come = self.live.come
        chunks = [chunk for feed in self.feeds if (chunk := feed.take(self._room, come)) is not None]
        for feed in self.feeds:
            for line in feed.problems():
                self._say(line)
            for start, end in feed.gaps():
                self._note_gap(feed.name, start, end)
        waiting = {stream for feed in self.feeds for stream in feed.waiting()}
        for number, chunk in enumerate(chunks):
            self.live.wait_for(waiting | {each.stream for each in chunks[number:]})
            self.counts.chunks += 1
            self.counts.bytes += len(chunk.data)
            self.live.read(chunk)
            self._keep()
        self.live.wait_for(waiting)
        return bool(chunks)

    def _note_gap(self, name: str, start: float, end: float) -> None:
        self.counts.gaps += 1
        self.counts.gap_seconds += max(0.0, end - start)
        self.gaps.append((name, start, end))
        del self.gaps[:-100]
        if self._diary is not None:
            self._gaps_to_tell.append((name, start, end))

    def _gap_notices(self) -> list[Notice]:
        """What of the gaps was not told: after a crash one may come again, as it was or longer. Raises StoreError."""
        told = []
        for name, start, end in self._gaps_to_tell:
            notice = input_gap(name, start, end)
            said = max(self.store.notices(id=notice.id), key=lambda each: each.rev, default=None)
            if said is None or said.last < notice.last - 1e-6:  # times are kept to the microsecond
                told.append(msgspec.structs.replace(notice, rev=said.rev + 1 if said is not None else 1))
        return told

    def _of_itself(self) -> list[Notice]:
        """What is due on this day."""
        if self._diary is None:
            return []
        due = self._diary.due(self._clock(), self.tally)
        for notice in due:
            if notice.note == "Self_Test_Failed":
                self._say(notice.msg)
        return due

    @property
    def tally(self) -> Tally:
        """What was read and said since the process began."""
        return Tally(self.live.events, self.counts.bytes, self.counts.notices.total(), self.counts.gaps)

    def _keep(self) -> bool:
        """Put what there is to say into the store; whether it took everything."""
        self._pending += self.live.notices()
        if not self._pending and not self._gaps_to_tell and self._trouble is None:
            return True
        try:
            with self.store.transaction():
                new = self.store.emit([*self._pending, *self._gap_notices()])
        except StoreError as error:
            self._failed(error)
            return False
        self._well(new)
        if self.store.generation != self._generation:
            self._generation = self.store.generation
            self._snapshot_at = self._ticks()  # what it had before is gone: keep all there is at once
        return True

    def _well(self, new: Sequence[Notice]) -> None:
        if self._trouble is not None:
            self._say("the store keeps notices again: reading goes on")
            self._trouble = None
        self.counts.notices.update((notice.note, notice.verdict) for notice in new)
        self.last_told = new[-1] if new else self.last_told
        self._pending, self._gaps_to_tell = [], []

    def _failed(self, error: StoreError) -> None:
        self.counts.store_failures += 1
        if str(error) != self._trouble:
            self._say(f"{error}; nothing more is read until the store keeps notices again")
        self._trouble = str(error)
        self._retry_at = self._ticks() + RETRY

    def snapshot(self) -> bool:
        """Keep all that was read and what came of it; whether the store took it."""
        begun = self._ticks()
        if not self._keep():
            return False
        marks = {feed.name: feed.mark() for feed in self.feeds}
        parts = {STATE: self.live.state()}
        if self._diary is not None:
            parts[DIARY] = self._diary.state(self.tally)
        try:
            with self.store.transaction():
                self.store.snapshot(parts, marks)
        except StoreError as error:
            self._failed(error)
            return False
        for feed in self.feeds:
            feed.kept()
        took = self._ticks() - begun
        self.counts.snapshots += 1
        self.counts.snapshot_seconds += took
        self.last_snapshot = (self._clock(), sum(map(len, parts.values())), took)
        self._snapshot_at = self._ticks() + max(self._every, SNAPSHOT_SHARE * took)
        return True

    def lag(self) -> Mapping[str, int]:
        """Feed -> bytes that wait to be read."""
        return {feed.name: feed.lag() for feed in self.feeds}

    def replace(self, live: Live) -> None:
        """Go on with another site, catalog or intelligence: `live` takes over all that is under way."""
        self._pending += self.live.notices()
        live.take_over(self.live)
        self.live = live
        self.counts.reloads += 1
        if self._diary is not None:
            self._diary.mark_test_due()

    def end(self) -> None:
        """Keep everything, give the sinks what they take at once, and let go."""
        self.snapshot()
        self.delivery.step(self._ticks() + DELIVERY_TIME)
        self.delivery.close(patience=DELIVERY_TIME)
        for feed in self.feeds:
            feed.close()
