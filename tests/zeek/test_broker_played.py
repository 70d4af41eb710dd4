"""What a Zeek that reads a capture sends by its WebSocket is what it logs, and means what the capture means."""

from __future__ import annotations

import json
import signal
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reconwatch.broker.connection import Login
from reconwatch.live import Live
from reconwatch.notices import Notice
from reconwatch.rules.zeek.build import install, site_files
from reconwatch.sources.live.zeek_feed import ZeekFeed
from tests.conftest import ROOT
from tests.sources.live.taking import Clock, Service
from tests.zeek.lookups_seen import whole_packets
from tests.zeek.test_broker import Zeek
from tests.zeek.test_logs import CAPTURES, as_zeek_reads, of_capture, replay, rooms, rows_of
from tests.zeek_server import until

WAITS = """
@load {folder}/site.zeek
redef LogAscii::use_json = T;
event zeek_init() &priority=-20 {{ suspend_processing(); }}
event Cluster::websocket_client_added(endpoint: Cluster::EndpointInfo, topics: string_vec) {{
    if ( /sighted/ in cat(topics) ) continue_processing();
}}
event Pcap::file_done(path: string) {{ local done = open("done"); close(done); }}
"""
"""Zeek begins when somebody listens, and says when it has read all."""

LATER, STEP = 900, 10
"""Seconds after which Zeek has forgotten every connection and told of it, and the steps in which its time goes on."""


def with_an_end(capture: bytes) -> bytes:
    """A capture (pcap), behind it packets of nobody by which Zeek's time goes on: connections end by time.

    Those that are open when Zeek ends are told as it ends, and its WebSocket may be closed by then.
    """
    whole = whole_packets(capture)
    order = "<" if whole[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    last = max(_times(whole, order))
    nobodys = bytes.fromhex("02000000000102000000000288b5") + bytes(46)  # Ethernet of a type for experiments
    ends = [struct.pack(f"{order}IIII", last + later, 0, 60, 60) + nobodys for later in range(STEP, LATER, STEP)]
    return whole + b"".join(ends)


def _times(capture: bytes, order: str) -> Iterator[int]:
    at = 24
    while at < len(capture):
        second, _, size, _ = struct.unpack_from(f"{order}IIII", capture, at)
        yield second
        at += 16 + size


@contextmanager
def played(name: str, folder: Path) -> Iterator[tuple[Zeek, Service]]:
    """A Zeek that reads a capture, and a feed that has all that it published of it."""
    install(site_files(rooms()[1]), folder)
    capture = folder / "played.pcap"
    capture.write_bytes(with_an_end((ROOT / "pcaps" / f"{name}.pcap").read_bytes()))
    zeek = Zeek(folder, WAITS.format(folder=folder), capture)
    zeek.starts()
    clock = Clock()
    service = Service(lambda: ZeekFeed(Login(zeek.url), clock), clock)
    try:
        assert until(_having(zeek, service, folder))
        yield zeek, service
    finally:
        service.killed()
        zeek.ends(signal.SIGKILL)


def _having(zeek: Zeek, service: Service, folder: Path) -> Callable[[], bool]:
    """Whether Zeek has read all and the feed has as many rows as the log."""

    def have() -> bool:
        service.step()
        return (folder / "1" / "done").exists() and 0 < len(zeek.log("reconwatch")) == len(service.lines)

    return have


@pytest.mark.parametrize("name", CAPTURES)
def test_rows_of_a_capture_come_as_its_log_holds_them_and_mean_the_same(name: str, tmp_path: Path) -> None:
    with played(name, tmp_path) as (zeek, service):
        came = [json.loads(line) for data in service.streams.values() for line in bytes(data).splitlines()]
        assert [json.dumps({"_path": "reconwatch"} | row) for row in zeek.log("reconwatch")] == list(
            map(json.dumps, came)
        )
        assert (service.told, service.gaps) == ([], [])
        live = Live(*rooms())
        notices: list[Notice] = []
        for chunk in service.chunks:
            live.read(chunk)
            notices += live.notices()
        notices += live.finish()
        last = rows_of({notice.id: notice for notice in notices}.values())
        assert last == replay(tmp_path / "1" / "reconwatch.log")[0]
        assert as_zeek_reads(name, last) == as_zeek_reads(name, of_capture(name))
