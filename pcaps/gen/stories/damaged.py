"""A capture as disks and taps really leave them: one packet cut by the snap length, the last record cut by a crash."""

from __future__ import annotations

from cast import VISITOR
from tape import Tape, clock
from visits import tls_visit, web_visit

START = clock(15, 20, 55.5)
SNAPPED = 96
"""Bytes that are left of one packet: the hello in it ends before its server name."""
LOST = 41
"""Bytes that the end of the file lacks."""


def pcap() -> bytes:
    """The capture."""
    tape = Tape()
    tls_visit(tape, START, VISITOR, "www.shodan.io", browser=False)
    web_visit(tape, START + 20.0, VISITOR, "ip-api.com", ["/json/203.0.113.10"])
    tls_visit(tape, START + 40.0, VISITOR, "www.example.org", browser=False)
    return tape.pcap(cut={tape.number_of(b"www.example.org"): SNAPPED})[:-LOST]
