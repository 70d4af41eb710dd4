"""What follows the searches: a stranger scans us, asks for our zone, tries a leaked name; a crawler collects."""

from __future__ import annotations

import struct

from cast import Party, inside, outside
from connection import Tcp
from names import message
from scapy.layers.inet import TCP
from tape import Tape, clock
from tls_hello import encrypted, record, server_hello, tool_hello
from visits import request, response

START = clock(14, 5, 9.0)
STRANGER = outside("192.0.2.66")
CRAWLER = outside("192.0.2.77")
"""It says that it is Censys's; nobody lists its address."""
WEB, PORTAL, NAMESERVER = inside("203.0.113.10", 0xA0), inside("203.0.113.11", 0xA1), inside("203.0.113.53", 0xA3)
LIVE = {WEB.ip: WEB, PORTAL.ip: PORTAL, NAMESERVER.ip: NAMESERVER}
OPEN = {(WEB.ip, 80), (WEB.ip, 443), (PORTAL.ip, 443)}
PORTS = (
    21, 22, 23, 25, 53, 80, 110, 111, 135, 139, 143, 443, 445, 993, 995, 1433, 3306, 3389, 5432, 5900, 6379, 8080, 8443,
    9200, 27017,
)  # fmt: skip
BAIT = "staging-7f3k2q.acme-widgets.com"
AXFR, REFUSED = 252, 5
AGENT = "Mozilla/5.0 (compatible; CensysInspect/1.1; +https://about.censys.io/)"


def pcap() -> bytes:
    """The capture."""
    tape = Tape()
    for number in range(24):
        _knock(tape, START + 0.4 * number, STRANGER, f"203.0.113.{number}", 443)
    for number, port in enumerate(PORTS):
        _knock(tape, START + 40 + 0.2 * number, STRANGER, WEB.ip, port)
    _transfer(tape, START + 65)
    _greet(tape, START + 80, STRANGER, PORTAL, BAIT)
    asked = Tcp(tape, START + 92, STRANGER, WEB, 80)
    for uri in ("/.git/config", "/.env"):
        asked.say(request("www.acme-widgets.com", uri))
        asked.hear(response("not found", status="404 Not Found", kind="text/plain"))
    asked.close()
    crawled = Tcp(tape, START + 140, CRAWLER, WEB, 80)
    crawled.say(request(WEB.ip, "/", agent=AGENT))
    crawled.hear(response("<title>ACME</title>", kind="text/html", more="Server: nginx/1.22.1\r\n"))
    crawled.close()
    return tape.pcap()


def _knock(tape: Tape, at: float, client: Party, server: str, port: int) -> None:
    """A SYN; an open port answers and is left, a closed one refuses, an address that nobody has says nothing."""
    target = LIVE.get(server, outside(server))
    source, seq = 40_000 + int(at * 10) % 20_000, int(at) & 0xFFFFFFFF
    tape.record(at, client, target, TCP(sport=source, dport=port, seq=seq, flags="S", window=1024))
    if server not in LIVE:
        return
    opened = (server, port) in OPEN
    answer = TCP(sport=port, dport=source, seq=7, ack=seq + 1, flags="SA" if opened else "RA", window=64_240)
    tape.record(at + 0.001, target, client, answer)
    if opened:
        tape.record(at + 0.021, client, target, TCP(sport=source, dport=port, seq=seq + 1, flags="R", window=0))


def _transfer(tape: Tape, at: float) -> None:
    """Our zone is asked for over TCP, and refused."""
    tcp = Tcp(tape, at, STRANGER, NAMESERVER, 53)
    query = message(0x2B1D, "acme-widgets.com", AXFR)
    refused = query[:2] + struct.pack(">H", 0x8100 | REFUSED) + query[4:]
    tcp.say(struct.pack(">H", len(query)) + query)
    tcp.hear(struct.pack(">H", len(refused)) + refused)
    tcp.close()


def _greet(tape: Tape, at: float, client: Party, server: Party, name: str) -> None:
    """A page over TLS."""
    tcp = Tcp(tape, at, client, server, 443)
    hello = tool_hello(name)
    tcp.say(record(22, hello, 0x0301))
    tcp.hear(record(22, server_hello(name, hello[39 : 39 + hello[38]])) + encrypted(f"certificate {name}", 900))
    tcp.say(encrypted(f"request {name}", 211))
    tcp.hear(encrypted(f"page {name}", 700))
    tcp.close()
