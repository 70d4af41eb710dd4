"""A script walks our /24 at a geolocation service: 60 requests within 90 s, over four kept connections."""

from __future__ import annotations

from cast import SCRAPER
from tape import Tape, clock
from visits import web_visit

START = clock(10, 15, 3.5)
EACH, PAUSE = 15, 1.5


def pcap() -> bytes:
    """The capture."""
    tape = Tape()
    for batch in range(4):
        uris = [f"/json/203.0.113.{1 + batch * EACH + n}?fields=org,as" for n in range(EACH)]
        at = START + batch * EACH * PAUSE
        web_visit(tape, at, SCRAPER, "ip-api.com", uris, agent="python-requests/2.32.5", pause=PAUSE)
    return tape.pcap()
