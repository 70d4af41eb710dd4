"""One workstation looks us up: six databases within two minutes, then registries, all through our resolver."""

from __future__ import annotations

from base64 import b64encode
from urllib.parse import quote

from cast import ANALYST
from names import TXT, ask
from tape import Tape, clock
from visits import BROWSER, tls_visit, web_visit, whois

START = clock(9, 2, 11.25)
KEY = "Wq7RmadeupT2"
"""A made-up credential: no output may show it."""

REGISTRY = """% This is the RIPE Database query service.

inetnum:        203.0.113.0 - 203.0.113.255
netname:        ACME-WIDGETS
country:        ZZ
status:         ASSIGNED PA
source:         RIPE
"""


def pcap() -> bytes:
    """The capture."""
    tape = Tape()
    tls_visit(tape, START, ANALYST, "www.shodan.io")
    tls_visit(tape, START + 14.4, ANALYST, "search.censys.io")
    tls_visit(tape, START + 31.7, ANALYST, "crt.sh")
    tls_visit(tape, START + 47.2, ANALYST, "securitytrails.com")
    tls_visit(tape, START + 62.9, ANALYST, "api.dnsdumpster.com", browser=False)
    question = quote(b64encode(b'domain="acme-widgets.com"').decode(), safe="")
    uri = f"/api/v1/search/all?email=someone%40acme-widgets.com&key={KEY}&qbase64={question}&size=100"
    web_visit(tape, START + 80.3, ANALYST, "fofa.info", [uri])
    whois(tape, START + 110.6, ANALYST, "whois.ripe.net", "-V Md5.5.15 203.0.113.10", REGISTRY)
    web_visit(tape, START + 141.1, ANALYST, "pro.ip-api.com", [f"/json/203.0.113.10?key={KEY}"], agent=BROWSER)
    origin = "64496 | 203.0.113.0/24 | ZZ | ripencc | 2011-05-03"
    ask(tape, START + 170.8, ANALYST, "10.113.0.203.origin.asn.cymru.com", TXT, text=origin)
    return tape.pcap()
