"""A visit with its meaning: who, which service, which of our assets, which technique."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

import msgspec

EVIDENCE_ENDS = 10
"""A notice keeps this many of its first and as many of its last pieces of evidence."""


MOST_USERS = 8
"""Users whom a notice lists, the first by name; beyond, it says that there are more."""

_AND_MORE = "..."

Place = tuple[float, str, str, str, str, str, str, str]
"""What evidence is sorted by."""


class Actor(msgspec.Struct, frozen=True, order=True):
    """Who acted. Fields of the outside contract (DESIGN.md section 6); what no input told is None."""

    ip: str
    role: tuple[str, ...] = ("host",)
    trusted: str | None = None
    """Why the site trusts this party at the time of the event."""
    user: str | None = None
    """Of several users all names, joined by a comma and a blank, which no single name holds; see `joined_users`."""
    host: str | None = None
    mac: str | None = None
    sensor: str | None = None
    vlan: int | None = None
    members: tuple[str, ...] = ()

    @property
    def stands_for_others(self) -> bool:
        """A resolver, proxy or NAT: its lookups are its clients', so its rate and breadth mean nothing."""
        return not {"resolver", "proxy", "nat"}.isdisjoint(self.role)


def joined_users(said: Iterable[str | None]) -> str | None:
    """`Actor.user` of several that were said, whatever their order: each name once, sorted; at most `MOST_USERS`."""
    names = {name for each in said if each is not None for name in each.split(", ")}
    known = sorted(names - {_AND_MORE})
    if len(known) > MOST_USERS or _AND_MORE in names:
        known = [*known[:MOST_USERS], _AND_MORE]
    return ", ".join(known) or None


class Target(msgspec.Struct, frozen=True):
    """One of our assets, as it was named."""

    kind: Literal["domain", "ip", "range", "asn", "brand"]
    value: str
    """As named, canonical: `www.acme-widgets.com`, `203.0.113.10`, `203.0.113.0/24`, `AS64496`, `acme widgets`."""
    asset: str
    """The line of site.yaml that owns it."""

    @property
    def place(self) -> tuple[str, tuple[int | str, ...], str]:
        """A key to sort by as people read: 203.0.113.9 before 203.0.113.10, a range at its first address."""
        words = re.split(r"(\d+)", self.value) if self.kind in ("ip", "range", "asn") else [self.value]
        # Odd places hold numbers, even ones text, so that like is always compared with like.
        return self.kind, tuple(int(word) if i % 2 else word for i, word in enumerate(words)), self.asset


class Evidence(msgspec.Struct, frozen=True, gc=False):
    """One event as a person is shown it."""

    ts: float
    kind: str
    source: str
    """The source that told it; other witnesses are appended with `+`: `capture+zeek/http`."""
    uid: str | None
    src: str | None
    """None: nobody was seen (an entry of a log)."""
    dst: str | None
    host: str | None
    detail: str

    @property
    def place(self) -> Place:
        """By time, then by all of its content, so that evidence sorts alike whatever the order of its arrival."""
        return (
            self.ts,
            self.kind,
            self.src or "",
            self.dst or "",
            self.host or "",
            self.detail,
            self.source,
            self.uid or "",
        )


class Walk(msgspec.Struct, frozen=True, gc=False):
    """One address that a registry or a reverse zone was asked about."""

    ts: float
    ip: str
    asset: str | None
    """The line of site.yaml that owns it, if it is ours."""


class Sighting(msgspec.Struct, frozen=True, tag_field="type", tag="lookup"):
    """A visit that means something. Pure data: a function of the visit, the catalog and the site."""

    ts: float
    last: float
    actor: Actor
    service: str
    service_name: str
    technique: str
    count: int
    counted: str
    queries: int
    """Requests among the visit's events that name an owned asset."""
    targets: tuple[Target, ...]
    kinds: tuple[str, ...]
    """The kinds of event it rests on, sorted: what an input must hold to show it."""
    target_kinds: tuple[str, ...]
    """The kinds of event that named the targets."""
    connected: bool
    """The service was used, not only its name resolved (or resolving it *is* the use, as with Team Cymru's DNS)."""
    strong: bool
    """A bare visit is a signal; weak for services that ordinary pages and products also contact."""
    evidence: tuple[Evidence, ...]
    """At most the first and the last `EVIDENCE_ENDS` of its events."""
    evidence_total: int
    naming: tuple[Evidence, ...]
    """At most the first and the last `EVIDENCE_ENDS` of the requests that name our assets."""
    naming_total: int = 0
    """How many requests name our assets, repeated ones too."""
    minutes: tuple[tuple[int, int], ...] = ()
    """(minute since the epoch, how much of `count` falls into it)."""
    names: tuple[str, ...] = ()
    """The distinct names, where names are what is counted."""
    continues: bool = False
    """No pause came before it: a long visit was cut here."""
    ordinary: bool = False
    """No use of a database by itself: reverse names of our own ranges."""
    tools: tuple[str, ...] = ()
    """Names of reconnaissance clients that its requests give away."""
    walked: tuple[Walk, ...] = ()
    """Addresses asked about in DNS or WHOIS, in order of time."""
    ct: Literal["log", "search"] | None = None
    """It goes to a certificate transparency log, or to a search over them."""
    ct_bulk: int = 0
    """Requests that programs make, not people: a log's entries, a search's answer as JSON."""
    ct_starts: tuple[tuple[float, str, int], ...] = ()
    """(time, log, first entry) of each read of a log's entries."""


class Bait(msgspec.Struct, frozen=True):
    """A bait of site.yaml that was touched."""

    kind: Literal["name", "address", "path"]
    value: str
    planted: str | None


class Indicated(msgspec.Struct, frozen=True, order=True):
    """An indicator of threat intelligence that was touched."""

    kind: str
    """`domain`, `ip`, `range`, `url`, `agent`, `ja3` or `ja4`."""
    value: str
    """As the feed lists it: of `login.evil.example` the domain above it may be what is listed."""
    confidence: int
    """The highest of all feeds that list it at the time."""
    sources: tuple[str, ...]
    """Who lists it, sorted."""
    by: Literal["name", "url", "server", "client", "agent", "ja3", "ja4"]
    """What of the event is listed."""


class Scanned(msgspec.Struct, frozen=True):
    """The crawler that a probe comes from."""

    id: str
    """Of the catalog's scanners."""
    name: str
    operator: str
    databases: tuple[str, ...]
    """Catalog ids of the services that it fills."""
    kind: Literal["database", "survey", "on-demand"]
    by: tuple[Literal["range", "name", "agent"], ...]
    """What gave it away: a listed range, its reverse name, its user agent."""
    sure: bool
    """A range of its own, a confirmed name, or a rented address and a second sign that agrees: a name, an agent or a
    rented address alone can be anybody's."""
    called: str | None = None
    """The reverse name that gave it away, as far as an input shows it."""
    confirmed: bool = False
    """That name was seen to give the address back."""

    @property
    def known(self) -> bool:
        """Whether anything but its own word says who it is: whoever holds an address writes its reverse name."""
        return self.confirmed or "range" in self.by


class Identity(msgspec.Struct, frozen=True, order=True):
    """What tells certificates apart, and every input has of one that it describes; what is not told is ""."""

    subject: str
    """Its common name; the first of its names, if it has none."""
    issuer: str
    serial: str
    own: bool
    """Its owner signed it."""
    sha256: str
    """Only of one that no input describes."""

    @property
    def is_described(self) -> bool:
        """Whether any input says more of it than that it was there."""
        return bool(self.subject or self.issuer or self.serial)

    @property
    def in_words(self) -> str:
        """As it stands in a sentence."""
        if not self.is_described:
            return f"a certificate that no input describes (SHA-256 {self.sha256 or 'unknown'})"
        by = "self-signed" if self.own else f"issued by {self.issuer}" if self.issuer else ""
        number = f"serial {self.serial}" if self.serial else ""
        more = ", ".join(filter(None, (by, number)))
        return f"the certificate of {self.subject or 'nobody'}{f' ({more})' if more else ''}"


class Shown(msgspec.Struct, frozen=True):
    """A certificate that a server of ours showed."""

    identity: Identity
    names: tuple[str, ...] = ()
    sha256: str | None = None


class Sought(msgspec.Struct, frozen=True):
    """A path of the catalog that a request asks for."""

    id: str
    what: str
    """What it looks for, as it stands in a sentence: `a Git repository`."""
    strong: bool
    """Only a scanner asks for it."""
    test: bool = False
    """No server has it: the scanner tests how the server answers."""


class Exposed(msgspec.Struct, frozen=True):
    """How a name of ours became known to whoever reads certificate transparency logs."""

    ts: float
    source: str
    """Who told: `crt.sh`, `zeek/x509`, ..."""
    published: bool
    """A log told; else the certificate was seen on its way, and it is taken that its authority published it."""
    watched: bool = False
    """The inputs hold probes from before: who came before would have been seen."""


class Alike(msgspec.Struct, frozen=True):
    """A name that resembles one of ours."""

    name: str
    domain: str
    """Ours."""
    how: str
    points: int


class Publication(msgspec.Struct, frozen=True, tag_field="type", tag="publication"):
    """A certificate that says something of us. Pure data: a function of the event and site."""

    ts: float
    names: tuple[Target, ...]
    """Of ours, as it spells them."""
    alike: tuple[Alike, ...]
    baits: tuple[Bait, ...]
    issuer: str | None
    serial: str | None
    unexpected: bool
    """By none of the authorities that the site says it uses."""
    published: bool
    """A log holds it."""
    evidence: Evidence


class Alarm(msgspec.Struct, frozen=True, tag_field="type", tag="alarm"):
    """A notice that Zeek raised, with its meaning. Pure data: a function of the event and site."""

    ts: float
    note: str
    """Of the package inside Zeek without its module, as in `notices.NOTES`; of others as Zeek spells it."""
    ours: bool
    """Of the package inside Zeek."""
    direction: Literal["lookup", "probe"]
    actor: Actor
    msg: str
    evidence: Evidence
    count: int = 1
    score: int = 0
    techniques: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    targets: tuple[Target, ...] = ()


class Probe(msgspec.Struct, frozen=True, tag_field="type", tag="probe"):
    """One thing that somebody outside did to an asset of ours. Pure data: a function of the event, catalog and site."""

    ts: float
    actor: Actor
    server: str | None
    port: int | None
    asset: str | None
    """The line of site.yaml that owns the server; None where the bait alone makes it a probe."""
    kind: str
    """The kind of event that told it, as an input can or cannot hold it."""
    evidence: Evidence
    name: str | None = None
    """The server name, host or asked name; None if there was none."""
    zone: str | None = None
    """Our domain that the name is, or is under."""
    exposed: Exposed | None = None
    """How the name became known, within days of the probe."""
    proto: str | None = None
    """Of a connection, and of what goes over one."""
    opening: bool | None = None
    answered: bool | None = None
    established: bool | None = None
    spoke: bool | None = None
    """Of a connection, each None where the source cannot tell; see `events.Connection`."""
    qtype: int | None = None
    rcode: int | None = None
    """Of an answer."""
    records: int | None = None
    walked: bool = False
    secondary: bool = False
    """Of the party that acts: the site lets it transfer our zones."""
    reverse: Target | None = None
    """The address or range of ours that a reverse name stands for."""
    method: str | None = None
    uri: str | None = None
    agent: str | None = None
    fronted: str | None = None
    """Of a request: the name in its hello, if that belongs to somebody else than its host."""
    status: int | None = None
    banner: str | None = None
    """Of a connection: the first words of the server."""
    certificate: Shown | None = None
    """Of a handshake: what the server showed."""
    scanner: Scanned | None = None
    tool: str | None = None
    """Name of a scanning client that it gives away, by user agent or by path."""
    wordlist: bool = False
    """The client is one that tries the words of a list."""
    paths: tuple[Sought, ...] = ()
    alpn: tuple[str, ...] = ()
    """Of a hello, as far as the source tells it."""
    inside: bool = False
    """The actor is on our side of the sensor: a bait alone makes it a probe."""
    canaries: tuple[Bait, ...] = ()
    indicators: tuple[Indicated, ...] = ()
