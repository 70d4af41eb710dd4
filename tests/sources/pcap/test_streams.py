"""TCP: bytes in order whatever became of the segments, and connections with their ends."""

import gc
import itertools

import pytest
from tests.sources.pcap.wire import (
    ACK,
    CLIENT,
    FIN,
    RST,
    SERVER,
    START,
    SYN,
    Talk,
    events,
    hello,
    pcap,
    read,
    udp,
)

HELLO = hello("www.shodan.io", ("h2", "http/1.1"))


def names(frames: list[bytes]) -> list[str]:
    return [event.name for event in events(frames, "tls")]


@pytest.mark.parametrize("cut", range(1, len(HELLO)))
def test_a_hello_may_be_cut_anywhere(cut: int) -> None:
    assert names(Talk().whole(HELLO[:cut], HELLO[cut:])) == ["www.shodan.io"]


@pytest.mark.parametrize("funnel", [True, False])
def test_a_connection_that_is_forgotten_leaves_nothing_to_the_garbage_collector(funnel: bool) -> None:
    """A flow, its directions and their readers refer to each other; the collector runs rarely (`cli.replay`)."""
    data = pcap([frame for port in range(200) for frame in Talk(443, 40_000 + port).whole(HELLO[:99], HELLO[99:])])
    read(data, funnel=funnel)  # what is made once is no matter
    gc.collect()
    gc.disable()
    try:
        read(data, funnel=funnel)
        assert gc.collect() < 200
    finally:
        gc.enable()


def test_a_hello_may_come_byte_by_byte() -> None:
    assert names(Talk().whole(*(HELLO[at : at + 1] for at in range(len(HELLO))))) == ["www.shodan.io"]


def test_segments_may_come_in_any_order_and_more_than_once() -> None:
    third = len(HELLO) // 3
    for order in itertools.permutations(range(3)):
        talk = Talk()
        opening = talk.handshake()
        parts = [talk.up(part) for part in (HELLO[:third], HELLO[third : 2 * third], HELLO[2 * third :])]
        arrived = [parts[n] for n in order]
        assert names([*opening, *arrived, *arrived, *talk.ending()]) == ["www.shodan.io"]


def test_the_time_of_a_hello_is_that_of_its_first_byte() -> None:
    talk = Talk()
    opening = [(number / 10, frame) for number, frame in enumerate(talk.handshake())]
    first, second = talk.up(HELLO[:50]), talk.up(HELLO[50:])
    (event,) = events([*opening, (1.0, second), (2.0, first), (3.0, first)], "tls")
    assert event.ts == pytest.approx(START + 2.0)


def test_of_overlapping_bytes_the_first_win() -> None:
    talk = Talk()
    opening, base = talk.handshake(), talk.sent
    forged = HELLO.replace(b"shodan", b"forged")
    frames = [*opening, talk.up(HELLO[60:], seq=base + 60), talk.up(forged[40:], seq=base + 40), talk.up(HELLO[:40])]
    assert HELLO.find(b"shodan") >= 60
    assert names(frames) == ["www.shodan.io"]
    talk = Talk()
    frames = [*talk.handshake(), talk.up(HELLO[:80]), talk.up(forged, seq=base)]
    assert names(frames) == ["www.shodan.io"]


def test_a_missing_segment_is_counted_and_the_next_request_is_read() -> None:
    talk = Talk(port=80)
    opening = talk.handshake()
    talk.up(b"GET /lost HTTP/1.1\r\nHost: crt.sh\r\n\r\n")
    frames = [*opening, talk.up(b"GET /seen HTTP/1.1\r\nHost: crt.sh\r\n\r\n"), *talk.ending()]
    found, account = read(pcap(frames))
    assert [e.uri for e in found if e.kind == "http"] == ["/seen"]
    assert account.blind["tcp_gaps"] == 1


def test_a_capture_begun_midstream_still_shows_requests_and_hellos() -> None:
    talk = Talk(port=8080)
    frames = [talk.down(b"some bytes of an answer"), talk.up(b"GET /a HTTP/1.1\r\nHost: crt.sh\r\n\r\n")]
    (event,) = events(frames, "http")
    assert (event.client, event.server, event.server_port) == (CLIENT, SERVER, 8080)
    assert names([Talk().up(HELLO)]) == ["www.shodan.io"]


def test_content_tells_the_client_where_no_handshake_does() -> None:
    talk = Talk(port=50000, client_port=443)
    found = events([talk.down(b"\0\0"), talk.up(HELLO)])
    assert [(e.kind, e.client, e.client_port, e.server_port) for e in found] == [
        ("tls", CLIENT, 443, 50000),
        ("conn", CLIENT, 443, 50000),
    ]


def connections(frames: list[bytes]) -> list[tuple[str, int, str, int, bool, str | None]]:
    return [
        (e.client, e.client_port, e.server, e.server_port, e.established, e.service) for e in events(frames, "conn")
    ]


def test_a_connection_is_told_once_with_the_time_of_its_syn() -> None:
    frames = [(number / 10, frame) for number, frame in enumerate(Talk().whole(HELLO))]
    (event,) = events(frames, "conn")
    assert event.ts == pytest.approx(START)
    assert (event.established, event.service, event.proto) == (True, "ssl", "tcp")


def test_a_syn_without_an_answer_is_not_established() -> None:
    talk = Talk(port=22)
    assert connections([talk.up(flags=SYN)]) == [(CLIENT, 40001, SERVER, 22, False, None)]
    talk = Talk(port=22)
    refused = [talk.up(flags=SYN), talk.down(flags=RST | ACK)]
    assert connections(refused) == [(CLIENT, 40001, SERVER, 22, False, None)]
    talk = Talk(port=22)
    half_open = [talk.up(flags=SYN), talk.down(flags=SYN | ACK), talk.up(flags=RST)]
    assert connections(half_open) == [(CLIENT, 40001, SERVER, 22, False, None)]


def test_a_handshake_without_data_is_established() -> None:
    assert connections(Talk(port=22).handshake()) == [(CLIENT, 40001, SERVER, 22, True, None)]


def test_midstream_the_lower_port_is_the_server() -> None:
    talk = Talk(port=22)
    frames = [talk.down(b"SSH-2.0-x\r\n"), talk.up(b"SSH-2.0-y\r\n")]
    assert connections(frames) == [(CLIENT, 40001, SERVER, 22, True, None)]


def test_nobody_serves_at_port_0() -> None:
    for frame in (
        Talk(2100, client_port=0).up(b"a"),
        Talk(2100, client_port=0).down(b"b"),
        udp(b"c", 0, 2100, dst=SERVER),
    ):
        assert [e[:4] for e in connections([frame])] == [(CLIENT, 0, SERVER, 2100)]


def test_a_repeated_syn_is_the_same_connection_and_another_is_a_new_one() -> None:
    talk = Talk()
    syn = talk.up(flags=SYN)
    assert len(connections([syn, syn])) == 1
    again = Talk()
    again.sent += 5_000_000
    frames = [*Talk().whole(HELLO), *again.whole(hello("censys.io"))]
    assert names(frames) == ["www.shodan.io", "censys.io"]
    assert len(connections(frames)) == 2


def test_a_forged_reset_does_not_blind() -> None:
    talk = Talk()
    frames = [*talk.handshake(), talk.down(flags=RST), talk.up(HELLO)]
    assert names(frames) == ["www.shodan.io"]
    assert len(connections(frames)) == 1


def test_data_that_overtakes_its_syn_is_read() -> None:
    talk = Talk()
    syn, answer, ack = talk.handshake()
    data = talk.up(HELLO)
    assert names([data, syn, answer, ack]) == ["www.shodan.io"]
    assert len(connections([data, syn, answer, ack])) == 1


def test_data_on_a_syn_is_read() -> None:
    talk = Talk()
    talk.sent += 1
    frames = [talk.up(HELLO, flags=SYN, seq=talk.sent - 1)]
    assert names(frames) == ["www.shodan.io"]


def test_a_fin_that_overtakes_data_ends_nothing() -> None:
    talk = Talk()
    opening, first, second = talk.handshake(), talk.up(HELLO[:70]), talk.up(HELLO[70:], FIN | ACK)
    assert names([*opening, second, first]) == ["www.shodan.io"]


def test_flows_beyond_the_table_are_told_when_they_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconwatch.sources.pcap.transport.MAX_FLOWS", 8)
    frames = [Talk(client_port=port).up(flags=SYN) for port in range(2000, 2100)]
    assert [c[1] for c in connections(frames)] == list(range(2000, 2100))


def test_a_flow_evicted_in_the_middle_of_a_message_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconwatch.sources.pcap.transport.MAX_FLOWS", 8)
    talk = Talk()
    frames = [*talk.handshake(), talk.up(b"GET / HTT")]
    frames += [Talk(client_port=port).up(flags=SYN) for port in range(2000, 2100)]
    _, account = read(pcap(frames))
    assert account.blind["evicted_flows"] == 1


def test_bytes_kept_over_all_flows_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconwatch.sources.pcap.transport.MAX_HELD", 50_000)
    frames = []
    for port in range(2000, 2100):
        talk = Talk(client_port=port)
        frames += [*talk.handshake(), talk.up(b"GET /" + b"a" * 1400)]
    _, account = read(pcap(frames))
    assert account.blind["evicted_flows"] > 30


def test_segments_cut_by_snaplen_give_what_they_hold() -> None:
    talk = Talk()
    frames = [*talk.handshake(), talk.up(HELLO + bytes(500))[:-500]]
    found, account = read(pcap(frames))
    assert [e.name for e in found if e.kind == "tls"] == ["www.shodan.io"]
    cut = [*talk.handshake(), talk.up(hello("www.shodan.io", padding=500))[:-60]]
    assert read(pcap(cut))[1].blind["cut_packets"] == 1
    assert account.skipped == {}


def test_malformed_tcp_headers_are_counted() -> None:
    frame = bytearray(Talk().up(flags=SYN))
    frame[46] = 0x10
    found, account = read(pcap([bytes(frame)]))
    assert found == []
    assert account.skipped == {"a TCP header is malformed or cut": 1}
