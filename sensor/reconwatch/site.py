"""site.yaml: what we own and whom we trust.

`load_site` reads the file and refuses it with every error at once, each with its line and what to write instead;
`Site.default()` is what a replay without a site uses. The file itself is described in docs/site.md.
"""

from __future__ import annotations

import datetime
import os
import socket
import time
from dataclasses import dataclass, field, fields
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from reconwatch.cache import cached
from reconwatch.document import Document, DocumentError, Problem, examine, in_order, load, text_of
from reconwatch.site_outlets import Keeping, SinkSetting, Watching

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import radix

    from reconwatch.site_schema import FeedModel, SiteModel

Network = IPv4Network | IPv6Network
Direction = Literal["lookup", "probe"]
Thresholds = dict[str, dict[str, float]]

PRIVATE: tuple[Network, ...] = tuple(
    map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7", "fe80::/10"))
)
"""The default of `inside`. Nobody routes these to us from outside, so a party with such an address is on our side of
the sensor: private (RFC 1918), shared by carriers and VPNs (RFC 6598), unique-local (RFC 4193), link-local (RFC 4291).
Link-local 169.254.0.0/16 is not among them: it does not leave a link and looks nothing up; loopback never meets a
sensor."""

ROLES = {
    "resolvers": "resolver",
    "proxies": "proxy",
    "nats": "nat",
    "mail": "mail",
    "scanners": "scanner",
    "balancers": "balancer",
}
"""The keys of `roles`, and the role that each gives its hosts."""

NO_ROLE = ("host",)

MOST_REMEMBERED = 1 << 16
"""Addresses whose place is kept, about 10 MB. Probes come from millions of sources: when full, it starts anew."""

_DAY = 86400.0


class Owned(msgspec.Struct, frozen=True):
    """What is ours."""

    domains: tuple[str, ...] = ()
    """A-labels, lower-case, without the root dot; each stands for all names under it."""
    ranges: tuple[Network, ...] = ()
    asns: tuple[int, ...] = ()
    brands: tuple[str, ...] = ()
    """Lower-case, single blanks."""
    nameservers: tuple[Network, ...] = ()
    """Ours, that the world asks."""
    secondaries: tuple[Network, ...] = ()
    """Others', that may transfer our zones."""
    hosted: bool = False
    """Our names also live on addresses that are not ours."""
    issuers: tuple[str, ...] = ()
    """Words of the names of the certificate authorities that we use, lower-case; empty: nobody said."""


class Trust(msgspec.Struct, frozen=True):
    """A party whose lookups or probes are expected, why, and when."""

    who: Network
    reason: str
    since: datetime.date | None = None
    """The first day, from 00:00 UTC; None: from ever."""
    until: datetime.date | None = None
    """The last day, to 24:00 UTC; None: without end."""
    directions: tuple[Direction, ...] = ("lookup",)

    def holds(self, ts: float, direction: str) -> bool:
        """Whether it covers something done in a direction at a time, in UTC epoch seconds."""
        return (
            direction in self.directions
            and (self.since is None or ts >= _midnight(self.since))
            and (self.until is None or ts < _midnight(self.until) + _DAY)
        )


class Canary(msgspec.Struct, frozen=True):
    """A bait that only a database could have given away."""

    kind: Literal["name", "address", "path"]
    value: str
    """An A-label name, a canonical address, or a path with its leading slash."""
    planted: str | None = None
    """Where: the database that a touch of it points to."""
    since: datetime.date | None = None


class Log(msgspec.Struct, frozen=True):
    """What is said of the logs of a program; what is not said is None or empty."""

    files: str
    """A shell pattern: of the whole path if it holds a slash, else of the file's name."""
    format: str | None = None
    """One of `logformat.LOG_FORMATS`; None: told by content."""
    server: str | None = None
    """The canonical address of the host that wrote it."""
    zone: str | None = None
    """IANA name of the time zone of stamps that name none."""
    pattern: str | None = None
    """Squid's `logformat`."""
    fields: dict[str, str] = {}
    """What holds a value: a key of JSON, dotted where nested; the number of an additional column."""


class Feed(msgspec.Struct, frozen=True):
    """A file of indicators, or of what is none."""

    path: str
    """Of a file or folder; what is relative is so to site.yaml."""
    name: str
    """What notices call it."""
    format: str | None = None
    """None: told by its content."""
    kind: Literal["domain", "ip", "range", "url", "agent", "ja3", "ja4"] | None = None
    """Of entries that say none; None: told by their looks."""
    confidence: int = 50
    """0 to 100, of entries that say none."""
    benign: bool = False
    """Its entries are no indicators: they take out those of other feeds."""
    columns: tuple[tuple[str, str], ...] = ()
    """(role, name) of columns of a table."""
    max_age: int = 30
    """Days from which a file that has not changed is told to be old."""
    may_shrink: bool = False
    """It is taken even if it has lost more than half of its entries."""
    line: int | None = None
    """Where it stands in site.yaml."""


class Roles(msgspec.Struct, frozen=True):
    """Hosts that are not one person's; a host may have several roles."""

    resolvers: tuple[Network, ...] = ()
    proxies: tuple[Network, ...] = ()
    nats: tuple[Network, ...] = ()
    mail: tuple[Network, ...] = ()
    scanners: tuple[Network, ...] = ()
    balancers: tuple[Network, ...] = ()


class _Standing(msgspec.Struct, frozen=True):
    """All that the site says of one address."""

    inside: bool = False
    owned: Network | None = None
    roles: tuple[str, ...] = NO_ROLE
    trusts: tuple[Trust, ...] = ()
    """The most specific first; of equals the one that is written first."""
    nameserver: bool = False
    secondary: bool = False


_STRANGER = _Standing()


@dataclass(frozen=True, slots=True)
class Site:
    """What we own and whom we trust. Frozen; equal if what it says is equal; questions about addresses are cached."""

    owned: Owned = field(default_factory=Owned)
    inside: tuple[Network, ...] = PRIVATE
    """As declared. `is_inside` counts `owned.ranges` too."""
    roles: Roles = field(default_factory=Roles)
    trusted: tuple[Trust, ...] = ()
    canaries: tuple[Canary, ...] = ()
    logs: tuple[Log, ...] = ()
    """The first whose `files` fit a log is about it."""
    sources: tuple[dict[str, Any], ...] = ()
    sinks: tuple[SinkSetting, ...] = ()
    store: Keeping = field(default_factory=Keeping)
    service: Watching = field(default_factory=Watching)
    intel: tuple[Feed, ...] = ()
    thresholds: Thresholds = field(default_factory=dict)
    sees_clients: bool = False
    """The sensor sees what clients ask our resolvers and proxies: what those ask upstream tells nothing more."""
    path: str | None = None
    """The file it was read from; None for the default."""
    warnings: tuple[Problem, ...] = field(default=(), compare=False)
    _standings: _Standings = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_standings", _Standings(self))

    def __reduce__(self) -> tuple[type[Site], tuple[Any, ...]]:
        return type(self), tuple(getattr(self, each.name) for each in fields(self) if each.init)

    __hash__ = None  # type: ignore[assignment]  # it holds dicts; a frozen dataclass would promise a hash and then fail

    @classmethod
    def default(cls) -> Site:
        """Without a site.yaml: nothing is owned, and inside are the private ranges."""
        return cls()

    def is_inside(self, ip: str) -> bool:
        """Whether an address is on our side: in `inside` or `owned.ranges`. False for what is no address."""
        return self._standings[ip].inside

    def owns(self, ip: str) -> bool:
        """Whether an address is in `owned.ranges`. False for what is no address."""
        return self._standings[ip].owned is not None

    def owned_range(self, ip: str) -> str | None:
        """The most specific of `owned.ranges` that holds an address, as CIDR text: the asset it belongs to."""
        owned = self._standings[ip].owned
        return None if owned is None else str(owned)

    def owned_domain(self, name: str) -> str | None:
        """The most specific of `owned.domains` that a name (lower-case A-labels) is, or is under."""
        while name:
            if name in self.owned.domains:
                return name
            name = name.partition(".")[2]
        return None

    def roles_of(self, ip: str) -> tuple[str, ...]:
        """The roles of an address in singular, sorted; `("host",)` if it has none."""
        return self._standings[ip].roles

    def is_nameserver(self, ip: str) -> bool:
        """Whether an address is one of `owned.nameservers`."""
        return self._standings[ip].nameserver

    def is_secondary(self, ip: str) -> bool:
        """Whether an address is one of `owned.secondaries`: it may transfer our zones."""
        return self._standings[ip].secondary

    def trust(self, ip: str, ts: float, direction: str = "lookup") -> Trust | None:
        """Why an address may do this at this time (UTC epoch seconds, of the event); the most specific entry wins."""
        for entry in self._standings[ip].trusts:
            if entry.holds(ts, direction):
                return entry
        return None


class _Standings(dict[str, _Standing]):
    """What a site says of each address asked for so far. A miss costs 1 to 5 us, a hit 0.1."""

    def __init__(self, site: Site) -> None:
        super().__init__()
        self._site = site
        self._tree: radix.Radix | None = None
        self._by_networks: dict[tuple[str, ...], _Standing] = {}
        """What is said of all addresses that are in these of the site's networks and in no other."""

    def __missing__(self, ip: str) -> _Standing:
        if len(self) >= MOST_REMEMBERED:
            self.clear()
        packed = _packed(ip)
        self[ip] = standing = _STRANGER if packed is None else self._judge(packed)
        return standing

    def _judge(self, packed: bytes) -> _Standing:
        if self._tree is None:
            self._tree = self._grown()
        covering = self._tree.search_covering(packed=packed)
        if not covering:
            return _STRANGER
        networks = tuple(node.prefix for node in covering)
        standing = self._by_networks.get(networks)
        if standing is None:
            standing = self._by_networks[networks] = self._said(covering)
        return standing

    @staticmethod
    def _said(covering: list[radix.RadixNode]) -> _Standing:
        """All that networks say together of an address in them; the most specific comes first."""
        said = [(entry, node.prefix) for node in covering for entry in node.data["said"]]
        owned = next((prefix for (what, _), prefix in said if what == "owned"), None)
        words = {what for (what, _), _ in said}
        return _Standing(
            inside=owned is not None or "inside" in words,
            owned=None if owned is None else ip_network(owned),
            roles=tuple(sorted(words.intersection(ROLES.values()))) or NO_ROLE,
            trusts=tuple(trust for (_, trust), _ in said if trust is not None),
            nameserver="nameserver" in words,
            secondary="secondary" in words,
        )

    def _grown(self) -> radix.Radix:
        import radix

        tree = radix.Radix()
        site = self._site

        def say(what: str, network: Network, trust: Trust | None = None) -> None:
            tree.add(str(network)).data.setdefault("said", []).append((what, trust))

        sections: list[tuple[str, tuple[Network, ...]]] = [
            ("inside", site.inside),
            ("owned", site.owned.ranges),
            ("nameserver", site.owned.nameservers),
            ("secondary", site.owned.secondaries),
            *((role, getattr(site.roles, key)) for key, role in ROLES.items()),
        ]
        for what, networks in sections:
            for network in networks:
                say(what, network)
        for trust in site.trusted:
            say("trust", trust.who, trust)
        return tree


def _packed(ip: str) -> bytes | None:
    """The address in network order, an IPv4-mapped one as IPv4; None for what is no address."""
    try:
        if ":" not in ip:
            return socket.inet_pton(socket.AF_INET, ip)
        packed = socket.inet_pton(socket.AF_INET6, ip)
    except (OSError, ValueError, TypeError):
        return None
    return packed[12:] if packed.startswith(b"\0" * 10 + b"\xff\xff") else packed


def _midnight(day: datetime.date) -> float:
    """The start of a day in UTC epoch seconds."""
    return (day.toordinal() - datetime.date(1970, 1, 1).toordinal()) * _DAY


def load_site(
    path: Path, *, now: float | None = None, thresholds: Mapping[str, Mapping[str, float]] | None = None
) -> Site:
    """Read a site.yaml, or take what was read of the same text before from the cache.

    `now` (UTC epoch seconds, default: the clock) decides only which trust is told to have ended. `thresholds` are the
    defaults of the detectors, by note and name: with them, a threshold that none of them knows is an error.

    Raises DocumentError with every problem of the file. The warnings of a file without errors are in `Site.warnings`;
    while there are errors no warning is told that would only follow from one.
    """
    from reconwatch.site_kept import decode, encode, judges

    text = text_of(path, str(path))
    moment = time.time() if now is None else now
    content = {
        "path": os.fsencode(path),
        "text": text.encode(),
        "day": str(datetime.datetime.fromtimestamp(moment, datetime.UTC).date()).encode(),
        "thresholds": repr(thresholds).encode(),
        "judges": judges().encode(),
    }
    return cached("site", content, decode, encode, lambda: _read(text, str(path), moment, thresholds))


def check(
    path: Path, *, now: float | None = None, thresholds: Mapping[str, Mapping[str, float]] | None = None
) -> list[Problem]:
    """All that is wrong with a site.yaml, errors and warnings, in the order of the file; nothing is raised.

    It is looked at anew each time: who asks wants to know, and the cache is for those who go on.
    """
    try:
        text = text_of(path, str(path))
        return list(_read(text, str(path), time.time() if now is None else now, thresholds).warnings)
    except DocumentError as error:
        return list(error.problems)


def _read(text: str, name: str, now: float, thresholds: Mapping[str, Mapping[str, float]] | None) -> Site:
    """What `load_site` makes of the text of a file; nothing else has a part in it."""
    from reconwatch.site_checks import errors_beside_the_model, warnings_of
    from reconwatch.site_schema import SiteModel

    document = load(text, name)
    model, problems = examine(document, SiteModel)
    problems += errors_beside_the_model(document, thresholds)
    if model is None or any(problem.severity == "error" for problem in problems):
        raise DocumentError(problems)
    return _site(model, document, in_order([*problems, *warnings_of(document, model, now)]))


def _site(model: SiteModel, document: Document, warnings: tuple[Problem, ...]) -> Site:
    """The plain value of a valid file."""
    owned = model.owned
    return Site(
        owned=Owned(
            domains=_once(owned.domains),
            ranges=_once(owned.ranges),
            asns=_once(owned.asns),
            brands=_once(owned.brands),
            nameservers=_once(owned.nameservers),
            secondaries=_once(owned.secondaries),
            hosted=owned.hosted,
            issuers=tuple(issuer.lower() for issuer in owned.issuers),
        ),
        inside=PRIVATE if model.inside is None else _once(model.inside),
        roles=Roles(*(_once(getattr(model.roles, key)) for key in ROLES)),
        trusted=tuple(
            Trust(each.who, each.reason, each.since, each.until, _once(each.directions)) for each in model.trusted
        ),
        canaries=tuple(
            Canary(kind, value, each.planted, each.since) for each in model.canaries for kind, value in each.baits()
        ),
        logs=tuple(
            Log(each.files, each.format, each.server, each.zone, each.pattern, dict(each.fields)) for each in model.logs
        ),
        sources=tuple(each.entry for each in model.sources),
        sinks=tuple(each.plain() for each in model.sinks),
        store=model.store.plain(),
        service=model.service.plain(),
        intel=tuple(_feed(each, document, index) for index, each in enumerate(model.intel)),
        thresholds=dict(model.thresholds),
        sees_clients=model.sees_clients,
        path=document.name,
        warnings=warnings,
    )


def _feed(model: FeedModel, document: Document, index: int) -> Feed:
    path = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(document.name)), model.path))  # noqa: PTH100, PTH118, PTH120  # a path that is no Path
    return Feed(
        path, model.called, model.format, model.kind, model.confidence, model.benign, tuple(model.columns.items()),
        model.max_age, model.may_shrink, document.line(("intel", index)),
    )  # fmt: skip


def _once(values: list[Any]) -> tuple[Any, ...]:
    """Each value once, in the order written."""
    return tuple(dict.fromkeys(values))
