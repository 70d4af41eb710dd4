"""The funnel loses nothing: with it and without it the same events come out, whatever the traffic."""

from __future__ import annotations

import random
from itertools import pairwise
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from tests.sources.pcap.wire import (
    CLIENT,
    RESOLVER,
    START,
    Talk,
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

from reconwatch.interest import Interest, Lookout
from reconwatch.sources.pcap import blocks

NAMES = ["shodan.io", "API.shodan.io", "notshodan.io", "crt.sh", "www.crt.sh", "example.com", "shodan.io.evil.test", ""]
ADDRESSES = ["198.18.4.2", "198.18.4.3", "2001:db8::7"]


def lookout() -> Lookout:
    return Lookout(Interest(names=frozenset({"shodan.io", "=crt.sh"}), ports=frozenset({43})))


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
    frames += [talk.up(said[a:b]) for a, b in pairwise(cuts)]
    return frames + (talk.ending() if draw(st.booleans()) else [])


@given(
    st.lists(st.one_of(questions, answers(), talks()), max_size=12),
    st.sampled_from([300, 1500, 1 << 20]),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_both_ways_tell_the_same(sessions: list[list[bytes]], block: int, twice: bool, rnd: random.Random) -> None:
    """Whatever lies in one batch and what in the next, and on ports that are used again."""
    frames = [frame for session in sessions for frame in session] * (2 if twice else 1)
    for _ in range(len(frames) // 4):
        at = rnd.randrange(len(frames) - 1)
        frames[at], frames[at + 1] = frames[at + 1], frames[at]
    data = pcap(frames)
    with_funnel, without = lookout(), lookout()
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
