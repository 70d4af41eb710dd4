"""Round 2: a lookup of an asset and a probe of it, near in time, name each other as evidence.

A pure function of the set of findings: whatever the order of arrival, each is joined with the same others. Findings go
in with `add`; once no more can come, `joined` gives each back with what it shares an asset with. A run that does not
wait would call `joined` again after more were added, and tell a further revision.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import NamedTuple

import msgspec

from reconwatch.detectors.overlap import Run, addresses, blocks, overlap, run_of, runs
from reconwatch.notices import INVESTIGATE, Finding, Reason
from reconwatch.prose import counted
from reconwatch.sightings import EVIDENCE_ENDS, Evidence
from reconwatch.windows import DAY

WINDOW = 3 * DAY
"""Between the end of the one and the beginning of the other: over a weekend, and not for good."""

AFTER = (15, 10)
"""Points of the lookup and of the probe where the search named what was then probed. With no single search does it make
an escalation: that takes volume, breadth or another reason."""
NEAR = (0, 5)
"""Points where the probe came first (people look up what they are being attacked at), or where one of the two was about
a whole range: a probe of one address in hundreds follows every search for the range."""
NOTHING = (0, 0)

AIMED = frozenset({"Port_Scan", "Name_Probe", "Canary_Touched", "Exposed_Name_Probed"})
"""Probes of one asset, which weigh at any score; others do if they are for the first line by themselves."""
BACKGROUND = frozenset({"Address_Scan", "Scanner_Crawl"})
"""Reaches every address every day, whoever looked it up: weighs nothing at any score."""
CARPETS = frozenset({"Port_Scan", "Name_Probe"})
MOST_AIMED = 8
"""Of such notices by one source and day; more are a scan of everything, address by address."""

BROAD = 16
"""Addresses from which a range is no longer one asset."""
MOST_EXACT = 64
"""Addresses that a notice is kept under one by one; of more, the networks that they lie in."""
MOST_BLOCKS = 256
"""Networks that one notice is kept under: a /16."""
MOST_NOTICES = 25_000
"""Lookups, and as many probes, that are compared; the gravest, then the earliest."""
MOST_RUNS = 250_000
"""Runs of addresses, and names, that all lookups together are about, and all probes: scans hit here and there."""
MOST_PLACES = 300_000
"""(asset, day) that these are kept under."""
MOST_ALIKE = 32
"""Notices of one place that are compared."""

MOST_COMPARED = 500
"""Others that one notice is compared with, from which no further place is looked at; those of the same asset first."""

MOST_NAMED = 3
"""Notices that one names, and how many pieces it takes over of the evidence of each."""
TAKEN = 2

Place = tuple[str, int | str]
Rank = tuple[bool, int, float, str]
SURE = frozenset({"address", "name", "under"})
"""Kinds of place that only those share who are about the same asset: a name, or what is under it."""
Index = dict[Place, dict[int, list["Summary"]]]
"""What is kept under a place, by day."""


class Summary(msgspec.Struct, frozen=True):
    """What is kept of a finding for the others to find."""

    id: str
    note: str
    direction: str
    actor: str
    excused: bool
    """A trusted party, or a scanner of ours: what it does says nothing of others."""
    services: tuple[str, ...]
    first: float
    last: float
    points: int
    msg: str
    near: tuple[Run, ...]
    """Addresses, and ranges so small that they are one asset."""
    all: tuple[Run, ...]
    """These, and the larger ranges."""
    names: tuple[str, ...]
    evidence: tuple[Evidence, ...]

    @property
    def aimed(self) -> bool:
        """Whether, as a probe, it was meant for this asset rather than for every one."""
        return self.note in AIMED or (self.note not in BACKGROUND and self.points >= INVESTIGATE)

    @property
    def rank(self) -> Rank:
        """A key to sort by, the gravest first."""
        return not self.aimed, -self.points, self.first, self.id

    @property
    def size(self) -> int:
        """How much there is to keep of it."""
        return len(self.all) + len(self.names)

    @property
    def exact(self) -> bool:
        """Whether it is about so few addresses that each is a place of its own."""
        return (
            self.all == self.near and self.note not in BACKGROUND and sum(b - a + 1 for a, b in self.near) <= MOST_EXACT
        )

    def kept_under(self) -> Iterator[Place]:
        """Where others find it."""
        networks = islice(blocks(self.all), MOST_BLOCKS)
        if self.exact:
            yield from (("address", each) for each in addresses(self.near))
            yield from (("part", each) for each in networks)
        else:
            yield from (("network", each) for each in networks)
        for name in self.names:
            yield "name", name
            yield from (("under", each) for each in _above(name))

    def looks_under(self) -> Iterator[Place]:
        """Where it finds others: of many addresses all in the same networks, of few those of the same addresses."""
        networks = list(islice(blocks(self.all), MOST_BLOCKS))
        for name in self.names:
            yield "under", name
            yield from (("name", each) for each in (name, *_above(name)))
        if self.exact:
            yield from (("address", each) for each in addresses(self.near))
        else:
            yield from (("part", each) for each in networks)
        yield from (("network", each) for each in networks)


class Match(NamedTuple):
    """Another notice that is about the same asset."""

    points: int
    later: bool
    """Whether it began after the one that it is matched with, not before."""
    other: Summary

    @property
    def rank(self) -> tuple[int, bool, int, float, str]:
        """A key to sort by, the weightiest first."""
        return -self.points, *self.other.rank


class Side:
    """The lookups, or the probes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: dict[str, Summary] = {}
        self._index: Index | None = None
        self._everywhere: set[tuple[str, str, int]] = set()
        self._sizes = self._dropped = self._homeless = 0
        self._limit: Rank | None = None
        """Of the gravest that had to go: what ranks behind it is not taken any more, whenever it comes."""

    @property
    def empty(self) -> bool:
        """Whether there is none."""
        return not self._kept

    def put(self, summary: Summary) -> None:
        """Keep it, in place of an earlier word of the same notice."""
        if self._limit is not None and summary.rank >= self._limit:
            self._dropped += 1
            return
        self._kept[summary.id] = summary
        self._sizes += summary.size
        self._index = None
        if len(self._kept) >= 2 * self._most or self._sizes >= 2 * MOST_RUNS:
            self._trim()

    def find(self, about: Summary) -> Iterator[tuple[Summary, bool]]:
        """Each that may be about the same assets around the same time, and whether it surely is about the very same."""
        index = self._built()
        # No notice spans more than a day and what is left of a visit at its end.
        days = range(int((about.first - WINDOW - 2 * DAY) // DAY), int((about.last + WINDOW) // DAY) + 1)
        found: dict[str, Summary] = {}
        sure: set[str] = set()
        for place in about.looks_under():
            by_day = index.get(place, {})
            if len(found) >= MOST_COMPARED:
                break
            for each in (each for day in days for each in by_day.get(day, ())):
                found[each.id] = each
                if place[0] in SURE:
                    sure.add(each.id)
        return ((each, each.id in sure) for each in found.values())

    def aims_everywhere(self, probe: Summary) -> bool:
        """Whether its source does the same to so many of our assets that this one was not chosen."""
        self._built()
        return _aim(probe) in self._everywhere

    @property
    def dropped(self) -> int:
        """Notices that were too many to be kept."""
        return self._dropped + self._homeless

    def _trim(self) -> None:
        """Keep the gravest, as many as there is room for."""
        kept: dict[str, Summary] = {}
        self._sizes = 0
        for each in sorted(self._kept.values(), key=lambda each: each.rank):
            if len(kept) == self._most or self._sizes + each.size > MOST_RUNS:
                self._limit = each.rank
                self._dropped += len(self._kept) - len(kept)
                break
            kept[each.id] = each
            self._sizes += each.size
        self._kept = kept

    def _built(self) -> Index:
        """All under their places, the gravest first: so what finds no room does not depend on the order of arrival."""
        if self._index is not None:
            return self._index
        self._trim()
        index: Index = {}
        places = self._homeless = 0
        for each in sorted(self._kept.values(), key=lambda each: each.rank):
            day = int(each.first // DAY)
            if places >= MOST_PLACES:
                self._homeless += 1
                continue
            for place in each.kept_under():
                if len(alike := index.setdefault(place, {}).setdefault(day, [])) < MOST_ALIKE:
                    alike.append(each)
                    places += 1
        aims = Counter(_aim(each) for each in self._kept.values() if each.note in CARPETS)
        self._everywhere = {aim for aim, count in aims.items() if count > MOST_AIMED}
        self._index = index
        return index


class Joining:
    """Findings of closing windows in, the same ones out, each naming those of the other direction it belongs with."""

    KEPT = ("_lookups", "_probes")

    def __init__(self, most_notices: int = MOST_NOTICES) -> None:
        self._lookups, self._probes = Side(most_notices), Side(most_notices)

    def add(self, finding: Finding) -> bool:
        """Take note of a finding; False if it is about no asset that another could be about too."""
        summary = _summary(finding)
        if summary is None:
            return False
        (self._lookups if finding.direction == "lookup" else self._probes).put(summary)
        return True

    def joined(self, finding: Finding) -> Finding:
        """The finding, with what joins it among its reasons and evidence; the very same one if nothing does."""
        others = self._probes if finding.direction == "lookup" else self._lookups
        own = None if others.empty else _summary(finding)
        if own is None:
            return finding
        matches = sorted(self._matches(own), key=lambda match: match.rank)
        return _with(finding, matches) if matches else finding

    @property
    def dropped(self) -> int:
        """Notices that were too many to be compared with others."""
        return self._lookups.dropped + self._probes.dropped

    def _matches(self, own: Summary) -> Iterator[Match]:
        is_lookup = own.direction == "lookup"
        others = self._probes if is_lookup else self._lookups
        for other, sure in others.find(own):
            lookup, probe = (own, other) if is_lookup else (other, own)
            if max(probe.first - lookup.last, lookup.first - probe.last) > WINDOW:
                continue
            close = sure or overlap(lookup.near, probe.near)
            if not close and not overlap(lookup.all, probe.all):
                continue
            searched_first = lookup.first <= probe.first
            if probe.note == "Scanner_Crawl" and not (searched_first and set(lookup.services) & set(probe.services)):
                continue
            points = self._points(lookup, probe, searched_first=searched_first, close=close)
            yield Match(points[0 if is_lookup else 1], searched_first == is_lookup, other)

    def _points(self, lookup: Summary, probe: Summary, *, searched_first: bool, close: bool) -> tuple[int, int]:
        if lookup.excused or probe.excused or not probe.aimed or self._probes.aims_everywhere(probe):
            return NOTHING
        if searched_first and close:
            return AFTER
        return NEAR if searched_first or close else NOTHING


def _aim(probe: Summary) -> tuple[str, str, int]:
    return probe.note, probe.actor, int(probe.first // DAY)


def _summary(finding: Finding) -> Summary | None:
    """None if no address, range or domain of ours is named: numbers of networks and brands are all of us."""
    near: list[Run] = []
    broad: list[Run] = []
    names: list[str] = []
    for target in finding.targets:
        if target.kind == "domain":
            names.append(target.value)
        elif target.kind in ("ip", "range") and (run := run_of(target)) is not None:
            (near if run[1] - run[0] < BROAD else broad).append(run)
    if not (near or broad or names):
        return None
    actor, alone = finding.actor, runs(near)
    return Summary(
        id=finding.id,
        note=finding.note,
        direction=finding.direction,
        actor=actor.ip,
        excused=actor.trusted is not None or "scanner" in actor.role,
        services=finding.services,
        first=finding.first,
        last=finding.last,
        points=sum(reason.points for reason in finding.reasons),
        msg=finding.msg if actor.trusted is None else f"{finding.msg} (trusted: {actor.trusted})",
        near=alone,
        all=runs((*near, *broad)) if broad else alone,
        names=tuple(names),
        evidence=finding.evidence[:TAKEN],
    )


def _above(name: str) -> Iterator[str]:
    """The names that a name is under, but for the top-level domain: no target is one."""
    parent = name.partition(".")[2]
    while "." in parent:
        yield parent
        parent = parent.partition(".")[2]


def _with(finding: Finding, matches: Sequence[Match]) -> Finding:
    named = matches[:MOST_NAMED]
    taken = [item for match in named for item in match.other.evidence]
    room = 2 * EVIDENCE_ENDS - len(taken)
    kept = _ends(len(finding.evidence), room)
    numbers = {old: new for new, old in enumerate(kept, 1)}
    reasons = [
        msgspec.structs.replace(each, evidence=tuple(numbers[n] for n in each.evidence if n in numbers))
        for each in finding.reasons
    ]
    next_number, first = len(kept) + 1, True
    for match in named:
        cited = tuple(range(next_number, next_number + len(match.other.evidence)))
        next_number += len(cited)
        # Ten probes of an asset make its search no worse than one does.
        reasons.append(Reason(match.points if first else 0, _why(finding, match), cited, match.other.id))
        first = False
    if len(matches) > len(named):
        more = counted(len(matches) - len(named), "more notice")
        reasons.append(Reason(0, f"at least {more} {'is' if more.startswith('1 ') else 'are'} about the same assets"))
    return msgspec.structs.replace(
        finding,
        reasons=tuple(reasons),
        evidence=(*(finding.evidence[n - 1] for n in kept), *taken),
        evidence_total=finding.evidence_total + len(taken),
    )


def _ends(count: int, room: int) -> list[int]:
    """The numbers of the first and the last pieces of so many that there is room for."""
    every = list(range(1, count + 1))
    return every if count <= room else every[: (room + 1) // 2] + every[count - room // 2 :]


def _why(finding: Finding, match: Match) -> str:
    this, order = "search" if finding.direction == "lookup" else "probe", "after" if match.later else "before"
    return f"{order} this {this}, from {_minute(match.other.first)} on: {match.other.msg}; see {match.other.id}"


def _minute(ts: float) -> str:
    try:
        return f"{datetime.fromtimestamp(ts, UTC):%Y-%m-%d %H:%M} UTC"
    except (ValueError, OverflowError, OSError):
        return "no time that can be written"
