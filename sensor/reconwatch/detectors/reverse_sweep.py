"""`Reverse_Sweep`: a share of one prefix walked by reverse DNS, ASN over DNS or WHOIS; never a mere count of them."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise
from typing import ClassVar

import msgspec

from reconwatch.detectors.detector import Key, Threshold
from reconwatch.detectors.gathered import Gathered, LookupDetector, Words, party
from reconwatch.notices import Reason
from reconwatch.sightings import Sighting, Target
from reconwatch.windows import DAY, MINUTE, most_distinct, window_start

SPAN = 60
"""Minutes: a walk is a job; what a log server resolves of our addresses over a day is none."""
PREFIX = {4: 24, 6: 120}
"""The 256 addresses that are looked at together."""
SIZE = 256


class Walked(Gathered):
    """Which addresses of one prefix one actor asked about on one day, and when."""

    minutes: dict[int, set[int]] = msgspec.field(default_factory=dict)
    """Minute since the epoch -> last octets."""
    most: int = 0
    """The most distinct ones within any `SPAN` consecutive minutes."""
    firsts: dict[int, float] = msgspec.field(default_factory=dict)
    """Last octet -> when it was first asked about."""
    asset: str | None = None


class ReverseSweep(LookupDetector[Walked]):
    """A prefix turned over address by address."""

    note = "Reverse_Sweep"
    version: ClassVar[int] = 2
    state: ClassVar[type[msgspec.Struct]] = Walked
    thresholds: ClassVar[Mapping[str, Threshold]] = {
        "share": Threshold(64, "distinct addresses of 256 within an hour: a quarter of a /24; mail and logs touch few"),
        "run": Threshold(32, "addresses asked about one after the other, each the next: nobody but a program counts"),
    }

    def keys(self, sighting: Sighting) -> tuple[Key, ...]:
        """One state per actor, prefix and UTC day."""
        if sighting.actor.stands_for_others:
            return ()
        prefixes = sorted({_placed(walk.ip)[0] for walk in sighting.walked})
        day = window_start(sighting.ts, DAY)
        return tuple(Key((*party(sighting), prefix), day, DAY) for prefix in prefixes)

    def fresh(self, key: Key) -> Walked:
        """See `Detector.fresh`."""
        return Walked(key)

    def remember(self, state: Walked, sighting: Sighting) -> None:
        """See `LookupDetector.remember`."""
        state.gather(sighting)
        prefix = state.key.parts[-1]
        touched = set()
        for walk in sighting.walked:
            around, octet = _placed(walk.ip)
            if around != prefix:
                continue
            minute = int(walk.ts // MINUTE)
            state.minutes.setdefault(minute, set()).add(octet)
            state.firsts[octet] = min(walk.ts, state.firsts.get(octet, walk.ts))
            state.asset = max(filter(None, (walk.asset, state.asset)), default=None)
            touched.add(minute)
        for minute in touched:
            state.most = most_distinct(state.minutes, minute, SPAN, state.most)

    def words(self, state: Walked, *, closing: bool) -> Words | None:
        """By share, or by order."""
        assert state.actor is not None
        prefix, every = state.key.parts[-1], tuple(range(1, len(state.evidence.items) + 1))
        run = _longest_run(state.firsts)
        if state.most >= self.limits["share"]:
            reasons = [Reason(35, f"{state.most} of the {SIZE} addresses of {prefix} within an hour", every)]
        elif run >= self.limits["run"]:
            reasons = [Reason(35, f"{run} addresses of {prefix} one after the other", every)]
        else:
            return None
        if state.asset is not None:
            reasons.append(Reason(20, f"the prefix is ours ({state.asset})", every))
        count = max(state.most, run)
        return Words(
            count=count,
            counted="addresses",
            reasons=tuple(reasons),
            msg=f"{state.actor.ip} walked {count} addresses of {prefix}",
            services=tuple(sorted(state.services)),
            evidence=tuple(state.evidence.items),
            evidence_total=state.evidence.total,
            targets=(Target("range", prefix, state.asset),) if state.asset is not None else (),
        )


@lru_cache(maxsize=8_192)
def _placed(ip: str) -> tuple[str, int]:
    """(the prefix that an address lies in, its last octet)."""
    address = ipaddress.ip_address(ip)
    return str(ipaddress.ip_network(f"{address}/{PREFIX[address.version]}", strict=False)), int(address) % SIZE


def _longest_run(firsts: Mapping[int, float]) -> int:
    """The most addresses that were first asked about in the order of their numbers, up or down, without a gap."""
    asked = [octet for octet, _ in sorted(firsts.items(), key=lambda item: (item[1], item[0]))]
    best = 0
    for step in (1, -1):
        length = 1
        for a, b in pairwise(asked):
            length = length + 1 if b - a == step else 1
            best = max(best, length)
    return best
