"""`Database_Lookup`: an inside host used an open technical database; one notice per actor, service and day."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from reconwatch.detectors.detector import Key
from reconwatch.detectors.gathered import Gathered, LookupDetector, Words, party
from reconwatch.notices import Reason
from reconwatch.sightings import Sighting
from reconwatch.windows import DAY, window_start


class Lookups(Gathered):
    """What one actor did at one service on one day."""

    connected: bool = False
    strong: bool = False


class DatabaseLookup(LookupDetector[Lookups]):
    """Low by itself: the record of who looks where, on which the other notes build."""

    note = "Database_Lookup"
    state: ClassVar[type[msgspec.Struct]] = Lookups

    def keys(self, sighting: Sighting) -> tuple[Key, ...]:
        """One state per actor, service and UTC day."""
        if sighting.ordinary:
            return ()
        return (Key((*party(sighting), sighting.service), window_start(sighting.ts, DAY), DAY),)

    def fresh(self, key: Key) -> Lookups:
        """See `Detector.fresh`."""
        return Lookups(key)

    def remember(self, state: Lookups, sighting: Sighting) -> None:
        """See `LookupDetector.remember`."""
        state.gather(sighting)
        state.connected |= sighting.connected
        state.strong |= sighting.strong

    def words(self, state: Lookups, *, closing: bool) -> Words:
        """Always above the threshold: one visit is one lookup."""
        assert state.actor is not None
        count, counted = state.counted()
        ((service, name),) = state.services.items()
        if not state.connected:
            did = "resolved the name of"
            reason = Reason(3, f"{did} {name}; no use of it by this address was seen")
        elif state.strong:
            reason, did = Reason(15, f"used {name}, which few visit without searching"), "used"
        else:
            reason, did = Reason(5, f"used {name}, which products and pages also contact"), "used"
        return Words(
            count=count,
            counted=counted,
            reasons=(msgspec.structs.replace(reason, evidence=tuple(range(1, len(state.evidence.items) + 1))),),
            msg=f"{state.actor.ip} {did} {name}",
            services=(service,),
            evidence=tuple(state.evidence.items),
            evidence_total=state.evidence.total,
        )
