"""Who takes part in the captures, and where everything lives: documentation addresses only (RFC 5737, 2544, 3849)."""

from __future__ import annotations

import ipaddress
import zlib
from typing import NamedTuple


class Party(NamedTuple):
    """One end of a conversation, as the tap sees it."""

    ip: str
    mac: str

    @property
    def version(self) -> int:
        """4 or 6."""
        return 6 if ":" in self.ip else 4


ROUTER_MAC = "02:00:5e:00:00:01"
"""Everything outside is reached through one router, so outside parties share its MAC."""


def inside(ip: str, number: int) -> Party:
    """A host of the tapped segment."""
    return Party(ip, f"02:00:5e:00:01:{number:02x}")


def outside(ip: str) -> Party:
    """A host of the internet."""
    return Party(ip, ROUTER_MAC)


ANALYST = inside("10.20.1.11", 0x11)
SCRAPER = inside("10.20.1.12", 0x12)
CLERK = inside("10.20.1.13", 0x13)
VISITOR = inside("10.20.1.14", 0x14)
MODERN = inside("2001:db8:acc:1::16", 0x16)
TRUSTED = inside("10.20.9.9", 0x99)
RESOLVER = inside("10.20.0.53", 0x53)
RESOLVER6 = inside("2001:db8:acc:1::53", 0x53)
UPSTREAM = outside("198.18.0.1")
"""The name server that the resolver forwards to."""


def address_of(name: str) -> str:
    """The IPv4 address that serves `name` on our internet: any of 198.18.16.0/20, the same in every capture."""
    return str(ipaddress.ip_address("198.18.16.0") + 1 + zlib.crc32(name.encode()) % 4094)


def address6_of(name: str) -> str:
    """Its IPv6 address."""
    return str(ipaddress.ip_address("2001:db8:f00d::") + 1 + zlib.crc32(name.encode()) % 65534)
