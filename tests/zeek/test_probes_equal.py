"""Zeek with the package raises the notices of probes that a replay does, on every capture of this repository."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from reconwatch.catalog.load import load, load_world
from reconwatch.detectors import default_thresholds
from reconwatch.pipeline import Replay
from reconwatch.rules.zeek.build import catalog_files, site_files
from reconwatch.site import load_site
from tests.conftest import ROOT
from tests.zeek.test_btest import zeek

CAPTURES = sorted((ROOT / "pcaps").glob("*.pcap"))
PACKAGE = ROOT / "zeek-scripts"
NOTES = {
    "Scanner_Crawl", "Address_Scan", "Port_Scan", "Zone_Transfer", "DNS_Enumeration", "Name_Probe", "Service_Probe",
    "Canary_Touched",
}  # fmt: skip

Told = tuple[str, str, str]
"""Note, actor, services."""


def by_python(capture: Path) -> set[Told]:
    catalog = load()
    site = load_site(ROOT / "pcaps" / "demo-site.yaml", thresholds=default_thresholds())
    notices = Replay([capture], catalog, site, load_world(catalog)).notices()
    return {
        (each.note, each.actor.ip.partition("/")[0], ",".join(each.services)) for each in notices if each.note in NOTES
    }


def by_zeek(capture: Path, folder: Path) -> set[Told]:
    site = folder / "site.zeek"
    site.write_text(site_files(load_site(ROOT / "pcaps" / "demo-site.yaml"))["site.zeek"])
    command = [zeek(), "-C", "-r", str(capture), "FilteredTraceDetection::enable=F", str(PACKAGE), str(site)]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert ran.returncode == 0 or "truncated dump file" in ran.stderr, ran.stderr
    assert not (folder / "reporter.log").exists()
    told: set[Told] = set()
    log = folder / "notice.log"
    for line in log.read_text().splitlines() if log.exists() else ():
        if line.startswith("#fields"):
            names = line.split("\t")[1:]
        elif not line.startswith("#"):
            row = dict(zip(names, line.split("\t"), strict=True))
            note = row["note"].removeprefix("ReconWatch::")
            if note in NOTES:
                services = next(word for word in row["sub"].split() if word.startswith("services="))
                told.add((note, row["src"], services.removeprefix("services=")))
    return told


@pytest.mark.parametrize("capture", CAPTURES, ids=[path.name for path in CAPTURES])
def test_zeek_raises_the_notices_of_a_replay(capture: Path, tmp_path: Path) -> None:
    assert by_zeek(capture, tmp_path) == by_python(capture)


def test_the_data_are_those_of_the_catalog() -> None:
    catalog = load()
    made = catalog_files(catalog, load_world(catalog))
    for name in ("scanners.zeek", "paths.zeek"):
        assert (PACKAGE / "catalog" / name).read_text() == made[name]


def test_the_narrowest_network_is_whose_an_address_is() -> None:
    world = load_world(load())
    said: dict[str, str] = {}
    for scanner in sorted(world.facts.scanners, key=lambda scanner: scanner.id):
        for cidr in scanner.ranges.split():
            assert said.setdefault(cidr, scanner.id) == scanner.id
