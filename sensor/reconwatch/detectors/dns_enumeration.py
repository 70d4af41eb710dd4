"""`DNS_Enumeration`: our zones searched for what they hold; by a dictionary, address by address, record by record."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise
from typing import ClassVar, TypeVar

import msgspec

from reconwatch.detectors.detector import Key, Threshold
from reconwatch.detectors.probed import Probed, ProbeDetector, Words
from reconwatch.detectors.wordlists import First, busiest, guesses, in_order
from reconwatch.notices import Reason
from reconwatch.prose import counted, shortened
from reconwatch.sightings import Actor, Probe, Target
from reconwatch.windows import DAY, window_start

HOUR = 3600.0
MOST_NAMES = 4_096
"""Names that are kept of each sort, the first asked for: 0.2 MB; longer dictionaries are `at least` as long."""
MOST_LEAKS = 16
MOST_MEMBERS = 256
"""Addresses of an IPv6 network that a notice lists."""
DNS_DATA = ("T1590.002",)

PTR, NSEC, NSEC3, ANY = 12, 47, 50, 255
NO_ERROR, NO_SUCH_NAME = 0, 3
SERVER = "server"
"""The part of the key where it is the name server itself that is asked about."""
EVERYBODY = "*"
"""In the place of the source: what all of them asked of a zone, for a list may be shared out among open resolvers."""
CHAOS = frozenset({"version.bind", "version.server", "hostname.bind", "id.server", "authors.bind", "version.pdns"})
"""Names of class CHAOS (RFC 4892) by which a name server tells its software and host; no zone has them."""
PREFIX = {4: 24, 6: 120}
SIZE = 256
STRIDE = 3
"""Tools ask in parallel: the next address is one of the next few."""

OUTSIDE = frozenset(
    {"com", "net", "org", "info", "biz", "edu", "gov", "io", "local", "lan", "home", "internal", "arpa"}
)
"""Ends of names that are none of ours: before our zone they are what a search suffix was put behind."""
MANY_LEAKS, MANY_HOURS, MANY_AGAIN = 3, 4, 4
"""From which a source is taken for a resolver: one enumerator is done in an hour, and asks for nothing twice."""
RELAYED = 20
"""Points of what a resolver relays: `monitor`, whatever it is."""


class Enumerated(Probed):
    """What one source asked about one zone, prefix or server on one day."""

    least: Actor | None = None
    """The first of its addresses."""
    members: list[str] = msgspec.field(default_factory=list)
    """Its addresses, if they are several: IPv6, or many sources as one."""
    absent: dict[str, First] = msgspec.field(default_factory=dict)
    """Labels just below the zone that do not exist -> their first asking."""
    present: dict[str, First] = msgspec.field(default_factory=dict)
    """Names below the zone that exist."""
    chained: dict[str, First] = msgspec.field(default_factory=dict)
    """Names that are asked for only to be told which one comes next."""
    leaks: dict[str, First] = msgspec.field(default_factory=dict)
    hours: set[int] = msgspec.field(default_factory=set)
    """Hours in which names that exist were asked for."""
    marks: set[str] = msgspec.field(default_factory=set)
    """Fingerprints."""
    octets: dict[int, First] = msgspec.field(default_factory=dict)
    """Last octets of a prefix -> their first asking."""
    again: dict[int, int] = msgspec.field(default_factory=dict)
    """Last octets -> the hours of the day in which they were asked about, as bits."""
    named: set[int] = msgspec.field(default_factory=set)
    """Those that have a name."""
    due: int = 0
    """Names from which it is worth judging again, before the close."""

    @property
    def amount(self) -> int:
        """All that is remembered."""
        return len(self.absent) + len(self.present) + len(self.chained) + len(self.octets)


class DnsEnumeration(ProbeDetector[Enumerated]):
    """A source is judged by how it asks, for a resolver asks for the same names as the enumerator behind it."""

    note = "DNS_Enumeration"
    state: ClassVar[type[msgspec.Struct]] = Enumerated
    thresholds: ClassVar[Mapping[str, Threshold]] = {
        "names": Threshold(50, "distinct absent labels just below a zone within an hour; clients mistype a few"),
        "absent": Threshold(70, "percent of the names of that hour; a resolver's clients ask for what exists"),
        "order": Threshold(80, "percent of them in the order of the alphabet, beside 50 by chance: six sigma at 50"),
        "guesses": Threshold(20, "words that only lists of guesses hold together, where the order is another"),
        "sources": Threshold(4, "addresses that share one list in order; none of them asks for more than half of it"),
        "walk": Threshold(8, "names that serve only to be told the next (NSEC); no resolver makes up one"),
        "share": Threshold(64, "distinct addresses of 256 within an hour: a quarter of a /24; mail and logs touch few"),
        "run": Threshold(16, "addresses one after the other; resolvers relay those of our few hosts, in any order"),
    }

    def keys(self, probe: Probe) -> tuple[Key, ...]:
        """One state per actor, zone (or prefix of 256 addresses, or `server`) and UTC day."""
        if probe.name is None or probe.kind not in ("dns", "answer") or probe.secondary:
            return ()
        if probe.actor.stands_for_others:
            return ()
        about, day = _about(probe), window_start(probe.ts, DAY)
        if about is None:
            return ()
        trusted = probe.actor.trusted is not None
        of_source = Key((_source(probe.actor.ip), "trusted" if trusted else "", about), day, DAY)
        if trusted or not _absent_label(probe):
            return (of_source,)
        return (of_source, Key((EVERYBODY, "", about), day, DAY))

    def fresh(self, key: Key) -> Enumerated:
        """See `Detector.fresh`."""
        return Enumerated(key)

    def remember(self, state: Enumerated, probe: Probe) -> None:
        """See `ProbeDetector.remember`."""
        assert probe.name is not None
        state.gather(probe)
        first = (probe.ts, _source(probe.actor.ip))
        source, _, about = state.key.parts
        if source != EVERYBODY:
            _take_source(state, probe.actor)
        if about == SERVER:
            state.marks.add(probe.name)
            state.target(probe)
        elif probe.reverse is not None:
            octet = _placed(probe.reverse.value)[1]
            _note(state.octets, octet, first)
            state.again[octet] = state.again.get(octet, 0) | 1 << int(probe.ts % DAY // HOUR)
            if probe.records:
                state.named.add(octet)
            state.targets.add((Target("range", about, probe.reverse.asset),))
        else:
            _remember_name(state, probe, first)
            state.targets.add((Target("domain", about, about),))

    def words(self, state: Enumerated, *, closing: bool) -> Words | None:
        """By each way that was used."""
        if not closing and state.amount < state.due:
            return None
        state.due = state.amount * 5 // 4 + 1
        source, _, about = state.key.parts
        if source == EVERYBODY:
            return self._shared(state, about)
        if about == SERVER:
            asked = shortened(sorted(state.marks))
            reasons = [Reason(10, f"asked what software our name server is: {asked}", _every(state))]
            return self._said(state, reasons, len(state.marks), f"asked our name server for {asked}")
        return self._swept(state, about) if state.octets else self._searched(state, about)

    def _swept(self, state: Enumerated, prefix: str) -> Words | None:
        """Reverse names: by share, or by order."""
        most, _ = busiest({str(octet): first for octet, first in state.octets.items()}, {}, HOUR, 0)
        run = longest_run(state.octets)
        if len(most) >= self.limits["share"]:
            why = f"asked for the names of {len(most)} of the {SIZE} addresses of {prefix} within an hour"
        elif run >= self.limits["run"]:
            why = f"asked for the names of {run} addresses of {prefix} one after the other"
        else:
            return None
        reasons = [Reason(35, why, _every(state))]
        if state.named:
            reasons.append(Reason(5, f"was told the names of {len(state.named)} of them"))
        count = len(state.octets)
        return self._said(state, reasons, count, f"asked for the names of {count} addresses of {prefix}")

    def _searched(self, state: Enumerated, zone: str) -> Words | None:
        """Names of a zone: a dictionary, a walk, a fingerprint."""
        for names in (state.absent, state.present, state.chained):
            _keep_first(names, MOST_NAMES)
        reasons: list[Reason] = []
        did = f"asked for everything that {zone} has (ANY)"
        count = len(state.marks)
        if len(state.chained) >= self.limits["walk"]:
            count = len(state.chained)
            did = f"walked {zone} by {_least(count)} names"
            why = f"asked for {_least(count)} names that serve only to be told the next one (NSEC)"
            reasons.append(Reason(35, why, _every(state)))
        absent = _missing(state, zone)
        if len(absent) >= self.limits["names"] and (sign := self._dictionary(absent, state.present)):
            count = len(absent) + len(state.present)
            did = f"tried {_least(count)} names under {zone}, {_least(len(absent))} of which do not exist"
            reasons.append(Reason(10 if reasons else 35, sign, _every(state)))
            if state.present:
                reasons.append(Reason(5, f"found {counted(len(state.present), 'name')} that exist"))
        if state.marks:
            reasons.append(Reason(5 if reasons else 10, f"asked for all records of {zone} at once (ANY)"))
        return self._said(state, reasons, count, did) if reasons else None

    def _dictionary(self, absent: Mapping[str, First], present: Mapping[str, First]) -> str | None:
        """What gives away a list that was gone through; None if nothing does."""
        names, others = busiest(absent, present, HOUR, self.limits["absent"] / 100)
        if len(names) < self.limits["names"]:
            return None
        many = f"{_least(len(names))} of {_least(len(names) + others)} names asked for within an hour do not exist"
        order = in_order(names)
        if order >= self.limits["order"] / 100:
            return f"{many}, and {order:.0%} of them came in alphabetical order"
        known = guesses(names)
        if known >= self.limits["guesses"]:
            return f"{many}, and {known} of them are words of the lists that such tools bring along"
        return None

    def _shared(self, state: Enumerated, zone: str) -> Words | None:
        """One list in order, though no source asked for most of it."""
        _keep_first(state.absent, MOST_NAMES)
        names, _ = busiest(state.absent, {}, HOUR, 0)
        asked = Counter(ip for _, ip in names.values())
        if len(names) < self.limits["names"] or len(asked) < self.limits["sources"]:
            return None
        if 2 * max(asked.values()) > len(names) or (order := in_order(names)) < self.limits["order"] / 100:
            return None
        members = tuple(sorted(asked)[:MOST_MEMBERS])
        state.actor = Actor(members[0], members=members)
        first, last = min(names.values())[0], max(names.values())[0]
        shown = tuple(each for each in state.evidence.items if first <= each.ts <= last)
        who = f"{len(asked)} sources together"
        why = f"{who} asked for {_least(len(names))} names that do not exist, {order:.0%} of them in alphabetical order"
        return Words(
            count=len(names),
            counted="names",
            reasons=(Reason(35, f"{why}: one list, shared out", tuple(range(1, len(shown) + 1))),),
            msg=f"{who} tried {_least(len(names))} names under {zone} that do not exist",
            services=(),
            evidence=shown,
            evidence_total=max(len(shown), len(names)),
            targets=tuple(state.targets.items),
            techniques=DNS_DATA,
            span=(first, last),
        )

    def _said(self, state: Enumerated, reasons: list[Reason], count: int, did: str) -> Words:
        assert state.actor is not None
        points = sum(reason.points for reason in reasons)
        if points > RELAYED and (sign := _resolver(state)) is not None:
            reasons = [*reasons, Reason(RELAYED - points, f"{sign}, as a resolver does: it stands for its clients")]
        return Words(
            count=count,
            counted="names",
            reasons=tuple(reasons),
            msg=f"{state.actor.ip} {did}",
            services=(),
            evidence=tuple(state.evidence.items),
            evidence_total=state.evidence.total,
            targets=tuple(state.targets.items),
            techniques=DNS_DATA,
        )


def _about(probe: Probe) -> str | None:
    """What is asked about, if the question or its answer can be part of an enumeration."""
    if probe.zone is not None:
        telling = probe.kind == "answer" and probe.rcode in (NO_ERROR, NO_SUCH_NAME)
        return probe.zone if telling or _fingerprints(probe) or _chained(probe) else None
    if probe.reverse is not None:
        return _placed(probe.reverse.value)[0] if probe.reverse.kind == "ip" and probe.qtype == PTR else None
    if probe.name in CHAOS and probe.kind == "dns":
        # Crawlers ask it of every server every day; what they collect is told as that.
        return None if probe.scanner is not None and probe.scanner.sure else SERVER
    return None


def _missing(state: Enumerated, zone: str) -> dict[str, First]:
    """The absent labels; where there were too many names that exist, only as long as these were kept."""
    missing = {label: first for label, first in state.absent.items() if f"{label}.{zone}" not in state.present}
    if len(state.present) < MOST_NAMES:
        return missing
    kept = max(state.present.values())
    return {label: first for label, first in missing.items() if first < kept}


def _fingerprints(probe: Probe) -> bool:
    return probe.qtype == ANY and probe.name == probe.zone


def _chained(probe: Probe) -> bool:
    r"""Whether a name is made up to lie just behind another (`\000.www`, `www-`), or its NSEC record is asked for."""
    name = probe.name or ""
    if probe.qtype in (NSEC, NSEC3) or r"\x00" in name:
        return True
    return probe.walked and name.partition(".")[0].endswith("-")


def _remember_name(state: Enumerated, probe: Probe, first: First) -> None:
    name, zone = probe.name or "", probe.zone or ""
    below = name[: -len(zone) - 1]
    if _fingerprints(probe) and "ANY" not in state.marks:
        state.marks.add("ANY")
        state.due = 0
    if _chained(probe):
        _note(state.chained, name, first)
    elif label := _absent_label(probe):
        _note(state.absent, label, first)
    elif probe.kind == "answer" and below:
        if probe.rcode == NO_ERROR or probe.records:
            _note(state.present, name, first)
            state.hours.add(int(probe.ts // HOUR))
        elif below.rpartition(".")[2] in OUTSIDE:
            _note(state.leaks, below, first)
            _keep_first(state.leaks, MOST_LEAKS)


def _absent_label(probe: Probe) -> str | None:
    """The label just below our zone of which an answer says that there is no such name.

    `_` begins the names of services, which programs ask for whether they exist or not, and minimised questions. Where
    records come along, the name exists, and what it is an alias of does not.
    """
    if probe.zone is None or probe.rcode != NO_SUCH_NAME or probe.records or not probe.name:
        return None
    label = probe.name[: -len(probe.zone) - 1]
    return None if "." in label or label.startswith("_") else label or None


Named = TypeVar("Named", int, str)


def _note(firsts: dict[Named, First], what: Named, first: First) -> None:
    known = firsts.get(what)
    if known is None or first < known:
        firsts[what] = first
    if len(firsts) > 2 * MOST_NAMES:
        _keep_first(firsts, MOST_NAMES)


def _keep_first(firsts: dict[Named, First], most: int) -> None:
    """Forget all but the earliest: the same ones whatever the order of arrival, for an asking says all of itself."""
    if len(firsts) > most:
        for _, what in sorted((first, what) for what, first in firsts.items())[most:]:
            del firsts[what]


def _take_source(state: Enumerated, actor: Actor) -> None:
    """The actor of the notice: the address, or the network if several of its addresses asked."""
    state.least = min(filter(None, (state.least, actor)), key=lambda actor: (actor.ip, actor.trusted or ""))
    if actor.ip not in state.members:
        state.members = sorted((*state.members, actor.ip))[:MOST_MEMBERS]
    least, several = state.least, len(state.members) > 1
    ip = state.key.parts[0] if several else least.ip
    state.actor = Actor(ip, least.role, least.trusted, members=tuple(state.members) if several else ())


@lru_cache(maxsize=8_192)
def _source(ip: str) -> str:
    """The address, in IPv6 its /64: that is one subscriber, who has all of its addresses."""
    return str(ipaddress.ip_network(f"{ip}/64", strict=False)) if ":" in ip else ip


@lru_cache(maxsize=8_192)
def _placed(ip: str) -> tuple[str, int]:
    """(the prefix that an address lies in, its last octet)."""
    address = ipaddress.ip_address(ip)
    return str(ipaddress.ip_network(f"{address}/{PREFIX[address.version]}", strict=False)), int(address) % SIZE


def longest_run(firsts: Mapping[int, First]) -> int:
    """The most addresses that were asked about one after the other, each one of the next few from the one before."""
    asked = [octet for octet, _ in sorted(firsts.items(), key=lambda item: (item[1], item[0]))]
    best = length = 1 if asked else 0
    for a, b in pairwise(asked):
        length = length + 1 if abs(b - a) <= STRIDE else 1
        best = max(best, length)
    return best


def _resolver(state: Enumerated) -> str | None:
    """What shows that a source asks for others, who do not know of each other."""
    if len(state.leaks) >= MANY_LEAKS:
        return "also relays names of others with our domain behind them"
    if len(state.hours) >= MANY_HOURS:
        return f"asks for names that exist in {len(state.hours)} hours of the day"
    if (again := sum(hours.bit_count() > 1 for hours in state.again.values())) >= MANY_AGAIN:
        return f"asks for {again} addresses again in another hour"
    return None


def _least(count: int) -> str:
    return f"at least {count:,}" if count >= MOST_NAMES else f"{count:,}"


def _every(state: Enumerated) -> tuple[int, ...]:
    return tuple(range(1, len(state.evidence.items) + 1))
