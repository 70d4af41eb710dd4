"""What Python and what Zeek see of lookups in a capture, in the same words."""

from __future__ import annotations

import json
import os
import struct
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reconwatch.assembly import Assembly
from reconwatch.catalog.load import load, load_world
from reconwatch.catalog.services import Service
from reconwatch.events import AnyEvent, DnsAnswer, DnsQuery, Hello, HttpRequest, WhoisQuery, when
from reconwatch.interest import Lookout
from reconwatch.ordering import Sorter
from reconwatch.rules.zeek.build import install, site_files
from reconwatch.sift import Sift
from reconwatch.site import Site
from reconwatch.sources.inputs import Inputs, read_inputs
from tests.conftest import ROOT

PACKAGE = ROOT / "zeek-scripts"

Row = tuple[Any, ...]
"""(kind, time in ms, client, client port, server, server port, service, technique, targets, roles, name, uri, line)."""


def by_python(capture: Path, site: Site, *, funnel: bool = True) -> Counter[Row]:
    """The events of all visits, each with what it names."""
    catalog = load()
    rooms = Assembly(catalog, site, load_world(catalog), None)
    inputs = Inputs(
        Lookout(rooms.interest), funnel, lambda line: None, lambda done: None, 1, 1 << 30,
        declared=rooms.declared, doors=rooms.doors,
    )  # fmt: skip
    sift = Sift(rooms.watched, site, world=rooms.world)
    rooms.meet.one_input = True
    accounts: list[Any] = []
    rows: Counter[Row] = Counter()
    with Sorter[AnyEvent](AnyEvent, when) as events:
        for event in read_inputs([capture], inputs, accounts):
            if rooms.way(event).name in ("LOOKUP", "BOTH"):
                events.add(event)
        for visit in rooms.meet.visits(events):
            if not site.is_inside(visit.client):
                continue
            service = rooms.watched.services[visit.service]
            for seen in visit.events:
                rows[_row(seen.event, service, sift, site)] += 1
    return rows


def _row(event: AnyEvent, service: Service, sift: Sift, site: Site) -> Row:
    kind, host, uri, line = event.kind, None, None, None
    match event:
        case DnsQuery(name=name) | DnsAnswer(name=name):
            host = name
        case Hello(name=name, transport=transport):
            host, kind = name, "quic" if transport == "quic" else "tls"
        case HttpRequest(host=name):
            host, uri = name or None, event.uri
        case WhoisQuery():
            line = event.line
    targets = tuple(sorted(f"{target.kind}:{target.value}" for target in sift._named(service, event)))
    return (
        kind, round(event.ts * 1000), event.client, event.client_port, event.server, event.server_port, service.id,
        service.technique, targets, tuple(sorted(site.roles_of(event.client))), host, uri, line,
    )  # fmt: skip


def run_zeek(zeek: str, capture: Path, site: Site, folder: Path) -> None:
    """Have Zeek read a capture with the package and a site; its logs stand in a folder, in JSON."""
    install(site_files(site), folder)
    whole = folder / "whole.pcap"
    whole.write_bytes(whole_packets(capture.read_bytes()))
    subprocess.run(
        [zeek, "-C", "-r", whole, PACKAGE / "__load__.zeek", "./site.zeek", "LogAscii::use_json=T"],
        cwd=folder, check=True, env=os.environ | {"TZ": "UTC"},
    )  # fmt: skip


def whole_packets(capture: bytes) -> bytes:
    """A capture (pcap) without a packet that its end cuts: there Zeek gives up, and may lose what it has logged."""
    order = "<" if capture[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    at = 24
    while at + 16 <= len(capture):
        size = struct.unpack_from(f"{order}I", capture, at + 8)[0]
        if at + 16 + size > len(capture):
            break
        at += 16 + size
    return capture[:at]


def by_zeek(folder: Path) -> Counter[Row]:
    """The rows of lookups in reconwatch.log."""
    return Counter(_rows(folder / "reconwatch.log"))


def _rows(log: Path) -> Iterator[Row]:
    if not log.exists():
        return
    for text in log.read_text(encoding="utf-8").splitlines():
        said = json.loads(text)
        if said["direction"] == "lookup":
            yield (
                said["kind"], round(said["ts"] * 1000), said["actor"], said["id.orig_p"], said["id.resp_h"],
                said["id.resp_p"], said["service"], said["technique"], tuple(sorted(said["targets"])),
                tuple(sorted(said["actor_role"])), said.get("host") if said["kind"] in ("dns", "tls", "quic", "http")
                else None, said.get("uri"), said.get("query"),
            )  # fmt: skip
