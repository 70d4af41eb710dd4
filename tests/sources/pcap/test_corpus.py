"""Against two engines: 513 small captures, and what Zeek and Suricata say of each.

What both tell must be found. Where they differ from each other or from reconwatch, the packets decide: each such row
is ruled in `rulings/`. Compared are DNS questions, server names of TLS and of QUIC, HTTP requests, TCP connections and
UDP flows. Not compared are ICMP, SCTP, ESP and the rest: a capture is read for who opens which port, so it tells none
of them, and the engines put ICMP's type and code where ports are, each in its own way.
"""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml
from tests.sources.pcap.wire import Everything, read

from reconwatch.events import AnyEvent
from reconwatch.interest import Interest, Lookout

RULINGS = Path(__file__).parent / "rulings"
KINDS = ("dns", "sni", "quic_sni", "http", "tcp", "udp")
ALL_PORTS = frozenset(range(65_536))
HOST_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")

Row = tuple[str, ...]
Place = tuple[str, str, Row]
"""(capture, kind, row)."""
Told = dict[str, set[Place]]
"""By kind."""


@pytest.fixture(scope="module")
def corpus(shared_captures: Path) -> Path:
    folder = shared_captures.parent / "corpus"
    if not folder.is_dir():
        pytest.skip("the corpus lies beside the developers' checkouts only")
    return folder


def normal(client: str, method: str, host: str, uri: str) -> Row:
    """A row of HTTP as all three tell it: a CONNECT is its host, with port or without."""
    return (client, method, host.partition(":")[0], "") if method == "CONNECT" else (client, method, host, uri)


def engine(path: Path) -> set[Place]:
    """What an engine said."""
    said = set()
    for line in path.read_text().splitlines():
        capture = json.loads(line)
        name = capture["pcap"]
        said |= {(name, kind, tuple(map(str, row))) for kind in ("dns", "sni", "quic_sni") for row in capture[kind]}
        said |= {(name, "http", normal(*(field or "" for field in row))) for row in capture["http"]}
        said |= {(name, row[4], tuple(map(str, row[:4]))) for row in capture["conn"] if row[4] in ("tcp", "udp")}
    return said


def comparable(event: AnyEvent) -> tuple[str, Row] | None:
    """(kind, row) of an event."""
    match event.kind:
        case "dns":
            return "dns", (event.client, event.name, str(event.qtype))
        case "http":
            return "http", (event.client, event.method, event.host, unquote(event.uri, errors="backslashreplace"))
        case "tls" if event.transport == "connect":
            return "http", (event.client, "CONNECT", event.name or "", "")
        case "tls" if event.name:
            kind = "sni" if event.transport == "tls" else "quic_sni"
            return kind, (event.client, event.server, str(event.server_port), event.name)
        case "conn":
            return event.proto, (event.client, str(event.client_port), event.server, str(event.server_port))
    return None


class Asked(Lookout):
    """Wants what a catalog of these names does, and connections to all ports; shows URIs as they were sent."""

    def mask(self, host: str, uri: str, *, decoded: bool = False) -> str:
        return uri


def told(data: bytes, lookout: Lookout, *, funnel: bool) -> set[tuple[str, Row]]:
    return {found for event in read(data, lookout, funnel=funnel)[0] if (found := comparable(event)) is not None}


def named(place: Place) -> str | None:
    """The name that a row is found by; None for a connection."""
    _, kind, row = place
    return {"dns": row[1], "http": row[2], "sni": row[-1], "quic_sni": row[-1]}.get(kind)


class Comparison:
    """Both engines, reconwatch and the rulings, all as places."""

    def __init__(self, corpus: Path, *, funnel: bool) -> None:
        self.zeek, self.suricata = (engine(corpus / "oracle" / name) for name in ("zeek.jsonl", "suricata7.jsonl"))
        self.rulings: dict[Place, tuple[str, str, str]] = {}
        for path in sorted(RULINGS.glob("*.yaml")):
            ruled = yaml.safe_load(path.read_text())
            for capture, rows in ruled["rows"].items():
                for ruling, reason, said, *row in rows:
                    assert reason in ruled["reasons"], (path.name, reason)
                    place = (capture, path.stem, tuple(row))
                    assert place not in self.rulings, place
                    self.rulings[place] = (ruling, reason, said)
        known = self.zeek | self.suricata | self.rulings.keys()
        names = {named(place) or "" for place in known}
        self.askable = frozenset(name for name in names if HOST_NAME.fullmatch(name))
        self.servers = {row[2] for _, kind, row in known if kind == "tcp"}
        self.ours: set[Place] = set()
        for path in sorted(p for p in (corpus / "pcaps").rglob("*") if p.is_file()):
            data = path.read_bytes()
            data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
            name = path.relative_to(corpus / "pcaps").as_posix()
            self.ours |= {(name, kind, row) for kind, row in told(data, self.lookout(funnel), funnel=funnel)}
        if funnel:
            # What no interest can name passes no funnel: the root, and what is no host name.
            self.zeek, self.suricata, self.ours = map(self.passing, (self.zeek, self.suricata, self.ours))
            self.rulings = {place: self.rulings[place] for place in self.passing(set(self.rulings))}

    def lookout(self, funnel: bool) -> Lookout:
        if not funnel:
            return Everything(Interest(ports=ALL_PORTS))
        lookout = Asked(Interest(names=self.askable, ports=ALL_PORTS))
        lookout.addresses |= self.servers
        return lookout

    def passing(self, places: set[Place]) -> set[Place]:
        return {
            p for p in places if (name := named(p)) is None or name in self.askable or (p[1] == "http" and not name)
        }

    def ruled(self, ruling: str) -> set[Place]:
        return {place for place, (ruled, _, _) in self.rulings.items() if ruled == ruling}


@pytest.fixture(scope="module")
def comparisons(corpus: Path) -> tuple[Comparison, Comparison]:
    """Without the funnel and with it."""
    return Comparison(corpus, funnel=False), Comparison(corpus, funnel=True)


@pytest.fixture(params=[0, 1], ids=["no funnel", "funnel"])
def comparison(comparisons: tuple[Comparison, Comparison], request: pytest.FixtureRequest) -> Comparison:
    return comparisons[request.param]


def test_the_funnel_changes_nothing(comparisons: tuple[Comparison, Comparison]) -> None:
    everything, asked = comparisons
    assert sorted(asked.passing(everything.ours) ^ asked.ours) == []


def test_what_both_engines_tell_is_found(comparison: Comparison) -> None:
    beyond = comparison.ruled("wrong") | comparison.ruled("out of scope")
    agreed = (comparison.zeek & comparison.suricata) - beyond
    missed = agreed - comparison.ours
    count, lost = Counter(kind for _, kind, _ in agreed), Counter(kind for _, kind, _ in missed)
    assert set(count) == set(KINDS)
    assert [kind for kind in KINDS if lost[kind] > 0.01 * count[kind]] == [], sorted(missed)


def test_every_difference_is_ruled(comparison: Comparison) -> None:
    zeek, suricata, ours = comparison.zeek, comparison.suricata, comparison.ours
    differing = (zeek | suricata | ours) - (zeek & suricata & ours)
    assert sorted(differing - comparison.rulings.keys()) == []


def test_rulings_say_who_tells_what(comparison: Comparison) -> None:
    words = {(True, True): "both", (True, False): "zeek", (False, True): "suricata", (False, False): "neither"}
    for place, (_, _, said) in comparison.rulings.items():
        assert words[place in comparison.zeek, place in comparison.suricata] == said, place


def test_what_is_ruled_right_is_found(comparison: Comparison) -> None:
    right = comparison.ruled("right")
    missed = right - comparison.ours
    assert len(missed) <= 0.05 * len(right), sorted(missed)


def test_nothing_ruled_wrong_is_told(comparison: Comparison) -> None:
    assert sorted(comparison.ours & comparison.ruled("wrong")) == []
