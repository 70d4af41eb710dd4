"""The detectors over the shipped catalog: what they notice, and their look-alikes, which stay silent."""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Iterable

import pytest
from tests.story import HOST, RESOLVER, SITE, get, hello, query, whois

from reconwatch.catalog import Catalog
from reconwatch.catalog.load import load, load_world
from reconwatch.catalog.reverse import reverse_service
from reconwatch.desk import Desk
from reconwatch.detectors import detectors
from reconwatch.detectors.runner import Runner
from reconwatch.events import AnyEvent, HttpRequest
from reconwatch.meet import Meet
from reconwatch.notices import Notice
from reconwatch.sift import Sift

SHIPPED = load()
WORLD = load_world(SHIPPED)
CATALOG = Catalog([*SHIPPED.services.values(), reverse_service(SITE.owned.ranges)])


def noticed(events: Iterable[AnyEvent]) -> dict[str, Notice]:
    """Note -> its last word."""
    meet, sift, desk = Meet(CATALOG, SITE.roles_of), Sift(CATALOG, SITE, world=WORLD), Desk()
    runner = Runner(detectors(likely=lambda used, order: [(t.name, s) for t, s in WORLD.likely_tools(used, order)]))
    sightings = [s for visit in meet.visits(sorted(events, key=lambda e: e.ts)) if (s := sift.sighting(visit))]
    findings = [finding for each in sightings for finding in runner.observe(each)] + list(runner.close())
    return {n.note: n for finding in findings if (n := desk.consider(finding)) is not None}


def by(agent: str, request: HttpRequest) -> HttpRequest:
    """The request with a user agent."""
    return HttpRequest(**{f: getattr(request, f) for f in request.__struct_fields__} | {"user_agent": agent})


# CT_Log_Scraping

LOG = "ct.cloudflare.com"


def entries(start: int) -> str:
    return f"/logs/nimbus2027/ct/v1/get-entries?start={start}&end={start + 255}"


def test_a_log_read_in_sequence_is_scraped() -> None:
    notice = noticed(get(n * 2, LOG, entries(n * 256)) for n in range(6))["CT_Log_Scraping"]
    assert (notice.verdict, notice.count, notice.services) == ("investigate", 6, ("ct-logs-cloudflare",))
    assert notice.reasons[0].why == "reads a log in sequence: 6 reads, each just behind the last"


def test_a_static_log_read_tile_by_tile_is_scraped() -> None:
    tiles = (get(n, "sunlight.geomys.org", f"/tile/data/x001/x234/{n:03d}") for n in range(8))
    assert noticed(tiles)["CT_Log_Scraping"].count == 8


def test_entries_read_here_and_there_are_no_sequence() -> None:
    dice = random.Random(4)
    here_and_there = [get(n * 90, LOG, entries(dice.randrange(10**9))) for n in range(60)]
    assert "CT_Log_Scraping" not in noticed(here_and_there)


def test_one_proof_asked_of_a_log_is_no_scraping() -> None:
    assert "CT_Log_Scraping" not in noticed([get(0, LOG, "/logs/nimbus2027/ct/v1/get-sth"), get(1, LOG, entries(0))])


def test_a_certification_authority_that_submits_is_no_scraper() -> None:
    submissions = [hello(n * 400, LOG, port=n) for n in range(40)]
    assert "CT_Log_Scraping" not in noticed(submissions)


def test_many_connections_to_a_log_within_minutes_are_scraping_though_nothing_can_be_read() -> None:
    notice = noticed(hello(n * 5, LOG, port=n) for n in range(40))["CT_Log_Scraping"]
    assert (notice.count, notice.counted) == (40, "connections")


def test_crt_sh_asked_for_json_by_a_script_is_scraping() -> None:
    asked = (get(n * 3, "crt.sh", f"/?q=%25.customer{n}.example&output=json") for n in range(12))
    notice = noticed(asked)["CT_Log_Scraping"]
    assert notice.reasons[0].why == "12 answers for programs within 10 minutes"


def test_an_administrator_who_looks_at_crt_sh_in_a_browser_is_no_scraper() -> None:
    pages = [get(n * 20, "crt.sh", f"/?id={n}") for n in range(15)]
    assert "CT_Log_Scraping" not in noticed(pages)


def test_the_browsers_own_auditing_is_nobody_s_lookup() -> None:
    assert noticed(hello(n, "sctauditing-pa.googleapis.com", port=n) for n in range(60)) == {}


# Reverse_Sweep


def ptr(after: float, octet: int, net: str = "113.0.203", client: str = HOST) -> AnyEvent:
    return query(after, f"{octet}.{net}.in-addr.arpa", client, qtype=12, port=10_000 + octet)


def test_our_own_range_walked_by_reverse_names_is_a_sweep() -> None:
    order = random.Random(1).sample(range(256), 80)
    notice = noticed(ptr(n, octet) for n, octet in enumerate(order))["Reverse_Sweep"]
    assert (notice.verdict, notice.count) == ("investigate", 80)
    assert [t.value for t in notice.targets] == ["203.0.113.0/24"]
    assert "80 of the 256 addresses of 203.0.113.0/24 within an hour" in notice.reasons[0].why


def test_a_walk_is_no_use_of_a_database() -> None:
    assert set(noticed(ptr(n, n) for n in range(256))) == {"Reverse_Sweep"}


def test_a_part_walked_in_order_is_a_sweep_too() -> None:
    assert noticed(ptr(n, n + 1) for n in range(40))["Reverse_Sweep"].reasons[0].why.startswith("40 addresses")


def test_a_stranger_s_range_walked_at_team_cymru_is_a_sweep() -> None:
    asked = (query(n, f"{n}.100.51.198.origin.asn.cymru.com", qtype=16, port=n) for n in range(1, 255))
    notice = noticed(asked)["Reverse_Sweep"]
    assert (notice.count, notice.targets, notice.services) == (254, (), ("team-cymru-dns",))


def test_a_range_walked_by_whois_is_a_sweep() -> None:
    asked = (whois(n * 5, f"-V Md5.5.17 203.0.113.{n}", port=n) for n in range(1, 100))
    assert noticed(asked)["Reverse_Sweep"].count >= 64


def test_reverse_names_here_and_there_are_ordinary() -> None:
    few = [ptr(n * 60, octet) for n, octet in enumerate((1, 53, 10, 11, 25, 80, 1, 10))]
    assert noticed(few) == {}


def test_a_log_server_that_resolves_our_addresses_over_a_day_is_ordinary() -> None:
    over_a_day = [ptr(n * 250, octet) for n, octet in enumerate(random.Random(2).sample(range(256), 150))]
    assert noticed(over_a_day) == {}


def test_enrichment_of_strangers_is_no_sweep_and_nothing_to_escalate() -> None:
    dice = random.Random(3)
    strangers = [
        whois(
            n * 3, f"{dice.randrange(1, 223)}.{dice.randrange(256)}.{dice.randrange(256)}.{dice.randrange(256)}", port=n
        )
        for n in range(400)
    ]
    found = noticed(strangers)
    assert "Reverse_Sweep" not in found
    assert "Targeted_Search" not in found
    assert {n.verdict for n in found.values()} <= {"monitor", "investigate"}


def test_a_route_traced_with_as_numbers_is_no_sweep() -> None:
    hops = [query(n, f"{n}.{n * 7 % 256}.51.{n + 60}.origin.asn.cymru.com", qtype=16, port=n) for n in range(1, 25)]
    assert set(noticed(hops)) == {"Database_Lookup"}


def test_a_resolver_s_reverse_names_are_its_clients() -> None:
    assert noticed(ptr(n, n, client=RESOLVER) for n in range(256)) == {}


# Recon_Tool


@pytest.mark.parametrize(
    ("agent", "tool"),
    [("python-requests/2.34.2 censys-python/2.3.0", "censys-python"), ("OWASP Amass 3.23", "OWASP Amass")],
)
def test_a_client_that_says_who_it_is_is_named(agent: str, tool: str) -> None:
    notice = noticed([by(agent, get(0, "search.censys.io", "/api/v2/hosts/203.0.113.10"))])["Recon_Tool"]
    assert notice.reasons[0].why == f"its requests say that they come from {tool}"
    assert notice.verdict == "investigate"


@pytest.mark.parametrize("agent", ["Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0", "curl/8.5.0", "okhttp/4.12.0"])
def test_everybody_s_clients_are_no_tools(agent: str) -> None:
    assert "Recon_Tool" not in noticed([by(agent, get(0, "crt.sh", "/?q=example.com"))])


def test_the_system_s_whois_is_an_administrator_s_tool() -> None:
    assert "Recon_Tool" not in noticed([whois(0, "-V Md5.5.17 8.8.8.8")])


# attribution of a sweep


def hosts_of(tool: str) -> list[str]:
    services = next(each for each in WORLD.facts.tools if each.id == tool).keyless
    hosts = [CATALOG.services[service].hosts[0] for service in services if service in CATALOG.services]
    return [host.removeprefix("=") for host in hosts if "/" not in host]


def test_a_sweep_that_is_a_tool_s_is_called_by_it() -> None:
    notice = noticed(hello(n, host, port=n) for n, host in enumerate(hosts_of("subfinder")))["Enumeration_Sweep"]
    (resembles,) = [reason.why for reason in notice.reasons if reason.why.startswith("resembles")]
    assert "subfinder" in resembles


def test_a_person_s_handful_of_databases_is_called_by_no_tool() -> None:
    visited = ["www.shodan.io", "crt.sh", "securitytrails.com", "viewdns.info", "www.robtex.com"]
    notice = noticed(hello(n * 30, host, port=n) for n, host in enumerate(visited))["Enumeration_Sweep"]
    assert not [reason for reason in notice.reasons if reason.why.startswith("resembles")]


# what else pages people at night


def test_one_name_watched_daily_is_a_monitor() -> None:
    found = noticed(whois(n * 86_400, "acme-widgets.com") for n in range(5))
    assert {n.verdict for n in found.values()} == {"monitor"}


def test_our_administrators_checks_of_our_own_mail_and_certificates_stay_on_record_only() -> None:
    checks = [
        get(0, "mxtoolbox.com", "/SuperTool.aspx?action=mx%3Aacme-widgets.com"),
        get(60, "www.ssllabs.com", "/ssltest/analyze.html?d=www.acme-widgets.com"),
    ]
    found = noticed(checks)
    assert "Targeted_Search" in found
    assert {n.verdict for n in found.values()} == {"monitor"}


def test_a_browser_extension_that_asks_once_for_each_site_visited_is_no_scraper() -> None:
    visits = [hello(n * 40 + random.Random(n).random() * 30, "api.shodan.io", port=n) for n in range(60)]
    assert {n.verdict for n in noticed(visits).values()} == {"monitor"}


def test_an_address_service_asked_for_our_own_address_is_ordinary() -> None:
    found = noticed([get(n * 600, "ip-api.com", "/json/") for n in range(5)] + [hello(3, "api.ipify.org")])
    assert set(found) == {"Database_Lookup"}
    assert {n.score for n in found.values()} == {5}


def test_twenty_databases_resolved_in_a_second_are_no_sweep() -> None:
    names = [
        s.hosts[0].removeprefix("=") for s in CATALOG.services.values() if s.visit == "strong" and "/" not in s.hosts[0]
    ]
    found = noticed(query(n / 20, name, port=n) for n, name in enumerate(names[:20]))
    assert set(found) == {"Database_Lookup"}


def test_a_reputation_service_by_name_alone_earns_no_sweep() -> None:
    products = [
        "www.virustotal.com",
        "otx.alienvault.com",
        "urlscan.io",
        "api.greynoise.io",
        "www.abuseipdb.com",
        "mxtoolbox.com",
    ]
    found = noticed(hello(n, host, port=n) for n, host in enumerate(products))
    assert {n.verdict for n in found.values()} == {"monitor"}


def test_the_sensor_s_own_malware_lookups_and_block_lists_are_nobody_s_lookup() -> None:
    asked = [
        query(0, f"{'a' * 40}.malware.hash.cymru.com", qtype=16),
        query(1, "10.113.0.203.zen.spamhaus.org"),
        query(2, "acme-widgets.com.dbl.spamhaus.org"),
        query(3, "acme-widgets.com.multi.surbl.org"),
        query(4, "crt.sh.acme-widgets.com"),
        hello(5, "data.iana.org"),
        hello(6, "rpki.ripe.net", port=7),
    ]
    assert noticed(asked) == {}


# zones of our own ranges


@pytest.mark.parametrize(
    ("network", "zones"),
    [
        ("203.0.113.0/24", ("113.0.203.in-addr.arpa",)),
        ("203.0.113.128/25", ("113.0.203.in-addr.arpa",)),
        ("203.0.112.0/23", ("112.0.203.in-addr.arpa", "113.0.203.in-addr.arpa")),
        ("203.0.0.0/16", ("0.203.in-addr.arpa",)),
        ("203.0.113.7/32", ("113.0.203.in-addr.arpa",)),
        ("2001:db8:acc:113::/64", ("3.1.1.0.c.c.a.0.8.b.d.0.1.0.0.2.ip6.arpa",)),
    ],
)
def test_the_reverse_zones_of_a_range_are_watched(network: str, zones: tuple[str, ...]) -> None:
    assert reverse_service([ipaddress.ip_network(network)]).hosts == zones
