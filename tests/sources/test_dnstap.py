"""dnstap files: client, server and message of what a name server saw."""

from __future__ import annotations

import gzip
import struct

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from tests.sources.pcap.wire import packed, question, record, response
from tests.sources.textlog.name_logs import answered, asked, read_bytes

from reconwatch.sources.dnstap import DamagedError, read_fields
from reconwatch.sources.textlog.declared import Declared

CLIENT, RESOLVER, UPSTREAM, WHEN = "10.20.1.11", "10.20.0.53", "198.18.0.1", 1_795_488_645
AUTH_QUERY, AUTH_RESPONSE, RESOLVER_QUERY, RESOLVER_RESPONSE, CLIENT_QUERY, CLIENT_RESPONSE, FORWARDER_QUERY = range(
    1, 8
)
HERE = b"\xc0\x0c"
ANSWER = response("shodan.io", [record(HERE, 1, packed("198.18.4.2"), 300)])


def varint(number: int) -> bytes:
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def field(number: int, value: int | bytes, *, fixed: bool = False) -> bytes:
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    return varint(number << 3 | 5) + struct.pack("<I", value) if fixed else varint(number << 3) + varint(value)


def tapped(
    kind: int, message: bytes, asker: str | None = CLIENT, asked: str | None = RESOLVER, *, ports: bool = True
) -> bytes:
    """A data frame."""
    body = field(1, kind) + field(2, 1) + field(3, 1)
    body += field(4, packed(asker)) if asker else b""
    body += field(5, packed(asked)) if asked else b""
    body += field(6, 40_000) + field(7, 53) if ports else b""
    first = 8 if kind % 2 else 12
    body += field(first, WHEN) + field(first + 1, 500_000_000, fixed=True) + field(first + 2, message)
    frame = field(1, b"ns1") + field(2, b"BIND 9") + field(14, body) + field(15, 1)
    return struct.pack(">I", len(frame)) + frame


def control(kind: int) -> bytes:
    name = b"protobuf:dnstap.Dnstap"
    content = struct.pack(">I", kind) + (struct.pack(">II", 1, len(name)) + name if kind != 3 else b"")
    return struct.pack(">II", 0, len(content)) + content


START, STOP, READY = control(2), control(3), control(4)
ASKED = tapped(CLIENT_QUERY, question("api.shodan.io"))


def test_a_client_s_query_tells_both_ends() -> None:
    (event,), account, told = read_bytes(START + ASKED + STOP)
    assert (event.client, event.client_port, event.server, event.server_port) == (CLIENT, 40_000, RESOLVER, 53)
    assert (event.name, event.qtype, event.ts, event.source) == ("api.shodan.io", 1, WHEN + 0.5, "dnstap")
    assert (account.dialect, account.unit, account.records, account.events) == ("dnstap", "frames", 1, 1)
    assert told == []


@pytest.mark.parametrize("wrap", [bytes, gzip.compress, zstandard.ZstdCompressor().compress])
def test_of_either_direction_and_compressed(wrap) -> None:
    for content in (
        START + ASKED + STOP,
        READY + START + ASKED + STOP,
        START + ASKED + STOP + START + ASKED + STOP,
        START + ASKED,
    ):
        assert len(read_bytes(wrap(content))[0]) == content.count(b"shodan")


def test_a_response_gives_addresses_and_alone_stands_for_its_question() -> None:
    answer = tapped(CLIENT_RESPONSE, ANSWER)
    events, _, _ = read_bytes(START + tapped(CLIENT_QUERY, question("shodan.io")) + answer)
    assert len(asked(events)) == 1
    assert [event.addresses for event in answered(events)] == [(("198.18.4.2", 300.0),)]
    assert asked(read_bytes(START + answer)[0]) == [(CLIENT, "shodan.io", 1)]


def test_what_our_own_name_server_refused() -> None:
    refused = bytearray(response("acme-widgets.com", []))
    refused[3] |= 5
    events, _, _ = read_bytes(
        START + tapped(AUTH_QUERY, question("acme-widgets.com"), "192.0.2.66", "203.0.113.53")
        + tapped(AUTH_RESPONSE, bytes(refused), "192.0.2.66", "203.0.113.53")
    )  # fmt: skip
    assert [(event.client, event.server, event.rcode) for event in answered(events)] == [
        ("192.0.2.66", "203.0.113.53", 5)
    ]


def test_the_resolver_s_own_questions_are_its_upstream_view() -> None:
    (event,), _, _ = read_bytes(START + tapped(RESOLVER_QUERY, question("shodan.io"), RESOLVER, UPSTREAM))
    assert (event.client, event.server) == (RESOLVER, UPSTREAM)


def test_of_unbound_which_does_not_say_from_where_it_asks_it_is_where_it_is_asked() -> None:
    upstream = tapped(FORWARDER_QUERY, question("shodan.io"), "0.0.0.0", UPSTREAM)
    events, account, _ = read_bytes(START + upstream + ASKED + upstream)
    assert [(event.client, event.server) for event in events] == [(CLIENT, RESOLVER), (RESOLVER, UPSTREAM)]
    assert account.skipped == {"a query of the server's own without an address": 1}
    events, account, _ = read_bytes(START + upstream, declared=Declared(server=RESOLVER))
    assert [(event.client, event.server) for event in events] == [(RESOLVER, UPSTREAM)]
    assert not account.skipped


def test_what_was_not_told_is_none() -> None:
    (event,), _, _ = read_bytes(START + tapped(CLIENT_QUERY, question("shodan.io"), asked=None, ports=False))
    assert (event.client_port, event.server, event.server_port) == (None, None, None)
    (event,), _, _ = read_bytes(START + tapped(CLIENT_QUERY, question("shodan.io"), "2001:db8::1", "2001:db8::53"))
    assert (event.client, event.server) == ("2001:db8::1", "2001:db8::53")


def test_damage_is_located_by_byte_and_the_rest_is_read() -> None:
    for damage, reason in (
        (struct.pack(">I", 6) + b"\xff" * 6, "a frame that is no dnstap message"),
        (b"\xff" * 40, "a damaged frame"),
        (tapped(CLIENT_QUERY, question("shodan.io")[:15]), "a DNS message is malformed"),
    ):
        content = START + ASKED + damage + ASKED * 3
        events, account, told = read_bytes(content)
        assert len(events) >= 3  # where a length is damaged, the first frame behind it is not found
        assert account.skipped == {reason: 1}
        assert told[0].startswith(f"dns.log: byte {len(START + ASKED)}: {reason}")


def test_a_file_that_is_still_written_ends_in_half_a_frame() -> None:
    events, account, told = read_bytes(START + ASKED + ASKED[:-9])
    assert len(events) == 1
    assert account.skipped == {"a frame is cut": 1}
    assert told == [f"dns.log: byte {len(START + ASKED)}: a frame is cut"]


def test_frame_streams_of_other_things_are_not_ours() -> None:
    assert read_bytes(START.replace(b"dnstap.Dnstap", b"else11.Nothin") + ASKED)[1].failed


@given(st.lists(st.tuples(st.integers(0, len(ASKED) * 4), st.binary(min_size=1, max_size=6)), max_size=8))
def test_whatever_is_damaged_nothing_is_told_of_others(damages: list[tuple[int, bytes]]) -> None:
    body = bytearray(ASKED * 4)
    for at, junk in damages:
        body[at : at + len(junk)] = junk
    _, account, _ = read_bytes(START + bytes(body))
    assert account.dialect == "dnstap"
    assert account.records <= 5 + len(damages)


@given(st.binary(max_size=64))
def test_any_bytes_are_fields_or_damage(data: bytes) -> None:
    try:
        fields = read_fields(data)
    except DamagedError:
        return
    assert all(isinstance(value, int | bytes) for value in fields.values())
