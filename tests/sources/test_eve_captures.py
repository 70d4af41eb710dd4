"""EVE of the captures of real clients: what Zeek tells of the same traffic, and all that the servers saw."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from urllib.parse import unquote

import pytest

from reconwatch.account import Account
from reconwatch.interest import Interest, Lookout
from reconwatch.sources.opener import open_source, reading_order

CAPTURES = Path(__file__).resolve().parents[3] / "shared" / "captures"

SERVICES = frozenset({
    "shodan.io", "censys.io", "crt.sh", "ripe.net", "cymru.com", "ip-api.com", "securitytrails.com", "viewdns.info",
    "robtex.com", "arin.net",
})  # fmt: skip


def replay(capture, engine, *, funnel=True):
    folder = CAPTURES / capture / engine
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there: the laboratory captures are not part of the repository")
    lookout = Lookout(Interest(names=SERVICES, ports=frozenset({43})))
    events = []
    for place, path in enumerate(sorted(folder.iterdir(), key=reading_order)):
        source = open_source(path, lookout, Account(str(path)), place, funnel)
        assert source is not None
        events += source
        source.close()
    return events


def same(event):
    """What two engines have in common."""
    name = getattr(event, "name", None) or getattr(event, "host", None)
    uri = getattr(event, "uri", "")
    detail = getattr(event, "qtype", None) or (uri if getattr(event, "decoded", False) else unquote(uri))
    opened = getattr(event, "established", None)
    return (event.kind, event.client, event.client_port, event.server, event.server_port, name, detail, opened)


@pytest.mark.parametrize("engine", ["suricata7", "suricata8"])
@pytest.mark.parametrize("capture", ["cli", "benign", "proxy", "outside", "modern"])
def test_suricata_and_zeek_tell_the_same_of_one_capture(capture, engine):
    events = replay(capture, engine)
    assert events == replay(capture, engine, funnel=False)
    # x509.log says what a certificate is, and not who was shown it: Suricata has both in one record.
    seen_by_zeek = [event for event in replay(capture, "zeek-tsv") if event.client]
    # What Zeek made of the traffic is its own.
    seen_by_zeek = [event for event in seen_by_zeek if event.kind not in ("notice", "intel")]
    eve, zeek = Counter(map(same, events)), Counter(map(same, seen_by_zeek))
    if capture == "modern":
        # Zeek logs nothing of HTTP/2 in clear text, and QUIC's hello in ssl.log as well.
        eve -= Counter(key for key in eve if key[0] == "http" and key[4] == 8080)
        zeek -= zeek - eve
    assert eve == zeek


def test_every_name_that_the_servers_saw_is_told():
    for capture in ("cli", "proxy", "modern"):
        events = replay(capture, "suricata8")
        told = {getattr(event, "name", None) or getattr(event, "host", None) for event in events}
        truth = [json.loads(line) for line in (CAPTURES / capture / "truth.jsonl").read_text().splitlines()]
        named = {
            entry["name"].lower().partition(":")[0] for entry in truth if entry["kind"] in ("dns", "https", "http")
        }
        seeking = Lookout(Interest(names=SERVICES))
        assert {name for name in named if seeking.names(name)} <= told
