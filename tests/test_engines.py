"""The captures of pcaps/ through the engines themselves: what they tell gives the notices that the capture gives.

With CI=true an engine that is not installed is a failure; elsewhere its tests are skipped, and say so.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from reconwatch.catalog.load import load
from reconwatch.events import DnsQuery, Event, Hello, HttpRequest
from reconwatch.interest import Lookout
from reconwatch.notices import Notice
from reconwatch.pipeline import Replay
from reconwatch.site import load_site
from reconwatch.sources.inputs import Inputs, read_inputs
from tests.conftest import ROOT

PCAPS = ROOT / "pcaps"
CAPTURES = sorted(path.name for path in PCAPS.glob("*.pcap"))


def engine(name: str) -> str:
    """The path of a program that these tests need."""
    path = shutil.which(name)
    if path is None and os.environ.get("CI") == "true":
        pytest.fail(f"{name} is not installed, and CI must have it")
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def replayed(path: Path) -> dict[object, Notice]:
    run = Replay([path], load(), load_site(PCAPS / "demo-site.yaml"))
    return {notice.row: notice for notice in run.notices()}


@pytest.mark.parametrize("name", CAPTURES)
def test_suricata_s_eve_gives_the_notices_of_the_capture(name: str, tmp_path: Path) -> None:
    command = [engine("suricata"), "-r", str(PCAPS / name), "-l", str(tmp_path), "-k", "none", "-S", os.devnull]
    subprocess.run(command, check=True, capture_output=True)
    capture, eve = replayed(PCAPS / name), replayed(tmp_path / "eve.json")
    assert eve.keys() - capture.keys() == set()
    missing = {row for row in capture.keys() - eve.keys() if not set(capture[row].kinds) <= {"whois"}}
    assert missing == set()


class Everything(Lookout):
    """Wants every event."""

    def wants(self, event: Event) -> bool:
        return True

    def names(self, name: str) -> bool:
        return True


def told(path: Path) -> dict[str, set[tuple[str, ...]]]:
    """What our capture reader tells: kind -> (client, what)."""
    found: dict[str, set[tuple[str, ...]]] = {"dns": set(), "sni": set(), "http": set()}
    shared = Inputs(Everything(load().interest()), funnel=False, warn=lambda line: None, progress=lambda done: None)
    for event in read_inputs([path], shared, []):
        match event:
            case DnsQuery(client=client, name=asked):
                found["dns"].add((client, asked))
            case Hello(client=client, name=str(server)):
                found["sni"].add((client, server))
            case HttpRequest(client=client, host=host, uri=uri):
                found["http"].add((client, host + uri))
    return found


@pytest.mark.parametrize("name", CAPTURES)
def test_tshark_sees_the_same_names_and_requests(name: str) -> None:
    def fields(display: str, *names: str) -> set[tuple[str, ...]]:
        command = [engine("tshark"), "-n", "-r", str(PCAPS / name), "-Y", display, "-T", "fields"]
        for field in ("ip.src", "ipv6.src", *names):
            command += ["-e", field]
        lines = subprocess.run(command, check=False, capture_output=True, text=True).stdout.splitlines()
        rows = [line.split("\t") for line in lines]
        return {(row[0] or row[1], "".join(row[2:])) for row in rows}

    ours = told(PCAPS / name)
    assert ours["dns"] >= fields("dns.flags.response == 0", "dns.qry.name")
    answered = {what for _, what in fields("dns.flags.response == 1", "dns.qry.name")}
    assert {what for _, what in ours["dns"] - fields("dns.flags.response == 0", "dns.qry.name")} <= answered
    assert ours["sni"] == fields("tls.handshake.extensions_server_name", "tls.handshake.extensions_server_name")
    http1 = fields("http.request", "http.host", "http.request.uri")
    http2 = fields("http2.headers.path", "http2.headers.authority", "http2.headers.path")
    # tshark shows what was sent, reconwatch what may be shown.
    masked = {(client, Lookout(load().interest()).mask(what.partition("/")[0], what)) for client, what in http1 | http2}
    assert ours["http"] == {(client, what.replace(":80/", "/")) for client, what in masked}
