"""`Enumeration_Sweep`: many open technical databases in a short time, which is how tools work."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import ClassVar

import msgspec

from reconwatch.detectors.detector import Key, Threshold
from reconwatch.detectors.gathered import Gathered, LookupDetector, Words, party
from reconwatch.notices import Reason
from reconwatch.prose import shortened
from reconwatch.sightings import EVIDENCE_ENDS, Evidence, Place, Sighting
from reconwatch.windows import DAY, MINUTE, around, spans_with, window_start

SPAN = 10
"""Minutes: a tool asks its sources within seconds to a few minutes; the slow ones wait out rate limits."""


Likely = Callable[[Collection[str], Sequence[str]], Iterable[tuple[str, float]]]
"""(services, in order of first use) -> (tool, score up to 1) of the likeliest, several in a tie, none if unknown."""


class Breadth(Gathered):
    """Which services one actor used on one day, and when."""

    minutes: dict[int, set[str]] = msgspec.field(default_factory=dict)
    """Minute since the epoch -> services."""
    swept: set[str] = msgspec.field(default_factory=set)
    """Services of all spans that crossed the threshold and end on this day."""
    covered: set[int] = msgspec.field(default_factory=set)
    """The minutes of these spans in which something was used."""
    proof: dict[str, Evidence] = msgspec.field(default_factory=dict)
    """Service -> the first evidence of its use."""
    technique_of: dict[str, str] = msgspec.field(default_factory=dict)
    used: dict[str, float] = msgspec.field(default_factory=dict)
    """Service, weak ones too -> its first use: what a tool is known by."""
    naming: dict[int, dict[str, Evidence]] = msgspec.field(default_factory=dict)
    """Minute since the epoch -> name of a service, a weak one too -> the first request that asked it about us."""


class EnumerationSweep(LookupDetector[Breadth]):
    """Breadth, whatever was asked. Credit is given for use, not for a resolved name (prefetch, mail gateways)."""

    note = "Enumeration_Sweep"
    state: ClassVar[type[msgspec.Struct]] = Breadth
    thresholds: ClassVar[Mapping[str, Threshold]] = {
        "services": Threshold(5, "services in 10 minutes: a person compares two or three"),
    }

    def __init__(self, thresholds: Mapping[str, float] | None = None, likely: Likely = lambda used, order: ()) -> None:
        super().__init__(thresholds)
        self._likely = likely

    def keys(self, sighting: Sighting) -> tuple[Key, ...]:
        """One state per actor and UTC day; a sighting shortly before midnight counts for both days' sweeps."""
        if sighting.actor.stands_for_others or sighting.ordinary or not sighting.connected:
            return ()
        days = sorted({window_start(sighting.ts, DAY), window_start(sighting.ts + (SPAN - 1) * MINUTE, DAY)})
        return tuple(Key(party(sighting), day, DAY) for day in days)

    def fresh(self, key: Key) -> Breadth:
        """See `Detector.fresh`."""
        return Breadth(key)

    def remember(self, state: Breadth, sighting: Sighting) -> None:
        """See `LookupDetector.remember`."""
        minute = int(sighting.ts // MINUTE)
        state.used[sighting.service] = min(sighting.ts, state.used.get(sighting.service, sighting.ts))
        if sighting.naming:
            _keep_first(state.naming.setdefault(minute, {}), sighting.service_name, sighting.naming)
        if not _earns(sighting):
            return
        state.gather(sighting)
        state.minutes.setdefault(minute, set()).add(sighting.service)
        state.technique_of[sighting.service] = sighting.technique
        self._sweep(state, minute)
        _keep_first(state.proof, sighting.service, sighting.naming or _uses(sighting.evidence))

    def words(self, state: Breadth, *, closing: bool) -> Words | None:
        """All services of all spans that are broad enough and end on this day."""
        if not state.swept or state.actor is None:
            return None
        services, minutes = sorted(state.swept), _filled(state.covered)
        names = [state.services[service] for service in services]
        techniques = {state.technique_of[service] for service in services}
        naming = _asked_meanwhile(state, minutes)
        proof = {state.proof[service] for service in services}
        most = 2 * EVIDENCE_ENDS
        kept = sorted(proof, key=_place)[:most]
        kept += sorted(set(naming.values()) - proof, key=_place)[: most - len(kept)]
        evidence = tuple(sorted(kept, key=_place))
        extra = len(services) - int(self.limits["services"])
        every = tuple(n for n, piece in enumerate(evidence, 1) if piece in proof)
        span = f"{len(minutes)} minute{'s' if len(minutes) != 1 else ''}"
        reasons = [Reason(30 + min(20, 4 * extra), f"{len(services)} databases within {span}", every)]
        if len(techniques) >= 3:
            reasons.append(Reason(10, f"of {len(techniques)} sub-techniques: {', '.join(sorted(techniques))}", every))
        if naming:
            shown = tuple(n for n, piece in enumerate(evidence, 1) if piece in naming.values())
            reasons.append(Reason(20, f"names our assets meanwhile, in {shortened(sorted(naming))}", shown))
        if tool := self._resembles(state, minutes):
            reasons.append(Reason(10, f"resembles {tool}", every))
        return Words(
            count=len(services),
            counted="services",
            reasons=tuple(reasons),
            msg=f"{state.actor.ip} swept {len(services)} open technical databases: {shortened(names, 4)}",
            services=tuple(services),
            evidence=evidence,
            evidence_total=state.evidence.total,
            techniques=tuple(sorted(techniques)),
            span=(evidence[0].ts, max(evidence[-1].ts, min(state.last, (max(minutes) + 1) * MINUTE))),
        )

    def _resembles(self, state: Breadth, minutes: set[int]) -> str:
        """The tool whose services these most likely are, or those that cannot be told apart; empty if none is."""
        during = {service: ts for service, ts in state.used.items() if int(ts // MINUTE) in minutes}
        found = self._likely(during, sorted(during, key=lambda service: (during[service], service)))
        return " or ".join(f"{name} ({score:.0%})" for name, score in found)

    def _sweep(self, state: Breadth, minute: int) -> None:
        """Take in the spans that are broad enough now that something was added to `minute`."""
        if len(state.services) < self.limits["services"]:
            return
        near = [each for each in around(minute, SPAN) if each in state.minutes]
        reached = set().union(*(state.minutes[each] for each in near))
        if len(reached) < self.limits["services"] or (state.swept >= reached and state.covered.issuperset(near)):
            return
        for span in spans_with(minute, SPAN):
            if not any(each in state.minutes and each * MINUTE >= state.key.start for each in span):
                continue
            services = set().union(*(state.minutes.get(each, set()) for each in span))
            if len(services) >= self.limits["services"]:
                state.swept |= services
                state.covered.update(each for each in span if each in state.minutes)


def _filled(minutes: set[int]) -> set[int]:
    """The minutes, and the pauses between them that are shorter than a span."""
    ordered = sorted(minutes)
    return {m for a, b in pairwise(ordered) if b - a < SPAN for m in range(a, b)} | minutes


def _asked_meanwhile(state: Breadth, minutes: set[int]) -> dict[str, Evidence]:
    """Name of a service -> the first request that asked it about us during the sweep."""
    found: dict[str, Evidence] = {}
    for minute in minutes:
        for name, piece in state.naming.get(minute, {}).items():
            _keep_first(found, name, (piece,))
    return found


def _keep_first(kept: dict[str, Evidence], name: str, pieces: tuple[Evidence, ...]) -> None:
    """Keep the earliest piece of evidence under a name."""
    known = (kept[name],) if name in kept else ()
    kept[name] = min((*known, *pieces), key=_place)


def _place(piece: Evidence) -> Place:
    return piece.place


def _earns(sighting: Sighting) -> bool:
    """Whether it counts as one more service: used, and not one that everybody contacts."""
    return sighting.connected and sighting.strong


def _uses(evidence: tuple[Evidence, ...]) -> tuple[Evidence, ...]:
    """The evidence of use rather than of resolution, if there is any."""
    return tuple(piece for piece in evidence if piece.kind != "dns") or evidence
