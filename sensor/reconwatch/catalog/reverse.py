"""Reverse DNS of our own ranges, as a service that is watched for walks and is no database."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator

from reconwatch.catalog.services import Query, Service

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

ID = "reverse-dns"
MOST_ZONES = 4_096
"""Zones watched: sixteen /16 on octet borders, or a /12 of /24; a wider odd range is watched at its parent zone."""


def reverse_service(ranges: Iterable[Network]) -> Service:
    """The service of all names in the reverse zones of the ranges (RFC 1035 section 3.5, RFC 3596 section 2.5)."""
    zones = sorted({zone for network in ranges for zone in _zones(network)})
    return Service(
        id=ID,
        name="reverse DNS",
        operator="ours",
        technique="T1596.001",
        hosts=tuple(zones),
        interface=("dns",),
        visit="ordinary",
        queries=(Query("dns", "{reversed}.in-addr.arpa"), Query("dns", "{reversed}.ip6.arpa")),
    )


def _zones(network: Network) -> Iterator[str]:
    step = 8 if network.version == 4 else 4
    border = min(-(-network.prefixlen // step) * step, network.max_prefixlen - step)
    if border > network.prefixlen and 1 << (border - network.prefixlen) > MOST_ZONES:
        border -= step
    if border > network.prefixlen:
        parts: Iterable[Network] = network.subnets(new_prefix=border)
    else:
        parts = (network.supernet(new_prefix=border),)
    for part in parts:
        labels = part.network_address.reverse_pointer.split(".")
        # The pointer of an address has one label an octet or nibble; the zone leaves out those behind the prefix.
        yield ".".join(labels[(network.max_prefixlen - border) // step :])
