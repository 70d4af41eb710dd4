"""The captures of real clients: five inputs of the same traffic give the same notices, each read in both ways.

The captures lie beside the developers' checkouts; a clone alone skips this file and has `test_pcaps.py` instead.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import pytest

from reconwatch.catalog.load import load
from reconwatch.notices import Notice
from reconwatch.pipeline import Replay
from reconwatch.site import load_site
from tests.conftest import SHARED

pytestmark = pytest.mark.usefixtures("shared_captures")

INPUTS = ("capture.pcap", "zeek-tsv", "zeek-json", "suricata7", "suricata8")

CANNOT_HOLD = {
    "capture.pcap": set(),
    "zeek-tsv": {"whois", "http2"},
    "zeek-json": {"whois", "http2"},
    "suricata7": {"whois"},
    "suricata8": {"whois"},
}
"""Kinds of event that an input has no record for."""

CATALOG = load()


@lru_cache(maxsize=64)
def replayed(capture: str, *inputs: str, funnel: bool = True) -> tuple[Notice, ...]:
    folder = SHARED / "captures" / capture
    site = load_site(SHARED / "captures" / "site.yaml")
    run = Replay([folder / each for each in inputs], CATALOG, site, funnel=funnel)
    notices = tuple(run.notices())
    assert not [account.path for account in run.accounts if account.failed and not account.passed_over]
    return notices


@pytest.mark.parametrize("each", INPUTS)
@pytest.mark.parametrize("capture", ["cli", "modern", "benign", "proxy", "outside"])
def test_the_funnel_and_the_oracle_tell_the_same(capture: str, each: str) -> None:
    assert replayed(capture, each) == replayed(capture, each, funnel=False)


@pytest.mark.parametrize("each", INPUTS[1:])
@pytest.mark.parametrize("capture", ["cli", "modern", "benign", "proxy", "outside"])
def test_every_input_gives_the_capture_s_notices_as_far_as_it_can_hold_them(capture: str, each: str) -> None:
    by_capture = {notice.row: notice for notice in replayed(capture, "capture.pcap")}
    rows = {notice.row for notice in replayed(capture, each)}
    assert rows - by_capture.keys() == set()
    missing = [by_capture[row] for row in by_capture.keys() - rows]
    unexcused = [notice.row for notice in missing if not set(notice.kinds) <= CANNOT_HOLD[each]]
    assert unexcused == []


@pytest.mark.parametrize("capture", ["cli", "modern", "benign", "proxy", "outside"])
def test_the_whole_folder_counts_nothing_twice(capture: str) -> None:
    def told(notices: tuple[Notice, ...]) -> dict[object, tuple[int, str, int]]:
        return {notice.row: (notice.count, notice.counted, notice.score) for notice in notices}

    assert told(replayed(capture, *INPUTS)) == told(replayed(capture, "capture.pcap"))


SERVED_HOSTS = {
    "cli": {
        "api.shodan.io": "shodan", "search.censys.io": "censys", "dnsdumpster.com": "dnsdumpster",
        "www.virustotal.com": "virustotal", "api.sublist3r.com": "sublist3r-api", "crt.sh": "crtsh",
        "www.threatcrowd.org": "threatcrowd", "whois.verisign-grs.com": "verisign-whois",
        "whois.apnic.net": "apnic-whois", "whois.radb.net": "radb-whois", "whois.cymru.com": "team-cymru-whois",
        "whois.iana.org": "iana-whois", "rdap.arin.net": "arin-rdap", "whois.ripe.net": "ripe-whois",
        "uptime.netcraft.com": "netcraft-site-report", "searchdns.netcraft.com": "netcraft-search-dns",
        "api.securitytrails.com": "securitytrails", "fofa.info": "fofa", "www.sslshopper.com": "sslshopper",
        "ip-api.com": "ip-api", "whois.crsnic.net": "verisign-whois",
        "10.113.0.203.origin.asn.cymru.com": "team-cymru-dns", "AS64496.asn.cymru.com": "team-cymru-dns",
    },
    "modern": {
        "crt.sh": "crtsh", "api.shodan.io": "shodan", "rdap.db.ripe.net": "ripe-rdap", "www.shodan.io": "shodan",
        "securitytrails.com": "securitytrails", "search.censys.io": "censys", "viewdns.info": "viewdns",
        "www.robtex.com": "robtex", "whois.ripe.net": "ripe-whois",
    },
}  # fmt: skip
"""Every open technical database that the laboratory's servers were asked for (truth.jsonl), and what it is called."""


@pytest.mark.parametrize("each", INPUTS)
@pytest.mark.parametrize("capture", ["cli", "modern"])
def test_every_service_reached_is_sighted(capture: str, each: str) -> None:
    truth = (SHARED / "captures" / capture / "truth.jsonl").read_text().splitlines()
    asked = {json.loads(line)["name"] for line in truth}
    assert SERVED_HOSTS[capture].keys() <= asked
    sighted = {service for n in replayed(capture, each) if n.note == "Database_Lookup" for service in n.services}
    assert sighted == set(SERVED_HOSTS[capture].values())


def test_an_ordinary_workstation_raises_nothing_above_monitor() -> None:
    for each in INPUTS:
        assert {n.verdict for n in replayed("benign", each) if n.actor.ip == "10.20.1.12"} <= {"monitor"}


def test_the_trusted_party_s_searches_carry_its_reason_and_the_resolver_raises_nothing() -> None:
    for each in INPUTS:
        notices = replayed("benign", each)
        assert {n.actor.ip for n in notices} == {"10.20.9.9"}
        assert {n.actor.trusted for n in notices} == {"attack-surface team"}
        assert all(n.reasons[-1].why == "trusted: attack-surface team" for n in notices)


def test_what_goes_through_the_proxy_is_the_workstation_s() -> None:
    for each in INPUTS:
        assert {n.actor.ip for n in replayed("proxy", each)} == {"10.20.1.12"}
    verdicts = {(n.note, n.services): n.verdict for n in replayed("proxy", "capture.pcap")}
    assert verdicts["Targeted_Search", ("ip-api",)] == "escalate"


def test_no_output_shows_a_key(tmp_path: Path) -> None:
    from click.testing import CliRunner

    from reconwatch.cli import main

    secrets = ("ABCDEFGHIJKLMNOPQRSTUVWXYZ012345", "SECRETKEY0123456789", "key=k", "a@b.c")
    for form in ("table", "jsonl", "notice-log", "eve"):
        told = CliRunner().invoke(
            main, ["replay", str(SHARED / "captures"), "--site", str(SHARED / "captures/site.yaml"), "--format", form]
        )
        assert told.exit_code == 0
        assert "Targeted" in told.output
        assert not [secret for secret in secrets if secret in told.output]


@pytest.mark.parametrize("each", INPUTS)
def test_the_searches_and_the_stranger_s_probes_of_the_same_night_name_each_other(each: str) -> None:
    notices = {n.id: n for n in replayed("cli", each, f"../outside/{each}")}
    named = {
        (n.note, *n.services, *(t.value for t in n.targets)): {
            (notices[reason.notice].note, reason.points) for reason in n.reasons if reason.notice
        }
        for n in notices.values()
    }
    # Probes of the address that was searched; the weightiest lends its points, and the reverse sweep weighs nothing.
    probes = {("Name_Probe", 15), ("Port_Scan", 0), ("DNS_Enumeration", 0)}
    assert named["Targeted_Search", "ip-api", "203.0.113.10"] == probes
    assert ("Targeted_Search", 10) in named["Port_Scan", "203.0.113.10"]
    assert named["Port_Scan", "203.0.113.11"] == set()
    assert {n.verdict for n in notices.values() if n.note == "Targeted_Search" and n.targets[0].kind == "ip"} == {
        "investigate"
    }  # each on record only by itself


def test_the_night_s_notices_are_the_same_but_for_what_joins_them() -> None:
    apart = {n.id: n for capture in ("cli", "outside") for n in replayed(capture, "capture.pcap")}
    for notice in replayed("cli", "capture.pcap", "../outside/capture.pcap"):
        alone = apart[notice.id]
        assert (notice.row, notice.rev, notice.state) == (alone.row, alone.rev, alone.state)
        assert [r.points for r in notice.reasons if not r.notice and "more notice" not in r.why] == [
            r.points for r in alone.reasons
        ]
