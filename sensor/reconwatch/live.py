"""A run that never ends: chunks of live inputs in, notices out as soon as there is something to say.

Events are put in order of time before they are judged, as a replay does, but within `REORDER` seconds only: what comes
later than that is taken as it comes, and for windows that are over it is counted and left out. So a run over the same
bytes says the same, however they were cut into chunks and wherever it was stopped and gone on with; of several inputs
the order among them matters only to what comes late.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any, ClassVar

from reconwatch import snapshot
from reconwatch.account import Account, Warn
from reconwatch.assembly import Assembly, Way
from reconwatch.catalog import Catalog
from reconwatch.catalog.world import World
from reconwatch.desk import Desk
from reconwatch.detectors.runner import Runner
from reconwatch.events import CONNECTING, AnyEvent, Certificate, Connection, Raised, when
from reconwatch.interest import Lookout
from reconwatch.notices import Finding, Notice
from reconwatch.sift import Sift
from reconwatch.site import Site
from reconwatch.snapshot import SnapshotError
from reconwatch.sources.live import Chunk
from reconwatch.sources.live.reading import Reading
from reconwatch.sources.opener import looked_into
from reconwatch.sources.textlog.declared import declared_for
from reconwatch.sources.units import Part, Reader, Task, Unit
from reconwatch.windows import DAY, MINUTE

if TYPE_CHECKING:
    from reconwatch.intel import Intelligence

REORDER = 20.0
"""Seconds of event time that events wait for earlier ones: Zeek and Suricata write a request at its response. What is
written later (connections, at their end) is judged as it comes."""
LATENESS = 3600.0
"""Seconds of event time after its end for which a window stays open: most connections are logged within."""
AHEAD = 3600.0
"""Seconds by which a sensor's clock may be ahead of ours; a time beyond it would make all others late."""
QUIET = 20.0
"""Seconds without any input from which time goes on by our clock, so that the last visits come to their end."""
MOST_WAITING = 200_000
"""Events that wait at once, at 600 bytes; beyond, the oldest are taken early."""

_Waiting = tuple[Any, int, AnyEvent]


class Live:
    """`read` chunks, then `notices`. One thread; what it does depends on the chunks and `now` only."""

    KEPT: ClassVar[tuple[str, ...]] = (
        "late", "ahead", "disordered", "streams", "_waiting", "_number_events", "_number", "_numbers", "_clock",
        "_closed", "_minute", "_day", "_holds", "_captured", "_first_probe",
    )  # fmt: skip

    def __init__(
        self,
        catalog: Catalog,
        site: Site,
        world: World | None = None,
        intelligence: Intelligence | None = None,
        *,
        warn: Warn = lambda line: None,
        now: Callable[[], float] = lambda: float("inf"),
    ) -> None:
        """`now`: our clock, in UTC epoch seconds. Without one no time is ahead of it."""
        self._made_of = catalog, site, world, intelligence
        self._warn, self._now = warn, now
        self.alive: Callable[[], None] = lambda: None
        """Called now and then while a capture is read: that may take minutes."""
        self._begin()

    def _begin(self) -> None:
        """As if nothing had been read."""
        self.disordered = 0
        """Events that came after later ones had been judged."""
        self.late = 0
        """Events of windows that were over."""
        self.ahead = 0
        """Events whose time lay so far ahead that they were left out."""
        self.events = 0
        """Events taken since the start of the process."""
        self.sightings: Counter[str] = Counter()
        """The same of lookups, and of probes, that detectors were shown."""
        self.readings: dict[str, Reading] = {}
        self._unreadable: Counter[str] = Counter()
        """Of streams that are over."""
        self._awaited: frozenset[str] = frozenset()
        """Streams that have more to say: time goes no further than the slowest of them."""
        self._waiting: list[_Waiting] = []
        self._number_events = 0
        self._remembered: dict[str, dict[str, Any]] = {}
        self._number = 0
        self._numbers: dict[str, int] = {}
        """Stream -> `Event.input`, for those that go on."""
        self._clock = float("-inf")
        """What is older comes late."""
        self._closed = float("-inf")
        """Windows that ended by then are over."""
        self._minute = float("-inf")
        self._day = float("-inf")
        self._holds: set[str] = set()
        self._first_probe: float | None = None
        self._captured = float("-inf")
        """The latest time of the captures that were read."""
        self._last_read = self._now()
        self._findings: list[Finding] = []
        self._said: list[Notice] = []
        """Of captures that were judged by themselves."""
        self._desk = Desk()
        self.rooms = rooms = Assembly(*self._made_of)
        self._lookout = Lookout(rooms.interest)
        self._sift = Sift(rooms.watched, rooms.site, world=rooms.world)

    # -- in

    def read(self, chunk: Chunk) -> None:
        """Take the next chunk of a stream."""
        self._last_read = self._now()
        reading = self.readings.get(chunk.stream)
        if chunk.capture is not None:
            self._read_capture(chunk)
            return
        if reading is None:
            declared = declared_for(chunk.name, self.rooms.declared)
            number = self._number_of(chunk.stream)
            reading = Reading(chunk, number, self._lookout, Account(chunk.name, self._warn), declared)
            reading.memory = self._remembered.pop(chunk.stream, {})
            self.readings[chunk.stream] = reading
        for event in reading.events(chunk):
            self._take(event, reading)
        self._holds |= reading.account.holds
        if chunk.last:
            self._forget(chunk.stream)

    def _read_capture(self, chunk: Chunk) -> None:
        """A capture that goes on where time stands is part of what is followed; an older one is a run of its own."""
        assert chunk.capture is not None
        (_, begins), _ = looked_into(chunk.capture)
        if begins < self._clock - LATENESS:
            self._warn(f"{chunk.name}: is older than what is followed, and judged by itself")
            aside = Live(*self._made_of, warn=self._warn, now=self._now)
            aside.alive = self.alive
            aside.read(chunk)
            self._said += aside.finish()
            self.events += aside.events
            self._unreadable += aside.unreadable
            self.sightings += aside.sightings
            return
        account = Account(chunk.name, self._warn)
        number = self._number_of(chunk.stream)
        unit = Unit((Part(number, chunk.name, chunk.capture, 0.0),))
        reader = Reader(self._lookout, funnel=True, progress=lambda done: self.alive())
        for event in reader.one(Task(unit), {number: account}):
            self._take(event, None)
            self._captured = max(self._captured, event.ts)
        self._holds |= account.holds
        self._unreadable += account.unreadable
        self._forget(chunk.stream)

    def wait_for(self, streams: Collection[str]) -> None:
        """These streams have more to say, others have not: time goes as far as the slowest of them has come."""
        self._awaited = frozenset(streams)
        self._release(self._front())

    @property
    def unreadable(self) -> Counter[str]:
        """Records that could not be read since the start of the process, by reason."""
        return sum((reading.account.unreadable for reading in self.readings.values()), self._unreadable.copy())

    @property
    def waiting(self) -> int:
        """Events that wait for earlier ones."""
        return len(self._waiting)

    @property
    def come(self) -> Mapping[str, float]:
        """Stream -> how far it has come, in UTC epoch seconds."""
        return {stream: reading.newest for stream, reading in self.readings.items()}

    def tick(self) -> None:
        """Nothing came: when that has lasted, time goes on by our clock."""
        quiet = self._now() - self._last_read
        if quiet >= QUIET and not self._awaited and self._clock > float("-inf"):
            self._last_read = self._now()
            self._release(self._clock + quiet)

    def _number_of(self, stream: str) -> int:
        number = self._numbers.get(stream)
        if number is None:
            number = self._numbers[stream] = self._number
            self._number += 1
        return number

    def _forget(self, stream: str) -> None:
        reading = self.readings.pop(stream, None)
        if reading is not None:
            self._unreadable += reading.account.unreadable
        self._remembered.pop(stream, None)
        self._numbers.pop(stream, None)

    def _take(self, event: AnyEvent, reading: Reading | None) -> None:
        self.events += 1
        if event.ts > self._now() + AHEAD:
            self.ahead += 1
            if self.ahead == 1:
                self._warn(f"an event of {event.client} is stamped more than an hour ahead: is a sensor's clock wrong?")
            return
        if isinstance(event, Certificate):
            publication = self.rooms.published(event)  # its time is when it was published: it may be years ago
            if publication is not None:
                self._findings += self.rooms.publications.observe(publication)
            if self._first_probe is not None:
                self.rooms.probing.watched_since(self._first_probe)
            return
        self.disordered += event.ts <= self._clock
        self._number_events += 1
        heapq.heappush(self._waiting, (when(event), self._number_events, event))
        if len(self._waiting) > MOST_WAITING:
            self._release(max(self._waiting[0][2].ts, self._clock + 1.0))
        elif reading is not None and event.ts >= reading.newest:
            self._release(self._front())

    def _front(self) -> float:
        """How far time has come: as far as the slowest of the streams that have more to say."""
        readings = self.readings
        if self._awaited:
            return min(readings[each].newest if each in readings else float("-inf") for each in self._awaited) - REORDER
        return max((reading.newest for reading in readings.values()), default=self._captured) - REORDER

    # -- through

    def _release(self, until: float) -> None:
        """Judge all events up to a time, and what time alone brings about."""
        if until <= self._clock:
            return
        while self._waiting and self._waiting[0][2].ts <= until:
            event = heapq.heappop(self._waiting)[2]
            self._pass_minutes(event.ts)
            self._judge(event)
        self._pass_minutes(until)
        self._clock = until

    def _pass_minutes(self, ts: float) -> None:
        """What is looked at by the clock of the events: at whole minutes, so that it is the same in every run."""
        minute = ts // MINUTE * MINUTE
        if minute <= self._minute:
            return
        first = self._minute == float("-inf")
        self._minute = minute
        if first:
            self._day = ts // DAY * DAY
            return
        self._close_windows(minute - LATENESS)
        self._findings += map(self.rooms.seconding.seconded, self.rooms.scans.openings())
        self._findings += self.rooms.seconding.due(minute)
        if ts // DAY * DAY > self._day:
            self._day = ts // DAY * DAY
            self._lookout.age()
            self.rooms.probing.names.forget(self._day - DAY - LATENESS)
            self._findings += self.rooms.publications.flush()

    def _close_windows(self, before: float) -> None:
        rooms = self.rooms
        self._closed = before
        for event in rooms.by_name(before):
            for probe in rooms.probing.probes((event,)):
                self._observe(rooms.probes, probe)
        found = chain(rooms.lookups.advance(before), rooms.probes.advance(before), rooms.scans.findings(before))
        closing = [rooms.seconding.seconded(finding) for finding in found]
        closing += rooms.unmatched_alarms(before)
        for finding in closing:
            rooms.joining.add(finding)
        self._findings += map(rooms.joining.joined, closing)

    def _judge(self, event: AnyEvent) -> None:
        rooms = self.rooms
        if isinstance(event, Connection) and event.ts // DAY * DAY + DAY <= self._closed:
            self.late += 1
            return
        if isinstance(event, Raised):
            before = rooms.alarms.late
            rooms.raised(event)
            self.late += rooms.alarms.late - before
            return
        way = rooms.way(event)
        if way in (Way.PROBE, Way.BOTH):
            if self._first_probe is None:
                self._first_probe = event.ts
                rooms.probing.watched_since(event.ts)
            for probe in rooms.probing.probes((event,)):
                self._observe(rooms.probes, probe)
        if way in (Way.LOOKUP, Way.BOTH):
            self._sift.sees_connections = not CONNECTING.isdisjoint(self._holds)
            for visit in rooms.meet.feed(event):
                sighting = self._sift.sighting(visit)
                if sighting is not None:
                    self._observe(rooms.lookups, sighting)

    def _observe(self, runner: Runner[Any], item: Any) -> None:
        self.sightings["probe" if runner is self.rooms.probes else "lookup"] += 1
        before = runner.late
        self._findings += map(self.rooms.seconding.seconded, runner.observe(item))
        self.late += runner.late - before

    # -- out

    def notices(self) -> Iterator[Notice]:
        """What there is to say now."""
        said, self._said = self._said, []
        yield from said
        findings, self._findings = self._findings, []
        for finding in findings:
            notice = self._desk.consider(self.rooms.corroborated(finding))
            if notice is not None:
                yield notice

    def finish(self) -> Iterator[Notice]:
        """The end of all input: everything is judged and every window closed. Nothing may be read after it."""
        self._awaited = frozenset()
        self._release(float("inf"))
        rooms = self.rooms
        for visit in rooms.meet.close():
            sighting = self._sift.sighting(visit)
            if sighting is not None:
                self._observe(rooms.lookups, sighting)
        self._findings += rooms.publications.close()
        self._close_windows(float("inf"))
        yield from self.notices()

    # -- state

    def state(self) -> bytes:
        """All that a later run needs to go on behind what was read, once `notices` has been emptied."""
        assert not self._findings
        assert not self._said
        return snapshot.taken(self._parts())

    def restore(self, data: bytes) -> None:
        """Go on where another run was. Raises SnapshotError; it is then as if nothing had been read."""
        try:
            snapshot.restore(self._parts(), data)
        except SnapshotError:
            self._begin()
            raise

    @property
    def evicted(self) -> dict[str, int]:
        """What was let go early because there was too much at once, by what it was."""
        rooms = self.rooms
        return {
            "visits": rooms.meet.evicted, "flows": rooms.meet.unmatched, "contacts": rooms.contacts.uncounted,
            "joined notices": rooms.joining.dropped, "Zeek's notices": rooms.seconding.dropped,
        }  # fmt: skip

    def take_over(self, other: Live) -> None:
        """Go on where another run is, with what this one was made of. Raises SnapshotError; nothing is changed then."""
        self.restore(other.state())
        self.events, self.sightings, self._last_read = other.events, other.sightings, other._last_read
        self._awaited = other._awaited
        self._unreadable = other.unreadable

    @property
    def streams(self) -> dict[str, dict[str, Any]]:
        """Stream -> what its reading remembers (see `Reading.memory`)."""
        return self._remembered | {stream: reading.memory for stream, reading in self.readings.items()}

    @streams.setter
    def streams(self, remembered: dict[str, dict[str, Any]]) -> None:
        self._remembered = remembered

    def _parts(self) -> dict[str, snapshot.Stateful]:
        rooms = self.rooms
        return {
            "live": self, "desk": self._desk, "lookout": self._lookout, "meet": rooms.meet, "probing": rooms.probing,
            "names": rooms.probing.names,
            "contacts": rooms.contacts, "lookups": rooms.lookups, "probes": rooms.probes,
            "publications": rooms.publications, "joining": rooms.joining,
            "alarms": rooms.alarms, "seconding": rooms.seconding,
        }  # fmt: skip
