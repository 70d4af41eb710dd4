"""The world around the databases: whom a probe, a client, a sweep and a CT log are told to be, and whom not."""

import ipaddress
import json
import random
import time
from collections import Counter
from importlib.resources import files

import msgspec
import pytest

from reconwatch.catalog.attribution import FEWEST, THRESHOLD, Attribution, disorder
from reconwatch.catalog.load import load
from reconwatch.catalog.ranges import RangeTable, parse
from reconwatch.catalog.world import SHARED_CT_HOSTS, Facts, Tool, World, decode, encode
from reconwatch.catalog.world_schema import read_actors, read_scanners, read_tools, read_world
from reconwatch.document import DocumentError

from ..conftest import SHARED

FOLDER = files("reconwatch.catalog")
TEXTS = {
    name: (FOLDER / name).read_text(encoding="utf-8")
    for name in ("scanners.yaml", "tools.yaml", "actors.yaml", "registries.yaml", "paths.yaml")
}
SERVICES = frozenset(load().services)
FACTS = read_world(TEXTS, SERVICES)
WORLD = World(FACTS)
TOOLS = [tool for tool in FACTS.tools if tool.kind == "recon" and len(tool.services) >= FEWEST]

BROWSERS = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "curl/8.5.0",
    "python-requests/2.32.3",
    "Go-http-client/1.1",
    "",
]


def scanner_ids() -> set[str]:
    return {scanner.id for scanner in FACTS.scanners}


# ---------------------------------------------------------------- the files


def test_every_file_holds_and_says_when_it_was_gone_through():
    assert set(FACTS.as_of) == set(TEXTS)
    assert min(day.year for day in FACTS.as_of.values()) >= 2026


def test_no_file_names_the_host_of_a_package_registry():
    registries = ["py" + "pi.org", "python" + "hosted.org", "npm" + "js.org", "crates" + ".io", "debian" + ".org"]
    lists = [item.read_text() for item in (FOLDER / "tool_lists").iterdir()]
    for text in [*TEXTS.values(), *lists]:
        assert [host for host in registries if host in text] == []


def test_the_facts_survive_the_cache_and_come_back_at_once():
    raw = encode(FACTS)
    began = time.perf_counter()
    again = decode(raw)
    took = time.perf_counter() - began
    assert again == FACTS
    assert World(again).scanner_of("66.240.192.138") == WORLD.scanner_of("66.240.192.138")
    assert took < 0.05, "the whole catalog has 150 ms"


def test_a_damaged_cache_is_refused_not_believed():
    for raw in (b"", encode(FACTS)[:-100], msgspec.msgpack.encode({"scanners": [{"id": 7}]})):
        with pytest.raises(msgspec.DecodeError):
            decode(raw)


def test_every_mistake_of_a_file_is_told_at_once_with_its_line():
    text = """\
as_of: 2026-11-24
scanners:
  - id: zebra
    name: Zebra
    operator: Zebra
    kind: database
    databases: [nobody]
    ranges: 203.0.113.1/24 10.0.0.0/8
    references: [{url: "https://zebra.example/", date: 2026-01-01}]
  - id: alpha
    name: Alpha
    operator: Alpha
    kind: crawler
    references: [{url: "zebra.example", date: 2026-01-01}]
"""
    with pytest.raises(DocumentError) as told:
        read_scanners("scanners.yaml", text, SERVICES)
    assert {problem.line for problem in told.value.problems} == {7, 8, 13, 14}


def test_a_range_that_two_claim_must_be_decided():
    def entry(name: str, ranges: str) -> str:
        return (
            f"  - {{id: {name}, name: {name}, operator: {name}, kind: survey, ranges: {ranges},\n"
            f"     references: [{{url: 'https://{name}.example/', date: 2026-01-01}}]}}\n"
        )

    head = "as_of: 2026-11-24\nscanners:\n"
    read_scanners("s", head + entry("a", "203.0.113.0/25") + entry("b", "203.0.113.128/25"))
    with pytest.raises(DocumentError, match=r"203.0.113.9/32 lies in 203.0.113.0/25 of a"):
        read_scanners("s", head + entry("a", "203.0.113.0/25") + entry("b", "203.0.113.9/32"))


@pytest.mark.parametrize("range_", ["198.18.0.0/15", "2001:db0::/28"])
def test_a_range_as_wide_as_a_provider_is_no_scanners(range_: str):
    text = f"""\
as_of: 2026-11-24
scanners:
  - {{id: a, name: a, operator: a, kind: survey, ranges: "{range_}",
     references: [{{url: "https://a.example/", date: 2026-01-01}}]}}
"""
    with pytest.raises(DocumentError, match="wider"):
        read_scanners("s", text)


@pytest.mark.parametrize(
    "phrase", ["{regex: '(bot)'}", "{regex: '['}", "{regex: '.*.?'}", "abc", "{text: a, regex: b}"]
)
def test_a_phrase_that_says_too_little_or_does_not_compile_is_refused(phrase: str):
    text = f"""\
as_of: 2026-11-24
tools:
  - {{id: a, name: a, kind: recon, agents: [{phrase}], references: ["https://a.example/"]}}
"""
    with pytest.raises(DocumentError):
        read_tools("t", text)


# ---------------------------------------------------------------- scanners


@pytest.mark.parametrize("scanner", FACTS.scanners, ids=lambda scanner: scanner.id)
def test_a_scanner_is_found_at_the_edges_of_its_ranges_and_nowhere_beside_them(scanner):
    cidrs = scanner.ranges.split()
    for cidr in {*cidrs[:3], *cidrs[-3:]}:
        network = ipaddress.ip_network(cidr)
        for address in (network[0], network[-1]):
            assert WORLD.scanner_of(str(address)) == scanner
            assert WORLD.range_of(str(address)) == cidr
        beside = WORLD.range_of(str(network[-1] + 1))
        assert beside != cidr


def test_the_databases_that_the_project_is_about_have_their_crawlers():
    wanted = {
        *[
            "shodan",
            "censys",
            "binaryedge",
            "zoomeye",
            "fofa",
            "360-quake",
            "leakix",
            "netlas",
            "onyphe",
            "criminal-ip",
        ],
        *["hunter", "cyble-odin", "modat", "shadowserver", "rapid7-sonar", "stretchoid", "bitsight", "driftnet"],
        "palo-alto-expanse",
    }
    assert wanted <= scanner_ids()


@pytest.mark.parametrize(
    "shared", ["13.249.87.45", "13.249.87.125", "52.216.80.226", "99.84.168.10", "8.8.8.8", "1.1.1.1"]
)
def test_an_address_that_serves_everybody_is_no_scanner(shared: str):
    assert WORLD.scanner_of(shared) is None


@pytest.mark.parametrize("block", ["178.62.200.1", "159.203.130.1", "107.170.230.200", "46.101.1.1"])
def test_a_strangers_address_in_a_cloud_is_not_claimed_because_a_crawler_once_lived_near(block: str):
    assert WORLD.scanner_of(block) is None


def test_an_address_is_found_in_whatever_clothing_and_text_that_is_none_is_not():
    assert WORLD.scanner_of("::ffff:66.240.192.138").id == "shodan"
    assert WORLD.scanner_of("2620:96:e000::1").id == "censys"
    for text in ("", "shodan.io", "66.240.192.138/32", "fe80::1%eth0", "999.1.1.1"):
        assert WORLD.scanner_of(text) is None


def test_a_reverse_name_is_read_by_whole_labels():
    assert WORLD.scanner_by_rdns("census8.SHODAN.io.").id == "shodan"
    assert WORLD.scanner_by_rdns("pinger1a.netsec.colostate.edu").id == "colorado-state-university"
    for name in (
        "notshodan.io",
        "shodan.io.evil.example",
        "www.netsec.colostate.edu",
        "a.pinger1.netsec.colostate.edu",
        "",
    ):
        assert WORLD.scanner_by_rdns(name) is None


def test_a_user_agent_names_its_scanner():
    said = {
        "Mozilla/5.0 (compatible; CensysInspect/1.1; +https://about.censys.io/)": "censys",
        "Mozilla/5.0 (compatible; InternetMeasurement/1.0; +https://internet-measurement.com/)": "driftnet",
        "Mozilla/5.0 (compatible; ModatScanner/1.2; +https://modat.io/)": "modat",
        "Mozilla/5.0 (compatible; Odin; https://docs.getodin.com/)": "cyble-odin",
        "Mozilla/5.0 (l9scan/2.0; +https://github.com/LeakIX/l9scan)": "leakix",
        "Expanse, a Palo Alto Networks company, searches across the global IPv4 space": "palo-alto-expanse",
        "SSL Labs (https://www.ssllabs.com/about/assessment.html)": "ssl-labs",
    }
    assert {agent: WORLD.scanner_by_agent(agent).id for agent in said} == said


@pytest.mark.parametrize("agent", [*BROWSERS, "Mozilla/5.0 (X) the expanse; godin; unshodanned"])
def test_an_ordinary_user_agent_is_nobodys(agent: str):
    assert WORLD.scanner_by_agent(agent) is None
    assert WORLD.tools_by_agent(agent) is None


def test_an_endless_user_agent_costs_nothing():
    began = time.perf_counter()
    assert WORLD.scanner_by_agent("a-" * 5_000_000) is None
    assert time.perf_counter() - began < 0.5


@pytest.mark.parametrize("scanner", FACTS.scanners, ids=lambda scanner: scanner.id)
def test_who_fills_a_database_says_which(scanner):
    assert (scanner.kind == "database") <= bool(scanner.databases)
    assert not (scanner.kind == "survey" and scanner.databases)


# ---------------------------------------------------------------- the table of ranges


def test_the_table_agrees_with_the_plain_search():
    rng = random.Random(1596)
    cidrs = [
        "0.0.0.0/8",
        "10.1.0.0/16",
        "10.3.2.0/23",
        "203.0.113.7/32",
        "255.255.255.255/32",
        "2001:db8::/32",
        "::1/128",
    ]
    table = RangeTable.of((cidr, number) for number, cidr in enumerate(cidrs))
    networks = [ipaddress.ip_network(cidr) for cidr in cidrs]
    addresses = [str(ipaddress.ip_address(rng.getrandbits(32))) for _ in range(500)]
    addresses += [
        str(network[rng.randrange(min(network.num_addresses, 1 << 30))]) for network in networks for _ in range(20)
    ]
    for address in addresses:
        plain = next((str(n) for n in networks if ipaddress.ip_address(address) in n), None)
        found = table.find(address)
        assert (str(found) if found else None) == plain


@pytest.mark.parametrize(
    "cidr", ["203.0.113.1/24", "203.0.113.0", "203.0.113.0/33", "2001:DB8::/32", "1.2.3/24", "1.2.3.4/032"]
)
def test_a_range_is_written_in_one_way_only(cidr: str):
    with pytest.raises(ValueError, match=r"range|prefix|canonical"):
        parse(cidr)


# ---------------------------------------------------------------- tools


def test_a_user_agent_names_its_tool_and_the_longer_name_wins():
    said = {
        "Uncover - FOSS Project (github.com/projectdiscovery/uncover)": "uncover",
        "theHarvester/4.8.2 (+https://github.com/laramies/theHarvester)": "theharvester",
        "python-requests/2.31.0 censys-python/2.2.12": "censys-python",
        "censys-python/2.2.12 (CloudFlair; +https://github.com/christophetd/CloudFlair)": "cloudflair",
        "Recon-ng/v5": "recon-ng",
        "SpiderFoot": "spiderfoot",
        "sqlmap/1.8.2#stable (https://sqlmap.org)": "sqlmap",
        "Mozilla/5.0 zgrab/0.x": "zgrab2",
    }
    assert {agent: WORLD.tools_by_agent(agent).id for agent in said} == said


def test_the_systems_whois_is_told_by_its_flag_and_marked_as_everyday():
    tool = WORLD.tools_by_whois("-V Md5.5.17 203.0.113.10")
    assert (tool.id, tool.kind) == ("whois", "everyday")
    assert WORLD.tools_by_whois("203.0.113.10") is None
    assert WORLD.tools_by_whois("domain -Version Md.example") is None


def test_a_hello_names_its_prober():
    assert WORLD.tool_by_tls("ja3:18e9afaf91db6f8a2470e7435c2a1d6b").id == "masscan"
    assert WORLD.scanner_by_tls("ja3:8951236eca85955755e4946572ef32bb").id == "censys"
    assert WORLD.tool_by_tls("ja3:" + "0" * 32) is None


# ---------------------------------------------------------------- attribution of a sweep


def attribution(tools: list[Tool]) -> Attribution:
    return Attribution((tool.id, tool.services, tool.keyless, tool.former, tool.ordered) for tool in tools)


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.id)
def test_a_full_run_and_a_run_without_keys_name_the_tool_alone(tool: Tool):
    for services in (tool.services, tool.keyless):
        if len(services) >= FEWEST:
            assert WORLD.likely_tools(services) == [(tool, 1.0)]


def test_six_services_in_ten_still_name_the_tool_and_never_another():
    rng = random.Random(1596)
    named = Counter()
    for tool in TOOLS:
        for _ in range(40):
            seen = {service for service in tool.services if rng.random() < 0.6}
            if len(seen) >= FEWEST:
                found = [other.id for other, _ in WORLD.likely_tools(seen)]
                named["right" if tool.id in found else "wrong" if found else "silent"] += 1
    assert named["wrong"] == 0
    assert named["right"] / named.total() > 0.95


def test_two_visits_to_strange_databases_may_silence_it_but_do_not_make_it_lie():
    rng = random.Random(1596)
    named = Counter()
    for tool in TOOLS:
        for _ in range(40):
            services = tool.keyless if len(tool.keyless) >= FEWEST else tool.services
            found = [other.id for other, _ in WORLD.likely_tools({*services, *rng.sample(sorted(SERVICES), 2)})]
            named["right" if tool.id in found else "wrong" if found else "silent"] += 1
    assert named["wrong"] / named.total() < 0.005
    assert named["right"] / named.total() > 0.5


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.id)
def test_a_tool_that_the_catalog_does_not_know_is_not_called_by_anothers_name(tool: Tool):
    others = attribution([other for other in TOOLS if other is not tool])
    for services in (tool.services, tool.keyless):
        assert others.likely(services) == []


def test_people_who_browse_databases_are_called_a_tool_less_than_once_in_two_hundred():
    rng = random.Random(1596)
    popular = Counter(service for tool in TOOLS for service in tool.services)
    everything, named, runs = sorted(SERVICES), 0, 3000
    for run in range(runs):
        seen: set[str] = set()
        while len(seen) < FEWEST + run % 12:
            known = rng.random() < 0.7
            seen.add(rng.choices(list(popular), weights=list(popular.values()))[0] if known else rng.choice(everything))
        named += bool(WORLD.likely_tools(seen))
    assert named / runs < 0.005


def test_a_few_services_are_no_sweep():
    assert WORLD.likely_tools({"crtsh", "shodan", "censys"}) == []
    assert WORLD.likely_tools(set()) == []


def test_tools_that_ask_the_same_are_named_as_a_tie():
    sets = ("one", "two", "three", "four", "five")
    tools = [
        ("a", sets, sets, (), False),
        ("b", sets, sets, (), False),
        ("c", ("one", "six", "seven", "eight"), (), (), False),
    ]
    assert Attribution(tools).likely(sets) == [("a", 1.0), ("b", 1.0)]


def test_the_order_parts_two_that_are_alike_and_makes_none():
    sets = ("one", "two", "three", "four", "five")
    tools = [("forth", sets, sets, (), True), ("back", sets[::-1], sets, (), True)]
    likely = Attribution(tools)
    assert [name for name, _ in likely.likely(sets, sets)] == ["forth"]
    assert [name for name, _ in likely.likely(sets, sets[::-1])] == ["back"]
    assert [name for name, _ in likely.likely(sets)] == ["back", "forth"]
    assert disorder(sets, sets[::-1]) == 1.0
    assert likely.likely(sets, sets[::-1])[0][1] > THRESHOLD


def test_a_service_that_the_tool_once_asked_does_not_speak_against_it():
    now, once = ("one", "two", "three", "four"), ("five", "six", "seven", "eight")
    kept = Attribution([("a", now, now, once, False), ("b", once, once, (), False)])
    dropped = Attribution([("a", now, now, (), False), ("b", once, once, (), False)])
    assert dict(kept.likely({*now, *once}))["a"] == 1.0
    assert "a" not in dict(dropped.likely({*now, *once})) or dropped.likely({*now, *once})[0][1] < 1.0


# ---------------------------------------------------------------- actors


def test_the_actors_of_one_version_of_attack_use_reconnaissance_only():
    assert FACTS.attack_version == "18.1"
    assert {use.technique[:5] for actor in FACTS.actors for use in actor.uses} <= {f"T159{n}" for n in (0, 3, 4, 5, 6)}
    by_id = {actor.id: actor for actor in FACTS.actors}
    assert by_id["G1017"].name == "Volt Typhoon"
    assert "T1596.005" in {use.technique for use in by_id["G1017"].uses}
    assert by_id["C0040"].url == "https://attack.mitre.org/campaigns/C0040/"


def test_a_technique_stands_for_its_sub_techniques_but_not_they_for_it():
    assert {actor.id for actor in WORLD.actors_using({"T1596"})} == {"C0040", "G0007", "G0094", "G0096", "G1017"}
    assert {actor.id for actor in WORLD.actors_using({"T1596.005"})} == {"C0040", "G0096", "G1017"}
    assert WORLD.actors_using({"T1003"}) == ()


def test_an_actor_out_of_another_tactic_is_refused():
    text = """\
as_of: 2026-11-24
attack_version: "18.1"
references: ["https://attack.mitre.org/"]
actors:
  - {id: G0001, name: a, uses: [{technique: T1003, reason: it dumps credentials}]}
"""
    with pytest.raises(DocumentError, match="T1003"):
        read_actors("a", text)


# ---------------------------------------------------------------- registries


def test_a_ct_log_is_told_by_host_and_path():
    log = WORLD.ct_log_of("ct.googleapis.com", "/logs/us1/argon2026h1/ct/v1/get-entries?start=0&end=255")
    assert (log.operator, log.api, log.url) == ("Google", "rfc6962", "ct.googleapis.com/logs/us1/argon2026h1")
    log = WORLD.ct_log_of("Tuscolo2026h2.Skylight.geomys.org.", "/tile/data/x000/042")
    assert (log.operator, log.api) == ("Geomys", "static")


@pytest.mark.parametrize(
    ("host", "path"),
    [
        ("ct.googleapis.com", "/logs/us1/argon2026h1x/ct/v1/get-sth"),
        ("ct.googleapis.com", "/"),
        ("storage.googleapis.com", "/somebody/tile/data/x000"),
        ("sctauditing-pa.googleapis.com", "/v1/knownscts"),
        ("evil.ct.googleapis.com", "/logs/us1/argon2026h1/ct/v1/get-sth"),
    ],
)
def test_what_only_resembles_a_ct_log_is_none(host: str, path: str):
    assert WORLD.ct_log_of(host, path) is None


def test_a_host_of_ct_logs_has_one_operator_unless_it_serves_everything():
    operators: dict[str, set[str]] = {}
    for log in FACTS.registries.ct_logs:
        operators.setdefault(log.url.partition("/")[0], set()).add(log.operator)
    assert {host for host, of in operators.items() if len(of) > 1} == set()
    assert WORLD.ct_operator_of("oak.ct.letsencrypt.org") == "Let's Encrypt"
    for host in SHARED_CT_HOSTS:
        assert WORLD.ct_operator_of(host) is None


def test_the_catalog_attributes_every_ct_log_and_rdap_server_and_nearly_every_whois_server():
    catalog, registries = load(), FACTS.registries
    assert [log.url for log in registries.ct_logs if not catalog.by_url(*slashed(log.url))] == []
    assert [host for host in registries.rdap if not catalog.by_url(host, "/rdap/") and not catalog.by_name(host)] == []
    unclaimed = [host for host in registries.whois if catalog.by_name(host) is None]
    assert len(unclaimed) <= 0.01 * len(registries.whois), unclaimed


def slashed(url: str) -> tuple[str, str]:
    host, _, path = url.partition("/")
    return host, "/" + path


def test_a_whois_server_knows_its_zones():
    assert FACTS.registries.whois["whois.denic.de"] == (".de",)
    assert "rir" in FACTS.registries.rdap["rdap.db.ripe.net"]
    assert WORLD.resolver_of("dns.google").host == "dns.google"
    assert WORLD.resolver_of("dns.google.evil.example") is None


def test_no_server_of_the_lists_is_lost():
    folder = SHARED / "endpoints"
    if not folder.is_dir():
        pytest.skip("the endpoint lists lie beside the developers' checkouts only")

    def hosts(name: str) -> set[str]:
        rows = map(json.loads, (folder / name).read_text(encoding="utf-8").splitlines())
        return {row["host"].strip(".").lower().encode("idna").decode() for row in rows if row["host"].strip(".")}

    registries = FACTS.registries
    # Two hosts of the WHOIS list are halves of names, as its source's code joins them.
    assert hosts("whois_servers.jsonl") - {*registries.whois, *registries.whois_web} == {
        "whois.nic",
        "whois.nicpolitie",
    }
    assert hosts("rdap_servers.jsonl") - set(registries.rdap) == set()


def test_an_empty_world_answers_none_to_everything():
    world = World(Facts())
    assert world.scanner_of("203.0.113.1") is world.range_of("2001:db8::1") is world.scanner_by_rdns("a.b") is None
    assert world.scanner_by_agent("x") is world.tools_by_agent("x") is world.tools_by_whois("x") is None
    assert world.likely_tools({"a", "b", "c", "d"}) == []
    assert world.ct_log_of("a.b", "/") is world.ct_operator_of("a.b") is world.resolver_of("a.b") is None
