"""The capture source: packets in, wanted events out."""

from __future__ import annotations

from collections.abc import Iterator

from reconwatch.events import AnyEvent
from reconwatch.sources.pcap import dns
from reconwatch.sources.pcap.batch import Batch
from reconwatch.sources.pcap.container import open_container
from reconwatch.sources.pcap.ip import TCP, Datagrams
from reconwatch.sources.pcap.link import UNKNOWN, network
from reconwatch.sources.pcap.tell import Teller
from reconwatch.sources.pcap.transport import Datagrams as UdpDatagrams
from reconwatch.sources.pcap.transport import Segments
from reconwatch.sources.source import Opening

HOLDS = frozenset({"dns", "answer", "tls", "http", "whois", "conn"})


class CaptureSource:
    """The events of one pcap or pcapng capture. See `Source`.

    With the funnel the same bytes are decoded by the same readers, but an event that cannot be wanted is never made
    (see `Teller`). Packets of connections that have said what they are cost one look into a table.
    """

    def __init__(self, opening: Opening) -> None:
        self._opening = opening
        self._account = opening.account
        self._account.unit = "packets"
        self._account.holds = set(HOLDS)
        self._teller = Teller(opening)
        messages = dns.Messages(self._teller)
        self._internet = Datagrams(self._account)
        self._tcp = Segments(self._teller, messages)
        self._udp = UdpDatagrams(self._teller, messages)
        self.position = 0

    def close(self) -> None:
        """Release the stream. Idempotent."""
        self._opening.stream.close()

    def __iter__(self) -> Iterator[AnyEvent]:
        batches = open_container(self._opening.stream, self._account)
        if batches is None:
            return
        teller, account = self._teller, self._account
        out, read = teller.out, self._read
        for batch in batches:
            read(batch)
            self.position = batches.position
            account.records = batches.number
            yield from out
            out.clear()
        self._tcp.close()
        self._udp.close()
        self.position = batches.position
        account.records = batches.number
        yield from out
        out.clear()

    def _read(self, batch: Batch) -> None:
        """Read every packet with care."""
        for number, ts, link, frame, _ in batch.packets():
            self._teller.place = number
            self._packet(ts, link, frame)

    def _packet(self, ts: float, link: int, frame: bytes) -> None:
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
