"""Unbound's log of queries and replies."""

from __future__ import annotations

import pytest
from tests.sources.textlog.name_logs import answered, asked, at, both, read

from reconwatch.sources.textlog.declared import Declared

QUERY = "[1795488645] unbound[30213:0] query: 10.20.1.11 api.shodan.io. A IN"
REPLY = "[1795488646] unbound[30213:0] reply: 10.20.1.11 api.shodan.io. A IN NOERROR 0.250000 0 74"
WHEN = 1795488645.0


@pytest.mark.parametrize(
    ("line", "ts"),
    [
        (QUERY, WHEN),
        ("[1795488645] unbound[30213:0] info: 10.20.1.11 api.shodan.io. A IN", WHEN),
        ("Nov 24 02:50:45 unbound[30213:0] query: 10.20.1.11 api.shodan.io. A IN", WHEN),
        ("2026-11-24T03:50:45.123+01:00 unbound[30213:0] query: 10.20.1.11 api.shodan.io. A IN", WHEN + 0.123),
        ("2026-11-24T02:50:45.5Z unbound[30213:1f] query: 10.20.1.11 api.shodan.io. A IN", WHEN + 0.5),
        ("Nov 24 02:50:45 resolver unbound[30213]: [30213:0] info: 10.20.1.11 api.shodan.io. A IN", WHEN),
        ("2026-11-24T02:50:45Z resolver unbound[3]: [3:0] query: 10.20.1.11 API.shodan.io. A IN", WHEN),
    ],
)
def test_a_query_however_it_is_stamped_and_tagged(line: str, ts: float) -> None:
    (event,), account, _ = both(line)
    assert (event.ts, event.client, event.name, event.qtype) == (pytest.approx(ts), "10.20.1.11", "api.shodan.io", 1)
    assert (event.client_port, event.server, event.server_port) == (None, None, None)
    assert account.dialect == "unbound"


def test_a_reply_is_the_answer_and_no_second_question() -> None:
    events, _, _ = both(QUERY, REPLY, declared=Declared(server="203.0.113.53"))
    assert asked(events) == [("10.20.1.11", "api.shodan.io", 1)]
    assert [(event.rcode, event.server, event.server_port) for event in answered(events)] == [(0, "203.0.113.53", 53)]


def test_a_reply_without_its_query_stands_for_it_at_the_time_it_was_asked() -> None:
    (event,), _, _ = both(REPLY)
    assert asked([event]) == [("10.20.1.11", "api.shodan.io", 1)]
    assert event.ts == WHEN + 0.75


def test_each_of_several_waiting_queries_is_answered_once() -> None:
    assert len(asked(both(QUERY, QUERY, REPLY, REPLY)[0])) == 2
    assert len(asked(both(QUERY, REPLY, REPLY)[0])) == 2


def test_a_reply_may_say_where_it_was_asked() -> None:
    (event,), _, _ = both(REPLY + " on dot 10.20.0.53 853")
    assert (event.server, event.server_port) == ("10.20.0.53", 853)


def test_what_else_it_logs_tells_nothing() -> None:
    lines = [
        "[1795488645] unbound[1:0] notice: init module 0: iterator",
        "[1795488645] unbound[1:0] info: start of service (unbound 1.17.1).",
        "[1795488645] unbound[1:0] info: shodan.io. static 10.20.1.11@4242 www.shodan.io. A IN",
        "[1795488645] unbound[1:0] error: SERVFAIL <www.shodan.io. A IN>: all servers for this domain failed",
        "[1795488645] unbound[1:0] reply: 10.20.1.11 - - - FORMERR - - -",
    ]
    events, account, _ = both(QUERY, *lines)
    assert len(events) == 1
    assert not account.skipped


def test_types_and_classes_that_have_no_name() -> None:
    for word, number in (("TYPE65534", 65534), ("HTTPS", 65), ("ANY", 255)):
        assert asked(both(QUERY.replace(" A IN", f" {word} CLASS300"))[0]) == [("10.20.1.11", "api.shodan.io", number)]


def test_damage_is_counted() -> None:
    half = "[1795488645] unbound[30213:0] query: 10.20.1.11 api.shod"
    events, account, told = both(QUERY, half, QUERY)
    assert len(events) == 2
    assert account.unreadable == {"a line with less than a query has": 1}
    assert told == ["dns.log: line 2: a line with less than a query has"]


def test_a_stamp_without_a_year_is_of_the_last_one_that_fits() -> None:
    lines = [
        f"{stamp} unbound[1:0] query: 10.20.1.11 api.shodan.io. A IN"
        for stamp in ("Dec 31 23:59:59", "Jan  1 00:00:01")
    ]
    events, _, _ = both(*lines, modified=at("2027-01-01T06:00"))
    assert [event.ts for event in events] == [at("2026-12-31T23:59:59"), at("2027-01-01T00:00:01")]


def test_only_the_lines_that_matter_are_read() -> None:
    _, account, _ = read(*[QUERY.replace("shodan.io", "example.com")] * 5, QUERY)
    assert (account.records, account.events) == (6, 1)
