"""Outcomes as JUnit XML, SARIF and lines for people."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console

from reconwatch.document import Problem
from reconwatch.rules.outcome import Alerted, Miss, Outcome, Verdict, exit_status, unreadable
from reconwatch.rules.report_junit import junit
from reconwatch.rules.report_sarif import KINDS, sarif
from reconwatch.rules.report_table import write_table

CASE = Path("cases/a/case.yaml")
MISS = Miss("sid 7: expected 2 alerts, got 0", CASE, 4, 7, too_few=True)
RULE = Miss("sid 9: not accepted: unknown rule keyword 'x'.", Path("my rules.rules"), 3, 9, kind="rule")
HOSTILE = "\x1b[31mred\x00\u202e\n"

PASSED = Outcome("dns/well", CASE, Verdict.PASS, alerts=(Alerted(1, HOSTILE, 2),), cpu=0.5)
FAILED = Outcome("a", CASE, Verdict.FAIL, misses=(MISS,), why=("sid 7: http.uri was empty",), cpu=0.25)
BROKEN = Outcome("b", CASE, Verdict.ERROR, misses=(Miss("crashed\n    last words", CASE, kind="engine"),))
SKIPPED = Outcome("c", CASE, Verdict.SKIP, reason="requires 8 or newer")
SHOWN = Outcome("x.pcap", Path("x.pcap"), Verdict.SHOWN, alerts=(Alerted(1, HOSTILE, 1200),), rejected=(RULE,))
ALL = [PASSED, FAILED, BROKEN, SKIPPED, SHOWN]


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        ([PASSED, SKIPPED], 0),
        ([PASSED, FAILED], 1),
        ([FAILED, BROKEN], 2),
        ([SHOWN], 2),
        ([], 2),
    ],
)
def test_the_exit_status_tells_the_worst(outcomes: list[Outcome], status: int) -> None:
    assert exit_status(outcomes) == status


def test_junit_counts_and_tells_each_case() -> None:
    top = ElementTree.fromstring(junit(ALL))
    (suite,) = top
    for each in (top, suite):
        counts = {name: each.get(name) for name in ("tests", "failures", "errors", "skipped", "time")}
        assert counts == {"tests": "5", "failures": "1", "errors": "1", "skipped": "1", "time": "0.750"}
    cases = {(case.get("classname"), case.get("name")): [child.tag for child in case] for case in suite}
    assert cases == {
        ("dns", "well"): ["system-out"],
        ("cases", "a"): ["failure"],
        ("cases", "b"): ["error"],
        ("cases", "c"): ["skipped"],
        ("cases", "x.pcap"): ["system-out"],
    }
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert failure.get("message") == f"{CASE}:4: sid 7: expected 2 alerts, got 0"
    assert failure.text == f"{CASE}:4: sid 7: expected 2 alerts, got 0\nsid 7: http.uri was empty"
    error = suite.find("testcase/error")
    assert error is not None
    assert error.text == f"{CASE}: crashed\n    last words"


def test_junit_spells_what_xml_cannot_hold() -> None:
    written = junit(ALL)
    assert b"\\x1b[31mred\\x00\\u202e" in written
    assert b"\x1b" not in written


def test_sarif_has_what_the_standard_requires() -> None:
    """SARIF 2.1.0, sections 3.13, 3.14, 3.18, 3.19, 3.27, 3.28, 3.29, 3.30, 3.49."""
    document = json.loads(sarif(ALL))
    assert document["version"] == "2.1.0"
    assert document["$schema"].endswith("sarif-schema-2.1.0.json")
    (run,) = document["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"] == "reconwatch"
    assert [rule["id"] for rule in driver["rules"]] == list(KINDS)
    for result in run["results"]:
        assert result["message"]["text"]
        assert result["level"] in {"none", "note", "warning", "error"}
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        for location in result["locations"]:
            place = location["physicalLocation"]
            assert place["artifactLocation"]["uri"]
            assert place.get("region", {"startLine": 1})["startLine"] >= 1


def test_sarif_points_at_the_line_of_the_case_and_of_the_rule() -> None:
    (run,) = json.loads(sarif([*ALL, SHOWN]))["runs"]
    places = [
        (result["ruleId"], result["locations"][0]["physicalLocation"], result["message"]["text"])
        for result in run["results"]
    ]
    assert places == [
        (
            "expectation",
            {"artifactLocation": {"uri": "cases/a/case.yaml"}, "region": {"startLine": 4}},
            "a: sid 7: expected 2 alerts, got 0\nsid 7: http.uri was empty",
        ),
        ("engine", {"artifactLocation": {"uri": "cases/a/case.yaml"}}, "b: crashed\n    last words"),
        (
            "rule",
            {"artifactLocation": {"uri": "my%20rules.rules"}, "region": {"startLine": 3}},
            "sid 9: not accepted: unknown rule keyword 'x'.",
        ),
    ]


def test_a_file_elsewhere_is_named_in_full(tmp_path: Path) -> None:
    outcome = Outcome("a", tmp_path / "c.yaml", Verdict.FAIL, misses=(Miss("no", tmp_path / "c.yaml", 1),))
    (result,) = json.loads(sarif([outcome]))["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == (tmp_path / "c.yaml").as_uri()


def table(outcomes: list[Outcome], *, every: bool = True) -> list[str]:
    page = StringIO()
    write_table(outcomes, Console(file=page, width=40, highlight=False, markup=False, emoji=False), every=every)
    return page.getvalue().splitlines()


def test_people_read_a_line_a_case_and_what_is_wrong_with_it() -> None:
    assert table(ALL) == [
        "pass   dns/well",
        "fail   a",
        "       cases/a/case.yaml:4: sid 7: expected 2 alerts, got 0",
        "         sid 7: http.uri was empty",
        "error  b",
        "       cases/a/case.yaml: crashed",
        "           last words",
        "skip   c         requires 8 or newer",
        "shown  x.pcap",
        "         1,200  1  \\x1b[31mred\\x00\\u202e",
        "       ",
        "rule   my rules.rules:3: sid 9: not accepted: unknown rule keyword 'x'.",
        "1 pass, 1 fail, 1 error, 1 skip, 1 shown, 1 rule not accepted",
    ]


def test_people_may_read_only_what_is_wrong() -> None:
    assert table([PASSED, SKIPPED, FAILED], every=False)[0] == "fail   a"


def test_a_thousand_misses_of_one_case_are_not_all_told() -> None:
    outcome = Outcome("a", CASE, Verdict.FAIL, misses=tuple(Miss(f"no {n}", CASE, n) for n in range(1000)))
    assert table([outcome])[-2:] == ["       and 980 more misses", "1 fail"]


def test_a_rule_that_many_cases_could_not_load_is_told_once() -> None:
    assert sum(line.startswith("rule") for line in table([SHOWN, SHOWN])) == 1
    assert sum(result["ruleId"] == "rule" for result in json.loads(sarif([SHOWN, SHOWN]))["runs"][0]["results"]) == 1


def test_a_case_that_cannot_be_read_is_an_outcome_with_all_its_problems() -> None:
    problems = [
        Problem("a.yaml", 2, "x"),
        Problem("a.yaml", 3, "y", "z"),
        Problem("b.yaml", 1, "w", severity="warning"),
    ]
    (outcome,) = unreadable(problems)
    assert (outcome.name, outcome.verdict) == ("a.yaml", Verdict.ERROR)
    assert [str(miss) for miss in outcome.misses] == ["a.yaml:2: x", "a.yaml:3: y; write z"]
