"""The rules of a site: searches for what is ours, baits, the resolver's view, and whom they leave alone."""

from __future__ import annotations

import datetime
from dataclasses import replace
from ipaddress import ip_network

import pytest
from tests.suricata.wire import HOST, NAMESERVER, PROXY, RESOLVER, STRANGER, TRUSTED, WEB, Wire

from reconwatch.site import Canary, Owned, Roles, Site, Trust

BAIT = "staging-7f3k2q.acme-widgets.com"
SITE = Site(
    owned=Owned(
        domains=("acme-widgets.com", "xn--gre-xna.example"),
        ranges=(ip_network("203.0.113.0/24"), ip_network("198.51.100.128/26"), ip_network("2001:db8:acc:113::/64")),
        asns=(64496,),
        brands=("acme widgets", 'a";)|\\ quote', "größe", "ракета"),
        secondaries=(ip_network("192.0.2.53"),),
    ),
    inside=(ip_network("10.0.0.0/8"),),
    roles=Roles(resolvers=(ip_network(RESOLVER),), proxies=(ip_network(PROXY),)),
    trusted=(
        Trust(ip_network("10.20.9.0/24"), "attack-surface team"),
        Trust(ip_network("10.20.8.0/24"), "once", until=datetime.date(2026, 1, 1)),
    ),
    canaries=(Canary("name", BAIT), Canary("address", "203.0.113.77"), Canary("path", "/old-7f3k2q.zip")),
)


def families(keys: set[str]) -> set[str]:
    return {key.split("/")[0] for key in keys}


SEARCHES = [
    "/host/203.0.113.10", "/host/203.0.113.0/24", "/search?query=net:203.0.112.0/20", "/search?q=198.51.100.130",
    "/search?query=hostname:www.acme-widgets.com", "/search?query=%61cme-widgets.com", "/x?domain=acme-widgets.com&y=1",
    "/search?query=org:%22ACME+Widgets%22", "/search?query=asn:AS64496", "/as/64496", "/h/2001:db8:acc:113::10",
    "/search?q=gr%C3%B6%C3%9Fe", "/search?q=%D0%A0%D0%90%D0%9A%D0%95%D0%A2%D0%90", "/dns/10.113.0.203.in-addr.arpa",
    "/search?q=a%22%3B%29%7C%5C+quote",
]  # fmt: skip
NO_SEARCHES = [
    "/host/203.0.114.10", "/host/1203.0.113.10", "/search?q=notacme-widgets.com",
    "/search?q=acme-widgets.com.evil.example",
    "/search?q=198.51.100.13", "/search?q=as644961", "/search?q=acmewidgets", "/", "/h/2001:db8:acc:1133::10",
]  # fmt: skip


def test_a_search_for_what_is_ours_is_told_in_every_spelling(bench) -> None:
    made, wire = bench(SITE), Wire()
    asked = {wire.http(HOST, "api.shodan.io", uri): uri for uri in SEARCHES}
    asked[wire.http(HOST, "fofa.info", "/result?qbase64=ZG9tYWluPSJhY21lLXdpZGdldHMuY29tIg==")] = "base64"
    asked[wire.http(HOST, "www.circl.lu", "/pdns/query/acme-widgets.com")] = "path"
    asked[wire.whois(HOST, "203.0.113.10")] = "whois"
    asked[wire.whois(HOST, "-V Md5.5 ACME-WIDGETS.COM")] = "whois"
    asked[wire.dns(HOST, "10.113.0.203.origin.asn.cymru.com")] = "dns"
    asked[wire.dns(HOST, "AS64496.asn.cymru.com")] = "dns"
    alerts = made.alerts(wire)
    assert [what for port, what in asked.items() if "search" not in families(alerts[port])] == []


def test_a_search_for_a_neighbour_or_at_another_place_is_none_for_us(bench) -> None:
    made, wire = bench(SITE), Wire()
    asked = {wire.http(HOST, "api.shodan.io", uri): uri for uri in NO_SEARCHES}
    asked |= {wire.http(HOST, "www.example.net", uri): uri for uri in SEARCHES}
    asked |= {wire.http(HOST, "notshodan.io", uri): uri for uri in SEARCHES}
    asked[wire.dns(HOST, "10.114.0.203.origin.asn.cymru.com")] = "dns"
    asked[wire.dns(HOST, "www.acme-widgets.com")] = "dns"
    alerts = made.alerts(wire)
    assert [what for port, what in asked.items() if "search" in families(alerts[port])] == []


def ask_everywhere(wire: Wire, client: str) -> list[int]:
    return [wire.dns(client, "www.shodan.io"), wire.tls(client, "www.shodan.io"), wire.quic(client, "www.shodan.io"),
            wire.http(client, "www.shodan.io", "/host/203.0.113.10"), wire.whois(client, "203.0.113.10")]  # fmt: skip


def test_whom_the_site_trusts_today_no_rule_tells(bench) -> None:
    made, wire = bench(SITE), Wire()
    trusted, once = ask_everywhere(wire, TRUSTED), ask_everywhere(wire, "10.20.8.1")
    alerts = made.alerts(wire)
    assert [alerts[port] for port in trusted] == [set()] * 5
    assert all(alerts[port] for port in once)


@pytest.mark.parametrize("sees_clients", [False, True])
def test_what_the_resolver_asks_upstream_has_sids_of_its_own_or_none(bench, sees_clients: bool) -> None:
    made, wire = bench(replace(SITE, sees_clients=sees_clients)), Wire()
    asked = [wire.dns(RESOLVER, "www.shodan.io", server="198.18.0.1"), wire.tls(PROXY, "www.shodan.io")]
    alerts = made.alerts(wire)
    relayed = [{"relay/shodan/dns/shodan.io"}, {"relay/shodan/tls/shodan.io"}]
    assert [alerts[port] for port in asked] == ([set(), set()] if sees_clients else relayed)


def test_every_bait_is_told_over_every_protocol(bench) -> None:
    made, wire = bench(SITE), Wire()
    touched = [
        wire.dns(STRANGER, BAIT.upper(), server=NAMESERVER), wire.tls(STRANGER, BAIT, server=WEB),
        wire.quic(STRANGER, BAIT, server=WEB), wire.http(STRANGER, BAIT, server=WEB),
        wire.http(HOST, "x.example", "/old-7f3k2q.zip?x"), wire.open(STRANGER, "203.0.113.77", 22),
    ]  # fmt: skip
    silent = [
        wire.dns(STRANGER, f"x{BAIT}", server=NAMESERVER), wire.http(STRANGER, f"{BAIT}.example", server=WEB),
        wire.http(STRANGER, "x.example", "/old-7f3k2q.zip2", server=WEB), wire.open(STRANGER, "203.0.113.78", 22),
    ]  # fmt: skip
    wire.ping(STRANGER, "203.0.113.77")
    alerts = made.alerts(wire)
    assert ["bait" in families(alerts[port]) for port in touched] == [True] * 6
    assert ["bait" in families(alerts[port]) for port in silent] == [False] * 4
    assert "bait/address/203.0.113.77/icmp" in set().union(*alerts.values())


def test_a_secondary_may_transfer_our_zones(bench) -> None:
    made, wire = bench(SITE), Wire()
    port = wire.dns_over_tcp("192.0.2.53", "acme-widgets.com", 252, server=NAMESERVER)
    other = wire.dns_over_tcp("192.0.2.54", "acme-widgets.com", 252, server=NAMESERVER)
    alerts = made.alerts(wire)
    assert alerts[port] == set()
    assert alerts[other]
