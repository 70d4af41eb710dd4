"""`Bulk_Search`: volume or regularity that a person at a browser does not produce."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from statistics import fmean, pstdev
from typing import ClassVar

import msgspec

from reconwatch.detectors.detector import Key, Threshold
from reconwatch.detectors.gathered import Gathered, LookupDetector, Words, party
from reconwatch.notices import Reason
from reconwatch.sightings import Sighting
from reconwatch.visits import CONNECTIONS, HTTP, NAMES
from reconwatch.windows import DAY, MINUTE, most_counted, most_distinct, window_start

SPAN = 10
"""Minutes over which volume is judged: longer than a burst of a page with its parts, shorter than a working session."""
MOST_NAMES = 512
"""Distinct names kept a minute."""
MOST_STARTS = 300
"""Visit starts kept a day: enough for one every five minutes; the earliest are kept."""


class Volume(Gathered):
    """How much one actor asked of one service on one day, and when."""

    minutes: dict[str, dict[int, int]] = msgspec.field(default_factory=dict)
    """Unit -> minute since the epoch -> count."""
    peak: dict[str, int] = msgspec.field(default_factory=dict)
    """Unit -> the most within any `SPAN` consecutive minutes."""
    names: dict[int, set[str]] = msgspec.field(default_factory=dict)
    """Minute since the epoch -> distinct names, where names are what is counted."""
    visits: int = 0
    starts: list[float] = msgspec.field(default_factory=list)
    """When a visit began after a pause."""
    naming: int = 0


class BulkSearch(LookupDetector[Volume]):
    """Is the volume automated? Says what was counted."""

    note = "Bulk_Search"
    state: ClassVar[type[msgspec.Struct]] = Volume
    thresholds: ClassVar[Mapping[str, Threshold]] = {
        "requests": Threshold(30, "http requests in 10 minutes: one every 20 s; a person reads the results"),
        "connections": Threshold(30, "connections in 10 minutes: a browser opens at most six and uses them again"),
        "names": Threshold(30, "distinct names in 10 minutes under a service that is asked in DNS"),
        "visits": Threshold(12, "visits a day from which their spacing can be judged"),
        "evenness": Threshold(
            0.1, "spread of the pauses over their mean: a timer's is below 0.1, a person's above 0.5"
        ),
    }

    def keys(self, sighting: Sighting) -> tuple[Key, ...]:
        """One state per actor, service and UTC day; none for parties whose rate is their clients'."""
        if sighting.actor.stands_for_others or sighting.ordinary or not sighting.connected:
            return ()
        return (Key((*party(sighting), sighting.service), window_start(sighting.ts, DAY), DAY),)

    def fresh(self, key: Key) -> Volume:
        """See `Detector.fresh`."""
        return Volume(key)

    def remember(self, state: Volume, sighting: Sighting) -> None:
        """See `LookupDetector.remember`."""
        state.gather(sighting)
        state.naming += sighting.queries
        if sighting.counted == NAMES:
            self._add_names(state, sighting)
        else:
            self._add_counts(state, sighting)
        if not sighting.continues:
            state.visits += 1
            state.starts = sorted([*state.starts, sighting.ts])[:MOST_STARTS]

    def _add_counts(self, state: Volume, sighting: Sighting) -> None:
        minutes = state.minutes.setdefault(sighting.counted, {})
        for minute, count in sighting.minutes:
            minutes[minute] = minutes.get(minute, 0) + count
        most = max((most_counted(minutes, minute, SPAN) for minute, _ in sighting.minutes), default=0)
        state.peak[sighting.counted] = max(most, state.peak.get(sighting.counted, 0))

    def _add_names(self, state: Volume, sighting: Sighting) -> None:
        """The same name again is no more volume: a monitor's habit, not a scraper's."""
        minute = int(sighting.ts // MINUTE)
        kept = state.names.setdefault(minute, set())
        if kept.issuperset(sighting.names):
            return
        kept.update(sighting.names)
        if len(kept) > MOST_NAMES:
            kept.difference_update(sorted(kept)[MOST_NAMES:])
        state.peak[NAMES] = most_distinct(state.names, minute, SPAN, state.peak.get(NAMES, 0))

    def words(self, state: Volume, *, closing: bool) -> Words | None:
        """Volume first; else, of a whole day, even spacing, which alone is a monitor's habit and no scraping."""
        assert state.actor is not None
        ((service, name),) = state.services.items()
        every = tuple(range(1, len(state.evidence.items) + 1))
        if (volume := self._volume(state)) is not None:
            limit, count, unit = volume
            reasons = [Reason(30, f"{count} {unit} within {SPAN} minutes (threshold {limit:g})", every)]
            if count >= 5 * limit:
                reasons.append(Reason(15, "more than five times the threshold", every))
            if state.naming:
                reasons.append(Reason(20, f"{state.naming} of its requests name our assets"))
            msg = f"{state.actor.ip} searched {name} in bulk: {count} {unit} within {SPAN} minutes"
        elif closing and self._even(state):
            count, unit = state.visits, "visits"
            reasons = [Reason(10, f"{count} visits at even intervals: a timer, such as a monitor's", every)]
            msg = f"{state.actor.ip} visits {name} at even intervals"
        else:
            return None
        return Words(
            count=count,
            counted=unit,
            reasons=tuple(reasons),
            msg=msg,
            services=(service,),
            evidence=tuple(state.evidence.items),
            evidence_total=state.evidence.total,
        )

    def _volume(self, state: Volume) -> tuple[float, int, str] | None:
        """(threshold, count, unit) of the best layer that crosses its threshold; None if none does."""
        for unit, name in ((HTTP, "requests"), (CONNECTIONS, "connections"), (NAMES, "names")):
            count = state.peak.get(unit, 0)
            if count >= max(self.limits[name], 1):
                return self.limits[name], count, unit
        return None

    def _even(self, state: Volume) -> bool:
        if len(state.starts) < max(self.limits["visits"], 3):
            return False
        pauses = [b - a for a, b in pairwise(state.starts)]
        return pstdev(pauses) <= self.limits["evenness"] * fmean(pauses)
