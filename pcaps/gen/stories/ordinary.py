"""What everybody does all day, and what only looks like a search: nothing here may be more than a monitor."""

from __future__ import annotations

from cast import CLERK, RESOLVER, UPSTREAM, address_of, outside
from names import AAAA, MX, PTR, TXT, ask, message, resolve
from scapy.layers.inet import TCP, UDP
from scapy.packet import Raw
from tape import Tape, clock
from visits import BROWSER, response, tls_visit, web_visit

START = clock(14, 5, 40.125)
PREFETCHED = (
    "www.shodan.io", "search.censys.io", "crt.sh", "securitytrails.com", "dnsdumpster.com", "fofa.info", "viewdns.info",
    "www.zoomeye.org", "urlscan.io", "www.virustotal.com", "api.certspotter.com", "www.robtex.com",
)  # fmt: skip
"""The links of an article on reconnaissance: the browser resolves them, nobody clicks."""


def pcap() -> bytes:
    """The capture."""
    tape = Tape()
    tls_visit(tape, START, CLERK, "www.example.org")
    web_visit(tape, START + 5.2, CLERK, "news.example.net", ["/", "/style.css"], agent=BROWSER, body="<p>News.</p>")
    _neighbours(tape, START + 12.0)
    _own_zone(tape, START + 40.0)
    for number, name in enumerate(PREFETCHED):
        resolve(tape, START + 60.0 + 0.011 * number, CLERK, name, browser=True)
    _answers_only(tape, START + 90.0)
    return tape.pcap()


def _neighbours(tape: Tape, at: float) -> None:
    """Names that contain a database's or ours and are neither, and our name where no database is asked."""
    tls_visit(tape, at, CLERK, "notshodan.io")
    tls_visit(tape, at + 3.1, CLERK, "shodan.io.example.net", browser=False)
    tls_visit(tape, at + 6.3, CLERK, "crt.sh.example.com", browser=False)
    uris = ["/search?q=acme-widgets.com.evil.example", "/search?q=site%3Aacme-widgets.com", "/whois/203.0.114.10"]
    web_visit(tape, at + 9.4, CLERK, "search.example.org", uris, agent=BROWSER, body="<p>Results.</p>")


def _own_zone(tape: Tape, at: float) -> None:
    """Ordinary resolution of our own zone, forward and reverse."""
    for number, (name, qtype, text) in enumerate(
        [
            ("acme-widgets.com", MX, None),
            ("www.acme-widgets.com", AAAA, None),
            ("intranet.acme-widgets.com", 1, None),
            ("_dmarc.acme-widgets.com", TXT, "v=DMARC1; p=reject"),
            ("10.113.0.203.in-addr.arpa", PTR, "www.acme-widgets.com"),
            ("53.113.0.203.in-addr.arpa", PTR, "ns1.acme-widgets.com"),
        ]
    ):
        ask(tape, at + 0.4 * number, CLERK, name, qtype, text=text)


def _answers_only(tape: Tape, at: float) -> None:
    """Packets whose other half the tap lost: a DNS answer to no question, and the end of a response that names us."""
    answer = message(0x2A2A, "api.shodan.io", 1, answer=True)
    tape.record(at, RESOLVER, CLERK, UDP(sport=53, dport=40022) / Raw(answer))
    tape.record(at + 0.1, UPSTREAM, RESOLVER, UDP(sport=53, dport=40023) / Raw(answer))
    page = response(status="302 Found", more="Location: http://ip-api.com/json/203.0.113.10\r\n")
    segment = TCP(sport=80, dport=40024, seq=0x10203040, ack=0x50607080, flags="PA", window=502)
    tape.record(at + 0.2, outside(address_of("www.example.org")), CLERK, segment / Raw(page))
