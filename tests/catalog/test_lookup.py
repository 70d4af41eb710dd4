"""What `catalog lookup` answers to whatever an analyst pastes."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconwatch.catalog.load import load, load_world
from reconwatch.catalog.lookup import Claim, lookup

CATALOG = load()
WORLD = load_world(CATALOG)


def claims(text: str) -> list[Claim]:
    return list(lookup(CATALOG, text, WORLD).claims)


@pytest.mark.parametrize(
    ("text", "service", "kind", "strength", "targets"),
    [
        ("crt.sh", "crtsh", "host", "strong", ()),
        ("CRT.SH.", "crtsh", "host", "strong", ()),
        ("crt.sh:443", "crtsh", "host", "strong", ()),
        ("https://crt.sh/?q=%25.acme-widgets.com", "crtsh", "url", "strong", ("acme-widgets.com",)),
        ("https://crt.sh?q=acme-widgets.com#top", "crtsh", "url", "strong", ("acme-widgets.com",)),
        ("crt.sh/?q=acme-widgets.com", "crtsh", "url", "strong", ("acme-widgets.com",)),
        ("hxxps://crt[.]sh/?q=acme-widgets.com", "crtsh", "url", "strong", ("acme-widgets.com",)),
        ("postgresql://guest@crt.sh:5432/certwatch", "crtsh", "url", "strong", ()),
        ("https://api.shodan.io/shodan/host/203.0.113.10?key=K", "shodan", "url", "strong", ("203.0.113.10",)),
        ("www.virustotal.com", "virustotal", "host", "weak", ()),
        ("10.113.0.203.origin.asn.cymru.com", "team-cymru-dns", "dns", "weak", ("203.0.113.10",)),
        ("whois.ripe.net -B 203.0.113.10", "ripe-whois", "whois", "weak", ("203.0.113.10",)),
        ("whois.ripe.net:43 -B 203.0.113.10", "ripe-whois", "whois", "weak", ("203.0.113.10",)),
        ("whois -h whois.ripe.net -- -B 203.0.113.10", "ripe-whois", "whois", "weak", ("203.0.113.10",)),
        ("whois acme-widgets.com", "whois", "whois", "weak", ("acme-widgets.com",)),
        ("whois.unheard.example acme-widgets.com", "whois", "whois", "weak", ("acme-widgets.com",)),
        ("-B 203.0.113.10", "whois", "whois", "weak", ("203.0.113.10",)),
        ("domain acme-widgets.com", "whois", "whois", "weak", ("acme-widgets.com",)),
        ("!gAS64496", "whois", "whois", "weak", ("AS64496",)),
        ("AS64496", "whois", "whois", "weak", ("AS64496",)),
        ("unheard.example:43", "whois", "whois", "weak", ()),
    ],
)
def test_what_is_claimed(text: str, service: str, kind: str, strength: str, targets: tuple[str, ...]) -> None:
    (claim,) = claims(text)
    assert (claim.id, claim.kind, claim.strength, claim.targets) == (service, kind, strength, targets)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "acme-widgets.com", "www.google.com", "https://www.google.com/search?q=acme", "203.0.113.10",
        "2001:db8::1", "203.0.113.0/24", "hello world", "http://[::1", "https://", "notcrt.sh",
        "crt.sh.acme-widgets.com",
    ],
)  # fmt: skip
def test_what_is_not_claimed(text: str) -> None:
    assert claims(text) == []
    assert list(lookup(CATALOG, text, WORLD).lines()) == [f"{text}: not in the catalog"]


def test_an_address_is_a_scanner_s_if_a_listed_range_holds_it() -> None:
    scanner = next(s for s in WORLD.facts.scanners if s.id == "shodan")
    address = scanner.ranges.split()[0].partition("/")[0]
    (claim,) = claims(address)
    assert (claim.id, claim.kind, claim.technique) == ("shodan", "scanner", "T1595")
    assert claim.targets == (WORLD.range_of(address),)
    assert lookup(CATALOG, address).claims == ()


def test_a_scanner_s_reverse_name_is_a_claim_of_its_own_and_weak() -> None:
    assert [(claim.kind, claim.strength) for claim in claims("census1.shodan.io")] == [
        ("host", "strong"),
        ("scanner-name", "weak"),
    ]


def test_a_certificate_log_is_claimed_by_the_list_of_logs_if_no_service_has_it() -> None:
    hosts = [log.url.partition("/")[0] for log in WORLD.facts.registries.ct_logs]
    assert all(claims(host) or host == "storage.googleapis.com" or host.endswith(".example.com") for host in hosts)


def test_it_encodes_to_the_json_of_the_contract() -> None:
    assert msgspec.json.decode(msgspec.json.encode(lookup(CATALOG, "http://crt.sh/?q=acme-widgets.com"))) == {
        "input": "http://crt.sh/?q=acme-widgets.com",
        "claims": [
            {
                "id": "crtsh",
                "technique": "T1596.003",
                "kind": "url",
                "strength": "strong",
                "targets": ["acme-widgets.com"],
            }
        ],
    }


def test_a_person_reads_one_line_a_claim() -> None:
    assert list(lookup(CATALOG, "whois.ripe.net -B 203.0.113.10").lines()) == [
        "whois.ripe.net -B 203.0.113.10: ripe-whois (T1596.002), weak, by whois, 203.0.113.10"
    ]


@given(st.text(max_size=200))
def test_no_text_upsets_it(text: str) -> None:
    told = lookup(CATALOG, text, WORLD)
    assert told.input == text
    assert len(list(told.lines())) == max(1, len(told.claims))


@pytest.mark.parametrize("text", ["a" * 50_000, "a." * 25_000, "@" * 50_000, "http://" + "[" * 50_000, " a" * 20_000])
def test_a_hostile_text_does_not_stall_it(text: str) -> None:
    assert claims(text) == []
