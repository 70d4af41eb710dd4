"""ICMP and ICMPv6 echo requests (RFC 792, RFC 4443): who pings whom."""

from __future__ import annotations

from reconwatch.sources.pcap.tell import Teller

ECHO = {8: 4, 128: 16}
"""Type of an echo request -> bytes of an address: a type 8 in IPv6 is no ping."""

PING_LIFE = 60.0
"""Seconds of silence after which the same identifier is another ping (Zeek's icmp_inactivity_timeout)."""

MOST_PINGS = 65_536
"""Pings remembered, some 10 MB."""


class Pings:
    """Tells each ping once: requests with one identifier between two addresses."""

    def __init__(self, teller: Teller) -> None:
        self._teller = teller
        self._last: dict[bytes, float] = {}

    def read(self, ts: float, ends: bytes, data: bytes, at: int) -> None:
        """One message from the first of two addresses to the second, whose header begins at `at`."""
        if not self._teller.has_networks or ECHO.get(data[at], 0) * 2 != len(ends):
            return
        key = ends + data[at + 4 : at + 6]
        last = self._last.pop(key, None)
        if last is None and len(self._last) >= MOST_PINGS:
            del self._last[next(iter(self._last))]
        self._last[key] = ts
        if last is None or ts - last > PING_LIFE:
            self._teller.ping(ts, ends)
