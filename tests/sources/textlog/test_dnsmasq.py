"""dnsmasq's log of queries: who asked, and which addresses it was given."""

from __future__ import annotations

import pytest
from tests.sources.textlog.name_logs import answered, asked, at, both

from reconwatch.account import Account
from reconwatch.events import AnyEvent
from reconwatch.sources.textlog.declared import Declared

FRONT = "Nov 24 02:49:01 dnsmasq[77]: "
QUERY = FRONT + "query[A] www.shodan.io from 10.20.1.11"
WHEN = at("2026-11-24T02:49:01")


def given(events: list[AnyEvent]) -> list[tuple[str, str, str]]:
    """(client, name, address) of the answers."""
    return [(event.client, event.name, address) for event in answered(events) for address, _ in event.addresses]


@pytest.mark.parametrize(
    "line",
    [
        QUERY,
        "Nov 24 02:49:01 gateway dnsmasq[77]: query[A] www.shodan.io from 10.20.1.11",
        "2026-11-24T02:49:01+00:00 gateway dnsmasq[77]: query[A] www.shodan.io from 10.20.1.11",
        FRONT + "auth[A] www.shodan.io from 10.20.1.11",
    ],
)
def test_a_query_in_a_file_of_its_own_and_by_syslog(line: str) -> None:
    (event,), account, _ = both(line)
    assert (event.ts, event.client, event.name, event.qtype) == (WHEN, "10.20.1.11", "www.shodan.io", 1)
    assert (event.client_port, event.server) == (None, None)
    assert account.dialect == "dnsmasq"


def test_extra_gives_the_client_s_port() -> None:
    (event,), _, _ = both(FRONT + "12 10.20.1.11/39087 query[type=65] www.shodan.io from 10.20.1.11")
    assert (event.client, event.client_port, event.qtype) == ("10.20.1.11", 39087, 65)
    (event,), _, _ = both(FRONT + "query[HTTPS] crt.sh from fe80::1%eth0", declared=Declared(server="10.20.0.1"))
    assert (event.client, event.server, event.server_port) == ("fe80::1", "10.20.0.1", 53)


def test_replies_give_the_name_its_addresses_for_who_asked_last() -> None:
    events, _, _ = both(
        QUERY,
        FRONT + "forwarded www.shodan.io to 198.18.0.1",
        FRONT + "reply www.shodan.io is 198.18.4.2",
        FRONT + "query[AAAA] www.shodan.io from 10.20.1.12",
        FRONT + "cached www.shodan.io is 2001:db8::2",
    )
    assert given(events) == [
        ("10.20.1.11", "www.shodan.io", "198.18.4.2"),
        ("10.20.1.12", "www.shodan.io", "2001:db8::2"),
    ]


def test_what_an_alias_leads_to_is_an_address_of_the_name_that_was_asked_for() -> None:
    events, _, _ = both(
        QUERY,
        FRONT + "reply www.shodan.io is <CNAME>",
        FRONT + "reply edge.cdn.example is <CNAME>",
        FRONT + "reply a.edge.cdn.example is 198.18.4.2",
        FRONT + "reply a.edge.cdn.example is 198.18.4.3",
        FRONT + "reply other.example is 198.18.4.9",
        FRONT + "reply a.edge.cdn.example is 198.18.4.4",
    )
    assert [address for _, _, address in given(events)] == ["198.18.4.2", "198.18.4.3"]


def test_with_extra_by_serial_and_port() -> None:
    events, _, _ = both(
        FRONT + "1 10.20.1.11/39087 query[A] www.shodan.io from 10.20.1.11",
        FRONT + "2 10.20.1.12/39087 query[A] www.shodan.io from 10.20.1.12",
        FRONT + "1 10.20.1.11/39087 reply www.shodan.io is <CNAME>",
        FRONT + "2 10.20.1.12/39087 reply edge.cdn.example is 198.18.4.9",
        FRONT + "2 10.20.1.12/39087 reply www.shodan.io is <CNAME>",
        FRONT + "2 10.20.1.12/39087 reply edge.cdn.example is 198.18.4.2",
    )
    assert given(events) == [("10.20.1.12", "www.shodan.io", "198.18.4.2")]


def test_an_alias_at_a_block_s_end_leads_on_in_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    from functools import partial

    from reconwatch.sources.lines import Blocks

    lines = [QUERY, FRONT + "reply www.shodan.io is <CNAME>", FRONT + "reply edge.cdn.example is 198.18.4.2"]
    for size in range(60, 220, 7):
        monkeypatch.setattr("reconwatch.sources.textlog.source.Blocks", partial(Blocks, block=size))
        assert len(given(both(*lines)[0])) == 1


def test_an_answer_without_addresses_says_so() -> None:
    for word, rcode in (("NXDOMAIN", 3), ("NODATA", 0), ("NODATA-IPv6", 0)):
        events, _, _ = both(QUERY, FRONT + f"reply www.shodan.io is {word}", declared=Declared(server="203.0.113.53"))
        assert [(event.rcode, event.records) for event in answered(events)] == [(rcode, 0)]


def test_a_name_cannot_speak_of_another_client_or_address() -> None:
    events, _, _ = both(FRONT + "query[A] x from 10.20.1.99.shodan.io from 192.0.2.66")
    assert asked(events) == [("192.0.2.66", r"x\x20from\x2010.20.1.99.shodan.io", 1)]
    events, _, _ = both(QUERY, FRONT + "reply 192.0.2.1 is www.shodan.io is 6.6.6.6")
    assert given(events) == []
    events, _, _ = both(
        QUERY, FRONT + "reply a is www.shodan.io is 6.6.6.6", FRONT + "reply www.shodan.io is x is 6.6.6.6"
    )
    assert given(events) == []


def test_what_else_it_logs_tells_nothing() -> None:
    lines = [
        FRONT + "started, version 2.90 cachesize 150",
        FRONT + "query[A] <name unprintable> from 10.20.1.11",
        "Nov 24 02:49:01 dnsmasq-dhcp[77]: DHCPACK(eth0) 10.20.1.11 00:00:5e:00:53:01 laptop",
        FRONT + "reply error is SERVFAIL",
        FRONT + "reply 198.18.4.2 is www.shodan.io",
        "Nov 24 02:49:01 gateway sshd[1]: Accepted publickey for shodan.io from 10.20.1.11",
    ]
    events, account, _ = both(QUERY, *lines)
    assert len(events) == 1
    assert not account.skipped


def test_lines_cut_in_half_are_counted() -> None:
    account: Account
    _, account, _ = both(QUERY, "query[A] www.shodan.io fr", QUERY)
    assert account.unreadable == {"no line of a log like dnsmasq": 1}
