"""case.yaml: strict, and every mistake with its line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.conftest import ROOT

from reconwatch.document import DocumentError
from reconwatch.rules.case_file import CaseFile, load_case


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "x.pcap").touch()
    (tmp_path / "b.rules").touch()
    (tmp_path / "a.rules").touch()
    return tmp_path


def read(folder: Path, text: str) -> CaseFile:
    (folder / "case.yaml").write_text(text)
    return load_case(folder / "case.yaml")


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(DocumentError) as caught:
        read(folder, text)
    return [str(problem).removeprefix(f"{folder}/") for problem in caught.value.problems]


def test_a_case_says_what_must_alert_and_what_must_not(folder: Path) -> None:
    case = read(
        folder,
        "capture: x.pcap\nrules: [a.rules]\nexpect:\n  1900001: 2\n  1900002: {min: 1}\n  1900003: {min: 1, max: 3}\n"
        "  1900004: {max: 3}\nsilent: [1900100]\nrejected: [1900200]\n",
    )
    assert [(each.sid, str(each), each.line) for each in case.expected] == [
        (1900001, "2", 4),
        (1900002, "at least 1", 5),
        (1900003, "1 to 3", 6),
        (1900004, "0 to 3", 7),
        (1900100, "no", 8),
    ]
    assert (case.only, case.rejected, case.judges) == (False, (1900200,), True)
    assert (case.capture, case.rules) == (folder / "x.pcap", (folder / "a.rules",))


@pytest.mark.parametrize(
    ("count", "held"),
    [("2", [2]), ("{min: 1}", [1, 2, 3]), ("{max: 1}", [0, 1]), ("{min: 1, max: 2}", [1, 2]), ("0", [0])],
)
def test_a_count_may_be_a_number_or_a_range(folder: Path, count: str, held: list[int]) -> None:
    (expected,) = read(folder, f"capture: x.pcap\nexpect: {{7: {count}}}\n").expected
    assert [number for number in range(4) if expected.holds(number)] == held


def test_without_rules_those_beside_it_are_meant(folder: Path) -> None:
    assert [path.name for path in read(folder, "capture: x.pcap\nsilent: all\n").rules] == ["a.rules", "b.rules"]
    assert read(folder, "capture: x.pcap\nsilent: all\nrules: []\n").rules == ()


def test_a_case_that_expects_nothing_judges_nothing(folder: Path) -> None:
    assert not read(folder, "capture: x.pcap\n").judges
    assert read(folder, "capture: x.pcap\nsilent: all\n").judges


def test_variables_are_told_apart_by_their_names(folder: Path) -> None:
    case = read(folder, 'capture: x.pcap\nvars: {HOME_NET: "[203.0.113.0/24]", HTTP_PORTS: "[80,8080]"}\n')
    assert (case.addresses, case.ports) == ({"HOME_NET": "[203.0.113.0/24]"}, {"HTTP_PORTS": "[80,8080]"})


def test_a_case_may_be_for_some_engines_only(folder: Path) -> None:
    case = read(folder, "capture: x.pcap\nengine: {min: 7.0.3, below: 9, features: [HAVE_JA4]}\n")
    assert (case.least_version, case.version_below, case.features) == ("7.0.3", "9", ("HAVE_JA4",))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("expect: {1: 1}\n", "case.yaml:1: the file: key 'capture' is missing; write capture: ..."),
        ("capture: none.pcap\n", "case.yaml:1: there is no capture none.pcap"),
        ("capture: x.pcap\nrules:\n- a.rules\n- c.rules\n", "case.yaml:4: there is no rule file c.rules"),
        ("capture: x.pcap\nexpekt: {1: 1}\n", "case.yaml:2: unknown key 'expekt'; write 'expect'"),
        ("capture: x.pcap\nexpect:\n  x: 1\n", "case.yaml:3: 'x' is no sid; write a number from 1 to 4294967295"),
        ("capture: x.pcap\nexpect:\n  0: 1\n", "case.yaml:3: '0' is no sid; write a number from 1 to 4294967295"),
        ("capture: x.pcap\nsilent: [4294967296]\n", "case.yaml:2: '4294967296' is no sid"),
        ("capture: x.pcap\nexpect:\n  1: 1\n  1: 2\n", "case.yaml:4: key '1' stands here again, first on line 3"),
        ("capture: x.pcap\nexpect:\n  1: 1\nsilent: [1]\n", "case.yaml:4: sid 1 stands here again, first on line 3"),
        ("capture: x.pcap\nexpect:\n  1: many\n", "case.yaml:3: expect.1 must be a whole number or a mapping"),
        ("capture: x.pcap\nexpect:\n  1: {min: 3, max: 1}\n", "case.yaml:3: no count is from 3 to 1"),
        ("capture: x.pcap\nexpect:\n  1: {mim: 3}\n", "case.yaml:3: unknown key 'mim'; write 'min'"),
        (
            "capture: x.pcap\nsilent: none\n",
            "case.yaml:2: 'none' says nothing of silence; write all, or a list of sids",
        ),
        ("capture: x.pcap\nengine: {min: 7.1}\n", "case.yaml:2: the version 7.1 looks like a number"),
        ("capture: x.pcap\nengine: {min: new}\n", "case.yaml:2: 'new' is no version; write one like \"7.0.10\""),
        ("", "case.yaml: the file is empty"),
    ],
)
def test_a_mistake_is_located(folder: Path, text: str, told: str) -> None:
    assert any(each.startswith(told) for each in problems(folder, text)), problems(folder, text)


def test_the_case_that_the_document_shows_can_be_read(tmp_path: Path) -> None:
    block = re.search(r"```yaml\n(capture: .*?)```", (ROOT / "docs" / "rules-test.md").read_text(), re.DOTALL)
    assert block is not None
    for name in ("lookups.pcap", "lookups.rules"):
        (tmp_path / name).touch()
    case = read(tmp_path, block[1])
    assert (len(case.expected), case.name, case.arguments) == (3, "lookups", ("--simulate-ips",))
