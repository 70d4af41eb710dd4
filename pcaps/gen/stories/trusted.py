"""The attack-surface team looks at our own estate, as site.yaml says it may."""

from __future__ import annotations

from cast import TRUSTED
from tape import Tape, clock
from visits import tls_visit, web_visit, whois

START = clock(11, 30, 20.0)


def pcap() -> bytes:
    """The capture."""
    tape = Tape()
    tls_visit(tape, START, TRUSTED, "search.censys.io", browser=False)
    tls_visit(tape, START + 21.5, TRUSTED, "crt.sh", browser=False)
    web_visit(tape, START + 40.2, TRUSTED, "ip-api.com", ["/json/203.0.113.10", "/json/203.0.113.53"])
    whois(
        tape,
        START + 75.0,
        TRUSTED,
        "whois.ripe.net",
        "-T inetnum 203.0.113.0/24",
        "inetnum: 203.0.113.0 - 203.0.113.255\n",
    )
    return tape.pcap()
