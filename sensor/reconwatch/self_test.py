"""A lookup that never happened, through a run of its own: whether a notice comes of it, or the service may be blind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Final

from reconwatch.catalog import Catalog
from reconwatch.catalog.world import World
from reconwatch.live import Live
from reconwatch.site import Owned, Site
from reconwatch.sources.live import Chunk

NOTE: Final = "Targeted_Search"
ASSET: Final = "203.0.113.10"
"""TEST-NET-3 (RFC 5737): nobody's."""
HOST: Final = "10.20.1.11"
BEGAN: Final = 1_795_521_600.0
"""2026-11-24T12:00:00Z: the outcome does not depend on the day."""


def self_test(catalog: Catalog, world: World | None = None) -> str | None:
    """None if the catalog's Shodan, asked by name and for an address of ours, gives its notice; else why not.

    The site is a made-up one, and the run is its own: nothing that is being watched is touched. Takes as long as a
    sieve needs to be compiled, or found in the cache.
    """
    try:
        live = Live(catalog, Site(owned=Owned(ranges=(ip_network(f"{ASSET}/32"),))), world)
        live.read(Chunk("self-test", "self-test", b"".join(_lines()), 0, 1, b"".join(_lines()), last=True))
        told = [*live.notices(), *live.finish()]
    except Exception as error:  # whatever it is, it is the finding
        return f"it ended with {type(error).__name__}: {error}"
    found = {(notice.note, notice.actor.ip, target.value) for notice in told for target in notice.targets}
    if (NOTE, HOST, ASSET) in found:
        return None
    return f"of {live.events} events read, {len(told)} notices came, and no {NOTE}"


def _lines() -> Iterator[bytes]:
    """EVE: the name is asked for, and an address of ours is looked up."""
    head = {"src_ip": HOST, "dest_ip": "198.51.100.2", "flow_id": 1}
    query = {"type": "query", "id": 1, "rrname": "api.shodan.io", "rrtype": "A", "tx_id": 0}
    asked = {"hostname": "api.shodan.io", "url": f"/shodan/host/{ASSET}", "http_method": "GET", "status": 200}
    for after, event in (
        (0.0, {"event_type": "dns", "src_port": 40_000, "dest_port": 53, "proto": "UDP", "dns": query}),
        (1.0, {"event_type": "http", "src_port": 40_001, "dest_port": 80, "proto": "TCP", "tx_id": 0, "http": asked}),
    ):
        stamp = datetime.fromtimestamp(BEGAN + after, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f+0000")
        yield json.dumps({"timestamp": stamp} | head | event).encode() + b"\n"
