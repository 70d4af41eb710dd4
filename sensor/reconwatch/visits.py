"""One party's use of one service, folded from the events that belong together."""

from __future__ import annotations

import msgspec

from reconwatch.events import AnyEvent

VISIT_GAP = 30.0
"""Seconds: events of one client and one service closer than this are one visit."""
VISIT_SPAN = 300.0
"""Seconds: a visit that goes on is cut here, so that a day-long scrape is told in time and in bounded memory."""
VISIT_EVENTS = 512
"""Events: the same bound for fast visits."""

HTTP, CONNECTIONS, NAMES = "http requests", "connections", "dns names"
"""The units of a visit's count, best first: the first layer that was seen is the one that is counted."""
LAYERS = (HTTP, CONNECTIONS, NAMES)


class Witnessed(msgspec.Struct, frozen=True, gc=False):
    """An event with everyone who told it: the first witness's own words, and the sources of the others."""

    event: AnyEvent
    name: str
    """The server's or queried name: the event's own, or learned from a DNS answer."""
    also: tuple[str, ...] = ()
    """Other sources that told the same observation."""
    upstream: bool = False
    """The view of a declared resolver or proxy, acting for the visit's client."""


class Visit(msgspec.Struct, frozen=True):
    """One client's use of one service."""

    client: str
    service: str
    """Catalog id."""
    first: float
    last: float
    count: int
    counted: str
    """The unit of `count`: one of `LAYERS`."""
    events: tuple[Witnessed, ...]
    """In order of time; upstream views among them are evidence and never counted."""
