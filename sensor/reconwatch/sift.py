"""Gives a visit its meaning, or drops it: who, which service, which of our assets, which technique. Pure."""

from __future__ import annotations

from reconwatch.catalog import Catalog, Service
from reconwatch.events import AnyEvent, Connection, DnsQuery, Hello, HttpRequest, WhoisQuery
from reconwatch.sightings import EVIDENCE_ENDS, Actor, Evidence, Sighting, Target
from reconwatch.site import Site
from reconwatch.targets import Assets, spellings
from reconwatch.visits import NAMES, Visit, Witnessed

QTYPES = {1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 12: "PTR", 15: "MX", 16: "TXT", 28: "AAAA", 33: "SRV", 64: "SVCB",
          65: "HTTPS", 251: "IXFR", 252: "AXFR", 255: "ANY", 257: "CAA"}  # fmt: skip


class Sift:
    """A function of visit, catalog and site: the same visit always means the same.

    `sees_connections` says that the inputs would show a connection if there were one: then a name that was only
    resolved is no use of the service.
    """

    def __init__(self, catalog: Catalog, site: Site, *, sees_connections: bool = True) -> None:
        self._catalog = catalog
        self._site = site
        self._sees_connections = sees_connections
        self._assets = Assets(site.owned.domains, site.owned.ranges, site.owned.asns, site.owned.brands)

    def sighting(self, visit: Visit) -> Sighting | None:
        """The lookup that the visit is; None if its client is not one of ours."""
        if not self._site.is_inside(visit.client):
            return None
        service = self._catalog.services[visit.service]
        targets: set[Target] = set()
        naming: list[Witnessed] = []
        for witnessed in visit.events:
            named = frozenset() if witnessed.upstream else self._named(service, witnessed.event)
            if named:
                targets |= named
                naming.append(witnessed)
        own = [w for w in visit.events if not w.upstream]
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
            connected=visit.counted != NAMES or service.asked_in_dns or not self._sees_connections,
            strong=service.visit == "strong",
            evidence=tuple(map(_evidence, shown)),
            evidence_total=len(visit.events),
            naming=tuple(map(_evidence, _ends(naming))),
        )

    def _actor(self, visit: Visit) -> Actor:
        trust = self._site.trust(visit.client, visit.first, "lookup")
        return Actor(
            ip=visit.client,
            role=self._site.roles_of(visit.client),
            trusted=trust.reason if trust is not None else None,
        )

    def _named(self, service: Service, event: AnyEvent) -> frozenset[Target]:
        """Our assets that one event names. A plain query for a name is no search, unless the query *is* the service."""
        match event:
            case HttpRequest(uri=uri, decoded=decoded):
                return frozenset().union(*map(self._assets.find, spellings(uri, decoded=decoded)))
            case WhoisQuery(line=line):
                return self._assets.find(line)
            case DnsQuery(name=name) if service.asked_in_dns:
                asked = self._catalog.asked(service, "dns", name) or ()
                return frozenset().union(*map(self._assets.of, asked))
        return frozenset()


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


def _evidence(witnessed: Witnessed) -> Evidence:
    event = witnessed.event
    return Evidence(
        ts=event.ts,
        kind=witness_kind(event),
        source="+".join((event.source, *sorted(witnessed.also))),
        uid=event.uid,
        src=event.client,
        dst=event.server,
        host=witnessed.name if witnessed.name != event.server else None,
        detail=("upstream: " if witnessed.upstream else "") + _detail(event),
    )


def _detail(event: AnyEvent) -> str:
    match event:
        case HttpRequest(method=method, uri=uri):
            return f"{method} {uri}"
        case WhoisQuery(line=line):
            return line
        case DnsQuery(name=name, qtype=qtype):
            return f"{QTYPES.get(qtype, qtype)} {name}" if qtype is not None else f"answer to a query for {name}"
        case Hello(transport="connect"):
            return f"CONNECT through {event.server}"
        case Hello(transport=transport):
            return f"{transport.upper()} hello to port {event.server_port}"
        case Connection(proto=proto):
            return f"{proto.upper()} connection to port {event.server_port}, server named by DNS"
    return event.kind
