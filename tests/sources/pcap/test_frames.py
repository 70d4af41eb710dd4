"""Link layers, IP and tunnels: whatever lies around a datagram, the same question is found in it."""

import struct

import pytest
from tests.sources.pcap.wire import (
    CLIENT,
    CLIENT6,
    RESOLVER,
    SERVER6,
    ether,
    events,
    ip,
    name,
    packed,
    pcap,
    question,
    read,
    udp,
    udp_header,
)

from reconwatch.sources.pcap.ip import MAX_HELD

QUESTION = question("shodan.io")
DATAGRAM = udp_header(40000, 53, QUESTION)
FOUR = ip(CLIENT, RESOLVER, 17, DATAGRAM)
SIX = ip(CLIENT6, SERVER6, 17, DATAGRAM)
FRAME = ether(FOUR)


def asked(frame: bytes, link: int = 1) -> list[tuple[str, str, str]]:
    return [(e.client, e.server, e.name) for e in events([frame], "dns", link)]


BY_FOUR = [(CLIENT, RESOLVER, "shodan.io")]
BY_SIX = [(CLIENT6, SERVER6, "shodan.io")]

LINKS = {
    "ethernet": (1, FRAME),
    "vlan": (1, ether(FOUR, b"\x81\x00\x00\x2a")),
    "qinq": (1, ether(FOUR, b"\x88\xa8\x00\x2a", b"\x81\x00\x00\x2b")),
    "old qinq": (1, ether(FOUR, b"\x91\x00\x00\x2a", b"\x81\x00\x00\x2b")),
    "pppoe": (1, FRAME[:12] + b"\x88\x64\x11\x00\x00\x01" + struct.pack(">H", len(FOUR) + 2) + b"\x00\x21" + FOUR),
    "mpls": (1, FRAME[:12] + b"\x88\x47\x00\x01\x00\x40\x00\x02\x01\x40" + FOUR),
    "pseudowire": (1, FRAME[:12] + b"\x88\x47\x00\x01\x01\x40" + bytes(4) + FRAME),
    "llc and snap": (1, FRAME[:12] + b"\x00\x40\xaa\xaa\x03\x00\x00\x00\x08\x00" + FOUR),
    "null": (0, b"\x02\0\0\0" + FOUR),
    "null of the other byte order": (0, b"\0\0\0\x02" + FOUR),
    "loop": (108, b"\0\0\0\x02" + FOUR),
    "raw": (101, FOUR),
    "raw bsd": (12, FOUR),
    "raw openbsd": (14, FOUR),
    "raw ipv4": (228, FOUR),
    "ppp": (9, b"\xff\x03\x00\x21" + FOUR),
    "fddi": (10, bytes(13) + b"\xaa\xaa\x03\0\0\0\x08\0" + FOUR),
    "linux cooked": (113, bytes(14) + b"\x08\x00" + FOUR),
    "linux cooked 2": (276, b"\x08\x00" + bytes(18) + FOUR),
    "nflog": (239, b"\x02\0\0\0" + b"\x08\0\x01\0abcd" + struct.pack("<HH", 4 + len(FOUR), 9) + FOUR),
    "802.11": (105, b"\x08\x01" + bytes(22) + b"\xaa\xaa\x03\0\0\0\x08\0" + FOUR),
    "radiotap": (127, b"\0\0\x08\0\0\0\0\0" + b"\x08\x01" + bytes(22) + b"\xaa\xaa\x03\0\0\0\x08\0" + FOUR),
}  # fmt: skip


@pytest.mark.parametrize("layer", LINKS)
def test_the_link_layer_does_not_matter(layer: str) -> None:
    link, frame = LINKS[layer]
    assert asked(frame, link) == BY_FOUR


GRE = b"\0\0\x08\0"
TUNNELS = {
    "ip in ip": ip("192.0.2.1", "192.0.2.2", 4, FOUR),
    "gre": ip("192.0.2.1", "192.0.2.2", 47, GRE + FOUR),
    "gre with key and sequence": ip("192.0.2.1", "192.0.2.2", 47, b"\x30\0\x08\0" + bytes(8) + FOUR),
    "erspan": ip("192.0.2.1", "192.0.2.2", 47, b"\x10\0\x88\xbe" + bytes(12) + FRAME),
    "erspan 3": ip("192.0.2.1", "192.0.2.2", 47, b"\x10\0\x22\xeb" + bytes(16) + FRAME),
    "vxlan": ip("192.0.2.1", "192.0.2.2", 17, udp_header(5555, 4789, b"\x08" + bytes(7) + FRAME)),
    "geneve": ip("192.0.2.1", "192.0.2.2", 17, udp_header(5555, 6081, b"\x01\0\x65\x58" + bytes(8) + FRAME)),
    "gtp": ip("192.0.2.1", "192.0.2.2", 17, udp_header(2152, 2152, b"\x30\xff\0\0" + bytes(4) + FOUR)),
    "gtp with a sequence": ip("192.0.2.1", "192.0.2.2", 17, udp_header(2152, 2152, b"\x32\xff\0\0" + bytes(8) + FOUR)),
    "gre in udp": ip("192.0.2.1", "192.0.2.2", 17, udp_header(5555, 4754, GRE + FOUR)),
    "ayiya": ip("192.0.2.1", "192.0.2.2", 17, udp_header(5555, 5072, b"\x41\x52\x11\x04" + bytes(40) + FOUR)),
    "ethernet in ip": ip("192.0.2.1", "192.0.2.2", 97, b"\x30\0" + FRAME),
}  # fmt: skip


@pytest.mark.parametrize("tunnel", TUNNELS)
def test_what_is_said_inside_a_tunnel_is_heard(tunnel: str) -> None:
    assert asked(ether(TUNNELS[tunnel])) == BY_FOUR


def test_teredo_carries_ipv6() -> None:
    assert asked(udp(SIX, 3544, 3544)) == BY_SIX
    indicated = b"\0\x01\0\0" + bytes(9) + b"\0\0" + bytes(6) + SIX
    assert asked(udp(indicated, 5555, 3544)) == BY_SIX


@pytest.mark.parametrize(("source", "target"), [("2001:0:4137:9e50::1", SERVER6), (CLIENT6, "2001:0:4137:9e50::1")])
def test_teredo_needs_no_port_of_its_own(source: str, target: str) -> None:
    relayed = udp(ip(source, target, 17, DATAGRAM), 3797, 32900)
    assert [(e.kind, e.client, e.server, e.server_port) for e in events([relayed])] == [
        ("dns", source, target, 53),
        ("conn", source, target, 53),
    ]
    tagged = ether(relayed[14:], b"\x81\x00\x00\x2a", b"\x81\x00\x00\x2b")
    assert asked(tagged) == [(source, target, "shodan.io")]
    assert asked(udp(SIX, 3797, 32900)) == []


def test_a_tunnel_port_without_a_tunnel_is_an_ordinary_datagram() -> None:
    assert [e.server_port for e in events([udp(b"just a few bytes", 5555, 4789)], "conn")] == [4789]


def test_tunnels_without_end_are_counted() -> None:
    packet = FOUR
    for _ in range(6):
        packet = ip("192.0.2.1", "192.0.2.2", 4, packet)
    found, account = read(pcap([ether(packet)]))
    assert found == []
    assert account.skipped == {"tunnels are nested too deeply": 1}


def test_ipv4_options_are_stepped_over() -> None:
    packet = bytearray(FOUR[:20] + b"\x01" * 8 + FOUR[20:])
    packet[0] = 0x47
    packet[2:4] = len(packet).to_bytes(2, "big")
    assert asked(ether(bytes(packet))) == BY_FOUR


def test_ethernet_padding_is_no_payload() -> None:
    assert asked(FRAME + bytes(30)) == BY_FOUR


def test_extension_headers_are_stepped_over() -> None:
    chain = b"\x3c\0" + bytes(6) + b"\x33\0" + bytes(6) + b"\x11\x01" + bytes(10) + DATAGRAM
    assert asked(ether(ip(CLIENT6, SERVER6, 0, chain))) == BY_SIX


def test_a_source_route_names_the_real_destination() -> None:
    route = b"\x11\x02\0\x01" + bytes(4) + ether(ip(SERVER6, SERVER6, 17, b""))[22:38]
    assert asked(ether(ip(CLIENT6, "2001:db8::99", 43, route + DATAGRAM))) == BY_SIX


def test_a_mobile_node_speaks_with_its_home_address() -> None:
    padded = b"\x11\x02\0\x01\0\xc9\x10" + packed(CLIENT6) + b"\0"
    assert asked(ether(ip("2001:db8::99", SERVER6, 60, padded + DATAGRAM))) == BY_SIX
    cut = b"\x11\x01\x01\x04" + bytes(4) + b"\xc9\x10" + packed(CLIENT6)[:6]
    assert asked(ether(ip(CLIENT6, SERVER6, 60, cut + DATAGRAM))) == BY_SIX


def fragments(payload: bytes, size: int = 24, ident: int = 9) -> list[bytes]:
    parts = [payload[at : at + size] for at in range(0, len(payload), size)]
    last = len(parts) - 1
    return [
        ether(ip(CLIENT, RESOLVER, 17, part, ident=ident, fragment=(0x2000 if n < last else 0) | n * size // 8))
        for n, part in enumerate(parts)
    ]


def test_fragments_are_put_together_in_any_order() -> None:
    parts = fragments(udp_header(40000, 53, question("api.censys.io")))
    assert len(parts) == 2
    for order in (parts, parts[::-1], [parts[1], parts[1], parts[0]]):
        assert [e.name for e in events(order, "dns")] == ["api.censys.io"]


def test_of_overlapping_fragments_the_first_wins() -> None:
    parts = fragments(udp_header(40000, 53, question("shodan.io")), 16)
    forged = fragments(udp_header(40000, 53, question("forged.io")), 16)
    assert [e.name for e in events([parts[0], parts[1], forged[1], *parts[2:]], "dns")] == ["shodan.io"]


def test_ipv6_fragments_are_put_together() -> None:
    parts = [b"\x11\0" + struct.pack(">HI", at | (at + 24 < len(DATAGRAM)), 5) + DATAGRAM[at : at + 24]
             for at in range(0, len(DATAGRAM), 24)]  # fmt: skip
    frames = [ether(ip(CLIENT6, SERVER6, 44, part)) for part in parts]
    assert len(frames) > 1
    assert [e.name for e in events(frames[::-1], "dns")] == ["shodan.io"]


def test_an_atomic_fragment_is_a_whole_datagram() -> None:
    assert asked(ether(ip(CLIENT6, SERVER6, 44, b"\x11\0\0\0\0\0\0\x05" + DATAGRAM))) == BY_SIX


def test_a_flood_of_first_fragments_is_bounded_and_counted() -> None:
    flood = [fragments(DATAGRAM, ident=ident)[0] for ident in range(MAX_HELD + 10)]
    _, account = read(pcap(flood))
    assert account.blind["fragments_lost"] == 10


def test_bad_headers_are_counted_and_reading_goes_on() -> None:
    short = ether(b"\x45" + bytes(10))
    lying = ether(b"\x41" + FOUR[1:])
    found, account = read(pcap([short, lying, FRAME]))
    assert [e.name for e in found if e.kind == "dns"] == ["shodan.io"]
    assert account.skipped == {"an IP header is malformed or cut": 2}


def test_a_packet_cut_by_snaplen_is_read_as_far_as_it_goes() -> None:
    frame = udp(question("shodan.io") + name("tail"))
    data = bytearray(pcap([frame[:-6]]))
    data[24 + 12 : 24 + 16] = len(frame).to_bytes(4, "little")
    found, account = read(bytes(data))
    assert [e.name for e in found if e.kind == "dns"] == ["shodan.io"]
    assert account.blind == {"cut_packets": 1}
