"""Requests for one name behind the hello for another, where an input shows both."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reconwatch.catalog import Catalog
from reconwatch.detectors.name_probe import MOST_PAIRS, NameProbe
from reconwatch.notices import Notice
from reconwatch.pipeline import Replay
from reconwatch.probing import Probing
from reconwatch.site import load_site
from tests.detectors.probes import assert_any_order, last_words, one
from tests.sources.test_zeek import header
from tests.story import NOON, SITE, STRANGER, WEB, get, hello, probe

Pairs = Iterable[tuple[str, str]]
"""(SNI, Host)."""

OURS = "www.acme-widgets.com"
FRONTED = [(OURS, "intranet.corp"), (OURS, "cdn.example.net"), ("front.example.org", OURS)]
MESSAGE = (
    f"{STRANGER} asked for 3 Hosts of other owners than the name in its hello"
    f" ({OURS} behind front.example.org, cdn.example.net behind {OURS} and intranet.corp behind {OURS})"
)
SITE_YAML = "owned: {domains: [acme-widgets.com], ranges: [203.0.113.0/24]}\nlogs:\n  - "


def stamp(after: float) -> str:
    return datetime.fromtimestamp(NOON + after, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")


def squid(pairs: Pairs, folder: Path) -> str:
    lines = [f"{NOON + n:.3f} {STRANGER} GET https://{host}/ {sni}\n" for n, (sni, host) in enumerate(pairs)]
    (folder / "access.log").write_text("".join(lines))
    return f"{{files: access.log, server: {WEB}, pattern: '%ts.%03tu %>a %rm %ru %ssl::>sni'}}"


def web(pairs: Pairs, folder: Path) -> str:
    lines = [
        f'{host}:443 {STRANGER} - - [{stamp(n)}] "GET / HTTP/1.1" 200 5 "-" "curl/8" "{sni}"\n'
        for n, (sni, host) in enumerate(pairs)
    ]
    (folder / "access.log").write_text("".join(lines))
    return f"{{files: access.log, server: {WEB}, format: combined, fields: {{sni: 1}}}}"


def nginx(pairs: Pairs, folder: Path) -> str:
    lines = [
        json.dumps({"t": NOON + n, "c": STRANGER, "h": host, "m": "GET", "u": "/", "s": sni}) + "\n"
        for n, (sni, host) in enumerate(pairs)
    ]
    (folder / "access.log").write_text("".join(lines))
    fields = "{ts: t, client: c, host: h, method: m, uri: u, sni: s}"
    return f"{{files: access.log, server: {WEB}, format: json, fields: {fields}}}"


def haproxy(pairs: Pairs, folder: Path) -> str:
    lines = [
        f"{STRANGER}:{4000 + n} [{datetime.fromtimestamp(NOON + n, UTC):%d/%b/%Y:%H:%M:%S.000}] https~ web/s1"
        f' 0/0/1/2/3 200 500 - - ---- 1/1/0/0/0 0/0 {{{host}|{sni}}} "GET / HTTP/1.1"\n'
        for n, (sni, host) in enumerate(pairs)
    ]
    (folder / "access.log").write_text("".join(lines))
    return f"{{files: access.log, server: {WEB}, format: haproxy, zone: UTC, fields: {{host: 1, sni: 2}}}}"


def zeek(pairs: Pairs, folder: Path) -> str:
    ends = "ts uid id.orig_h id.orig_p id.resp_h id.resp_p "
    ssl = header("ssl", ends + "version cipher server_name resumed established")
    http = header("http", ends + "trans_depth method host uri")
    for n, (sni, host) in enumerate(pairs):
        ssl += f"{NOON + n}\tC{n}\t{STRANGER}\t{4000 + n}\t{WEB}\t443\tTLSv13\t-\t{sni}\tF\tT\n"
        http += f"{NOON + n + 0.5}\tC{n}\t{STRANGER}\t{4000 + n}\t{WEB}\t443\t1\tGET\t{host}\t/\n"
    (folder / "ssl.log").write_text(ssl)
    (folder / "http.log").write_text(http)
    return "{files: none, server: 203.0.113.10}"


def eve(pairs: Pairs, folder: Path) -> str:
    lines = []
    for n, (sni, host) in enumerate(pairs):
        for after, more in (
            (0.0, {"event_type": "tls", "tls": {"sni": sni, "version": "TLS 1.3"}}),
            (0.5, {"event_type": "http", "http": {"hostname": host, "url": "/", "http_method": "GET"}}),
        ):
            at = datetime.fromtimestamp(NOON + n + after, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f+0000")
            facts = {"timestamp": at, "flow_id": n, "proto": "TCP", "src_ip": STRANGER, "src_port": 4000 + n}
            lines.append(json.dumps(facts | {"dest_ip": WEB, "dest_port": 443} | more, separators=(",", ":")) + "\n")
    (folder / "eve.json").write_text("".join(lines))
    return "{files: none, server: 203.0.113.10}"


@pytest.fixture(params=[squid, web, nginx, haproxy, zeek, eve], ids=lambda write: write.__name__)
def told(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Pairs], list[Notice]]:
    """The name probes of an input of one kind, with the funnel as without."""

    def tell(pairs: Pairs) -> list[Notice]:
        inputs = tmp_path / "in"
        inputs.mkdir()
        said = request.param(pairs, inputs)
        (tmp_path / "site.yaml").write_text(SITE_YAML + said + "\n")
        site = load_site(tmp_path / "site.yaml")
        found = [list(Replay([inputs], Catalog([]), site, funnel=funnel).notices()) for funnel in (True, False)]
        assert found[0] == found[1]
        return [notice for notice in found[0] if notice.note == "Name_Probe"]

    return tell


def test_every_input_that_shows_both_names_tells_them(told: Callable[[Pairs], list[Notice]]) -> None:
    (notice,) = told(FRONTED)
    assert notice.msg == MESSAGE
    assert (notice.count, notice.counted, notice.evidence_total) == (3, "pairs of names", 3)
    assert (notice.verdict, notice.score) == ("monitor", 20)
    assert [target.value for target in notice.targets] == [WEB]


@pytest.mark.parametrize(
    "pairs",
    [
        [(OURS, "acme-widgets.com"), ("acme-widgets.com", OURS), (OURS, "internal.acme-widgets.com")],
        [("a.example.org", "b.example.org"), ("b.example.org", "c.example.org"), ("c.example.org", "example.org")],
        [(OURS, WEB), (OURS, "203.0.113.11"), (OURS, "192.0.2.1"), ("203.0.113.10", OURS)],
        [*FRONTED[:2], *FRONTED[:2], *FRONTED[:2]],
        [("-", name) for name in ("intranet.corp", "cdn.example.net", "www.example.org")],
    ],
    ids=["names of one certificate", "one owner", "addresses", "two pairs", "no name in the hello"],
)
def test_what_ordinary_visitors_do_is_none(told: Callable[[Pairs], list[Notice]], pairs: Pairs) -> None:
    assert told(pairs) == []


# Flows


def fronted(*events: object) -> list[str | None]:
    probes = Probing(SITE).probes(events)
    return [probe.fronted for probe in probes if probe.kind == "http"]


def of_flow(event: object, uid: str | None) -> object:
    import msgspec

    return msgspec.structs.replace(event, uid=uid, client_port=4000, server_port=443)


GREETING, REQUEST = hello(0, OURS, STRANGER, server=WEB), get(1, "intranet.corp", "/", STRANGER, server=WEB)


def test_a_request_in_the_clear_has_no_hello() -> None:
    assert fronted(of_flow(REQUEST, "C1")) == [None]
    assert fronted(of_flow(GREETING, "C1"), of_flow(REQUEST, "C2")) == [None]
    assert fronted(GREETING, REQUEST) == [None]  # an input that names no flows


def test_a_request_before_the_hello_was_none_of_its_own() -> None:
    assert fronted(of_flow(get(0, "intranet.corp", "/", STRANGER, server=WEB), "C1"),
                   of_flow(hello(1, OURS, STRANGER, server=WEB), "C1")) == [None]  # fmt: skip


def test_a_tunnel_is_no_hello() -> None:
    tunnel = hello(0, OURS, STRANGER, server=WEB, transport="connect")
    assert fronted(of_flow(tunnel, "C1"), of_flow(REQUEST, "C1")) == [None]


def test_a_request_behind_the_hello_of_its_flow_was_decrypted() -> None:
    assert fronted(of_flow(GREETING, "C1"), of_flow(REQUEST, "C1")) == [OURS]


# The detector by itself


def pair(at: float, sni: str, host: str, **facts: object) -> object:
    return probe(at, kind="http", name=host, fronted=sni, **facts)


def test_order_and_partitions_change_nothing() -> None:
    assert_any_order(NameProbe(), [pair(n, OURS, f"h{n % 5}.example") for n in range(20)])


def test_pairs_are_bounded() -> None:
    notice = one(NameProbe(), [pair(n * 1900, OURS, f"h{n % 3}.example") for n in range(12)])
    assert (notice.count, notice.evidence_total) == (3, 12)
    many = one(NameProbe(), [pair(n, OURS, f"h{n}.example") for n in range(MOST_PAIRS + 20)])
    assert any(f"asked for at least {MOST_PAIRS} Hosts of other owners" in reason.why for reason in many.reasons)


def test_a_balancer_s_are_its_clients() -> None:
    assert last_words(NameProbe(), [pair(n, OURS, f"h{n}.example", role="balancer") for n in range(5)]) == []
