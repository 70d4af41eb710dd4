"""Numbers and lists as they stand in a sentence."""

import pytest

from reconwatch.prose import counted, shortened


@pytest.mark.parametrize(("count", "text"), [(0, "0 files"), (1, "1 file"), (2, "2 files"), (12_345, "12,345 files")])
def test_a_number_goes_with_its_noun(count: int, text: str) -> None:
    assert counted(count, "file") == text


@pytest.mark.parametrize(
    ("words", "text"),
    [("", ""), ("a", "a"), ("ab", "a and b"), ("abc", "a, b and c"), ("abcd", "a, b, c and 1 more")],
)
def test_a_list_is_cut_and_says_by_how_much(words: str, text: str) -> None:
    assert shortened(list(words)) == text
