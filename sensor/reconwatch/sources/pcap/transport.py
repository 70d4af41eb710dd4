"""TCP segments and UDP datagrams to flows: connections begin and end here, and each payload finds its reader."""

from __future__ import annotations

from dataclasses import dataclass
from struct import unpack_from

from reconwatch.sources.pcap import dns, whois
from reconwatch.sources.pcap.banner import banner
from reconwatch.sources.pcap.certificate import MOST as MOST_BEFORE_CERTIFICATE
from reconwatch.sources.pcap.certificate import CertificateReader
from reconwatch.sources.pcap.http1 import RequestReader
from reconwatch.sources.pcap.quic import VERSIONS, Initials
from reconwatch.sources.pcap.recognise import MAX_SEGMENTS, Recogniser, anew
from reconwatch.sources.pcap.stream import DNS_PORT, MODULUS, Flow, Reader, Stream
from reconwatch.sources.pcap.table import Table
from reconwatch.sources.pcap.tell import Teller, address, ends, turned

MAX_FLOWS = 32_768
"""Flows of one generation, TCP and UDP each: at a measured 1.3 KB a TCP flow, two full generations take 87 MB. A busy
1 Gbit/s link opens about 2,000 flows a second, so a flow may be silent for 15 s and more before it is forgotten; a
hello follows its handshake within a round trip."""

MAX_HELD = 48 << 20
"""Payload bytes kept over all flows before the least recently used half of them has to go."""

UDP_LIFE = 60.0
"""Seconds of silence after which the same ports are a new UDP flow (Zeek's udp_inactivity_timeout)."""

MULTICAST_NAMES = frozenset({137, 5353, 5355})
"""NetBIOS, mDNS and LLMNR: DNS-like, but never a question to a resolver."""

LLMNR = (5355).to_bytes(2, "big")

FIN, SYN, RST, ACK = 1, 2, 4, 16


def client_key(key: bytes) -> bytes:
    """`key` or its opposite, so that the lower port, but not 0, is the destination: the likelier service."""
    source, destination = key[-4:-2], key[-2:]
    return turned(key) if b"\0\0" < source < destination or destination == b"\0\0" else key


@dataclass(slots=True)
class Direction:
    """One side of a connection that was watched from afar (`tcp_triage`)."""

    looked_at: bool
    """It may yet say something that matters."""
    requests: bool
    """It says HTTP requests, and the next one is due."""
    left: int
    """Otherwise: segments that are still looked at (see `Recogniser`)."""
    next: int | None
    """Sequence number of the next byte to be read, where it is known."""
    finished: bool

    def reader(self, stream: Stream) -> Reader | None:
        """Who reads on."""
        if not self.looked_at:
            return None
        return RequestReader(stream, anew) if self.requests else Recogniser(stream, self.left)


def direction(stream: Stream) -> Direction | None:
    """Where a direction stands that may be watched from afar again; None if something of it is held."""
    reader = stream.reader
    if reader is None:
        return Direction(False, False, 0, None, stream.finished)
    if stream.waiting or stream.next is None or reader.held:
        return None
    if isinstance(reader, Recogniser):
        return Direction(True, False, reader.left, stream.next, stream.finished)
    if isinstance(reader, RequestReader) and reader.at_rest():
        return Direction(True, True, MAX_SEGMENTS, stream.next, stream.finished)
    return None


class Segments:
    """The TCP side."""

    def __init__(self, teller: Teller, messages: dns.Messages) -> None:
        self._teller = teller
        self._messages = messages
        self._held = 0
        self._ended = False
        self._table: Table[Stream] = Table(2 * MAX_FLOWS, self._evict)
        self.awake: list[Flow] = []
        """Flows of which a direction is read anew that nobody had read."""

    def find(self, key: bytes) -> Flow | None:
        """The connection of `key`, in either direction, as far as it is being read here."""
        stream = self._table.find(key)
        return None if stream is None else stream.flow

    def resume(
        self, key: bytes, opened: bool, ended: bool, first: int | None, source: Direction, destination: Direction
    ) -> None:
        """Read on where a connection from `key`'s source, its client if `opened`, stands.

        `first`: the client's first sequence number, if it is known. It is not followed: when it began does not matter.
        """
        up = key if opened else client_key(key)
        flow = Flow(self._teller, 0.0, up, opened, followed=False)
        flow.established, flow.ended = True, ended
        sides = (source, destination) if up == key else (destination, source)
        for stream, side in zip((flow.up, flow.down), sides, strict=True):
            # Where it said FIN and no more is known, no number of a SYN is its own.
            stream.next, stream.first = side.next, -1 if side.finished and side.next is None else side.next
            stream.finished = side.finished
            stream.reader = side.reader(stream)
            self._table.put(stream.key, stream)
        if first is not None:
            flow.up.first = first

    def retire(self, flow: Flow) -> tuple[Direction, Direction] | None:
        """Forget a connection that may be watched from afar; where its two directions stand, the client's first.

        None if it cannot: something of it is held, or it is to be told.
        """
        up, down = direction(flow.up), direction(flow.down)
        if flow.followed or up is None or down is None:
            return None
        # Its readers have nothing to tell at the end of it.
        flow.up.reader = flow.down.reader = None
        self._close(flow)
        return up, down

    def read(self, ts: float, key: bytes, data: bytes, at: int, end: int, cut: int) -> None:
        """One segment, whose header begins at `at`; `cut` bytes behind `end` were not captured."""
        offset = data[at + 12] >> 4 << 2 if at + 13 < end else 0
        if offset < 20:
            self._teller.account.skip("a TCP header is malformed or cut", f"packet {self._teller.place}")
            return
        seq, flags, start = int.from_bytes(data[at + 4 : at + 8], "big"), data[at + 13], at + offset
        stream = self._table.find(key)
        if stream is None or (flags & SYN and not flags & ACK and _reused(stream, seq)):
            if stream is not None:
                self._close(stream.flow)
            if flags & RST:
                return
            # A bare ACK opens nothing: the rest of a connection that ended, a keep-alive, a stranger's scan.
            if stream is None and not flags & (SYN | FIN) and start >= end and not cut:
                return
            stream = self._open(ts, key, flags)
        flow = stream.flow
        if flags & SYN:
            seq = self._synchronise(stream, seq, flags)
        elif not flow.established:
            if flags & ACK and stream is flow.up and flow.answered:
                flow.established = True
        elif start >= end and not flags & (FIN | RST) and not cut:
            return
        # A bare ACK may be a keep-alive's, whose number lies before the first byte (RFC 9293 section 3.8.4).
        if stream.first is None and (start < end or cut or flags & (SYN | FIN | RST)):
            stream.first = stream.next = seq
        if start < end:
            if not stream.spoke:
                stream.spoke = True
                flow.established |= stream.peer.spoke
                if flow.followed and stream is flow.down:
                    flow.banner = banner(data[start:end])
            if stream.reader is not None and not _behind_certificate(stream, seq):
                stream.take(seq, data[start:end], ts)
        if cut:
            self._cut(stream, seq + max(0, end - start), cut - max(0, start - end))
        if flags & (FIN | RST):
            self._finish(stream, flags)
        if stream.peer.woken:
            stream.peer.woken = False
            self.awake.append(flow)
        reader = stream.reader
        if (reader is not None and (reader.held or stream.waiting)) or stream.size:
            self._count(stream)  # which may be the end of the flow

    def close(self) -> None:
        """The input is at its end."""
        self._ended = True
        self._table.clear()

    def _open(self, ts: float, key: bytes, flags: int) -> Stream:
        opened = bool(flags & SYN)
        up = (turned(key) if flags & ACK else key) if opened else client_key(key)
        flow = Flow(self._teller, ts, up, opened, self._teller.follows(key))
        port = up[-2:]
        if port == DNS_PORT:
            flow.up.reader = dns.MessageReader(flow.up, self._messages)
            flow.down.reader = dns.MessageReader(flow.down, self._messages)
        elif port == b"\x00\x2b":
            flow.up.reader = whois.LineReader(flow.up)
        else:
            flow.up.reader = Recogniser(flow.up)
            if not opened:
                flow.down.reader = Recogniser(flow.down)
            elif flow.followed and self._teller.ours(address(flow.down.key[: (len(key) - 4) // 2])):
                flow.down.reader, flow.down.extra = CertificateReader(flow.down), True
        self._table.put(up, flow.up)
        self._table.put(flow.down.key, flow.down)
        return flow.up if up == key else flow.down

    @staticmethod
    def _synchronise(stream: Stream, seq: int, flags: int) -> int:
        """Take a SYN, which may come behind the first data; the sequence number of the first byte behind it."""
        flow = stream.flow
        if not flow.opened:
            (stream.peer if flags & ACK else stream).claim(None)
            flow.opened = True
        if not flags & ACK and stream is flow.up:
            flow.asked = True
        if flags & ACK and stream is flow.down:
            flow.answered = True
        return (seq + 1) % MODULUS

    def _cut(self, stream: Stream, seq: int, count: int) -> None:
        if stream.reader is not None and count > 0:
            if not stream.extra:
                self._teller.cut()
            if stream.next == seq % MODULUS:
                stream.lost(count)

    def _finish(self, stream: Stream, flags: int) -> None:
        """A FIN or RST. An RST may be forged or overtake data, so it ends the connection but not the reading."""
        flow = stream.flow
        if flags & FIN:
            stream.finished = True
            if not stream.waiting:
                stream.finish()
        if flags & RST or stream.peer.finished:
            flow.end()

    def _count(self, stream: Stream) -> None:
        size = stream.held()
        if size == stream.size:
            return
        self._held += size - stream.size
        stream.size = size
        while self._held > MAX_HELD:
            self._table.age()

    def _close(self, flow: Flow) -> bool:
        """Forget a flow; whether a message was left half read."""
        self._table.drop(flow.up.key)
        self._table.drop(flow.down.key)
        self._held -= flow.up.size + flow.down.size
        return flow.close()

    def _evict(self, stream: Stream) -> None:
        """Both directions of a flow go together, even if one was met lately."""
        if not stream.flow.closed and self._close(stream.flow) and not self._ended:
            self._teller.account.blind["evicted_flows"] += 1


def _reused(stream: Stream, seq: int) -> bool:
    """Whether a SYN begins a new connection on old ports, rather than repeating or following late its own."""
    flow = stream.flow
    if flow.ended or (flow.opened and stream is flow.down):
        return True
    return stream.first is not None and stream.first != (seq + 1) % MODULUS


def _behind_certificate(stream: Stream, seq: int) -> bool:
    """Whether a segment lies behind where a certificate, the one thing that is read there, would stand."""
    if stream.first is None or not isinstance(stream.reader, CertificateReader):
        return False
    return (seq - stream.first) % MODULUS >= MOST_BEFORE_CERTIFICATE


class Exchange:
    """One UDP flow."""

    __slots__ = ("answered", "ended", "followed", "initials", "key", "last", "quiet", "service", "start")

    def __init__(self, start: float, key: bytes, followed: bool) -> None:
        self.start = self.last = start
        self.followed = followed
        """It is to be told as a Connection, whatever it carries."""
        self.key = key
        """From the client to the server."""
        self.answered = False
        """A datagram came back."""
        self.ended = False
        self.service: str | None = None
        self.initials: Initials | None = None
        self.quiet = False
        """Its payloads can tell nothing any more."""


class Datagrams:
    """The UDP side."""

    def __init__(self, teller: Teller, messages: dns.Messages) -> None:
        self._teller = teller
        self._messages = messages
        self._held = 0
        self._table: Table[Exchange] = Table(2 * MAX_FLOWS, self._end)

    def find(self, key: bytes) -> Exchange | None:
        """The flow of `key`, in either direction, as far as it is being read here."""
        return self._table.find(key)

    def retire(self, exchange: Exchange) -> bool:
        """Forget a flow if nothing it carries can tell anything any more, and it is not followed; whether so."""
        if exchange.followed or exchange.initials is not None:
            return False
        exchange.ended = True
        self._forget(exchange)
        return True

    def read(self, ts: float, key: bytes, data: bytes, at: int, end: int, cut: int, going_on: bool = False) -> None:
        """One datagram, whose header begins at `at`; `cut` bytes behind `end` were not captured.

        `going_on`: its flow began earlier and was not to be followed, though it may be new here.
        """
        if at + 8 > end:
            self._teller.account.skip("a UDP header is malformed or cut", f"packet {self._teller.place}")
            return
        (length,) = unpack_from(">H", data, at + 4)
        if length >= 8:
            end = min(end, at + length)
        exchange = self._table.find(key)
        if exchange is None or (ts - exchange.last > UDP_LIFE and not going_on):
            if exchange is not None:
                self._forget(exchange)
            exchange = self._open(ts, key, data[at + 10 : at + 11] >= b"\x80", not going_on)
        exchange.last = ts
        exchange.answered |= key != exchange.key
        source, destination = key[-4:-2], key[-2:]
        if DNS_PORT in (source, destination):
            if self.message(ts, key, data[at + 8 : end], cut):
                exchange.service = "dns"
        elif not exchange.quiet and data[at + 9 : at + 13] in VERSIONS and data[at + 8] & 0xC0 == 0xC0:
            self._initial(exchange, ts, key, data[at + 8 : end])
        whole = exchange.answered and exchange.initials is None and DNS_PORT not in (source, destination)
        if exchange.followed and whole:
            self._tell(exchange)  # there is no more to it: nobody has to follow a download over QUIC to its end

    def close(self) -> None:
        """The input is at its end."""
        self._table.clear()

    def _open(self, ts: float, key: bytes, response: bool, may_follow: bool) -> Exchange:
        """`response`: what the QR bit would say, were it DNS."""
        # The first to speak is the client, unless only its own port is a service's: the capture began late, or the
        # question went to many (LLMNR).
        source, destination = key[-4:-2], key[-2:]
        answer = response and (source == LLMNR or source == destination == DNS_PORT)
        late = b"\0\0" < source < b"\x04\x00" <= destination or answer
        exchange = Exchange(ts, turned(key) if late else key, may_follow and self._teller.follows(key))
        self._table.put(key, exchange)
        self._table.put(turned(key), exchange)
        return exchange

    def message(self, ts: float, key: bytes, message: bytes, cut: int = 0) -> bool:
        """The payload of a datagram to or from port 53; whether it is DNS."""
        account = self._teller.account
        if cut:
            self._teller.cut()
        if int.from_bytes(key[-4:-2], "big") in MULTICAST_NAMES or int.from_bytes(key[-2:], "big") in MULTICAST_NAMES:
            return False
        try:
            self._messages.read(message, ts, key)
        except dns.Malformed:
            if not cut:
                account.skip("a DNS message is malformed", f"packet {self._teller.place}")
            return False
        return True

    def _initial(self, exchange: Exchange, ts: float, key: bytes, datagram: bytes) -> None:
        """A QUIC packet with a long header; those of the server cannot be opened and change nothing."""
        exchange.service = "quic"
        if exchange.initials is None:
            exchange.initials = Initials(ts)
        initials = exchange.initials
        before = initials.held
        told = initials.feed(datagram, key)
        self._held += initials.held - before
        if told is not None:
            self._release(exchange, initials)
            exchange.key = key
            self._teller.hello(initials.since, ends(key), told[0], told[1], "quic")
        elif initials.spent:
            self._undecodable(exchange, initials)
        while self._held > MAX_HELD:
            self._table.age()

    def _release(self, exchange: Exchange, initials: Initials) -> None:
        self._held -= initials.held
        exchange.initials, exchange.quiet = None, True

    def _undecodable(self, exchange: Exchange, initials: Initials) -> None:
        self._release(exchange, initials)
        name = initials.partial()
        if name is not None:
            self._teller.hello(initials.since, ends(exchange.key), name, (), "quic")
        elif initials.met:
            self._teller.account.blind["quic_undecodable"] += 1

    def _forget(self, exchange: Exchange) -> None:
        self._table.drop(exchange.key)
        self._table.drop(turned(exchange.key))
        if exchange.initials is not None:
            self._undecodable(exchange, exchange.initials)
        if exchange.followed:
            self._tell(exchange)

    def _tell(self, exchange: Exchange) -> None:
        exchange.followed = False
        self._teller.exchange(exchange.start, exchange.key, exchange.answered, exchange.service)

    def _end(self, exchange: Exchange) -> None:
        """Eviction of either key; both go together."""
        if not exchange.ended:
            exchange.ended = True
            self._forget(exchange)
