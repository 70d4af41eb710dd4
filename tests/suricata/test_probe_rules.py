"""Every family of rules for probes, on the wire: what alerts, and what is no probe."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from tests.suricata.conftest import WORLD
from tests.suricata.test_lookup_rules import spoken
from tests.suricata.wire import AXFR, HOST, IXFR, STRANGER, A, Wire

from reconwatch.rules.ledger import shared
from reconwatch.rules.lookups import agent
from reconwatch.rules.probes import SCAN_OPENINGS, address_groups
from reconwatch.rules.reputation import categories

OURS = "10.20.3.10"
"""In $HOME_NET: these rules are of no site."""
SYN, SYN_ACK = 0x02, 0x12


def keys_of(family: str) -> set[str]:
    return {entry.key for entry in shared() if re.match(family, entry.key) and entry.state == "active"}


def test_every_list_of_crawlers_alerts_on_what_they_begin_and_on_no_answer(bench) -> None:
    made, wire = bench(), Wire()
    expected, answers = {}, []
    for number, (scanner, part, address) in enumerate(crawlers()):
        turn = number % 3
        ports = wire.ports(161)
        if turn == 0:
            wire.tcp(address, OURS, ports, SYN)
        elif turn == 1:
            wire.udp(address, OURS, ports, b"probe")
        else:
            wire.tcp(address, OURS, ports, SYN)
            wire.tcp(OURS, address, ports[::-1], SYN_ACK, 1, 2)
        expected[ports[0]] = f"probe/crawler/{scanner}/{part}"
        other = f"10.20.{4 + number // 250}.{1 + number % 250}"
        ports = wire.ports(443)
        if turn == 0:
            wire.tcp(other, address, ports, SYN)
            wire.tcp(address, other, ports[::-1], SYN_ACK, 1, 2)
        else:
            wire.udp(other, address, ports, b"hello")
            wire.udp(address, other, ports[::-1], b"hello yourself")
        answers.append(ports[0])
    alerts = made.alerts(wire)
    assert {key for port, key in expected.items() if key not in alerts[port]} == set()
    assert [alerts[port] for port in (*answers, 443)] == [set()] * (len(answers) + 1)


def crawlers() -> Iterator[tuple[str, int, str]]:
    """(scanner, number of its list, an address of it), of IPv4: the engines' $HOME_NET holds no other."""
    for scanner in WORLD.facts.scanners:
        for part, group in enumerate(address_groups(scanner.ranges)):
            for each in group.strip("[]").split(","):
                if ":" not in each:
                    yield scanner.id, part, each.partition("/")[0]
                    break


def test_by_reputation_every_crawler_alerts_on_what_it_begins_and_on_no_answer(bench) -> None:
    made, wire = bench(iprep=True), Wire()
    names = {scanner.id: each.short[3:] for each in categories(WORLD) for scanner in each.scanners}
    expected, answers = {}, []
    for number, (scanner, part, address) in enumerate(crawlers()):
        if part:
            continue
        ports = wire.ports(443)
        wire.tcp(address, OURS, ports, SYN)
        expected[ports[0]] = f"probe/reputation/{names[scanner]}"
        ports = wire.ports(443)
        wire.udp(f"10.20.{4 + number // 250}.{1 + number % 250}", address, ports, b"hello")
        wire.udp(address, f"10.20.{4 + number // 250}.{1 + number % 250}", ports[::-1], b"hello yourself")
        answers.append(ports[0])
    ports = wire.ports(443)
    wire.tcp(STRANGER, OURS, ports, SYN)
    alerts = made.alerts(wire)
    assert {key for port, key in expected.items() if key not in alerts[port]} == set()
    assert [alerts[port] for port in (*answers, ports[0], 443)] == [set()] * (len(answers) + 2)


def test_an_echo_request_of_a_crawler_is_told(bench) -> None:
    made, wire = bench(), Wire()
    wire.ping("162.142.125.10", OURS)
    wire.ping(STRANGER, OURS)
    assert [key for keys in made.alerts(wire).values() for key in keys] == ["probe/crawler/censys/0"]


def test_a_hundred_openings_a_minute_are_a_scan_and_fewer_are_none(bench) -> None:
    made, wire = bench(), Wire()
    for number in range(SCAN_OPENINGS):
        wire.open(STRANGER, OURS, 1 + number)
        if number < SCAN_OPENINGS - 1:
            wire.open("192.0.2.77", OURS, 1 + number)
    told = {key for keys in made.alerts(wire).values() for key in keys}
    assert told == {"probe/scan/source", "probe/scan/host"}


def test_a_zone_transfer_is_told_and_an_ordinary_question_is_not(bench) -> None:
    made, wire = bench(), Wire()
    asked = {
        wire.dns_over_tcp(STRANGER, "acme-widgets.com", AXFR, server=OURS): "axfr",
        wire.dns_over_tcp(STRANGER, "acme-widgets.com", IXFR, server=OURS): "ixfr",
        wire.dns(STRANGER, "acme-widgets.com", IXFR, server=OURS): "ixfr",
        wire.dns(STRANGER, "acme-widgets.com", AXFR, server=OURS): "axfr",
    }
    silent = [
        wire.dns_over_tcp(STRANGER, "acme-widgets.com", A, server=OURS),
        wire.dns(STRANGER, "acme-widgets.com", 6, server=OURS),
        wire.dns_over_tcp(HOST, "acme-widgets.com", AXFR, server=OURS),
    ]
    alerts = made.alerts(wire)
    assert {port: {key.split("/")[2] for key in alerts[port]} for port in asked} == {p: {n} for p, n in asked.items()}
    assert [alerts[port] for port in silent] == [set()] * len(silent)


def test_scanners_are_known_by_what_they_say_and_ask_for(bench) -> None:
    made, wire = bench(), Wire()
    expected = {}
    for kind, entries in (("crawler", WORLD.facts.scanners), ("tool", WORLD.facts.tools)):
        for entry in entries:
            for number, phrase in enumerate(entry.agents):
                if getattr(entry, "kind", "") != "everyday":
                    said = spoken(phrase).removesuffix(" (x)") if phrase.regex else spoken(phrase)
                    port = wire.http(STRANGER, "www.acme-widgets.com", agent=said, server=OURS)
                    expected[port] = f"probe/{kind}-agent/{entry.id}/{number}"
    for path in WORLD.facts.paths:
        for number, text in enumerate(path.paths):
            if path.strong or path.test:
                asked = text.replace("*", "x").replace(" ", "%20") if "/../" not in text else None
                if asked is not None:
                    port = wire.http(STRANGER, "www.acme-widgets.com", asked.upper(), server=OURS)
                    expected[port] = f"probe/path/{path.id}/{number}"
    silent = [
        wire.http(STRANGER, "www.acme-widgets.com", "/index.html?q=/.git/config", server=OURS),
        wire.http(STRANGER, "www.acme-widgets.com", "/.well-known/security.txt", server=OURS),
        wire.http(HOST, "www.acme-widgets.com", "/.git/config", server=OURS),
        wire.http(STRANGER, "www.acme-widgets.com", agent="xNiktox Nmapper Mozilla/5.0", server=OURS),
    ]
    alerts = made.alerts(wire)
    assert {key for port, key in expected.items() if key not in alerts[port]} == set()
    assert [alerts[port] for port in silent] == [set()] * len(silent)


def test_every_agent_s_longest_text_is_found_first() -> None:
    for entry in (*WORLD.facts.scanners, *WORLD.facts.tools):
        for phrase in entry.agents:
            assert dict(agent(phrase))["content"] is not None


@pytest.mark.parametrize("family", ["probe/crawler/", "probe/scan/", "probe/transfer/", "probe/path/"])
def test_the_families_are_those_that_this_file_proves(family: str) -> None:
    assert keys_of(family)
