"""One sink's way through the outbox: what it is given next, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from reconwatch.notices import Notice
from reconwatch.prose import counted
from reconwatch.sinks.wire_text import visible
from reconwatch.store.contract import Dead, Position, Stored
from reconwatch.store.output import Output, Refused, Unreachable

AT_ONCE: Final = 100
"""Notices that a sink is given in one go: half a megabyte."""
FIRST_PAUSE: Final = 1.0
"""Seconds before a sink that failed is tried again; twice as long each time that it fails."""
LONGEST_PAUSE: Final = 300.0
"""Seconds: a sink that comes back after a night waits five minutes at most."""
REFUSALS: Final = 5
"""How often a sink may refuse one notice before others are tried in its place: half a minute."""
PROBES: Final = 5
"""Later notices that are tried: if it takes one of them, those before it are at fault, else it is the sink."""


class Backlog(msgspec.Struct, frozen=True):
    """How much may wait for a sink that is down, before the oldest is dropped."""

    notices: int = 100_000
    """Months of an ordinary site."""
    bytes: int = 500_000_000
    """A quarter of what the store keeps: four sinks may be down."""


class Standing(msgspec.Struct, frozen=True):
    """How a sink does."""

    name: str
    waiting: int
    """Notices that were kept behind its position."""
    waiting_bytes: int
    failures: int
    """In a row; 0 if it does well."""
    failed: int
    """Since the service started."""
    sent: int
    """Since the service started."""
    dropped: int
    """Over its whole life."""
    problem: str
    """The last one's words; empty if it does well."""


class Sending(msgspec.Struct, frozen=True):
    """What a sink is given."""

    items: tuple[Stored, ...]
    notices: tuple[Notice, ...]
    end: int
    """Where its position will be."""
    probe: bool = False


class Lane:
    """Position, failures and refusals of one sink. No clock, no store, no I/O: `Delivery` has those."""

    def __init__(self, output: Output, position: Position, *, backlog: Backlog, jitter: Callable[[], float]) -> None:
        self.output = output
        self.seq = position.seq
        self.dropped = position.dropped
        self.kept = position
        """What the store knows."""
        self.due = 0.0
        """When it is tried next, by the clock of `Delivery`."""
        self.waiting = (0, 0)
        self.dead: list[Dead] = []
        """Not kept yet."""
        self.sent = self.failed = self.failures = 0
        self._backlog = backlog
        self._jitter = jitter
        self._problem = ""
        self._lines: list[str] = []
        self._refusals = 0
        """Of the one behind `seq`."""
        self._probing = 0
        """How many of those behind it were tried in its place."""
        self._suspects: list[tuple[Stored, str]] = []
        self._warned = False

    @property
    def position(self) -> Position:
        """Where it stands now."""
        return Position(self.seq, self.output.place(), self.dropped)

    @property
    def unkept(self) -> bool:
        """Whether the store does not know yet where it stands."""
        return bool(self.dead) or self.seq != self.kept.seq or self.dropped != self.kept.dropped

    @property
    def behind(self) -> int:
        """Where the next reading of the outbox begins."""
        return self.seq

    def choose(self, read: Sequence[tuple[Stored, Notice | str]], now: float) -> Sending | None:
        """What to send of the next few of the outbox; None: nothing of it, and the position moves on.

        Those that could not be read from the store stand there as a text, which says why.
        """
        if self._suspects and (probe := self._probe(read)) is not None:
            return probe
        self._suspects = []
        items: list[Stored] = []
        notices: list[Notice] = []
        for item, notice in read:
            if isinstance(notice, str):
                if items:
                    break
                self._bury(item, notice, 1, now)
                self.seq = item.seq
            elif self.output.accepts(notice):
                items.append(item)
                notices.append(notice)
            elif not items:
                self.seq = item.seq
            end = item.seq
        return Sending(tuple(items), tuple(notices), end) if items else None

    def _probe(self, read: Sequence[tuple[Stored, Notice | str]]) -> Sending | None:
        """One of those behind the refused ones: its being taken tells whose fault it is."""
        last = self._suspects[-1][0].seq
        for item, notice in read:
            if item.seq <= last:
                continue
            if isinstance(notice, str):
                self._suspects.append((item, notice))
            elif self.output.accepts(notice):
                return Sending((item,), (notice,), item.seq, probe=True)
        return None

    def settle(self, sending: Sending, error: Exception | None, now: float, when: float) -> None:
        """What came of it. `now` is the clock of pauses in seconds, `when` that of people."""
        taken = getattr(error, "taken", 0) if error is not None else len(sending.items)
        if taken:
            self._took(sending, taken, error, when)
        if error is None:
            self._well()
        elif isinstance(error, Refused):
            self._refused(sending.items[taken], error, now, when)
        else:
            if not isinstance(error, Unreachable):
                error = RuntimeError(f"{type(error).__name__}: {error}")  # a fault of ours must not stop detection
            self._suspects = []
            self._failed(str(error), now)

    def _took(self, sending: Sending, taken: int, error: Exception | None, when: float) -> None:
        self.sent += taken
        for item, reason in self._suspects:
            self._bury(item, reason, self._refusals, when)
        self._suspects, self._refusals = [], 0
        self.seq = sending.end if error is None else sending.items[taken - 1].seq

    def _refused(self, item: Stored, error: Refused, now: float, when: float) -> None:
        reason = str(error)
        if error.final:
            self._bury(item, reason, 1, when)
            self.seq = item.seq
            return
        if self._suspects:
            self._suspects.append((item, reason))
            if len(self._suspects) > PROBES:
                self._suspects = []
                self._failed(f"refuses everything: {reason}", now)
            return
        self._refusals += 1
        if self._refusals >= REFUSALS:
            self._suspects = [(item, reason)]
        self._failed(f"refuses {item.id} rev {item.rev}: {reason}", now)

    def _bury(self, item: Stored, reason: str, failures: int, when: float) -> None:
        self.dead.append(
            Dead(self.output.name, item.seq, item.id, item.rev, visible(reason), failures, when, item.body)
        )
        self._lines.append(
            f"sink {self.output.name}: {item.id} rev {item.rev} is given up: {reason};"
            " `reconwatch db dead` lists it, with --retry it is sent once more"
        )

    def _failed(self, reason: str, now: float) -> None:
        self.failed += 1
        self.failures += 1
        pause = min(FIRST_PAUSE * 2 ** min(self.failures - 1, 20), LONGEST_PAUSE)
        self.due = now + pause * (0.5 + self._jitter() / 2)
        if not self._problem:
            self._lines.append(f"sink {self.output.name}: {reason}; it is tried again, and what is to come waits")
        self._problem = reason

    def _well(self) -> None:
        if self._problem:
            self._lines.append(f"sink {self.output.name}: it takes notices again; {self.waiting[0]:,} had waited")
        self._problem = ""
        self.failures = 0
        self.due = 0.0

    def measure(self, waiting: int, size: int) -> int:
        """Told how much waits for it; how many of the oldest must be dropped now. It warns before, and says so after.

        A tenth more than must be is dropped at once, so that this is not said for each one.
        """
        self.waiting = (waiting, size)
        most = self._backlog
        full = max(waiting / most.notices, size / most.bytes)
        if full < 0.25:
            self._warned = False
        if full >= 0.5 and not self._warned:
            self._warned = True
            self._lines.append(
                f"sink {self.output.name}: {counted(waiting, 'notice')} ({size / 1e6:,.1f} MB) wait for it; from"
                f" {most.notices:,} or {most.bytes / 1e6:,.0f} MB on the oldest are dropped:"
                f" {self._problem or 'it is too slow'}"
            )
        return int(waiting * (1 - 0.9 / full)) + 1 if full > 1 else 0

    def drop(self, upto: int) -> None:
        """Pass over all up to a place: they will never be sent."""
        gone = upto - self.seq
        self.dropped += gone
        self.seq = upto
        self._suspects, self._refusals = [], 0
        self._lines.append(
            f"sink {self.output.name}: DROPPED the {counted(gone, 'oldest notice')} that waited, {self.dropped:,}"
            " so far; they are in the store until their time is over, but not sent"
        )

    def problems(self) -> list[str]:
        """What there is to tell since this was last asked."""
        told, self._lines = self._lines, []
        return told + self.output.problems()

    def standing(self) -> Standing:
        """How it does."""
        return Standing(
            self.output.name, *self.waiting, self.failures, self.failed, self.sent, self.dropped, self._problem
        )
