"""What a service tells of itself: that it lives, what its inputs lost, and that its self-test failed.

These are notices like any other: they go through the store to every sink that wants them. Their direction is `sensor`,
and nobody acted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import msgspec

from reconwatch.notices import INVESTIGATE, Notice, Reason, notice_id, verdict_of
from reconwatch.prose import counted
from reconwatch.sightings import Actor

DAY = 86_400.0
LONG_GAP = 300.0
"""Seconds from which a gap asks for a look: a restart of Suricata with its rules takes less."""


class Tally(msgspec.Struct, frozen=True):
    """What was read and said up to now; only ever rising."""

    events: int = 0
    bytes: int = 0
    notices: int = 0
    gaps: int = 0

    def since(self, before: Tally) -> Tally:
        """What came since another one of the same process."""
        pairs = zip(msgspec.structs.astuple(self), msgspec.structs.astuple(before), strict=True)
        return Tally(*(max(0, now - then) for now, then in pairs))

    def with_more(self, more: Tally) -> Tally:
        """Both together."""
        return Tally(*map(sum, zip(msgspec.structs.astuple(self), msgspec.structs.astuple(more), strict=True)))


def heartbeat(day: float, now: float, since: float | None, tally: Tally, feeds: int, *, well: bool) -> Notice:
    """The notice of one UTC day, which begins at `day`: what was read and said from `since` until `now`.

    `since` is None if nothing is known of what was before; `well`: the self-test passed. The id is that of the day: a
    service that starts ten times says it once.
    """
    read = f"{counted(tally.events, 'event')} in {tally.bytes / 1e6:,.1f} MB of {counted(feeds, 'feed')}"
    lost = f", with {counted(tally.gaps, 'gap')}" if tally.gaps else ""
    if since is None:
        msg = f"reconwatch begins to watch {counted(feeds, 'feed')}"
    else:
        msg = (
            f"reconwatch lives: since {_minute(since)} it read {read}{lost} and told {counted(tally.notices, 'notice')}"
        )
    msg += "; its self-test passed" if well else "; ITS SELF-TEST FAILED"
    return _notice(
        "Heartbeat", (), day, ts=now, span=(now if since is None else since, now), count=tally.events,
        counted="events", score=0, why="a daily sign of life", msg=msg,
    )  # fmt: skip


def input_gap(feed: str, start: float, end: float) -> Notice:
    """A span in which an input may have lost something for good. Its id is that of feed and start."""
    length = max(0.0, end - start)
    score = INVESTIGATE if length >= LONG_GAP else 10
    span = f"from {_minute(start)} to {_minute(end)} ({length:,.0f} s)"
    msg = f"{feed} may have lost what came {span}: nothing was seen then"
    step = f"See why {feed} was not read then; what happened meanwhile is in no notice"
    return _notice(
        "Input_Gap", (feed, f"{start:.6f}"), start, ts=end, span=(start, end), count=round(length),
        counted="seconds", score=score, why=f"{length:,.0f} s without this input", msg=msg, next=(step,),
    )  # fmt: skip


def self_test_failed(day: float, now: float, why: str) -> Notice:
    """The canned lookup did not give its notice: the service may be blind. One a UTC day, which begins at `day`."""
    step = "Restart the service; if it fails again, put the last catalog back"
    return _notice(
        "Self_Test_Failed", (), day, ts=now, span=(now, now), count=1, counted="self-tests", score=INVESTIGATE,
        why=f"a canned lookup gave no notice: {why}", msg=f"reconwatch failed its self-test: {why}", next=(step,),
    )  # fmt: skip


def start_of_day(ts: float) -> float:
    """The UTC midnight before a time."""
    return ts // DAY * DAY


def _notice(
    note: str, key: Sequence[str], window: float, *, ts: float, span: tuple[float, float], count: int, counted: str,
    score: int, why: str, msg: str, next: tuple[str, ...] = (),
) -> Notice:  # fmt: skip
    return Notice(
        id=notice_id(note, tuple(key), window),
        rev=1,
        state="closed",
        ts=ts,
        note=note,
        direction="sensor",
        actor=Actor(""),
        services=(),
        techniques=(),
        targets=(),
        first=span[0],
        last=span[1],
        count=count,
        counted=counted,
        kinds=(),
        reasons=(Reason(score, why),),
        evidence=(),
        evidence_total=0,
        msg=msg,
        score=score,
        verdict=verdict_of(score),
        next=next,
    )


def _minute(ts: float) -> str:
    """A time for people, to the second, whatever the clock says."""
    try:
        return datetime.fromtimestamp(ts, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return f"second {ts:.0f}"


class Diary:
    """When the service last said that it lives, and what it has read and said since. Kept in its snapshot."""

    def __init__(self, feeds: int, self_test: Callable[[], str | None]) -> None:
        """`feeds`: how many there are; `self_test` gives None, or why the service may be blind."""
        self._feeds, self._self_test = feeds, self_test
        self._tested: float | None = None
        self._failure: str | None = None
        self._day: float | None = None
        self._since: float | None = None
        self._carried = Tally()
        """Since the last heartbeat, by processes that have ended."""
        self._begun = Tally()
        """What this process had when the last heartbeat was said."""

    def due(self, now: float, tally: Tally) -> list[Notice]:
        """At first, and once on each UTC day: what the self-test gives and the heartbeat; `tally` is of this process.

        A clock that goes back says nothing twice: the ids are those of the day.
        """
        day = start_of_day(now)
        said = []
        if self._tested is None or day > self._tested:
            self._tested, self._failure = day, self._self_test()
            if self._failure is not None:
                said.append(self_test_failed(day, now, self._failure))
        if self._day is None or day > self._day:
            whole = self._carried.with_more(tally.since(self._begun))
            said.append(heartbeat(day, now, self._since, whole, self._feeds, well=self._failure is None))
            self._day, self._since, self._carried, self._begun = day, now, Tally(), tally
        return said

    def mark_test_due(self) -> None:
        """What the service is made of has changed: its self-test is due."""
        self._tested = None

    def state(self, tally: Tally) -> bytes:
        """What a later process needs to go on."""
        return msgspec.json.encode((self._day, self._since, self._carried.with_more(tally.since(self._begun))))

    def restore(self, data: bytes) -> None:
        """Go on where another process was. Raises ValueError."""
        kept = msgspec.json.decode(data, type=tuple[float | None, float | None, Tally])
        self._day, self._since, self._carried = kept
