"""`Address_Scan` and `Port_Scan`: many of our addresses, or many ports of one, by one source or by a network as one."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from ipaddress import ip_network
from typing import ClassVar

from msgspec import structs

from reconwatch.detectors.contacts import ENDS, ICMP, NAMES, SLOTS, Contact, Contacts, Day, Row, Seen
from reconwatch.detectors.detector import Threshold
from reconwatch.notices import Finding, Reason, notice_id
from reconwatch.prose import counted
from reconwatch.sightings import Actor, Evidence, Target
from reconwatch.windows import MOST_TARGETS

ACTIVE_SCANNING = ("T1595.001",)
MOST_MEMBERS = 256
"""Members of a network that a notice lists."""
MOST_PORTS = 10
"""Ports that a message names."""


class Scan:
    """What a notice is made of: one source, or several as one."""

    def __init__(self, seen: Iterable[Seen], contacts: Contacts) -> None:
        self.seen = list(seen)
        self.probed: dict[int, float] = {}
        self.visited: dict[int, float] = {}
        for each in self.seen:
            for mine, its in ((self.probed, each.probed), (self.visited, each.visited)):
                for contact, ts in its.items():
                    mine[contact] = min(ts, mine.get(contact, ts))
        earlier = 0
        for each in self.seen:
            earlier |= each.earlier
        self.tried = {contact >> 18 for contact in self.probed}
        if contacts.exact:
            self.tried |= {number for number in range(SLOTS) if earlier >> number & 1}
        self.all = self.tried | {contact >> 18 for contact in self.visited}
        self.first = min(each.first for each in self.seen)
        self.last = max(each.last for each in self.seen)
        self.total = sum(each.total for each in self.seen)
        self.full = any(each.full for each in self.seen)

    def crossed(self, firsts: Iterable[float], at: int) -> float:
        """When the threshold was crossed: the time of the contact that made so many."""
        return sorted(firsts)[:at][-1] if at else self.first

    def evidence(self) -> tuple[Evidence, ...]:
        """The first and last contacts."""
        ends: list[Contact] = []
        for each in self.seen:
            ends += each.ends
        ends.sort(key=lambda contact: contact.place)
        del ends[ENDS:-ENDS]
        return tuple(Evidence(c.ts, "conn", c.source, c.uid, c.client, c.server, None, c.detail) for c in ends)


class Scans:
    """Contacts in, findings out. Not keyed like the other detectors: its memory is one table (see `contacts`)."""

    thresholds: ClassVar[Mapping[str, Mapping[str, Threshold]]] = {
        "Address_Scan": {
            "addresses": Threshold(10, "distinct addresses of ours a day that were tried without a conversation"),
            "visited": Threshold(
                64, "distinct addresses a day, conversations included: nobody has business with so many"
            ),
            "members": Threshold(4, "sources of one /24 that try different addresses for the same ports: one plan"),
        },
        "Port_Scan": {"ports": Threshold(15, "distinct ports of one address a day that were tried in vain or left")},
    }

    def __init__(
        self,
        contacts: Contacts,
        actor: Callable[[str, float], Actor],
        asset: Callable[[str], str | None],
        crawls: Callable[[str, float], bool] = lambda ip, ts: False,
        thresholds: Mapping[str, Mapping[str, float]] | None = None,
    ) -> None:
        """`actor` and `asset`: who an address is at a time, and which line of site.yaml owns one.

        `crawls`: whether an address is surely a known crawler's at a time, whose visits `Scanner_Crawl` tells.
        """
        self._contacts = contacts
        self._actor, self._asset, self._crawls = actor, asset, crawls
        given = thresholds or {}
        self._limits = {
            note: {name: given.get(note, {}).get(name, each.default) for name, each in names.items()}
            for note, names in self.thresholds.items()
        }

    def findings(self, before: float = float("inf")) -> Iterator[Finding]:
        """The closing words of the days that are over by `before`."""
        for day in self._contacts.close(before):
            yield from self._of_day(day)

    def openings(self) -> Iterator[Finding]:
        """What is to be said before the day is over, of single sources that did much more since this was last asked.

        Whether several sources are one is seen when all have come: at the close.
        """
        for day, key, seen in self._contacts.notable():
            for finding in self._of_source(day, key, seen):
                yield structs.replace(finding, closing=False)

    def _of_day(self, day: Day) -> Iterator[Finding]:
        limits = self._limits["Address_Scan"]
        sketched = dict(self._sketched_plans(day))
        together = {key for _, keys in sketched.values() for key in keys}
        for network, members in self._plans(day):
            together |= members.keys()
            scanned = Scan(members.values(), self._contacts)
            row, others = sketched.get(network, (None, ()))
            if row is not None and row.tried > len(scanned.all):
                sketched[network] = row, tuple(sorted({*others, *members}))  # most of them are rows by now
                continue
            sketched.pop(network, None)
            yield self._address_scan(day, network, scanned, tuple(sorted({*others, *members})))
        for key, seen in day.sources.items():
            yield from self._of_source(day, key, seen, alone=key not in together)
        for row, sources in sketched.values():
            yield self._sketched(day, row, sources)
        for row in day.rows.tried(int(limits["addresses"])) if day.rows is not None else ():
            if row.key not in day.sources and row.key not in together and not self._expected(row.key, row.first):
                yield self._sketched(day, row, ())

    def _of_source(self, day: Day, key: str, seen: Seen, *, alone: bool = True) -> Iterator[Finding]:
        """What one source did. `alone`: what it did to many addresses is not told of its network."""
        limits = self._limits["Address_Scan"]
        many = len(seen.probed) + len(seen.visited) + seen.earlier.bit_count()
        if many < min(limits["addresses"], self._limits["Port_Scan"]["ports"]) or self._expected(key, seen.first):
            return
        scanned = Scan([seen], self._contacts)
        if alone and (len(scanned.tried) >= limits["addresses"] or len(scanned.all) >= limits["visited"]):
            yield self._address_scan(day, key, scanned, ())
        yield from self._port_scans(day, key, scanned)

    def _sketched_plans(self, day: Day) -> Iterator[tuple[str, tuple[Row, tuple[str, ...]]]]:
        """Network -> (what its sources did of which only rows are left, these sources)."""
        limits = self._limits["Address_Scan"]
        if day.rows is None:
            return
        for keys, row in day.rows.plans(int(limits["members"]), int(limits["addresses"]), day.answering):
            members = tuple(key for key in keys if not self._expected(key, row.first))
            if len(members) >= limits["members"]:
                network = _around(members[0])
                yield network, (row._replace(key=network), members)

    def _expected(self, key: str, ts: float) -> bool:
        """Whether a source is one of ours that stands for others, or a crawler."""
        ip = key.partition("/")[0]
        actor = self._actor(ip, ts)
        return actor.stands_for_others or "balancer" in actor.role or self._crawls(ip, ts)

    def _plans(self, day: Day) -> Iterator[tuple[str, dict[str, Seen]]]:
        """Networks whose sources share the addresses out among them: (network, source -> what it did)."""
        limits = self._limits["Address_Scan"]
        near: defaultdict[str, list[str]] = defaultdict(list)
        for key in (*(key for key, first in day.once.items() if first.probing), *day.sources):
            near[_around(key)].append(key)
        for network, keys in near.items():
            if len(keys) < limits["members"]:
                continue
            each = {key: day.sources.get(key) or self._contacts.alone(day.once[key]) for key in sorted(keys)}
            probing = {key: seen for key, seen in each.items() if seen.probed and not self._expected(key, seen.first)}
            sharing = _sharing(probing, day.open, int(limits["members"]), int(limits["addresses"]))
            if sharing:
                yield network, {key: seen for key, seen in probing.items() if key in sharing}

    def _address_scan(self, day: Day, key: str, scanned: Scan, members: tuple[str, ...]) -> Finding:
        addresses, count = self._contacts.addresses, len(scanned.all)
        evidence = scanned.evidence()
        every = tuple(range(1, len(evidence) + 1))
        least = "at least " if scanned.full else ""
        ports = _ports(scanned)
        who = f"{counted(len(members), 'source')} of {key}" if members else key
        what = f"tried {least}{len(scanned.tried):,} of our addresses"
        reasons = [Reason(15, f"{what} and talked to none of them", every)]
        talked = scanned.tried & {contact >> 18 for contact in scanned.visited}
        if talked:
            reasons[0] = Reason(15, what, every)
            reasons.append(Reason(10, f"talked to {len(talked)} of those that it found", every))
        elif not scanned.tried:
            reasons[0] = Reason(15, f"talked to {count} of our addresses, more than anybody has business with", every)
        dark = scanned.tried - day.answering
        if 2 * len(dark) >= len(scanned.tried) > 0:
            reasons.append(Reason(10, f"{len(dark)} of them answer nobody: there is nothing to visit", every))
        if members:
            reasons.append(Reason(15, f"{len(members)} sources of one network shared the addresses out", every))
        firsts: dict[int, float] = {}
        for contact, ts in (*scanned.probed.items(), *scanned.visited.items()):
            firsts[contact >> 18] = min(ts, firsts.get(contact >> 18, ts))
        return self._finding(
            "Address_Scan", (key,), day, scanned, members,
            ts=scanned.crossed(firsts.values(), int(self._limits["Address_Scan"]["addresses"])),
            targets=self._targets(addresses[number] for number in scanned.all),
            count=count, counted="addresses", reasons=tuple(reasons), evidence=evidence,
            msg=f"{who} tried {least}{counted(count, 'address', 'addresses')} of ours ({ports})",
        )  # fmt: skip

    def _port_scans(self, day: Day, key: str, scanned: Scan) -> Iterator[Finding]:
        by_address: defaultdict[int, dict[int, float]] = defaultdict(dict)
        for contact, ts in scanned.probed.items():
            by_address[contact >> 18][contact & 0x3FFFF] = ts
        for number, ports in sorted(by_address.items()):
            if len(ports) < self._limits["Port_Scan"]["ports"]:
                continue
            server = self._contacts.addresses[number]
            evidence = _of_one(scanned, key, server, ports)
            every = tuple(range(1, len(evidence) + 1))
            least = "at least " if scanned.full else ""
            reasons = [Reason(20, f"tried {least}{len(ports):,} ports of one address", every)]
            talked = {contact & 0xFFFF for contact in scanned.visited if contact >> 18 == number}
            if talked:
                found = ", ".join(map(str, sorted(talked)[:MOST_PORTS]))
                reasons.append(Reason(10, f"talked to what it found there (port {found})", every))
            yield self._finding(
                "Port_Scan", (key, server), day, scanned, (),
                ts=scanned.crossed(ports.values(), int(self._limits["Port_Scan"]["ports"])),
                span=(min(ports.values()), max(ports.values())),
                targets=self._targets([server]),
                count=len(ports), counted="ports", reasons=tuple(reasons), evidence=evidence,
                msg=f"{key} tried {least}{len(ports):,} ports of {server}",
            )  # fmt: skip

    def _sketched(self, day: Day, row: Row, members: tuple[str, ...]) -> Finding:
        """A scan of which only rows are left."""
        addresses, exact = self._contacts.addresses, self._contacts.exact
        tried = [addresses[number] for number in range(len(addresses)) if row.bits >> number & 1] if exact else []
        about = f"{'' if exact else 'about '}{row.tried}"
        reasons = [Reason(15, f"tried {about} of our addresses; too many sources came to keep more of it")]
        if members:
            reasons.append(Reason(15, f"{len(members)} sources of one network shared the addresses out"))
        actor = self._actor((members[0] if members else row.key).partition("/")[0], row.first)
        return Finding(
            id=notice_id("Address_Scan", (row.key,), day.start), closing=True, ts=row.last, note="Address_Scan",
            direction="probe", actor=Actor(row.key, actor.role, actor.trusted, members=members[:MOST_MEMBERS]),
            services=(), techniques=ACTIVE_SCANNING, targets=self._targets(tried), first=row.first, last=row.last,
            count=row.tried, counted="addresses", kinds=("conn",), reasons=tuple(reasons), evidence=(),
            evidence_total=0, msg=f"{row.key} tried {about} addresses of ours",
        )  # fmt: skip

    def _targets(self, ips: Iterable[str]) -> tuple[Target, ...]:
        targets = [Target("ip", ip, asset) for ip in ips if (asset := self._asset(ip)) is not None]
        return tuple(sorted(targets, key=lambda target: target.place)[:MOST_TARGETS])

    def _finding(
        self, note: str, key: tuple[str, ...], day: Day, scanned: Scan, members: tuple[str, ...], *,
        ts: float, targets: tuple[Target, ...], count: int, counted: str, reasons: tuple[Reason, ...],
        evidence: tuple[Evidence, ...], msg: str, span: tuple[float, float] | None = None,
    ) -> Finding:  # fmt: skip
        used = sorted(set().union(*(each.actors for each in scanned.seen)))
        one = used[0] if len(used) == 1 else key[0]
        base = self._actor(used[0], scanned.first)
        several = members or (tuple(used) if len(used) > 1 else ())
        actor = Actor(one, base.role, base.trusted, members=several[:MOST_MEMBERS])
        first, last = span or (scanned.first, scanned.last)
        return Finding(
            id=notice_id(note, key, day.start), closing=True, ts=ts, note=note, direction="probe", actor=actor,
            services=(), techniques=ACTIVE_SCANNING, targets=targets, first=first, last=last, count=count,
            counted=counted, kinds=("conn",), reasons=reasons, evidence=evidence, evidence_total=scanned.total, msg=msg,
        )  # fmt: skip


def _of_one(scanned: Scan, key: str, server: str, ports: Mapping[int, float]) -> tuple[Evidence, ...]:
    """The first and last contacts with one address."""
    known = {(each.ts, each.dst): each for each in scanned.evidence()}
    ends = sorted((ts, port) for port, ts in ports.items())
    if len(ends) > 2 * ENDS:
        ends = ends[:ENDS] + ends[-ENDS:]
    source = next(iter(known.values())).source if known else ""
    return tuple(
        known.get((ts, server))
        or Evidence(ts, "conn", source, None, key, server, None, f"{_port(port)}, left or in vain")
        for ts, port in ends
    )


def _port(port: int) -> str:
    what = NAMES[port >> 16].upper()
    return f"{what} echo request" if port >> 16 == ICMP else f"{what} to port {port & 0xFFFF}, in vain or left"


def _sharing(near: Mapping[str, Seen], doors: Set[int], members: int, addresses: int) -> set[str]:
    """The neighbours that share the addresses of one port out; `doors`: where anybody was answered.

    Neighbours who do something else are none of them: those who try other ports, those who try most addresses by
    themselves, and visitors whose visits failed, for these fail where others succeed.
    """
    by_port: defaultdict[int, dict[str, set[int]]] = defaultdict(dict)
    for key, seen in near.items():
        for contact in seen.probed.keys() - doors:
            by_port[contact & 0x3FFFF].setdefault(key, set()).add(contact >> 18)
    sharing: set[str] = set()
    for tried in by_port.values():
        times = Counter(number for numbers in tried.values() for number in numbers)
        total = times.total()
        left = sorted((len(numbers), key) for key, numbers in tried.items())
        while len(left) >= members and 2 * total > 3 * len(times):
            many, busiest = left.pop()
            total -= many
            for number in tried[busiest]:
                times[number] -= 1
                if not times[number]:
                    del times[number]
        if len(left) >= members and len(times) >= addresses:
            sharing.update(key for _, key in left)
    return sharing


def _around(key: str) -> str:
    """The network whose sources may act as one: a /24, or in IPv6 a /48."""
    if ":" in key:
        return str(ip_network(f"{key.partition('/')[0]}/48", strict=False))
    return key.rpartition(".")[0] + ".0/24"


def _ports(scanned: Scan) -> str:
    """What was tried, in words."""
    tried = sorted({contact & 0x3FFFF for contact in scanned.probed or scanned.visited})
    named = [NAMES[port >> 16].upper() + (f" {port & 0xFFFF}" if port >> 16 != 3 else "") for port in tried]
    return ", ".join(named) if len(named) <= MOST_PORTS else f"{len(named):,} ports"
