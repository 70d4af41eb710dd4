"""DNS on port 53: who asked, what for, and which addresses came back."""

import struct

import pytest
from tests.sources.pcap.wire import (
    CLIENT,
    RESOLVER,
    START,
    Talk,
    events,
    name,
    packed,
    pcap,
    question,
    read,
    record,
    response,
    udp,
)

HERE = b"\xc0\x0c"
BACK = {"sport": 53, "dport": 40000, "src": RESOLVER, "dst": CLIENT}


def answers(message: bytes) -> list[tuple[str, tuple[tuple[str, float], ...], bool]]:
    frames = [udp(question("shodan.io")), udp(message, **BACK)]
    return [(e.name, e.addresses, e.ech) for e in events(frames, "answer")]


def test_a_question_names_client_resolver_and_type() -> None:
    (event,) = events([(0.5, udp(question("API.Shodan.IO", 28)))], "dns")
    assert (event.client, event.client_port, event.server, event.server_port) == (CLIENT, 40000, RESOLVER, 53)
    assert (event.name, event.qtype) == ("api.shodan.io", 28)
    assert event.ts == pytest.approx(START + 0.5)


def test_an_answer_gives_addresses_with_their_lifetimes_and_repeats_no_question() -> None:
    reply = response("shodan.io", [record(HERE, 1, packed("198.18.4.2"), 300), record(HERE, 28, packed("2001:db8::1"))])
    found = events([udp(question("shodan.io")), udp(reply, **BACK)])
    assert [e.kind for e in found] == ["dns", "answer", "conn"]
    assert found[1].addresses == (("198.18.4.2", 300.0), ("2001:db8::1", 60.0))
    assert (found[1].client, found[1].server, found[1].server_port) == (CLIENT, RESOLVER, 53)


def test_an_answer_whose_question_was_not_captured_stands_for_it() -> None:
    found = events([udp(response("shodan.io", []), **BACK)])
    assert [(e.kind, e.client, e.server) for e in found] == [("dns", CLIENT, RESOLVER), ("conn", CLIENT, RESOLVER)]


def test_addresses_are_found_through_aliases_and_only_through_them() -> None:
    records = [
        record(HERE, 5, name("cdn.example")),
        record(name("cdn.example"), 5, name("edge.example")),
        record(name("edge.EXAMPLE"), 1, packed("198.18.4.2")),
        record(name("poison.example"), 1, packed("192.0.2.1")),
    ]
    assert answers(response("shodan.io", records)) == [("shodan.io", (("198.18.4.2", 60.0),), False)]


def test_aliases_that_run_in_a_circle_end() -> None:
    records = [record(HERE, 5, name("a.test")), record(name("a.test"), 5, name("shodan.io"))]
    assert answers(response("shodan.io", records)) == []


def test_an_https_record_with_ech_is_told() -> None:
    with_ech = b"\0\x01\0" + struct.pack(">HH", 1, 3) + b"\x02h2" + struct.pack(">HH", 5, 2) + b"ab"
    without = b"\0\x01\0" + struct.pack(">HH", 1, 3) + b"\x02h2"
    assert answers(response("shodan.io", [record(HERE, 65, with_ech)], 65)) == [("shodan.io", (), True)]
    assert answers(response("shodan.io", [record(HERE, 65, without)], 65)) == []


def test_an_answer_cut_in_a_record_gives_what_came_before() -> None:
    whole = response("shodan.io", [record(HERE, 1, packed("198.18.4.2")), record(HERE, 1, packed("198.18.4.3"))])
    assert answers(whole[:-2]) == [("shodan.io", (("198.18.4.2", 60.0),), False)]


@pytest.mark.parametrize(
    ("wire", "told"),
    [
        (b"\x03a\xe4b\x02de\0", r"a\xe4b.de"),
        (b"\x03a\nb\x02de\0", r"a\x0ab.de"),
        (b"\x09shodan.io\x04test\0", r"shodan\x2eio.test"),
        ("\x06münch".encode() + b"\0", "münch"),
        (b"\x05a\0b c\0", r"a\x00b\x20c"),
        (b"\0", ""),
    ],
)
def test_bytes_that_are_no_name_are_shown_as_numbers(wire: bytes, told: str) -> None:
    message = struct.pack(">HHHHHH", 7, 0x0100, 1, 0, 0, 0) + wire + b"\0\x01\0\x01"
    assert [e.name for e in events([udp(message)], "dns")] == [told]


def test_a_message_may_hold_several_questions() -> None:
    message = (
        struct.pack(">HHHHHH", 7, 0x0100, 2, 0, 0, 0) + name("a.test") + b"\0\x01\0\x01" + b"\x01b\xc0\x0e\0\x1c\0\x01"
    )
    assert [(e.name, e.qtype) for e in events([udp(message)], "dns")] == [("a.test", 1), ("b.test", 28)]


@pytest.mark.parametrize("wire", [b"\xc0\x0c", b"\x01a\xc0\x0c", b"\x40a\0", b"\x3fab", b"\xc0", b"\x01a\xc0\xff"])
def test_names_that_loop_or_run_off_are_counted(wire: bytes) -> None:
    message = struct.pack(">HHHHHH", 7, 0x0100, 1, 0, 0, 0) + wire
    found, account = read(pcap([udp(message), udp(question("shodan.io"))]))
    assert [e.name for e in found if e.kind == "dns"] == ["shodan.io"]
    assert account.skipped == {"a DNS message is malformed": 1}


def test_a_name_whose_end_is_a_pointer_is_not_remembered_for_another_message() -> None:
    head = struct.pack(">HHHHHH", 7, 0x0100, 1, 0, 0, 0)
    # The pointer's second byte is the first zero of the message: offset 0, the identifier.
    first = b"\x01x\0\0" + head[4:] + b"\x01a\xc0\x00" + b"\0\x01\0\x01"
    second = b"\x01y\0\0" + head[4:] + b"\x01a\xc0\x00" + b"\0\x01\0\x01"
    assert [e.name for e in events([udp(first), udp(second)], "dns")] == ["a.x", "a.y"]


def test_updates_inverse_queries_and_multicast_names_are_no_questions() -> None:
    update = bytearray(question("acme-widgets.com", 6))
    update[2] = 0x28
    inverse = bytearray(response("[4.3.2.1]", [record(HERE, 1, packed("4.3.2.1"))]))
    inverse[2] = 0x88
    frames = [udp(bytes(update)), udp(question("printer.local"), 5353, 5353), udp(question("x"), 137, 137)]
    frames += [udp(bytes(inverse), **BACK)]
    assert events(frames, "dns") == []


def test_who_answers_a_question_to_many_is_not_the_client() -> None:
    answer = udp(response("printer", []), sport=5355, dport=40000, src=RESOLVER, dst=CLIENT)
    assert [(e.client, e.server, e.server_port) for e in events([answer], "conn")] == [(CLIENT, RESOLVER, 5355)]


def test_dns_over_tcp_is_read_however_it_is_cut() -> None:
    first, second = question("axfr.test", 252), question("b.test")
    stream = b"".join(len(m).to_bytes(2, "big") + m for m in (first, second))
    for cut in range(1, len(stream)):
        talk = Talk(port=53)
        found = events(talk.whole(stream[:cut], stream[cut:]), "dns")
        assert [(e.name, e.qtype) for e in found] == [("axfr.test", 252), ("b.test", 1)]


def test_answers_over_tcp_give_addresses() -> None:
    talk = Talk(port=53, server=RESOLVER)
    ask, reply = question("shodan.io"), response("shodan.io", [record(HERE, 1, packed("198.18.4.2"))])
    frames = [
        *talk.handshake(),
        talk.up(len(ask).to_bytes(2, "big") + ask),
        talk.down(len(reply).to_bytes(2, "big") + reply),
    ]
    found = events(frames + talk.ending())
    assert [e.kind for e in found] == ["dns", "answer", "conn"]
    assert found[1].client == CLIENT
    assert found[2].service == "dns"
