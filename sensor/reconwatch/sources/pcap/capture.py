"""The capture source: packets in, wanted events out."""

from __future__ import annotations

from collections.abc import Generator, Iterator

from reconwatch.events import AnyEvent
from reconwatch.sources.pcap import dns
from reconwatch.sources.pcap.container import open_container
from reconwatch.sources.pcap.ip import TCP, UDP, Datagrams
from reconwatch.sources.pcap.link import ETHERNET, UNKNOWN, network
from reconwatch.sources.pcap.tell import Teller
from reconwatch.sources.pcap.transport import Datagrams as UdpDatagrams
from reconwatch.sources.pcap.transport import Segments
from reconwatch.sources.pcap.tunnel import UDP_TUNNELS
from reconwatch.sources.source import Opening

HOLDS = frozenset({"dns", "answer", "tls", "http", "whois", "conn"})

_TUNNEL_PORTS = frozenset(port.to_bytes(2, "big") for port in UDP_TUNNELS)
_IPV4, _IPV6, _VLAN = b"\x08\x00", b"\x86\xdd", b"\x81\x00"


class CaptureSource:
    """The events of one pcap or pcapng capture, and of those of a rotation that follow it. See `Source`.

    With the funnel the same bytes are decoded by the same readers, but an event that cannot be wanted is never made
    (see `Teller`). Packets of connections that have said what they are cost one look into a table.
    """

    unseen: frozenset[str] = frozenset()

    def __init__(self, opening: Opening) -> None:
        self._teller = Teller(opening)
        messages = dns.Messages(self._teller)
        self._internet = Datagrams(opening.account)
        self._go_on(opening)
        self._tcp = Segments(self._teller, messages)
        self._udp = UdpDatagrams(self._teller, messages)

    def close(self) -> None:
        """Release the stream. Idempotent."""
        self._opening.stream.close()

    def __iter__(self) -> Iterator[AnyEvent]:
        following: Opening | None = self._opening
        while following is not None:
            if following is not self._opening:
                self.close()
                self._go_on(following)
            last = yield from self._packets()
            following = self._opening.following(last)
        self._tcp.close()
        self._udp.close()
        yield from self._teller.out
        self._teller.out.clear()

    def _go_on(self, opening: Opening) -> None:
        """Take up a file, with the flows of those before it."""
        self._opening, self._account = opening, opening.account
        self._account.unit = "packets"
        self._account.holds = set(HOLDS)
        self._internet.account = self._account
        self._teller.go_on(opening)
        self.position = 0

    def _packets(self) -> Generator[AnyEvent, None, float]:
        """The events known by the end of the file that was taken up; returns the time of its last packet."""
        ts = 0.0
        packets = open_container(self._opening.stream, self._account)
        if packets is None:
            return ts
        teller, account = self._teller, self._account
        out, fast, slow = teller.out, self._fast, self._slow
        for ts, link, frame, cut in packets:
            teller.place = packets.number
            if link != ETHERNET or cut or not fast(ts, frame):
                slow(ts, link, frame)
            if out:
                self.position = packets.position
                account.records = packets.number
                yield from out
                out.clear()
        self.position = packets.position
        account.records = packets.number
        return ts

    def _fast(self, ts: float, frame: bytes) -> bool:
        """Read the common case: TCP or UDP in plain IPv4 or IPv6, at most one VLAN tag. False: not done."""
        size, kind, ip = len(frame), frame[12:14], 14
        if kind == _VLAN:
            kind, ip = frame[16:18], 18
        if kind == _IPV4:
            if size < ip + 40 or frame[ip] != 0x45 or frame[ip + 6] & 0x3F or frame[ip + 7]:
                return False
            protocol, start = frame[ip + 9], ip + 20
            key = frame[ip + 12 : ip + 24]
            end = ip + (frame[ip + 2] << 8 | frame[ip + 3])
        elif kind == _IPV6:
            if size < ip + 60 or frame[ip] >> 4 != 6:
                return False
            protocol, start = frame[ip + 6], ip + 40
            key = frame[ip + 8 : ip + 44]
            end = start + (frame[ip + 4] << 8 | frame[ip + 5])
        else:
            return False
        if protocol == TCP:
            stream = self._tcp.young.get(key)
            if stream is not None and stream.quiet and not frame[start + 13] & 7:
                return True
            if start + 20 <= end <= size:
                self._tcp.read(ts, key, frame, start, end, 0)
                return True
        elif (
            protocol == UDP
            and start + 8 <= end <= size
            and key[-2:] not in _TUNNEL_PORTS
            and key[-4:-2] not in _TUNNEL_PORTS
        ):
            self._udp.read(ts, key, frame, start, end, 0)
            return True
        return False

    def _slow(self, ts: float, link: int, frame: bytes) -> None:
        """Read whatever it may be."""
        ip = network(link, frame)
        if ip < 0:
            if ip == UNKNOWN:
                where = f"packet {self._teller.place}"
                self._account.skip(f"link type {link} is not read", where, "convert the capture to Ethernet")
            return
        found = self._internet.read(ts, frame, ip, self._teller.place)
        if found is None:
            return
        protocol, ends, data, start, end, cut = found
        if start + 4 > end:
            self._account.skip("a transport header is cut", f"packet {self._teller.place}")
            return
        key = ends + data[start : start + 4]
        side = self._tcp if protocol == TCP else self._udp
        side.read(ts, key, data, start, end, cut)
