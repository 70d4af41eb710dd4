"""Who else is out there: scanners, tools, actors and registries, and the paths that scanners ask for.

Scanners are the crawlers that fill the databases, tools the clients that read them, actors the groups known to do so;
registries are WHOIS and RDAP servers, CT logs and DNS-over-HTTPS resolvers.

`Facts` is plain data, read by `world_schema` from scanners.yaml, tools.yaml, actors.yaml, registries.yaml and
paths.yaml, and round-trips through `encode` and `decode` in milliseconds. `World` is the index over it; each part of
the index is built when it is first asked.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from fnmatch import translate
from functools import cached_property, lru_cache
from typing import Literal

import msgspec

from reconwatch.catalog.attribution import Attribution
from reconwatch.catalog.paths import Paths, RequestPath
from reconwatch.catalog.ranges import RangeTable


class Phrase(msgspec.Struct, frozen=True):
    """What a client says of itself: plain text by whole words in any case, or a regular expression marked as such."""

    text: str
    regex: bool = False


class Reference(msgspec.Struct, frozen=True):
    """Where a fact can be read, and the day of what was read there."""

    url: str
    date: datetime.date


class Scanner(msgspec.Struct, frozen=True):
    """One operator's crawlers."""

    id: str
    name: str
    operator: str
    kind: Literal["database", "survey", "on-demand"]
    """Fills a database that others search; keeps what it finds; or comes only when somebody asks it to look at us."""
    databases: tuple[str, ...] = ()
    """Ids of the services that it fills."""
    rented: bool = False
    """Most of its addresses are single ones in clouds, which change hands: a hint, until name or agent agrees."""
    ranges: str = ""
    """Collapsed CIDRs, separated by blanks: one text loads 200 times faster than ten thousand."""
    rdns: tuple[str, ...] = ()
    """Reverse names: suffixes by whole labels, or patterns with `*`. Whoever holds an address can write any name."""
    agents: tuple[Phrase, ...] = ()
    tls: tuple[str, ...] = ()
    """`ja3:...` or `ja4:...` of its hello."""
    note: str = ""
    references: tuple[Reference, ...] = ()


class Tool(msgspec.Struct, frozen=True):
    """One client program; computed from lists of what its source contacts (see `compile_tools`)."""

    id: str
    name: str
    kind: Literal["recon", "prober", "everyday"]
    """Reads databases; probes targets; or is what administrators use all day (the system's whois)."""
    services: tuple[str, ...] = ()
    """Ids of the services that this revision contacts; in the source's order if `ordered`, else sorted."""
    keyless: tuple[str, ...] = ()
    """Those of them that it contacts without a key: what a first run shows."""
    former: tuple[str, ...] = ()
    """Services that it contacted once, or that are not read in its own source: they do not speak against it."""
    ordered: bool = False
    agents: tuple[Phrase, ...] = ()
    whois: tuple[Phrase, ...] = ()
    """What its WHOIS lines hold."""
    tls: tuple[str, ...] = ()
    references: tuple[str, ...] = ()


class Use(msgspec.Struct, frozen=True):
    """One technique that an actor is known for, and why."""

    technique: str
    reason: str


class Actor(msgspec.Struct, frozen=True):
    """A group or campaign of ATT&CK."""

    id: str
    """Gxxxx or Cxxxx."""
    name: str
    uses: tuple[Use, ...]
    aliases: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        """The page of ATT&CK that says so."""
        return f"https://attack.mitre.org/{'groups' if self.id[0] == 'G' else 'campaigns'}/{self.id}/"


class CtLog(msgspec.Struct, frozen=True):
    """One certificate transparency log under one of its addresses."""

    url: str
    """`host/path`, lower-case host, without scheme and last slash."""
    operator: str
    api: Literal["rfc6962", "static"]
    description: str = ""
    state: str = ""
    """What Chrome's or Apple's list says of it, such as `usable`; empty if neither lists it."""


class Resolver(msgspec.Struct, frozen=True):
    """A public DNS-over-HTTPS resolver."""

    host: str
    path: str = ""


class Registries(msgspec.Struct, frozen=True):
    """Servers by what they are authoritative for."""

    whois: Mapping[str, tuple[str, ...]] = {}
    """Port-43 server -> zones: `.tld`, CIDR, `AS64496-AS64511`."""
    whois_web: Mapping[str, tuple[str, ...]] = {}
    rdap: Mapping[str, tuple[str, ...]] = {}
    """RDAP host -> scopes: `tld`, `rir`, `ipv4`, `ipv6`, `asn`, `object-tag`, `service`."""
    ct_logs: tuple[CtLog, ...] = ()
    doh: tuple[Resolver, ...] = ()


class Facts(msgspec.Struct, frozen=True):
    """All five files, as data."""

    scanners: tuple[Scanner, ...] = ()
    tools: tuple[Tool, ...] = ()
    actors: tuple[Actor, ...] = ()
    attack_version: str = ""
    registries: Registries = Registries()
    as_of: Mapping[str, datetime.date] = {}
    """File name -> the day it was last gone through."""
    table: RangeTable = RangeTable()
    """The scanners' ranges, ready for bisection; `with_table` makes it."""
    paths: tuple[RequestPath, ...] = ()
    wordlists: tuple[str, ...] = ()
    """Ids of the tools that try the words of a list."""


def with_table(facts: Facts) -> Facts:
    """The facts with the table that finds a scanner by address; done once, when the files are read."""
    owned = [(cidr, n) for n, scanner in enumerate(facts.scanners) for cidr in scanner.ranges.split()]
    return msgspec.structs.replace(facts, table=RangeTable.of(owned))


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Facts)


def encode(facts: Facts) -> bytes:
    """The facts for a cache."""
    return _ENCODER.encode(facts)


def decode(raw: bytes) -> Facts:
    """The facts of a cache. Raises msgspec.DecodeError (or its ValidationError) if it is damaged or of another kind."""
    return _DECODER.decode(raw)


class World:
    """The index over `Facts`. Every question has one answer or None; nothing here reads files or the network."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.scanner_of = lru_cache(maxsize=65_536)(self._scanner_of)
        self.scanner_by_agent = lru_cache(maxsize=4_096)(self._scanner_by_agent)
        self.tools_by_agent = lru_cache(maxsize=4_096)(self._tools_by_agent)

    # ------------------------------------------------------------ scanners

    def _scanner_of(self, ip: str) -> Scanner | None:
        """The scanner that the address is listed for. With `rented`, listed once is not proved now."""
        found = self.facts.table.find(ip)
        return self.facts.scanners[found.owner] if found else None

    def range_of(self, ip: str) -> str | None:
        """The listed range that the address lies in: how wide it is tells how much it says."""
        found = self.facts.table.find(ip)
        return str(found) if found else None

    def ranges(self) -> Iterator[tuple[bytes, bytes]]:
        """First and last address of every listed range, in network byte order."""
        return self.facts.table.spans()

    def reverse_names(self) -> frozenset[str]:
        """Suffixes, by whole labels, one of which every reverse name has that `scanner_by_rdns` knows."""
        return frozenset(
            name.partition(".")[2] if "*" in name else name for scanner in self.facts.scanners for name in scanner.rdns
        )

    def scanner_by_rdns(self, name: str) -> Scanner | None:
        """The scanner that a reverse name claims to be. Only a forward look-up of the name that agrees proves it."""
        parent = name = name.lower().rstrip(".")
        while parent:
            if (scanner := self._rdns.get(parent)) is not None:
                return scanner
            _, _, parent = parent.partition(".")
        return next((scanner for pattern, scanner in self._rdns_patterns if pattern.fullmatch(name)), None)

    def _scanner_by_agent(self, user_agent: str) -> Scanner | None:
        """The scanner that a user agent claims to be."""
        found = self._scanner_agents.find(user_agent)
        return None if found is None else self.facts.scanners[found]

    def scanner_by_tls(self, fingerprint: str) -> Scanner | None:
        """The scanner whose hello this is: `ja3:...` or `ja4:...`."""
        return next((scanner for scanner in self.facts.scanners if fingerprint in scanner.tls), None)

    @cached_property
    def _rdns(self) -> dict[str, Scanner]:
        return {name: scanner for scanner in self.facts.scanners for name in scanner.rdns if "*" not in name}

    @cached_property
    def _rdns_patterns(self) -> tuple[tuple[re.Pattern[str], Scanner], ...]:
        return tuple(
            (re.compile(translate(name).replace(".*", "[^.]*")), scanner)
            for scanner in self.facts.scanners
            for name in scanner.rdns
            if "*" in name
        )

    @cached_property
    def _scanner_agents(self) -> _Phrases:
        return _Phrases((phrase, n) for n, scanner in enumerate(self.facts.scanners) for phrase in scanner.agents)

    # ------------------------------------------------------------ tools

    def _tools_by_agent(self, user_agent: str) -> Tool | None:
        """The tool that a user agent names; the longest of its texts wins."""
        found = self._tool_agents.find(user_agent)
        return None if found is None else self.facts.tools[found]

    def tools_by_whois(self, line: str) -> Tool | None:
        """The tool that a WHOIS line gives away by its flags."""
        found = self._tool_whois.find(line)
        return None if found is None else self.facts.tools[found]

    def tool_by_tls(self, fingerprint: str) -> Tool | None:
        """The tool whose hello this is: `ja3:...` or `ja4:...`."""
        return next((tool for tool in self.facts.tools if fingerprint in tool.tls), None)

    def tool(self, name: str) -> Tool | None:
        """The tool of this id."""
        return self._tools.get(name)

    def tries_words(self, tool: Tool) -> bool:
        """Whether a tool asks for the words of a list, one after the other."""
        return tool.id in self.facts.wordlists

    def paths_of(self, uri: str, decoded: bool = False) -> tuple[RequestPath, ...]:
        """What a scanner looks for with a request; `decoded`: the escapes of its target are gone already."""
        return self._paths.of(uri, decoded)

    def likely_tools(self, services: Collection[str], order: Sequence[str] = ()) -> list[tuple[Tool, float]]:
        """The tool that a sweep over these services most resembles, with its score (see `attribution`).

        Empty: nothing resembles it enough. More than one: a tie, the services cannot tell these apart.
        """
        return [(self._tools[name], score) for name, score in self._attribution.likely(services, order)]

    @cached_property
    def _tools(self) -> dict[str, Tool]:
        return {tool.id: tool for tool in self.facts.tools}

    @cached_property
    def _paths(self) -> Paths:
        return Paths(self.facts.paths)

    @cached_property
    def _attribution(self) -> Attribution:
        return Attribution(
            (tool.id, tool.services, tool.keyless, tool.former, tool.ordered)
            for tool in self.facts.tools
            if tool.kind == "recon"
        )

    @cached_property
    def _tool_agents(self) -> _Phrases:
        return _Phrases((phrase, n) for n, tool in enumerate(self.facts.tools) for phrase in tool.agents)

    @cached_property
    def _tool_whois(self) -> _Phrases:
        return _Phrases((phrase, n) for n, tool in enumerate(self.facts.tools) for phrase in tool.whois)

    # ------------------------------------------------------------ actors and registries

    def actors_using(self, techniques: Collection[str]) -> tuple[Actor, ...]:
        """The actors known to use one of these techniques; `T1596` stands for its sub-techniques, not they for it."""
        return tuple(
            actor
            for actor in self.facts.actors
            if any(use.technique in techniques or use.technique.partition(".")[0] in techniques for use in actor.uses)
        )

    def ct_log_of(self, host: str, path: str) -> CtLog | None:
        """The CT log that a request reads: of the host's logs the one whose path `path` lies below."""
        segments = path.partition("?")[0].strip("/").split("/")
        host = host.lower().rstrip(".")
        for length in range(len(segments), -1, -1):
            if (log := self._ct_logs.get("/".join([host, *segments[:length]]).rstrip("/"))) is not None:
                return log
        return None

    def ct_operator_of(self, host: str) -> str | None:
        """Whose CT logs live on the host, when no path is seen; None for a host that serves other things too."""
        return self._ct_hosts.get(host.lower().rstrip("."))

    def resolver_of(self, host: str) -> Resolver | None:
        """The public DNS-over-HTTPS resolver of this name."""
        return self._resolvers.get(host.lower().rstrip("."))

    @cached_property
    def _ct_logs(self) -> dict[str, CtLog]:
        return {log.url: log for log in self.facts.registries.ct_logs}

    @cached_property
    def _ct_hosts(self) -> dict[str, str]:
        hosts = {log.url.partition("/")[0]: log.operator for log in self.facts.registries.ct_logs}
        return {host: operator for host, operator in hosts.items() if host not in SHARED_CT_HOSTS}

    @cached_property
    def _resolvers(self) -> dict[str, Resolver]:
        return {resolver.host: resolver for resolver in self.facts.registries.doh}


SHARED_CT_HOSTS = frozenset({"storage.googleapis.com"})
"""Hosts of CT logs that serve everything: a log only with its path."""


class _Phrases:
    """Many phrases as one pattern; of those that begin at one place the longest wins."""

    def __init__(self, phrases: Iterable[tuple[Phrase, int]]) -> None:
        ordered = sorted(phrases, key=lambda each: (-len(each[0].text), each[0].text))
        self._owners = [owner for _, owner in ordered]
        self._pattern = re.compile("|".join(f"({pattern_of(phrase)})" for phrase, _ in ordered), re.IGNORECASE)

    def find(self, text: str) -> int | None:
        found = self._pattern.search(text[:LONGEST]) if self._owners else None
        return None if found is None or found.lastindex is None else self._owners[found.lastindex - 1]


LONGEST = 1_024
"""Of a longer text only the beginning is read: its sender chooses it."""


def pattern_of(phrase: Phrase) -> str:
    """A phrase as a pattern without groups. Plain text matches by whole words: `Nmap` is not in `Nmapper`."""
    if phrase.regex:
        return phrase.text
    before = r"(?<![0-9A-Za-z])" if phrase.text[:1].isalnum() else ""
    after = r"(?![0-9A-Za-z])" if phrase.text[-1:].isalnum() else ""
    return before + re.escape(phrase.text) + after
