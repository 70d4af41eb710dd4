"""Zeek and Python read one text alike: whose it is, what of ours it names, what is to be struck out of it."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from reconwatch.assembly import Assembly
from reconwatch.catalog.load import load, load_world
from reconwatch.events import DnsQuery, HttpRequest, WhoisQuery
from reconwatch.interest import Lookout
from reconwatch.rules.zeek import script
from reconwatch.rules.zeek.build import install, site_files
from reconwatch.sift import Sift
from reconwatch.site import Site, load_site
from tests.conftest import ROOT
from tests.zeek.lookups_seen import PACKAGE
from tests.zeek.test_btest import zeek

ASKED = [
    "acme-widgets.com", "WWW.Acme-Widgets.COM", "%.acme-widgets.com", "%25.acme-widgets.com", "*.acme-widgets.com",
    "notacme-widgets.com", "acme-widgets.com.evil.example", "mail.acme-widgets.com.", "acme-widgets.com.html",
    "203.0.113.10", "203.0.114.10", "203.0.113.0/24", "203.0.113.0/25", "203.0.113.1/24", "203.0.113.10/32",
    "203.0.112.0/20", "200.0.0.0/6", "203.0.113.0,24", "203.0.113.1-203.0.113.9", "202.0.0.1 - 203.0.113.0",
    "203.0.113.*", "203.0.*.*", "1.203.0.113.10", "203.0.113.100.5", "203.0.113.010", "1203.0.113.10", "203.0.113.1000",
    "v203.0.113.10", "203.0.113.10.html", "203.0.113.10:443", "http://203.0.113.10/", "203.0.113.9-203.0.113.3",
    "10.113.0.203.in-addr.arpa", "113.0.203.in-addr.arpa", "x10.113.0.203.in-addr.arpa", "10.113.0.203.in-addr.arpa.x",
    "2001:db8:acc:113::1", "[2001:db8:acc:113::1]", "2001:db8:acc:113::/64", "2001:db8:acc:112::/63", "2001:db8::/32",
    "2001:db8:acc:114::1", "ip:2001:db8:acc:113::5", "2001:0DB8:0acc:0113:0:0:0:9", "2001:db8:acc:113::1/64",
    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.3.1.1.0.c.c.a.0.8.b.d.0.1.0.0.2.ip6.arpa",
    "3.1.1.0.c.c.a.0.8.b.d.0.1.0.0.2.ip6.arpa",
    "AS64496", "as64496", "asn:64496", 'asn:"64496"', "ASN__in=64496", "autnum/64496", "aut-num: 64496", "!gAS64496",
    "xAS64496", "AS644960", "AS64496.1", "64496", "as=64496", "AS 64496", "Basel64496",
    "acme widgets", "Acme+Widgets", "acme_widgets", "acme%20%20widgets", "acme-widgets", "xacme widgets",
    "acme widgets.", "acme widgets.x", "acme widgetsy", "org:\"ACME Widgets\"",
    "ssl.cert.subject.cn:acme-widgets.com", "hostname:vpn.acme-widgets.com", "a.acme-widgets.com,b.acme-widgets.com",
    "https://www.acme-widgets.com/x?y=z", "user@acme-widgets.com", "acme-widgets.com:443", "\u201cacme widgets\u201d",
    "domain:acme-widgets.com -T dn", "-B 203.0.113.0/24", "_dmarc.acme-widgets.com", "nothing of ours",
]  # fmt: skip

PARAMETERS = [
    "/x?key=abc&q=1", "/x?q=1&apiKey=abc", "/x?api_key=abc;token=t", "/x?my-access-token=abc#f", "/x?monkey=1",
    "/x?url=https%3A%2F%2Fh%2F%3Fkey%3Dabc%26q%3D1", "/x?u=https://me:pw@h/", "/x?%6bey=abc", "/x?q=1&KEY=", "/x",
    "/x?a[key]=1&q=a&sig=%26b", "/x?session.id=9&x=1", "*", "/x?next=http%253A%252F%252Fh%253Fpassword%253Dp%2526a",
    "key=abc&q=1", "/x?url=https%3A%2F%2Fme%3Apw%40h%2F&key=abc def", "/x?key=a\u00fcb&x=1", "/?;key=1?key=2",
    "/go/https%253A%252F%252Fme:pw@h", "/x?u=http://h&who=me@b", "/x?u=http%3A%2F%2Fh%3Fwho%3Dme%40b", "/a://b%252540c",
]  # fmt: skip


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site(ROOT / "pcaps" / "demo-site.yaml")


@pytest.fixture(scope="module")
def rooms(site: Site) -> Assembly:
    catalog = load()
    return Assembly(catalog, site, load_world(catalog), None)


def told(calls: list[str], site: Site, folder: Path) -> list[str]:
    """What Zeek says to expressions of strings, one line each."""
    install(site_files(site), folder)
    lines = "".join(f"\tprint {call};\n" for call in calls)
    (folder / "ask.zeek").write_text(f"module ReconWatch;\nevent zeek_init() &priority=-9\n\t{{\n{lines}\t}}\n")
    ran = subprocess.run(
        [zeek(), PACKAGE / "__load__.zeek", "./site.zeek", "./ask.zeek"], cwd=folder, capture_output=True
    )
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert not (folder / "reporter.log").exists(), (folder / "reporter.log").read_text()
    return ran.stdout.decode("utf-8", "replace").splitlines()


def _texts(rooms: Assembly) -> Iterator[tuple[str, str, str]]:
    """(service, layer, text): every way to ask that the catalog shows, and ours in every spelling."""
    for service in rooms.watched.services.values():
        for query in service.queries:
            for asked in (
                "acme-widgets.com",
                "203.0.113.10",
                "64496",
                "AS64496",
                "2001:db8:acc:113::1",
                "10.113.0.203",
            ):
                text = query.template
                for kind in ("ip", "range", "domain", "asn", "text", "any", "secret", "reversed"):
                    text = text.replace(f"{{{kind}}}", asked)
                yield service.id, query.layer, text.replace("{base64}", base64.b64encode(asked.encode()).decode())
    for asked in ASKED:
        for text in (f"/search?q={quote(asked)}", f"/search/{asked}", f"/x?q={asked}&page=2",
                     f"/r?u={quote(quote(asked, safe=''), safe='')}"):  # fmt: skip
            yield "shodan", "http", text
        for hidden in (base64.b64encode(asked.encode()).decode(), base64.urlsafe_b64encode(asked.encode()).decode()):
            yield "zoomeye", "http", f"/searchResult?q={quote(hidden)}"
            yield "fofa", "http", f"/result?qbase64={hidden.rstrip('=')}"
            yield "shodan", "http", f"/a/{hidden}/b"
        yield "ripe-whois", "whois", asked
        yield "team-cymru-dns", "dns", f"{asked}.asn.cymru.com".lower()


def test_the_same_of_ours_is_named(rooms: Assembly, site: Site, tmp_path: Path) -> None:
    sift = Sift(rooms.watched, site, world=rooms.world)
    asked = [(service, layer, text) for service, layer, text in _texts(rooms) if service in rooms.watched.services]
    expected = []
    for service, layer, text in asked:
        event = {
            "http": HttpRequest(ts=0.0, client="", server="", source="", method="GET", host="", uri=text),
            "whois": WhoisQuery(ts=0.0, client="", server="", source="", line=text),
            "dns": DnsQuery(ts=0.0, client="", server="", source="", name=text),
        }[layer]
        named = sift._named(rooms.watched.services[service], event)
        expected.append(sorted(f"{target.kind}:{target.value}" for target in named))
    calls = [
        f'join_string_vec(targets_in({script.string(service)}, "{layer}", {script.string(text)}), "|")'
        for service, layer, text in asked
    ]
    read = [sorted(filter(None, line.split("|"))) for line in told(calls, site, tmp_path)]
    wrong = [each for each in zip(asked, expected, read, strict=True) if each[1] != each[2]]
    assert sum(map(bool, expected)) > 1000
    assert wrong == [], "\n".join(map(str, wrong))


def test_names_and_requests_belong_to_the_same_service(rooms: Assembly, site: Site, tmp_path: Path) -> None:
    names, urls = set(), set()
    for service in rooms.watched.services.values():
        for host in (*service.hosts, *service.not_hosts):
            name, _, path = host.removeprefix("=").partition("/")
            names |= {name, f"www.{name}", f"x{name}", f"{name}.evil.example", f"a.b.{name}"}
            urls |= {(name, "/" + path), (f"www.{name}", "/" + path), (name, "/" + path[:-1]), (name, "/")}
    asked = [*sorted(names), *sorted(urls)]
    expected = [
        (found.id if found else "")
        for found in (rooms.watched.by_name(a) if isinstance(a, str) else rooms.watched.by_url(*a) for a in asked)
    ]
    calls = [
        f"by_name({script.string(a)})" if isinstance(a, str) else f"by_url({', '.join(map(script.string, a))})"
        for a in asked
    ]
    read = told(calls, site, tmp_path)
    assert [each for each in zip(asked, expected, read, strict=True) if each[1] != each[2]] == []


def test_the_same_is_struck_out(rooms: Assembly, site: Site, tmp_path: Path) -> None:
    lookout = Lookout(rooms.interest)
    hosts = ["api.shodan.io", "unknown.example", *sorted(suffix for suffix, _ in rooms.interest.secrets)]
    further = [f"/x?q=1&{parameter}=abc&z=2" for _, parameter in sorted(rooms.interest.secrets)]
    asked = [(host, uri) for host in hosts for uri in (*PARAMETERS, *further)]
    read = told([f"struck_out({script.string(h)}, {script.string(u)})" for h, u in asked], site, tmp_path)
    expected = [lookout.mask(host, uri) for host, uri in asked]
    assert [each for each in zip(asked, expected, read, strict=True) if each[1] != each[2]] == []


def test_the_same_client_gives_itself_away(rooms: Assembly, site: Site, tmp_path: Path) -> None:
    tools = rooms.world.facts.tools
    said = {phrase.text for tool in tools for phrase in (*tool.agents, *tool.whois) if not phrase.regex}
    texts = sorted(said | {f"x{text}y" for text in said} | {f"Mozilla/5.0 ({text}; x)" for text in said})
    texts += [f"{a} {b}" for a, b in zip(texts, reversed(texts), strict=True)]
    calls, expected = [], []
    for text in texts:
        for option, find in (("tool_agents", rooms.world.tools_by_agent), ("tool_whois", rooms.world.tools_by_whois)):
            calls.append(f"tool_of({script.string(text)}, {option})")
            found = find(text)
            expected.append(found.name if found is not None and found.kind != "everyday" else "")
    read = told(calls, site, tmp_path)
    assert [each for each in zip(calls, expected, read, strict=True) if each[1] != each[2]] == []
