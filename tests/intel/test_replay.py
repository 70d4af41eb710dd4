"""Indicators from inputs to notices: both directions, the funnel as the oracle, and what they add to other notices."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from reconwatch.catalog.load import load, load_world
from reconwatch.cli import main
from reconwatch.intel import Intelligence, load_feed
from reconwatch.notices import Notice
from reconwatch.pipeline import Replay
from reconwatch.site import Feed, Site, load_site
from reconwatch.sources import sieve

PCAPS = Path(__file__).parents[2] / "pcaps"


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def site() -> Site:
    return load_site(PCAPS / "demo-site.yaml")


def replayed(inputs: Sequence[Path], site: Site, lines: str, tmp_path: Path, **options: Any) -> list[Notice]:
    """The notices, the same with the funnel and without."""
    (tmp_path / "feed.txt").write_text(lines)
    catalog = load()
    told = []
    for funnel in (True, False):
        known = Intelligence([load_feed(Feed(str(tmp_path / "feed.txt"), "feed", **options))], site)
        run = Replay(inputs, catalog, site, load_world(catalog), funnel=funnel, intelligence=known)
        told.append(list(run.notices()))
    assert told[0] == told[1]
    return told[0]


def matches(notices: list[Notice]) -> list[Notice]:
    return [notice for notice in notices if notice.note == "Indicator_Match"]


def words(notices: list[Notice]) -> set[tuple[str, str, str]]:
    return {(each.direction, each.actor.ip, each.reasons[0].why.partition(":")[0]) for each in matches(notices)}


def test_a_capture_shows_names_addresses_and_ranges_that_our_hosts_use(site: Site, tmp_path: Path) -> None:
    notices = replayed([PCAPS / "lookups.pcap"], site, "shodan.io\n198.18.0.0/16\n", tmp_path, confidence=90)
    told = words(notices)
    assert any(what == "domain shodan.io" for _, _, what in told)
    assert any(what == "range 198.18.0.0/16" for _, _, what in told)
    assert {way for way, _, _ in told} == {"lookup"}
    assert {each.verdict for each in matches(notices)} <= {"investigate", "escalate"}


def test_a_capture_shows_who_is_listed_and_comes_to_us(site: Site, tmp_path: Path) -> None:
    without = replayed([PCAPS / "probed.pcap"], site, "nobody.example\n", tmp_path)
    source = next(each.actor.ip for each in without if each.direction == "probe" and "/" not in each.actor.ip)
    notices = replayed([PCAPS / "probed.pcap"], site, f"{source}\n" + "a.example\n", tmp_path, confidence=90)
    (match,) = matches(notices)
    assert (match.direction, match.actor.ip) == ("probe", source)
    assert match.targets
    other = next(each for each in notices if each.actor.ip == source and each.note != "Indicator_Match")
    reason = next(reason for reason in other.reasons if "is listed" in reason.why)
    assert (reason.points, reason.why) == (15, f"the actor is listed: address {source}, by feed, confidence 90")
    assert reason.evidence


def test_a_low_confidence_is_on_record_only_and_adds_nothing(site: Site, tmp_path: Path) -> None:
    notices = replayed([PCAPS / "lookups.pcap"], site, "shodan.io\n", tmp_path, confidence=20)
    assert {each.verdict for each in matches(notices)} == {"monitor"}
    listed = [reason for each in notices for reason in each.reasons if "is listed" in reason.why]
    assert listed
    assert {reason.points for reason in listed} == {0}


def test_an_expired_indicator_says_nothing(site: Site, tmp_path: Path) -> None:
    lines = "domain,valid_until\nshodan.io,2020-01-01\n"
    notices = replayed([PCAPS / "lookups.pcap"], site, lines, tmp_path, confidence=90)
    assert matches(notices) == []
    assert not any("is listed" in reason.why for each in notices for reason in each.reasons)


DNS = (
    "#separator \\x09\n#path\tdns\n#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tquery\tqtype\n"
    "#types\ttime\tstring\taddr\tport\taddr\tport\tenum\tstring\tcount\n"
)
CONN = (
    "#separator \\x09\n#path\tconn\n"
    "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tconn_state\thistory\n"
    "#types\ttime\tstring\taddr\tport\taddr\tport\tenum\tstring\tstring\tstring\n"
)


def zeek(folder: Path) -> list[Path]:
    (folder / "dns.log").write_text(
        DNS
        + "".join(
            f"179552{n:04d}.0\tC{n}\t10.20.1.11\t40000\t10.20.0.99\t53\tudp\t{name}\t1\n"
            for n, name in enumerate(["www.evil.example", "notevil.example", "EVIL.example", "other.example"], 1600)
        )
    )
    (folder / "conn.log").write_text(
        CONN
        + "1795521700.0\tC9\t10.20.1.12\t40001\t198.51.100.77\t4444\ttcp\t-\tSF\tShADadFf\n"
        + "1795521701.0\tC10\t10.20.1.12\t40001\t198.51.101.77\t4444\ttcp\t-\tSF\tShADadFf\n"
        + "1795521702.0\tC11\t198.51.100.78\t40001\t203.0.113.10\t22\ttcp\t-\tSF\tShADadFf\n"
        + "1795521703.0\tC12\t10.20.1.12\t40002\t2001:db8:bad::5\t4444\ttcp\t-\tSF\tShADadFf\n"
    )
    return [folder / "dns.log", folder / "conn.log"]


def record(kind: str, client: str, server: str, port: int, facts: dict[str, Any]) -> str:
    common = {"timestamp": "2026-11-24T12:00:05.000000+0000", "proto": "TCP", "src_port": 40000, "event_type": kind}
    return json.dumps(
        {
            **common,
            "flow_id": int(client.rpartition(".")[2]),
            "src_ip": client,
            "dest_ip": server,
            "dest_port": port,
            kind: facts,
        }
    )


def asked(client: str, url: str) -> str:
    facts = {"hostname": "shared.example", "url": url, "http_method": "GET"}
    return record("http", client, "198.18.4.3", 80, facts)


def eve(folder: Path) -> list[Path]:
    lines = [
        record("tls", "10.20.1.11", "198.18.4.2", 443, {"sni": "a.EVIL.example", "ja3": {"hash": "b" * 32}}),
        record("tls", "10.20.1.13", "198.18.4.2", 443, {"sni": "fine.example"}),
        asked("10.20.1.14", "/x%20y?a=1"),
        asked("10.20.1.15", "/ok"),
    ]
    (folder / "eve.json").write_text("".join(f"{line}\n" for line in lines))
    return [folder / "eve.json"]


FEED = "evil.example\n198.51.100.0/24\n2001:db8:bad::/48\nhttp://shared.example/x%20y?a=1\n"
EXPECTED = {
    ("lookup", "10.20.1.11", "domain evil.example"),
    ("lookup", "10.20.1.12", "range 198.51.100.0/24"),
    ("lookup", "10.20.1.12", "range 2001"),
    ("probe", "198.51.100.78", "range 198.51.100.0/24"),
    ("lookup", "10.20.1.14", "URL shared.example/x y?a=1"),
}


def test_zeek_and_eve_show_them_in_both_directions(site: Site, tmp_path: Path) -> None:
    notices = replayed([*zeek(tmp_path), *eve(tmp_path)], site, FEED, tmp_path, confidence=90)
    assert words(notices) == EXPECTED


@pytest.mark.parametrize("bound", ["MOST_NAMES", "MOST_NETWORKS"])
def test_beyond_what_a_sieve_takes_the_same_is_found(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    lines = FEED + "".join(f"n{n}.example\n198.51.{n % 250}.{n // 250}\n" for n in range(6_000))
    expected = words(replayed([*zeek(tmp_path), *eve(tmp_path)], site, lines, tmp_path, confidence=90))
    monkeypatch.setattr(sieve, bound, 5_000)
    assert (
        words(replayed([*zeek(tmp_path), *eve(tmp_path)], site, lines, tmp_path, confidence=90)) == expected >= EXPECTED
    )


def test_a_run_says_how_it_goes_on_beyond_what_a_sieve_takes(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sieve, "MOST_NAMES", 5_000)
    (tmp_path / "many.txt").write_text("".join(f"n{n}.example\n" for n in range(5_001)))
    known = Intelligence([load_feed(Feed(str(tmp_path / "many.txt"), "many"))], site)
    told: list[str] = []
    list(Replay(eve(tmp_path), load(), site, intelligence=known, warn=told.append).notices())
    assert [line for line in told if "looked" in line] == [
        "more than 30000 names are looked for: each name in a line is looked up (slower, same result)"
    ]


def test_replay_and_check_tell_of_feeds_and_of_what_never_matched(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("evil.example\nnever.example\n10.0.0.1\n")
    (tmp_path / "site.yaml").write_text(
        "owned:\n  domains: [acme-widgets.com]\nintel:\n  - {path: names.txt, confidence: 80}\n  - {path: gone.txt}\n"
    )
    said = CliRunner().invoke(main, ["replay", str(eve(tmp_path)[0]), "--site", str(tmp_path / "site.yaml")])
    assert said.exit_code == 0
    assert {"Indicator_Match"} == {json.loads(line)["note"] for line in said.stdout.splitlines()}
    assert "names.txt:3: 1 entry passed over: a private, local or reserved address" in said.stderr
    assert "site.yaml:5: feed gone: " in said.stderr
    checked = CliRunner().invoke(main, ["check", "--site", str(tmp_path / "site.yaml")])
    assert checked.exit_code == 2
    assert (
        "feed names: 2 indicators (2 domains), 36 bytes of list, changed 0 hours ago; 1 have matched" in checked.stdout
    )
    assert "1 never" in checked.stdout
    assert "feed gone: nothing to use" in checked.stdout


@pytest.mark.parametrize(
    ("item", "error"),
    [
        ("{}", "key 'path' is missing"), ("{path: 'https://x.example/f'}", "is a URL; feeds are files"),
        ("{path: a, format: cvs}", "is not one of"), ("{path: a, type: hash}", "is not one of"),
        ("{path: a, confidence: 101}", "is not a confidence"), ("{path: a, max_age: 0}", "is not a number of days"),
        ("{path: a, colums: {value: x}}", "unknown key 'colums'"), ("{path: a, columns: {valu: x}}", "valu"),
        ("{path: a, format: stix, columns: {value: x}}", "has no columns to declare"),
    ],
)  # fmt: skip
def test_errors_of_the_intel_section_have_their_line(tmp_path: Path, item: str, error: str) -> None:
    (tmp_path / "site.yaml").write_text(f"owned:\n  domains: [acme-widgets.com]\nintel:\n  - {item}\n")
    told = CliRunner().invoke(main, ["site", "check", str(tmp_path / "site.yaml")])
    assert told.exit_code == 2
    assert "site.yaml:4: " in told.stderr
    assert error in told.stderr
