"""Two rule sets on the same captures: what is gained and lost, which rules differ, what it costs."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from tests.conftest import ROOT
from tests.rules.suricatas import ENGINES, playing, suricata

from reconwatch.cli import main
from reconwatch.rules.against import Alert, Played, changes, compare, profile, profiles
from reconwatch.rules.engine import Engine, find
from reconwatch.rules.report_against import lines
from reconwatch.rules.rule import parse_rules

LOOKUPS = ROOT / "pcaps" / "lookups.pcap"
OLD = (
    'alert tls any any -> any any (msg:"shodan"; tls.sni; content:"shodan.io"; sid:1; rev:1;)\n'
    'alert tls any any -> any any (msg:"crt"; tls.sni; content:"crt.sh"; sid:2; rev:1;)\n'
    'alert tls any any -> any any (msg:"gone"; tls.sni; content:"nothing"; sid:3; rev:1;)\n'
)
NEW = (
    'alert tls any any -> any any (msg:"shodan";  tls.sni;  content:"shodan.io";  sid:1;  rev:1;)\n'
    'alert tls any any -> any any (msg:"crt"; tls.sni; content:"crt.sx"; sid:2; rev:1;)\n'
    'alert tls any any -> any any (msg:"censys"; tls.sni; content:"censys.io"; sid:4; rev:1;)\n'
)


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    return suricata(request.param)


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_alerts_gained_and_lost_are_told_by_capture_rule_and_flow(engine: Engine, tmp_path: Path) -> None:
    new, old = written(tmp_path, "new.rules", NEW), written(tmp_path, "old.rules", OLD)
    found = compare([Played("lookups", LOOKUPS, ())], [new], [old], engine, runs=2)
    assert [(told.msg, told.alert.sid, told.count) for told in found.gained] == [("censys", 4, 1)]
    assert found.lost[0].alert == Alert("lookups", 1, 2, found.lost[0].alert.flow)
    assert found.lost[0].alert.flow.startswith("TCP 10.20.1.11:")
    assert found.kept == 1
    assert (found.runs, found.captures) == (2, 1)
    assert found.ratio is not None
    assert found.ratio.least <= found.ratio.median <= found.ratio.most
    told = "\n".join(lines(found))
    assert "alerts: 1 the same, 1 gained, 1 lost" in told
    assert "without rule profiling" in told or found.profiled


def test_an_alert_on_the_answer_is_the_same_flow_as_one_on_the_question(engine: Engine, tmp_path: Path) -> None:
    rule = 'alert http any any -> any any (flow:{}; {}; content:"{}"; sid:1;)\n'
    new = written(tmp_path, "new.rules", rule.format("to_client", "http.stat_code", "200"))
    old = written(tmp_path, "old.rules", rule.format("to_server", "http.method", "GET"))
    found = compare([Played("lookups", LOOKUPS, ())], [new], [old], engine, runs=1)
    assert (found.kept, found.gained, found.lost) == (2, (), ())


def test_rules_that_differ_are_named_and_blanks_are_no_difference() -> None:
    (new, _), (old, _) = parse_rules(NEW), parse_rules(OLD)
    assert [(change.sid, change.what) for change in changes(new, old)] == [
        (2, "changed without a higher rev"), (3, "removed"), (4, "added"),
    ]  # fmt: skip
    disabled, _ = parse_rules("#" + OLD)
    assert [(change.sid, change.what) for change in changes(disabled, old)] == [(1, "disabled")]


def test_a_rule_that_one_side_does_not_accept_is_told_and_the_rest_compared(engine: Engine, tmp_path: Path) -> None:
    new = written(tmp_path, "new.rules", NEW + "alert tls any any -> any any (tls.nothing; sid:9;)\n")
    found = compare([Played("lookups", LOOKUPS, (new,))], [], [written(tmp_path, "old.rules", OLD)], engine, runs=1)
    assert found.rejected["old"] == ()
    assert "sid 9" in found.rejected["new"][0]
    assert [told.alert.sid for told in found.gained] == [4]


def test_a_profile_of_an_engine_that_was_built_with_profiling_is_read(tmp_path: Path) -> None:
    # As src/util-profiling-rules.c of Suricata 7 writes it.
    rules = [
        {
            "signature_id": 2, "gid": 1, "rev": 1, "checks": 10, "matches": 3, "ticks_total": 900, "ticks_max": 200,
            "ticks_avg": 90, "ticks_avg_match": 100, "ticks_avg_nomatch": 80, "percent": 60,
        }
    ]  # fmt: skip
    log = tmp_path / "rule_perf.log"
    log.write_text(json.dumps({"timestamp": "2026-11-24T19:03:04", "sort": "ticks", "rules": rules}) + "\n")
    assert list(profile(log)) == [(1, 2, 900, 10, 3)]
    assert list(profile(tmp_path / "none")) == []


def test_an_engine_says_whether_it_was_built_with_profiling(tmp_path: Path) -> None:
    plain = find(playing(tmp_path, ""))
    assert not profiles(plain)
    program = tmp_path / "suricata"
    program.write_text(program.read_text().replace("luajit\\n", "luajit\\n  Profiling enabled:    yes\\n"))
    assert profiles(plain)


def test_the_command_compares_and_writes_json(tmp_path: Path) -> None:
    suricata()
    new, old = written(tmp_path, "new.rules", NEW), written(tmp_path, "old.rules", OLD)
    out = tmp_path / "found.json"
    words = ["rules", "test", str(LOOKUPS), "--rules", str(new), "--against", str(old), "--runs", "1"]
    ran = CliRunner().invoke(main, [*words, "--json", str(out)])
    assert ran.exit_code == 0, ran.output
    assert "  + lookups.pcap  1:4  censys  TCP 10.20.1.11:" in ran.stdout
    assert "  1:3 removed  gone" in ran.stdout
    assert [each["alert"]["sid"] for each in msgspec.json.decode(out.read_bytes())["lost"]] == [2]


def test_a_capture_without_new_rules_cannot_be_compared(tmp_path: Path) -> None:
    suricata()
    old = written(tmp_path, "old.rules", OLD)
    ran = CliRunner().invoke(main, ["rules", "test", str(LOOKUPS), "--against", str(old)])
    assert ran.exit_code == 2
    assert "lookups.pcap: has no rules to compare with the old ones; name the new ones by --rules" in ran.stderr


def test_a_miss_is_explained_in_the_table_and_not_with_no_why(tmp_path: Path) -> None:
    suricata()
    written(tmp_path, "x.rules", OLD)
    case = written(tmp_path, "case.yaml", f"capture: {LOOKUPS}\nexpect: {{3: 1, 7: 1}}\n")
    ran = CliRunner().invoke(main, ["rules", "test", str(case)])
    assert ran.exit_code == 1
    assert 'sid 3: content:"nothing" in tls.sni did not match; tls.sni was seen 5 times: "www.shodan.io"' in ran.stdout
    assert "sid 7: not loaded: it stands in none of x.rules" in ran.stdout
    assert "did not match" not in CliRunner().invoke(main, ["rules", "test", str(case), "--no-why"]).stdout
