"""The source as a whole: hostile bytes, memory, and captures made with real clients."""

from __future__ import annotations

import io
import json
import random
import struct
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sources.pcap.wire import (
    CLIENT,
    RESOLVER,
    SERVER,
    START,
    Everything,
    Talk,
    hello,
    packed,
    pcap,
    question,
    read,
    record,
    response,
    udp,
)

from reconwatch.account import Account
from reconwatch.interest import Interest, Lookout
from reconwatch.sources.pcap import CaptureSource
from reconwatch.sources.source import Opening

MIXED = [
    udp(question("shodan.io")),
    udp(response("shodan.io", [record(b"\xc0\x0c", 1, packed(SERVER))]), 53, 40000, RESOLVER, CLIENT),
    *Talk(443, 40001).whole(hello("shodan.io", ("h2",))),
    *Talk(80, 40002).whole(
        b"POST / HTTP/1.1\r\nHost: crt.sh\r\nContent-Length: 3\r\n\r\nabcGET /", b" HTTP/1.1\r\n\r\n"
    ),
    *Talk(43, 40003).whole(b"acme\r\n"),
    *Talk(8080, 40004).whole(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x05\x01\x04\0\0\0\x01\x82\x84\x86\x41\x00"),
]
DAMAGED = pcap(MIXED)


@given(
    st.lists(st.tuples(st.integers(0, len(DAMAGED) - 1), st.integers(0, 255)), max_size=20),
    st.integers(0, len(DAMAGED)),
)
def test_damage_anywhere_raises_nothing(flips: list[tuple[int, int]], stop: int) -> None:
    data = bytearray(DAMAGED)
    for at, value in flips:
        data[at] = value
    for damaged in (data, data[:stop]):
        events, account = read(bytes(damaged))
        assert account.events == len(events)
        assert account.records <= len(damaged) // 16  # the length of a record header


@given(st.binary(max_size=200), st.sampled_from([1, 0, 9, 12, 105, 113, 127, 239, 276]))
def test_random_frames_raise_nothing(frame: bytes, link: int) -> None:
    events, account = read(pcap([frame, frame[:20] + bytes(60)], link))
    assert (account.records, account.events) == (2, len(events))


class Endless(io.RawIOBase):
    """A capture of many megabytes that is made while it is read."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.ready = pcap([])
        self.port = 1024

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:
        if not self.ready and self.count:
            self.ready = self.made()
        given = min(len(buffer), len(self.ready))
        buffer[:given], self.ready = self.ready[:given], self.ready[given:]
        return given

    def made(self) -> bytes:
        self.count -= 1
        frames = []
        for _ in range(100):
            self.port = 1024 + (self.port + 1) % 60_000
            talk = Talk(443, self.port, server=f"198.18.{self.count % 250}.{self.port % 250}")
            frames += [*talk.handshake(), talk.up(b"GET /" + b"a" * 1400), *[talk.down(bytes(1400)) for _ in range(6)]]
        stamp = struct.pack("<II", int(START), 0)
        return b"".join(stamp + struct.pack("<II", len(frame), len(frame)) + frame for frame in frames)


def test_memory_stays_flat(monkeypatch: pytest.MonkeyPatch) -> None:
    """60 MB with 6,000 unfinished requests: what is kept depends on the bounds, not on the capture's length."""
    monkeypatch.setattr("reconwatch.sources.pcap.transport.MAX_FLOWS", 200)
    monkeypatch.setattr("reconwatch.sources.pcap.transport.MAX_HELD", 200_000)
    monkeypatch.setattr("reconwatch.sources.pcap.ledger.MOST_ROWS", 50_000)
    account = Account("endless")
    tracemalloc.start()
    try:
        for _ in CaptureSource(Opening(Endless(60), Lookout(Interest()), account)):  # type: ignore[arg-type]
            pass
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert account.records == 60_000
    assert peak < 20_000_000


def told_by(path: Path) -> tuple[list[object], Account]:
    account = Account(str(path))
    with path.open("rb") as stream:
        return list(CaptureSource(Opening(stream, Everything(Interest()), account, funnel=False))), account


@pytest.mark.parametrize("capture", ["benign", "cli", "modern", "proxy", "outside"])
def test_real_clients_are_heard_as_their_servers_heard_them(shared_captures: Path, capture: str) -> None:
    folder = shared_captures / capture
    events, account = told_by(folder / "capture.pcap")
    queried = {e.name for e in events if e.kind == "dns"}
    greeted = {e.name or "" for e in events if e.kind == "tls"}
    asked = {(e.method, e.uri) for e in events if e.kind == "http"}
    lines = {e.line.strip() for e in events if e.kind == "whois"}
    for line in (folder / "truth.jsonl").read_text().splitlines():
        truth = json.loads(line)
        if truth["kind"] == "dns":
            assert truth["name"].lower().rstrip(".") in queried, truth
        elif truth["kind"] == "https":
            assert truth.get("sni", truth["name"]).lower() in greeted, truth
        elif truth["kind"] == "whois":
            assert truth["detail"] in lines, truth
        else:
            method, _, rest = truth["detail"].partition(" ")
            target = rest.partition(" HTTP/")[0]
            if "://" in target:
                target = "/" + target.split("/", 3)[3]
            assert (method, target) in asked, truth
    assert not account.skipped


def test_the_names_of_real_quic_clients_are_read(shared_captures: Path) -> None:
    events, account = told_by(shared_captures / "modern" / "capture.pcap")
    truth = [line.split() for line in (shared_captures / "modern" / "truth-quic.txt").read_text().splitlines()]
    quic = {(str(e.client_port), e.name) for e in events if e.kind == "tls" and e.transport == "quic"}
    assert quic == {(port, name) for port, name in truth}
    assert not account.blind["quic_undecodable"]


def test_damaged_real_captures_raise_nothing(shared_captures: Path) -> None:
    data = (shared_captures / "modern" / "capture.pcap").read_bytes()
    rnd = random.Random(1)
    for _ in range(15):
        damaged = bytearray(data)
        for _ in range(rnd.randrange(1, 60)):
            damaged[rnd.randrange(len(damaged))] = rnd.randrange(256)
        events, account = read(bytes(damaged))
        assert account.events == len(events) > 0


@pytest.mark.parametrize(
    "once",
    [
        b"CONNECT a HTTP/1.1\r\n\r\n",
        b"\r\nCONNECT a HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        bytes.fromhex("0000000804d2162f"),
        bytes.fromhex("0000000804d2162f") + b"CONNECT a HTTP/1.1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\n",
        b"\r\n",
        b"\x16\x03\x01\0\x01\x01",
    ],
)
def test_what_repeats_in_one_segment_does_not_nest(once: bytes) -> None:
    frames = Talk(80).whole(once * (60_000 // len(once)))
    assert read(pcap(frames))[1].records == len(frames)
