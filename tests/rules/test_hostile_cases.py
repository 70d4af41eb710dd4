"""Whatever a case file holds, it is a case or located problems: never a traceback."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reconwatch.document import DocumentError
from reconwatch.rules.case_file import load_case
from reconwatch.rules.checks import CheckError, matches
from reconwatch.rules.verify_file import load_verify

WORDS = st.sampled_from(
    [
        *("capture", "rules", "expect", "silent", "rejected", "vars", "engine", "args", "name", "min", "max", "all"),
        *(
            "requires",
            "skip",
            "pcap",
            "checks",
            "filter",
            "shell",
            "stats",
            "file-compare",
            "count",
            "match",
            "has-key",
        ),
        *(
            "not-has-key",
            "filename",
            "setup",
            "script",
            "env",
            "exit-code",
            "1",
            "1900001",
            "-1",
            "7.0",
            "yes",
            "no",
            "~",
        ),
        *(
            "'x'",
            "[]",
            "{}",
            "2001-01-99",
            "2001-01-01",
            "1:2:3",
            "0x1f",
            "1e999",
            ".nan",
            "&a",
            "*a",
            "<<:",
            "!!binary",
        ),
        *("!!set", "?", "-", "|", ">", "%", "@", "#", "''"),
    ]
)
JOINTS = st.sampled_from(
    ["\n", "\n- ", ": ", " ", ", ", "\n  ", "\n    ", "{", "}", "[", "]", "\t", "\x00", "\x85", "\ufeff"]
)
TEXTS = st.lists(st.one_of(WORDS, JOINTS, st.text(max_size=3)), max_size=40).map("".join)


def located(load: object, content: bytes) -> bool:
    """Whether it is a case, or everything that is wrong with it names its file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x"
        path.write_bytes(content)
        try:
            load(path)  # type: ignore[operator]
        except DocumentError as error:
            return bool(error.problems) and all(str(problem).startswith(f"{path}:") for problem in error.problems)
    return True


@given(TEXTS)
@example("[" * 5000)
@example("[" * 5000 + "]" * 5000)
@example("a: " + "9" * 5000)
@example("checks:\n- filter: {count: 1, match: {[]: 1}}\n")
@example("&a [*a]")
@example("checks: &a\n- *a\n")
@example("skip: [{config: [a]}]\n")
@example("a: !!timestamp x\n")
@example("a: !!int x\n")
@example("a: !!python/name:os.system\n")
@example("<<: [1]\n")
@example("<<: 1\n")
@pytest.mark.parametrize("load", [load_case, load_verify])
def test_any_text_is_a_case_or_located_problems(load: object, text: str) -> None:
    assert located(load, text.encode("utf-8", "surrogatepass"))


@given(st.binary(max_size=60))
@pytest.mark.parametrize("load", [load_case, load_verify])
def test_any_bytes_are_a_case_or_located_problems(load: object, content: bytes) -> None:
    assert located(load, content)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "c"]), inner, max_size=3),
    max_leaves=12,
)
PARTS = st.sampled_from(
    ["a", "b", "c", "a[0]", "b[1]", "[0]", "", "__len", "__gt", "__find", "__contains", "__endswith"]
)
PATHS = st.lists(PARTS, min_size=1, max_size=4).map(".".join)


@given(st.dictionaries(PATHS, JSON, max_size=3), JSON)
def test_any_filter_of_any_event_holds_or_does_not_or_cannot_be_told(match: dict[str, object], event: object) -> None:
    with contextlib.suppress(CheckError):
        assert matches(match, event) in (True, False)  # type: ignore[arg-type]
