"""Two notices that come out of every format; a test changes what it is about with `but(search, msg=...)`."""

from __future__ import annotations

import pytest

from reconwatch.notices import Notice, Reason
from reconwatch.sightings import Actor, Evidence, Target

TS = 1795488550.123456  # 2026-11-24T02:49:10.123456Z

HTTP = Evidence(
    ts=TS,
    kind="http",
    source="capture+zeek/http",
    uid="CNUb263EaXMYGr8qW",
    src="10.20.1.11",
    dst="198.18.4.2",
    host="api.shodan.io",
    detail="GET /shodan/host/203.0.113.10?key=***",
)
DNS = Evidence(
    ts=TS - 0.25,
    kind="dns",
    source="zeek/dns",
    uid=None,
    src="10.20.1.11",
    dst="10.20.0.53",
    host="api.shodan.io",
    detail="A api.shodan.io",
)

SEARCH = Notice(
    id="rw-1f3c5a7b9d0e2f46",
    rev=3,
    state="closed",
    ts=TS,
    note="Targeted_Search",
    direction="lookup",
    actor=Actor(ip="10.20.1.11"),
    services=("shodan",),
    techniques=("T1596.005",),
    targets=(Target("ip", "203.0.113.10", "203.0.113.0/24"),),
    first=TS,
    last=TS + 97.5,
    count=4,
    counted="http requests",
    kinds=("http",),
    score=65,
    verdict="escalate",
    reasons=(Reason(40, "names an owned address", (1,)), Reason(25, "several targets in one sitting")),
    evidence=(HTTP,),
    evidence_total=1,
    msg="10.20.1.11 looked up 203.0.113.10 in Shodan",
    next=("Ask who uses 10.20.1.11.",),
)

LOOKUP = Notice(
    id="rw-00aa11bb22cc33dd",
    rev=1,
    state="open",
    ts=TS - 60,
    note="Database_Lookup",
    direction="lookup",
    actor=Actor(ip="10.20.0.53", role=("resolver",), trusted="attack-surface team"),
    services=("crtsh", "censys"),
    techniques=(),
    targets=(),
    first=TS - 60,
    last=TS - 60,
    count=1,
    counted="names",
    kinds=("dns",),
    score=5,
    verdict="monitor",
    reasons=(Reason(5, "used an open technical database"),),
    evidence=(),
    evidence_total=0,
    msg="10.20.0.53 used crt.sh and Censys",
)


@pytest.fixture
def search() -> Notice:
    """An escalated search for one of our addresses, with one piece of evidence."""
    return SEARCH


@pytest.fixture
def lookup() -> Notice:
    """A trusted resolver's use of two databases: monitor, no techniques, targets or evidence."""
    return LOOKUP


@pytest.fixture
def http() -> Evidence:
    """A request that a capture and Zeek both told."""
    return HTTP


@pytest.fixture
def dns() -> Evidence:
    """The name's resolution a quarter of a second earlier, at another address."""
    return DNS
