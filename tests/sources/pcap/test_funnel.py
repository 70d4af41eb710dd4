"""The funnel loses nothing: with it and without it the same events come out, whatever the traffic."""

from __future__ import annotations

import io
import random
from itertools import pairwise
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from tests.sources.pcap.wire import (
    ACK,
    CLIENT,
    FIN,
    RESOLVER,
    RST,
    START,
    SYN,
    Talk,
    Timed,
    ether,
    hello,
    ip,
    packed,
    pcap,
    question,
    read,
    record,
    response,
    udp,
    udp_header,
)

from reconwatch.account import Account
from reconwatch.events import Connection
from reconwatch.interest import Interest, Lookout
from reconwatch.sources.pcap import blocks
from reconwatch.sources.pcap.columns import split
from reconwatch.sources.pcap.container import open_container
from reconwatch.sources.pcap.watch import Networks

NAMES = ["shodan.io", "API.shodan.io", "notshodan.io", "crt.sh", "www.crt.sh", "example.com", "shodan.io.evil.test", ""]
ADDRESSES = ["198.18.4.2", "198.18.4.3", "2001:db8::7"]


def lookout(*networks: str) -> Lookout:
    names, ports = frozenset({"shodan.io", "=crt.sh"}), frozenset({43})
    return Lookout(Interest(names=names, ports=ports, networks=frozenset(networks)))


names, addresses = st.sampled_from(NAMES), st.sampled_from(ADDRESSES)
questions = names.map(lambda name: [udp(question(name))])


@st.composite
def answers(draw: st.DrawFn) -> list[bytes]:
    given_addresses = [packed(a) for a in draw(st.lists(addresses, max_size=3))]
    records = [record(b"\xc0\x0c", 1 if len(a) == 4 else 28, a) for a in given_addresses]
    return [udp(response(draw(names), records), 53, 40000, RESOLVER, CLIENT)]


@st.composite
def talks(draw: st.DrawFn) -> list[bytes]:
    name, port = draw(names), draw(st.sampled_from([43, 53, 80, 443, 3128]))
    message = question(name)
    said = draw(
        st.sampled_from([
            hello(name),
            f"GET /?q={name}&key=secret HTTP/1.1\r\nHost: {name}\r\n\r\n".encode(),
            f"GET http://{name}/ HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nHost: {name}\r\n\r\n".encode(),
            f"CONNECT {name}:443 HTTP/1.1\r\n\r\n".encode() + hello(name),
            f"POST / HTTP/1.1\r\nContent-Length: 60\r\n\r\n{name}".encode().ljust(100),
            f"{name}\r\n".encode(),
            len(message).to_bytes(2, "big") + message,
        ])
    )  # fmt: skip
    talk = Talk(port, draw(st.integers(40000, 40004)), server=draw(st.sampled_from(ADDRESSES[:2])))
    cuts = sorted({0, len(said), *draw(st.lists(st.integers(0, len(said)), max_size=3))})
    frames = talk.handshake() if draw(st.booleans()) else []
    for a, b in pairwise(cuts):
        frames += [talk.up(said[a:b])] + [talk.down(b"\0data")] * draw(st.integers(0, 2)) + [talk.up()]
    return frames + (talk.ending() if draw(st.booleans()) else [])


@st.composite
def openings(draw: st.DrawFn) -> list[bytes]:
    """Half a handshake, refused, given up, or answered out of nothing."""
    talk = Talk(
        draw(st.sampled_from([22, 443])), draw(st.integers(40000, 40002)), server=draw(st.sampled_from(ADDRESSES[:2]))
    )
    asked, answered, refused = talk.up(flags=SYN), talk.down(flags=SYN | ACK), talk.down(flags=RST | ACK)
    left = talk.up(flags=RST)
    return draw(
        st.sampled_from([[asked], [asked, asked], [asked, refused], [asked, answered, left], [answered], [refused]])
    )


@st.composite
def pings(draw: st.DrawFn) -> list[bytes]:
    kind, number = draw(st.sampled_from([0, 3, 8])), draw(st.integers(0, 2))
    message = bytes((kind, 0, 0, 0, 0, number, 0, 1)) + b"data"
    return [ether(ip(CLIENT, draw(st.sampled_from(ADDRESSES[:2])), 1, message))]


@given(
    st.lists(st.one_of(questions, answers(), talks(), openings(), pings()), max_size=12),
    st.sampled_from([(), ("198.18.4.2/32",), ("198.18.0.0/15", "10.20.0.0/16", "2001:db8::/64")]),
    st.sampled_from([300, 1500, 1 << 20]),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_both_ways_tell_the_same(
    sessions: list[list[bytes]], networks: tuple[str, ...], block: int, twice: bool, rnd: random.Random
) -> None:
    """Whatever lies in one batch and what in the next, and on ports that are used again."""
    frames = [frame for session in sessions for frame in session] * (2 if twice else 1)
    for _ in range(len(frames) // 4):
        at = rnd.randrange(len(frames) - 1)
        frames[at], frames[at + 1] = frames[at + 1], frames[at]
    data = pcap(frames)
    with_funnel, without = lookout(*networks), lookout(*networks)
    with mock.patch.object(blocks, "BLOCK", block):
        found, account = read(data, with_funnel, funnel=True)
    expected, oracle = read(data, without, funnel=False)
    assert found == expected
    assert with_funnel.addresses == without.addresses
    assert (account.blind, account.skipped, account.records) == (oracle.blind, oracle.skipped, oracle.records)


def test_what_the_funnel_drops_is_only_what_nobody_wants() -> None:
    learned = response("shodan.io", [record(b"\xc0\x0c", 1, packed("198.18.4.2"))])
    frames = [
        udp(question("example.com")),
        *Talk(443, 40001).whole(hello("cdn.example")),
        udp(question("shodan.io")),
        udp(learned, 53, 40000, RESOLVER, CLIENT),
        *Talk(443, 40002).whole(hello("cdn.example")),
        *Talk(443, 40003, server="198.18.9.9").whole(hello("cdn.example")),
    ]
    found, account = read(pcap(frames), lookout(), funnel=True)
    assert [(e.kind, e.client_port) for e in found] == [
        ("dns", 40000),
        ("answer", 40000),
    ]
    assert account.events == 2


def test_the_clock_may_begin_at_nothing() -> None:
    inner = ip(CLIENT, "198.18.4.2", 17, udp_header(40000, 43, b"x"))
    for packet in (inner, ip(CLIENT, RESOLVER, 4, inner)):
        data = pcap([(-START, ether(packet))])
        assert [e.kind for e in read(data, lookout(), funnel=True)[0]] == ["conn"]


def told(*frames: bytes | Timed, networks: tuple[str, ...] = ("198.18.4.0/24",)) -> list[Connection]:
    """The connections of a capture, which both ways tell."""
    data = pcap(frames)
    found, _ = read(data, lookout(*networks), funnel=True)
    assert found == read(data, lookout(*networks), funnel=False)[0]
    return [event for event in found if isinstance(event, Connection)]


def test_how_far_a_connection_to_our_networks_came_is_told() -> None:
    def came(*frames: bytes) -> tuple[bool | None, ...]:
        (one,) = told(*frames)
        return one.opening, one.answered, one.established, one.spoke

    talk = Talk(443)
    asked, answered, acknowledged = talk.handshake()
    assert came(asked) == (True, False, False, False)
    assert came(asked, talk.down(flags=RST | ACK)) == (True, False, False, False)
    assert came(asked, answered) == (True, True, False, False)
    assert came(asked, answered, talk.up(flags=RST)) == (True, True, False, False)
    assert came(asked, answered, acknowledged) == (True, True, True, False)
    assert came(asked, answered, acknowledged, talk.up(b"\0hello")) == (True, True, True, True)


def test_what_has_no_opening_is_told_without_one() -> None:
    talk = Talk(443)
    assert [one.opening for one in told(talk.up(b"\0rest"), talk.down(b"\0rest"))] == [False]
    # A SYN-ACK out of nothing is the answer to somebody who used our address.
    assert told(Talk(443, server="10.20.9.9", client="198.18.4.7").down(flags=SYN | ACK)) == []


def test_a_ping_is_told_once_and_its_answer_is_none() -> None:
    def message(kind: int, number: int = 1) -> bytes:
        return ether(ip(CLIENT, "198.18.4.2", 1, bytes((kind, 0, 0, 0, 0, number, 0, 1)) + b"data"))

    (ping,) = told(message(8), message(8), message(0), message(3))
    assert (ping.proto, ping.client, ping.server, ping.opening) == ("icmp", CLIENT, "198.18.4.2", True)
    assert len(told(message(8, 1), message(8, 2))) == 2
    assert told(message(8), networks=()) == []


def test_a_datagram_to_our_networks_is_told_with_whether_one_came_back() -> None:
    asked = udp(b"\0" * 20, 40000, 161, CLIENT, "198.18.4.2")
    back = udp(b"\0" * 20, 161, 40000, "198.18.4.2", CLIENT)
    assert [one.answered for one in told(asked)] == [False]
    assert [one.answered for one in told(asked, back)] == [True]


def test_networks_of_either_kind_are_met_at_their_edges() -> None:
    networks = Networks(["198.18.4.0/24", "198.18.5.0/24", "10.0.0.0/8", "2001:db8:acc::/48", "2001:db8:1::7/128"])
    for address, inside in (
        ("198.18.3.255", False), ("198.18.4.0", True), ("198.18.5.255", True), ("198.18.6.0", False),
        ("10.9.9.9", True), ("0.0.0.0", False), ("255.255.255.255", False), ("2001:db8:acc::1", True),
        ("2001:db8:acd::", False),        ("2001:db8:1::7", True), ("2001:db8:2::7", False), ("::", False),
    ):  # fmt: skip
        other = "192.0.2.1" if "." in address else "2001:db8:ffff::1"
        pairs = ((address, other), (other, address))
        data = pcap([ether(ip(*pair, 17, udp_header(1, 2, b"x"))) for pair in pairs])
        batches = open_container(io.BytesIO(data), Account("x"))
        assert batches is not None
        batch = next(iter(batches))
        _, packets, _ = split(batch)
        assert networks.ends(batch.data, packets).tolist() == [inside, inside], address
    assert not Networks()


def test_a_datagram_after_a_pause_begins_a_flow_even_if_others_of_it_are_odd() -> None:
    whole = udp(b"\0" * 40, 40000, 161, CLIENT, "198.18.4.2")
    message = udp_header(40000, 161, b"\0" * 56)
    parts = [
        ip(CLIENT, "198.18.4.2", 17, message[:32], ident=7, fragment=0x2000),
        ip(CLIENT, "198.18.4.2", 17, message[32:], ident=7, fragment=4),
    ]
    frames = [(0.0, whole), *((100.0, ether(part)) for part in parts), (200.0, whole), (400.0, whole)]
    assert [one.ts - START for one in told(*frames)] == [0, 100, 200, 400]


def test_who_spoke_after_its_fin_spoke() -> None:
    talk = Talk(443)
    frames = [*talk.handshake(), talk.up(flags=FIN | ACK, seq=talk.sent + 6), talk.up(b"\0hello")]
    with mock.patch.object(blocks, "BLOCK", 300):
        assert [one.spoke for one in told(*frames)] == [True]


def test_a_pause_of_one_side_is_none_while_the_other_speaks() -> None:
    for port in range(40000, 40008):  # a hash tells which side of a flow is which
        asked = udp(b"\0" * 20, port, 1194, CLIENT, "198.18.4.2")
        back = udp(b"\0" * 20, 1194, port, "198.18.4.2", CLIENT)
        frames = [
            (0.0, asked),
            (50.0, back),
            (100.0, asked),
            (130.0, back),
            (161.0, asked),
            (190.0, back),
            (220.0, back),
        ]
        for block in (300, 400, 500, 600):
            with mock.patch.object(blocks, "BLOCK", block):
                assert [one.ts - START for one in told(*frames)] == [0]
