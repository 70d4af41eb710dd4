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
    """The view of a declared resolver or proxy, acting for the visit's client, and showing no more than its own."""


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
    minutes: tuple[tuple[int, int], ...]
    """(minute since the epoch, how much of `count` falls into it)."""
    names: tuple[str, ...]
    """The distinct names, where names are what is counted."""
    continues: bool
    """It goes on where another was cut: no pause came before it."""
    events: tuple[Witnessed, ...]
    """In order of time. Upstream views are evidence; they count only for a layer that the client's own lack."""
