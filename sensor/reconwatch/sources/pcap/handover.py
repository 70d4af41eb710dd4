"""Connections between the ledger, which knows them as numbers, and the readers, which know them as objects.

A flow that needs care is taken up from its row at the first packet of the batch that is being read, and when the batch
is done its row is told what became of it. One that can tell nothing any more goes back to being a row alone.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from reconwatch.sources.pcap.batch import Batch, Flags, Ints
from reconwatch.sources.pcap.certificate import MOST as MOST_BEFORE_CERTIFICATE
from reconwatch.sources.pcap.columns import Columns, flow_hashes
from reconwatch.sources.pcap.ip import TCP, UDP
from reconwatch.sources.pcap.ledger import (
    BOTH,
    CAREFUL,
    CLIENT,
    DONE,
    ENDED,
    FIRST,
    FOLLOWED,
    HTTP,
    KNOWN,
    LOOK,
    OPENED,
    QUIET,
    Ledger,
)
from reconwatch.sources.pcap.stream import MODULUS, Flow, Stream
from reconwatch.sources.pcap.tcp_triage import Flows
from reconwatch.sources.pcap.tell import turned
from reconwatch.sources.pcap.tls import HANDSHAKE
from reconwatch.sources.pcap.transport import ACK, FIN, RST, SYN, UDP_LIFE, Datagrams, Direction, Segments
from reconwatch.sources.pcap.udp_triage import Judged


def key_at(data: bytearray, ip: int) -> bytes:
    """The key (see `tell.ends`) of the plain packet whose IP header begins at `data[ip]`."""
    return bytes(data[ip + 8 : ip + 44] if data[ip] >> 4 == 6 else data[ip + 12 : ip + 24])


class TcpHandover:
    """The TCP flows of one batch that are read with care."""

    def __init__(self, batch: Batch, flows: Flows, careful: Flags, ledger: Ledger, segments: Segments) -> None:
        self._data = batch.data
        self.flows, self._careful = flows, careful
        self._ledger, self._segments = ledger, segments
        self._keys: dict[int, bytes] = {}
        """Of each flow that is read with care, as its first packet has it."""
        self._given: set[int] = set()

    def begin(self) -> list[int]:
        """Take up what needs care; the packets to be read, as indices into the columns."""
        flows, of, bits = self.flows, self.flows.of, self.flows.bits
        numbers = np.flatnonzero(self._careful)
        fresh = numbers[flows.fresh[numbers]]
        bits[fresh[flows.always[fresh]]] |= BOTH
        # A SYN may begin another connection on the same ports, of which nothing was said yet.
        again = np.unique(of[flows.flags & SYN != 0])
        bits[again[~flows.fresh[again]]] |= BOTH
        bits[fresh[flows.watched[fresh]]] |= FOLLOWED | BOTH
        flows.rows[fresh] = self._ledger.add([flows.hashes[flow] for flow in fresh.tolist()])
        for flow in numbers.tolist():
            key = self._keys[flow] = key_at(self._data, int(flows.packets.ip[flows.first[flow]]))
            if not flows.fresh[flow] and not bits[flow] & CAREFUL:
                resume(self._segments, self._ledger, int(flows.rows[flow]), key, self._side(flow))
        bits[numbers] |= CAREFUL
        self._ledger.bits[flows.rows[numbers]] = bits[numbers]
        heard = (flows.size > 0) & (bits[of] >> flows.side & LOOK != 0)
        bare = (flows.size == 0) & (bits[of] & FOLLOWED != 0) & (bits[of] & BOTH != 0)
        signal = flows.flags & (FIN | SYN | RST) != 0
        told = (heard | bare) & ~self._idle(fresh)
        return self._give(flows.order[self._careful[of] & (told | signal)])

    def _idle(self, fresh: Ints) -> Flags:
        """Packets of connections that are followed which change nothing, though they are of directions looked at.

        Of one that opens in this batch, once and by the book, the server's payloads behind its first, for nobody reads
        them but where a certificate may stand; and all bare ACKs but the one that completes the handshake.
        """
        flows = self.flows
        of, order, count = flows.of, flows.order, len(flows.rows)
        asks = flows.flags & (SYN | ACK) == SYN
        opens = np.bincount(of[asks], minlength=count) == 1
        plain = np.zeros(count, bool)
        plain[fresh] = (flows.watched & ~flows.always & (flows.bits & FIRST != 0) & opens)[fresh]
        server = flows.side != (flows.bits[of] & CLIENT != 0)
        idle: Flags = plain[of] & (server | (flows.size == 0))
        answers = flows.flags & (SYN | ACK) == SYN | ACK
        answered = np.full(count, np.iinfo(np.int64).max)
        np.minimum.at(answered, of[answers & server], order[answers & server])
        spoken, completing = server & (flows.size > 0), ~server & (order > answered[of]) & (flows.flags & ACK != 0)
        for kind in (spoken & plain[of], completing & plain[of]):
            first = np.full(count, len(of))
            at = np.flatnonzero(kind)
            np.minimum.at(first, of[at], at)
            idle[first[first < len(of)]] = False
        return idle & ~self._may_certify(server & (flows.size > 0) & plain[of], answers & server)

    def _may_certify(self, spoken: Flags, answers: Flags) -> Flags:
        """Payloads of servers among which a certificate may be: the first of a stream that begins like TLS."""
        flows, of = self.flows, self.flows.of
        base = np.full(len(flows.rows), -1)
        at = np.flatnonzero(answers)[::-1]
        base[of[at]] = (flows.seq[at].astype(np.int64) + 1) % MODULUS
        behind = (flows.seq.astype(np.int64) - base[of]) % MODULUS
        hidden = np.ones(len(flows.rows), bool)
        """Flows of which the server's first byte is not in the batch, or is that of a handshake."""
        starts = np.flatnonzero(spoken & (behind == 0))[::-1]
        hidden[of[starts]] = self._first_bytes(flows.order[starts]) == HANDSHAKE
        may: Flags = spoken & ((base[of] < 0) | (hidden[of] & (behind < MOST_BEFORE_CERTIFICATE)))
        return may

    def _first_bytes(self, packets: Ints) -> np.typing.NDArray[np.uint8]:
        return np.frombuffer(self._data, np.uint8)[self.flows.packets.body[packets]]

    def follow(self, hits: Flags, behind: int) -> tuple[list[int], set[int]]:
        """Take up what begins in this batch behind place `behind` and has `hits` among its packets.

        Gives the packets to be read, and the flows, whose hellos are no longer to be read apart.
        """
        flows = self.flows
        numbers = np.unique(flows.of[hits[flows.order]])
        begun = flows.packets.place[flows.first[numbers]] > behind
        numbers = numbers[flows.fresh[numbers] & begun]
        taken = numbers[~self._careful[numbers]]
        self._careful[taken] = True
        self._ledger.bits[flows.rows[taken]] = CAREFUL | FOLLOWED | BOTH
        for flow in taken.tolist():
            self._keys[flow] = key_at(self._data, int(flows.packets.ip[flows.first[flow]]))
        # With their bare ACKs, which the flows were numbered without: they tell whether a handshake was done. Also of
        # those that are read with care for another reason, and will be followed too.
        hashes = np.array([flows.hashes[flow] for flow in numbers.tolist()], np.uint64)
        its = np.flatnonzero(np.isin(flows.packets.flow >> np.uint64(1), hashes))
        return self._give(its), set(taken.tolist())

    def wake(self, awake: Iterable[Flow], behind: int) -> list[int]:
        """The packets behind place `behind` of directions that nobody had read and somebody reads now."""
        flows = self.flows
        numbers = {key: flow for flow, first in self._keys.items() for key in (first, turned(first))}
        more: list[int] = []
        for flow in awake:
            number = numbers.get(flow.up.key)
            if number is not None:
                its = flows.order[(flows.of == number) & (flows.size > 0)]
                more += self._give(its[flows.packets.place[its] > behind])
        return more

    def _give(self, packets: Ints) -> list[int]:
        given = [packet for packet in packets.tolist() if packet not in self._given]
        self._given.update(given)
        return given

    def _side(self, flow: int) -> int:
        """The side of the source of its key."""
        return int(self.flows.packets.flow[self.flows.first[flow]]) & 1

    def settle(self) -> None:
        """Tell the rows what became of their flows."""
        for flow, key in self._keys.items():
            row = int(self.flows.rows[flow])
            settle(self._segments, self._ledger, self.flows.hashes[flow], row, key, self._side(flow))


def resume(segments: Segments, ledger: Ledger, row: int, key: bytes, side: int) -> None:
    """Have `segments` read on where a row stands. `side` is that of the source of `key`."""
    bits = int(ledger.bits[row])
    opened = bool(bits & OPENED)
    if opened and side != (bits & CLIENT != 0):
        key, side = turned(key), 1 - side
    directions = [
        Direction(
            looked_at=bool(bits >> one & LOOK),
            requests=bool(bits >> one & HTTP),
            left=int(ledger.left[row, one]),
            next=int(ledger.next[row, one]) if bits >> one & KNOWN else None,
            finished=bool(bits >> one & DONE),
        )
        for one in (side, 1 - side)
    ]
    first = int(ledger.first[row]) if bits & FIRST else None
    segments.resume(key, opened, bool(bits & ENDED), first, *directions)


def settle(segments: Segments, ledger: Ledger, flow_hash: int, row: int, key: bytes, side: int) -> None:
    """Bring a row up to date with its flow in `segments`. `side` is that of the source of `key`."""
    flow = segments.find(key)
    if flow is None:
        ledger.drop(flow_hash)
        return
    up = side if flow.up.key == key else 1 - side
    bits = ENDED if flow.ended else 0
    if flow.opened:
        bits |= OPENED | CLIENT * up
        if flow.up.first is not None and flow.up.first >= 0:
            bits |= FIRST
            ledger.first[row] = flow.up.first
    retired = segments.retire(flow)
    if retired is None:
        bits |= CAREFUL | (FOLLOWED if flow.followed else 0)
        bits |= (0 if _quiet(flow.up) else LOOK << up) | (0 if _quiet(flow.down) else LOOK << 1 - up)
    else:
        for one, stands in zip((up, 1 - up), retired, strict=True):
            bits |= (DONE if stands.finished else 0) << one
            if stands.looked_at:
                bits |= (LOOK | KNOWN | (HTTP if stands.requests else 0)) << one
                ledger.next[row, one], ledger.left[row, one] = stands.next or 0, stands.left
    ledger.bits[row] = bits


def _quiet(stream: Stream) -> bool:
    """Whether a direction's payloads can tell nothing: neither what they say nor that they are there."""
    return stream.reader is None and (not stream.flow.followed or stream.spoke)


class OddHandover:
    """The flows of packets that came in no columns: read with care from the beginning."""

    def __init__(self, keys: list[tuple[int, bytes]], tcp: Ledger, udp: Ledger, segments: Segments) -> None:
        """`keys`: (protocol, key) of each transport."""
        hashes = flow_hashes(keys) if keys else np.zeros(0, np.uint64)
        self._tcp, self._udp, self._segments = tcp, udp, segments
        self._streams: dict[bytes, tuple[int, int]] = {}
        """(hash, side) by key, of TCP."""
        self._datagrams: dict[bytes, int] = {}
        """Hash by key, of UDP."""
        for (protocol, key), value in zip(keys, hashes.tolist(), strict=True):
            if protocol == TCP:
                self._streams[key] = (value >> 1, value & 1)
            elif protocol == UDP:
                self._datagrams[key] = value >> 1
        for key, (value, side) in self._streams.items():
            row = int(tcp.find([value])[0])
            if row < 0:
                tcp.bits[tcp.add([value])] = CAREFUL | FOLLOWED | BOTH
            elif not tcp.bits[row] & CAREFUL:
                resume(segments, tcp, row, key, side)
                tcp.bits[row] |= CAREFUL | BOTH

    def meet(self, key: bytes, ts: float) -> tuple[bool, bool]:
        """Of a UDP flow that is met: whether it began earlier and is not followed, and whether it can tell nothing."""
        value = self._datagrams[key]
        row = int(self._udp.find([value])[0])
        if row < 0:
            row = int(self._udp.add([value])[0])
            self._udp.last[row] = -np.inf
        alive = ts - float(self._udp.last[row]) <= UDP_LIFE
        if not alive:
            self._udp.bits[row] = 0
        self._udp.last[row] = ts
        bits = int(self._udp.bits[row])
        return alive and not bits & FOLLOWED, alive and bits & (FOLLOWED | QUIET) == QUIET

    def settle(self, datagrams: Datagrams) -> None:
        """Tell the rows what became of their flows."""
        for key, (value, side) in self._streams.items():
            row = int(self._tcp.find([value])[0])
            # It may have been settled already, among those that had plain packets too.
            if row >= 0 and self._tcp.bits[row] & CAREFUL:
                settle(self._segments, self._tcp, value, row, key, side)
        for key, value in self._datagrams.items():
            row = int(self._udp.find([value])[0])
            if row >= 0:
                settle_datagrams(datagrams, self._udp, row, key)


def settle_datagrams(datagrams: Datagrams, ledger: Ledger, row: int, key: bytes) -> None:
    """Bring a row up to date with its flow in `datagrams`."""
    exchange = datagrams.find(key)
    if exchange is None:
        return
    bits = (FOLLOWED if exchange.followed else 0) | (QUIET if exchange.quiet else 0)
    ledger.bits[row] = bits if datagrams.retire(exchange) else bits | CAREFUL


class UdpHandover:
    """The UDP flows of one batch that are read with care."""

    def __init__(self, batch: Batch, packets: Columns, judged: Judged, ledger: Ledger, datagrams: Datagrams) -> None:
        self._data = batch.data
        self._packets, self._judged = packets, judged
        self._ledger, self._datagrams = ledger, datagrams
        self._keys: dict[int, bytes] = {}
        self._given = set(judged.handed.tolist())
        self._flow = packets.flow >> np.uint64(1)

    def begin(self) -> list[int]:
        """The datagrams to be read."""
        handed: list[int] = self._judged.handed.tolist()
        for packet in handed:
            self._note(packet)
        return handed

    def _note(self, packet: int) -> None:
        flow = int(self._flow[packet])
        if flow not in self._keys:
            self._keys[flow] = key_at(self._data, int(self._packets.ip[packet]))

    def follow(self, hits: Flags, behind: int) -> list[int]:
        """The datagrams of flows that begin in this batch behind place `behind` and have `hits` among them."""
        fresh, place = self._judged.fresh, self._packets.place
        more: list[int] = []
        for flow in np.unique(self._flow[hits & fresh & (place > behind)]).tolist():
            its = np.flatnonzero((self._flow == np.uint64(flow)) & fresh)
            if place[its[0]] > behind:
                self._note(int(its[0]))
                more += [packet for packet in its.tolist() if packet not in self._given]
        self._given.update(more)
        return more

    def settle(self) -> None:
        """Tell the rows what became of their flows."""
        for key, row in zip(self._keys.values(), self._ledger.find(list(self._keys)).tolist(), strict=True):
            if row >= 0:
                settle_datagrams(self._datagrams, self._ledger, row, key)
