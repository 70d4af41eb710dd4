"""What pages people at night: names that look like a lookup of ours and are none, and visits that say little."""

import pytest
from tests.conftest import ROOT

from reconwatch.catalog.load import load, load_world
from reconwatch.catalog.lookup import lookup
from reconwatch.targets import unreversed

CATALOG = load()
WORLD = load_world(CATALOG)
ORDINARY = [
    line
    for line in (ROOT / "tests" / "catalog" / "ordinary_hosts.txt").read_text().splitlines()
    if not line.startswith("#")
]


def claims(text: str) -> list[str]:
    return [claim.id for claim in lookup(CATALOG, text, WORLD).claims]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("da39a3ee5e6b4b0d3255bfef95601890afd80709.malware.hash.cymru.com", id="Zeek's own file hashes"),
        pytest.param("10.113.0.203.zen.spamhaus.org", id="block list of addresses"),
        pytest.param("10.113.0.203.bl.spamcop.net", id="another"),
        pytest.param("10.113.0.203.b.barracudacentral.org", id="a third"),
        pytest.param("10.113.0.203.list.dnswl.org", id="white list"),
        pytest.param("acme-widgets.com.dbl.spamhaus.org", id="block list of domains"),
        pytest.param("acme-widgets.com.multi.surbl.org", id="SURBL"),
        pytest.param("acme-widgets.com.multi.uribl.com", id="URIBL"),
        pytest.param("10.113.0.203.asn.rspamd.com", id="rspamd's AS numbers"),
        pytest.param("0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.3.1.1.0.c.c.a.0.8.b.d.0.1.0.0.2.asn6.rspamd.com", id="over IPv6"),
        pytest.param("10.113.0.203.in-addr.arpa", id="reverse DNS"),
    ],
)
def test_what_a_sensor_or_mail_server_asks_over_dns_is_no_lookup(name: str) -> None:
    assert claims(name) == []


@pytest.mark.parametrize("name", ["data.iana.org", "www.iana.org"])
def test_iana_s_files_are_read_by_everybody(name: str) -> None:
    assert claims(name) == []
    assert claims(f"https://{name}/time-zones/tzdb/") == []


@pytest.mark.parametrize(
    "name",
    [
        "rpki.ripe.net", "rrdp.ripe.net", "rpki.arin.net", "rrdp.arin.net", "rpki.apnic.net", "rrdp.apnic.net",
        "rpki-repository.nic.ad.jp", "repository.lacnic.net", "rrdp.lacnic.net", "rpki.afrinic.net",
        "rrdp.afrinic.net", "rpki-repo.registro.br", "rpki-rrdp.us-east-2.amazonaws.com",
    ],
)  # fmt: skip
def test_route_validators_read_repositories_not_us(name: str) -> None:
    assert claims(name) == []


@pytest.mark.parametrize(
    "name",
    [
        "sctauditing-pa.googleapis.com", "ocsp.digicert.com", "ocsp.sectigo.com", "ocsp.globalsign.com",
        "ocsp.pki.goog", "r3.o.lencr.org", "r10.o.lencr.org", "ocsp.trustasia.com", "x1.c.lencr.org",
        "crl3.digicert.com", "crl4.digicert.com", "crl.sectigo.com", "crl.microsoft.com", "c.pki.goog",
        "acme-v02.api.letsencrypt.org",
    ],
)  # fmt: skip
def test_browsers_and_servers_check_certificates_all_day(name: str) -> None:
    assert claims(name) == []


@pytest.mark.parametrize(
    "name",
    [
        "api.ipify.org", "api64.ipify.org", "checkip.amazonaws.com", "checkip.dyndns.org", "ifconfig.me",
        "ifconfig.co", "icanhazip.com", "ipv4.icanhazip.com", "ident.me", "api.my-ip.io",
    ],
)  # fmt: skip
def test_what_is_my_address_is_no_question_about_us(name: str) -> None:
    assert claims(name) == []


@pytest.mark.parametrize(
    "name", ["crt.sh.acme-widgets.com", "www.shodan.io.acme-widgets.com", "whois.ripe.net.acme-widgets.com"]
)
def test_a_search_suffix_behind_a_database_s_name_is_ours(name: str) -> None:
    assert claims(name) == []


@pytest.mark.parametrize(
    ("name", "service"),
    [
        ("www.virustotal.com", "virustotal"),
        ("otx.alienvault.com", "otx"),
        ("urlscan.io", "urlscan"),
        ("api.greynoise.io", "greynoise"),
        ("ip-api.com", "ip-api"),
        ("ipinfo.io", "ipinfo"),
        ("mxtoolbox.com", "mxtoolbox"),
        ("www.ssllabs.com", "ssl-labs"),
        ("whois.ripe.net", "ripe-whois"),
        ("rdap.org", "rdap-org"),
    ],
)
def test_where_products_and_administrators_go_too_a_visit_is_weak(name: str, service: str) -> None:
    (claim,) = lookup(CATALOG, name, WORLD).claims
    assert (claim.id, claim.strength, claim.targets) == (service, "weak", ())


@pytest.mark.parametrize(
    "url",
    [
        "https://www.virustotal.com/api/v3/files/44d88612fea8a8f36de82e1278abb02f",
        "http://ip-api.com/json/",
        "https://urlscan.io/api/v1/scan/",
    ],
)
def test_a_request_that_names_nobody_has_no_target(url: str) -> None:
    (claim,) = lookup(CATALOG, url, WORLD).claims
    assert (claim.strength, claim.targets) == ("weak", ())


def test_a_retired_service_is_claimed_for_the_tool_that_asks_it_and_earns_nothing() -> None:
    retired = [service for service in CATALOG.services.values() if service.state == "retired"]
    assert {"spyse", "threatcrowd", "omnisint"} <= {service.id for service in retired}
    assert {service.visit for service in retired} == {"weak"}


def test_every_server_on_port_43_is_weak_and_strangers_there_name_nobody_of_ours() -> None:
    (claim,) = lookup(CATALOG, "whois.cymru.com -v 198.51.100.7", WORLD).claims
    assert (claim.strength, claim.targets) == ("weak", ("198.51.100.7",))


def test_five_hundred_ordinary_names_are_not_in_the_catalog() -> None:
    assert len(ORDINARY) >= 500
    assert sorted(set(ORDINARY)) == ORDINARY
    assert [name for name in ORDINARY if claims(name) or claims(f"https://{name}/")] == []


def test_the_names_embed_our_address_as_the_text_says() -> None:
    named = unreversed("10.113.0.203")
    assert named is not None
    assert named.value == "203.0.113.10"
