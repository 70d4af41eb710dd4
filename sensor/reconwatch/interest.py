"""What to look for, in wire terms only: the one thing that sources know of catalog, site and detectors.

An `Interest` is the frozen sum of what everyone downstream needs. A `Lookout` applies it to decoded events: it is the
exact test that follows every sieve, and, run over everything (`--no-funnel`), the oracle that proves the sieves.
"""

from __future__ import annotations

import copy
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, Protocol, Self
from urllib.parse import unquote

import msgspec

from reconwatch.events import Connection, DnsAnswer, DnsQuery, Event, Hello, HttpRequest, WhoisQuery
from reconwatch.passing import Doors

MASK = "***"

LONGEST_NAME = 253
"""Characters of a host name (RFC 1035 section 2.3.4): what is longer is none, and not worth a look label by label."""

CROWD = 256
"""Answers for other names after which an address names nobody: a large CDN's edge, a sinkhole, a captive portal."""
MOST_ADDRESSES = 50_000
"""Addresses watched at once; a sieve of so many takes a second to compile."""

MOST_MET = 100_000
"""Addresses of one sort that a reading notes, about 10 MB; where there are more, all may be among them."""

NAMED_BY_THEMSELVES = frozenset({"ssl", "http", "quic", "dns", "tls", "http2"})
"""Connections of these protocols have a record of their own that says the name: an address never overrides it."""

SECRET_PARAMETERS = frozenset({
    "access", "accesskey", "apiid", "apikey", "auth", "authkey", "authorization", "bearer", "clientid", "clientkey",
    "credential", "credentials", "jwt", "key", "licencekey", "licensekey", "pass", "passwd", "password", "privatekey",
    "pwd", "secretkey", "session", "sessionid", "sid", "sig", "signature", "userkey", "xapikey",
})  # fmt: skip
"""Query parameters that carry a credential in the APIs of the catalog, whatever the host; letters and digits only."""
SECRET_ENDINGS = ("token", "secret", "apikey", "password", "passwd", "accesskey")


class Marks(Protocol):
    """Names, requests and addresses that somebody has put on a list: too many to be spelt out in an `Interest`."""

    @property
    def most_names(self) -> int:
        """At least as many names as `spelt_names` gives."""
        ...

    @property
    def most_networks(self) -> int:
        """At least as many networks as `spelt_networks` gives."""
        ...

    @property
    def has_requests(self) -> bool:
        """Whether any request is listed by its URL."""
        ...

    def spelt_names(self) -> frozenset[str]:
        """All names, and all hosts of requests, as they would stand in `Interest.names`."""
        ...

    def spelt_networks(self) -> frozenset[str]:
        """All networks, as they would stand in `Interest.networks`."""
        ...

    def network_bounds(self, version: int) -> tuple[Sequence[int], Sequence[int]]:
        """First and last addresses of all networks of an IP version, ascending and apart; of IPv6 the upper halves."""
        ...

    def has_name(self, name: str) -> bool:
        """Whether a name is listed, or is under one that is."""
        ...

    def has_request(self, host: str, uri: str) -> bool:
        """Whether a request's URL is listed; `uri` may be decoded already or not."""
        ...

    def has_address(self, address: str) -> bool:
        """Whether an address is listed, or lies in a range that is. False for what is no address."""
        ...


class Interest(msgspec.Struct, frozen=True):
    """What must reach the joining of events, and what must not leave a source unmasked."""

    names: frozenset[str] = frozenset()
    """Host names, lower-case A-labels, no root dot. `shodan.io` also stands for every name below it; `=crt.sh` only
    for itself."""
    asides: frozenset[str] = frozenset()
    """Names, spelt as in `names`, whose use matters and whose addresses do not."""
    pointers: frozenset[str] = frozenset()
    """Names, spelt as in `names`, that matter where an answer calls an address so, or gives an address for one."""
    paths: frozenset[tuple[str, str]] = frozenset()
    """(host, path prefix): requests in clear text to hosts that serve everything else too, so matched by path only."""
    ports: frozenset[int] = frozenset()
    """Server ports whose connections matter whatever the name (43: WHOIS has no other sign in a connection log)."""
    networks: frozenset[str] = frozenset()
    """Networks (CIDR) to which everything matters that is sent: those of ours, which the world comes to."""
    relays: frozenset[str] = frozenset()
    """Networks (CIDR) whose hosts pass on what others ask, and are believed when they say for whom."""
    secrets: frozenset[tuple[str, str]] = frozenset()
    """(host suffix, parameter): further parameters to mask at one service only."""
    secret_paths: frozenset[tuple[str, str]] = frozenset()
    """(host suffix, path template): `{secret}` marks the segment that is a key; other `{...}` stand for anything."""
    marks: Any = None
    """A `Marks`, or None: what asks for such names, or goes to such addresses, matters; what answers teach does not."""

    def __or__(self, other: Interest) -> Interest:
        return Interest(
            names=self.names | other.names,
            asides=self.asides | other.asides,
            pointers=self.pointers | other.pointers,
            paths=self.paths | other.paths,
            ports=self.ports | other.ports,
            networks=self.networks | other.networks,
            relays=self.relays | other.relays,
            secrets=self.secrets | other.secrets,
            secret_paths=self.secret_paths | other.secret_paths,
            marks=self.marks or other.marks,
        )


class Learned(msgspec.Struct, frozen=True):
    """What answers have taught of addresses: in one reading, or in all readings before one."""

    addresses: frozenset[str] = frozenset()
    """Given for names of interest; those that were let go later are among them."""
    others: dict[str, int] = {}
    """How many answers for other names gave an address of these."""
    crowded: frozenset[str] = frozenset()
    """Let go before: they speak for none."""

    def joined(self, lessons: Iterable[Learned]) -> Learned:
        """What is known after readings that each began with this: the same whatever their order."""
        lessons = list(lessons)
        others: Counter[str] = Counter(self.others)
        for each in lessons:
            others.update(each.others)
        crowded = self.crowded | {address for address, count in others.items() if count > CROWD}
        fresh = frozenset().union(*(each.addresses for each in lessons)) - self.addresses - crowded
        room = max(0, MOST_ADDRESSES - len(self.addresses))
        known = (self.addresses - crowded).union(sorted(fresh)[:room])
        return Learned(known, {a: n for a, n in others.items() if a in known}, crowded)

    def foreign(self, lessons: Sequence[Learned]) -> list[frozenset[str]]:
        """For each reading that began with this, the addresses that only became known by the others."""
        taught = Counter(address for each in lessons for address in each.addresses)
        found = []
        for each in lessons:
            others = {address for address, n in taught.items() if n > (address in each.addresses)}
            found.append(frozenset(sorted(others - self.addresses - self.crowded)[:MOST_ADDRESSES]))
        return found


class Met(msgspec.Struct):
    """Addresses that one reading met in events whose meaning hangs on the name of an address."""

    bare: set[str] = msgspec.field(default_factory=set)
    """Servers of events that carry no name and were wanted."""
    unknown: set[str] = msgspec.field(default_factory=set)
    """Servers of such events that were not wanted, since no answer had named them by then."""
    renamed: set[str] = msgspec.field(default_factory=set)
    """Given by answers for other names that were not wanted, since no answer had named them by then."""
    full: bool = False
    """There were too many: nothing is said of them."""

    def note(self, some: set[str], address: str) -> None:
        """Add to one of the sets."""
        some.add(address)
        if len(some) > MOST_MET:
            self.full = True
        if self.full:
            some.clear()


class Lookout:
    """An Interest put to work: tests decoded events exactly, and grows by the server addresses that answers name.

    What it has learned decides for the events that come after, so inputs which name addresses are read before those
    which connect. Inputs that are read side by side each have one (`begun`), and what one of them learns is applied to
    the others afterwards (`sources/hindsight.py`). An address that speaks for nobody is let go (`CROWD`).
    """

    KEPT = ("addresses", "crowded", "_others", "_taught")

    def __init__(self, interest: Interest) -> None:
        self.interest = interest
        self.addresses: set[str] = set()
        """Canonical addresses that DNS answers gave for names of interest, and only few answers for others."""
        self.crowded: set[str] = set()
        """Addresses that were let go since answers gave them to a crowd of other names: they speak for none."""
        self.met: Met | None = None
        """What was met by address, if that is noted."""
        self.doors: Doors | None = None
        """Asked first, of what comes to the networks; only where whoever asks also gets the events."""
        self._others: dict[str, int] = {}
        self._taught: set[str] = set()
        self._counted: Counter[str] = Counter()
        self._names = _Names(interest.names)
        self._asides = _Names(interest.asides)
        self.points = _Names(interest.pointers).hold
        """Whether it matters that an address is called by a host name."""
        self._ports = interest.ports
        self._networks = _Networks(interest.networks, interest.marks)
        self._own_networks = _Networks(interest.networks) if interest.marks else self._networks
        self.relays = _Networks(interest.relays).hold
        """Whether an address is that of a declared proxy or balancer."""
        self._marks: Marks | None = interest.marks
        self._marked = lru_cache(maxsize=65_536)(interest.marks.has_name) if interest.marks else _nothing
        secrets: dict[str, set[str]] = {}
        for suffix, parameter in interest.secrets:
            secrets.setdefault(suffix, set()).add(_bare(parameter))
        self._secrets = secrets
        self._secret_paths = [(suffix, _secret_path(template)) for suffix, template in sorted(interest.secret_paths)]
        self._paths: dict[str, tuple[str, ...]] = {}
        for host, prefix in sorted(interest.paths):
            self._paths[host] = (*self._paths.get(host, ()), prefix)

    def begun(self, learned: Learned, *, noting: bool = False) -> Self:
        """A Lookout with the same interest that knows what was `learned`, and may note what it meets."""
        begun = copy.copy(self)
        begun.addresses, begun.crowded = set(learned.addresses), set(learned.crowded)
        begun._others = dict(learned.others)
        begun._taught, begun._counted = set(), Counter()
        begun.met = Met() if noting else None
        begun.doors = None
        return begun

    @property
    def learned(self) -> Learned:
        """What it was taught itself, without what it began with."""
        return Learned(frozenset(self._taught), dict(self._counted))

    def age(self) -> None:
        """Let go of addresses that no answer has given since this was last called: a run may take years."""
        self.addresses &= self._taught
        self._taught = set()
        self.crowded.clear()
        self._others.clear()
        self._counted.clear()

    def knows(self, server: str | None) -> bool:
        """Whether an answer has named the server of an event that carries no name."""
        if server is None:
            return False
        known = server in self.addresses
        if self.met is not None:
            self.met.note(self.met.bare if known else self.met.unknown, server)
        return known

    def follows(self, *ends: str) -> bool:
        """Whether a connection between two addresses may be wanted, by what is known when it begins."""
        known = not self.addresses.isdisjoint(ends) or any(map(self.ours, ends))
        if not known:
            self.passed(*ends)
        return known

    def ours(self, address: str) -> bool:
        """Whether an address lies in the networks of interest."""
        return self._networks.hold(address)

    def passed(self, *ends: str) -> None:
        """Note the ends of connections that are not followed."""
        if self.met is not None:
            for end in ends:
                self.met.note(self.met.unknown, end)

    def names(self, name: str) -> bool:
        """Whether a host name (any case, with or without the root dot) is one of interest, by whole labels."""
        return self._names.hold(name) or self._marked(name)

    def wants(self, event: Event) -> bool:
        """Whether anyone downstream may need the event. Learns from the answers that it lets through."""
        match event:
            case Connection():  # first, for they come by the million
                return self.wants_connection(event)
            case WhoisQuery(server=server):
                return self._wants_anyway(server)
            case DnsQuery(name=name, server=server):
                return self.wants_message(name, server)
            case DnsAnswer(name=name):
                return self._wants_answer(event, name)
            case Hello(name=name, server=server, called=called):
                return self.wants_hello(name or called, server)
            case HttpRequest(host=host, uri=uri, server=server, called=called):
                return self.wants_request(host or called or "", uri, server)
            case Event(kind="certificate" | "presented", server=server):
                # Of what nobody was seen to send all: logs of certificates are short, and say whom else they resemble.
                return server is None or self._own_networks.hold(server)
            case Event(kind="notice" | "intel"):
                return True  # short, too; whom else they are about is known at the end only
        return False

    def _wants_anyway(self, server: str | None) -> bool:
        if self.met is not None and server is not None:
            self.met.note(self.met.bare, server)
        return True

    def wants_message(self, name: str, server: str | None) -> bool:
        """Whether a DNS question to `server` is wanted: by its name, or by where it goes."""
        return self._names.hold(name) or self._marked(name) or self._networks.hold(server)

    def wants_hello(self, name: str | None, server: str | None) -> bool:
        """Whether a hello to `server` is wanted: by where it goes, or by its name."""
        if self._networks.hold(server):
            return True
        if not name:
            return self.knows(server)
        return self._names.hold(name) or self._asides.hold(name) or self._marked(name)

    def wants_request(self, host: str, uri: str, server: str | None) -> bool:
        """Whether a request in clear text is wanted.

        By where it goes, by its host, or by its path at a host that serves everything.
        """
        if self._networks.hold(server):
            return True
        if not host:
            return self.knows(server)
        if self._names.hold(host) or self._asides.hold(host) or self._marked(host):
            return True
        if self._marks is not None and self._marks.has_request(host, uri):
            return True
        prefixes = self._paths.get(host.rstrip("."))
        return prefixes is not None and uri.startswith(prefixes)

    def wants_connection(self, event: Connection) -> bool:
        """As `wants`: connections come by the million."""
        server = event.server
        if event.server_port in self._ports or self._networks.hold(server):  # as wants_by_itself, without a call
            return self._wants_anyway(server)
        if event.called is not None and self._names.hold(event.called):
            return self._wants_anyway(server)
        return event.service not in NAMED_BY_THEMSELVES and self.knows(server)

    def wants_by_itself(self, event: Connection) -> bool:
        """Whether a connection is wanted whatever answers say: by its port, or by whose address it goes to."""
        return event.server_port in self._ports or self._networks.hold(event.server)

    def _wants_answer(self, answer: DnsAnswer, name: str) -> bool:
        addresses = [address for address, _ in answer.addresses]
        ours = self._networks.hold(answer.server)
        if not addresses and not answer.ech:
            return ours or any(map(self.points, answer.pointers))
        if self._names.hold(name):
            fresh = [address for address in addresses if address not in self.crowded]
            if len(self.addresses) + len(fresh) <= MOST_ADDRESSES:
                self.addresses.update(fresh)
                self._taught.update(fresh)
            return True
        # The same address under another name: a later connection there is not to be called by the old one.
        shared = [address for address in addresses if address in self.addresses]
        if self.met is not None and len(shared) < len(addresses):
            for address in addresses:
                if address not in self.addresses:
                    self.met.note(self.met.renamed, address)
        for address in shared:
            self._counted[address] += 1
            self._others[address] = others = self._others.get(address, 0) + 1
            if others > CROWD:
                self.addresses.discard(address)
                self.crowded.add(address)
                del self._others[address]
        return ours or bool(shared) or self.points(name)

    def mask(self, host: str, uri: str, *, decoded: bool = False) -> str:
        """`uri` with the value of every credential-like query parameter replaced by `***`.

        `decoded`: its percent-encoding is undone already, so that blanks and `#` may be part of a value.
        """
        host = host.lower()
        for suffix, pattern in self._secret_paths:
            if host == suffix or host.endswith("." + suffix):
                uri = pattern.sub(rf"\g<before>{MASK}\g<after>", uri)
        if "=" not in uri and "@" not in uri and "%" not in uri:
            return uri
        return mask_parameters(uri, self._parameters(host), decoded=decoded)

    def _parameters(self, host: str) -> frozenset[str]:
        extra: set[str] = set()
        while host and len(host) <= LONGEST_NAME:
            extra |= self._secrets.get(host, set())
            _, _, host = host.partition(".")
        return SECRET_PARAMETERS | extra if extra else SECRET_PARAMETERS


class _Names:
    """Host names by whole labels: suffixes, and exact ones behind `=`."""

    def __init__(self, names: frozenset[str]) -> None:
        self._suffixes = frozenset(name for name in names if not name.startswith("="))
        self._exact = frozenset(name[1:] for name in names if name.startswith("="))
        self.hold = lru_cache(maxsize=65_536)(self._hold)

    def _hold(self, name: str) -> bool:
        name = name.lower().rstrip(".")
        if len(name) > LONGEST_NAME:
            return False
        if name in self._exact:
            return True
        while name:
            if name in self._suffixes:
                return True
            _, _, name = name.partition(".")
        return False


class _Networks:
    """Networks of either version."""

    def __init__(self, networks: frozenset[str], marks: Marks | None = None) -> None:
        self.hold: Callable[[str | None], bool] = _nothing
        if networks:
            import radix

            tree = radix.Radix()
            for network in networks:
                tree.add(network)
            self.hold = lru_cache(maxsize=65_536)(
                lambda address: (
                    bool(address)
                    and (tree.search_best(address) is not None or (marks is not None and marks.has_address(address)))
                )
            )
        elif marks is not None and marks.most_networks:
            self.hold = lru_cache(maxsize=65_536)(lambda address: bool(address) and marks.has_address(address or ""))


def _nothing(text: str | None) -> bool:
    return False


_USERINFO = re.compile(
    r"(?P<lead>[a-z0-9+.\-](?::|%(?:25)*3a)(?:/|%(?:25)*2f){2})"
    r"(?:(?!%(?:25)*(?:2f|3f|23|26|40))[^/?#@&\s])+(?P<at>@|%(?:25)*40)",
    re.IGNORECASE,
)
"""What a URL says before its host (RFC 3986 section 3.2.1); percent-encoded, however often, if it lies in another."""


def mask_parameters(uri: str, parameters: frozenset[str], *, decoded: bool = False) -> str:
    """`uri` with the values of `parameters` (bare names) and any userinfo (RFC 3986 section 3.2.1) masked.

    Looks at the parameters of the URI itself and at those of URLs that lie percent-encoded inside it, however deep. A
    value ends at the next separator of its own depth, so that an encoded one inside a secret gives nothing away.
    """
    told, done = [], 0
    for found in _PARAMETER.finditer(uri):
        if found.start() < done or not _is_secret(found["name"], parameters):
            continue
        value = (_INSIDE if found["lead"].startswith("%") else _DECODED if decoded else _VALUE).match(uri, found.end())
        if value is not None and value[0]:
            told += [uri[done : found.end()], MASK]
            done = value.end()
    return _USERINFO.sub(rf"\g<lead>{MASK}\g<at>", "".join((*told, uri[done:])))


_PARAMETER = re.compile(
    r"(?P<lead>^|[?&;]|%(?:25)*(?:3f|26|3b))(?P<name>(?:[\w.\[\]+-]|%(?:25)*(?:[4-7][0-9a-f]|2[bde]|5[bdf]|3[0-9])){1,64}?)"
    r"(?:=|%(?:25)*3d)",
    re.IGNORECASE,
)
_VALUE = re.compile(r"[^&;#\s]*")
_DECODED = re.compile(r"[^&]*")
_INSIDE = re.compile(r"(?:(?!%(?:25)*(?:26|3b))[^&;#\s])*", re.IGNORECASE)


def _is_secret(name: str, parameters: frozenset[str]) -> bool:
    bare = _bare(name)
    return bare in parameters or bare.endswith(SECRET_ENDINGS)


def _bare(name: str) -> str:
    """A parameter's name without what its spellings differ in: case, encoding, `_ - . [] +`."""
    while (plain := unquote(name)) != name:
        name = plain
    return re.sub("[^0-9a-z]", "", name.lower())


def _secret_path(template: str) -> re.Pattern[str]:
    """The template as a pattern whose groups `before` and `after` enclose the one secret segment."""
    before, _, after = template.partition("{secret}")
    before, after = (re.sub(r"\\\{[a-z]+\\\}", "[^/?]+", re.escape(part)) for part in (before, after))
    return re.compile(rf"^(?P<before>{before})[^/?]+(?P<after>{after})")
