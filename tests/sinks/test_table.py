import io

import pytest
from msgspec.structs import replace as but

from reconwatch.sightings import Actor, Target
from reconwatch.sinks import open_sink


def table_of(*notices, width=80, colour=False, stream=None):
    stream = stream or io.StringIO()
    sink = open_sink("table", stream, width=width, colour=colour)
    for notice in notices:
        sink.write(notice)
    sink.close()
    return stream.getvalue()


def test_the_worst_comes_first_with_its_reasons_and_steps(search, lookup):
    assert table_of(lookup, search) == (
        "escalate  65 Targeted_Search rw-1f3c5a7b9d0e2f46 10.20.1.11 → shodan: 203.0.113…\n"
        "      10.20.1.11 looked up 203.0.113.10 in Shodan\n"
        "      who      10.20.1.11\n"
        "      what     shodan (T1596.005)\n"
        "      targets  203.0.113.10\n"
        "      seen     4 http requests, 2026-11-24 02:49:10 to 02:50:47 UTC\n"
        "          +40  names an owned address\n"
        "          +25  several targets in one sitting\n"
        "      next     Ask who uses 10.20.1.11.\n"
        "\n"
        "monitor    5 Database_Lookup rw-00aa11bb22cc33dd 10.20.0.53 (resolver, trusted)…\n"
        "\n"
        "1 escalate, 1 monitor\n"
    )


def test_a_wide_page_also_says_when_and_how_much(lookup):
    assert table_of(lookup, width=160).splitlines()[0] == (
        "monitor   5 Database_Lookup rw-00aa11bb22cc33dd 2026-11-24 02:48       1 name              "
        "10.20.0.53 (resolver, trusted) → crtsh, censys"
    )


def test_no_notices_is_said():
    assert table_of() == "No notices.\n"


def test_the_summary_counts_by_verdict(search, lookup):
    many = [but(lookup, id=f"rw-{n:016x}") for n in range(14)]
    middle = [but(search, id=f"rw-1{n:015x}", verdict="investigate") for n in range(3)]
    assert table_of(*many, *middle, search).splitlines()[-1] == "1 escalate, 3 investigate, 14 monitor"


def test_of_a_notice_only_the_last_word_is_shown(search):
    page = table_of(but(search, rev=4, score=70), search)
    assert "70 Targeted_Search" in page
    assert page.endswith("1 escalate\n")


def test_equal_verdicts_are_in_order_of_time(search):
    early, late = but(search, id="rw-b", ts=search.ts - 1), but(search, id="rw-a")
    page = table_of(late, early)
    assert page.index("rw-b") < page.index("rw-a")


@pytest.mark.parametrize("width", [60, 80, 100, 160])
def test_no_line_is_wider_than_the_page_and_nothing_is_cut_without_a_mark(search, width):
    targets = tuple(Target("domain", f"host-{n}.acme-widgets.com", "acme-widgets.com") for n in range(15))
    actor = Actor(ip="2001:db8:1234:5678:9abc:def0:1234:5678", role=("proxy", "nat"), user="x" * 200)
    page = table_of(but(search, actor=actor, targets=targets, next=("word " * 60,)), width=width)
    assert all(len(line) <= width for line in page.splitlines())
    assert "rw-1f3c5a7b9d0e2f46" in page.splitlines()[0]
    assert page.splitlines()[0].endswith("…")
    assert "… and 3 more" in " ".join(page.split())
    assert "stands for its clients" in " ".join(page.split())
    assert page.replace("\n", "").replace(" ", "").count("x") >= 200


def test_wire_text_is_neither_markup_nor_terminal_codes_nor_a_new_line(search):
    page = table_of(but(search, msg="[red]a[/red]\n\x1b[31m\x00\t\u202e:smile: http://x"), width=160, colour=True)
    assert r"[red]a[/red]\x0a\x1b[31m\x00\x09\u202e:smile: http://x" in page


def test_colour_is_for_terminals(search):
    assert "\x1b[" not in table_of(search, colour=None)
    assert "\x1b[1;31mescalate" in table_of(search, colour=True)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_has_colours_unless_its_user_declines(search, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[" in table_of(search, colour=None, width=None, stream=Terminal())
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in table_of(search, colour=None, width=None, stream=Terminal())


def test_trust_and_its_reason_are_shown(search):
    page = table_of(but(search, actor=Actor(ip="10.20.9.7", trusted="attack-surface team")), width=100)
    assert "10.20.9.7 (trusted) → shodan" in page
    assert "trusted: attack-surface team" in page


def test_a_terminal_that_cannot_say_an_arrow_still_gets_the_notice(search):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    sink = open_sink("table", stream, width=100)
    sink.write(search)
    sink.close()
    assert rb"10.20.1.11 \u2192 shodan" in raw.getvalue()
