"""What all formats of name servers' logs stand: long lines, bad bytes, escapes, mixtures, and whatever else comes."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sources.textlog.name_logs import asked, both, read, read_bytes

from reconwatch.sources.textlog.declared import Declared

QUERIES = {
    "bind": "24-Nov-2026 04:18:48.673 client @0x1 10.20.1.11#43033 ({name}): query: {name} IN A + (10.20.0.53)",
    "unbound": "[1795488645] unbound[30213:0] query: 10.20.1.11 {name}. A IN",
    "dnsmasq": "Nov 24 02:49:01 dnsmasq[77]: query[A] {name} from 10.20.1.11",
    "windows-dns": "24/11/2026 02:49:01 0E70 PACKET  00000000033397A0 UDP Rcv 10.20.1.11      5b47   Q"
    " [0001   D   NOERROR] A      {labels}",
}
MORE = {
    "bind": [
        "24-Nov-2026 04:18:49.673 client @0x1 10.20.1.11#43033 (shodan.io): query: shodan.io IN AXFR + (203.0.113.53)",
        "24-Nov-2026 04:18:49.673 client @0x1 10.20.1.11#43033 (shodan.io): zone transfer 'shodan.io/AXFR/IN' denied",
        "24-Nov-2026 04:18:49.673 client @0x1 10.20.1.11#43033 (a): response: a.shodan.io IN A NOERROR 1 0 0 +"
        " (203.0.113.5)",
    ],
    "unbound": ["[1795488646] unbound[30213:0] reply: 10.20.1.11 api.shodan.io. A IN NOERROR 0.250000 0 74"],
    "dnsmasq": [
        "Nov 24 02:49:01 dnsmasq[77]: reply api.shodan.io is <CNAME>",
        "Nov 24 02:49:01 dnsmasq[77]: reply edge.cdn.example is 198.18.4.2",
        "Nov 24 02:49:01 dnsmasq[77]: cached other.example is 198.18.4.2",
        "Nov 24 02:49:01 dnsmasq[77]: 7 10.20.1.12/5 reply other.example is 198.18.4.2",
    ],
    "windows-dns": [
        "24/11/2026 02:49:01 0E70 PACKET  00000000033397A0 UDP Snd 10.20.1.11      5b47 R Q [8381   DR NXDOMAIN] A"
        "      (6)shodan(2)io(0)"
    ],
}
FORMATS = sorted(QUERIES)


def query(format: str, name: str = "api.shodan.io") -> str:
    labels = "".join(f"({len(label)}){label}" for label in name.split(".")) + "(0)"
    return QUERIES[format].format(name=name, labels=labels)


@pytest.mark.parametrize("format", FORMATS)
def test_each_is_told_by_its_content_even_behind_half_a_line(format: str) -> None:
    for lines in ([query(format)], [query(format)[30:], query(format)], ["", "", query(format)]):
        events, account, _ = both(*lines)
        assert account.dialect == format
        assert ("10.20.1.11", "api.shodan.io", 1) in asked(events)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("other", FORMATS)
def test_two_formats_in_one_file(format: str, other: str) -> None:
    lines = [query(format), query(other), "no line of any", query(format), query(other, "crt.sh")]
    events, account, _ = both(*lines)
    assert [event.source for event in events] == [format, other, format, other]
    assert [event.name for event in events] == ["api.shodan.io", "api.shodan.io", "api.shodan.io", "crt.sh"]
    assert account.unreadable.total() == 1


@pytest.mark.parametrize("format", FORMATS)
def test_a_line_of_64_kib_is_read_and_a_longer_one_than_any_is_skipped(format: str) -> None:
    long = "a." * 32_000 + "shodan.io"
    for name in (long, "x" * 65_536 + ".shodan.io"):
        events, _, _ = both(query(format), query(format, name), query(format))
        # No name is so long (RFC 1035): nobody wants it.
        assert asked(events) == [("10.20.1.11", "api.shodan.io", 1)] * 2


@pytest.mark.parametrize("format", FORMATS)
def test_bad_utf_8_and_terminal_escapes_leave_no_control_character(format: str) -> None:
    for junk in (b"\xff\xfe", b"\x1b[31m", b"\x07", b"\xc3", "\u202e".encode(), b"\x00", b"\x85"):
        line = query(format, "aXXXb.shodan.io").encode().replace(b"aXXXb", b"a" + junk + b"b")
        line = line.replace(b"(5)", b"(%d)" % (2 + len(junk)))
        events, account, told = both(query(format), line, query(format))
        assert 2 <= len(events) <= 3
        assert all(event.name.isprintable() for event in events)
        assert all(each.isprintable() for each in told)
        assert {event.client for event in events} == {"10.20.1.11"}
        assert len(events) + account.unreadable.total() >= 2


@pytest.mark.parametrize("format", FORMATS)
def test_lines_cut_anywhere_are_counted_or_tell_nothing_and_the_rest_is_read(format: str) -> None:
    whole = query(format)
    for cut in range(1, len(whole) - 1):  # a last digit that is gone nobody can miss
        events, _, _ = both(whole, whole[:cut], whole)
        assert {(event.client, event.name) for event in events if event.name != "api.shodan.io"} == set()
        assert {event.client for event in events} == {"10.20.1.11"}
        assert len(events) >= 2


@pytest.mark.parametrize("format", FORMATS)
def test_times_without_a_zone_are_in_the_declared_one(format: str) -> None:
    here, there = (read(query(format), declared=Declared(zone=zone))[0][0].ts for zone in ("UTC", "Asia/Kolkata"))
    assert here - there == (0 if format == "unbound" else 5.5 * 3600)


WORDS = st.sampled_from([
    " from 10.20.1.99", " is 6.6.6.6", "): query: crt.sh IN A + (1.2.3.4)", "(6)shodan(2)io(0)", "' denied", "\\010",
    "\\", '"', "#53", " IN A", "\x1b[2J", "\u212a", "<CNAME>", "shodan.io", "crt.sh", ".", " ", "203.0.113.9", "\r",
    "[1:0] info: ",
])  # fmt: skip
TEXTS = st.lists(WORDS | st.text(max_size=8), max_size=6).map("".join)


@pytest.mark.parametrize("format", FORMATS)
@given(data=st.data())
def test_whatever_a_line_holds_the_funnel_and_the_oracle_agree(format: str, data: st.DataObject) -> None:
    known = [query(format), query(format, "www.crt.sh"), query(format, "other.example"), *MORE[format]]
    lines = [query(format)]
    for _ in range(data.draw(st.integers(1, 8))):
        line = data.draw(st.sampled_from(known))
        at = data.draw(st.integers(0, len(line)))
        lines.append(line[:at] + data.draw(TEXTS) + line[data.draw(st.integers(at, len(line))) :])
    declared = data.draw(st.sampled_from([None, Declared(server="203.0.113.53"), Declared(server="10.20.0.53")]))
    content = "\n".join(lines).encode("utf-8", "surrogatepass")
    funnel, oracle = (read_bytes(content, funnel=funnel, declared=declared) for funnel in (True, False))
    assert funnel[0] == oracle[0]
    assert funnel[2] == oracle[2]


PIECES = st.sampled_from([" ", "'", '"', "(", ")", "#", ":", "is", "from", "10.20.1.99", ".", "IN", "A", "<CNAME>"])
PRINTED = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=5)
HOSTILE = st.lists(PIECES | PRINTED, max_size=8).map("".join)


def escaped(name: str) -> str:
    """A label as BIND writes it (dns_name_totext): no blank, quote or parenthesis stands bare."""
    special = re.sub(r'([@$"().;\\])', r"\\\1", name)
    return "".join(
        char if "!" <= char <= "~" else "".join(f"\\{byte:03d}" for byte in char.encode()) for char in special
    )


@given(HOSTILE)
def test_no_name_tells_of_another_client(name: str) -> None:
    written = {
        "bind": escaped(name) + ".shodan.io",
        "unbound": re.sub(r"[^A-Za-z0-9_*-]", "?", name) + ".shodan.io",
        "dnsmasq": name + ".shodan.io",
    }
    for format, spelt in written.items():
        events, _, _ = read(query(format), QUERIES[format].format(name=spelt, labels=""))
        assert {event.client for event in events} == {"10.20.1.11"}
        assert {event.server for event in events} <= {None, "10.20.0.53"}
