"""Round 2: what Zeek raised is told once with what is found here, and backs what is told of the same actor.

Findings made of Zeek's notices are held (`hold`) and given out (`due`, `left`) only where no detector here comes to the
same; else it is one more reason of that finding (`seconded`). In the end the outcome depends on the set of findings
only; a live run, which cannot wait for the end, gives a held one out after a while, and should a detector come to the
same yet, its finding goes on under the name that was told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from reconwatch.detectors.alarm_raised import BY_SERVICE, BY_TARGET, indicator_in, party_of
from reconwatch.notices import Finding, Reason
from reconwatch.prose import counted
from reconwatch.sightings import EVIDENCE_ENDS, Alarm, Evidence
from reconwatch.windows import DAY, keep_smallest, window_start

SETTLING = 900.0
"""Seconds of event time for which a detector here may come to the same: visits are judged at their end, 330 s after
they began at most, and most connections are logged within."""

BACKING = 8
"""Points of notices of other packages, however many, as of indicators of medium confidence: Zeek's word for the actor
adds to what was seen, and decides nothing alone."""

MOST_NAMED = 3
"""Notes of other packages that one finding names."""
MOST_NOTES = 8
"""Notes that are kept of one actor and day, and pieces of evidence of each."""
MOST_ACTORS = 20_000
"""Actors and days of which that is kept, at 1 kB."""
MOST_KEPT = 50_000
"""Notes, actors and days of which what was raised and what was found is kept, at 1 kB. What is found here alone fills
half of it at most."""

MOST_OF_ONE = 256
"""Findings of one note, actor and day that are compared, of either side."""

Place = tuple[str, str, float]
"""Note, party, day."""


class _Found(msgspec.Struct):
    """What a detector here says of a place."""

    id: str
    services: tuple[str, ...]
    targets: tuple[str, ...]
    indicator: str


class _Held(msgspec.Struct):
    """A finding made of Zeek's notices."""

    finding: Finding
    told: bool = False
    adopted: str | None = None
    """Id of the finding here that goes on under its name."""


class _Kept(msgspec.Struct):
    found: dict[str, _Found] = {}
    held: dict[str, _Held] = {}


class Seconding:
    """Findings in, the same ones out, with what Zeek says to them."""

    KEPT = ("_backing", "_kept", "_pending", "dropped")

    def __init__(self) -> None:
        self._kept: dict[Place, _Kept] = {}
        self._pending: dict[str, Place] = {}
        """Ids of what is held and was not told."""
        self.waits = False
        """All that Zeek raised is held before anything that is found here comes, so that only that need be kept."""
        self._backing: dict[tuple[str, float], dict[str, list[Evidence]]] = {}
        self.dropped = 0
        """Notices of Zeek that were too many to be kept."""

    # -- what Zeek says

    def note(self, alarm: Alarm) -> None:
        """Keep a notice of another package: it backs what is told of its actor that day."""
        place = (alarm.actor.ip, window_start(alarm.ts, DAY))
        notes = self._backing.get(place)
        if notes is None:
            if len(self._backing) >= MOST_ACTORS:
                self.dropped += 1
                return
            notes = self._backing[place] = {}
        keep_smallest(notes.setdefault(alarm.note, []), alarm.evidence, MOST_NOTES, lambda each: each.place)
        if len(notes) > MOST_NOTES:
            del notes[max(notes)]

    def hold(self, finding: Finding) -> None:
        """Take a finding made of Zeek's notices, or a later word of it."""
        place = _place(finding)
        kept = self._at(place, MOST_KEPT)
        held = kept.held.get(finding.id) if kept is not None else None
        if kept is None or (held is None and len(kept.held) >= MOST_OF_ONE):
            self.dropped += 1
        elif held is None:
            kept.held[finding.id] = _Held(finding)
            self._pending[finding.id] = place
        else:
            held.finding = finding

    # -- what is found here

    def seconded(self, finding: Finding) -> Finding:
        """A finding of a detector here, with what Zeek says to it; the very same one if that is nothing."""
        if self.waits and not self._kept:
            return self._backed(finding)
        place = _place(finding)
        kept = self._kept.get(place) if self.waits else self._at(place, MOST_KEPT // 2)
        if kept is not None:
            own = finding.id
            found = _Found(own, finding.services, _targets(finding), indicator_in(finding.note, finding.msg))
            same = [held for _, held in sorted(kept.held.items()) if _is_same(held.finding, found)]
            if own not in kept.found:
                self._adopt(own, same)
            if own in kept.found or len(kept.found) < MOST_OF_ONE:
                kept.found[own] = found
            for held in same:
                finding = _witnessed(finding, held.finding)
            name = next((id for id, held in kept.held.items() if held.adopted == own), own)
            if name != own:
                finding = msgspec.structs.replace(finding, id=name)
        return self._backed(finding)

    def _adopt(self, own: str, same: Iterable[_Held]) -> None:
        """Let a finding that was never told go on under a name that was, if there is one."""
        for held in same:
            if held.told and held.adopted is None:
                held.adopted = own
                return

    def _backed(self, finding: Finding) -> Finding:
        days = {window_start(finding.first, DAY), window_start(finding.last, DAY)} if self._backing else ()
        notes: dict[str, list[Evidence]] = {}
        for ip in (finding.actor.ip, *finding.actor.members):
            for day in days:
                for note, rows in self._backing.get((ip, day), {}).items():
                    for each in rows:
                        keep_smallest(notes.setdefault(note, []), each, MOST_NOTES, lambda each: each.place)
        for number, (note, rows) in enumerate(sorted(notes.items())[:MOST_NAMED]):
            times = "" if len(rows) == 1 else f", at least {counted(len(rows), 'time')}"
            why = f"Zeek raised {note} about the actor that day{times}: {rows[0].detail.partition(': ')[2]}"
            finding = _with(finding, 0 if number else BACKING, why, rows[0])
        return finding

    # -- what is told of Zeek's

    def due(self, now: float) -> Iterator[Finding]:
        """Findings to be told now since no detector here has come to the same in time; `now` is event time."""
        for id, place in list(self._pending.items()):
            kept = self._kept[place]
            held = kept.held[id]
            if not held.finding.ts + SETTLING <= now:  # nor if there is no telling: the end of a run is no time
                continue
            del self._pending[id]
            if not self._is_found(held, kept):
                held.told = True
                yield self._backed(msgspec.structs.replace(held.finding, closing=False))

    def left(self, before: float) -> Iterator[Finding]:
        """The last words on what no detector here came to, of the days that are over; then they are forgotten."""
        for place, kept in list(self._kept.items()):
            if not place[2] + DAY <= before:
                continue
            for id, held in sorted(kept.held.items()):
                self._pending.pop(id, None)
                if held.adopted is None and (held.told or not self._is_found(held, kept)):
                    if not held.told:
                        yield self._backed(msgspec.structs.replace(held.finding, closing=False))
                    yield self._backed(msgspec.structs.replace(held.finding, closing=True))
            del self._kept[place]
        for who in [who for who in self._backing if who[1] + 2 * DAY <= before]:
            del self._backing[who]

    def _is_found(self, held: _Held, kept: _Kept) -> bool:
        return any(_is_same(held.finding, found) for found in kept.found.values())

    def _at(self, place: Place, most: int) -> _Kept | None:
        kept = self._kept.get(place)
        if kept is None and len(self._kept) < most:
            kept = self._kept[place] = _Kept()
        return kept


def _place(finding: Finding) -> Place:
    return (finding.note, party_of(finding.actor.ip), window_start(finding.ts, DAY))


def _targets(finding: Finding) -> tuple[str, ...]:
    return tuple(target.value for target in finding.targets) if finding.note in BY_TARGET else ()


def _is_same(raised: Finding, found: _Found) -> bool:
    """Whether Zeek raised what is found here: of the same services or, where they come one by one, of some of them."""
    if raised.note in BY_SERVICE and raised.services != found.services:
        return False
    if raised.services and found.services and set(raised.services).isdisjoint(found.services):
        return False
    if indicator_in(raised.note, raised.msg) != found.indicator:
        return False
    targets = _targets(raised)
    return not targets or not found.targets or not set(targets).isdisjoint(found.targets)


def _witnessed(finding: Finding, raised: Finding) -> Finding:
    return _with(finding, 0, f"Zeek raised the same: {raised.msg}", raised.evidence[0])


def _with(finding: Finding, points: int, why: str, evidence: Evidence) -> Finding:
    """The finding with a reason more, and the evidence for it if there is room."""
    room = len(finding.evidence) < 2 * EVIDENCE_ENDS
    return msgspec.structs.replace(
        finding,
        reasons=(*finding.reasons, Reason(points, why, (len(finding.evidence) + 1,) if room else ())),
        evidence=(*finding.evidence, evidence) if room else finding.evidence,
        evidence_total=finding.evidence_total + 1,
    )
