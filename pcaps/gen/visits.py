"""What people and programs do: a TLS visit, web requests, a WHOIS question, a QUIC visit, HTTP/2 in clear text."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

from cast import RESOLVER, RESOLVER6, Party, address6_of, address_of, outside
from connection import ONE_WAY, Tcp
from names import resolve
from quic_initial import Initials, ack, crypto, shuffled_hello, transport_parameters
from scapy.layers.inet import UDP
from scapy.packet import Raw
from tape import Tape
from tls_hello import browser_hello, encrypted, record, server_hello, sized, tool_hello

CURL = "curl/7.88.1"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"


def _reach(tape: Tape, at: float, client: Party, name: str, *, browser: bool = False) -> tuple[float, Party]:
    """Resolve `name`; gives the time after it, and the server."""
    if client.version == 6:
        ready = resolve(tape, at, client, name, browser=browser, resolver=RESOLVER6)
        return ready, outside(address6_of(name))
    return resolve(tape, at, client, name, browser=browser, resolver=RESOLVER), outside(address_of(name))


def tls_visit(
    tape: Tape, at: float, client: Party, name: str, *, browser: bool = True, first: tuple[int, ...] = ()
) -> Tcp:
    """Resolve, connect, shake hands, exchange a page, close. `first`: see `browser_hello`."""
    ready, server = _reach(tape, at, client, name, browser=browser)
    tcp = Tcp(tape, ready + 0.001, client, server, 443)
    hello = browser_hello(name, first=first) if browser else tool_hello(name)
    tcp.say(record(22, hello, 0x0301))
    session = hello[39 : 39 + hello[38]]
    tcp.hear(record(22, server_hello(name, session)) + record(20, b"\1") + encrypted(f"certificate {name}", 900))
    tcp.say(record(20, b"\1") + encrypted(f"finished {name}", 53) + encrypted(f"request {name}", 211))
    tcp.hear(encrypted(f"page {name}", 1800), after=0.08)
    tcp.close()
    return tcp


def request(host: str, uri: str, *, agent: str = CURL) -> bytes:
    """An HTTP/1.1 GET."""
    return f"GET {uri} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {agent}\r\nAccept: */*\r\n\r\n".encode()


def response(body: str = "", *, status: str = "200 OK", kind: str = "application/json", more: str = "") -> bytes:
    """An HTTP/1.1 response."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body.encode())}\r\n{more}\r\n"
    return (head + body).encode()


def web_visit(
    tape: Tape, at: float, client: Party, host: str, uris: Sequence[str], *, agent: str = CURL, pause: float = 1.5,
    body: str | None = None,
) -> Tcp:  # fmt: skip
    """Resolve, connect to port 80, and ask for each URI on the one connection, `pause` seconds apart."""
    ready, server = _reach(tape, at, client, host, browser=agent == BROWSER)
    tcp = Tcp(tape, ready + 0.001, client, server, 80)
    for number, uri in enumerate(uris):
        tcp.now = max(tcp.now, ready + number * pause)
        tcp.say(request(host, uri, agent=agent))
        tcp.hear(response(body if body is not None else json.dumps({"status": "success", "query": uri[:40]})))
    tcp.close()
    return tcp


def whois(tape: Tape, at: float, client: Party, server_name: str, line: str, answer: str) -> None:
    """Resolve the registry's server, send the line, get the answer; the server closes (RFC 3912)."""
    ready, server = _reach(tape, at, client, server_name)
    tcp = Tcp(tape, ready + 0.001, client, server, 43)
    tcp.say(f"{line}\r\n".encode())
    tcp.hear(answer.replace("\n", "\r\n").encode(), after=0.06)
    tcp.close(by=1)


def quic_visit(tape: Tape, at: float, client: Party, name: str) -> None:
    """Resolve, then a hello over two Initials in shuffled pieces; the server answers, and all the rest is encrypted."""
    chance = random.Random(f"quic {name}")
    ready, server = _reach(tape, at, client, name, browser=True)
    port, connection = 32768 + chance.randrange(28000), chance.randbytes(8)
    hello = browser_hello(name, quic=transport_parameters(chance))
    ours, theirs = Initials(connection, server=False), Initials(connection, server=True)
    now = ready + 0.001
    for number, frames in enumerate(shuffled_hello(hello, chance), 1):
        tape.record(now, client, server, UDP(sport=port, dport=443) / Raw(ours.packet(number, frames, 1250)))
        now += 0.00004
    now += 2 * ONE_WAY
    answer = theirs.packet(0, ack(2) + crypto(0, server_hello(name, b"")), 1200)
    tape.record(now, server, client, UDP(sport=443, dport=port) / Raw(answer))
    for size in (38, 41):
        now += 0.01
        short = b"\x40" + connection + chance.randbytes(size)
        tape.record(now, client, server, UDP(sport=port, dport=443) / Raw(short))


# HPACK (RFC 7541): indices of the static table, and literals with incremental indexing, without Huffman.
_GET, _HTTP, _AUTHORITY, _PATH, _AGENT = b"\x82", b"\x86", 1, 4, 58


def _literal(index: int, value: str) -> bytes:
    assert index < 63
    assert len(value) < 127
    return bytes([0x40 | index]) + sized(value.encode(), 1)


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def http2_visit(tape: Tape, at: float, client: Party, host: str, uri: str) -> None:
    """HTTP/2 in clear text with prior knowledge (RFC 9113 section 3.3): `curl --http2-prior-knowledge`."""
    ready, server = _reach(tape, at, client, host)
    tcp = Tcp(tape, ready + 0.001, client, server, 80)
    settings = bytes.fromhex("000300000064" + "0004" + "00a00000" + "000200000000")
    headers = _GET + _HTTP + _literal(_PATH, uri) + _literal(_AUTHORITY, host) + _literal(_AGENT, CURL)
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(4, 0, 0, settings)
    tcp.say(preface + _frame(8, 0, 0, (10_420_225).to_bytes(4, "big")) + _frame(1, 5, 1, headers))
    body = b'{"response":{"domaincount":"0"}}'
    tcp.hear(_frame(4, 0, 0, b"") + _frame(4, 1, 0, b"") + _frame(1, 4, 1, b"\x88") + _frame(0, 1, 1, body))
    tcp.say(_frame(4, 1, 0, b""))
    tcp.close()
