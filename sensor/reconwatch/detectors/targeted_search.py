"""`Targeted_Search`: a search that names one of our domains, addresses, ranges, AS numbers or brands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import msgspec

from reconwatch.detectors.detector import Key, Threshold
from reconwatch.detectors.gathered import Gathered, LookupDetector, Words, party
from reconwatch.notices import Reason
from reconwatch.prose import shortened
from reconwatch.sightings import Sighting
from reconwatch.windows import DAY, window_start

NAMING_POINTS = {
    "T1596.001": (35, "asks passive DNS about"),
    "T1596.002": (25, "asks registration data, as administrators and monitors also do, about"),
    "T1596.003": (35, "asks certificate records about"),
    "T1596.004": (25, "asks content-delivery data about"),
    "T1596.005": (40, "asks a scan database about"),
}
"""What one search that names us weighs, by sub-technique: the more it gives away and the rarer it is in honest work."""


ORDINARY_POINTS = 25
"""The most that one search weighs at a service which administrators and products ask every day: a record, no alarm."""


class Searches(Gathered):
    """What one actor asked one service about us on one day."""

    queries: int = 0
    strong: bool = False


class TargetedSearch(LookupDetector[Searches]):
    """Are the searches about us? The question an analyst asks first."""

    note = "Targeted_Search"
    state: ClassVar[type[msgspec.Struct]] = Searches
    thresholds: ClassVar[Mapping[str, Threshold]] = {
        "volume": Threshold(10, "searches about us a day from which it is work, not curiosity"),
        "breadth": Threshold(5, "distinct assets of ours a day: a person checks one or two"),
    }

    def keys(self, sighting: Sighting) -> tuple[Key, ...]:
        """One state per actor, service and UTC day, for visits that name us only."""
        if not sighting.targets:
            return ()
        return (Key((*party(sighting), sighting.service), window_start(sighting.ts, DAY), DAY),)

    def fresh(self, key: Key) -> Searches:
        """See `Detector.fresh`."""
        return Searches(key)

    def remember(self, state: Searches, sighting: Sighting) -> None:
        """Only the requests that name us are its evidence, and what it counts."""
        state.gather(msgspec.structs.replace(sighting, evidence=(), evidence_total=0, kinds=sighting.target_kinds))
        state.queries += sighting.queries
        state.strong |= sighting.strong
        state.targets.add(sighting.targets)
        state.evidence.add(sighting.naming, sighting.naming_total)

    def words(self, state: Searches, *, closing: bool) -> Words:
        """Above the threshold from the first search on."""
        assert state.actor is not None
        ((service, name),) = state.services.items()
        values = [target.value for target in state.targets.items]
        (technique,) = state.techniques
        points, asks = NAMING_POINTS[technique]
        if not state.strong:
            points = min(points, ORDINARY_POINTS)
        every = tuple(range(1, len(state.evidence.items) + 1))
        reasons = [Reason(points, f"{asks} {shortened(values)}", every)]
        if state.queries >= self.limits["volume"]:
            reasons.append(Reason(20, f"{state.queries} searches about us in a day", every))
        if len(values) >= self.limits["breadth"]:
            reasons.append(Reason(15, f"names {len(values)} of our assets", every))
        return Words(
            count=state.queries,
            counted=_unit(state.kinds),
            reasons=tuple(reasons),
            msg=f"{state.actor.ip} looked up {shortened(values)} in {name}",
            services=(service,),
            evidence=tuple(state.evidence.items),
            evidence_total=state.evidence.total,
            targets=tuple(state.targets.items),
        )


def _unit(kinds: set[str]) -> str:
    """What is counted here: requests that name us, by the kinds that did."""
    if kinds <= {"http", "http2"}:
        return "http requests"
    return {frozenset({"whois"}): "whois queries", frozenset({"dns"}): "dns queries"}.get(frozenset(kinds), "requests")
