"""A first site.yaml, from what Zeek and Suricata already know of the site.

Read are Zeek's networks.cfg and Suricata's suricata.yaml (HOME_NET, DNS_SERVERS, SMTP_SERVERS of its address groups).
What they cannot say, the draft explains and leaves for its owner to fill in; as it stands, it can be loaded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from ipaddress import summarize_address_range as summarize
from typing import TYPE_CHECKING, Any

from reconwatch.document import DocumentError, Problem, Refused, load, text_of
from reconwatch.site import PRIVATE, Network

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from reconwatch.document import Document

SERVER_PREFIX = {4: 28, 6: 124}
"""Up to sixteen addresses are taken for servers with a role. A broader DNS_SERVERS is mostly `$HOME_NET`, the default
of Suricata, and giving every host the role of a resolver would silence what is noticed about hosts."""

MOST_NESTED = 20
"""Brackets and variables within each other in an address group."""

NOT_SITE = tuple(map(ip_network, ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3", "::/127", "ff00::/8")))
"""This host, link-local and multicast: no party on a network that a sensor watches."""

_SERVERS = {"DNS_SERVERS": "resolvers", "SMTP_SERVERS": "mail"}
_EVERYTHING = (ip_network("0.0.0.0/0"), ip_network("::/0"))


def draft(sources: Sequence[Path] = ()) -> str:
    """The text of a first site.yaml, with a comment on every key.

    Each source is Zeek's networks.cfg or a suricata.yaml, told apart by suffix and content; without any, private
    networks are inside. Raises DocumentError with the problems of all sources: unreadable, or not what they seem to be.
    """
    found = _Found()
    problems: list[Problem] = []
    for source in sources:
        try:
            text = text_of(source, str(source))
            if source.suffix in (".yaml", ".yml") or re.search(r"^\s*address-groups\s*:", text, re.MULTILINE):
                _suricata(load(text, str(source)), found)
            else:
                _networks_cfg(text, str(source), found)
        except DocumentError as error:
            problems.extend(error.problems)
    if problems:
        raise DocumentError(problems)
    return _text(found, [source.name for source in sources])


@dataclass
class _Found:
    """What the sources said, sorted into the keys of site.yaml; each network with what was said of it."""

    inside: dict[Network, str] = field(default_factory=dict)
    ranges: dict[Network, str] = field(default_factory=dict)
    resolvers: dict[Network, str] = field(default_factory=dict)
    mail: dict[Network, str] = field(default_factory=dict)
    nameservers: dict[Network, str] = field(default_factory=dict)
    left: dict[str, None] = field(default_factory=dict)
    """What was not taken, and why: comments at the top of the draft."""

    def sort(self, network: Network, note: str) -> None:
        """Put a network of the site where it belongs: private ones are inside, public ones are owned."""
        if _within(network, PRIVATE):
            self.inside.setdefault(network, note)
        elif _within(network, NOT_SITE):
            self.left[f"{network} ({note}) was left out: such addresses do not cross a sensor."] = None
        elif _too_broad(network) or any(_meet(network, other) for other in (*PRIVATE, *NOT_SITE)):
            self.left[f"{network} ({note}) was left out: it holds far more than one site."] = None
        else:
            self.ranges.setdefault(network, note)

    def serve(self, network: Network, group: str) -> None:
        """Give a server its role; a public one of ours in DNS_SERVERS answers the world."""
        if network.prefixlen < SERVER_PREFIX[network.version]:
            self.left[f"{network} ({group}) was left out: too broad to be servers only."] = None
        elif not _within(network, (*self.inside, *self.ranges)):
            self.left[f"{network} ({group}) was left out: it is not in HOME_NET."] = None
        elif group == "DNS_SERVERS" and not _within(network, PRIVATE):
            self.nameservers.setdefault(network, group)
        else:
            getattr(self, _SERVERS[group]).setdefault(network, group)


def _networks_cfg(text: str, name: str, found: _Found) -> None:
    """Lines of `10.0.0.0/8   a description`. Raises DocumentError for lines that are something else."""
    problems = []
    for number, line in enumerate(text.split("\n"), 1):
        content = line.partition("#")[0].split(maxsplit=1)
        if not content:
            continue
        try:
            found.sort(_network(content[0]), _comment(content[1]) if len(content) > 1 else "networks.cfg")
        except Refused as refused:
            problems.append(Problem(name, number, refused.message, refused.write))
    if problems:
        raise DocumentError(problems)


def _suricata(document: Document, found: _Found) -> None:
    """The address groups of a suricata.yaml. What else is wrong with the file is for Suricata to say."""
    place = ("vars", "address-groups")
    groups = document.data
    for step in place:
        groups = groups.get(step) if isinstance(groups, dict) else None
    if not isinstance(groups, dict) or "HOME_NET" not in groups:
        wrong = document.problem(place, "no HOME_NET in vars.address-groups", 'HOME_NET: "[10.0.0.0/8]" there')
        raise DocumentError([wrong])
    problems = []
    home: list[Network] = []
    for name in ("HOME_NET", *_SERVERS):
        if name not in groups:
            continue
        try:
            networks = _Group(groups).networks(name)
        except Refused as refused:
            problems.append(document.problem((*place, name), f"{name}: {refused.message}", refused.write))
            if name == "HOME_NET":
                break  # the other groups mostly refer to it and would only repeat this
            continue
        if name == "HOME_NET":
            home = networks
        if any(map(_too_broad, networks)):
            found.left[f"{name} was left out: it is any address, or nearly so."] = None
        elif name == "HOME_NET":
            for network in networks:
                found.sort(network, name)
        elif networks != home:
            for network in networks:
                found.serve(network, name)
    if problems:
        raise DocumentError(problems)


class _Group:
    """Reads one address group: `[a,b,!c]`, nested lists, `any`, spans `a-b` and `$OTHER_GROUP`."""

    def __init__(self, groups: dict[str, Any]) -> None:
        self._groups = groups
        self._open: list[str] = []

    def networks(self, name: str) -> list[Network]:
        """The networks of a group, without those it excludes. Raises Refused."""
        if name in self._open:
            raise Refused(f"${name} refers to itself", write="addresses")
        if name not in self._groups:
            raise Refused(f"there is no group ${name}", write="the name of another group, or addresses")
        value = self._groups[name]
        text = f"[{','.join(map(str, value))}]" if isinstance(value, list) else str(value)
        self._open.append(name)
        words = re.findall(r"[\[\],!]|[^\[\],!\s]+", text)
        wanted, unwanted = self._items(words, 0)
        self._open.pop()
        if words:
            raise Refused(f"'{words[0]}' is not expected in '{_comment(text)}'", write="[a,b,!c]")
        return _without(wanted or list(_EVERYTHING), unwanted)

    def _items(self, words: list[str], depth: int) -> tuple[list[Network], list[Network]]:
        """Reads items up to the end or a closing bracket: (wanted, excluded)."""
        both: tuple[list[Network], list[Network]] = ([], [])
        while words:
            excluded = words[0] == "!"
            if excluded:
                words.pop(0)
            both[excluded].extend(self._item(words, depth + 1))
            if not words or words[0] != ",":
                return both
            words.pop(0)
        raise Refused("the group ends where an address should be", write="[a,b,!c]")

    def _item(self, words: list[str], depth: int) -> list[Network]:
        word = words.pop(0) if words else ""
        if depth + len(self._open) > MOST_NESTED:
            raise Refused(f"more than {MOST_NESTED} lists within each other", write="it flat")
        if word == "[":
            wanted, unwanted = self._items(words, depth)
            if not words or words.pop(0) != "]":
                raise Refused("a [ is not closed", write="[a,b,!c]")
            return _without(wanted or list(_EVERYTHING), unwanted)
        if word.startswith("$"):
            return self.networks(word[1:])
        if word == "any":
            return list(_EVERYTHING)
        first, dash, last = word.partition("-")
        if dash:
            return _span(first, last)
        return [_network(word)]


def _network(text: str) -> Network:
    """A range, host bits dropped as Zeek and Suricata do. Raises Refused."""
    try:
        return ip_network(text, strict=False)
    except ValueError:
        from reconwatch.site_schema import read_network

        return read_network(text)  # it says what is wrong


def _span(first: str, last: str) -> list[Network]:
    try:
        start, end = ip_address(first), ip_address(last)
        if isinstance(start, IPv4Address) and isinstance(end, IPv4Address):
            return list(summarize(start, end))
        if isinstance(start, IPv6Address) and isinstance(end, IPv6Address):
            return list(summarize(start, end))
    except ValueError:
        pass
    raise Refused(f"'{first}-{last}' is not a span of addresses", write="one like 192.0.2.1-192.0.2.9")


def _without(wanted: list[Network], unwanted: list[Network]) -> list[Network]:
    """What is left of networks when others are taken out."""
    for out in unwanted:
        left: list[Network] = []
        for network in wanted:
            if not _meet(network, out):
                left.append(network)
            elif network.prefixlen < out.prefixlen:
                left.extend(sorted(network.address_exclude(out)))  # type: ignore[arg-type]  # they meet: one version
        wanted = left
    return wanted


def _meet(one: Network, other: Network) -> bool:
    return one.version == other.version and one.overlaps(other)


def _within(network: Network, others: Iterable[Network]) -> bool:
    return any(_meet(network, other) and network.prefixlen >= other.prefixlen for other in others)


def _too_broad(network: Network) -> bool:
    from reconwatch.site_schema import BROADEST

    return network.prefixlen < BROADEST[network.version]


def _comment(text: str) -> str:
    """Text that can stand in a comment: one line of what YAML allows."""
    return "".join(each for each in " ".join(text.split()) if each.isprintable())


def _list(networks: dict[Network, str], indent: str) -> str:
    """A list of YAML, an item a line, each with what was said of it; what lies in a broader item needs none."""
    if not networks:
        return " []"
    items = []
    for network, note in networks.items():
        if _within(network, [other for other in networks if other != network]):
            continue
        text = str(network.network_address if network.num_addresses == 1 else network)
        quoted = f'"{text}"' if ":" in text else text
        items.append(f"\n{indent}- {quoted}" + (f"   # {note}" if note else ""))
    return "".join(items)


def _text(found: _Found, names: list[str]) -> str:
    origin = f"# Drafted from {', '.join(map(_comment, names))}.\n" if names else ""
    left = "".join(f"# {line}\n" for line in found.left)
    inside = f"inside:{_list(found.inside, '  ')}" if found.inside else f"# inside: [{_default_inside()}]"
    return _TEMPLATE.format(
        origin=origin + left,
        ranges=_list(found.ranges, "    "),
        nameservers=_list(found.nameservers, "    "),
        inside=inside,
        resolvers=_list(found.resolvers, "    "),
        mail=_list(found.mail, "    "),
    )


def _default_inside() -> str:
    return ", ".join(f'"{network}"' if network.version == 6 else str(network) for network in PRIVATE)


_TEMPLATE = """\
# site.yaml: what we own and whom we trust. `reconwatch site check` tells every mistake; docs/site.md explains each key.
{origin}
owned:
  # Registered domains. Each stands for all names under it.
  domains: [example.com]   # <- yours
  # Public addresses that are ours, a DMZ included: CIDR ranges or single addresses.
  ranges:{ranges}
  # Our AS numbers, such as AS64496.
  asns: []
  # Names people search for us by, at least three letters: [acme widgets].
  brands: []
  # Our name servers that the world asks.
  nameservers:{nameservers}
  # Servers of others that may transfer our zones.
  secondaries: []
  # true if our names also live on addresses that are not ours (CDN, cloud): then their names are looked for everywhere.
  hosted: false
  # Words of the names of the certificate authorities that we use, such as [Let's Encrypt]: others' are then told.
  issuers: []

# Networks whose hosts are ours to watch. Without this key: the private and unique-local ranges.
{inside}

# Hosts that stand for many others or do by profession what would be odd elsewhere. Addresses or CIDR ranges.
roles:
  # Recursive DNS servers of our clients.
  resolvers:{resolvers}
  # Web proxies.
  proxies: []
  # Addresses behind which clients are translated.
  nats: []
  # Mail servers and gateways.
  mail:{mail}
  # Our own vulnerability scanners and attack-surface tools.
  scanners: []
  # Load balancers and health checkers.
  balancers: []

# true if the sensor sees what clients ask our resolvers and proxies: rules then leave out what those ask upstream.
sees_clients: false

# Parties whose lookups (or probes) are expected. They are noted with their reason, never dropped.
trusted:
  # - {{who: 10.20.9.0/24, reason: attack-surface team, since: 2026-01-01, until: 2027-06-30, for: [lookup]}}

# Baits that nobody can know but from a database: a name, an address or a path, and where it was planted.
canaries:
  # - {{name: staging-7f3k2q.example.com, planted: certificate transparency, since: 2026-11-01}}

# What no line of a log says: without `server`, no line of a web server of ours is a probe of it.
logs:
  # - {{files: "*/nginx/access.log*", server: 203.0.113.10}}

# What `reconwatch run` follows, where it writes, and its threat intelligence.
sources: []
sinks:
  # - {{file: /var/log/reconwatch/notices.jsonl, format: jsonl, verdict: investigate}}
intel: []

# Where and how long `run` keeps notices and what it knows; both bounds have a default.
store:
  # file: /var/lib/reconwatch/reconwatch.db

# Where `run` answers for metrics and health: loopback; `off` for nowhere.
service:
  # listen: 127.0.0.1:15960

# Thresholds of single notes; the defaults and their reasons are in the documentation of the detectors.
thresholds: {{}}
"""
