"""Captures as files: variants, damage, and what is said about it."""

import struct
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sources.pcap.wire import START, Everything, Talk, hello, pcap, question, read, source, udp

from reconwatch.interest import Interest
from reconwatch.sources.pcap import blocks, is_capture, pcapng

FRAMES = [udp(question(f"name{number}.test")) for number in range(20)]


def names(data: bytes) -> list[str]:
    return [event.name for event in read(data)[0] if event.kind == "dns"]


ALL = [f"name{number}.test" for number in range(20)]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("magic", [0xA1B2C3D4, 0xA1B23C4D])
def test_every_variant_of_pcap_is_read_with_its_times(order: str, magic: int) -> None:
    data = pcap([(0.25, FRAMES[0])], order=order, magic=magic)
    found, account = read(data)
    assert is_capture(data[:4])
    assert found[0].ts == pytest.approx(START + 0.25, abs=1e-5)
    assert (account.dialect, account.unit, account.records) == ("pcap", "packets", 1)


def test_the_modified_variant_has_longer_record_headers() -> None:
    frame = FRAMES[0]
    data = struct.pack("<IHHiIII", 0xA1B2CD34, 2, 4, 0, 0, 65535, 1)
    data += struct.pack("<IIII", int(START), 0, len(frame), len(frame)) + bytes(8) + frame
    assert names(data) == ["name0.test"]


def test_text_is_no_capture() -> None:
    assert not is_capture(b"#sep")
    found, account = read(b"#separator \\x09\n")
    assert found == []
    assert account.failed


def test_an_empty_file_fails_without_a_traceback() -> None:
    for data in (b"", b"\xd4\xc3\xb2\xa1", pcap([])[:20]):
        found, account = read(data)
        assert found == []
        assert account.failed


def test_a_capture_without_packets_is_read_and_holds_nothing() -> None:
    found, account = read(pcap([]))
    assert found == []
    assert not account.failed


def test_a_cut_last_record_is_counted_and_its_bytes_are_read() -> None:
    data = pcap(FRAMES)
    found, account = read(data[:-4])
    assert [e.name for e in found if e.kind == "dns"][:19] == ALL[:19]
    assert account.skipped["the last record is cut"] == 1
    _, account = read(data[: len(pcap(FRAMES[:3])) + 9])
    assert account.skipped["the last record is cut"] == 1


def test_behind_a_lying_length_reading_goes_on_at_the_next_credible_record() -> None:
    data = bytearray(pcap(FRAMES))
    at = len(pcap(FRAMES[:5]))
    data[at + 8 : at + 12] = b"\xff\xff\xff\x7f"
    found, account = read(bytes(data))
    assert [e.name for e in found if e.kind == "dns"] == ALL[:5] + ALL[6:]
    assert account.skipped == {"a record's length is not credible": 1}


def test_the_warning_of_a_damaged_record_names_its_place() -> None:
    data = bytearray(pcap(FRAMES))
    at = len(pcap(FRAMES[:5]))
    data[at + 8 : at + 12] = b"\xff\xff\xff\x7f"
    capture, account = source(bytes(data))
    told: list[str] = []
    account.warn = told.append
    list(capture)
    assert told[0].startswith(f"test.pcap: packet 6 at byte {at}: ")


def test_an_unknown_link_type_is_told_once_and_counted_each_time() -> None:
    _, account = read(pcap(FRAMES, link=147))
    assert account.skipped == {"link type 147 is not read": 20}


def test_the_position_is_the_end_when_everything_was_read() -> None:
    data = pcap(FRAMES)
    capture, _ = source(data)
    list(capture)
    assert capture.position == len(data)
    capture.close()
    capture.close()


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    body += bytes(-len(body) % 4)
    return struct.pack(order + "II", kind, 12 + len(body)) + body + struct.pack(order + "I", 12 + len(body))


def section(order: str = "<") -> bytes:
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(order: str = "<", link: int = 1, options: bytes = b"", snaplen: int = 0) -> bytes:
    return block(1, struct.pack(order + "HHI", link, 0, snaplen) + options, order)


def enhanced(frame: bytes, ticks: int, index: int = 0, order: str = "<", length: int | None = None) -> bytes:
    size = len(frame) if length is None else length
    head = struct.pack(order + "IIIII", index, ticks >> 32, ticks & 0xFFFFFFFF, size, len(frame))
    return block(6, head + frame, order)


MICRO = int(START * 1_000_000)


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcapng_of_either_byte_order_is_read(order: str) -> None:
    data = section(order) + interface(order) + enhanced(FRAMES[0], MICRO, order=order)
    found, account = read(data)
    assert is_capture(data[:4])
    assert found[0].ts == pytest.approx(START)
    assert account.dialect == "pcapng"


def test_each_interface_has_its_own_clock_and_link_type() -> None:
    nano = struct.pack("<HHB3x", 9, 1, 9) + struct.pack("<HHq", 14, 8, 100)
    binary = struct.pack("<HHB3x", 9, 1, 0x80 | 10)
    data = section() + interface(options=nano) + interface(link=101, options=binary)
    data += enhanced(FRAMES[0], int((START - 100) * 1e9)) + enhanced(FRAMES[1][14:], int(START * 1024), 1)
    found = [event for event in read(data)[0] if event.kind == "dns"]
    assert [event.name for event in found] == ["name0.test", "name1.test"]
    assert [event.ts for event in found] == [pytest.approx(START), pytest.approx(START)]


def test_a_second_section_begins_with_no_interfaces() -> None:
    data = section() + interface() + enhanced(FRAMES[0], MICRO) + section(">")
    data += enhanced(FRAMES[1], MICRO, order=">") + interface(">") + enhanced(FRAMES[2], MICRO, order=">")
    found, account = read(data)
    assert [e.name for e in found if e.kind == "dns"] == ["name0.test", "name2.test"]
    assert account.skipped == {"a packet names an interface that was not described": 1}


def test_a_simple_packet_takes_the_last_known_time() -> None:
    data = section() + interface() + enhanced(FRAMES[0], MICRO)
    data += block(3, struct.pack("<I", len(FRAMES[1])) + FRAMES[1])
    found = [event for event in read(data)[0] if event.kind == "dns"]
    assert [event.ts for event in found] == [pytest.approx(START)] * 2


def test_behind_a_garbage_block_reading_goes_on() -> None:
    data = section() + interface() + enhanced(FRAMES[0], MICRO) + b"\x06\0\0\0garbage!" * 3
    data += enhanced(FRAMES[1], MICRO)
    found, account = read(data)
    assert [e.name for e in found if e.kind == "dns"] == ["name0.test", "name1.test"]
    assert sum(account.skipped.values()) == 1


def test_a_packet_longer_than_its_block_is_read_as_far_as_it_goes() -> None:
    found, account = read(section() + interface() + enhanced(FRAMES[0], MICRO, length=5000))
    assert [e.name for e in found if e.kind == "dns"] == ["name0.test"]
    assert account.skipped == {"a packet is longer than its block": 1}


NANO = struct.pack("<HHB3x", 9, 1, 9)
BLOCKS = [
    enhanced(FRAMES[0], MICRO),
    enhanced(FRAMES[1], MICRO * 1000, 1),
    enhanced(FRAMES[2], MICRO, 7),
    enhanced(FRAMES[3], MICRO, length=5000),
    enhanced(b"", MICRO),
    block(3, struct.pack("<I", len(FRAMES[4])) + FRAMES[4]),
    block(0xBAD, b"custom"),
    interface(),
    section() + interface(),
    b"\x06\0\0\0garbage!",
]


@given(st.lists(st.sampled_from(BLOCKS), max_size=20), st.sampled_from([100, 1 << 20]))
def test_packet_blocks_in_a_row_are_read_as_one_by_one(blocks_: list[bytes], size: int) -> None:
    data = section() + interface() + interface(options=NANO) + b"".join(blocks_)
    told = []
    for short in (1, 1000):
        with mock.patch.object(pcapng, "SHORT_RUN", short), mock.patch.object(blocks, "BLOCK", size):
            found, account = read(data)
        told.append((found, account.records, account.skipped))
    assert told[0] == told[1]


def test_an_unknown_block_is_stepped_over() -> None:
    data = section() + block(0xBAD, b"custom") + interface() + enhanced(FRAMES[0], MICRO)
    assert names(data) == ["name0.test"]


def test_reading_in_small_blocks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    data = pcap([*FRAMES, *Talk().whole(hello("shodan.io", padding=3000))])
    expected = read(data)[0]
    for size in (1, 7, 100):
        monkeypatch.setattr("reconwatch.sources.pcap.blocks.BLOCK", size)
        assert read(data)[0] == expected


def test_events_are_counted_and_carry_the_input_that_told_them() -> None:
    capture, account = source(pcap(FRAMES), Everything(Interest()))
    found = list(capture)
    assert account.events == len(found) == 20
    assert {(e.source, e.input, e.uid) for e in found} == {("capture", 0, None)}
    assert account.holds == {"dns", "answer", "tls", "http", "whois", "conn"}
