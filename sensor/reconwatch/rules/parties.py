"""Who stands on which side of a rule: networks of site.yaml as they are written in a rule's header.

Without a site the sensor's own variables say who is inside: `$HOME_NET` and `$EXTERNAL_NET`. With one, addresses stand
in the rules literally: site.yaml is then all there is to keep right, and the rules mean on every sensor what they mean
to reconwatch. Trusted parties and relays are left out of the clients in the header, never by `pass` rules, which would
silence everybody's rules for them.
"""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from reconwatch.site import Direction, Network, Site

NOBODY = ""
"""A side that no address is on: the rules that need it are left out."""


@dataclass(frozen=True, slots=True)
class Parties:
    """The sides of the rules, each as a rule's header writes addresses; `NOBODY` where the site has none."""

    askers: str
    """Inside clients whose DNS queries are their own: no trusted party, no resolver, no proxy."""
    clients: str
    """Inside clients of everything else: as `askers`, and resolvers too."""
    everybody_inside: str
    """As `clients`, and proxies too: of what no proxy hands on (WHOIS)."""
    resolvers: str
    """Resolvers and proxies, whose DNS queries are made for somebody, or for themselves."""
    proxies: str
    world: str
    """Servers that are not inside."""
    strangers: str
    """Whoever is not inside, and whose probes nobody expects."""
    transferring: str
    """As `strangers`, without those who may transfer our zones."""
    anybody: str
    """Everybody but those whose probes are expected, and our own resolvers: who may touch a bait."""
    owned: str
    """Where probes go."""

    @classmethod
    def of_variables(cls) -> Parties:
        """Without a site."""
        return cls(
            askers="$HOME_NET", clients="$HOME_NET", everybody_inside="$HOME_NET", resolvers=NOBODY, proxies=NOBODY,
            world="$EXTERNAL_NET", strangers="$EXTERNAL_NET", transferring="$EXTERNAL_NET", anybody="any",
            owned="$HOME_NET",
        )  # fmt: skip

    @classmethod
    def of(cls, site: Site, day: datetime.date) -> Parties:
        """Of a site on a day: trust that has ended by then, or has not begun, counts no more than in a notice."""
        inside = (*site.inside, *site.owned.ranges)
        friends = trusted(site, day, "lookup")
        expected = trusted(site, day, "probe")
        resolvers, proxies = site.roles.resolvers, site.roles.proxies
        relays = () if site.sees_clients else (*resolvers, *proxies)
        return cls(
            askers=side(inside, (*friends, *resolvers, *proxies)),
            clients=side(inside, (*friends, *proxies)),
            everybody_inside=side(inside, friends),
            resolvers=side(relays, friends),
            proxies=side(() if site.sees_clients else proxies, friends),
            world=others(inside),
            strangers=others((*inside, *expected)),
            transferring=others((*inside, *expected, *site.owned.secondaries)),
            anybody=others((*expected, *resolvers)),
            owned=side(site.owned.ranges, ()),
        )


def trusted(site: Site, day: datetime.date, direction: Direction) -> tuple[Network, ...]:
    """The networks whose lookups or probes are expected on a day."""
    noon = datetime.datetime.combine(day, datetime.time(12), datetime.UTC).timestamp()
    return tuple(trust.who for trust in site.trusted if trust.holds(noon, direction))


def side(networks: Iterable[Network], without: Iterable[Network]) -> str:
    """The networks but for others, as a header writes them; `NOBODY` if nothing is left.

    A network that lies in one of the others goes; of the rest only what lies in them is negated: an engine refuses a
    group whose negations leave nothing, and warns of those that take nothing away.
    """
    others = _collapsed(without)
    ours = [network for network in _collapsed(networks) if not any(_within(network, other) for other in others)]
    negated = [f"!{_text(other)}" for other in others if any(_within(other, network) for network in ours)]
    if not ours:
        return NOBODY
    return _group([*map(_text, ours), *negated])


def others(networks: Iterable[Network]) -> str:
    """Everybody who is in none of the networks."""
    group = _group([_text(network) for network in _collapsed(networks)])
    return f"!{group}" if group else "any"


def _group(texts: list[str]) -> str:
    return texts[0] if len(texts) == 1 else f"[{','.join(texts)}]" if texts else NOBODY


def _text(network: Network) -> str:
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)


def _within(network: Network, other: Network) -> bool:
    return network.version == other.version and network.subnet_of(other)  # type: ignore[arg-type]  # of one version


def _collapsed(networks: Iterable[Network]) -> list[Network]:
    """Sorted, without what lies in another."""
    found: list[Network] = []
    every = tuple(networks)
    found += ipaddress.collapse_addresses(n for n in every if isinstance(n, ipaddress.IPv4Network))
    found += ipaddress.collapse_addresses(n for n in every if isinstance(n, ipaddress.IPv6Network))
    return found
