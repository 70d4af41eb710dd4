"""What the package inside Zeek logs is read as the capture would have been."""

from __future__ import annotations

import shutil
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from reconwatch.catalog import Catalog
from reconwatch.catalog.load import load, load_world
from reconwatch.catalog.world import World
from reconwatch.detectors import DETECTORS
from reconwatch.live import Live
from reconwatch.notices import Notice
from reconwatch.pipeline import Replay
from reconwatch.site import Site, load_site
from reconwatch.sources.live import Chunk
from tests.conftest import ROOT
from tests.zeek.lookups_seen import run_zeek
from tests.zeek.test_btest import zeek

LOGS = Path(__file__).with_name("logs")
CAPTURES = ("bulk", "damaged", "lookups", "modern", "ordinary", "trusted")
"""Those of pcaps/ in which somebody looks us up; of probed.pcap the package writes no lookup."""
LOOKUPS = frozenset(each.note for each in DETECTORS)

NOT_READ_BY_ZEEK = {("modern", "viewdns"): "a request over HTTP/2 in clear text: Zeek tells the connection only"}

Said = tuple[Any, ...]


@lru_cache(maxsize=1)
def rooms() -> tuple[Catalog, Site, World]:
    catalog = load()
    return catalog, load_site(ROOT / "pcaps" / "demo-site.yaml"), load_world(catalog)


def replay(*inputs: Path, funnel: bool = True) -> tuple[set[Said], Replay]:
    """The notices of lookups, and the run."""
    run = Replay(inputs, *rooms(), funnel=funnel)
    return rows_of(run.notices()), run


def rows_of(notices: Any) -> set[Said]:
    return {_row(notice) for notice in notices if notice.note in LOOKUPS}


def _row(notice: Notice) -> Said:
    return (*notice.row, notice.count, notice.counted, notice.score, notice.actor.trusted)


@lru_cache
def of_capture(name: str) -> frozenset[Said]:
    return frozenset(replay(ROOT / "pcaps" / f"{name}.pcap")[0])


def as_zeek_reads(name: str, said: set[Said] | frozenset[Said]) -> set[Said]:
    return {row for row in said if not any((name, service) in NOT_READ_BY_ZEEK for service in row[2])}


def chunks(path: Path) -> list[Chunk]:
    """A file of lines, three at a time."""
    lines = path.read_bytes().splitlines(keepends=True)
    offset, found = 0, []
    for start in range(0, len(lines), 3):
        data = b"".join(lines[start : start + 3])
        last = start + 3 >= len(lines)
        found.append(Chunk(path.name, str(path), data, offset, start + 1, b"".join(lines[:20]), last=last))
        offset += len(data)
    return found


@pytest.mark.parametrize("funnel", [True, False], ids=["funnel", "oracle"])
@pytest.mark.parametrize("name", CAPTURES)
def test_reconwatch_log_says_what_its_capture_says(name: str, funnel: bool) -> None:
    said, run = replay(LOGS / name / "reconwatch.log", funnel=funnel)
    assert as_zeek_reads(name, of_capture(name))
    assert as_zeek_reads(name, said) == as_zeek_reads(name, of_capture(name))
    assert run.accounts[0].dialect == "zeek/reconwatch tsv"
    assert not run.accounts[0].skipped
    assert not run.accounts[0].blind


@pytest.mark.parametrize("funnel", [True, False], ids=["funnel", "oracle"])
def test_json_says_what_tsv_says(funnel: bool) -> None:
    assert replay(LOGS / "lookups-json" / "reconwatch.log", funnel=funnel)[0] == of_capture("lookups")


@pytest.mark.parametrize("funnel", [True, False], ids=["funnel", "oracle"])
@pytest.mark.parametrize("name", CAPTURES)
def test_capture_and_reconwatch_log_count_each_event_once(name: str, funnel: bool) -> None:
    said, run = replay(ROOT / "pcaps" / f"{name}.pcap", LOGS / name, funnel=funnel)
    assert said == of_capture(name)
    assert any(line.endswith("records told what another input had told: counted once") for line in run.account())


@pytest.mark.parametrize("funnel", [True, False], ids=["funnel", "oracle"])
@pytest.mark.parametrize("folder", ["lookups", "lookups-json"])
def test_a_folder_of_all_logs_counts_each_event_once(folder: str, funnel: bool) -> None:
    assert replay(LOGS / folder, funnel=funnel)[0] == of_capture("lookups")


@pytest.mark.parametrize("funnel", [True, False], ids=["funnel", "oracle"])
@pytest.mark.parametrize("folder", ["lookups", "lookups-json"])
def test_all_logs_in_one_stream_say_the_same(folder: str, funnel: bool, tmp_path: Path) -> None:
    one = tmp_path / "all.log"
    logs = [*sorted((LOGS / folder).iterdir()), LOGS / "notices" / f"{folder}.log"]
    one.write_bytes(b"".join(log.read_bytes() for log in logs))
    said, run = replay(one, funnel=funnel)
    assert said == of_capture("lookups")
    assert not run.accounts[0].skipped
    assert {"reconwatch", "notice", "whois", "dns"} <= set(
        run.accounts[0].dialect.split()[0].removeprefix("zeek/").split("+")
    )


def test_a_folder_without_reconwatch_log_still_knows_what_was_asked_on_port_43(tmp_path: Path) -> None:
    for log in ("dns", "conn", "whois"):
        shutil.copy(LOGS / "lookups" / f"{log}.log", tmp_path)
    searches = {row for row in of_capture("lookups") if row[0] == "Targeted_Search" and row[2] == ("ripe-whois",)}
    assert searches
    assert searches <= replay(tmp_path)[0]


def test_whois_log_alone_names_its_server() -> None:
    said, run = replay(LOGS / "lookups" / "whois.log")
    assert {row[:3] for row in said} >= {("Targeted_Search", "10.20.1.11", ("ripe-whois",))}
    assert run.accounts[0].holds == {"whois"}


@pytest.mark.parametrize("funnel", [True, False], ids=["funnel", "oracle"])
def test_probes_of_the_log_are_those_of_the_capture(funnel: bool) -> None:
    log, capture = LOGS / "probed" / "reconwatch.log", ROOT / "pcaps" / "probed.pcap"
    alone, both, seen = (
        [(n.row, n.count, n.score) for n in Replay(inputs, *rooms(), funnel=funnel).notices()]
        for inputs in ([log], [capture, log], [capture])
    )
    assert both == seen
    # Of crawlers and scans the package logs too little to come to the same again: those stand in notice.log.
    assert {row[0] for row, _, _ in alone} == {"Zone_Transfer", "Canary_Touched", "Service_Probe"}
    assert set(alone) <= set(seen)


def test_evidence_names_all_witnesses() -> None:
    run = Replay([ROOT / "pcaps" / "lookups.pcap", LOGS / "lookups"], *rooms())
    sources = {each.source for notice in run.notices() for each in notice.evidence}
    assert "capture+zeek/http+zeek/reconwatch" in sources
    assert "capture+zeek/reconwatch+zeek/whois" in sources


@pytest.mark.parametrize("folder", ["lookups", "lookups-json"])
def test_followed_live_the_log_says_the_same(folder: str) -> None:
    live = Live(*rooms())
    notices: list[Notice] = []
    for chunk in chunks(LOGS / folder / "reconwatch.log"):
        live.read(chunk)
        notices += live.notices()
        live.restore(live.state())
    notices += live.finish()
    last = {notice.id: notice for notice in notices}
    assert rows_of(last.values()) == of_capture("lookups")


def test_the_account_says_what_such_a_log_cannot_show() -> None:
    _, run = replay(LOGS / "lookups" / "reconwatch.log")
    told = run.account()
    assert (
        "not seen: reconwatch.log holds only what Zeek, by its own catalog and site, took for lookups and probes; scans"
        " of our addresses are not seen"
    ) in told
    assert not any("no TLS" in line or "no WHOIS" in line or "no DNS" in line for line in told)
    _, beside = replay(LOGS / "lookups")
    assert not any("reconwatch.log holds only" in line for line in beside.account())


def test_a_name_that_was_only_resolved_is_no_use_for_the_log_shows_connections(tmp_path: Path) -> None:
    log = tmp_path / "reconwatch.log"
    lines = (LOGS / "lookups" / "reconwatch.log").read_text().splitlines(keepends=True)
    log.write_text("".join(line for line in lines if line.startswith("#") or "\tlookup\tdns\t" in line))
    said = [notice.msg for notice in Replay([log], *rooms()).notices() if notice.services == ("shodan",)]
    assert said == ["10.20.1.11 resolved the name of Shodan"]


@pytest.mark.parametrize("name", CAPTURES)
def test_made_anew_by_a_zeek_that_is_here_it_says_the_same(name: str, tmp_path: Path) -> None:
    run_zeek(zeek(), ROOT / "pcaps" / f"{name}.pcap", rooms()[1], tmp_path)
    said, _ = replay(tmp_path / "reconwatch.log")
    assert as_zeek_reads(name, said) == as_zeek_reads(name, of_capture(name))
