"""The capture source: packets in, wanted events out."""

from __future__ import annotations

from collections.abc import Generator, Iterator

from reconwatch.events import AnyEvent
from reconwatch.sources.pcap import dns
from reconwatch.sources.pcap.batch import Batch
from reconwatch.sources.pcap.columns import split
from reconwatch.sources.pcap.container import open_container
from reconwatch.sources.pcap.funnel import Funnel
from reconwatch.sources.pcap.icmp import Pings
from reconwatch.sources.pcap.ip import TCP, UDP, Datagrams, Transport
from reconwatch.sources.pcap.link import UNKNOWN, network
from reconwatch.sources.pcap.tell import Teller
from reconwatch.sources.pcap.transport import Datagrams as UdpDatagrams
from reconwatch.sources.pcap.transport import Segments
from reconwatch.sources.source import Opening

HOLDS = frozenset({"dns", "answer", "tls", "http", "whois", "conn"})


class CaptureSource:
    """The events of one pcap or pcapng capture, and of those of a rotation that follow it. See `Source`.

    With the funnel the same readers read the same bytes, but only those of packets that may tell something.
    """

    unseen = frozenset({"answer"})
    """Answers for other names are not looked into for addresses that nobody knows."""

    def __init__(self, opening: Opening) -> None:
        self._teller = Teller(opening)
        messages = dns.Messages(self._teller)
        self._internet = Datagrams(opening.account)
        self._go_on(opening)
        self._tcp = Segments(self._teller, messages)
        self._udp = UdpDatagrams(self._teller, messages)
        self._pings = Pings(self._teller)
        self._funnel = Funnel(self._teller, self._tcp, self._udp, self._pings) if opening.funnel else None

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
        last = 0.0
        batches = open_container(self._opening.stream, self._account)
        if batches is None:
            return last
        out, read = self._teller.out, self._read
        for batch in batches:
            read(batch)
            self.position = batches.position
            self._account.records = batches.number
            yield from out
            out.clear()
            if len(batch):
                last = float(batch.times[-1])
        self.position = batches.position
        self._account.records = batches.number
        return last

    def _read(self, batch: Batch) -> None:
        if self._funnel is None:
            for number, ts, link, frame, _ in batch.packets():
                found = self._transport(number, ts, link, frame)
                if found is not None:
                    protocol, ends, data, start, end, cut = found
                    if protocol not in (TCP, UDP):
                        self._pings.read(ts, ends, data, start)
                        continue
                    side = self._tcp if protocol == TCP else self._udp
                    side.read(ts, ends + data[start : start + 4], data, start, end, cut)
            return
        tcp, udp, odd = split(batch)
        found_odd = []
        for place, (number, ts, link, frame, _) in zip(odd, batch.take(odd).packets(), strict=True):
            found = self._transport(number, ts, link, frame)
            if found is not None:
                found_odd.append((place, found))
        self._funnel.read(batch, (tcp, udp), found_odd)

    def _transport(self, number: int, ts: float, link: int, frame: bytes) -> Transport | None:
        """The TCP segment, UDP datagram or ICMP message in a packet, if there is one."""
        self._teller.place = number
        ip = network(link, frame)
        if ip < 0:
            if ip == UNKNOWN:
                self._account.skip(
                    f"link type {link} is not read", f"packet {number}", "convert the capture to Ethernet"
                )
            return None
        found = self._internet.read(ts, frame, ip, number)
        if found is not None and found[3] + 4 > found[4]:
            self._account.skip("a transport header is cut", f"packet {number}")
            return None
        return found
