"""`Zone_Transfer`: one who is no secondary asks for a whole zone (AXFR, RFC 5936) or its changes (IXFR, RFC 1995)."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from reconwatch.detectors.detector import Key
from reconwatch.detectors.probed import Probed, ProbeDetector, Words, prober
from reconwatch.notices import Reason
from reconwatch.prose import counted, shortened
from reconwatch.sightings import Probe, Target
from reconwatch.windows import DAY, window_start

IXFR, AXFR = 251, 252
NO_ERROR = 0
DNS_DATA = ("T1590.002",)


MOST_ZONES = 100
"""Zones that a message knows by name."""
ELSEWHERE = ""
"""In the place of our asset in the key: zones that are none of ours."""


class Transfer(Probed):
    """What one actor asked of one asset's zones on one day, and what it got."""

    asked: int = 0
    current: int = 0
    """Answers that said: what you have is what there is."""
    declined: int = 0
    zones: list[str] = msgspec.field(default_factory=list)
    served: list[str] = msgspec.field(default_factory=list)
    """Zones of which records were given."""


class ZoneTransfer(ProbeDetector[Transfer]):
    """One request is enough: nobody but a secondary has a use for it, and those are listed in site.yaml."""

    note = "Zone_Transfer"
    state: ClassVar[type[msgspec.Struct]] = Transfer

    def keys(self, probe: Probe) -> tuple[Key, ...]:
        """One state per actor, asset and UTC day: whoever asks for a thousand zones has not a thousand notices."""
        if probe.qtype not in (IXFR, AXFR) or probe.name is None or probe.secondary:
            return ()
        ours = probe.zone or (probe.reverse.asset if probe.reverse is not None else ELSEWHERE)
        return (Key((*prober(probe), ours), window_start(probe.ts, DAY), DAY),)

    def fresh(self, key: Key) -> Transfer:
        """See `Detector.fresh`."""
        return Transfer(key)

    def remember(self, state: Transfer, probe: Probe) -> None:
        """See `ProbeDetector.remember`."""
        zone = probe.name or ""
        state.gather(probe)
        state.targets.add(filter(None, (_target(probe),)))
        state.zones = _with(state.zones, zone)
        if probe.kind == "dns":
            state.asked += 1
        elif probe.rcode == NO_ERROR and probe.records:
            # A single SOA is the answer to an IXFR whose asker is up to date (RFC 1995 section 4).
            if probe.qtype == IXFR and probe.records == 1:
                state.current += 1
            else:
                state.served = _with(state.served, zone)
        elif probe.rcode is not None:
            state.declined += 1

    def words(self, state: Transfer, *, closing: bool) -> Words:
        """Asked in vain it is for the first line; served, the zone is known."""
        assert state.actor is not None
        every = tuple(range(1, len(state.evidence.items) + 1))
        count = max(state.asked, 1)  # not of answers: old servers send one a record
        zones = _in_words(state.served or state.zones)
        if state.served:
            gave = "what it holds is now known: every name and address"
            reasons = [Reason(70, f"a name server of ours gave {zones} to {state.actor.ip}; {gave}", every)]
            msg = f"{state.actor.ip} was given {zones}"
        else:
            foreign = state.key.parts[-1] == ELSEWHERE
            whose = ", none of them ours" if foreign else ", and is no secondary of ours"
            reasons = [Reason(10 if foreign else 30, f"asked {counted(count, 'time')} for {zones}{whose}", every)]
            if state.current:
                reasons.append(Reason(10, "was told that nothing is new, not that it may not ask", every))
                outcome = "was told that nothing is new"
            else:
                outcome = "was refused" if state.declined else "got no answer that was seen"
            msg = f"{state.actor.ip} asked for {zones} and {outcome}"
        return Words(
            count=count,
            counted="requests",
            reasons=tuple(reasons),
            msg=msg,
            services=(),
            evidence=tuple(state.evidence.items),
            evidence_total=state.evidence.total,
            targets=tuple(state.targets.items),
            techniques=DNS_DATA,
        )


def _target(probe: Probe) -> Target | None:
    """The zone: our domain, our range, or whatever was asked of our server."""
    if probe.reverse is not None:
        return probe.reverse
    asset = probe.zone or probe.asset
    return Target("domain", probe.name or "", asset) if asset is not None else None


def _with(zones: list[str], zone: str) -> list[str]:
    """The first of the zones in order of the alphabet, whatever the order of arrival."""
    return zones if zone in zones else sorted((*zones, zone))[:MOST_ZONES]


def _in_words(zones: list[str]) -> str:
    if len(zones) == MOST_ZONES:
        return f"the zones {', '.join(zones[:3])} and many more"
    return f"the zone{'s' if len(zones) > 1 else ''} {shortened(zones)}"
