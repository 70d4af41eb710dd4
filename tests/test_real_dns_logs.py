"""Logs of the resolver and the name server that took part in the captures of real clients.

They show the same lookups and probes as the capture, as far as they can: names, of the client that asked the resolver;
of our own zones the questions, and which transfers were refused. Beside the capture nothing is counted twice.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from reconwatch.catalog.load import load
from reconwatch.notices import Notice
from reconwatch.pipeline import Replay
from reconwatch.site import load_site

CATALOG = load()
UNBOUND = ("cli", "benign", "proxy")
PROXY, HOST, TEAM, STRANGER = "10.20.0.80", "10.20.1.11", "10.20.9.9", "192.0.2.66"
CLIENTS = {"cli": {HOST}, "benign": {TEAM}, "proxy": {PROXY}}
"""Who asked the resolver for names of databases; in `proxy` that is the proxy, as its own logs show for whom."""


def replayed(captures: Path, *inputs: str, funnel: bool = True) -> tuple[list[Notice], Replay]:
    run = Replay([captures / each for each in inputs], CATALOG, load_site(captures / "site.yaml"), funnel=funnel)
    return list(run.notices()), run


def said(notices: list[Notice]) -> dict[object, tuple[object, ...]]:
    """Without their order: Unbound stamps whole seconds."""
    return {n.row: (n.count, n.counted, n.score, n.verdict) for n in notices}


def visits(notices: list[Notice]) -> set[tuple[str, str, tuple[str, ...]]]:
    return {(n.note, n.actor.ip, n.services) for n in notices}


@pytest.mark.parametrize("folder", UNBOUND)
def test_the_resolver_s_log_shows_the_lookups_of_its_clients(shared_captures: Path, folder: str) -> None:
    notices, run = replayed(shared_captures, f"{folder}/unbound.log")
    assert said(notices) == said(replayed(shared_captures, f"{folder}/unbound.log", funnel=False)[0])
    assert {notice.actor.ip for notice in notices} == CLIENTS[folder]
    seen = visits(replayed(shared_captures, f"{folder}/capture.pcap")[0])
    if folder == "proxy":  # there the capture knows the workstation behind the proxy, the resolver's log does not
        assert {services for _, _, services in visits(notices)} <= {services for _, _, services in seen}
    else:
        assert visits(notices) <= seen
    assert not any(account.skipped for account in run.accounts)


def test_of_the_tools_every_service_that_was_resolved_is_in_it(shared_captures: Path) -> None:
    log = visits(replayed(shared_captures, "cli/unbound.log")[0])
    seen = visits(replayed(shared_captures, "cli/capture.pcap")[0])
    # What a search was for, and the WHOIS servers that were asked by address, no name tells.
    assert {note for note, _, _ in seen - log} <= {"Targeted_Search", "Recon_Tool", "Database_Lookup"}
    assert {note for note, _, _ in log} == {"Database_Lookup", "Enumeration_Sweep", "Targeted_Search"}
    assert len(log) == 23


@pytest.mark.parametrize(
    ("capture", "log"), [(f"{folder}/capture.pcap", f"{folder}/unbound.log") for folder in UNBOUND]
    + [("outside/capture.pcap", "outside/bind-query.log")],
)  # fmt: skip
def test_beside_the_capture_nothing_is_counted_twice(shared_captures: Path, capture: str, log: str) -> None:
    alone, _ = replayed(shared_captures, capture)
    together, run = replayed(shared_captures, capture, log)
    assert said(together) == said(alone)
    assert any("told what another input had told" in line for line in run.account())
    told_by = [set(e.source.split("+")) for notice in together for e in notice.evidence]
    if "unbound" in log:  # of a probe the first witness is shown
        assert {"capture", "unbound"} in told_by
        assert {"unbound"} not in told_by


@pytest.mark.parametrize("funnel", [True, False])
def test_the_name_server_s_own_log_shows_who_asked_for_our_zones(shared_captures: Path, funnel: bool) -> None:
    notices, _ = replayed(shared_captures, "outside/bind-query.log", funnel=funnel)
    assert {notice.actor.ip for notice in notices} == {STRANGER}
    (transfer,) = [notice for notice in notices if notice.note == "Zone_Transfer"]
    assert "was refused" in transfer.msg
    assert (transfer.count, transfer.score) == (2, 30)
    asked = sorted(notice.msg for notice in notices if notice.note == "DNS_Enumeration")
    # Which names do not exist the query log does not say, so a dictionary is not seen in it.
    assert asked == [
        f"{STRANGER} asked for everything that acme-widgets.com has (ANY)",
        f"{STRANGER} asked for the names of 31 addresses of 203.0.113.0/24",
        f"{STRANGER} asked our name server for version.bind",
    ]


def test_the_query_log_tells_every_question_of_the_wire(shared_captures: Path) -> None:
    _, run = replayed(shared_captures, "outside/capture.pcap", "outside/bind-query.log")
    log = next(account for account in run.accounts if account.dialect == "bind")
    assert log.records == 5379
    assert any(line.startswith("5,379 records told what another input had told") for line in run.account())
