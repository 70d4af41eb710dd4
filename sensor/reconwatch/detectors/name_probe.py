"""`Name_Probe`: many server names tried on our addresses, one behind another, or our addresses visited without any."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import ClassVar

import msgspec

from reconwatch.detectors.detector import Key, Threshold
from reconwatch.detectors.probed import NetworkProbed, ProbeDetector, Words, network
from reconwatch.notices import Reason
from reconwatch.prose import counted, shortened
from reconwatch.sightings import Evidence, Probe, Target
from reconwatch.windows import DAY, MINUTE, Ends, Smallest, keep_smallest, window_start

HOUR = 3600.0
SLOT = 1800.0
USED = 3
"""Half hours in which the same source used a name: then it uses it (an uptime check, a shared way out) and tries it
no more. Half an hour is longer than any monitor's interval, and three of them last longer than a list is tried."""

MOST_NAMES = 1_000
"""Distinct names that are remembered of one source and day; a longer list says no more."""

MOST_PAIRS = 100
"""Pairs of SNI and Host that are remembered of one source and day."""

LONGEST_NAME = 253
"""Characters of a DNS name: a Host header can be of any length."""

MAIL_PORTS = frozenset({25, 110, 143, 465, 587, 993, 995})
"""Whoever delivers mail greets each of our mail servers, by name or without."""

CHALLENGE = "/.well-known/acme-challenge/"
CHALLENGE_ALPN = "acme-tls/1"
"""A certificate authority visits every name that a certificate is to hold (RFC 8555 section 8.3, RFC 8737)."""

_ADDRESS = re.compile(r"\[?[0-9a-f]*:[0-9a-f:.]*\]?|[0-9]+(?:\.[0-9]+){3}")


class Tried(msgspec.Struct):
    """One name as one source used it."""

    first: float
    slots: list[int]
    """The first `USED` half hours in which it did."""
    ours: bool


class NamesTried(NetworkProbed):
    """What one source did with names in one day."""

    names: dict[str, Tried] = msgspec.field(default_factory=dict)
    """The smallest `MOST_NAMES`: which they are does not depend on the order of arrival."""
    largest: str = ""
    """The largest of them, once there were more."""
    told: int = 0
    """How many there were when it was last told before the close."""
    excused: set[str] = msgspec.field(default_factory=set)
    """Names that a certificate authority came to validate; bounded like the names."""
    bare: Smallest = msgspec.field(default_factory=Smallest)
    """Addresses visited without a name."""
    visits: Ends = msgspec.field(default_factory=Ends)
    """Evidence of those visits."""
    between: tuple[float, float] = (float("inf"), float("-inf"))
    """The first and the last of them."""
    pairs: list[tuple[str, str]] = msgspec.field(default_factory=list)
    """(SNI, Host) of different owners, the smallest `MOST_PAIRS`."""
    behind: Ends = msgspec.field(default_factory=Ends)
    """Evidence of their requests."""
    fronting: tuple[float, float] = (float("inf"), float("-inf"))
    """The first and the last of these."""
    asked: Smallest = msgspec.field(default_factory=Smallest)
    """Addresses of ours that they went to."""


class NameProbe(ProbeDetector[NamesTried]):
    """Ordinary visitors know the few names they want, and ask for the one that their hello said.

    That Host and SNI differ shows only where whoever ends TLS logs both, or a sensor decrypts.
    """

    note = "Name_Probe"
    state: ClassVar[type[msgspec.Struct]] = NamesTried
    thresholds: ClassVar[Mapping[str, Threshold]] = {
        "names": Threshold(
            8,
            "names first tried within one hour and not used on: ordinary visitors know one to three, an office at home"
            " with mail, portal and VPN about six, and the shortest lists begin at ten",
        ),
        "day": Threshold(40, "names in one day, used on or not: more than any visitor or check of ours needs"),
        "fronted": Threshold(
            3,
            "pairs in one day of a name in the hello and a Host of somebody else's: one or two may be a stale DNS"
            " answer or a wrong setting",
        ),
        "addresses": Threshold(5, "addresses of ours visited without a name in one day: one may be a typed address"),
    }

    def keys(self, sighting: Probe) -> tuple[Key, ...]:
        """One state per source (of IPv6 its /64) and UTC day; none for who by profession uses many names."""
        roles = sighting.actor.role
        if sighting.kind not in ("tls", "quic", "http", "http2") or sighting.asset is None or sighting.inside:
            return ()
        if sighting.actor.stands_for_others or "balancer" in roles or "mail" in roles:
            return ()
        if sighting.port in MAIL_PORTS or CHALLENGE_ALPN in sighting.alpn:
            return ()
        if sighting.scanner is not None and sighting.scanner.sure:
            return ()  # what a crawler collects, Scanner_Crawl tells
        return (Key(network(sighting), window_start(sighting.ts, DAY), DAY),)

    def fresh(self, key: Key) -> NamesTried:
        """See `Detector.fresh`."""
        return NamesTried(key)

    def remember(self, state: NamesTried, sighting: Probe) -> None:
        """See `KeyedDetector.remember`."""
        name = (sighting.name or "").rstrip(".")[:LONGEST_NAME]
        if not name or _ADDRESS.fullmatch(name):
            state.take_actor(sighting.actor)
            state.between = (min(state.between[0], sighting.ts), max(state.between[1], sighting.ts))
            state.kinds.add(sighting.kind)
            state.visits.add((sighting.evidence,), 1)
            state.bare.add(_targets(sighting))
            return
        state.gather(sighting)
        state.target(sighting)
        if sighting.fronted is not None:
            state.fronting = (min(state.fronting[0], sighting.ts), max(state.fronting[1], sighting.ts))
            state.behind.add((sighting.evidence,), 1)
            state.asked.add(_targets(sighting))
            keep_smallest(state.pairs, (sighting.fronted[:LONGEST_NAME], name), MOST_PAIRS)
        if (sighting.uri or "").startswith(CHALLENGE):
            state.excused.add(name)
            if len(state.excused) > MOST_NAMES:
                state.excused.remove(max(state.excused))
            return
        slot = int(sighting.ts // SLOT)
        tried = state.names.get(name)
        if tried is None:
            if state.largest and name > state.largest:
                return
            state.names[name] = Tried(sighting.ts, [slot], sighting.zone is not None)
            if len(state.names) > MOST_NAMES:
                del state.names[max(state.names)]
                state.largest = max(state.names)
            return
        tried.first = min(tried.first, sighting.ts)
        if slot not in tried.slots:
            tried.slots = sorted((*tried.slots, slot))[:USED]

    def words(self, state: NamesTried, *, closing: bool) -> Words | None:
        """At the close, whatever was tried and not used on; before, only what no later use of the names can excuse."""
        if not closing and len(state.names) < max(self.limits["day"], 2 * state.told):
            return None
        names = {name: tried for name, tried in state.names.items() if name not in state.excused}
        many = len(names) >= self.limits["day"]
        if not closing:
            state.told = len(names) if many else state.told
            return self._names(state, names) if many else None
        fresh = {name: tried for name, tried in names.items() if len(tried.slots) < USED}
        if not many and _most(fresh, HOUR) < self.limits["names"]:
            found = self._behind(state) or self._addresses(state)
            return found or (self._taken_back(state) if state.told else None)
        return self._names(state, names if many else fresh)

    def _names(self, state: NamesTried, names: Mapping[str, Tried]) -> Words:
        assert state.actor is not None
        least = "at least " if state.largest else ""
        every = tuple(range(1, len(state.evidence.items) + 1))
        where = counted(len(state.targets.items), "address", "addresses")
        reasons = [Reason(20, f"tried {least}{len(names)} names on {where} of ours; visitors use one to three", every)]
        burst = _most(names, MINUTE)
        if burst >= self.limits["names"]:
            reasons.append(Reason(15, f"{burst} of them within one minute, faster than people go from one to another"))
        if len(names) >= self.limits["day"]:
            if burst >= self.limits["names"] or len(names) >= 2 * len(state.targets.items):
                reasons.append(Reason(15, "as many as a word list or a database's export"))
            else:
                reasons.append(
                    Reason(0, "each at an address of its own, and slowly: a crowd behind one address does it too")
                )
        strange = sorted(name for name, tried in names.items() if not tried.ours)
        if 3 <= len(strange) < len(names):
            reasons.append(Reason(10, f"{len(strange)} of them are no names of ours ({shortened(strange)})"))
        if len(state.pairs) >= self.limits["fronted"]:
            reasons.append(Reason(15, _unlike(state)))
        return Words(
            count=len(names),
            counted="names",
            reasons=tuple(reasons),
            msg=f"{state.actor.ip} tried {least}{len(names)} names on {where} of ours ({shortened(sorted(names))})",
            services=(),
            evidence=tuple(state.evidence.items),
            evidence_total=state.evidence.total,
            targets=tuple(state.targets.items),
            techniques=("T1595.003",),
        )

    def _taken_back(self, state: NamesTried) -> Words:
        """The close of what was told too early: a challenge arrived after the visits that it excuses."""
        assert state.actor is not None
        return Words(
            count=len(state.excused),
            counted="names",
            reasons=(Reason(0, "a certificate authority validated the names: nothing was tried"),),
            msg=f"{state.actor.ip} validated names of ours for certificates",
            services=(),
            evidence=tuple(state.evidence.items),
            evidence_total=state.evidence.total,
            targets=tuple(state.targets.items),
            techniques=(),
        )

    def _behind(self, state: NamesTried) -> Words | None:
        """What asked for one name behind another."""
        if len(state.pairs) < self.limits["fronted"]:
            return None
        assert state.actor is not None
        evidence: tuple[Evidence, ...] = tuple(state.behind.items)
        what, every = _unlike(state), tuple(range(1, len(evidence) + 1))
        return Words(
            count=len(state.pairs),
            counted="pairs of names",
            reasons=(Reason(20, f"{what}: what no name leads to is sought behind one", every),),
            msg=f"{state.actor.ip} {what}",
            services=(),
            evidence=evidence,
            evidence_total=state.behind.total,
            targets=tuple(state.asked.items),
            techniques=("T1595.003",),
            span=state.fronting,
        )

    def _addresses(self, state: NamesTried) -> Words | None:
        visited = tuple(state.bare.items)
        if len(visited) < self.limits["addresses"]:
            return None
        assert state.actor is not None
        evidence: tuple[Evidence, ...] = tuple(state.visits.items)
        every = tuple(range(1, len(evidence) + 1))
        what = f"visited {len(visited)} addresses of ours without a name"
        return Words(
            count=len(visited),
            counted="addresses",
            reasons=(Reason(15, f"{what}: it knows numbers, not whom it visits", every),),
            msg=f"{state.actor.ip} {what}",
            services=(),
            evidence=evidence,
            evidence_total=state.visits.total,
            targets=visited,
            techniques=("T1595.001",),
            span=state.between,
        )


def _unlike(state: NamesTried) -> str:
    least = "at least " if len(state.pairs) == MOST_PAIRS else ""
    shown = shortened([f"{host} behind {sni}" for sni, host in state.pairs])
    return f"asked for {least}{counted(len(state.pairs), 'Host')} of other owners than the name in its hello ({shown})"


def _targets(probe: Probe) -> Collection[Target]:
    return () if probe.server is None or probe.asset is None else (Target("ip", probe.server, probe.asset),)


def _most(names: Mapping[str, Tried], width: float) -> int:
    """The most names that were first tried within `width` seconds."""
    firsts = sorted(tried.first for tried in names.values())
    most = start = 0
    for end, ts in enumerate(firsts):
        while ts - firsts[start] > width:
            start += 1
        most = max(most, end - start + 1)
    return most
