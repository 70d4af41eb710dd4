"""Gives a row of Zeek's intel.log its meaning: which indicator, and what of the event it is. Pure."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Literal

from reconwatch.document import Refused
from reconwatch.events import Listed
from reconwatch.sightings import Evidence, Indicated

CONFIDENCE = 50
"""In what Zeek does not say how sure it is of: the default of a feed in site.yaml, and of the package inside Zeek."""

LONGEST_SOURCE = 80
MOST_SOURCES = 20
"""Characters and number of sources that are named."""

Kind = Literal["domain", "ip", "range", "url", "agent"]

KINDS: dict[str, Kind] = {
    "Intel::DOMAIN": "domain", "Intel::ADDR": "ip", "Intel::SUBNET": "range", "Intel::URL": "url",
    "Intel::SOFTWARE": "agent",
}  # fmt: skip
"""Types of Zeek (base/frameworks/intel/main.zeek) that are a party or what it uses; files and accounts are not."""

ASKED_ONLY = ("DNS::", "Conn::")
"""Where a name was resolved or a connection opened, and nothing said yet."""


def indicated(event: Listed) -> Indicated | None:
    """The indicator, as reconwatch's own feeds would name it; None if it is none that they could list."""
    found = _canonical(event.type, event.indicator)
    if found is None:
        return None
    kind, value = found
    by: Literal["name", "url", "server", "client", "agent"] = "name"
    match kind:
        case "url" | "agent":
            by = kind
        case "ip" | "range":
            by = "client" if _holds(value, event.client) else "server"
    sources = sorted({source[:LONGEST_SOURCE] for source in event.sources})[:MOST_SOURCES]
    return Indicated(kind, value, CONFIDENCE, tuple(sources) or ("Zeek",), by)


def has_spoken(event: Listed) -> bool:
    """Whether more came about than a name resolved or a connection opened."""
    return not event.where.startswith(ASKED_ONLY)


def evidence_of_listed(event: Listed) -> Evidence:
    """The row as a person is shown it."""
    return Evidence(
        ts=event.ts, kind=event.kind, source=event.source, uid=event.uid, src=event.client, dst=event.server, host=None,
        detail=f"{event.type} {event.indicator} in {event.where}, listed by {', '.join(event.sources) or 'Zeek'}",
    )  # fmt: skip


@lru_cache(maxsize=4_096)
def _canonical(type: str, text: str) -> tuple[Kind, str] | None:
    kind = KINDS.get(type)
    if kind is None:
        return None
    from reconwatch.intel.indicator import key_of, kind_of, value_of  # numpy: 100 ms that most runs need not spend

    try:
        key = key_of(kind, text)
    except Refused:
        return None
    # A range of one address is that address.
    known = kind_of(key)
    return ("ip" if known == "ip" else kind), value_of(key)


@lru_cache(maxsize=4_096)
def _holds(network: str, address: str) -> bool:
    return ip_address(address) in ip_network(network)
