"""A test.yaml is read as its runner reads it; what is wrong with it is told with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconwatch.document import DocumentError
from reconwatch.rules.verify_file import VerifyFile, load_verify


def read(folder: Path, text: str) -> VerifyFile:
    (folder / "test.yaml").write_text(text)
    return load_verify(folder / "test.yaml")


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(DocumentError) as caught:
        read(folder, text)
    return [str(problem).removeprefix(f"{folder}/") for problem in caught.value.problems]


def test_checks_know_their_lines(tmp_path: Path) -> None:
    found = read(
        tmp_path, "args:\n- -k none\nchecks:\n- filter:\n    count: 1\n    match: {a: 1}\n- stats:\n    a: 1\n"
    )
    assert [(check.kind, check.line) for check in found.checks] == [("filter", 4), ("stats", 7)]
    assert found.line_of("args") == 1


def test_values_are_those_of_yaml_1_1_with_anchors(tmp_path: Path) -> None:
    found = read(tmp_path, "env: &e {A: yes, B: 010}\nargs: ['x']\nchecks:\n- stats: {<<: *e, C: 2}\n")
    assert found.config["env"] == {"A": True, "B": 8}
    assert found.checks[0].config == {"A": True, "B": 8, "C": 2}


def test_an_empty_case_checks_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, "# nothing\n").checks == ()


def test_a_key_that_has_no_effect_is_a_warning(tmp_path: Path) -> None:
    found = read(tmp_path, "requirements:\n  min-version: 7\n")
    assert [str(each).removeprefix(f"{tmp_path}/") for each in found.warnings] == [
        "test.yaml:1: key 'requirements' has no effect; write 'requires'"
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("args: [a]\nargs: [b]\n", "test.yaml:2: key 'args' stands here again, first on line 1"),
        ("checks:\n- filter: {count: 1, count: 2, match: {}}\n", "test.yaml:2: key 'count' stands here again"),
        ("checks:\n- filtr: {count: 1}\n", "test.yaml:2: unknown kind of check 'filtr'; write filter"),
        ("checks:\n- filter:\n    match: {}\n", "test.yaml:2: 'filter': key 'count' is missing"),
        ("checks:\n- filter:\n    count: 1\n    match: {}\n    n: 1\n", "test.yaml:5: unknown key 'n' in a check"),
        ("checks:\n- filter: 3\n", "test.yaml:2: 'filter' must be a mapping"),
        ("checks:\n- filter: {count: 1, match: [a]}\n", "test.yaml:2: 'match' must be a mapping"),
        ("checks:\n- filter: {count: 1, match: {1: a}}\n", "test.yaml:2: the path 1 is no text; write \"1\""),
        ("checks:\n- filter: {count: 1, match: {has-key: 1}}\n", "test.yaml:2: 'has-key' names paths, as text"),
        ("checks: {filter: {}}\n", "test.yaml:1: 'checks' is of the wrong kind"),
        ("checks:\n- filter\n", "test.yaml:1: an item of 'checks' is no mapping"),
        ("\nargs: [1]\n", "test.yaml:2: an item of 'args' is no text; write it in quotes"),
        ("count: 0\n", "test.yaml:1: 'count' is 0; write a number from 1 on"),
        ("checks:\n- filter: {count: 1, match: {}, filename: 3}\n", "test.yaml:2: 'filename' of a check"),
        ("checks:\n- shell: {args: [ls]}\n", "test.yaml:2: 'args' of a check 'shell' is no text"),
        ("checks:\n- shell: {args: ls, requires: 3}\n", "test.yaml:2: 'requires' must be a mapping"),
        ("- a\n", "test.yaml:1: a case is a mapping; write checks: ..."),
        ("a: [\n", "test.yaml:2: did not find expected node content"),
        ("a: !!python/object/apply:os.system [x]\n", "test.yaml:1: could not determine a constructor for the tag"),
        ("? [a]\n: b\n", "test.yaml:1: found unhashable key"),
    ],
)  # fmt: skip
def test_a_mistake_is_located(tmp_path: Path, text: str, told: str) -> None:
    assert any(each.startswith(told) for each in problems(tmp_path, text)), problems(tmp_path, text)


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    told = problems(tmp_path, "args: x\nchecks:\n- filter: {count: 1}\n- foo: {}\n")
    assert [each.split(":")[1] for each in told] == ["1", "3", "4"]


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="cannot be read"):
        load_verify(tmp_path / "test.yaml")
