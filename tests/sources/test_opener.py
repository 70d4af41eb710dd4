"""Inputs are told apart by content; what cannot be read is said in one line."""

from __future__ import annotations

import gzip
import io
import os
import struct
import tracemalloc
import zlib
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from reconwatch.account import Account
from reconwatch.interest import Interest, Lookout
from reconwatch.sources.dialect import LAST
from reconwatch.sources.opener import (
    UNKNOWN,
    Dialect,
    decompressed,
    names_first,
    open_source,
    reading_order,
    recognise,
)

TSV = (
    b"#separator \\x09\n#path\tdns\n#fields\tts\tuid\tid.orig_h\tid.resp_h\tquery\tqtype\n"
    b"1795493735.5\tC1\t10.0.0.1\t10.0.0.53\tcrt.sh\t1\n"
)
JSON = (
    b'{"ts":1795493735.5,"uid":"C1","id.orig_h":"10.0.0.1","id.resp_h":"10.0.0.53","query":"crt.sh","qtype":1,'
    b'"rejected":false}\n'
)
EVE = (
    b'{"timestamp":"2026-11-24T04:15:35.5+0000","event_type":"tls","src_ip":"10.0.0.1","dest_ip":"10.0.0.2",'
    b'"tls":{"sni":"crt.sh"}}\n'
)
PCAP = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1) + struct.pack("<IIII", 1795493735, 5, 0, 0)


class Pipe(io.RawIOBase):
    """A stream that cannot seek and gives little at a time."""

    def __init__(self, content, size=100):
        self._content, self._size = content, size

    def readable(self):
        return True

    def readinto(self, buffer):
        taken = min(self._size, len(buffer), len(self._content))
        buffer[:taken] = self._content[:taken]
        self._content = self._content[taken:]
        return taken


def opened(origin):
    told = []
    account = Account("input", warn=told.append)
    source = open_source(origin, Lookout(Interest(names=frozenset({"crt.sh"}))), account, 0, True)
    events = []
    if source is not None:
        events = list(source)
        source.close()
    return events, account, told


@pytest.mark.parametrize(
    ("head", "dialect"),
    [
        (PCAP, Dialect.PCAP),
        (b"\xa1\xb2\x3c\x4d" + bytes(20), Dialect.PCAP),
        (b"\x0a\x0d\x0d\x0a\x1c\0\0\0\x4d\x3c\x2b\x1a", Dialect.PCAPNG),
        (TSV, Dialect.ZEEK_TSV),
        (b"#fields\tts\tquery\n", Dialect.ZEEK_TSV),
        (b"\xef\xbb\xbf#separator \\x09\n", Dialect.ZEEK_TSV),
        (b"\0\0\0#path\tdns\n", Dialect.ZEEK_TSV),
        (JSON, Dialect.ZEEK_JSON),
        (b'{"_path":"dns","query":"crt.sh"}', Dialect.ZEEK_JSON),
        (b'{"id_orig_h":"10.0.0.1"}', Dialect.ZEEK_JSON),
        (b'{"ts":1795493735.5,"fingerprint":"6434","certificate.version":3}', Dialect.ZEEK_JSON),
        (b'alf a line"}\n' + JSON, Dialect.ZEEK_JSON),
        (EVE, Dialect.EVE),
        (b'{"event_type":"stats","stats":{"a":' + b"1" * 70_000, Dialect.EVE),
        (b'{"ts":1795493735.5,"uid":"C1","id":{"orig_h":"10.0.0.1"}}', None),
        (b'{"level":"info","msg":"started"}\n', None),
        (b'{"ts":"started"}\n', None),
        (b"# a comment\nkey: value\n", None),
        (b"1795493735.123 5 10.0.0.1 TCP_MISS/200 GET http://crt.sh/\n", None),
        (b"", None),
        (b"\n\n", None),
    ],
)
def test_content_tells_the_dialect(head, dialect):
    assert recognise(head) is dialect


@given(st.binary(max_size=200))
def test_no_content_makes_recognising_raise(head):
    assert names_first(head, recognise(head)) <= LAST
    for start in (b"\x0a\x0d\x0d\x0a", b"\xd4\xc3\xb2\xa1", b'{"ts":', b"#path"):
        assert names_first(start + head, recognise(start + head)) <= LAST


@pytest.mark.parametrize("content", [TSV, JSON, EVE], ids=["tsv", "json", "eve"])
@pytest.mark.parametrize(
    "pack", [bytes, gzip.compress, zstandard.ZstdCompressor().compress], ids=["plain", "gzip", "zstd"]
)
def test_files_and_pipes_of_each_dialect_and_compression_are_read(content, pack, tmp_path):
    path = tmp_path / "named.anything"
    path.write_bytes(pack(content))
    for origin in (path, str(path), io.BytesIO(pack(content)), Pipe(pack(content))):
        events, account, told = opened(origin)
        assert [event.name for event in events] == ["crt.sh"]
        assert (told, account.failed) == ([], False)


def test_a_capture_is_given_to_the_capture_source(tmp_path):
    pytest.importorskip("reconwatch.sources.pcap")
    path = tmp_path / "x"
    path.write_bytes(PCAP)
    source = open_source(path, Lookout(Interest()), Account("x"), 0, True)
    assert type(source).__name__ == "CaptureSource"
    source.close()


def test_several_members_are_one_content():
    first, second = JSON, JSON * 2
    for packed in (
        gzip.compress(first) + gzip.compress(b"") + gzip.compress(second),
        gzip.compress(first) + gzip.compress(second) + bytes(512),
        zstandard.ZstdCompressor().compress(first) + zstandard.ZstdCompressor().compress(second),
    ):
        account = Account("x")
        assert decompressed(io.BytesIO(packed), account).read() == first + second
        assert not account.skipped


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress], ids=["gzip", "zstd"])
def test_of_a_truncated_file_what_comes_before_the_cut_is_read(pack):
    lines = b"".join(JSON.replace(b"C1", os.urandom(12).hex().encode()) for _ in range(20_000))
    packed = pack(lines)
    events, account, told = opened(io.BytesIO(packed[: len(packed) // 2]))
    assert 5_000 < len(events) < 15_000
    (first, *rest) = told
    assert first.startswith("input: byte ")
    assert "truncated" in first
    assert all("not a JSON object" in line for line in rest)
    assert not account.failed


def test_of_a_damaged_file_what_comes_before_the_damage_is_read():
    lines = b"".join(JSON.replace(b"C1", os.urandom(12).hex().encode()) for _ in range(20_000))
    packed = bytearray(gzip.compress(lines))
    packed[len(packed) // 2 : len(packed) // 2 + 64] = b"\xff" * 64
    events, account, _ = opened(io.BytesIO(bytes(packed)))
    assert len(events) > 5_000
    assert account.skipped["damaged gzip"] == 1


def test_bytes_behind_the_last_member_are_a_counted_skip():
    events, account, told = opened(io.BytesIO(gzip.compress(JSON) + b"something else"))
    assert len(events) == 1
    assert account.skipped == {"trailing bytes after gzip": 1}
    assert told[0].startswith("input: byte ")


def test_the_standard_library_reads_gzip_where_isal_is_not_installed(monkeypatch):
    import builtins

    real = builtins.__import__

    def missing(name, *rest, **more):
        if name.startswith("isal"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", missing)
    assert decompressed(io.BytesIO(gzip.compress(JSON) * 2)).read() == JSON * 2


def test_a_bomb_is_inflated_in_pieces():
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(64)) + packer.flush()
    stream = decompressed(io.BytesIO(bomb))
    assert max(len(stream.read(1 << 20)) for _ in range(64)) <= 1 << 20


def test_a_zstd_bomb_takes_no_more_memory_than_a_piece_of_it():
    bomb = zstandard.ZstdCompressor(19).compress(bytes(256 << 20))
    assert len(bomb) < 32 << 10
    stream = decompressed(io.BytesIO(bomb))
    tracemalloc.start()
    try:
        assert sum(iter(lambda: len(stream.read(1 << 20)), 0)) == 256 << 20
        assert tracemalloc.get_traced_memory()[1] < 100 << 20
    finally:
        tracemalloc.stop()


def test_a_zstd_window_beyond_what_memory_allows_is_said_and_not_read():
    large = zstandard.ZstdCompressionParameters(window_log=28, compression_level=1)
    packed = zstandard.ZstdCompressor(compression_params=large).compressobj().compress(os.urandom(1 << 20))
    account = Account("x", warn=(told := []).append)
    assert decompressed(io.BytesIO(packed), account).read() == b""
    assert (
        told
        == [
            f"x: byte {len(packed)} of the compressed file: too large a window of zstd;"
            " compress it with a smaller one: zstd --long=27"
        ]
        or "too large a window of zstd" in told[0]
    )


@settings(deadline=None, max_examples=200)
@given(st.sampled_from([gzip.compress, zstandard.ZstdCompressor().compress]), st.data())
def test_no_damage_to_a_compressed_file_makes_reading_raise(pack, data):
    packed = bytearray(pack(JSON * 50))
    for _ in range(data.draw(st.integers(1, 4))):
        packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    events, account, _ = opened(io.BytesIO(bytes(packed[: data.draw(st.integers(0, len(packed)))])))
    assert account.events == len(events)


def test_what_cannot_be_opened_is_said_in_one_line(tmp_path):
    locked = tmp_path / "locked"
    locked.write_bytes(JSON)
    locked.chmod(0)
    empty, odd = tmp_path / "empty", tmp_path / "odd"
    empty.write_bytes(b"")
    odd.write_bytes(b"just text\n")
    expected = {
        tmp_path / "absent": "input: no such file or directory",
        tmp_path: "input: is a directory",
        empty: "input: empty file",
        odd: f"input: {UNKNOWN}",
    }
    if os.geteuid() != 0:  # root may read anything
        expected[locked] = "input: permission denied"
    for path, line in expected.items():
        events, account, told = opened(path)
        assert (events, told, account.failed) == ([], [line], True)


def test_an_empty_compressed_file_is_empty():
    assert opened(io.BytesIO(gzip.compress(b"")))[2] == ["input: empty file"]
    account = opened(io.BytesIO(gzip.compress(JSON)[:5]))[1]
    assert account.failed


def test_inputs_that_give_names_are_read_before_inputs_that_connect(tmp_path):
    conn = TSV.replace(b"\tdns\n", b"\tconn\n").replace(b"query", b"conn_state")
    later = EVE.replace(b"04:15", b"05:15")
    inputs = {
        "dns.json.gz": gzip.compress(JSON),
        "dns.log": TSV.replace(b"1795493735", b"1795493736"),
        "a.eve": EVE,
        "a.pcap": PCAP.replace(struct.pack("<I", 1795493735), struct.pack("<I", 1795493736)),
        "b.eve": later,
        "conn.log": conn,
        "none": b"?",
    }
    for name, content in inputs.items():
        (tmp_path / name).write_bytes(content)
    assert [path.name for path in sorted(tmp_path.iterdir(), key=reading_order)] == list(inputs)
    assert reading_order(Path("/nonexistent")) == (3, float("inf"))


def test_pcapng_is_ordered_by_its_first_packet():
    section = struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
    stamp = 1795493735500000
    packet = struct.pack("<IIIIIIII", 6, 32, 0, stamp >> 32, stamp & 0xFFFFFFFF, 0, 0, 32)
    assert names_first(section + packet, recognise(section)) == (1, 1795493735.5)
    assert names_first(section, recognise(section)) == (1, float("inf"))
