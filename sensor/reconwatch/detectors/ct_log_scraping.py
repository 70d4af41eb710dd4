"""`CT_Log_Scraping`: certificate transparency read in bulk: a log's entries, or a search as programs ask it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import msgspec

from reconwatch.detectors.detector import Key, Threshold
from reconwatch.detectors.gathered import Gathered, LookupDetector, Words, party
from reconwatch.notices import Reason
from reconwatch.sightings import Sighting
from reconwatch.visits import NAMES
from reconwatch.windows import DAY, MINUTE, most_counted, window_start

SPAN = 10
"""Minutes over which volume is judged, as for `Bulk_Search`."""
MOST_STARTS = 200
MOST_BATCH = 4_096
"""Entries from one read to the next of a client that goes through a log: logs give at most 256 to 1,024 at once."""


class Reading(Gathered):
    """What one actor read of one log or search on one day, and when."""

    minutes: dict[int, int] = msgspec.field(default_factory=dict)
    """Minute since the epoch -> requests that programs make."""
    peak: int = 0
    visits: dict[int, int] = msgspec.field(default_factory=dict)
    """Minute since the epoch -> requests or connections of any kind."""
    visit_peak: int = 0
    starts: list[tuple[float, str, int]] = msgspec.field(default_factory=list)
    """(time, log, first entry) of reads of a log; the earliest are kept."""
    log: bool = False
    naming: int = 0


class CtLogScraping(LookupDetector[Reading]):
    """Browsers audit certificates without asking the logs, and people read a page of results: programs do neither."""

    note = "CT_Log_Scraping"
    state: ClassVar[type[msgspec.Struct]] = Reading
    thresholds: ClassVar[Mapping[str, Threshold]] = {
        "sequence": Threshold(5, "reads of a log's entries, each behind the last: a client that copies the log"),
        "json": Threshold(10, "answers as JSON in 10 minutes: a script; an administrator's check asks for one or two"),
        "visits": Threshold(30, "requests or connections to a log in 10 minutes, as for Bulk_Search"),
    }

    def keys(self, sighting: Sighting) -> tuple[Key, ...]:
        """One state per actor, service and UTC day."""
        if sighting.ct is None or sighting.counted == NAMES or sighting.actor.stands_for_others:
            return ()
        return (Key((*party(sighting), sighting.service), window_start(sighting.ts, DAY), DAY),)

    def fresh(self, key: Key) -> Reading:
        """See `Detector.fresh`."""
        return Reading(key)

    def remember(self, state: Reading, sighting: Sighting) -> None:
        """See `LookupDetector.remember`."""
        state.gather(sighting)
        state.log |= sighting.ct == "log"
        state.naming += sighting.queries
        if sighting.ct_starts:
            state.starts = sorted({*state.starts, *sighting.ct_starts})[:MOST_STARTS]
        minute = int(sighting.ts // MINUTE)
        state.peak = max(state.peak, _added(state.minutes, minute, sighting.ct_bulk))
        for each, count in sighting.minutes:
            state.visit_peak = max(state.visit_peak, _added(state.visits, each, count))

    def words(self, state: Reading, *, closing: bool) -> Words | None:
        """Reads in sequence first, then answers for programs, then, at a log, mere volume."""
        assert state.actor is not None
        ((service, name),) = state.services.items()
        every = tuple(range(1, len(state.evidence.items) + 1))
        rising = _rising(state.starts)
        if rising >= self.limits["sequence"]:
            count, counted, why = rising, "reads", f"reads a log in sequence: {rising} reads, each just behind the last"
        elif state.peak >= self.limits["json"]:
            count, counted, why = state.peak, "requests", f"{state.peak} answers for programs within {SPAN} minutes"
        elif state.log and state.visit_peak >= self.limits["visits"]:
            count, counted = state.visit_peak, state.counted()[1]
            why = f"{count} {counted} to a certificate transparency log within {SPAN} minutes"
        else:
            return None
        reasons = [Reason(35, why, every)]
        if state.naming:
            reasons.append(Reason(20, f"{state.naming} of its requests name our assets"))
        return Words(
            count=count,
            counted=counted,
            reasons=tuple(reasons),
            msg=f"{state.actor.ip} scraped {name}: {why}",
            services=(service,),
            evidence=tuple(state.evidence.items),
            evidence_total=state.evidence.total,
        )


def _added(minutes: dict[int, int], minute: int, count: int) -> int:
    """Add to a minute; the greatest sum of the spans that it lies in."""
    minutes[minute] = minutes.get(minute, 0) + count
    return most_counted(minutes, minute, SPAN)


def _rising(starts: list[tuple[float, str, int]]) -> int:
    """The most reads of one log that each begin within a batch behind the one before."""
    longest, runs = 0, dict[str, tuple[int, int]]()
    for _, log, start in starts:
        last, length = runs.get(log, (start, 0))
        runs[log] = (start, length + 1 if length and last < start <= last + MOST_BATCH else 1)
        longest = max(longest, runs[log][1])
    return longest
