"""What scan databases have collected of us, address by address and port by port: what a search about us would show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Literal

import msgspec

from reconwatch.sightings import Identity, Probe, Scanned, Shown
from reconwatch.touched import Touched, proto_and_port, touched
from reconwatch.windows import keep_smallest

MOST_ROWS = 100_000
"""Ports of our addresses, by crawler, that are told: some 50 MB. What comes beyond is counted."""
MOST_TOLD = 10
"""Statuses, names and addresses of crawlers that are told of one port or address: the smallest."""

KINDS = ("database", "survey", "on-demand")
"""In the order of what they mean: anybody can search it; its operator keeps it; somebody asked for it."""


class Port(msgspec.Struct, frozen=True):
    """What one crawler got from one port of one address. What no input told is None."""

    proto: str
    port: int | None
    """None for ICMP."""
    first: float
    last: float
    opened: bool | None
    """More than the opening was exchanged; None over UDP and ICMP."""
    answered: bool | None
    http_statuses: tuple[int, ...] | None
    banners: tuple[str, ...] | None
    """The first words of the server, where the input has them."""
    server_names: tuple[str, ...] | None
    """Of TLS hellos and HTTP requests; empty if it asked for none."""
    certificates: tuple[Shown, ...] | None = None
    """What the server showed it, which is in the clear up to TLS 1.2."""


class Exposure(msgspec.Struct, frozen=True):
    """What one crawler collected from one address of ours."""

    asset: str
    """The line of site.yaml that owns the address."""
    address: str
    scanner: str
    """Id in the catalog's scanners."""
    name: str
    operator: str
    kind: Literal["database", "survey", "on-demand"]
    databases: tuple[tuple[str, str], ...]
    """(id, name) of the databases that it fills."""
    listed: bool
    """False: nothing but its own word, a user agent or a reverse name, says who it is."""
    sure: bool
    """False: what came from these addresses may be somebody else's."""
    sources: tuple[str, ...]
    """Addresses that it came from, the lowest first."""
    first: float
    last: float
    ports: tuple[Port, ...]


@dataclass(slots=True)
class _Row:
    first: float
    last: float
    opened: bool | None = None
    answered: bool | None = None
    statuses: list[int] = field(default_factory=list)
    banners: list[str] = field(default_factory=list)
    named: bool = False
    """A hello or request was seen, with a name or without."""
    names: list[str] = field(default_factory=list)
    shown: dict[Identity, Shown] = field(default_factory=dict)

    def show(self, shown: Shown) -> None:
        """Take a certificate: the smallest `MOST_TOLD`, of each the most that any input says."""
        known = self.shown.get(shown.identity, shown)
        names = max(known.names, shown.names, key=lambda names: (len(names), names))
        sha256 = max(filter(None, (known.sha256, shown.sha256)), default=None)
        self.shown[shown.identity] = Shown(shown.identity, names, sha256)
        if len(self.shown) > MOST_TOLD:
            del self.shown[max(self.shown)]

    def add(self, probe: Probe, found: Touched) -> None:
        self.first, self.last = min(self.first, probe.ts), max(self.last, probe.ts)
        if probe.proto == "tcp":
            self.opened = bool(self.opened or found.conversed or probe.kind != "conn")
        if found.collected:
            self.answered = True
        elif probe.answered is False:
            self.answered = bool(self.answered)
        if probe.status is not None:
            keep_smallest(self.statuses, probe.status, MOST_TOLD)
        if probe.banner is not None:
            keep_smallest(self.banners, probe.banner, MOST_TOLD)
        if probe.kind in ("tls", "http"):
            self.named = True
            if probe.name is not None:
                keep_smallest(self.names, probe.name, MOST_TOLD)

    def port(self, door: int) -> Port:
        proto, port = proto_and_port(door)
        names = tuple(self.names) if self.named else None
        statuses, banners = tuple(self.statuses) or None, tuple(self.banners) or None
        shown = [self.shown[identity] for identity in sorted(self.shown)]
        shown = [each for each in shown if each.identity.is_described] or shown
        certificates = tuple(shown) or None
        return Port(
            proto, port, self.first, self.last, self.opened, self.answered, statuses, banners, names, certificates
        )


@dataclass(slots=True)
class _Crawled:
    scanner: Scanned
    asset: str
    sources: dict[str, bool] = field(default_factory=dict)
    """Address of the crawler -> whether it surely is one; the lowest `MOST_TOLD`."""
    rows: dict[int, _Row] = field(default_factory=dict)

    def came_from(self, ip: str, *, sure: bool) -> None:
        self.sources[ip] = sure or self.sources.get(ip, False)
        if len(self.sources) > MOST_TOLD:
            del self.sources[max(self.sources, key=_numbers)]


class Exposures:
    """Probes in, exposures out. Pure; the order of the probes matters only to what there is no room for."""

    def __init__(self, databases: Mapping[str, str] | None = None) -> None:
        self._names = databases or {}
        self._crawled: dict[tuple[str, str, bool], _Crawled] = {}
        self._rows = 0
        self.left_out = 0
        """Probes of ports for which there was no room."""

    def observe(self, probe: Probe) -> None:
        """Take what a crawler did; the doings of others are passed over."""
        if probe.scanner is None or probe.server is None or probe.asset is None or (found := touched(probe)) is None:
            return
        key = (probe.server, probe.scanner.id, probe.scanner.known)
        crawled = self._crawled.get(key)
        row = None if crawled is None else crawled.rows.get(found.door)
        if row is None:
            if self._rows >= MOST_ROWS:
                self.left_out += 1
                return
            self._rows += 1
            if crawled is None:
                crawled = self._crawled[key] = _Crawled(probe.scanner, probe.asset)
            row = crawled.rows[found.door] = _Row(probe.ts, probe.ts)
        assert crawled is not None
        row.add(probe, found)
        if probe.certificate is not None:
            row.show(probe.certificate)
        crawled.came_from(probe.actor.ip, sure=probe.scanner.sure)

    def exposures(self) -> Iterator[Exposure]:
        """By line of site.yaml, address, and crawler: databases first, and who is listed before who only says so."""
        for key in sorted(self._crawled, key=self._place):
            yield self._exposure(key)

    def _place(self, key: tuple[str, str, bool]) -> tuple[object, ...]:
        address, scanner, listed = key
        crawled = self._crawled[key]
        return *_numbers(crawled.asset), *_numbers(address), not listed, KINDS.index(crawled.scanner.kind), scanner

    def _exposure(self, key: tuple[str, str, bool]) -> Exposure:
        address, _, listed = key
        crawled = self._crawled[key]
        scanner = crawled.scanner
        return Exposure(
            asset=crawled.asset,
            address=address,
            scanner=scanner.id,
            name=scanner.name,
            operator=scanner.operator,
            kind=scanner.kind,
            databases=tuple((each, self._names.get(each, each)) for each in scanner.databases),
            listed=listed,
            sure=all(crawled.sources.values()),
            sources=tuple(sorted(crawled.sources, key=_numbers)),
            first=min(row.first for row in crawled.rows.values()),
            last=max(row.last for row in crawled.rows.values()),
            ports=tuple(row.port(door) for door, row in sorted(crawled.rows.items())),
        )


@lru_cache(maxsize=4_096)
def _numbers(network: str) -> tuple[int, int, int]:
    """A place in the order of numbers: 203.0.113.9 before 203.0.113.10, IPv4 before IPv6."""
    if "/" not in network:
        address = ip_address(network)
        return address.version, int(address), 0
    found = ip_network(network, strict=False)
    return found.version, int(found.network_address), found.prefixlen
