"""Generated traffic from outside: each kind gives the notices that it deserves, and what is no probe gives none."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import dpkt
import pytest

from reconwatch.catalog.load import load, load_world
from reconwatch.detectors import default_thresholds
from reconwatch.notices import Notice
from reconwatch.pipeline import Replay
from reconwatch.site import load_site
from tests.test_engines import engine

PCAPS = Path(__file__).parents[1] / "pcaps"
PROBES = {
    "slow-scan", "slow-ports", "fast-scan", "port-scan", "network-scan", "udp-scan", "ping-sweep", "ipv6-scan",
    "name-list", "path-list", "label-list",
}  # fmt: skip
NO_PROBES = {
    "backscatter", "reflection", "midstream", "hoster", "carrier", "visitors", "bots", "resolvers", "validation",
    "uptime", "callouts", "edges",
}  # fmt: skip
LOOKS_ALIKE = {"carrier"}
"""Of 200 web servers: hundreds of people behind one address of a carrier use as many names as a word list has, and
reach as many addresses as a scanner, if slowly. What would tell them apart is that others use these names too."""
ENGINES = ["backscatter", "reflection", "midstream", "udp-scan", "network-scan"]
"""Kinds of which the engines tell in their own ways."""
DOCUMENTED = [
    ip_network(block)
    for block in ("192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
]

Row = tuple[str, str, int, int]
"""Note, actor, count, members."""


def generate(folder: Path, *options: str) -> str:
    command = [sys.executable, str(PCAPS / "gen" / "probes.py"), "--out", str(folder), *options]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("probes")
    told = generate(folder)
    assert told.count("\n") == len(PROBES | NO_PROBES)
    return folder


@pytest.fixture(scope="module")
def truth(made: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads((made / "truth.json").read_text())
    return found


@lru_cache(maxsize=1)
def _world() -> tuple[Any, Any]:
    catalog = load()
    return catalog, load_world(catalog)


def replayed(*paths: Path, funnel: bool = True) -> list[Notice]:
    catalog, world = _world()
    site = load_site(PCAPS / "demo-site.yaml", thresholds=default_thresholds())
    run = Replay(paths, catalog, site, world, funnel=funnel)
    notices = list(run.notices())
    assert not run.unreadable
    return notices


def rows(notices: Iterable[Notice]) -> list[Row]:
    return sorted((each.note, each.actor.ip, each.count, len(each.actor.members)) for each in notices)


def shown(about: dict[str, Any]) -> list[Row]:
    return sorted((row["note"], row["actor"], row["amount"], row["members"]) for row in about["shows"])


def test_every_kind_is_a_probe_or_none(truth: dict[str, dict[str, Any]]) -> None:
    assert {kind for kind, about in truth.items() if about["shows"]} == PROBES
    assert {kind for kind, about in truth.items() if not about["shows"]} == NO_PROBES
    assert truth["visitors"]["sources"] > 4_000  # 5,000 visitors, of whom many share an address


@pytest.mark.parametrize("kind", sorted((PROBES | NO_PROBES) - LOOKS_ALIKE))
def test_each_kind_gives_what_it_deserves(kind: str, made: Path, truth: dict[str, dict[str, Any]]) -> None:
    assert rows(replayed(made / f"{kind}.pcap")) == shown(truth[kind])


@pytest.mark.parametrize("kind", sorted((PROBES | NO_PROBES) - {"visitors"} - LOOKS_ALIKE))
def test_without_the_funnel_it_is_the_same(kind: str, made: Path, truth: dict[str, dict[str, Any]]) -> None:
    assert rows(replayed(made / f"{kind}.pcap", funnel=False)) == shown(truth[kind])


def test_fewer_visitors_are_none_either_without_the_funnel(tmp_path: Path) -> None:
    generate(tmp_path, "--only", "visitors", "--visitors", "600")
    assert replayed(tmp_path / "visitors.pcap", funnel=False) == []


@pytest.mark.parametrize("kind", sorted(LOOKS_ALIKE))
def test_what_looks_alike_is_on_record_and_no_more(kind: str, made: Path) -> None:
    assert {notice.verdict for notice in replayed(made / f"{kind}.pcap")} == {"monitor"}


def test_probes_among_everything_else_are_found_and_nothing_else_is(
    made: Path, truth: dict[str, dict[str, Any]]
) -> None:
    kinds = truth.keys() - LOOKS_ALIKE
    notices = replayed(*(made / f"{kind}.pcap" for kind in sorted(kinds)))
    wanted = sorted((row["note"], row["actor"]) for kind in kinds for row in truth[kind]["shows"])
    assert sorted((each.note, each.actor.ip) for each in notices) == wanted


def test_a_network_that_scans_as_one_is_worth_a_look_and_lone_scanners_are_not(made: Path) -> None:
    assert {each.verdict for each in replayed(made / "network-scan.pcap")} == {"investigate"}
    assert {each.verdict for each in replayed(made / "slow-scan.pcap")} == {"monitor"}


def test_made_again_they_are_the_same_and_a_kind_can_be_had_alone(made: Path, tmp_path: Path) -> None:
    generate(tmp_path, "--only", "backscatter", "--only", "validation")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backscatter.pcap", "truth.json", "validation.pcap"]
    for kind in ("backscatter", "validation"):
        assert (tmp_path / f"{kind}.pcap").read_bytes() == (made / f"{kind}.pcap").read_bytes()


@pytest.mark.parametrize("kind", sorted(PROBES | NO_PROBES))
def test_addresses_are_for_documentation_only_and_checksums_are_right(kind: str, made: Path) -> None:
    ends: set[bytes] = set()
    with (made / f"{kind}.pcap").open("rb") as file:
        for number, (_, frame) in enumerate(dpkt.pcap.Reader(file)):
            head, size, protocol = (34, 4, frame[23]) if frame[12:14] == b"\x08\0" else (54, 16, frame[20])
            sides, payload = frame[head - 2 * size : head], frame[head:]
            ends |= {sides[:size], sides[size:]}
            pseudo = b"" if protocol == 1 else sides + struct.pack(">II", len(payload), protocol)
            words = pseudo + payload + b"\0" * (len(payload) % 2)
            assert int.from_bytes(words, "big") % 0xFFFF == 0
            if number > 5_000:
                break
    assert [end for end in map(ip_address, ends) if not any(end in block for block in DOCUMENTED)] == []


@pytest.mark.parametrize("kind", ENGINES)
def test_what_suricata_tells_of_it_gives_the_same(
    kind: str, made: Path, truth: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    capture = made / f"{kind}.pcap"
    command = [engine("suricata"), "-r", str(capture), "-l", str(tmp_path), "-k", "none", "-S", "/dev/null"]
    subprocess.run(command, check=True, capture_output=True)
    assert rows(replayed(tmp_path / "eve.json")) == shown(truth[kind])
    assert rows(replayed(tmp_path / "eve.json", capture)) == shown(truth[kind])


@pytest.mark.parametrize("kind", ENGINES)
def test_what_zeek_tells_of_it_gives_the_same(
    kind: str, made: Path, truth: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    zeek = shutil.which("zeek")
    if zeek is None:
        pytest.skip("zeek is not installed, and no package has it")
    capture = made / f"{kind}.pcap"
    subprocess.run([zeek, "-C", "-r", str(capture)], check=True, capture_output=True, cwd=tmp_path)
    assert rows(replayed(tmp_path)) == shown(truth[kind])
    assert rows(replayed(tmp_path, capture)) == shown(truth[kind])
