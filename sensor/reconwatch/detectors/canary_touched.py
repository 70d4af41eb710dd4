"""`Canary_Touched`: somebody used a bait that only a database could have given away."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from reconwatch.detectors.detector import Key
from reconwatch.detectors.probed import Probed, ProbeDetector, Words, prober
from reconwatch.notices import Reason
from reconwatch.sightings import Bait, Probe, Target
from reconwatch.windows import DAY, window_start

UNITS = {"http": "http requests", "http2": "http requests", "tls": "connections", "quic": "connections",
         "conn": "connections", "dns": "queries"}  # fmt: skip
"""Kind of event -> what it counts as, the best layer first: one touch is often seen in several."""

LEAKS = (
    ("T1596.003", ("certificate", "ct", "crt.sh")),
    ("T1596.002", ("whois", "rdap", "registr")),
    ("T1596.005", ("scan", "shodan", "censys")),
    ("T1596.004", ("cdn",)),
    ("T1596.001", ("dns", "ptr", "reverse", "zone")),
)
"""Sub-technique -> how the words of `planted` begin that mean it; the first that fits."""


class Touches(Probed):
    """What one actor did with one bait on one day."""

    bait: Bait | None = None
    counts: dict[str, int] = msgspec.field(default_factory=dict)
    """Unit -> how many."""
    inside: bool = False
    crawler: str | None = None
    """The known crawler that the actor surely is."""
    spoke: bool = False
    """More than a connection: it sent a hello or a request."""


class CanaryTouched(ProbeDetector[Touches]):
    """Nobody has business with a bait: one touch is enough. Both directions: our own staff may read databases too."""

    note = "Canary_Touched"
    state: ClassVar[type[msgspec.Struct]] = Touches

    def keys(self, sighting: Probe) -> tuple[Key, ...]:
        """One state per actor, bait and UTC day."""
        day = window_start(sighting.ts, DAY)
        return tuple(
            Key((*prober(sighting), bait.kind, bait.value), day, DAY)
            for bait in sighting.canaries
            if _touches(sighting, bait)
        )

    def fresh(self, key: Key) -> Touches:
        """See `Detector.fresh`."""
        return Touches(key)

    def remember(self, state: Touches, sighting: Probe) -> None:
        """See `KeyedDetector.remember`."""
        state.gather(sighting)
        kind, value = state.key.parts[-2:]
        found = next(bait for bait in sighting.canaries if (bait.kind, bait.value) == (kind, value))
        state.bait = min(filter(None, (state.bait, found)), key=lambda bait: bait.planted or "")
        unit = UNITS.get(sighting.kind, sighting.kind)
        state.counts[unit] = state.counts.get(unit, 0) + 1
        state.inside |= sighting.inside
        state.spoke |= sighting.kind not in ("dns", "conn")
        if sighting.scanner is not None and sighting.scanner.sure:
            state.crawler = min(filter(None, (state.crawler, sighting.scanner.name)))
        if kind == "name":
            state.targets.add((Target("domain", value, sighting.zone or value),))
        elif kind == "address":
            state.targets.add((Target("ip", value, sighting.asset or value),))
        else:
            state.target(sighting)

    def words(self, state: Touches, *, closing: bool) -> Words:
        """One touch is enough."""
        assert state.actor is not None
        assert state.bait is not None
        bait = state.bait
        unit = next(unit for unit in (*UNITS.values(), *sorted(state.counts)) if unit in state.counts)
        every = tuple(range(1, len(state.evidence.items) + 1))
        where = f"planted: {bait.planted}" if bait.planted else "site.yaml does not say where it was planted"
        asked = unit == "queries"
        did = "asked for" if asked else "used"
        return Words(
            count=state.counts[unit],
            counted=unit,
            reasons=(Reason(_points(state, asked), f"{_why(state, asked)} ({where})", every), *_softened(state)),
            msg=f"{state.actor.ip} {did} the bait {bait.value} ({where})",
            services=(),
            evidence=tuple(state.evidence.items),
            evidence_total=state.evidence.total,
            targets=tuple(state.targets.items),
            techniques=(leak_of(bait),),
            direction="lookup" if state.inside else "probe",
        )


def _touches(probe: Probe, bait: Bait) -> bool:
    """Whether it is the actor who touches the bait: a bait that acts itself, or is answered, is not touched."""
    if probe.kind == "conn" and probe.proto != "udp" and not probe.opening:
        return False
    if bait.kind == "address":
        return bait.value != probe.actor.ip
    if bait.kind == "path":
        return probe.asset is not None or probe.zone is not None  # the same path on strangers' servers is none of ours
    return True


def _why(state: Touches, asked: bool) -> str:
    assert state.bait is not None
    what = f"a bait {state.bait.kind}"
    if asked:
        return f"resolved {what}, which only a database gives away"
    if state.bait.kind == "address":
        return f"{'used' if state.spoke else 'connected to'} {what}, which a database or a sweep gives away"
    return f"used {what}, which only a database gives away"


def _points(state: Touches, asked: bool) -> int:
    """Who resolves a name has read it; who uses it has come for us. Any sweep of addresses meets an address."""
    assert state.bait is not None
    swept = state.bait.kind == "address" and not state.spoke
    if state.inside:
        return 30 if asked or swept else 45
    return 40 if asked or swept else 70


def _softened(state: Touches) -> tuple[Reason, ...]:
    if state.crawler is None:
        return ()
    return (Reason(-45, f"it is a crawler of {state.crawler}: that is the leak at work, and no intruder yet"),)


def leak_of(bait: Bait) -> str:
    """The sub-technique of the database that gave the bait away."""
    words = "".join(c if c.isalnum() or c == "." else " " for c in (bait.planted or "").lower()).split()
    for technique, beginnings in LEAKS:
        if any(word == each or (len(each) > 3 and word.startswith(each)) for word in words for each in beginnings):
            return technique
    return "T1596"
