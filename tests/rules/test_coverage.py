"""What rules cover, what proves them, and whether engines agree."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from tests.conftest import ROOT
from tests.rules.suricatas import suricata

from reconwatch.catalog.load import load
from reconwatch.cli import main
from reconwatch.rules.coverage import RECONWATCH, SURICATA, ZEEK, Coverage, Seen, coverage
from reconwatch.rules.report_coverage import lines
from reconwatch.rules.rule import parse_rules

LOOKUPS = ROOT / "pcaps" / "lookups.pcap"
SITE = ROOT / "pcaps" / "demo-site.yaml"
RULES = (
    'alert tls $HOME_NET any -> any any (msg:"Shodan"; tls.sni; content:"shodan.io"; endswith; '
    "metadata:service shodan, mitre_technique_id T1596.005; sid:1;)\n"
    'alert tls any any -> any any (msg:"Censys"; tls.sni; content:"censys.example"; '
    "metadata:service censys, mitre_technique_id T1596_005; sid:2;)\n"
    '#alert tls any any -> any any (msg:"off"; metadata:service crtsh; sid:3;)\n'
    'alert tls any any -> any any (msg:"other"; tls.sni; content:"nowhere"; metadata:service never-heard-of; sid:4;)\n'
)


def found_in(seen: list[Seen]) -> Coverage:
    rules, _ = parse_rules(RULES)
    return coverage(load(), rules, seen)


def test_a_service_is_covered_by_the_rules_that_name_it_and_proved_by_those_that_alerted() -> None:
    found = found_in([Seen("a.pcap", ((1, 1),), {})])
    services = {each.id: (each.rules, each.proved) for each in found.services}
    assert services["shodan"] == ((1,), (1,))
    assert services["censys"] == ((2,), ())
    assert services["crtsh"] == ((), ()), "a disabled rule covers nothing"
    assert found.unknown == ("never-heard-of",)


def test_a_technique_may_be_spelled_with_an_underscore() -> None:
    techniques = {each.id: (each.rules, each.proved) for each in found_in([Seen("a.pcap", ((1, 1),), {})]).techniques}
    assert techniques["T1596.005"] == ((1, 2), (1,))
    assert techniques["T1596.003"] == ((), ())


def test_a_rule_is_proved_by_the_captures_on_which_it_alerted_or_by_none() -> None:
    found = found_in([Seen("a.pcap", ((1, 1),), {}), Seen("b.pcap", ((1, 1), (7, 2)), {})])
    assert [(proof.sid, proof.captures) for proof in found.rules] == [(1, ("a.pcap", "b.pcap")), (2, ()), (4, ())]
    assert "  1:2  Censys  proved by none" in list(lines(found))


def test_what_not_all_engines_saw_is_told_with_who_did() -> None:
    pair, other = ("10.0.0.1", "shodan"), ("10.0.0.53", "shodan")
    seen = Seen(
        "a.pcap", (), {RECONWATCH: (pair,), SURICATA: (other, pair), ZEEK: (pair,)}, (), {"10.0.0.53": "resolver"}
    )
    told = list(lines(found_in([seen])))
    assert "agreement of reconwatch, Suricata and Zeek: 1 of 2 lookups seen by all" in told
    assert "  a.pcap: 10.0.0.53 (resolver) used shodan: seen by Suricata, not by reconwatch and Zeek" in told


def run(*words: str | Path) -> tuple[int, str, str]:
    ran = CliRunner().invoke(main, ["rules", "coverage", *map(str, words)])
    return ran.exit_code, ran.stdout, ran.stderr


def test_the_command_plays_captures_with_suricata_and_reconwatch(tmp_path: Path) -> None:
    suricata()
    rules = tmp_path / "x.rules"
    rules.write_text(RULES)
    status, out, _ = run("--rules", rules, "--captures", LOOKUPS, "--site", SITE, "--format", "json")
    found = msgspec.json.decode(out, type=Coverage)
    assert status == 0
    assert found.rules[0].captures == ("lookups.pcap",)
    (shodan,) = [each for each in found.agreement if each.service == "shodan"]
    assert (shodan.actor, shodan.seen_by[:2]) == ("10.20.1.11", (RECONWATCH, SURICATA))
    (crtsh,) = [each for each in found.agreement if each.service == "crtsh"]
    assert SURICATA not in crtsh.seen_by


def test_a_zeek_is_run_over_the_capture_and_its_logs_are_read(tmp_path: Path) -> None:
    zeek = tmp_path / "zeek"
    log = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tssl\n"
    fields = "ts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tserver_name\testablished"
    types = "time\tstring\taddr\tport\taddr\tport\tstring\tbool"
    row = "1795000000.1\tC1\t10.20.1.11\t4000\t192.0.2.1\t443\twww.shodan.io\tT"
    (tmp_path / "ssl.txt").write_text(f"{log}#fields\t{fields}\n#types\t{types}\n{row}\n")
    zeek.write_text(f"#!/bin/sh\ncp {tmp_path / 'ssl.txt'} ssl.log\n")
    zeek.chmod(0o755)
    status, out, _ = run("--captures", LOOKUPS, "--zeek", zeek, "--format", "json")
    found = msgspec.json.decode(out, type=Coverage)
    assert status == 0
    assert [each.service for each in found.agreement if ZEEK in each.seen_by] == ["shodan"]
    assert found.missing == ("Suricata: there are no rules to run; name them by --rules",)


def test_a_zeek_that_gives_up_is_told_and_the_others_are_still_asked(tmp_path: Path) -> None:
    zeek = tmp_path / "zeek"
    zeek.write_text("#!/bin/sh\necho 'no such capture' >&2\nexit 3\n")
    zeek.chmod(0o755)
    status, out, _ = run("--captures", LOOKUPS, "--site", SITE, "--zeek", zeek)
    assert status == 1
    assert "ended with status 3: no such capture" in out
    assert "  reconwatch saw 9" in out.splitlines()


def test_an_engine_that_is_missing_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rules = tmp_path / "x.rules"
    rules.write_text(RULES)
    monkeypatch.setenv("PATH", str(tmp_path))
    status, out, _ = run("--rules", rules, "--captures", LOOKUPS)
    assert status == 0
    assert "not looked with: Suricata: no suricata on PATH" in out
    assert "not looked with: Zeek: no zeek on PATH; name one by --zeek" in out


def test_a_rule_that_suricata_does_not_take_is_told_and_the_status_says_so(tmp_path: Path) -> None:
    suricata()
    rules = tmp_path / "x.rules"
    rules.write_text(RULES + "alert tls any any -> any any (tls.nothing; sid:9;)\n")
    status, out, _ = run("--rules", rules, "--captures", LOOKUPS)
    assert status == 1
    assert "sid 9: unknown rule keyword 'tls.nothing'" in out
