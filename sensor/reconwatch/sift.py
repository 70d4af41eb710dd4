"""Gives a visit its meaning, or drops it: who, which service, which of our assets, which technique. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal

from reconwatch.catalog import Catalog, Layer, Service
from reconwatch.catalog.world import Facts, World
from reconwatch.events import AnyEvent, Connection, DnsQuery, Hello, HttpRequest, WhoisQuery
from reconwatch.sightings import EVIDENCE_ENDS, Actor, Evidence, Sighting, Target, Walk, joined_users
from reconwatch.site import Site
from reconwatch.targets import LONGEST_TEXT, Assets, named_in, spellings
from reconwatch.visits import NAMES, Visit, Witnessed

LONGEST_REPEATED = 512
"""Characters of a request that is remembered with what it names."""

CERTIFICATES = "T1596.003"

_ENTRIES = re.compile(r"/ct/v1/get-entries\?(?:[^#]*&)?start=(?P<start>\d+)|/tile/(?:data|entries|0)/(?P<tile>[x\d/]+)")
"""A read of a log's entries: RFC 6962 section 4.6, and the tiles of the static CT API (c2sp.org/static-ct-api)."""

QTYPES = {1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 12: "PTR", 15: "MX", 16: "TXT", 28: "AAAA", 33: "SRV", 64: "SVCB",
          65: "HTTPS", 251: "IXFR", 252: "AXFR", 255: "ANY", 257: "CAA"}  # fmt: skip


class Sift:
    """A function of visit, catalog and site: the same visit always means the same.

    `sees_connections` says that the inputs would show a connection if there were one: then a name that was only
    resolved is no use of the service.
    """

    def __init__(
        self, catalog: Catalog, site: Site, *, world: World | None = None, sees_connections: bool = True
    ) -> None:
        self._catalog = catalog
        self._world = world or World(Facts())
        self._site = site
        self.sees_connections = sees_connections
        self._assets = Assets(site.owned.domains, site.owned.ranges, site.owned.asns, site.owned.brands)
        self._read_before = lru_cache(maxsize=4_096)(self._read)

    def sighting(self, visit: Visit) -> Sighting | None:
        """The lookup that the visit is; None if its client is none of ours, or its service has left the catalog."""
        service = self._catalog.services.get(visit.service)
        if service is None or not self._site.is_inside(visit.client):
            return None
        targets: set[Target] = set()
        naming: list[Witnessed] = []
        for witnessed in visit.events:
            named = frozenset() if witnessed.upstream else self._named(service, witnessed.event)
            if named:
                targets |= named
                naming.append(witnessed)
        own = [w for w in visit.events if not w.upstream]
        ct = transparency(service)
        upstream = [w for w in visit.events if w.upstream]
        shown = _ends(own)
        shown = sorted(shown + upstream[: 2 * EVIDENCE_ENDS - len(shown)], key=lambda w: w.event.ts)
        return Sighting(
            ts=visit.first,
            last=visit.last,
            actor=self._actor(visit),
            service=service.id,
            service_name=service.name,
            technique=service.technique,
            count=visit.count,
            counted=visit.counted,
            queries=len({_question(told.event, number) for number, told in enumerate(naming)}),
            targets=tuple(sorted(targets, key=lambda target: target.place)),
            kinds=tuple(sorted({witness_kind(w.event) for w in own})),
            target_kinds=tuple(sorted({witness_kind(w.event) for w in naming})),
            connected=visit.counted != NAMES or service.asked_in_dns or not self.sees_connections,
            strong=service.visit == "strong" and service.state == "active",
            evidence=tuple(map(evidence_of, shown)),
            evidence_total=len(visit.events),
            naming=tuple(map(evidence_of, _ends(naming))),
            naming_total=len(naming),
            minutes=visit.minutes,
            names=visit.names,
            continues=visit.continues,
            ordinary=service.visit == "ordinary",
            tools=self._tools(own),
            walked=tuple(self._walked(service, own)),
            ct=ct,
            ct_bulk=sum(_by_program(w.event) for w in own) if ct else 0,
            ct_starts=tuple(_starts(own)) if ct == "log" else (),
        )

    def _actor(self, visit: Visit) -> Actor:
        trust = self._site.trust(visit.client, visit.first, "lookup")
        return Actor(
            ip=visit.client,
            role=self._site.roles_of(visit.client),
            trusted=trust.reason if trust is not None else None,
            user=joined_users(w.event.user for w in visit.events if not w.upstream),
        )

    def _named(self, service: Service, event: AnyEvent) -> frozenset[Target]:
        """Our assets that one event names. A plain query for a name is no search, unless the query *is* the service."""
        if service.visit == "ordinary" or not self._assets:
            return frozenset()
        match event:
            case HttpRequest(uri=text, decoded=decoded):
                layer: Layer = "http"
            case WhoisQuery(line=text):
                layer, decoded = "whois", False
            case DnsQuery(name=text) if service.asked_in_dns:
                layer, decoded = "dns", False
            case _:
                return frozenset()
        # The same is asked again and again: by retries, monitors, page after page. Long texts are not worth their room.
        read = self._read_before if len(text) <= LONGEST_REPEATED else self._read
        return read(service.id, layer, text, decoded)

    def _read(self, service: str, layer: Layer, text: str, decoded: bool) -> frozenset[Target]:
        """Our assets that a text names in any spelling, or by the form of the query only (`/as/64496`)."""
        found: set[Target] = set()
        if layer == "http":
            found.update(*map(self._assets.find, spellings(text, decoded=decoded)))
        elif layer == "whois":
            found.update(self._assets.find(text))
        asked = self._catalog.asked(self._catalog.services[service], layer, text, decoded=decoded) or ()
        return frozenset(found.union(*map(self._assets.of, asked)))

    def _tools(self, events: list[Witnessed]) -> tuple[str, ...]:
        """The reconnaissance clients that requests give away, by name; what administrators use all day is none."""
        found = set()
        for told in events:
            match told.event:
                case HttpRequest(user_agent=str(agent)):
                    tool = self._world.tools_by_agent(agent)
                case WhoisQuery(line=line):
                    tool = self._world.tools_by_whois(line)
                case _:
                    continue
            if tool is not None and tool.kind != "everyday":
                found.add(tool.name)
        return tuple(sorted(found))

    def _walked(self, service: Service, events: list[Witnessed]) -> Iterator[Walk]:
        for told in events:
            match told.event:
                case DnsQuery(name=name) if service.asked_in_dns:
                    asked = self._catalog.asked(service, "dns", name) or ()
                case WhoisQuery(line=line):
                    asked = named_in(line)
                case _:
                    continue
            for named in asked:
                if named.kind == "ip":
                    yield Walk(told.event.ts, named.value, self._site.owned_range(named.value))


def transparency(service: Service) -> Literal["log", "search"] | None:
    """Whether a service is a log of certificate transparency, or searches them."""
    if "ct-log" in service.interface:
        return "log"
    return "search" if service.technique == CERTIFICATES else None


def _by_program(event: AnyEvent) -> bool:
    """Whether a request to a log or a search is one that a program makes and no page."""
    if not isinstance(event, HttpRequest):
        return False
    uri = event.uri[:LONGEST_TEXT]
    return "output=json" in uri or "/v1/issuances" in uri or _ENTRIES.search(uri) is not None


def _starts(events: list[Witnessed]) -> Iterator[tuple[float, str, int]]:
    for told in events:
        uri = told.event.uri[:LONGEST_TEXT] if isinstance(told.event, HttpRequest) else ""
        if found := _ENTRIES.search(uri):
            digits = re.sub("[^0-9]", "", found["start"] or found["tile"])
            yield told.event.ts, told.name + uri[: found.start()], int(digits[:15] or 0)


def _question(event: AnyEvent, number: int) -> object:
    """What counts as one search: a request; in DNS a name, whatever its types and retries."""
    return event.name if isinstance(event, DnsQuery) else number


def _ends(events: list[Witnessed]) -> list[Witnessed]:
    return events if len(events) <= 2 * EVIDENCE_ENDS else events[:EVIDENCE_ENDS] + events[-EVIDENCE_ENDS:]


def witness_kind(event: AnyEvent) -> str:
    """The kind as an input can or cannot hold it: Zeek has no log of HTTP/2, and QUIC needs an analyzer of its own."""
    match event:
        case Hello(transport="quic"):
            return "quic"
        case HttpRequest(version=version) if version is not None and version.startswith("2"):
            return "http2"
    return event.kind


def evidence_of(witnessed: Witnessed) -> Evidence:
    """An event as a person is shown it."""
    event = witnessed.event
    return Evidence(
        ts=event.ts,
        kind=witness_kind(event),
        source="+".join((event.source, *sorted(witnessed.also))),
        uid=event.uid,
        src=event.client,
        dst=event.server,
        host=witnessed.name if witnessed.name not in (event.server, "") else None,
        detail=("upstream: " if witnessed.upstream else "") + _detail(event) + as_user(event),
    )


def as_user(event: AnyEvent) -> str:
    """Who acted, in words; nothing if no log names a user."""
    return "" if event.user is None else f" (user {event.user})"


def to_port(event: AnyEvent) -> str:
    """Where an event went, in words; nothing if its source does not know."""
    return "" if event.server_port is None else f" to port {event.server_port}"


def _detail(event: AnyEvent) -> str:
    match event:
        case HttpRequest(method=method, uri=uri):
            return f"{method} {uri}"
        case WhoisQuery(line=line):
            return line
        case DnsQuery(name=name, qtype=qtype):
            return f"{QTYPES.get(qtype, qtype)} {name}" if qtype is not None else f"answer to a query for {name}"
        case Hello(transport="connect"):
            return f"CONNECT through {event.server or 'a proxy'}"
        case Hello(transport=transport):
            return f"{transport.upper()} hello{to_port(event)}"
        case Connection(proto=proto):
            return f"{proto.upper()} connection to port {event.server_port}, server named by DNS"
    return event.kind
