"""Rules and detectors agree: on real clients' captures, and on those of pcaps/, what one sees the other sees.

Compared is each observation (protocol, service, both ends): the events of the visits that `Meet` folds, and the alerts
of rules that were built without thresholds. What one side cannot see is listed here, with the reason.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.conftest import ROOT, SHARED
from tests.rules.suricatas import ENGINES, suricata

from reconwatch.catalog import Catalog
from reconwatch.catalog.load import load, load_world
from reconwatch.catalog.reverse import ID as REVERSE
from reconwatch.catalog.reverse import reverse_service
from reconwatch.pipeline import Replay
from reconwatch.rules.build import RULES, Plan, build
from reconwatch.rules.ledger import shared
from reconwatch.sift import Sift, witness_kind
from reconwatch.site import Site, load_site
from reconwatch.visits import Visit

REAL = ("benign", "cli", "modern", "outside", "proxy")
MADE = sorted(path.stem for path in (ROOT / "pcaps").glob("*.pcap"))

UNSEEN = {
    "conn": "a connection whose server only a DNS answer names: rules remember no answers",
    "damaged": "a capture of broken packets, which each program mends in its own way",
}
"""Kinds of event, and captures, that are not compared, and why."""

ANSWERS_ONLY = {"ordinary": {40022, 40023}}
"""Capture -> clients' ports of answers whose question it does not hold: rules read what clients ask."""

AS_SEEN_BY_RULES = {"http2": "http", "connect": "http"}
"""A CONNECT to a proxy is a request whose host is the server's name, and HTTP/2 is HTTP."""


class Seen(NamedTuple):
    """One observation."""

    kind: str
    service: str
    client: str
    client_port: int | None
    server_port: int | None


CATALOG = load()
WORLD = load_world(CATALOG)


def visits(capture: Path, site: Site) -> list[Visit]:
    """The visits that a replay folds."""
    run = Replay([capture], CATALOG, site)
    folded: list[Visit] = []
    original = run._rooms.meet.visits

    def watched(events: Iterable[Any]) -> Iterator[Visit]:
        for visit in original(events):
            folded.append(visit)
            yield visit

    run._rooms.meet.visits = watched  # type: ignore[method-assign]
    list(run.notices())
    return folded


def kind_of(event: Any) -> str:
    kind = witness_kind(event)
    kind = event.transport if kind == "tls" else kind
    return AS_SEEN_BY_RULES.get(kind, kind)


def by_detectors(folded: list[Visit], site: Site) -> tuple[set[Seen], set[Seen]]:
    """Lookups, and those of them that name what is ours; none of trusted parties."""
    watched = Catalog([*CATALOG.services.values(), reverse_service(site.owned.ranges)])
    sift = Sift(watched, site, world=WORLD)
    lookups, searches = set(), set()
    for visit in folded:
        if visit.service == REVERSE or not site.is_inside(visit.client):
            continue
        for told in visit.events:
            event = told.event
            if site.trust(event.client, event.ts, "lookup") or kind_of(event) in UNSEEN:
                continue
            # Rules know no names of WHOIS servers: the service is the one of the port.
            service = "whois" if event.kind == "whois" else visit.service
            lookups.add(Seen(kind_of(event), service, event.client, event.client_port, event.server_port))
            if not told.upstream and sift._named(watched.services[visit.service], event):
                searches.add(Seen(kind_of(event), "", event.client, event.client_port, event.server_port))
    return lookups, searches


def alerts(
    engine: Any, capture: Path, site: Site, folder: Path, *, threshold: bool
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The key of each rule that alerted, and the event."""
    version = 8 if engine.version[0] >= 8 else 7
    built = build(Plan(CATALOG, WORLD, site, version, datetime.date(2026, 11, 24), threshold=threshold), shared())
    output = folder / f"run-{threshold}"
    output.mkdir()
    (folder / RULES).write_text(built.files[RULES])
    run = engine.run(capture, [folder / RULES], output)
    assert run.loading.clean
    keys = {entry.sid: entry.key for entry in built.ledger}
    for event in run.events("alert"):
        yield keys[event["alert"]["signature_id"]], event


def by_rules(engine: Any, capture: Path, site: Site, folder: Path) -> tuple[set[Seen], set[Seen], Counter[str]]:
    """Lookups, searches, and how often each family alerted."""
    lookups, searches, families = set(), set(), Counter[str]()
    for key, event in alerts(engine, capture, site, folder, threshold=False):
        parts = key.split("/")
        families[parts[0]] += 1
        ends = str(ip_address(event["src_ip"])), event.get("src_port"), event.get("dest_port")
        if parts[0] in ("lookup", "relay") and parts[2] != "agent":
            kind = {"path": "http", "port": "whois"}.get(parts[2], parts[2])
            lookups.add(Seen(kind, parts[1], *ends))
        elif parts[0] == "search":
            kind = "dns" if event.get("app_proto") == "dns" else "whois" if ends[2] == 43 else "http"
            searches.add(Seen(kind, "", *ends))
    return lookups, searches, families


def compare(named: str, capture: Path, site: Site, folder: Path) -> Counter[str]:
    folded = visits(capture, site)
    lookups, searches = by_detectors(folded, site)
    lookups = {each for each in lookups if each.client_port not in ANSWERS_ONLY.get(capture.stem, ())}
    seen, found, families = by_rules(suricata(named), capture, site, folder)
    assert (lookups - seen, seen - lookups) == (set(), set())
    assert (searches - found, found - searches) == (set(), set())
    return families


@pytest.mark.parametrize("named", ENGINES)
@pytest.mark.parametrize("name", REAL)
def test_on_captures_of_real_clients(named: str, name: str, shared_captures: Path, tmp_path: Path) -> None:
    site = load_site(shared_captures / "site.yaml")
    families = compare(named, shared_captures / name / "capture.pcap", site, tmp_path)
    if name == "benign":  # the trusted party is left alone; what the resolver asks for it is told as its own
        assert set(families) == {"relay"}
    if name == "outside":
        assert {"probe", "bait"} <= set(families)


@pytest.mark.parametrize("named", ENGINES)
@pytest.mark.parametrize("name", [name for name in MADE if name not in UNSEEN])
def test_on_captures_that_are_made(named: str, name: str, tmp_path: Path) -> None:
    families = compare(named, ROOT / "pcaps" / f"{name}.pcap", load_site(ROOT / "pcaps" / "demo-site.yaml"), tmp_path)
    assert families or name == "ordinary"


SECONDS = {"search": {300}, "lookup": {3_600, 86_400}, "relay": {3_600, 86_400}}
"""Windows of the families' limits; no capture is an hour long, so that both of the longer ones hold one alert."""


@pytest.mark.parametrize("named", ENGINES)
@pytest.mark.parametrize("name", ["cli", "modern", "proxy"])
def test_a_rule_alerts_exactly_as_its_threshold_says(
    named: str, name: str, shared_captures: Path, tmp_path: Path
) -> None:
    site, capture = load_site(shared_captures / "site.yaml"), shared_captures / name / "capture.pcap"
    engine, expected, begun = suricata(named), Counter[object](), {}
    matched = sorted(
        (datetime.datetime.fromisoformat(event["timestamp"]).timestamp(), key, event["src_ip"])
        for key, event in alerts(engine, capture, site, tmp_path, threshold=False)
    )
    for ts, key, client in matched:
        window = min(SECONDS[key.split("/")[0]])
        if ts - begun.get((key, client), 0.0) >= window:
            begun[key, client] = ts
            expected[key, client] += 1
    told = Counter((key, event["src_ip"]) for key, event in alerts(engine, capture, site, tmp_path, threshold=True))
    assert matched
    assert told == expected


def test_the_captures_of_real_clients_are_all_compared() -> None:
    if (SHARED / "captures").is_dir():
        assert {path.name for path in (SHARED / "captures").iterdir() if path.is_dir()} == set(REAL)
