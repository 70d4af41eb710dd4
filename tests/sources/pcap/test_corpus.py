"""Against two engines: what Zeek and Suricata agree on in 513 small captures is found here too."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from urllib.parse import unquote

import pytest
from tests.sources.pcap.wire import read

AGREED_BUT_NOT_FOUND = {
    # Lines that no client sends: `CCM_POST /HTTP/1.1`, `OPTIONS HTTP/1.1`.
    "http/methods.pcap",
}

Rows = dict[str, set[tuple[str, ...]]]


@pytest.fixture(scope="module")
def corpus(shared_captures: Path) -> Path:
    folder = shared_captures.parent / "corpus"
    if not folder.is_dir():
        pytest.skip("the corpus lies beside the developers' checkouts only")
    return folder


def normal(client: str, method: str, host: str, uri: str) -> tuple[str, ...]:
    """A row of HTTP as all three tell it: a CONNECT is its host, with port or without."""
    return (client, method, host.partition(":")[0], "") if method == "CONNECT" else (client, method, host, uri)


def oracle(path: Path) -> dict[str, Rows]:
    """What an engine said, one capture after the other, as comparable rows."""
    said = {}
    for line in path.read_text().splitlines():
        capture = json.loads(line)
        rows: Rows = {kind: {tuple(map(str, row)) for row in capture[kind]} for kind in ("dns", "sni", "quic_sni")}
        rows["http"] = {normal(*(field or "" for field in row)) for row in capture["http"]}
        said[capture["pcap"]] = rows
    return said


def told(path: Path) -> Rows:
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    rows: Rows = {"dns": set(), "sni": set(), "quic_sni": set(), "http": set()}
    for e in read(data)[0]:
        if e.kind == "dns":
            rows["dns"].add((e.client, e.name, str(e.qtype)))
        elif e.kind == "http":
            rows["http"].add((e.client, e.method, e.host, unquote(e.uri, errors="backslashreplace")))
        elif e.kind == "tls" and e.transport == "connect":
            rows["http"].add((e.client, "CONNECT", e.name or "", ""))
        elif e.kind == "tls" and e.name:
            rows["sni" if e.transport == "tls" else "quic_sni"].add((e.client, e.server, str(e.server_port), e.name))
    return rows


def test_what_both_engines_see_is_seen(corpus: Path) -> None:
    zeek, suricata = oracle(corpus / "oracle" / "zeek.jsonl"), oracle(corpus / "oracle" / "suricata7.jsonl")
    missed = []
    for capture in sorted(zeek):
        ours = told(corpus / "pcaps" / capture)
        for kind, rows in ours.items():
            agreed = zeek[capture][kind] & suricata[capture][kind]
            missed += [(capture, kind, row) for row in agreed - rows if capture not in AGREED_BUT_NOT_FOUND]
    assert missed == []
