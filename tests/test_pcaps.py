"""The captures of pcaps/: made anew they are the same, and each shows what its manifest says."""

from __future__ import annotations

import hashlib
import ipaddress
import subprocess
import sys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import dpkt
import pytest
import yaml

from reconwatch.catalog import Catalog
from reconwatch.catalog.load import load, load_world
from reconwatch.detectors import default_thresholds
from reconwatch.notices import Notice
from reconwatch.pipeline import Replay
from reconwatch.site import Site, load_site

PCAPS = Path(__file__).parents[1] / "pcaps"
MANIFEST: dict[str, Any] = yaml.safe_load((PCAPS / "manifest.yaml").read_text())
ENTRIES: dict[str, dict[str, Any]] = {entry["file"]: entry for entry in MANIFEST["captures"]}
LARGEST = 100_000
SECRET = "Wq7RmadeupT2"
"""The made-up API key that is in the captures and must be in no output."""
DOCUMENTED = [
    ipaddress.ip_network(block)
    for block in ("10.20.0.0/16", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
]

Row = tuple[str, str, tuple[str, ...], tuple[str, ...], str]


@lru_cache(maxsize=1)
def _catalog() -> Catalog:
    return load()


@lru_cache(maxsize=1)
def _site() -> Site:
    return load_site(PCAPS / "demo-site.yaml", thresholds=default_thresholds())


def _replay(names: Sequence[str], *, funnel: bool) -> list[Notice]:
    run = Replay([PCAPS / name for name in names], _catalog(), _site(), load_world(_catalog()), funnel=funnel)
    return list(run.notices())


def _row(notice: Notice) -> Row:
    targets = tuple(sorted(target.value for target in notice.targets))
    return (notice.note, notice.actor.ip, notice.services, targets, notice.verdict)


def _expected(name: str) -> list[Row]:
    return [
        (row["note"], row["actor"], tuple(row["services"]), tuple(sorted(row["targets"])), row["verdict"])
        for row in ENTRIES[name]["shows"]
    ]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the captures as their generators make them now."""
    folder = tmp_path_factory.mktemp("pcaps")
    subprocess.run([sys.executable, PCAPS / "gen", folder], check=True, capture_output=True)
    return folder


def test_manifest_tells_every_capture_of_the_folder() -> None:
    assert sorted(ENTRIES) == sorted(path.name for path in PCAPS.glob("*.pcap"))


@pytest.mark.parametrize("name", ENTRIES)
def test_manifest_is_true_of_the_file(name: str) -> None:
    data = (PCAPS / name).read_bytes()
    assert hashlib.sha256(data).hexdigest() == ENTRIES[name]["sha256"]
    assert len(data) <= LARGEST
    assert (PCAPS / ENTRIES[name]["generator"]).is_file()


@pytest.mark.parametrize("name", ENTRIES)
def test_made_anew_it_is_the_same(name: str, made: Path) -> None:
    assert (made / name).read_bytes() == (PCAPS / name).read_bytes()


@pytest.mark.parametrize("name", ENTRIES)
def test_addresses_are_for_documentation_only(name: str) -> None:
    with (PCAPS / name).open("rb") as file:
        frames = [frame for _, frame in dpkt.pcap.Reader(file)]
    if name == "damaged.pcap":
        frames.pop()  # the cut record
    packets = [dpkt.ethernet.Ethernet(frame).data for frame in frames]
    addresses = [ipaddress.ip_address(end) for end in {end for ip in packets for end in (ip.src, ip.dst)}]
    assert addresses
    assert [a for a in addresses if not any(a in block for block in DOCUMENTED)] == []


@pytest.mark.parametrize("funnel", [True, False], ids=["funnel", "no-funnel"])
@pytest.mark.parametrize("name", ENTRIES)
def test_shows_what_the_manifest_says(name: str, funnel: bool) -> None:
    assert sorted(map(_row, _replay([name], funnel=funnel))) == sorted(_expected(name))


@pytest.mark.parametrize("funnel", [True, False], ids=["funnel", "no-funnel"])
def test_all_at_once_show_what_each_shows(funnel: bool) -> None:
    """But for the verdicts of notices that name each other: the searches, and the probes after them."""
    notices = _replay(list(ENTRIES), funnel=funnel)
    alone = [row for name in ENTRIES for row in _expected(name)]
    assert sorted(_row(notice)[:-1] for notice in notices) == sorted(row[:-1] for row in alone)
    joined = {_row(notice) for notice in notices if any(reason.notice for reason in notice.reasons)}
    assert {_row(notice) for notice in notices} - joined <= set(alone)
    assert {row[0] for row in joined} >= {"Targeted_Search", "Port_Scan", "Zone_Transfer"}


def test_ordinary_use_is_nothing_to_look_at() -> None:
    assert {row["verdict"] for row in ENTRIES["ordinary.pcap"]["shows"]} == {"monitor"}
    assert {row["note"] for row in ENTRIES["ordinary.pcap"]["shows"]} == {"Database_Lookup"}


def test_trusted_party_is_noted_with_its_reason() -> None:
    notices = _replay(["trusted.pcap"], funnel=True)
    assert {notice.actor.trusted for notice in notices} == {"attack-surface team"}


@pytest.mark.parametrize("funnel", [True, False], ids=["funnel", "no-funnel"])
def test_no_notice_holds_a_credential(funnel: bool) -> None:
    wire = b"".join((PCAPS / name).read_bytes() for name in ENTRIES)
    assert SECRET.encode() in wire
    details = [piece.detail for notice in _replay(list(ENTRIES), funnel=funnel) for piece in notice.evidence]
    assert [detail for detail in details if SECRET in detail] == []
    assert sum("key=***" in detail for detail in details) >= 3


def test_damage_is_told_once_and_stops_nothing() -> None:
    warnings: list[str] = []
    run = Replay([PCAPS / "damaged.pcap"], _catalog(), _site(), warn=warnings.append)
    assert list(run.notices())
    assert len(warnings) == 2
    assert "packet 53: cut by the snap length" in warnings[0]
    assert "the last record is cut" in warnings[1]
    account = "\n".join(run.account())
    assert "cut short by the capture's snap length" in account
    assert "1 packet skipped: the last record is cut" in account
    assert not run.unreadable
