"""What a request names, in every spelling; and what it does not."""

import base64
import ipaddress
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconwatch.sightings import Target
from reconwatch.targets import Assets, Named, Question, Template, TemplateError, named_in, spellings, unreversed

OURS = Assets(
    domains=["acme-widgets.com", "xn--bcher-kva.example"],
    ranges=[ipaddress.ip_network("203.0.113.0/24"), ipaddress.ip_network("2001:db8:acc:113::/64")],
    asns=[64496],
    brands=["acme widgets"],
)


def found(uri: str) -> set[str]:
    """The values of ours that a URI names, in any reading."""
    return {target.value for text in spellings(uri) for target in OURS.find(text)}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("/?q=acme-widgets.com", "acme-widgets.com"),
        ("/?q=%25.acme-widgets.com", "acme-widgets.com"),
        ("/?q=%2525.acme-widgets.com", "acme-widgets.com"),
        ("/?q=%25acme-widgets.com", "acme-widgets.com"),
        ("/?q=%2525acme-widgets.com", "acme-widgets.com"),
        ("/?q=hostname:acme-widgets.com:https", "acme-widgets.com"),
        ("/?q=*.acme-widgets.com/*", "acme-widgets.com"),
        ("/domain/WWW.Acme-Widgets.COM/dns", "www.acme-widgets.com"),
        ("/v2/acme-widgets.com.json", "acme-widgets.com"),
        ("/?u=https%3A%2F%2Fwww.acme-widgets.com%2Flogin", "www.acme-widgets.com"),
        ("/?q=site:acme-widgets.com%20-www.acme-widgets.com", "acme-widgets.com"),
        ("/?q=b%C3%BCcher.example", "xn--bcher-kva.example"),
        ("/?q=xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("/api?qbase64=ZG9tYWluPSJhY21lLXdpZGdldHMuY29tIg==", "acme-widgets.com"),
        ("/api?qbase64=ZG9tYWluPSJhY21lLXdpZGdldHMuY29tIg%3D%3D", "acme-widgets.com"),
        ("/shodan/host/203.0.113.10?key=***", "203.0.113.10"),
        ("/ip/203.0.113.0/24", "203.0.113.0/24"),
        ("/ip/203.0.112.0/22", "203.0.112.0/22"),
        ("/search?query=net%3A203.0.113.0%2F28", "203.0.113.0/28"),
        ("/search?q=203.0.112.0-203.0.113.255", "203.0.112.0-203.0.113.255"),
        ("/search?q=203.0.113.*", "203.0.113.0/24"),
        ("/host/203.0.113.10/24", "203.0.113.10"),
        ("/ip/2001:db8:acc:113::10", "2001:db8:acc:113::10"),
        ("/ip/2001:0db8:0acc:0113:0000:0000:0000:0010", "2001:db8:acc:113::10"),
        ("/ip/2001%3Adb8%3Aacc%3A113%3A%3A10", "2001:db8:acc:113::10"),
        ("/domain/113.0.203.in-addr.arpa", "203.0.113.0/24"),
        ("/domain/10.113.0.203.IN-ADDR.ARPA.", "203.0.113.10"),
        ("/lookup/rdata/ip/203.0.113.0,24", "203.0.113.0/24"),
        ("!gAS64496", "AS64496"),
        ("/?asn__in=64496", "AS64496"),
        ("/?q=ssl.cert.subject.cn:acme-widgets.com", "acme-widgets.com"),
        ("/autnum/64496", "AS64496"),
        ("/search?q=asn%3A%22AS64496%22", "AS64496"),
        ("/search?q=asn:64496", "AS64496"),
        ('/search?q=org:"Acme+Widgets"', "acme widgets"),
        ("/search?q=org%3A%22acme%20widgets%20inc%22", "acme widgets"),
    ],
)
def test_an_asset_of_ours_is_found_in_every_spelling(text: str, value: str) -> None:
    assert value in found(text)


@pytest.mark.parametrize(
    "text",
    [
        "/?q=notacme-widgets.com",
        "/?q=acme-widgets.com.evil.example",
        "/?q=acme-widgets.community",
        "/?q=acme-widgets.co",
        "/ip/203.0.114.10",
        "/ip/1203.0.113.10",
        "/ip/203.0.113.1000",
        "/ip/203.0.113.10.5",
        "/ip/0.0.0.0/0",
        "/ip/203.0.113.10x",
        "/ip/2001:db8:acc:114::10",
        "/autnum/644960",
        "/autnum/6449",
        "/search?q=64496",
        "/search?q=superacme+widgets",
        "/search?q=acme+widgetsmith",
        "/",
        "",
    ],
)
def test_a_neighbour_is_not_ours(text: str) -> None:
    assert found(text) == set()


def test_a_whois_line_names_its_target_behind_flags() -> None:
    assert OURS.find("-V Md5.5.17 203.0.113.10") == {Target("ip", "203.0.113.10", "203.0.113.0/24")}
    assert OURS.find("=acme-widgets.com") == {Target("domain", "acme-widgets.com", "acme-widgets.com")}
    assert OURS.find("-i origin as64496") == {Target("asn", "AS64496", "AS64496")}


def test_a_range_that_contains_ours_names_us_but_the_whole_internet_does_not() -> None:
    assert OURS.find("203.0.0.0/8") == {Target("range", "203.0.0.0/8", "203.0.113.0/24")}
    assert OURS.find("202.0.0.0/7") == set()
    assert OURS.find("203.0.0.0/16") == {Target("range", "203.0.0.0/16", "203.0.113.0/24")}
    assert OURS.find("203.0.0.0-203.255.255.255") == {Target("range", "203.0.0.0-203.255.255.255", "203.0.113.0/24")}
    assert OURS.find("200.0.0.0-210.255.255.255") == set()


@pytest.mark.parametrize(
    ("labels", "named"),
    [
        ("10.113.0.203", Named("ip", "203.0.113.10")),
        ("113.0.203", Named("range", "203.0.113.0/24")),
        (".".join("0100000000000000" + "3110cca08bd01002"), Named("ip", "2001:db8:acc:113::10")),
        ("300.1.1.1", None),
        ("com", None),
    ],
)
def test_reversed_labels_are_turned_round(labels: str, named: Named | None) -> None:
    assert unreversed(labels) == named


addresses = st.one_of(
    st.integers(0, 255).map(lambda host: ipaddress.ip_address(f"203.0.113.{host}")),
    st.integers(0, 2**64 - 1).map(lambda host: ipaddress.ip_address("2001:db8:acc:113::") + host),
)
names = st.from_regex(r"([a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?\.){0,3}acme-widgets\.com", fullmatch=True)
assets = st.one_of(addresses.map(str), addresses.map(lambda a: a.exploded), names)
forms = st.sampled_from(
    ["/host/{}", "/search?q={}", "/a/{}/b?x=1", "/?u=https://other.example/?q={}", "/x?a=1&q=net:{}&b=2"]
)
spelt = st.sampled_from(
    [
        lambda text: text,
        str.upper,
        lambda text: quote(text, safe=""),
        lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
        lambda text: quote(quote(text, safe=""), safe=""),
    ]
)


@given(assets, forms, spelt)
def test_any_asset_in_any_form_and_spelling_is_found(asset: str, form: str, spell) -> None:
    expected = str(ipaddress.ip_address(asset)) if ":" in asset or asset.startswith("203.0.113.") else asset
    assert expected in found(form.format(spell(asset)))


@given(assets)
def test_any_asset_inside_base64_is_found(asset: str) -> None:
    expected = str(ipaddress.ip_address(asset)) if ":" in asset or asset.startswith("203.0.113.") else asset
    word = base64.b64encode(f'host="{asset}"'.encode()).decode()
    assert expected in found(f"/api/search?qbase64={word}")
    assert expected in found(f"/api/search?qbase64={quote(word, safe='')}")


@pytest.mark.parametrize(
    "text", ["a" * 60_000, "1." * 30_000, ":" * 60_000, "a:" * 30_000, "%25" * 20_000, "-" * 60_000]
)
def test_a_long_hostile_text_names_nothing_and_does_not_stall_the_reading(text: str) -> None:
    assert found(text) == set()


@given(st.text(max_size=300))
def test_no_text_upsets_the_reading(text: str) -> None:
    for reading in spellings(text):
        assert {target.asset for target in OURS.find(reading)} <= {
            "acme-widgets.com", "xn--bcher-kva.example", "203.0.113.0/24", "2001:db8:acc:113::/64", "AS64496",
            "acme widgets",
        }  # fmt: skip
        assert list(named_in(reading)) == sorted(set(named_in(reading)))


@pytest.mark.parametrize(
    ("template", "uri", "named"),
    [
        ("/shodan/host/{ip}", "/shodan/host/8.8.8.8?key=K", ["8.8.8.8"]),
        ("/shodan/host/{ip}", "/shodan/host/8.8.8.8/", ["8.8.8.8"]),
        ("/shodan/host/search?query={text}", "/shodan/host/search?page=2&query=net%3A8.8.8.0%2F24", ["8.8.8.0/24"]),
        ("/?q={text}", "/?q=%25.example.com&output=json", ["example.com"]),
        ("/api/v1/search/all?qbase64={base64}", "/api/v1/search/all?qbase64=aXA9IjguOC44LjgiCg==", []),
        ("/api/v1/search/all?qbase64={base64}", "/api/v1/search/all?qbase64=aXA9IjguOC44LjgiIA==", ["8.8.8.8"]),
        ("/registry/ip/{range}", "/registry/ip/8.8.8.0/24", ["8.8.8.0/24"]),
        ("/autnum/{asn}", "/autnum/64496", ["AS64496"]),
        ("/api/v2/hosts/search", "/api/v2/hosts/search", []),
    ],
)
def test_a_template_reads_the_target_out_of_a_request(template: str, uri: str, named: list[str]) -> None:
    read = Template("http", template).read(Question("http", uri))
    assert read is not None
    assert [each.value for each in read] == named


@pytest.mark.parametrize(
    ("template", "uri"),
    [
        ("/shodan/host/{ip}", "/shodan/host/search?query=apache"),
        ("/shodan/host/{ip}", "/shodan/host/8.8.8.8/history"),
        ("/?q={text}", "/?id=123"),
        ("/?output=json&q={text}", "/?q=example.com&output=html"),
    ],
)
def test_a_template_does_not_read_another_request(template: str, uri: str) -> None:
    assert Template("http", template).read(Question("http", uri)) is None


def test_a_bad_template_says_what_to_write_instead() -> None:
    with pytest.raises(TemplateError, match=r"unknown placeholder \{host\}; write one of any, asn"):
        Template("http", "/x/{host}")
    with pytest.raises(TemplateError, match="leading /"):
        Template("http", "x/{ip}")


PIECES = [
    "acme-widgets.com", "ACME-WIDGETS.COM", "www.acme-widgets.com", "acme", "Widgets", "widgets.com", "xn--",
    "203.0.113.7", "203.0.113.", "198.51.100.1", "203", "113.0.203.in-addr.ARPA", "2001:db8:acc::1", "2001:db8:",
    "evil.example", "::", "AS64496", "as", "aut-num", "64496", "autnum", "+", "%20", "_", *" /?=&-.:*,",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join))
def test_nothing_is_lost_by_looking_only_where_it_may_stand(text: str) -> None:
    # A letter that is not ASCII has the whole text read by every pattern.
    assert OURS.find(text) == OURS.find(text + " \u00e9")
