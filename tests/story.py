"""Short ways to say what happened on the wire, for tests that read like a story."""

from __future__ import annotations

import ipaddress
from typing import Any

from reconwatch.catalog import Catalog, Query, Service
from reconwatch.events import Connection, DnsAnswer, DnsQuery, Hello, HttpRequest, WhoisQuery
from reconwatch.sightings import Actor, Evidence, Probe, Sighting, Target, Walk
from reconwatch.site import Owned, Roles, Site

NOON = 1_795_521_600.0
"""2026-11-24T12:00:00Z."""
HOST, OTHER, RESOLVER, PROXY = "10.20.1.11", "10.20.1.12", "10.20.0.53", "10.20.0.80"
STRANGER, WEB = "192.0.2.66", "203.0.113.10"
SERVER, UPSTREAM = "198.18.4.2", "198.18.0.1"
NAMESERVER = "203.0.113.53"

CATALOG = Catalog(
    [
        Service("crt-sh", "crt.sh", "Sectigo", "T1596.003", ("crt.sh",), queries=(Query("http", "/?q={text}"),)),
        Service("ip-api", "IP-API", "IP-API", "T1596.005", ("ip-api.com",), visit="weak"),
        Service("ripe-whois", "RIPE WHOIS", "RIPE NCC", "T1596.002", ("=whois.ripe.net",), visit="weak"),
        Service("shodan", "Shodan", "Shodan", "T1596.005", ("shodan.io",)),
        Service(
            "team-cymru-dns",
            "Team Cymru",
            "Team Cymru",
            "T1596.001",
            ("origin.asn.cymru.com", "=asn.cymru.com"),
            queries=(Query("dns", "{reversed}.origin.asn.cymru.com"),),
        ),
        Service("transparency", "Google CT", "Google", "T1596.003", ("www.google.com/transparencyreport",)),
        Service("whois", "WHOIS", "many", "T1596.002", (), port=43, visit="weak"),
    ]
)

SITE = Site(
    owned=Owned(
        domains=("acme-widgets.com",),
        ranges=(ipaddress.ip_network("203.0.113.0/24"),),
        asns=(64496,),
        brands=("acme widgets",),
    ),
    inside=(ipaddress.ip_network("10.0.0.0/8"),),
    roles=Roles(resolvers=(ipaddress.ip_network(RESOLVER),), proxies=(ipaddress.ip_network(PROXY),)),
)


def query(after: float, name: str, client: str = HOST, *, qtype: int = 1, port: int = 40000, told: int = 0) -> DnsQuery:
    """A DNS question, `after` seconds past noon; `told` is the input that told it."""
    server = UPSTREAM if client == RESOLVER else RESOLVER
    return DnsQuery(
        ts=NOON + after, client=client, client_port=port, server=server, server_port=53, source=f"input{told}",
        input=told, name=name, qtype=qtype,
    )  # fmt: skip


def answer(after: float, name: str, address: str = SERVER, client: str = HOST, *, ttl: float = 60) -> DnsAnswer:
    """The resolver's answer to it."""
    return DnsAnswer(
        ts=NOON + after, client=client, server=RESOLVER, server_port=53, source="input0", name=name,
        addresses=((address, ttl),),
    )  # fmt: skip


def hello(
    after: float, name: str | None, client: str = HOST, *, port: int = 50000, server: str = SERVER, told: int = 0,
    transport: str = "tls",
) -> Hello:  # fmt: skip
    """A TLS hello."""
    return Hello(
        ts=NOON + after, client=client, client_port=port, server=server, server_port=443, source=f"input{told}",
        input=told, name=name, transport=transport,
    )  # fmt: skip


def get(
    after: float, host: str, uri: str, client: str = HOST, *, port: int = 51000, server: str = SERVER, told: int = 0,
    decoded: bool = False,
) -> HttpRequest:  # fmt: skip
    """A request in clear text."""
    return HttpRequest(
        ts=NOON + after, client=client, client_port=port, server=server, server_port=80, source=f"input{told}",
        input=told, method="GET", host=host, uri=uri, decoded=decoded,
    )  # fmt: skip


def whois(after: float, line: str, client: str = HOST, *, port: int = 52000, server: str = SERVER) -> WhoisQuery:
    """A line to port 43."""
    return WhoisQuery(
        ts=NOON + after, client=client, client_port=port, server=server, server_port=43, source="input0", line=line,
    )  # fmt: skip


def connection(
    after: float, server_port: int, client: str = HOST, *, port: int = 52000, server: str = SERVER,
    service: str | None = None, established: bool | None = True, told: int = 0,
) -> Connection:  # fmt: skip
    """A connection as such."""
    return Connection(
        ts=NOON + after, client=client, client_port=port, server=server, server_port=server_port,
        source=f"input{told}", input=told, service=service, established=established,
    )  # fmt: skip


def sighting(
    after: float = 0, *, service: str = "shodan", actor: str = HOST, role: str = "host", trusted: str | None = None,
    count: int = 1, counted: str = "connections", technique: str = "T1596.005", targets: tuple[str, ...] = (),
    queries: int | None = None, connected: bool = True, strong: bool = True, tools: tuple[str, ...] = (),
    walked: tuple[str, ...] = (), ct: str | None = None, starts: tuple[int, ...] = (),
) -> Sighting:  # fmt: skip
    """A visit with its meaning."""
    ts = NOON + after
    kind = {"http requests": "http", "dns names": "dns"}.get(counted, "tls")
    proof = Evidence(ts, kind, "capture", None, actor, SERVER, f"{service}.example", f"visit at {after}")
    return Sighting(
        ts=ts,
        last=ts,
        actor=Actor(actor, (role,), trusted),
        service=service,
        service_name=service.title(),
        technique=technique,
        count=count,
        counted=counted,
        queries=len(targets) if queries is None else queries,
        targets=tuple(Target("ip", value, "203.0.113.0/24") for value in sorted(targets)),
        kinds=(kind,),
        target_kinds=(kind,) if targets else (),
        connected=connected,
        strong=strong,
        evidence=(proof,),
        evidence_total=1,
        naming=(proof,) if targets else (),
        naming_total=len(targets) if queries is None else queries,
        minutes=((int(ts // 60), count),),
        names=tuple(f"{service}-{n}.example" for n in range(count)) if counted == "dns names" else (),
        tools=tools,
        walked=tuple(Walk(ts + n, ip, "203.0.113.0/24") for n, ip in enumerate(walked)),
        ct=ct,
        ct_bulk=count if ct else 0,
        ct_starts=tuple((ts + n, "log", start) for n, start in enumerate(starts)),
    )


def probe(
    at: float = 0, *, client: str = STRANGER, server: str = WEB, port: int | None = 443, kind: str = "conn",
    role: str = "host", trusted: str | None = None, asset: str | None = "203.0.113.0/24", **facts: Any,
) -> Probe:  # fmt: skip
    """What somebody outside did to an address of ours; `facts` are further fields of `Probe`."""
    proof = Evidence(NOON + at, kind, "capture", None, client, server, facts.get("name"), f"probe at {at}")
    return Probe(NOON + at, Actor(client, (role,), trusted), server, port, asset, kind, proof, **facts)


def dns_probe(
    after: float = 0, kind: str = "dns", *, actor: str = STRANGER, role: str = "host", trusted: str | None = None,
    server: str = NAMESERVER, port: int | None = 53, asset: str | None = "203.0.113.0/24", **facts: Any,
) -> Probe:  # fmt: skip
    """What somebody outside asked our name server; `facts` are further fields of `Probe`."""
    ts = NOON + after
    proof = Evidence(ts, kind, "capture", None, actor, server, facts.get("name"), f"{kind} {facts.get('qtype')}")
    return Probe(
        ts=ts, actor=Actor(actor, (role,), trusted), server=server, port=port, asset=asset, kind=kind, evidence=proof,
        **facts,
    )  # fmt: skip
