"""Gives what comes from outside its meaning, or drops it: who does what to which asset of ours. Pure.

A probe is a single event: what belongs together is for the detectors to say, for it is what differs between them.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, lru_cache
from ipaddress import ip_network
from typing import Any, Literal

from msgspec import structs

from reconwatch.catalog.world import Facts, Scanner, World
from reconwatch.domains import registrable
from reconwatch.events import (
    AnyEvent,
    Connection,
    DnsAnswer,
    DnsQuery,
    Hello,
    HttpRequest,
    Listed,
    Presented,
    told_name,
)
from reconwatch.interest import Interest
from reconwatch.listed import evidence_of_listed, has_spoken, indicated
from reconwatch.reverse_names import Called, ReverseNames
from reconwatch.sift import QTYPES, evidence_of, to_port, witness_kind
from reconwatch.sightings import (
    Actor,
    Bait,
    Evidence,
    Exposed,
    Identity,
    Indicated,
    Probe,
    Scanned,
    Shown,
    Sought,
    Target,
)
from reconwatch.site import Canary, Site
from reconwatch.sources.spelling import canonical
from reconwatch.special import Special
from reconwatch.targets import unreversed
from reconwatch.visits import Witnessed
from reconwatch.witnesses import Witnesses

REPLYING = frozenset({*range(1, 1024), 1434, 1900, 3283, 3478, 3702, 5353, 5683, 10001, 11211})
"""Ports that servers answer from over UDP: DNS, NTP, QUIC, and above 1023 STUN and those that amplify floods. Not
5060: who tries telephones comes from it."""

EPHEMERAL = 32_768
"""Ports from here on are those of clients (Linux; others begin higher)."""

MOST_GREETINGS = 20_000
"""Flows whose hello is remembered, at 200 bytes."""

MOST_DESCRIBED = 50_000
"""Certificates that are kept, at 500 bytes: more than Zeek sees in a day, ours and others', of which it tells each."""

MOST_LETTERS = 128
"""Of a name in a certificate, which its owner chooses; a common name has 64 at most (X.520)."""

WATCHED_BEFORE = 3600.0
"""Seconds for which a name went unvisited before it is said to have been unknown."""

REVERSE_ZONES = {".in-addr.arpa": 4, ".ip6.arpa": 6}

_STATUS = re.compile(r"HTTP/1\.[01] ([1-5]\d\d)\b")

RCODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED", 9: "NOTAUTH"}


def interest_of(site: Site, world: World | None = None) -> Interest:
    """What a site's owner needs to see of what is sent to his networks, and of his baits wherever they turn up.

    Whom his proxies and balancers act for is what they say; which addresses are called as crawlers are, DNS answers do.
    """
    baits = {kind: {bait.value for bait in site.canaries if bait.kind == kind} for kind in ("name", "address")}
    networks = {str(network) for network in site.owned.ranges} | baits["address"]
    relays = {str(network) for network in (*site.roles.proxies, *site.roles.balancers)}
    return Interest(
        names=frozenset(baits["name"]),
        networks=frozenset(networks),
        relays=frozenset(relays),
        pointers=world.reverse_names() if world is not None and site.owned.ranges else frozenset(),
    )


class Probing:
    """A function of event, catalog and site. Events come in order of time."""

    KEPT = ("_witnesses", "_greetings", "_described", "exposed")

    def __init__(
        self,
        site: Site,
        world: World | None = None,
        indicated: Callable[[AnyEvent], tuple[Indicated, ...]] = lambda event: (),
    ) -> None:
        """`indicated`: the indicators that an event touches."""
        self._site = site
        self._world = world or World(Facts())
        self._baits = Baits(site.canaries)
        self._indicated = indicated
        self._witnesses = Witnesses()
        self.one_input = False
        """There is nobody to tell an event a second time."""
        self._scanned = lru_cache(maxsize=65_536)(self._judged)
        self.names = ReverseNames(lambda name: self._world.scanner_by_rdns(name) is not None)
        """What crawlers' addresses are called, by the answers of all inputs."""
        self._greetings = Greetings()
        self._described: OrderedDict[str, Presented] = OrderedDict()
        self.exposed: dict[str, Exposed] = {}
        """Our names that certificates made known."""
        self._reverse = lru_cache(maxsize=4_096)(self._reversed)

    @property
    def merged(self) -> int:
        """Records that told an event which another input had told already."""
        return self._witnesses.merged

    @cached_property
    def special(self) -> Special:
        """The addresses of which there may be anything to know.

        Made when somebody first comes: 30,000 ranges of crawlers take 50 ms.
        """
        site = self._site
        return Special([*site.inside, *site.owned.ranges], self._world.ranges(), baits=self._baits.addresses)

    def knows(self, ip: str) -> bool:
        """Whether there may be anything to know of an address: nearly all who come are strangers."""
        return self.special.holds(ip)

    def comes_to_us(self, event: AnyEvent) -> bool:
        """Whether it was done to an address of ours."""
        return event.server is not None and self._site.owns(event.server)

    def from_outside(self, event: AnyEvent, known: bool) -> bool:
        """Whether somebody outside did what came to us. `known`: see `knows`, of the client."""
        return not (known and self._site.is_inside(event.client))

    def is_open(self, server: str) -> bool:
        """Whether an address is ours and no bait, so that a stranger's connection to it says no more than others."""
        return self._site.owns(server) and server not in self._baits.addresses

    def contact(
        self, proto: str, client_port: int | None, server_port: int | None,
        opening: bool | None, answered: bool | None, spoke: bool | None,
    ) -> tuple[bool, bool] | None:  # fmt: skip
        """Of a connection from outside: (whether it was no conversation, whether the server answered).

        None if it is no opening: a reply, backscatter, the rest of what began before. A datagram from the port of a
        common service to a high one is a reply, whoever a log says began it; who began a conversation between high
        ports (a video conference) nobody can tell of a capture that begins late.
        """
        if proto == "udp":
            port = server_port or 0
            if client_port in REPLYING and port >= 1024 and port != client_port:
                return None
            if answered and port >= EPHEMERAL and (client_port or 0) >= 1024:
                return None
            return answered is False, bool(answered)
        if not opening:
            return None
        return not spoke, bool(answered)

    def begins(self, event: Connection) -> bool:
        """Whether a connection, whoever's, is something that its client began."""
        ports = event.client_port, event.server_port
        return self.contact(event.proto, *ports, event.opening, event.answered, event.spoke) is not None

    def says_more(self, event: Connection, known: bool) -> bool:
        """Whether a connection from outside says more than that it was there: a crawler's, or to a bait."""
        if not known and event.server not in self._baits.addresses:
            return False
        return self._world.scanner_of(event.client) is not None or self.touches_bait(event)

    def touches_bait(self, event: AnyEvent) -> bool:
        """Whether a bait is in it, whoever did it."""
        return self._baits.some and any(self._baits.touched(event))

    def watched_since(self, first: float) -> None:
        """The inputs hold probes from a time on: who came to a name before it was known would have been seen."""
        for name, exposed in self.exposed.items():
            if first + WATCHED_BEFORE <= exposed.ts:
                self.exposed[name] = structs.replace(exposed, watched=True)

    def probes(self, events: Iterable[AnyEvent]) -> Iterator[Probe]:
        """The probes among events, each once however many inputs told it; of certificates those shown to crawlers."""
        for event in events:
            self._greetings.note(event)
            if isinstance(event, Presented):
                if self.scanned(event.client, event.ts) is not None:
                    yield self.probe(event)  # shown twice is shown: nobody counts it
                continue
            if self.one_input:
                yield self.probe(event)
                continue
            self._witnesses.forget(event.ts)
            if self._witnesses.observe(event, "") is not None:
                yield self.probe(event)

    def describe(self, event: Presented) -> None:
        """Take what a certificate says that servers show by its `key` only."""
        if event.key is not None:
            self._described[event.key] = event
            self._described.move_to_end(event.key)
            if len(self._described) > MOST_DESCRIBED:
                self._described.popitem(last=False)

    def _shown(self, event: Presented) -> Shown:
        said = self._described.get(event.key or "", event)
        subject = (said.subject or event.subject or "".join(said.names[:1]))[:MOST_LETTERS]
        issuer = (said.issuer or event.issuer or "")[:MOST_LETTERS]
        described = bool(subject or issuer or said.serial)
        sha256 = said.sha256 or event.sha256
        identity = Identity(
            subject, issuer, (said.serial or "")[:MOST_LETTERS], said.own, "" if described else sha256 or ""
        )
        return Shown(identity, said.names, sha256)

    def _certificate(self, event: Presented) -> Probe:
        """A certificate that was shown: whoever it was shown to did no more than its hello did."""
        return Probe(
            ts=event.ts,
            actor=self.actor(event.client, event.ts, event.user),
            server=event.server,
            port=event.server_port,
            asset=self._site.owned_range(event.server) if event.server is not None else None,
            kind=event.kind,
            evidence=_evidence(event),
            proto="tcp",
            scanner=self.scanned(event.client, event.ts),
            inside=self._site.is_inside(event.client),
            certificate=self._shown(event),
        )

    def probe(self, event: AnyEvent) -> Probe:
        """The probe that an event is."""
        if isinstance(event, Presented):
            return self._certificate(event)
        if isinstance(event, Listed):
            return self._listed(event)
        name = told_name(event)
        agent = event.user_agent if isinstance(event, HttpRequest) else None
        return Probe(
            ts=event.ts,
            actor=self.actor(event.client, event.ts, event.user),
            server=event.server,
            port=event.server_port,
            asset=self._site.owned_range(event.server) if event.server is not None else None,
            kind=witness_kind(event),
            evidence=_evidence(event),
            name=name,
            zone=self._site.owned_domain(name) if name else None,
            secondary=self._site.is_secondary(event.client),
            reverse=self._reverse(name) if name and name.endswith(".arpa") else None,
            agent=agent,
            scanner=self.scanned(event.client, event.ts, agent),
            inside=self._site.is_inside(event.client),
            canaries=tuple(self._baits.touched(event)),
            exposed=self.exposed.get(name) if name else None,
            indicators=self._indicated(event),
            fronted=self._fronted(event) if isinstance(event, HttpRequest) else None,
            **(self._asked(event) if isinstance(event, HttpRequest) else _facts(event)),
        )

    def concerns(self, event: Listed) -> bool:
        """Whether what Zeek's feeds list is of a kind that ours could, and somebody of ours acts or is acted upon."""
        ours = self._site.is_inside(event.client) or self.comes_to_us(event)
        return ours and indicated(event) is not None

    def _listed(self, event: Listed) -> Probe:
        """What Zeek's feeds list, as if ours did; nothing else is made of it: the event itself is told elsewhere."""
        found = indicated(event)
        return Probe(
            ts=event.ts,
            actor=self.actor(event.client, event.ts, event.user),
            server=event.server,
            port=event.server_port,
            asset=self._site.owned_range(event.server) if event.server is not None else None,
            kind=event.kind,
            evidence=evidence_of_listed(event),
            spoke=has_spoken(event),
            inside=self._site.is_inside(event.client),
            indicators=(found,) if found is not None else (),
        )

    def _fronted(self, event: HttpRequest) -> str | None:
        """The name in the hello of a request, if it belongs to somebody else than its host.

        Of one domain, or both ours, they are what a certificate of several names allows (RFC 9113 section 9.1.1).
        """
        sni, host = event.sni or self._greetings.of(event), event.host.rstrip(".")
        if not sni or "." not in sni or not host or sni == host:
            return None
        if canonical(host) is not None or canonical(sni) is not None:
            return None
        ours = [self._site.owned_domain(name) is not None for name in (sni, host)]
        if all(ours):
            return None
        ends = [name.split(".")[-2:] for name in (sni, host)]
        if ends[0][-1] != ends[1][-1]:
            return sni
        # Who asks chooses both names: the list of suffixes is read for our own top-level domains only.
        alike = registrable(sni) == registrable(host) if any(ours) else ends[0] == ends[1]
        return None if alike else sni

    def _asked(self, event: HttpRequest) -> dict[str, Any]:
        """What a request tells of its client beside what it says itself; fields of `Probe`."""
        paths = self._world.paths_of(event.uri, event.decoded)
        tool = self._world.tools_by_agent(event.user_agent) if event.user_agent else None
        if tool is None or tool.kind == "everyday":
            tool = next((self._world.tool(path.tool) for path in paths if path.tool), None)
        return {
            "tool": tool.name if tool is not None else None,
            "wordlist": tool is not None and self._world.tries_words(tool),
            "paths": tuple(Sought(path.id, path.what, path.strong, path.test) for path in paths),
            **_facts(event),
        }

    def actor(self, ip: str, ts: float, user: str | None = None) -> Actor:
        """Who an address is at a time (UTC epoch seconds)."""
        trust = self._site.trust(ip, ts, "probe")
        reason = trust.reason if trust is not None else None
        return Actor(ip=ip, role=self._site.roles_of(ip), trusted=reason, user=user)

    def crawls(self, ip: str, ts: float) -> bool:
        """Whether an address is surely a known crawler's at a time (UTC epoch seconds)."""
        scanned = self.scanned(ip, ts)
        return scanned is not None and scanned.sure

    def scanned(self, ip: str, ts: float, agent: str | None = None) -> Scanned | None:
        """The crawler that an address is at a time (UTC epoch seconds), as far as anything says so."""
        return self._scanned(ip, agent, self.names.at(ip, ts))

    def _reversed(self, name: str) -> Target | None:
        """What of ours a reverse name stands for; zones on octet or nibble borders may be a little wider than it."""
        zone = next((zone for zone in REVERSE_ZONES if name.endswith(zone)), "")
        named = unreversed(name.removesuffix(zone)) if zone else None
        if named is None:
            return None
        asked = ip_network(named.value)
        if asked.version != REVERSE_ZONES[zone]:
            return None
        for owned in self._site.owned.ranges:
            near = asked.version == owned.version and asked.prefixlen >= owned.prefixlen - 8
            if near and asked.overlaps(owned):
                return Target("ip" if named.kind == "ip" else "range", named.value, str(owned))
        return None

    def _judged(self, ip: str, agent: str | None, called: Called | None) -> Scanned | None:
        """The crawler by its address, or by a name that its operator confirms; else by what it says of itself."""
        listed = self._world.scanner_of(ip)
        named = self._world.scanner_by_rdns(called.name) if called is not None else None
        claimed = self._world.scanner_by_agent(agent) if agent else None
        confirmed = called is not None and called.confirmed
        scanner = listed or (named if confirmed else None) or claimed or named
        if scanner is None:
            return None
        signs: tuple[tuple[Literal["range", "name", "agent"], Scanner | None], ...] = (
            ("range", listed), ("name", named), ("agent", claimed),
        )  # fmt: skip
        by = tuple(sign for sign, found in signs if found is scanner)
        confirmed = confirmed and "name" in by
        return Scanned(
            scanner.id, scanner.name, scanner.operator, scanner.databases, scanner.kind, by,
            sure=confirmed or (scanner is listed and (len(by) > 1 or not scanner.rented)),
            called=called.name if called is not None and "name" in by else None,
            confirmed=confirmed,
        )  # fmt: skip


class Greetings:
    """Names of hellos, by flow: a request behind one in the same flow was decrypted by whoever logs it.

    Only engines that name flows are believed: the ends of one are used again. Zeek's two logs are two inputs, so the
    name of a flow and its ends have to do.
    """

    def __init__(self) -> None:
        self._names: OrderedDict[tuple[str | int | None, ...], str] = OrderedDict()

    def note(self, event: AnyEvent) -> None:
        """Take an event, in order of time; a CONNECT is no hello."""
        if isinstance(event, Hello) and event.uid is not None and event.name and event.transport != "connect":
            self._names[_flow(event)] = event.name.rstrip(".")
            if len(self._names) > MOST_GREETINGS:
                self._names.popitem(last=False)

    def of(self, event: HttpRequest) -> str | None:
        """The name of the hello that came before a request in its flow."""
        return None if event.uid is None else self._names.get(_flow(event))


def _flow(event: AnyEvent) -> tuple[str | int | None, ...]:
    return event.uid, event.client, event.client_port, event.server, event.server_port


class Baits:
    """The canaries of a site, and what touches them."""

    def __init__(self, canaries: Iterable[Canary]) -> None:
        self._by_kind: dict[str, dict[str, Bait]] = {"name": {}, "address": {}, "path": {}}
        for each in canaries:
            self._by_kind[each.kind].setdefault(each.value, Bait(each.kind, each.value, each.planted))

        self.some = any(self._by_kind.values())
        self.addresses = frozenset(self._by_kind["address"])

    def touched(self, event: AnyEvent) -> Iterator[Bait]:
        """The baits in an event: as the name it says, as an address of either side, as the path it asks for."""
        if isinstance(event, DnsAnswer):
            return  # an answer touches nothing: its question did
        name = told_name(event)
        if name is not None and (bait := self._by_kind["name"].get(name.rstrip("."))) is not None:
            yield bait
        for address in filter(None, (event.server, event.client)):
            if (bait := self._by_kind["address"].get(address)) is not None:
                yield bait
        if isinstance(event, HttpRequest):
            path = event.uri.partition("?")[0].partition("#")[0]
            if (bait := self._by_kind["path"].get(path)) is not None:
                yield bait


def _facts(event: AnyEvent) -> dict[str, Any]:
    """What a kind of event tells beside ends and names; fields of `Probe`."""
    match event:
        case Connection(banner=banner):
            told = ("proto", "opening", "answered", "established", "spoke", "banner")
            answered = _STATUS.match(banner) if banner else None
            return {name: getattr(event, name) for name in told} | {"status": int(answered[1]) if answered else None}
        case Hello(transport=transport, alpn=alpn):
            return {"proto": "udp" if transport == "quic" else "tcp", "alpn": alpn}
        case DnsQuery(qtype=qtype):
            return {"qtype": qtype}
        case DnsAnswer(qtype=qtype, rcode=rcode, records=records, walked=walked):
            return {"qtype": qtype, "rcode": rcode, "records": records, "walked": walked}
        case HttpRequest(method=method, uri=uri, status=status):
            return {"proto": "tcp", "method": method, "uri": uri, "status": status}
    return {}


def _evidence(event: AnyEvent) -> Evidence:
    match event:
        case Connection():
            detail = connection_detail(event.proto, event.server_port, event.answered, event.established, event.spoke)
        case DnsAnswer(name=name, qtype=qtype, rcode=rcode):
            said = "an answer" if rcode is None else RCODES.get(rcode, f"code {rcode}")
            detail = f"{said} to {'?' if qtype is None else QTYPES.get(qtype, qtype)} {name}"
        case Hello(name=name, transport=transport):
            detail = f"{transport.upper()} hello{to_port(event)}, {f'for {name}' if name else 'no name'}"
        case _:
            detail = ""
    shown = evidence_of(Witnessed(event, told_name(event) or event.server or ""))
    return shown if not detail else Evidence(
        shown.ts, shown.kind, shown.source, shown.uid, shown.src, shown.dst, shown.host, detail
    )  # fmt: skip


Told = tuple[str | None, tuple[str, str, int | None, bool | None, bool | None, bool | None]]
"""(uid, (source, proto, server_port, answered, established, spoke)) of a `Connection`: much is alike."""


def contact_words(told: Told) -> tuple[str, str | None, str]:
    """A connection as evidence: (source, uid, detail)."""
    uid, (source, proto, port, answered, established, spoke) = told
    return source, uid, connection_detail(proto, port, answered, established, spoke)


def connection_detail(
    proto: str, port: int | None, answered: bool | None, established: bool | None, spoke: bool | None
) -> str:
    """A connection in words, as far as the source can tell."""
    if proto == "icmp":
        return "ICMP echo request"
    what = f"{proto.upper()} to port {port}"
    if proto == "udp":
        return f"{what}{'' if answered is not False else ', no answer'}"
    if spoke:
        return f"{what}, the client spoke"
    if established:
        return f"{what}, opened and left"
    if answered:
        return f"{what}, open, given up half-way"
    return f"{what}, not answered or refused"
