"""Which cases a command line names, and what becomes of those that cannot be read."""

from __future__ import annotations

from pathlib import Path

from reconwatch.rules.cases import Capture, OwnCase, gather
from reconwatch.rules.verify import VerifyCase


def own(folder: Path, text: str = "capture: x.pcap\nsilent: all\n") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "x.pcap").touch()
    (folder / "case.yaml").write_text(text)
    return folder


def verify(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "test.yaml").write_text("checks: []\n")
    return folder


def test_a_tree_is_searched_and_its_cases_are_named_by_their_way_from_its_top(tmp_path: Path) -> None:
    own(tmp_path / "b" / "one")
    verify(tmp_path / "a")
    verify(tmp_path / "a" / "output")  # below a case lies what belongs to it
    found = gather([tmp_path])
    assert [(case.name, type(case)) for case in found.cases] == [("a", VerifyCase), ("b/one", OwnCase)]
    assert found.problems == ()


def test_a_case_is_named_by_its_folder_when_it_is_named_itself(tmp_path: Path) -> None:
    folder = own(tmp_path / "lookups")
    assert [case.name for case in gather([folder]).cases] == ["lookups"]
    assert [case.name for case in gather([folder / "case.yaml"]).cases] == ["lookups"]
    assert [case.name for case in gather([folder, folder / "case.yaml", tmp_path]).cases] == ["lookups"]


def test_a_case_may_name_itself_and_a_file_be_called_otherwise(tmp_path: Path) -> None:
    folder = own(tmp_path / "lookups")
    other = folder / "other.yml"
    other.write_text("name: other\ncapture: x.pcap\nsilent: all\n")
    assert [case.name for case in gather([folder, other]).cases] == ["lookups", "other"]


def test_captures_are_shown_where_there_is_no_case(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("b.pcap", "a.pcapng", "notes.txt", "deep/c.pcap"):
        (tmp_path / name).touch()
    found = gather([tmp_path])
    assert [(case.name, type(case)) for case in found.cases] == [
        ("a.pcapng", Capture),
        ("b.pcap", Capture),
        ("deep/c.pcap", Capture),
    ]
    assert [case.name for case in gather([tmp_path / "notes.txt"]).cases] == ["notes.txt"]


def test_two_cases_with_one_name_are_told_and_the_first_is_kept(tmp_path: Path) -> None:
    one, other = own(tmp_path / "one" / "x"), own(tmp_path / "other" / "x")
    own(tmp_path / "third")
    found = gather([one, other, tmp_path / "third"])
    assert [case.file for case in found.cases] == [one / "case.yaml", tmp_path / "third" / "case.yaml"]
    assert [str(problem) for problem in found.problems] == [
        f"{other}/case.yaml:1: this case is called 'x', as is {one}/case.yaml; "
        "write another name (name: ...), or a folder above both"
    ]
    assert found.wrong


def test_a_folder_with_both_kinds_of_case_has_two_of_one_name(tmp_path: Path) -> None:
    verify(own(tmp_path / "x"))
    found = gather([tmp_path])
    assert [type(case) for case in found.cases] == [VerifyCase]
    assert len(found.problems) == 1


def test_cases_that_cannot_be_read_leave_the_others(tmp_path: Path) -> None:
    own(tmp_path / "a", "capture: none.pcap\n")
    (verify(tmp_path / "b") / "test.yaml").write_text("checks: 3\n")
    own(tmp_path / "c")
    found = gather([tmp_path, tmp_path / "nowhere"])
    assert [case.name for case in found.cases] == ["c"]
    assert [Path(problem.file).relative_to(tmp_path).parts[0] for problem in found.problems] == ["a", "b", "nowhere"]


def test_an_empty_folder_is_told(tmp_path: Path) -> None:
    assert [problem.message for problem in gather([tmp_path]).problems] == [
        "holds no test.yaml, no case.yaml and no capture"
    ]


def test_a_loop_of_links_is_walked_once(tmp_path: Path) -> None:
    own(tmp_path / "a")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert [case.name for case in gather([tmp_path]).cases] == ["a"]
