"""Every rule for lookups, on the wire: it alerts on what the catalog claims, and on nothing beside it."""

from __future__ import annotations

import re
import zlib

import pytest
from tests.suricata.conftest import CATALOG, WORLD
from tests.suricata.wire import HOST, NAMESERVER, RESOLVER, STRANGER, Wire

from reconwatch.rules.lookups import LAYERS, gathered, names, paths

HOSTS = sorted({name.text for service in CATALOG.services.values() for name in names(service)})
LONG = {
    name.text
    for service in CATALOG.services.values()
    for chunks in gathered(names(service))[1].values()
    for chunk in chunks
    for name in chunk.names
    if len(chunk.names) > 40
}
"""Names that share a rule with many others."""
OTHERS = sorted({host.removeprefix("=") for service in CATALOG.services.values() for host in service.not_hosts})


def neighbours(host: str) -> list[str]:
    """Names around a host of the catalog, of which the catalog claims some and others not."""
    return [host, f"www.{host}", f"not{host}", f"{host}.acme.example"]


def claimed(keys: set[str], layer: str) -> set[str]:
    """The services that rules for a layer told."""
    return {key.split("/")[1] for key in keys if key.split("/")[0] == "lookup" and key.split("/")[2] == layer}


def expected(name: str) -> set[str]:
    service = CATALOG.by_name(name)
    return {service.id} if service is not None else set()


def sids_of(bench, family: str) -> set[str]:
    return {entry.key for entry in bench.built.ledger if re.match(family, entry.key)}


@pytest.mark.parametrize("layer", ["dns", "tls", "http"])
def test_a_name_is_claimed_as_the_catalog_claims_it(bench, layer: str) -> None:
    made, wire = bench(), Wire()
    asked = {}
    for host in HOSTS:
        # One rule has hundreds of the WHOIS and RDAP servers: in DNS all their names, elsewhere some.
        long = host in LONG
        if long and layer != "dns" and zlib.crc32(host.encode()) % 16:
            continue
        for name in neighbours(host)[:: 3 if long else 1]:
            said = name.title() if layer != "http" else name
            asked[getattr(wire, layer)(HOST, said)] = name
    for name in OTHERS:
        asked[getattr(wire, layer)(HOST, name)] = name
    alerts = made.alerts(wire)
    wrong = {name: claimed(alerts[port], layer) for port, name in asked.items()
             if claimed(alerts[port], layer) != expected(name)}  # fmt: skip
    assert wrong == {}
    assert sids_of(made, f"lookup/[^/]+/{layer}/") <= set().union(*alerts.values())


def test_a_quic_hello_is_claimed_as_the_catalog_claims_it(bench) -> None:
    made, wire = bench(), Wire()
    few = [name for host in HOSTS if host not in LONG for name in neighbours(host)[:3:2]]
    few += ["whois.nic.aero", "rdap.nic.aero", "x.notwhois.nic.aero"]
    asked = {wire.quic(HOST, name): name for name in few}
    alerts = made.alerts(wire)
    assert {n: claimed(alerts[p], "quic") for p, n in asked.items() if claimed(alerts[p], "quic") != expected(n)} == {}


def test_a_path_on_a_busy_host_is_claimed_and_the_host_alone_is_not(bench) -> None:
    made, wire = bench(), Wire()
    places = [(s.id, host, path) for s in CATALOG.services.values() for host, path in paths(s)]
    asked = {}
    for service, host, path in places:
        asked[wire.http(HOST, host, f"{path}x?q=1")] = {service}
        asked[wire.http(HOST, host, "/")] = set()
        asked[wire.http(HOST, host, f"/elsewhere{path}")] = set()
        asked[wire.http(HOST, f"x{host}", path)] = set()
    alerts = made.alerts(wire)
    assert {port: claimed(alerts[port], "path") for port in asked} == asked
    assert sids_of(made, "lookup/[^/]+/path/") <= set().union(*alerts.values())


def spoken(phrase) -> str:
    """A user agent that a phrase of the catalog fits."""
    if not phrase.regex:
        return f"{phrase.text} (x)"
    return re.sub(r"\\(.)", r"\1", phrase.text.replace(r"[^\s;)]+", "1.0").removesuffix("$"))


def test_a_tool_is_known_by_its_user_agent_as_a_whole_word(bench) -> None:
    made, wire = bench(), Wire()
    said = {wire.http(HOST, "www.example.net", agent=spoken(phrase)): f"lookup/{tool.id}/agent/{number}"
            for tool in WORLD.facts.tools if tool.kind == "recon"
            for number, phrase in enumerate(tool.agents)}  # fmt: skip
    silent = wire.http(HOST, "www.example.net", agent="XSpiderFootX Mozilla/5.0 resubfinder")
    alerts = made.alerts(wire)
    assert {port for port, key in said.items() if key not in alerts[port]} == set()
    assert sids_of(made, "lookup/[^/]+/agent/") <= set().union(*alerts.values())
    assert alerts[silent] == set()


def test_a_line_to_port_43_outside_is_whois_and_one_to_a_server_of_ours_is_not(bench) -> None:
    made, wire = bench(), Wire()
    asked, ours = wire.whois(HOST, "acme-widgets.com"), wire.whois(HOST, "acme-widgets.com", server="10.20.0.43")
    alerts = made.alerts(wire)
    assert alerts[asked] == {"lookup/whois/port/43"}
    assert alerts[ours] == set()


def test_only_hosts_inside_look_up(bench) -> None:
    made, wire = bench(), Wire()
    ports = [wire.dns(STRANGER, "www.shodan.io", server=NAMESERVER), wire.http(STRANGER, "www.shodan.io"),
             wire.tls(STRANGER, "www.shodan.io"), wire.quic(STRANGER, "www.shodan.io")]  # fmt: skip
    alerts = made.alerts(wire)
    assert {port: alerts[port] for port in ports} == {port: set() for port in ports}


def test_a_client_is_told_once_an_hour_of_each_name_and_layer(bench) -> None:
    made, wire = bench(threshold=True), Wire()
    for _ in range(5):
        wire.dns(HOST, "www.shodan.io")
        wire.tls(HOST, "www.shodan.io")
        wire.dns(RESOLVER, "www.shodan.io", server="198.18.0.1")
    told = [key for keys in made.alerts(wire).values() for key in keys]
    assert sorted(told) == ["lookup/shodan/dns/shodan.io", "lookup/shodan/dns/shodan.io", "lookup/shodan/tls/shodan.io"]


def test_every_layer_of_lookups_is_tested_here() -> None:
    assert {layer.id for layer in LAYERS} == {"dns", "tls", "quic", "http"}
