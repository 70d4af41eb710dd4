"""`reconwatch rules test` as its users call it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result
from tests.conftest import ROOT
from tests.rules.suricatas import ENGINES, playing, suricata

from reconwatch.cli import main
from reconwatch.rules.cases import gather
from reconwatch.rules.outcome import Miss
from reconwatch.rules.testbench import Missed, bench_of, run_cases
from reconwatch.rules.watch import rounds

LOOKUPS = ROOT / "pcaps" / "lookups.pcap"
RULES = """\
alert dns any any -> any any (msg:"crt.sh was asked for"; dns.query; content:"crt.sh"; nocase; sid:1900001;)
alert dns any any -> any any (msg:"shodan was asked for"; dns.query; content:"shodan"; nocase; sid:1900002;)
alert dns any any -> any any (msg:"nobody asks for this"; dns.query; content:"nowhere.invalid"; sid:1900003;)
"""


def run(*arguments: object, answer: str | None = None) -> Result:
    return CliRunner().invoke(main, ["rules", "test", *map(str, arguments)], input=answer)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a capture and rules."""
    suricata()
    made = tmp_path / "lookups"
    made.mkdir()
    (made / "in.pcap").write_bytes(LOOKUPS.read_bytes())
    (made / "a.rules").write_text(RULES)
    return made


def expecting(folder: Path, text: str) -> Path:
    (folder / "case.yaml").write_text(f"capture: in.pcap\n{text}")
    return folder


@pytest.mark.parametrize("named", ENGINES)
def test_a_case_whose_rules_alert_as_expected_passes(folder: Path, named: str) -> None:
    expecting(folder, "expect: {1900001: 6, 1900002: {min: 1}}\nsilent: [1900003]\n")
    told = run(folder, "--engine", suricata(named).path)
    assert (told.exit_code, told.stdout) == (0, "pass   lookups\n1 pass\n")


@pytest.mark.parametrize(
    ("expected", "told"),
    [
        ("expect: {1900001: 5}", "case.yaml:2: sid 1900001: expected 5 alerts, got 6"),
        ("expect: {1900003: 1}", "case.yaml:2: sid 1900003: expected 1 alert, got 0"),
        ("silent: [1900001]", "case.yaml:2: sid 1900001: expected no alerts, got 6"),
        ("expect: {1900001: 6}\nsilent: all", "case.yaml:3: sid 1900002: expected to be silent as all others, got 6"),
        ("rejected: [1900001]", "case.yaml:2: sid 1900001: expected to be rejected, and was accepted"),
    ],
)
def test_what_is_not_as_expected_is_told_with_its_line(folder: Path, expected: str, told: str) -> None:
    said = run(expecting(folder, f"{expected}\n"))
    assert said.exit_code == 1
    assert told in said.stdout


def test_a_rule_that_is_refused_is_located_and_the_other_cases_run(folder: Path, tmp_path: Path) -> None:
    expecting(folder, "expect: {1900001: 6, 1900004: 1}\n")
    other = tmp_path / "other"
    folder.rename(other)
    (other / "a.rules").write_text(RULES + 'alert dns any any -> any any (msg:"x"; no.such; sid:1900004;)\n')
    folder.mkdir()
    (folder / "in.pcap").write_bytes(LOOKUPS.read_bytes())
    (folder / "a.rules").write_text(RULES)
    expecting(folder, "expect: {1900001: 6}\n")
    told = run(tmp_path)
    assert told.exit_code == 2
    assert told.stdout.splitlines() == [
        "pass   lookups",
        "error  other",
        f"       {other}/case.yaml:2: sid 1900004: expected 1 alert, got 0",
        f"         sid 1900004: not loaded: unknown rule keyword 'no.such'. ({other}/a.rules:4)",
        f"rule   {other}/a.rules:4: sid 1900004: not accepted: unknown rule keyword 'no.such'.",
        "1 pass, 1 error, 1 rule not accepted",
    ]


def test_a_refusal_may_be_what_is_expected(folder: Path) -> None:
    (folder / "a.rules").write_text(RULES + 'alert dns any any -> any any (msg:"x"; no.such; sid:1900004;)\n')
    assert run(expecting(folder, "rejected: [1900004]\nexpect: {1900001: 6}\n")).exit_code == 0


def test_a_refusal_that_no_expectation_names_leaves_the_verdict_but_not_the_status(folder: Path) -> None:
    (folder / "a.rules").write_text(RULES + 'alert dns any any -> any any (msg:"x"; no.such; sid:1900004;)\n')
    told = run(expecting(folder, "expect: {1900001: 6}\n"))
    assert (told.exit_code, told.stdout.splitlines()[0]) == (2, "pass   lookups")


def test_rules_of_the_command_line_replace_those_of_a_case(folder: Path, tmp_path: Path) -> None:
    new = tmp_path / "new.rules"
    new.write_text('alert dns any any -> any any (msg:"x"; dns.query; content:"crt.sh"; sid:1900009;)\n')
    told = run(expecting(folder, "expect: {1900009: 6}\nsilent: all\n"), "--rules", new)
    assert (told.exit_code, told.stdout) == (0, "pass   lookups\n1 pass\n")


def test_a_capture_alone_is_shown(folder: Path) -> None:
    told = run(folder / "in.pcap")
    assert told.exit_code == 0
    assert told.stdout.splitlines() == [
        "shown  in.pcap",
        "             6  1900001  crt.sh was asked for",
        "             6  1900002  shodan was asked for",
        "1 shown",
    ]


def test_variables_arguments_and_the_engine_are_those_of_the_case(folder: Path) -> None:
    (folder / "a.rules").write_text(RULES.replace("any any ->", "$LAB any ->", 1))
    text = 'vars: {LAB: "[203.0.113.0/24]"}\nargs: ["--set", "vars.address-groups.LAB=[0.0.0.0/0]"]\n'
    assert run(expecting(folder, text + "expect: {1900001: 6}\n")).exit_code == 0
    told = run(expecting(folder, 'engine: {min: "99"}\nexpect: {1900001: 6}\n'))
    assert (told.exit_code, told.stdout.splitlines()[0]) == (0, "skip   lookups  requires 99 or newer")
    told = run(expecting(folder, "engine: {below: 6, features: [NONE]}\nsilent: all\n"))
    assert told.stdout.splitlines()[0] == "skip   lookups  for versions before 6"


def test_bad_cases_are_located_and_the_others_run(folder: Path, tmp_path: Path) -> None:
    expecting(folder, "silent: [1900003]\n")
    for name, text in (("missing", "capture: none.pcap\nsilent: all\n"), ("typo", "captur: in.pcap\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "case.yaml").write_text(text)
    told = run(tmp_path)
    assert told.exit_code == 2
    assert "pass   lookups" in told.stdout
    assert f"{tmp_path}/missing/case.yaml:1: there is no capture none.pcap" in told.stdout
    assert f"{tmp_path}/typo/case.yaml:1: unknown key 'captur'; write 'capture'" in told.stdout


def test_a_damaged_capture_and_one_that_is_none(folder: Path) -> None:
    cut = folder / "cut.pcap"
    cut.write_bytes(LOOKUPS.read_bytes()[:-10])
    told = run(cut)
    assert told.exit_code == 0
    assert "engine warns: " in told.stdout
    cut.write_text("no capture")
    told = run(cut)
    assert told.exit_code == 2
    assert "cut.pcap: is no capture (pcap, pcapng)" in told.stdout


def test_without_rules_nothing_is_run(folder: Path) -> None:
    (folder / "a.rules").unlink()
    told = run(folder)
    assert told.exit_code == 2
    assert "there are no rules: none by --rules, no *.rules beside it" in told.stdout


def test_a_case_that_expects_nothing_is_an_error(folder: Path) -> None:
    told = run(expecting(folder, ""))
    assert told.exit_code == 2
    assert "it says nothing to expect; write 'expect: {SID: COUNT}', or run with --update" in told.stdout


def test_reports_are_written(folder: Path, tmp_path: Path) -> None:
    expecting(folder, "expect: {1900001: 5}\n")
    told = run(folder, "--junit", tmp_path / "j.xml", "--sarif", tmp_path / "s.sarif", "-q")
    assert told.exit_code == 1
    assert ElementTree.fromstring((tmp_path / "j.xml").read_bytes()).get("failures") == "1"
    (result,) = json.loads((tmp_path / "s.sarif").read_bytes())["runs"][0]["results"]
    place = result["locations"][0]["physicalLocation"]
    assert place == {
        "artifactLocation": {"uri": (folder / "case.yaml").as_uri()},
        "region": {"startLine": 2},
    }


def test_the_first_expectation_is_written_from_what_alerted(folder: Path) -> None:
    told = run(folder, "--update", "--yes")
    assert told.exit_code == 0
    text = (folder / "case.yaml").read_text()
    version = str(suricata())
    assert text == (
        'capture: "in.pcap"\nrules: ["a.rules"]\n'
        f"# What {version} alerted on; written by `reconwatch rules test --update`.\n"
        "expect:\n  1900001: 6  # crt.sh was asked for\n  1900002: 6  # shodan was asked for\nsilent: all\n"
    )
    assert all(line in told.stderr for line in text.splitlines())
    assert run(folder).exit_code == 0


def test_an_expectation_is_added_to_a_case_that_has_none(folder: Path) -> None:
    (expecting(folder, "rules: [a.rules]") / "b.rules").write_text("# nothing\n")
    assert run(folder, "--update", "--yes").exit_code == 0
    assert (folder / "case.yaml").read_text().startswith("capture: in.pcap\nrules: [a.rules]\n# What Suricata")
    assert run(folder).exit_code == 0


def test_an_expectation_that_is_there_is_never_touched(folder: Path) -> None:
    before = (expecting(folder, "expect: {1900001: 5}\n") / "case.yaml").read_text()
    told = run(folder, "--update", "--yes")
    assert told.exit_code == 1
    assert "has an expectation, which is left although it does not hold" in told.stderr
    told = run(folder / "in.pcap", "--update", "--yes")
    assert "is there already and is left as it is" in told.stderr
    assert (folder / "case.yaml").read_text() == before


def test_nothing_is_written_without_a_yes(folder: Path) -> None:
    told = run(folder, "--update")
    assert told.exit_code == 2
    assert "there is no terminal to ask at: confirm by --yes" in told.stderr
    assert not (folder / "case.yaml").exists()


def test_one_of_several_captures_gets_a_folder_of_its_own(folder: Path) -> None:
    (folder / "other.pcap").write_bytes(LOOKUPS.read_bytes())
    assert run(folder / "in.pcap", "--update", "--yes").exit_code == 0
    assert 'capture: "../in.pcap"\nrules: ["../a.rules"]\n' in (folder / "in" / "case.yaml").read_text()
    assert run(folder / "in").exit_code == 0


def test_a_miss_may_be_explained_while_its_run_lies_there(folder: Path) -> None:
    expecting(folder, "expect: {1900003: 1, 1900001: 5}\n")
    asked: list[tuple[int | None, int]] = []

    def explain(missed: Missed, miss: Miss) -> list[str]:
        asked.append((miss.sid, sum(1 for _ in missed.run.events("dns"))))
        return ["dns.query never held it"]

    with bench_of(suricata()) as bench:
        (outcome,) = run_cases(gather([folder]).cases, replace(bench, explain=explain), 1)
    assert outcome.why == ("dns.query never held it",)
    assert [sid for sid, _ in asked] == [1900003]  # the other alerted too often: nothing kept it from alerting
    assert asked[0][1] > 0


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("echo 'last words' >&2; kill -SEGV $$", "crashed (SIGSEGV)"),
        ("echo 'last words' >&2; sleep 600", "did not end within 0.5 s and was killed"),
    ],
)
def test_an_engine_that_crashes_or_hangs_is_an_error_of_each_case(tmp_path: Path, script: str, told: str) -> None:
    (tmp_path / "a.rules").write_text(RULES)
    (tmp_path / "in.pcap").write_bytes(LOOKUPS.read_bytes())
    expecting(tmp_path, "silent: all\n")
    said = run(tmp_path, "--engine", playing(tmp_path, script), "--timeout", "0.5")
    assert said.exit_code == 2
    assert told in said.stdout
    assert "last words" in said.stdout


def test_an_engine_that_is_not_there_is_bad_usage(tmp_path: Path) -> None:
    (tmp_path / "in.pcap").write_bytes(LOOKUPS.read_bytes())
    told = run(tmp_path, "--engine", tmp_path / "suricata")
    assert told.exit_code == 2
    assert "no program there; install Suricata 7 or 8, or name one with --engine" in told.stderr


def test_bad_usage_is_told(tmp_path: Path) -> None:
    (tmp_path / "in.pcap").write_bytes(LOOKUPS.read_bytes())
    assert "no such rule file" in run(tmp_path, "--rules", tmp_path / "none.rules").stderr
    assert "leave out --watch" in run(tmp_path, "--update", "--watch").stderr
    assert "Missing argument" in run().stderr


def test_a_watch_runs_first_all_and_then_what_a_change_concerns(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "in.pcap").write_bytes(LOOKUPS.read_bytes())
        expecting(tmp_path / name, "silent: all\n")
    rules = tmp_path / "a.rules"
    rules.touch()
    changes = iter(
        [
            lambda: None,  # nothing changed: nothing is run
            lambda: (tmp_path / "two" / "in.pcap").write_text("x"),
            lambda: rules.write_text(RULES),
            lambda: (tmp_path / "one" / "case.yaml").write_text("capture: no.pcap\n"),
            lambda: expecting(tmp_path / "one", "silent: all\n"),
        ]
    )
    found = rounds([tmp_path], [rules], lambda _: next(changes)())
    assert [[case.name for case in next(found)[1]] for _ in range(4)] == [["one", "two"], ["two"], ["one", "two"], []]
    gathered, concerned = next(found)
    assert ([case.name for case in concerned], gathered.wrong) == (["one"], False)
