"""What the package notices of lookups inside Zeek is what `reconwatch replay` notices of the same capture."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest

from reconwatch.catalog import Catalog
from reconwatch.catalog.load import load, load_world
from reconwatch.detectors import default_thresholds
from reconwatch.events import AnyEvent, DnsQuery, Hello, HttpRequest, WhoisQuery
from reconwatch.notices import Notice
from reconwatch.pipeline import Replay
from reconwatch.rules.zeek import script
from reconwatch.rules.zeek.site import site_script
from reconwatch.sift import Sift
from reconwatch.site import Site, load_site
from reconwatch.visits import Visit, Witnessed
from tests.conftest import ROOT
from tests.zeek import package

PCAPS = ROOT / "pcaps"
CAPTURES = sorted(PCAPS.glob("*.pcap"))
READABLE = [capture for capture in CAPTURES if capture.stem != "damaged"]
"""Zeek ends with a fatal error at a packet that is cut, before it tells what it saw."""
UNSEEN: dict[str, set[package.Row]] = {
    # A request in HTTP/2 without TLS: Zeek 8.2 has no analyzer, and sees the connection by its address.
    "modern": {("Targeted_Search", "2001:db8:acc:1::16", ("viewdns",))},
}
"""What Zeek cannot see of a capture."""
DISORDER = 8.0
"""Seconds by which rows come out of order, a little less than the package allows."""


@lru_cache(maxsize=1)
def _catalog() -> Catalog:
    return load()


class Watched(Replay):
    """A replay that keeps the visits that it judges."""

    def rows(self, visits: list[Visit]) -> Iterator[str]:
        """Every event of the visits as a row that Zeek could have written, in about the order of time."""
        sift = Sift(self._rooms.watched, self.site, world=self._rooms.world)
        told = [
            (told.event.ts + random.Random(1596).uniform(0, DISORDER), number, visit.service, told)
            for visit in visits
            if self.site.is_inside(visit.client)
            for number, told in enumerate(visit.events)
        ]
        for _, _, service, witnessed in sorted(told, key=lambda row: row[:2]):
            yield _row(sift, self.site, service, witnessed)

    def visits(self) -> list[Visit]:
        """All visits, of a run of its own."""
        found: list[Visit] = []
        judge = self._rooms.meet.visits
        self._rooms.meet.visits = lambda events: _kept(judge(events), found)  # type: ignore[method-assign]
        self.judged = list(self.notices())
        return found


def _kept(visits: Iterator[Visit], found: list[Visit]) -> Iterator[Visit]:
    for visit in visits:
        found.append(visit)
        yield visit


def _row(sift: Sift, site: Site, service: str, told: Witnessed) -> str:
    """A row of reconwatch.log as the observing side would sight it."""
    event = told.event
    targets = sorted(sift._named(sift._catalog.services[service], event), key=lambda target: target.place)
    trust = site.trust(event.client, event.ts, "lookup")
    tools = sift._tools([told])
    server = event.server or "0.0.0.0"
    fields = {
        "ts": f"double_to_time({event.ts!r})",
        "uid": script.string(event.uid or "C"),
        "id": f"conn_id($orig_h={_ip(event.client)}, $orig_p={event.client_port or 0}/tcp, "
        f"$resp_h={_ip(server)}, $resp_p={event.server_port or 0}/tcp)",
        "direction": '"lookup"',
        "kind": script.string(_kind(event)),
        "actor": _ip(event.client),
        "actor_role": script.some(map(script.string, site.roles_of(event.client))),
        "service": script.string(service),
        "technique": script.string(sift._catalog.services[service].technique),
        "targets": script.vector(script.string(f"{each.kind}:{each.value}") for each in targets),
        "host": script.string(told.name),
    }
    if trust is not None:
        fields["trusted"] = script.string(trust.reason)
    if tools:
        fields["tool"] = script.string(tools[0])
    if isinstance(event, HttpRequest):
        fields["uri"] = script.string(event.uri)
    if isinstance(event, WhoisQuery):
        fields["query"] = script.string(event.line)
    return f"ReconWatch::Info({', '.join(f'${name}={value}' for name, value in fields.items())})"


def _ip(text: str) -> str:
    return f"[{text}]" if ":" in text else text


def _kind(event: AnyEvent) -> str:
    if isinstance(event, Hello):
        return "quic" if event.transport == "quic" else "tls"
    return "dns" if isinstance(event, DnsQuery) else event.kind


def _expected(notices: list[Notice]) -> set[package.Row]:
    return {(notice.note, notice.actor.ip, notice.services) for notice in notices if notice.note in package.LOOKUPS}


def compare_rows(capture: Path, site_file: Path, folder: Path) -> tuple[set[package.Row], set[package.Row]]:
    """What the replay and the package notice of the events that the replay read in a capture."""
    site = load_site(site_file, thresholds=default_thresholds())
    replay = Watched([capture], _catalog(), site, load_world(_catalog()))
    rows = "\n\t".join(f"ReconWatch::sight({row});" for row in replay.rows(replay.visits()))
    (folder / "site.zeek").write_text(_without_canaries(site))
    (folder / "rows.zeek").write_text(f"event zeek_init() &priority=-10\n\t{{\n\t{rows}\n\t}}\n")
    package.run(folder, ["site.zeek", "rows.zeek"])
    return _expected(replay.judged), _found(folder)


def compare_capture(capture: Path, site_file: Path, folder: Path) -> tuple[set[package.Row], set[package.Row]]:
    """What the replay and the package notice of a capture, each by its own eyes."""
    site = load_site(site_file, thresholds=default_thresholds())
    replay = Replay([capture], _catalog(), site, load_world(_catalog()))
    (folder / "site.zeek").write_text(_without_canaries(site))
    package.run(folder, ["site.zeek"], capture)
    return _expected(list(replay.notices())), _found(folder)


def _found(folder: Path) -> set[package.Row]:
    last: dict[tuple[str, str, str], package.Row] = {}
    for row in package.noticed(folder):
        # A sweep or a tool that came to more databases is told again: the last word counts, as of a replay.
        grows = row[0] in ("Enumeration_Sweep", "Recon_Tool", "Reverse_Sweep")
        last[row[0], row[1], "" if grows else ",".join(row[2])] = row
    return {row for row in last.values() if row[0] in package.LOOKUPS}


def _without_canaries(site: Site) -> str:
    """The site; baits are read by the notes of probes."""
    return re.sub(r"(?m)^redef ReconWatch::canaries.*\n", "", site_script(site))


@pytest.mark.parametrize("capture", CAPTURES, ids=[capture.stem for capture in CAPTURES])
def test_of_the_same_events_zeek_notices_what_a_replay_does(capture: Path, tmp_path: Path) -> None:
    package.zeek()
    expected, found = compare_rows(capture, PCAPS / "demo-site.yaml", tmp_path)
    assert found == expected


@pytest.mark.parametrize("capture", READABLE, ids=[capture.stem for capture in READABLE])
def test_zeek_notices_in_a_capture_what_a_replay_does(capture: Path, tmp_path: Path) -> None:
    package.zeek()
    expected, found = compare_capture(capture, PCAPS / "demo-site.yaml", tmp_path)
    unseen = UNSEEN.get(capture.stem, set())
    assert unseen <= expected
    assert found == expected - unseen
