"""`Recon_Tool`: the user agent or WHOIS flags of a known reconnaissance client."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from reconwatch.detectors.detector import Key
from reconwatch.detectors.gathered import Gathered, LookupDetector, Words, party
from reconwatch.notices import Reason
from reconwatch.prose import shortened
from reconwatch.sightings import Sighting
from reconwatch.windows import DAY, window_start


class ToolUse(Gathered):
    """What one actor did with one tool on one day."""

    visits: int = 0
    naming: int = 0


class ReconTool(LookupDetector[ToolUse]):
    """A client that says who it is; whoever hides it is told by what it asks (`Enumeration_Sweep`)."""

    note = "Recon_Tool"
    state: ClassVar[type[msgspec.Struct]] = ToolUse

    def keys(self, sighting: Sighting) -> tuple[Key, ...]:
        """One state per actor, tool and UTC day; none for parties that forward what their clients send."""
        if sighting.actor.stands_for_others:
            return ()
        day = window_start(sighting.ts, DAY)
        return tuple(Key((*party(sighting), tool), day, DAY) for tool in sighting.tools)

    def fresh(self, key: Key) -> ToolUse:
        """See `Detector.fresh`."""
        return ToolUse(key)

    def remember(self, state: ToolUse, sighting: Sighting) -> None:
        """See `LookupDetector.remember`."""
        state.gather(sighting)
        state.visits += 1
        state.naming += sighting.queries

    def words(self, state: ToolUse, *, closing: bool) -> Words:
        """One visit with the tool is enough."""
        assert state.actor is not None
        tool = state.key.parts[-1]
        every = tuple(range(1, len(state.evidence.items) + 1))
        reasons = [Reason(35, f"its requests say that they come from {tool}", every)]
        if state.naming:
            reasons.append(Reason(20, f"{state.naming} of them name our assets"))
        return Words(
            count=state.visits,
            counted="visits",
            reasons=tuple(reasons),
            msg=f"{state.actor.ip} used {tool} on {shortened(sorted(state.services.values()))}",
            services=tuple(sorted(state.services)),
            evidence=tuple(state.evidence.items),
            evidence_total=state.evidence.total,
        )
