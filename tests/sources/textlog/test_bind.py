"""BIND's own log: queries in every form it has had, and what it refused or gave."""

from __future__ import annotations

import pytest
from tests.sources.textlog.name_logs import answered, asked, at, both, read

from reconwatch.interest import Interest
from reconwatch.sources.textlog.bind import bind_name
from reconwatch.sources.textlog.declared import Declared

STAMP = "24-Nov-2026 04:18:48.673 "
CLIENT = "client @0x7ff5f28f6c98 192.0.2.66#43033 (api.shodan.io): "
QUERY = "query: api.shodan.io IN A +E(0)K (203.0.113.53)"
AXFR, IXFR = 252, 251


@pytest.mark.parametrize(
    "line",
    [
        STAMP + "queries: info: " + CLIENT + QUERY,
        STAMP + CLIENT + QUERY,
        STAMP + "queries: " + CLIENT + QUERY,
        STAMP + "named: queries: ns_query: info: " + CLIENT + QUERY,
        STAMP + "client 192.0.2.66#43033 (api.shodan.io): " + QUERY,  # 9.9
        STAMP + "client 192.0.2.66#43033: " + QUERY,  # 9.8
        STAMP + "client 192.0.2.66#43033: view internal: " + QUERY,
        STAMP + CLIENT.replace("): ", "): view inside of: ") + QUERY,
        STAMP + "client @0x7ff5f28f6c98 192.0.2.66#43033/key tsig.example (api.shodan.io): " + QUERY,
        STAMP + CLIENT + QUERY + " [ECS 198.51.100.0/24/0]",
        STAMP + CLIENT + "query: API.Shodan.IO IN A -SE(0)TDCV (203.0.113.53)",
        STAMP + CLIENT + "query: api.shodan.io IN A + (203.0.113.53#53)",  # 9.21
        "2026-11-24T04:18:48.673Z queries: info: " + CLIENT + QUERY,
        "2026-11-24T05:18:48.673+01:00 queries: info: " + CLIENT + QUERY,
        "Nov 24 04:18:48.673 ns1 named[812]: queries: info: " + CLIENT + QUERY,
        "<142>1 2026-11-24T04:18:48.673Z ns1 named 812 - - queries: info: " + CLIENT + QUERY,
    ],
)
def test_a_query_in_any_form_it_has_had(line: str) -> None:
    (event,), account, _ = both(line)
    assert (event.client, event.client_port, event.server, event.server_port) == (
        "192.0.2.66",
        43033,
        "203.0.113.53",
        53,
    )
    assert (event.name, event.qtype, event.source) == ("api.shodan.io", 1, "bind")
    assert event.ts == pytest.approx(at("2026-11-24T04:18:48.673"), abs=0.001)
    assert account.dialect == "bind"
    assert account.holds == {"dns", "answer"}


def test_a_server_that_does_not_write_where_it_was_asked_is_declared() -> None:
    line = STAMP + "client 192.0.2.66#43033: query: other.example IN A +"
    assert read(line)[0] == []
    (event,), _, _ = both(line, declared=Declared(server="203.0.113.53"))
    assert (event.server, event.server_port) == ("203.0.113.53", 53)
    (event,), _, _ = both(STAMP + "client 192.0.2.66#43033: query: api.shodan.io IN A +")
    assert (event.server, event.server_port) == (None, None)


def test_stamps_without_a_zone_are_in_the_declared_one() -> None:
    (event,), _, told = both(STAMP + CLIENT + QUERY, declared=Declared(zone="Europe/Berlin"))
    assert event.ts == pytest.approx(at("2026-11-24T03:18:48.673"))
    assert told == []
    assert both(STAMP + CLIENT + QUERY)[2] == [
        "dns.log: its times name no zone and are taken as UTC; site.yaml's `logs` can say which"
    ]


def test_ipv6_with_and_without_a_zone_index() -> None:
    for client in ("2001:db8::66#40000", "2001:db8:0:0::66#40000"):
        (event,), _, _ = both(f"{STAMP}client @0x1 {client} (crt.sh): query: crt.sh IN AAAA + (2001:db8::53)")
        assert (event.client, event.server) == ("2001:db8::66", "2001:db8::53")
    (event,), _, _ = both(f"{STAMP}client @0x1 fe80::66%eth0#40000 (crt.sh): query: crt.sh IN A + (fe80::53%eth0)")
    assert (event.client, event.server) == ("fe80::66", "fe80::53")


def test_a_refused_transfer_is_an_answer_from_where_its_query_was_asked() -> None:
    front = "client @0x1 192.0.2.66#43033 (acme-widgets.com): "
    events, _, _ = both(
        STAMP + front + "query: acme-widgets.com IN AXFR -E(0)TK (203.0.113.53)",
        STAMP + "security: error: " + front + "zone transfer 'acme-widgets.com/AXFR/IN' denied",
        STAMP
        + "security: error: "
        + front.replace("43033", "43034")
        + "zone transfer 'acme-widgets.com/AXFR/IN' denied",
    )
    (refused,) = answered(events)  # of the other nobody knows where it was asked
    assert (refused.client, refused.client_port, refused.server) == ("192.0.2.66", 43033, "203.0.113.53")
    assert (refused.name, refused.qtype, refused.rcode, refused.records) == ("acme-widgets.com", AXFR, 5, 0)


@pytest.mark.parametrize(
    ("words", "qtype"), [("AXFR", AXFR), ("IXFR", IXFR), ("AXFR-style IXFR", IXFR)]
)  # fmt: skip
def test_a_served_transfer_is_one_answer_with_its_records(words: str, qtype: int) -> None:
    front = STAMP + "client @0x1 192.0.2.66#43033/key k.example (acme-widgets.com): "
    events, _, _ = both(
        front + f"query: acme-widgets.com IN {words[-4:]} -T (203.0.113.53)",
        front + f"transfer of 'acme-widgets.com/IN': {words} started: TSIG k.example (serial 7)",
        front + f"transfer of 'acme-widgets.com/IN': {words} ended: 3 messages, 406 records, 9 bytes, 0.001 secs",
    )
    (served,) = answered(events)
    assert (served.qtype, served.rcode, served.records, served.server) == (qtype, 0, 406, "203.0.113.53")


def test_a_query_that_was_denied_is_answered_so() -> None:
    front = STAMP + "client @0x1 192.0.2.66#43033 (www.example): "
    for denied in (
        "query (cache) 'www.example/A/IN' denied",
        "query 'www.example/A/IN' denied (allow-query did not match)",
    ):
        events, _, _ = both(front + "query: www.example IN A + (203.0.113.53)", front + denied)
        assert [(event.name, event.rcode) for event in answered(events)] == [("www.example", 5)]


def test_a_response_is_an_answer_and_stands_for_its_query_where_that_is_not_logged() -> None:
    response = STAMP + CLIENT + "response: api.shodan.io IN A NXDOMAIN 0 1 1 + (203.0.113.53)"
    events, _, _ = both(STAMP + CLIENT + QUERY, response)
    assert len(asked(events)) == 1
    assert [(event.rcode, event.records) for event in answered(events)] == [(3, 0)]
    assert asked(both(response)[0]) == [("192.0.2.66", "api.shodan.io", 1)]


def test_what_else_it_logs_tells_nothing() -> None:
    lines = [
        STAMP + "general: notice: all zones loaded",
        STAMP
        + "rate-limit: info: client @0x1 192.0.2.66#43033 (shodan.io): rate limit drop all response to 192.0.2.0/24",
        STAMP
        + "query-errors: info: client @0x1 192.0.2.66#43033 (shodan.io): query failed (REFUSED) for shodan.io/IN/A",
        STAMP
        + "xfer-out: info: client @0x1 192.0.2.66#43033 (shodan.io): transfer of 'shodan.io/IN': AXFR aborted: end",
    ]
    events, account, _ = both(STAMP + CLIENT + QUERY, *lines)
    assert len(events) == 1
    assert not account.skipped


@pytest.mark.parametrize(
    ("written", "spelt"),
    [
        (r"a\032from\03210.20.1.99.shodan.io", r"a\x20from\x2010.20.1.99.shodan.io"),
        (r"caf\228.shodan.io", r"caf\xe4.shodan.io"),
        (r"caf\195\169.shodan.io", "café.shodan.io"),
        (r"x\(\)\"\@\$\;y.shodan.io", 'x()"@$;y.shodan.io'),
        (r"a\.b.shodan.io", r"a\x2eb.shodan.io"),
        (r"\010\027[31m.shodan.io", r"\x0a\x1b[31m.shodan.io"),
        (r"back\\slash.shodan.io", r"back\slash.shodan.io"),
        (r"\999.shodan.io", r"\999.shodan.io"),
        (".", ""),
    ],
)
def test_names_are_spelt_as_the_wire_s(written: str, spelt: str) -> None:
    assert bind_name(written) == spelt


def test_no_name_makes_an_event_about_another_client() -> None:
    hostile = [
        r"x\).shodan.io\):\032query:\032y.shodan.io\032IN\032A\032+\032\(9.9.9.9\)",
        r"client\032@0x1\03210.20.1.99#53\032\(a\):\032query:\032shodan.io",
        r"a'\032denied.shodan.io",
    ]
    for name in hostile:
        events, account, _ = both(f"{STAMP}client @0x1 192.0.2.66#1 ({name}): query: {name} IN A + (203.0.113.53)")
        assert {(event.client, event.server) for event in events} == {("192.0.2.66", "203.0.113.53")}
        assert len(events) == 1
        assert not account.skipped


def test_a_damaged_line_is_counted_and_the_rest_is_read() -> None:
    whole = STAMP + CLIENT + QUERY
    events, account, told = both(whole, STAMP + CLIENT + "query: api.shodan.io IN", "nonsense of shodan.io", whole)
    assert len(events) == 2
    assert account.skipped == {"a line with less than a query has": 1, "no line of a log like bind": 1}
    assert "dns.log: line 2: a line with less than a query has" in told


def test_a_line_without_any_time_has_none() -> None:
    _, account, _ = both(CLIENT + QUERY)
    assert account.skipped == {"a line with no usable time": 1}


def test_transfers_are_told_of_zones_that_nobody_looks_for_by_name() -> None:
    interest = Interest(networks=frozenset({"203.0.113.0/24"}))
    front = STAMP + "client @0x1 192.0.2.66#43033 (zone.example): "
    lines = [front + "query: zone.example IN AXFR -T (203.0.113.53)", *[STAMP + "general: info: nothing"] * 50]
    events, _, _ = both(*lines, front + "zone transfer 'zone.example/AXFR/IN' denied", interest=interest)
    assert len(events) == 2
