"""TCP, a batch at a time: which connections go as nearly all do, and which have to be read with care.

As nearly all do: in order, and each direction that is looked at says nothing that could be a head (see `recognise`), or
a whole TLS hello, or HTTP requests of one segment each. Of such a connection only these reach Python, and a row in the
ledger remembers where it stands. Any other (a hello that goes on in a later batch, a request in several segments, a
gap, a repetition, a port used anew) is handed to `transport.Segments` from its first packet in the batch on, with what
its row knows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reconwatch.sources.pcap.batch import Flags, Ints, begins, rows
from reconwatch.sources.pcap.columns import Columns
from reconwatch.sources.pcap.http1 import Head, whole_request
from reconwatch.sources.pcap.ledger import BOTH, CAREFUL, CLIENT, DONE, ENDED, FIRST, HTTP, KNOWN, LOOK, OPENED, Ledger
from reconwatch.sources.pcap.recognise import MAX_SEGMENTS, POSTGRES_SSL_REQUEST, is_head
from reconwatch.sources.pcap.tls import MAX_HELLO
from reconwatch.sources.pcap.transport import ACK, FIN, RST, SYN

_NEVER = np.int64(1 << 62)
_PREAMBLE = np.frombuffer(POSTGRES_SSL_REQUEST, np.uint8)


@dataclass(slots=True)
class Hellos:
    """Whole hellos, one an item."""

    flow: Ints
    """Number of the flow in the batch."""
    first: Ints
    """Index in the columns of the packet that begins it."""
    pieces: list[list[tuple[int, int]]]
    """Where in the batch's data its bytes are: (start, end) of each segment."""


@dataclass(slots=True)
class Requests:
    """HTTP requests, one an item."""

    flow: Ints
    """Number of the flow in the batch."""
    packet: Ints
    """Index in the columns."""
    heads: list[Head]


class Flows:
    """The flows of one batch that have to be looked at, numbered from 0; their packets, sorted by (flow, side, time).

    Bare ACKs are left out: they tell nothing, but of flows that are followed.
    """

    def __init__(self, packets: Columns, watched: Flags, always: Flags, ledger: Ledger) -> None:
        self.packets = packets
        signal = packets.flags & (FIN | SYN | RST) != 0
        chosen = np.flatnonzero(signal | (packets.body < packets.end) | watched)
        self.order = order = chosen[np.argsort(packets.flow[chosen], kind="stable")]
        """Indices into the columns."""
        stream = packets.flow[order]
        flow = stream >> np.uint64(1)
        first = begins(flow)
        self.starts = np.flatnonzero(first)
        self.of = np.cumsum(first) - 1
        """The flow of each packet."""
        self.stream = np.cumsum(begins(stream)) - 1
        self.side = (stream & np.uint64(1)).astype(np.int64)
        self.hashes: list[int] = flow[self.starts].tolist()
        self.rows = ledger.find(self.hashes)
        self.fresh = self.rows < 0
        self.first = np.minimum.reduceat(order, self.starts) if len(order) else order
        """Index in the columns of each flow's first packet."""
        self.watched = np.logical_or.reduceat(watched[order], self.starts) if len(order) else watched[:0]
        self.always = always[self.first]
        self.flags = packets.flags[order]
        self.seq = packets.seq[order]
        self.size = (packets.end - packets.body)[order]
        self.bits, self.isn = self._standing(ledger)
        """As they were before the batch; what a fresh flow's first packet says of it."""

    def _standing(self, ledger: Ledger) -> tuple[Ints, np.typing.NDArray[np.uint32]]:
        flags = self.packets.flags[self.first]
        side = (self.packets.flow[self.first] & np.uint64(1)).astype(np.int64)
        opens, answers = flags & SYN != 0, flags & ACK != 0
        client = np.where(answers, 1 - side, side)
        known = np.where(opens & ~answers, KNOWN << client, 0)
        begun = np.where(opens, OPENED | CLIENT * client | LOOK << client | known, BOTH)
        begun |= np.where(opens & ~answers, FIRST, 0)
        isn = self.packets.seq[self.first] + np.uint32(1)
        bits = np.where(self.fresh, begun, ledger.bits[self.rows])
        return bits, np.where(self.fresh, isn, ledger.first[self.rows])


class TcpTriage:
    """Goes through the flows of one batch after the other."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def look(
        self, data: bytearray, packets: Columns, watched: Flags, always: Flags
    ) -> tuple[Flows, Flags, Hellos, Requests]:
        """(the flows, which of them to read with care, the hellos and the requests of the others).

        `watched` packets belong to connections that may be told; `always` ones to services that are always read. The
        rows of flows that go as nearly all do are brought up to date.
        """
        flows = Flows(packets, watched, always, self._ledger)
        # An RST begins nothing: what may follow on its ports does.
        odd = flows.watched | flows.always | (packets.flags[flows.first] & RST != 0)
        careful = (flows.bits & CAREFUL != 0) | (flows.fresh & odd)
        looking = flows.bits[flows.of] >> flows.side & LOOK != 0
        near = np.flatnonzero(
            (((flows.size > 0) & looking) | (flows.flags & (SYN | FIN | RST) != 0)) & ~careful[flows.of]
        )
        heads = _Heads(flows, near, self._ledger, data)
        heads.check_openings(careful)
        heads.check_payloads(careful)
        hellos, requests = heads.hellos(careful), heads.requests(careful)
        heads.settle(careful)
        return flows, careful, hellos, requests


class _Heads:
    """What the directions that are looked at say in one batch. The steps are to be taken in the order of `look`."""

    def __init__(self, flows: Flows, near: Ints, ledger: Ledger, data: bytearray) -> None:
        self._flows, self._near, self._ledger, self._data = flows, near, ledger, data
        flags = flows.flags[near]
        self._fins = near[flags & FIN != 0]
        said = np.full(int(flows.stream[-1]) + 1 if len(flows.order) else 0, _NEVER)
        # In reverse, so that the first of a stream is what stays.
        said[flows.stream[self._fins[::-1]]] = flows.order[self._fins[::-1]]
        bits = flows.bits[flows.of[near]]
        spoken = near[(flows.size[near] > 0) & (bits >> flows.side[near] & LOOK != 0)]
        spoken = spoken[flows.order[spoken] <= said[flows.stream[spoken]]]
        self._at = spoken
        """Payloads in directions that are looked at, as indices into the sorted packets."""
        first = begins(flows.stream[spoken])
        self._starts = np.flatnonzero(first)
        self._of = np.cumsum(first) - 1
        """The stream of each payload, numbered from 0 here."""

    def check_openings(self, careful: Flags) -> None:
        """SYNs that do anything but open a fresh flow, or repeat the one that did."""
        flows = self._flows
        at = self._near[flows.flags[self._near] & SYN != 0]
        flow, flags, bits = flows.of[at], flows.flags[at], flows.bits[flows.of[at]]
        asks = flags & ACK == 0
        from_client = flows.side[at] == (bits & CLIENT != 0)
        odd = (flows.size[at] > 0) | (bits & OPENED == 0) | (asks != from_client)
        odd |= flags & (FIN | RST) != 0
        odd |= asks & ((bits & FIRST == 0) | (flows.seq[at] + np.uint32(1) != flows.isn[flow]) | (bits & ENDED != 0))
        ended = np.full(len(flows.rows), _NEVER)
        closing = self._near[flows.flags[self._near] & (FIN | RST) != 0]
        np.minimum.at(ended, flows.of[closing], flows.order[closing])
        odd |= asks & (flows.order[at] > ended[flow])
        careful[flow[odd]] = True
        # A number that an RST brought would have to be kept; nobody needs it but streams whose beginning was missed.
        at = self._at[flows.bits[flows.of[self._at]] & OPENED == 0]
        resets = self._near[flows.flags[self._near] & RST != 0]
        careful[np.intersect1d(flows.of[at], flows.of[resets])] = True

    def check_payloads(self, careful: Flags) -> None:
        """Finds the first head of each stream; heads that are not whole, and gaps before them, need care."""
        flows, at = self._flows, self._at
        count = len(at)
        place = np.arange(count)
        self._rank = place - self._starts[self._of]
        row, side = flows.rows[flows.of[at]], flows.side[at]
        self._left = np.where(flows.fresh[flows.of[at]], MAX_SEGMENTS, self._ledger.left[row, side])
        self._look = rows(self._data, flows.packets.body[flows.order[at]], 9)
        serving = flows.bits[flows.of[at]] >> side & HTTP != 0
        head = serving | (self._heads() & (self._rank < self._left))
        self._head = np.minimum.reduceat(np.where(head, place, _NEVER), self._starts) if count else place
        first = np.minimum(self._head, count - 1)
        self._serving = (self._head < _NEVER) & (serving[first] | self._request[first])
        self._asked = self._serving[self._of] & (place >= self._head[self._of])
        behind = self._head[self._of]
        size, seq = flows.size[at], flows.seq[at]
        need = self._needed()
        ahead = (seq - seq[np.minimum(behind, count - 1)]).astype(np.int64) if count else place
        part = (place >= behind) & (ahead < need[self._of])
        covered = np.maximum.reduceat(np.where(part, ahead + size, 0), self._starts) if count else place
        self._whole = (self._head < _NEVER) & (need > 0) & (covered >= need)
        flow = flows.of[at[self._starts]]
        careful[flow[(self._head < _NEVER) & ~self._whole & ~self._serving]] = True
        careful[flows.of[at[self._asked & ~self._request]]] = True
        # Whoever speaks like a client first is the client, where the handshake did not tell.
        heads = flow[self._head < _NEVER]
        careful[heads[1:][heads[1:] == heads[:-1]]] = True
        self._part = part
        self._idle = (place < behind) & (self._rank < self._left)
        """Segments that say nothing of interest."""
        begun = flows.bits[flows.of[at]] >> side & KNOWN != 0
        start = np.where(flows.fresh[flows.of[at]], flows.isn[flows.of[at]], self._ledger.next[row, side])
        due = np.where(begun, start, seq)
        inside = self._rank > 0
        due[inside] = (seq[:-1] + size[:-1].astype(np.uint32))[inside[1:]]
        careful[flows.of[at[(seq != due) & (self._idle | part | self._asked)]]] = True

    def _heads(self) -> Flags:
        """Which payloads begin with what `Recogniser` would take up."""
        look, at, flows = self._look, self._at, self._flows
        size, first = flows.size[at], look[:, 0]
        self._hello = (first == 0x16) & ((size < 2) | (look[:, 1] == 3)) & ((size < 6) | (look[:, 5] == 1))
        blank = (first == 0x0A) | (first == 0x0D)
        blank |= (first == 0) & (size >= len(_PREAMBLE)) & (look[:, :8] == _PREAMBLE).all(axis=1)
        text = (first > 0x20) & (first < 0x7B)
        body, end = flows.packets.body[flows.order[at]], flows.packets.end[flows.order[at]]
        self._told: dict[int, Head] = {}
        """The requests of one segment each, by their place."""
        places = np.flatnonzero(text)
        for place, start, stop in zip(places.tolist(), body[places].tolist(), end[places].tolist(), strict=True):
            if not is_head(self._data, start, stop):
                text[place] = False
            elif (request := whole_request(self._data, start, stop)) is not None:
                self._told[place] = request
        self._request = np.zeros(len(at), bool)
        self._request[list(self._told)] = True
        heads: Flags = self._hello | blank | text
        return heads

    def _needed(self) -> Ints:
        """Bytes of each stream's hello with its record header; 0 if its first head is none, or spans records."""
        if not len(self._at):
            return self._head
        at = np.minimum(self._head, len(self._at) - 1)
        look = self._look[at].astype(np.int64)
        record = look[:, 3] << 8 | look[:, 4]
        message = look[:, 6] << 16 | look[:, 7] << 8 | look[:, 8]
        simple = self._hello[at] & (self._head < _NEVER) & (self._flows.size[self._at[at]] >= 9)
        return np.where(simple & (message + 4 <= record) & (message <= MAX_HELLO), record + 5, 0)

    def hellos(self, careful: Flags) -> Hellos:
        """The whole hellos of flows that need no care."""
        flows, packets = self._flows, self._flows.packets
        stream = np.flatnonzero(self._whole)
        stream = stream[~careful[flows.of[self._at[self._starts[stream]]]]]
        first = self._head[stream]
        flow, index = flows.of[self._at[first]], flows.order[self._at[first]]
        pieces = []
        if len(stream):
            at = flows.order[self._at]
            spans = list(zip(packets.body[at].tolist(), packets.end[at].tolist(), strict=True))
            counts = np.add.reduceat(self._part, self._starts, dtype=np.int64)[stream]
            pieces = [spans[at : at + count] for at, count in zip(first.tolist(), counts.tolist(), strict=True)]
        self._greeted = flow, flows.side[self._at[first]], flows.seq[self._at[self._starts[stream]]]
        return Hellos(flow, index, pieces)

    def requests(self, careful: Flags) -> Requests:
        """The requests of flows that need no care."""
        flows = self._flows
        place = np.flatnonzero(self._asked & ~careful[flows.of[self._at]])
        at = self._at[place]
        stream = np.flatnonzero(self._serving)
        begun = self._at[self._starts[stream]]
        self._asking = flows.of[begun], flows.side[begun], flows.seq[begun]
        return Requests(flows.of[at], flows.order[at], [self._told[number] for number in place.tolist()])

    def settle(self, careful: Flags) -> None:
        """Bring the rows of flows up to date that need no care, and make those of fresh ones."""
        flows, ledger = self._flows, self._ledger
        fresh = np.flatnonzero(flows.fresh & ~careful)
        flows.rows[fresh] = ledger.add([flows.hashes[flow] for flow in fresh.tolist()])
        fresh_rows = flows.rows[fresh]
        ledger.first[fresh_rows] = flows.isn[fresh]
        ledger.next[fresh_rows] = flows.isn[fresh][:, None]
        ledger.left[fresh_rows] = MAX_SEGMENTS
        bits = flows.bits.copy()
        self._settle_streams(bits, careful)
        for (flow, side, first), still in ((self._greeted, 0), (self._asking, LOOK | HTTP)):
            unopened = (bits[flow] & OPENED == 0) & ~careful[flow]
            bits[flow[unopened]] |= OPENED | FIRST | CLIENT * side[unopened]
            ledger.first[flows.rows[flow[unopened]]] = first[unopened]
            bits[flow] = bits[flow] & ~BOTH | still << side
        for side_said in (0, 1):
            said = flows.of[self._fins[flows.side[self._fins] == side_said]]
            bits[said] = bits[said] & ~(LOOK << side_said) | DONE << side_said
        both = DONE | DONE << 1
        bits[bits & both == both] |= ENDED
        bits[flows.of[self._near[flows.flags[self._near] & RST != 0]]] |= ENDED
        calm = ~careful
        ledger.bits[flows.rows[calm]] = bits[calm]

    def _settle_streams(self, bits: Ints, careful: Flags) -> None:
        flows, ledger, at = self._flows, self._ledger, self._at
        if not len(at):
            return
        read = np.where(self._idle | self._part | self._asked, np.arange(len(at)), -1)
        last = np.maximum.reduceat(read, self._starts)
        idle = np.add.reduceat(self._idle, self._starts, dtype=np.int64)
        flow, side = flows.of[at[self._starts]], flows.side[at[self._starts]]
        calm = ~careful[flow]
        last, idle, flow, side, left = last[calm], idle[calm], flow[calm], side[calm], self._left[self._starts][calm]
        row = flows.rows[flow]
        ledger.next[row, side] = flows.seq[at[last]] + flows.size[at[last]].astype(np.uint32)
        ledger.left[row, side] = left - idle
        # Whose SYN was not seen is known by its first payload.
        unknown = (bits[flow] & (OPENED | FIRST) == OPENED) & (side == (bits[flow] & CLIENT != 0))
        ledger.first[row[unknown]] = flows.seq[at[self._starts][calm][unknown]]
        bits[flow[unknown]] |= FIRST
        for one in (0, 1):
            here = side == one
            bits[flow[here]] |= KNOWN << one
            bits[flow[here & (left - idle <= 0)]] &= ~(LOOK << one)
