import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconwatch.sinks.wire_text import json_line, visible, zeek_string


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("a\nb", r"a\x0ab"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("\x00\t\x7f", r"\x00\x09\x7f"),
        ("\x9b31m", r"\u009b31m"),
        ("gpj\u202eexe", r"gpj\u202eexe"),
        ("\u2066isolate\u2069", r"\u2066isolate\u2069"),
        ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
        ("\U000e0041", r"\U000e0041"),
        ("bad byte \udce4", r"bad byte \xe4"),
        ("half a pair \ud83d", r"half a pair \ud83d"),
        ("Bücher, 检索 [red]", "Bücher, 检索 [red]"),
        (r"C:\x41", r"C:\x41"),
    ],
)
def test_a_terminal_is_shown_what_it_would_otherwise_obey(hostile, shown):
    assert visible(hostile) == shown


@given(st.text())
def test_what_is_visible_is_one_printable_line(text):
    shown = visible(text)
    assert len(shown.splitlines()) <= 1
    shown.encode()  # takes no lone surrogate
    assert not any(ord(c) < 0x20 or 0x7F <= ord(c) <= 0x9F or c in "\u202e\u2066\u2028" for c in shown)
    assert visible(shown) == shown


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_json_loses_nothing_and_shows_nothing_that_acts(text):
    line = json_line({"x": text})
    assert json.loads(line) == {"x": text}
    assert visible(line) == line


def test_json_spells_lone_surrogates_as_text_at_any_depth():
    assert json.loads(json_line({"a": [{"b": "\udce4"}], "c": "\ud800", "n": None})) == {
        "a": [{"b": r"\xe4"}],
        "c": r"\ud800",
        "n": None,
    }


def test_json_spells_an_invisible_astral_character_as_a_surrogate_pair():
    assert json_line("\U000e0041") == r'"\udb40\udc41"'


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ("", "(empty)"),
        ("-", r"\x2d"),
        ("--", "--"),
        ("(empty)", r"\x28empty)"),
        ("a\tb\nc", r"a\x09b\x0ac"),
        ("back\\slash", r"back\\slash"),
        ("\x1b[31m", r"\x1b[31m"),
        ("Bücher, 检索", "Bücher, 检索"),
        ("bad \udce4", r"bad \xe4"),
        ("gpj\u202eexe", r"gpj\xe2\x80\xaeexe"),
        ("a,b #c", "a,b #c"),
    ],
)
def test_a_string_field_is_spelled_as_zeek_spells_it(value, field):
    assert zeek_string(value) == field


def test_zeek_escapes_all_of_a_run_that_holds_one_unprintable_byte():
    assert zeek_string("ü\x01ü\\ü") == r"\xc3\xbc\x01\xc3\xbc\\ü"


def test_inside_a_set_the_comma_is_escaped_as_well():
    assert zeek_string("a,b", in_set=True) == r"a\x2cb"


def unescape(field):
    """util::get_unescaped_string of Zeek, after the comparison of the raw text with the reserved ones."""
    if field == "(empty)":
        return b""
    out, data, i = bytearray(), field.encode(), 0
    while i < len(data):
        if data[i : i + 2] == b"\\x":
            out.append(int(data[i + 2 : i + 4], 16))
            i += 4
        elif data[i : i + 2] == b"\\\\":
            out += b"\\"
            i += 2
        else:
            out.append(data[i])
            i += 1
    return bytes(out)


@given(st.text(st.characters(exclude_categories=["Cs"])), st.booleans())
def test_zeek_reads_back_exactly_what_was_written(text, in_set):
    field = zeek_string(text, in_set=in_set)
    assert unescape(field) == text.encode()
    assert field not in {"", "-"}
    assert "\t" not in field
    assert len(field.splitlines()) == 1
