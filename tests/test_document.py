"""Every error of a document names its line and says what to write instead."""

import datetime
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Literal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from reconwatch.document import Document, DocumentError, Problem, Refused, load, nearest, text_of, validate


def even(value: int) -> int:
    if value % 2:
        raise Refused(f"{value} is odd", write=str(value + 1))
    return value


def plain_refusal(value: str) -> str:
    if value == "bad":
        raise ValueError("Bad is bad")
    return value


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Entry(Strict):
    id: str
    kind: Literal["lookup", "probe"] = "lookup"
    size: Annotated[int, BeforeValidator(even)] = 0
    since: datetime.date | None = None
    names: list[str] = []
    either: str | list[str] = ""
    for_: list[str] = Field([], alias="for")
    note: Annotated[str, BeforeValidator(plain_refusal)] = ""


class Book(Strict):
    title: str
    entries: list[Entry | str] = []
    by_name: dict[str, Entry] = {}
    cover: Entry | None = None


def said(text: str, model: type[BaseModel] = Book) -> list[str]:
    with pytest.raises(DocumentError) as caught:
        validate(load(text, "b.yaml"), model)
    assert str(caught.value) == "\n".join(map(str, caught.value.problems))
    return [str(problem) for problem in caught.value.problems]


def test_a_problem_reads_as_file_line_message_and_what_to_write():
    assert str(Problem("site.yaml", 7, "unknown key 'domians'", "'domains'")) == (
        "site.yaml:7: unknown key 'domians'; write 'domains'"
    )
    assert str(Problem("site.yaml", None, "the file is empty")) == "site.yaml: the file is empty"


def test_an_error_keeps_its_problems_in_the_order_of_the_file_and_survives_pickling():
    late, early = Problem("a", 9, "late"), Problem("a", 2, "early")
    error = DocumentError([late, early, late])
    assert error.problems == (early, late)
    assert pickle.loads(pickle.dumps(error)).problems == (early, late)


def test_each_key_and_item_has_its_line():
    document = load("a:\n  b: 1\n  c:\n    - x\n    - y: 2\n", "d.yaml")
    assert document.data == {"a": {"b": 1, "c": ["x", {"y": 2}]}}
    assert document.lines == {
        (): 1, ("a",): 1, ("a", "b"): 2, ("a", "c"): 3, ("a", "c", 0): 4, ("a", "c", 1): 5, ("a", "c", 1, "y"): 5,
    }  # fmt: skip


def test_an_unmarked_place_has_the_line_of_what_holds_it():
    document = load("x: 1\na:\n  b: 1\n", "d.yaml")
    assert document.line(("a", "nowhere", 3)) == 2
    assert Document("d.yaml", None, {}).line(("a",)) is None


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("no", "no"), ("NO", "NO"), ("on", "on"), ("true", True), ("False", False), ("~", None), ("", None),
        ("12", 12), ("-3", -3), ("0x1f", 31), ("010", "010"), ("1_000", "1_000"), ("1.5", 1.5), ("1e3", 1000.0),
        ("2001:10:20:30:40:50:1:2", "2001:10:20:30:40:50:1:2"), ("10:30", "10:30"), (".nan", ".nan"),
        ("2027-06-30", datetime.date(2027, 6, 30)), ("2027-02-30", "2027-02-30"), ('"12"', "12"), ("'true'", "true"),
        ("!!str 12", "12"), ("2001:db8::/48", "2001:db8::/48"), ("9" * 5000, "9" * 5000),
    ],
)  # fmt: skip
def test_a_scalar_is_read_without_the_surprises_of_yaml_1_1(written, read):
    found = load(f"key: {written}\n", "d.yaml").data["key"]
    assert found == read
    assert type(found) is type(read)


@pytest.mark.parametrize(
    ("text", "line", "message", "advice"),
    [
        ("a:\n\t- b", 2, "a tab cannot indent or separate in YAML", "spaces"),
        ("a: 1\n\tb: 2", 2, "a tab cannot indent or separate in YAML", "spaces"),
        ("x: 1\na: b: c", 2, "a second ': ' on one line, or a wrong indent", "text that holds ': ' in quotes"),
        ("- *.foo", 1, "'- *.foo': a value cannot start with * or & in YAML", "it in quotes"),
        ("x: 1\na: @x", 2, "'a: @x' cannot start with this character in YAML", "it in quotes"),
        ("x: 1\na: \0", 2, "U+0000 is not allowed in YAML", "the file as plain text"),
        ("x: 1\na: \ud800", 2, "U+D800 is not allowed in YAML", "the file as plain text"),
        ("a: 'x", 1, "not YAML: while scanning a quoted scalar found unexpected end of stream", ""),
        ("a: " + "[" * 3000, 1, "nested more than 40 deep", ""),
        ("{" * 3000, 1, "nested more than 40 deep", ""),
    ],
)
def test_what_is_not_yaml_is_told_once_with_its_line(text, line, message, advice):
    with pytest.raises(DocumentError) as caught:
        load(text, "d.yaml")
    assert caught.value.problems == (Problem("d.yaml", line, message, advice),)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb: 2\na: 3", "d.yaml:3: key 'a' stands here again, first on line 1; write it once"),
        ("x: {a: 1, a: 2}", "d.yaml:1: key 'a' stands here again, first on line 1; write it once"),
        ("a: &x 1\nb: *x", "d.yaml:2: aliases (*x) are not read; write the value itself"),
        ("a: 1\n<<: {b: 1}", "d.yaml:2: merge keys (<<) are not read; write the keys themselves"),
        ("a: !secret x", "d.yaml:1: tags (!secret) are not read; write the plain value"),
        ("a: 1\n? [b]\n: 2", "d.yaml:2: a key must be text; write key: value"),
        ("a: 1\n5: 2", 'd.yaml:2: key 5 is not text; write "5": in quotes'),
        ("---\na: 1\n---\nb: 2", "d.yaml:3: a second document (---) starts here; a file holds one"),
    ],
)
def test_what_can_be_read_but_not_meant_is_a_problem_of_the_document(text, problem):
    assert [str(each) for each in load(text, "d.yaml").problems] == [problem]


def test_the_first_of_two_equal_keys_is_kept_and_both_are_searched_for_errors():
    document = load("a: 1\na: {b: 1, b: 2}", "d.yaml")
    assert document.data == {"a": 1}
    assert len(document.problems) == 2


def test_a_python_object_is_never_made():
    document = load("a: !!python/object/apply:os.system [id]", "d.yaml")
    assert document.data == {"a": ["id"]}
    assert "tags" in str(document.problems[0])


def test_the_pure_python_parser_reads_the_same(monkeypatch):
    text = "a: [1, x, {b: no}]\nc: 2027-01-01\na: 2\n"
    fast = load(text, "d.yaml")
    monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    assert load(text, "d.yaml") == fast


def test_a_file_that_cannot_be_read_is_one_problem(tmp_path):
    with pytest.raises(DocumentError, match=r"missing\.yaml: cannot be read: No such file or directory"):
        text_of(tmp_path / "missing.yaml", "missing.yaml")
    with pytest.raises(DocumentError, match="cannot be read: Is a directory"):
        text_of(tmp_path, "folder")


def test_a_file_that_is_not_utf8_names_the_line_of_the_byte(tmp_path):
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"a: 1\nb: caf\xe9\n")
    with pytest.raises(DocumentError) as caught:
        text_of(path, "latin.yaml")
    assert str(caught.value) == "latin.yaml:2: byte 0xe9 is not UTF-8; write the file in UTF-8"


def test_a_byte_order_mark_is_harmless(tmp_path):
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    assert load(text_of(path, "bom.yaml"), "bom.yaml").data == {"a": 1, "b": 2}


def test_all_errors_of_a_document_come_in_one_run_and_in_line_order():
    assert said("""\
titel: x
entries:
  - id: 5
    kind: prob
    size: 3
    since: soon
    names: a
    either: 3
    fro: [x]
    note: bad
  - {kind: lookup}
  - 7
by_name:
  a: {id: x, names: [1]}
  a: {id: y}
cover: []
""") == [
        "b.yaml:1: unknown key 'titel'; write 'title'",
        'b.yaml:3: entries.id must be text, not 5; write "5" in quotes',
        "b.yaml:4: 'prob' is not one of lookup, probe; write 'probe'",
        "b.yaml:5: 3 is odd; write 4",
        "b.yaml:6: entries.since must be a date, not 'soon'; write a date such as 2027-06-30",
        "b.yaml:7: entries.names must be a list, not 'a'; write [a]",
        "b.yaml:8: entries.either must be text or a list, not 3",
        "b.yaml:9: unknown key 'fro'; write 'for'",
        "b.yaml:10: entries.note: bad is bad",
        "b.yaml:11: an item of entries: key 'id' is missing; write id: ...",
        "b.yaml:12: an item of entries must be a mapping (key: value) or text, not 7",
        'b.yaml:14: an item of by_name.a.names must be text, not 1; write "1" in quotes',
        "b.yaml:15: key 'a' stands here again, first on line 14; write it once",
        "b.yaml:16: cover must be a mapping (key: value), not a list",
    ]


def test_a_valid_document_becomes_its_model():
    book = validate(load("title: x\nentries: [{id: a, for: [b]}, c]\n", "b.yaml"), Book)
    assert book == Book(title="x", entries=[Entry(id="a", **{"for": ["b"]}), "c"])


def test_an_empty_document_and_one_that_is_no_mapping_are_one_problem():
    assert said("# nothing\n") == ["b.yaml: the file is empty"]
    assert said("- a\n") == ["b.yaml:1: the file must be a mapping (key: value), not a list"]


def test_an_unknown_key_names_the_section_that_knows_it_or_all_known_keys():
    assert said("title: x\nkind: probe\n") == ["b.yaml:2: unknown key 'kind'; write it under 'cover'"]
    assert said("title: x\nzzz: 1\n") == ["b.yaml:2: unknown key 'zzz'; known here: title, entries, by_name, cover"]


def test_a_long_value_is_not_repeated_in_full():
    (problem,) = said(f"title: x\ncover: {'y' * 500}\n")
    assert len(problem) < 150


def test_the_nearest_word_ignores_case():
    assert nearest("DOMIANS", ["domains", "ranges"]) == "domains"
    assert nearest("zzz", ["domains", "ranges"]) is None


@given(st.text(st.characters(codec=None), max_size=60))
def test_any_text_is_either_read_or_refused_with_located_problems(text):
    with pytest.raises(DocumentError) as caught:
        validate(load(text, "d.yaml"), Book)
    assert caught.value.problems


# The writer leaves `1e5` bare, which YAML 1.1 takes for text and YAML 1.2 for a number.
TEXTS = st.text(max_size=9).filter(lambda text: not re.fullmatch(r"[-+]?[0-9.]+[eE][-+]?[0-9]+", text))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS | st.dates(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_what_a_yaml_writer_writes_is_read_back(value):
    assert load(yaml.safe_dump(value), "d.yaml").data == value


def test_importing_costs_neither_yaml_nor_pydantic():
    code = "import sys, reconwatch.document; sys.exit(bool({'yaml', 'pydantic'} & set(sys.modules)))"
    root = Path(__file__).parents[1] / "sensor"
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
