"""ClientHello in TCP: on any port, at the beginning or behind what asks for TLS."""

import struct

import pytest
from tests.sources.pcap.wire import CLIENT, SERVER, Talk, events, hello, hello_body, pcap, read, records

HELLO = hello("Search.Censys.IO", ("h2", "http/1.1"))


def hellos(*payloads: bytes, port: int = 443) -> list[tuple[str, str | None, tuple[str, ...]]]:
    return [(e.transport, e.name, e.alpn) for e in events(Talk(port).whole(*payloads), "tls")]


FOUND = [("tls", "search.censys.io", ("h2", "http/1.1"))]


@pytest.mark.parametrize("port", [443, 8443, 25, 1])
def test_a_hello_is_known_by_content_on_any_port(port: int) -> None:
    assert hellos(HELLO, port=port) == FOUND


def test_the_ends_are_those_of_the_connection() -> None:
    (event,) = events(Talk(8443).whole(HELLO), "tls")
    assert (event.client, event.client_port, event.server, event.server_port) == (CLIENT, 40001, SERVER, 8443)


def test_a_hello_without_a_name_says_so() -> None:
    assert hellos(hello(None)) == [("tls", None, ())]
    bare = b"\x03\x03" + bytes(32) + b"\0\0\x02\0\x2f\x01\0"
    assert hellos(records(b"\x01" + len(bare).to_bytes(3, "big") + bare)) == [("tls", None, ())]


@pytest.mark.parametrize("size", [1, 3, 4, 5, 50, 100])
def test_a_hello_may_span_several_records(size: int) -> None:
    assert hellos(records(hello_body("shodan.io"), size)) == [("tls", "shodan.io", ())]


def test_a_hello_is_told_once_and_what_follows_is_not_looked_at() -> None:
    assert hellos(HELLO, b"\x14\x03\x03\0\x01\x01", HELLO, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") == FOUND


POSTGRES = bytes.fromhex("0000000804d2162f")


@pytest.mark.parametrize(
    "before",
    [
        [POSTGRES],
        [b"EHLO client\r\n", b"STARTTLS\r\n"],
        [b"a1 STARTTLS\r\n"],
        [b"\x05\x01\0", b"\x05\x01\0\x03\x0esearch.censys" + b"\x01\xbb"],
        [b"\x04\x01\x01\xbb\0\0\0\x01\0censys.io\0"],
        [b"\x20\0\0\x01" + bytes(32)],
    ],
    ids=["postgresql", "smtp", "imap", "socks5", "socks4a", "mysql"],
)
def test_a_hello_is_found_behind_what_asks_for_tls(before: list[bytes]) -> None:
    assert hellos(*before, HELLO, port=5432) == FOUND


def test_postgresql_may_send_both_at_once() -> None:
    assert hellos(POSTGRES + HELLO, port=5432) == FOUND


def test_behind_a_connect_the_tunnel_is_read() -> None:
    connect = b"CONNECT Search.Censys.io:443 HTTP/1.1\r\nHost: search.censys.io:443\r\n\r\n"
    expected = [("connect", "search.censys.io", ()), *FOUND]
    assert hellos(connect, HELLO, port=3128) == expected
    assert hellos(connect + HELLO, port=3128) == expected
    assert hellos(connect, connect, HELLO, port=3128) == [expected[0], *expected]


def test_a_path_is_nobody_to_connect_to() -> None:
    assert hellos(b"CONNECT / HTTP/1.1\r\nHost: crt.sh\r\n\r\n", port=3128) == [("connect", "crt.sh", ())]
    assert hellos(b"CONNECT / HTTP/1.1\r\n\r\n", port=3128) == [("connect", None, ())]


def test_a_connect_is_no_http_request() -> None:
    frames = Talk(3128).whole(b"CONNECT crt.sh:443 HTTP/1.1\r\n\r\n", HELLO)
    assert [e.kind for e in events(frames)] == ["tls", "tls", "conn"]


def test_a_hello_of_incredible_length_is_given_up() -> None:
    endless = b"\x16\x03\x01\x40\x00\x01\x0f\xff\xff" + bytes(16_380)
    assert hellos(endless, *[bytes(1400)] * 60) == []


def test_the_name_of_a_hello_that_was_not_captured_whole_is_told_if_it_was_there() -> None:
    body = hello_body("shodan.io")
    longer = body[:1] + (len(body) + 96).to_bytes(3, "big") + body[4:]
    assert hellos(records(longer + bytes(100))[:-4]) == [("tls", "shodan.io", ())]
    assert hellos(hello("shodan.io", padding=300)[:200]) == []


@pytest.mark.parametrize("noise", [b"\x16", b"\x16\x03", b"\x16\x03\x01\x00\x05", b"\x16\x02\x01\x00\x05\x01\0\0"])
def test_what_only_resembles_a_hello_is_none(noise: bytes) -> None:
    found, account = read(pcap(Talk().whole(noise)))
    assert [e.kind for e in found] == ["conn"]
    assert not account.skipped


def test_lying_lengths_inside_a_hello_do_no_harm() -> None:
    body = bytearray(hello_body("shodan.io", ("h2",)))
    for at in range(4, len(body)):
        twisted = body[:at] + b"\xff" + body[at + 1 :]
        hellos(records(bytes(twisted)))
    lying = struct.pack(">HH", 0, 0xFFFF)
    assert hellos(records(bytes(body[:-9]) + lying + bytes(5)))
