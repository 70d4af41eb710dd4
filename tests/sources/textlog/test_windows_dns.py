"""The debug log of Windows' DNS server, in several locales."""

from __future__ import annotations

import pytest
from tests.sources.textlog.name_logs import answered, asked, at, both

from reconwatch.sources.textlog.declared import Declared
from reconwatch.sources.textlog.windows_dns import labelled_name

PACKET = (
    "0E70 PACKET  00000000033397A0 UDP Rcv 10.20.1.11      5b47   Q [0001   D   NOERROR] A      (3)api(6)Shodan(2)io(0)"
)
RESPONSE = (
    "0E70 PACKET  00000000033397A0 UDP Snd 10.20.1.11      5b47 R Q [8381   DR NXDOMAIN] A      (3)api(6)Shodan(2)io(0)"
)
NAMES = "(3)api(6)shodan(2)io(0)"


def stamped(*dates: str, packet: str = PACKET) -> list[str]:
    return [f"{date} {packet}" for date in dates]


@pytest.mark.parametrize(
    ("stamp", "moment"),
    [
        ("24/11/2026 02:49:01", "2026-11-24T02:49:01"),
        ("11/24/2026 2:49:01 AM", "2026-11-24T02:49:01"),
        ("11/24/2026 12:49:01 AM", "2026-11-24T00:49:01"),
        ("11/23/2026 12:49:01 PM", "2026-11-23T12:49:01"),
        ("23.11.2026 22:49:01", "2026-11-23T22:49:01"),
        ("5.11.2026 22:49:01", "2026-11-05T22:49:01"),
        ("2026-11-23 22:49:01", "2026-11-23T22:49:01"),
        ("2026/11/5 9:49:01", "2026-11-05T09:49:01"),
        ("23-11-26 22:49:01", "2026-11-23T22:49:01"),
        ("23/11/2026 22.49.01", "2026-11-23T22:49:01"),
    ],
)
def test_dates_and_times_of_many_locales(stamp: str, moment: str) -> None:
    (event,), account, told = both(*stamped(stamp))
    assert event.ts == at(moment)
    assert (event.client, event.client_port, event.name, event.qtype) == ("10.20.1.11", None, "api.shodan.io", 1)
    assert account.dialect == "windows-dns"
    assert told == ["dns.log: its times name no zone and are taken as UTC; site.yaml's `logs` can say which"]


def test_which_of_day_and_month_is_first_an_impossible_date_says() -> None:
    events, _, told = both(*stamped("3/11/2026 09:00:00", "13/11/2026 09:00:00"), declared=Declared(zone="UTC"))
    assert [event.ts for event in events] == [at("2026-11-03T09:00"), at("2026-11-13T09:00")]
    assert told == []


def test_or_the_order_of_the_lines() -> None:
    # As months and days they would be 11 January, 11 February and 12 January.
    dates = ("1/11/2026 09:00:00", "2/11/2026 09:00:00", "1/12/2026 09:00:00")
    events, _, told = both(*stamped(*dates), declared=Declared(zone="UTC"), modified=at("2026-12-02"))
    assert [event.ts for event in events] == [at("2026-11-01T09:00"), at("2026-11-02T09:00"), at("2026-12-01T09:00")]
    assert told == []


def test_or_the_time_of_the_last_change() -> None:
    events, _, told = both(*stamped("5/3/2026 09:00:00"), declared=Declared(zone="UTC"), modified=at("2026-03-06"))
    assert [event.ts for event in events] == [at("2026-03-05T09:00")]
    assert told == []


def test_what_stays_ambiguous_is_read_as_the_later_and_said() -> None:
    events, _, told = both(*stamped("5/3/2026 09:00:00"), declared=Declared(zone="UTC"))
    assert [event.ts for event in events] == [at("2026-05-03T09:00")]
    assert told == [
        "dns.log: its dates may be day/month or month/day, and are taken as mdy; `fields: {date: d/M/yyyy}`"
        " (or `M/d/yyyy`) of site.yaml's `logs` can say"
    ]
    events, _, told = both(*stamped("5/3/2026 09:00:00"), declared=Declared(zone="UTC", fields={"date": "d/M/yyyy"}))
    assert [event.ts for event in events] == [at("2026-03-05T09:00")]
    assert told == []


def test_a_response_is_the_answer_to_its_question_and_alone_stands_for_it() -> None:
    lines = [*stamped("24/11/2026 02:49:01"), *stamped("24/11/2026 02:49:01", packet=RESPONSE)]
    events, _, _ = both(*lines, declared=Declared(server="203.0.113.53"))
    assert len(asked(events)) == 1
    assert [(event.rcode, event.server, event.server_port) for event in answered(events)] == [(3, "203.0.113.53", 53)]
    assert len(asked(both(lines[1])[0])) == 1


def test_what_it_asks_others_tells_nothing() -> None:
    upstream = PACKET.replace("Rcv 10.20.1.11", "Snd 198.18.0.1"), RESPONSE.replace("Snd 10.20.1.11", "Rcv 198.18.0.1")
    events, account, _ = both(*stamped("24/11/2026 02:49:01"), *[f"24/11/2026 02:49:01 {each}" for each in upstream])
    assert len(events) == 1
    assert not account.skipped


def test_headers_details_and_other_lines_tell_nothing() -> None:
    lines = [
        "DNS Server log file creation at 24/11/2026 02:00:00",
        "Log file wrap at 24/11/2026 02:00:00",
        "",
        "Message logging key (for packets - other items use a subset of these fields):",
        "\tField #  Information         Values",
        "\t   1     Date",
        *stamped("24/11/2026 02:49:01"),
        "UDP question info at 00000000033397A0",
        "  Socket = 508",
        '    Name      "(3)api(6)shodan(2)io(0)"',
        "24/11/2026 02:49:02 0E70 EVENT   The DNS server has started.",
        "24/11/2026 02:49:02 0E70 PACKET  00000000033397A0 UDP Rcv 10.20.1.11      5b48   U"
        " [0028       NOERROR] SOA    (4)acme(0)",
    ]
    events, account, _ = both(*[f"{line}\r" for line in lines])
    assert asked(events) == [("10.20.1.11", "api.shodan.io", 1)]
    assert not account.skipped


def test_lines_without_a_mark_are_its_details_in_no_other_log() -> None:
    bind = "24-Nov-2026 04:18:48.673 client @0x1 10.20.1.11#1 (crt.sh): query: crt.sh IN A + (10.20.0.53)"
    _, account, _ = both(bind, " ", "  Socket = 508", bind)
    assert account.unreadable == {"no line of a log like bind": 2}
    assert account.holds == {"dns", "answer"}


def test_types_it_calls_by_names_of_its_own_and_tcp_over_ipv6() -> None:
    packet = f"0E70 PACKET  0000000003 TCP Rcv 2001:db8::66    5b47   Q [0001   D   NOERROR] ALL    {NAMES}".replace(
        "0000000003", "00000000033397A0"
    )
    assert asked(both(*stamped("24/11/2026 02:49:01", packet=packet))[0]) == [("2001:db8::66", "api.shodan.io", 255)]


@pytest.mark.parametrize(
    ("written", "name"),
    [
        (NAMES, "api.shodan.io"),
        ("(0)", ""),
        ("(14)x(2)io(0) (1)a(2)io(0)", "x(2)io(0)\\x20(1)a.io"),
        ("(6)\x1b[31ma(2)io(0)", "\\x1b[31ma.io"),
        ("(5)café(2)io(0)", "café.io"),
        ("(3)api(6)shodan(2)io", None),
        ("(3)api(9)shodan(2)io(0)", None),
        ("(3)api(6)shodan(2)io(0)more", None),
        ("(99)" + "a" * 99 + "(0)", None),
    ],
)
def test_lengths_say_where_labels_end(written: str, name: str | None) -> None:
    assert labelled_name(written) == name


def test_a_label_cannot_look_like_another_name() -> None:
    hostile = PACKET.replace("(3)api(6)Shodan(2)io(0)", "(20)x(6)shodan(2)io(0)ab(7)example(0)")
    events, _, _ = both(*stamped("24/11/2026 02:49:01"), *stamped("24/11/2026 02:49:02", packet=hostile))
    assert len(events) == 1


def test_damage_is_counted() -> None:
    whole = stamped("24/11/2026 02:49:01")[0]
    events, account, told = both(whole, whole[:60], whole[:-6], whole, "99/99/2026 02:49:01 " + PACKET)
    assert len(events) == 2
    assert account.unreadable == {
        "a line with less than a packet has": 1, "a line with no usable name": 1, "a line with no usable time": 1,
    }  # fmt: skip
    assert "dns.log: line 2: a line with less than a packet has" in told
