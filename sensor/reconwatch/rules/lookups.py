"""Rules for lookups: an inside client turns to an open technical database, by name, path, agent or port.

They claim what `catalog.Catalog` claims. A name is matched by whole labels: `dotprefix` puts a dot in front of the
buffer, so that `content:".shodan.io"; endswith` fits `shodan.io` and `www.shodan.io` and not `notshodan.io`. What a
service leaves out, and what another service claims below its names, is left out by negated contents.

Names of long lists (1,400 WHOIS servers) are gathered by their first label into one rule with an alternation: an engine
compiles ten patterns faster than a thousand, and people read ten rules rather.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypedDict

from reconwatch.catalog import Catalog, Service
from reconwatch.catalog.world import Phrase, Tool, World, pattern_of
from reconwatch.rules.draft import Confidence, Draft, Option, Threshold, content, pcre
from reconwatch.rules.parties import NOBODY, Parties

STRONG = Threshold("limit", "by_src", 1, 3_600)
"""A visit that says something is told once an hour: an alert a page would bury the next service."""
WEAK = Threshold("limit", "by_src", 1, 86_400)
"""Products and pages go there too: once a day says that it happened."""
TOOL = Threshold("limit", "by_src", 1, 3_600)

FAST: Option = ("fast_pattern", None)
"""The content before it is what the engine looks for first."""

LONG_LIST = 30
"""Names of a service from which on they are gathered."""
SMALLEST_GROUP = 8
"""Names with a common first label that are worth a rule of their own."""
LONGEST_ALTERNATION = 5_500
"""Characters of an alternation; with header, message and metadata a rule then stays below `LONGEST_RULE`."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One buffer in which names are seen."""

    id: str
    protocol: str
    buffer: str
    flow: str
    said: str
    lowered: bool = False
    """The engine has lowered the buffer: it refuses `nocase` there."""


DNS = Layer("dns", "dns", "dns.query", "to_server", "asked for in DNS")
TLS = Layer("tls", "tls", "tls.sni", "established,to_server", "by TLS")
QUIC = Layer("quic", "quic", "quic.sni", "to_server", "by QUIC")
HTTP = Layer("http", "http", "http.host", "established,to_server", "by HTTP", lowered=True)
LAYERS = (DNS, TLS, QUIC, HTTP)
"""`dns.query` and `quic.sni` are of the client's side by nature; `flow` keeps the rules of all in one group of packets.
`http` is HTTP/1 and HTTP/2 in Suricata 7 and 8."""


class Name(NamedTuple):
    """A host of the catalog that is no URL: with everything under it, or exactly."""

    text: str
    exact: bool

    @classmethod
    def of(cls, host: str) -> Name:
        """As the catalog writes it: `=host` is exact."""
        return cls(host.removeprefix("="), host.startswith("="))

    def options(self, layer: Layer, *, negated: bool = False) -> tuple[Option, ...]:
        """What matches it in a buffer that `dotprefix` has gone over.

        An exact name is one that ends the buffer and is as long as it. `startswith` would say the same, but makes
        Hyperscan's compiler take three times as long for all names of the buffer together.
        """
        found: list[Option] = [content(f".{self.text}", negated=negated)]
        if not layer.lowered:
            found.append(("nocase", None))
        if self.exact and negated:
            found.append(("startswith", None))
        found.append(("endswith", None))
        if self.exact and not negated:
            found.append(("bsize", str(len(self.text) + 1)))
        return tuple(found)

    def covers(self, other: str) -> bool:
        """Whether a name is it, or is claimed with it."""
        return other == self.text or (not self.exact and other.endswith(f".{self.text}"))


@dataclass(frozen=True, slots=True)
class Seen:
    """Who is seen to ask: the clients themselves, or the relays of a site."""

    family: str
    """First word of the rules' keys."""
    words: str
    """Behind the message."""
    sources: Mapping[str, str]
    """Layer id -> addresses."""


def sides(parties: Parties) -> Iterator[Seen]:
    """The clients, and under keys of their own the resolvers' and proxies' queries upstream."""
    yield Seen("lookup", "", {layer.id: parties.clients for layer in LAYERS} | {"dns": parties.askers})
    relays = {"dns": parties.resolvers, "tls": parties.proxies, "http": parties.proxies}
    relays = {layer: addresses for layer, addresses in relays.items() if addresses != NOBODY}
    if relays:
        yield Seen("relay", ", seen at the resolver or proxy", relays)


def lookups(catalog: Catalog, world: World, parties: Parties) -> Iterator[Draft]:
    """The rules of all services and tools."""
    below = Below(catalog)
    for seen in sides(parties):
        for service in catalog.services.values():
            if service.visit == "ordinary":
                continue
            yield from _by_name(below, service, seen)
            yield from _by_path(service, seen)
    yield from _by_port(catalog, parties)
    for tool in world.facts.tools:
        if tool.kind == "recon":
            yield from _by_agent(tool, parties)


def names(service: Service) -> tuple[Name, ...]:
    """The names of a service, without those that a shorter one of it covers."""
    every = [Name.of(host) for host in service.hosts if "/" not in host]
    whole = {name.text for name in every if not name.exact}
    return tuple(name for name in every if whole.isdisjoint(_parents(name.text)))


def _parents(name: str) -> Iterator[str]:
    _, _, parent = name.partition(".")
    while parent:
        yield parent
        _, _, parent = parent.partition(".")


def paths(service: Service) -> tuple[tuple[str, str], ...]:
    """(host, beginning of the path) of what a service has on busy hosts."""
    split = (host.removeprefix("=").partition("/") for host in service.hosts if "/" in host)
    return tuple((host, f"/{path}") for host, _, path in split)


def _by_name(below: Below, service: Service, seen: Seen) -> Iterator[Draft]:
    single, groups = gathered(names(service))
    for layer in LAYERS:
        source = seen.sources.get(layer.id, NOBODY)
        if source == NOBODY:
            continue
        for name in single:
            match = [*name.options(layer), FAST, *_left_out(below, service, [name], layer)]
            yield _lookup(service, seen, layer, source, name.text, name.text, match)
        for label, chunks in groups.items():
            for number, chunk in enumerate(chunks):
                match = [*chunk.options(layer), *_left_out(below, service, chunk.names, layer)]
                yield _lookup(service, seen, layer, source, f"{label}.*.{number}", f"{label}.*", match)


def _lookup(
    service: Service, seen: Seen, layer: Layer, source: str, key: str, shown: str, match: Iterable[Option]
) -> Draft:
    return Draft(
        key=f"{seen.family}/{service.id}/{layer.id}/{key}",
        protocol=layer.protocol,
        source=f"{source} any",
        destination="any any",
        msg=f"{service.name} ({shown}) {layer.said}{seen.words}",
        options=(("flow", layer.flow), (layer.buffer, None), ("dotprefix", None), *match),
        **_weight(service),
    )


class _Weight(TypedDict):
    classtype: str
    technique: str
    confidence: Confidence
    threshold: Threshold
    service: str


def _weight(service: Service) -> _Weight:
    """What the strength of a service gives a rule."""
    strong = service.visit == "strong" and service.state == "active"
    return {
        "classtype": "attempted-recon" if strong else "misc-activity",
        "technique": service.technique,
        "confidence": "High" if strong else "Low",
        "threshold": STRONG if strong else WEAK,
        "service": service.id,
    }


class Below:
    """Which hosts of the catalog lie below a name; 2,300 times 2,300 comparisons would take seconds."""

    def __init__(self, catalog: Catalog) -> None:
        self._below: dict[str, list[tuple[Name, str, bool]]] = defaultdict(list)
        for service in catalog.services.values():
            for host in service.hosts:
                self._add(host, service.id, not_its=False)
            for host in service.not_hosts:
                self._add(host, service.id, not_its=True)

    def _add(self, host: str, service: str, *, not_its: bool) -> None:
        name = Name.of(host)
        if "/" in host:
            return
        for place in (name.text, *_parents(name.text)):
            self._below[place].append((name, service, not_its))

    def not_of(self, service: Service, name: Name) -> Iterator[Name]:
        """The names at or below one of a service that are none of this service's: its exceptions, and others' names."""
        if name.exact:
            return
        found = {other for other, owner, not_its in self._below.get(name.text, ()) if not_its == (owner == service.id)}
        yield from sorted(found - {name})


def _left_out(below: Below, service: Service, claimed: Iterable[Name], layer: Layer) -> Iterator[Option]:
    """Negated contents for the names below `claimed` that are none of this service's."""
    for name in claimed:
        for other in below.not_of(service, name):
            yield from other.options(layer, negated=True)


# ---------------------------------------------------------------- long lists


@dataclass(frozen=True, slots=True)
class Chunk:
    """Names with a common first label that one rule matches."""

    label: str
    names: tuple[Name, ...]

    def options(self, layer: Layer) -> tuple[Option, ...]:
        """A content of what all have in common, and the alternation of the rest."""
        exact = self.names[0].exact
        found: list[Option] = [content(f".{self.common}")]
        if not layer.lowered:
            found.append(("nocase", None))
        found.append(FAST)
        anchor = "^" if exact else ""
        tails = alternation(name.text.removeprefix(f"{self.label}.") for name in self.names)
        pattern = rf"{anchor}\.{re.escape(self.label)}\.{tails}$"
        return (*found, pcre(pattern, caseless=not layer.lowered))

    @property
    def common(self) -> str:
        """The first label, and the second if it is the same for all."""
        second = {name.text.split(".")[1] for name in self.names}
        return f"{self.label}.{second.pop()}." if len(second) == 1 else f"{self.label}."


def gathered(claimed: tuple[Name, ...]) -> tuple[list[Name], dict[str, list[Chunk]]]:
    """Names that get rules of their own, and the chunks of the others by their first labels."""
    if len(claimed) < LONG_LIST:
        return list(claimed), {}
    by_label: dict[tuple[str, bool], list[Name]] = defaultdict(list)
    for name in sorted(claimed, key=lambda name: name.text.split(".")[:0:-1]):
        by_label[name.text.partition(".")[0], name.exact].append(name)
    single: list[Name] = []
    groups: dict[str, list[Chunk]] = {}
    for (label, exact), members in sorted(by_label.items()):
        if len(members) < SMALLEST_GROUP:
            single += members
        else:
            groups[f"={label}" if exact else label] = list(_chunks(label, members))
    return sorted(single), groups


def _chunks(label: str, members: list[Name]) -> Iterator[Chunk]:
    chunk: list[Name] = []
    length = 0
    for name in members:
        added = len(re.escape(name.text)) + 1
        if length + added > LONGEST_ALTERNATION:
            yield Chunk(label, tuple(chunk))
            chunk, length = [], 0
        chunk.append(name)
        length += added
    if chunk:
        yield Chunk(label, tuple(chunk))


def alternation(tails: Iterable[str]) -> str:
    """A pattern of one of the texts; those with a common first label are a group of their own."""
    by_label: dict[str, list[str]] = defaultdict(list)
    for tail in tails:
        label, dot, rest = tail.partition(".")
        by_label[f"{label}{dot}"].append(rest)
    pieces = []
    for label, rests in sorted(by_label.items()):
        if len(rests) < 3:
            pieces += [re.escape(f"{label}{rest}") for rest in sorted(rests)]
        else:
            pieces.append(f"{re.escape(label)}(?:{'|'.join(map(re.escape, sorted(rests)))})")
    return f"(?:{'|'.join(pieces)})"


# ---------------------------------------------------------------- by path, port and agent


def _by_path(service: Service, seen: Seen) -> Iterator[Draft]:
    source = seen.sources.get(HTTP.id, NOBODY)
    if source == NOBODY:
        return
    for host, path in paths(service):
        rarer = len(path) > len(host)
        match: list[Option] = [content(host), *[FAST][: not rarer]]
        match += [("bsize", str(len(host))), ("http.uri", None), content(path)]
        match += [FAST, pcre(f"^{re.escape(path)}", caseless=False)] if rarer else [("startswith", None)]
        yield Draft(
            key=f"{seen.family}/{service.id}/path/{host}{path}",
            protocol=HTTP.protocol,
            source=f"{source} any",
            destination="any any",
            msg=f"{service.name} ({host}{path}) {HTTP.said}{seen.words}",
            options=(("flow", HTTP.flow), (HTTP.buffer, None), *match),
            **_weight(service),
        )


def _by_port(catalog: Catalog, parties: Parties) -> Iterator[Draft]:
    """WHOIS: any line to port 43. Which registry it is an engine cannot know: no rule remembers DNS answers."""
    for service in catalog.services.values():
        if service.port is not None and parties.everybody_inside != NOBODY:
            yield Draft(
                key=f"lookup/{service.id}/port/{service.port}",
                protocol="tcp",
                source=f"{parties.everybody_inside} any",
                destination=f"{parties.world} {service.port}",
                msg=f"{service.name} query to port {service.port}",
                options=(("flow", "established,to_server"), content("\n")),
                **_weight(service),
            )


def _by_agent(tool: Tool, parties: Parties) -> Iterator[Draft]:
    if parties.clients == NOBODY:
        return
    for number, phrase in enumerate(tool.agents):
        yield Draft(
            key=f"lookup/{tool.id}/agent/{number}",
            protocol="http",
            source=f"{parties.clients} any",
            destination="any any",
            msg=f"{tool.name} by its user agent",
            options=(("flow", "established,to_server"), *agent(phrase)),
            classtype="attempted-recon",
            technique="T1596",
            confidence="High",
            threshold=TOOL,
            service=tool.id,
        )


def agent(phrase: Phrase) -> tuple[Option, ...]:
    """What matches a user agent: the longest plain text of the phrase, then the phrase by whole words."""
    core = longest_text(phrase.text) if phrase.regex else phrase.text
    match: list[Option] = [("http.user_agent", None), content(core), ("nocase", None), FAST]
    return (*match, pcre(pattern_of(phrase)))


def longest_text(pattern: str) -> str:
    """The longest text that every match of a simple pattern (no alternatives at its top) holds."""
    plain = re.sub(r"\\([^\w])", r"\1", re.sub(r"\[[^\]]*\][*+?]?|\\[dswDSWbB][*+?]?|.[*?]|[+^$]", "\n", pattern))
    return max(plain.split("\n"), key=len)
