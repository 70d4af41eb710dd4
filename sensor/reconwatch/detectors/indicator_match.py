"""`Indicator_Match`: somebody used, or is, what threat intelligence lists."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from reconwatch.detectors.detector import Key
from reconwatch.detectors.probed import Probed, ProbeDetector, Words, prober
from reconwatch.notices import Reason
from reconwatch.sightings import Indicated, Probe
from reconwatch.windows import DAY, window_start

HIGH, LOW = 70, 30
"""From HIGH on a confidence is high, below LOW it is low: the scale of STIX 2.1 appendix A."""

INTEL, MATCHES = "intel", "matches"
"""What Zeek's feeds list: the event itself is told elsewhere, if any input holds it."""

UNITS = {"http": "http requests", "http2": "http requests", "tls": "connections", "quic": "connections",
         "conn": "connections", "dns": "queries", "whois": "connections", INTEL: MATCHES}  # fmt: skip
"""Kind of event -> what it counts as, the best layer first: one use is often seen in several."""

SAID = {"domain": "domain", "ip": "address", "range": "range", "url": "URL", "agent": "user agent", "ja3": "JA3",
        "ja4": "JA4"}  # fmt: skip
ACTIVE_SCANNING = "T1595"


class Matches(Probed):
    """What one party had to do with one indicator on one day."""

    indicator: Indicated | None = None
    counts: dict[str, int] = msgspec.field(default_factory=dict)
    """Unit -> how many."""
    spoke: bool = False
    """More than a name resolved or a connection opened."""


class IndicatorMatch(ProbeDetector[Matches]):
    """Once is enough. Both directions: our hosts use what is listed, and who is listed comes to us."""

    note = "Indicator_Match"
    state: ClassVar[type[msgspec.Struct]] = Matches

    def keys(self, sighting: Probe) -> tuple[Key, ...]:
        """One state per actor, indicator, direction and UTC day."""
        if not _acts(sighting):
            return ()
        day = window_start(sighting.ts, DAY)
        way = "lookup" if sighting.inside else "probe"
        told = {(way, each.kind, each.value) for each in sighting.indicators}
        return tuple(Key((*prober(sighting), *each), day, DAY) for each in sorted(told))

    def fresh(self, key: Key) -> Matches:
        """See `Detector.fresh`."""
        return Matches(key)

    def remember(self, state: Matches, sighting: Probe) -> None:
        """See `KeyedDetector.remember`."""
        state.gather(sighting)
        state.target(sighting)
        kind, value = state.key.parts[-2:]
        for found in sighting.indicators:
            if (found.kind, found.value) == (kind, value):
                state.indicator = found if state.indicator is None else _both(state.indicator, found)
        unit = UNITS.get(sighting.kind, sighting.kind)
        state.counts[unit] = state.counts.get(unit, 0) + 1
        state.spoke |= sighting.kind not in ("dns", "conn", INTEL) or bool(sighting.spoke)

    def words(self, state: Matches, *, closing: bool) -> Words:
        """Once is enough."""
        assert state.actor is not None
        assert state.indicator is not None
        found = state.indicator
        inside = state.key.parts[-3] == "lookup"
        unit = next(unit for unit in (*UNITS.values(), *sorted(state.counts)) if unit in state.counts)
        every = tuple(range(1, len(state.evidence.items) + 1))
        who, what = state.actor.ip, f"{SAID[found.kind]} {found.value}"
        if inside:
            asked = unit == "queries" or (unit == MATCHES and not state.spoke)
            did = "asked for" if asked and found.by == "name" else "used"
            msg = f"{who} {did} the listed {what} ({listed_by(found)})"
        elif found.by == "client":
            how = "listed itself" if found.kind == "ip" else f"in the listed {what}"
            msg = f"{who}, {how}, came to us ({listed_by(found)})"
        else:
            msg = f"{who} came to us with the listed {what} ({listed_by(found)})"
        return Words(
            count=state.counts[unit],
            counted=unit,
            reasons=(Reason(points(found.confidence, inside, state.spoke), f"{what}: {listed_by(found)}", every),),
            msg=msg,
            services=(),
            evidence=tuple(state.evidence.items),
            evidence_total=state.evidence.total,
            targets=tuple(state.targets.items),
            techniques=() if inside else (ACTIVE_SCANNING,),
            direction="lookup" if inside else "probe",
        )


def _acts(probe: Probe) -> bool:
    """Whether the actor acts, and it is about us: a reply and the rest of an older connection are no act."""
    if not probe.inside and probe.asset is None:
        return False
    return probe.kind not in ("conn", "answer") or probe.proto == "udp" or probe.opening is True


def _both(one: Indicated, other: Indicated) -> Indicated:
    """What is known of an indicator by two of its matches, whatever their order: its feeds differ from hour to hour."""
    return Indicated(
        one.kind, one.value, max(one.confidence, other.confidence),
        tuple(sorted({*one.sources, *other.sources})), min(one.by, other.by),
    )  # fmt: skip


def points(confidence: int, inside: bool, spoke: bool) -> int:
    """By confidence alone; a low one never asks anybody to look.

    Our own host that uses what is surely bad is for the second line; that it only asked for the name is for the first.
    Who is listed as a scanner comes to everybody every day: it is for the first line once it speaks.
    """
    if confidence < LOW:
        return 10
    if not inside:
        return (45 if confidence >= HIGH else 30) if spoke else 15
    if confidence >= HIGH:
        return 60 if spoke else 50
    return 40 if spoke else 30


def listed_by(found: Indicated) -> str:
    """Who lists it, and how sure that is."""
    return f"by {', '.join(found.sources)}, confidence {found.confidence}"
