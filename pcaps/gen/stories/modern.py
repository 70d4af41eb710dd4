"""An IPv6 workstation in VLAN 20: QUIC, a hello cut within its server name, and HTTP/2 in clear text."""

from __future__ import annotations

from cast import MODERN
from tape import Tape, clock
from tls_hello import ALPN, COMPRESS, EXTENDED_SECRET, KEY_SHARE, SNI, VERSIONS
from visits import http2_visit, quic_visit, tls_visit

START = clock(13, 40, 7.75)
NAME_LATE = (KEY_SHARE, VERSIONS, ALPN, COMPRESS, EXTENDED_SECRET, SNI)
"""An order of extensions in which the first segment ends within the server name."""


def pcap() -> bytes:
    """The capture."""
    tape = Tape(vlan=20)
    quic_visit(tape, START, MODERN, "www.shodan.io")
    tls_visit(tape, START + 12.1, MODERN, "search.censys.io", first=NAME_LATE)
    uri = "/reverseip/?host=acme-widgets.com&apikey=Wq7RmadeupT2&output=json"
    http2_visit(tape, START + 33.6, MODERN, "viewdns.info", uri)
    return tape.pcap()
