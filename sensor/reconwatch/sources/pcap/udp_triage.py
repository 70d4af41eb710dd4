"""UDP, a batch at a time: DNS messages that may matter, QUIC Initials, and flows that are followed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from reconwatch.sources.dns_codes import PTR
from reconwatch.sources.pcap import dns
from reconwatch.sources.pcap.batch import Flags, Ints, begins, rows
from reconwatch.sources.pcap.columns import Columns
from reconwatch.sources.pcap.ledger import CAREFUL, FOLLOWED, QUIET, Ledger
from reconwatch.sources.pcap.quic import VERSIONS
from reconwatch.sources.pcap.transport import UDP_LIFE

_VERSIONS = np.array(sorted(int.from_bytes(version, "big") for version in VERSIONS), np.uint32)

_PTR = PTR.to_bytes(2, "big")

MOST_VERDICTS = 65_536
"""Question sections whose verdict is remembered; at some 100 bytes each this is 7 MB."""


@dataclass(slots=True)
class Judged:
    """What is to be read of one batch; indices into the columns."""

    handed: Ints
    """Datagrams of flows that are read with care."""
    going_on: Flags
    """Which of those belong to flows that began earlier, and were not to be followed."""
    messages: list[int]
    """DNS messages that ask for a name of interest or may call an address by one, or cannot be judged at a glance."""
    answers: list[int]
    """DNS answers for other names, which may share an address of interest."""
    fresh: Flags
    """Of every packet: whether its flow begins in this batch, by it or before it."""


class UdpTriage:
    """Goes through the datagrams of one batch after the other."""

    def __init__(self, ledger: Ledger, names: Callable[[str], bool], pointing: re.Pattern[bytes] | None = None) -> None:
        """`names`: whether a host name is of interest; `pointing`: see `dns.pointing`."""
        self._ledger = ledger
        self._names = names
        self._pointing = pointing
        self._verdicts: dict[bytes, bool] = {}

    def look(self, data: bytearray, packets: Columns, watched: Flags) -> Judged:
        """Judge a batch. `watched` packets belong to flows that may be told as connections."""
        if not len(packets):
            return Judged(packets.place, watched, [], [], watched)
        ledger = self._ledger
        flow = packets.flow >> np.uint64(1)
        order = np.argsort(flow, kind="stable")  # both directions of a flow as they came: pauses are of both
        flow = flow[order]
        first = begins(flow)
        starts = np.flatnonzero(first)
        of = np.cumsum(first) - 1
        hashes: list[int] = flow[starts].tolist()
        found = ledger.find(hashes)
        unknown = np.flatnonzero(found < 0)
        found[unknown] = ledger.add([hashes[place] for place in unknown.tolist()])
        time = packets.time[order]
        before = np.empty_like(time)
        before[1:] = time[:-1]
        before[starts] = ledger.last[found]
        before[starts[unknown]] = -np.inf
        new = time - before > UDP_LIFE
        # Once a flow has begun anew, what follows in the batch is that new flow's.
        fresh = np.maximum.accumulate(np.where(new, np.arange(len(order)), -1)) >= starts[of]
        ends = np.append(starts[1:], len(order)) - 1
        ledger.last[found[of[ends]]] = time[ends]
        stood = ledger.bits[found[of]]
        bits = np.where(fresh, 0, stood)
        ledger.bits[found[of[new]]] = 0
        initial = self._initials(data, packets)[order] & (bits & QUIET == 0)
        handed = initial | (bits & FOLLOWED != 0) | (fresh & watched[order])
        # What was held of a flow ends with the first packet of another on the same ports.
        held = np.logical_or.reduceat(handed, starts)[of] | (stood & CAREFUL != 0)
        handed |= new & held
        at = order[handed]
        by_time = np.argsort(at)
        begun = np.empty(len(packets), bool)
        begun[order] = fresh
        rest = np.ones(len(packets), bool)
        rest[at] = False
        asked, answered = self._dns(data, packets, np.flatnonzero(rest))
        going_on = ~fresh & (bits & FOLLOWED == 0)
        return Judged(at[by_time], going_on[handed][by_time], asked, answered, begun)

    @staticmethod
    def _initials(data: bytearray, packets: Columns) -> Flags:
        """Which payloads begin like a QUIC packet with a long header, of a version whose Initials can be opened."""
        look = rows(data, packets.body, 5)
        version = np.ascontiguousarray(look[:, 1:]).view(">u4")[:, 0]
        long = (look[:, 0] & 0xC0 == 0xC0) & (packets.end - packets.body >= 5)
        long &= (packets.sport != dns.PORT) & (packets.dport != dns.PORT)
        initial: Flags = long & np.isin(version, _VERSIONS)
        return initial

    def _dns(self, data: bytearray, packets: Columns, which: Ints) -> tuple[list[int], list[int]]:
        """(messages to be read, answers that may share an address) among some packets."""
        which = which[(packets.sport[which] == dns.PORT) | (packets.dport[which] == dns.PORT)]
        body, end = packets.body[which], packets.end[which]
        header = rows(data, body, 12).view(">u2")
        whole = end - body >= 12
        questions = header[:, 2]
        opcode = header[:, 1] & dns.OPCODE
        nothing = whole & (np.isin(opcode, list(dns.ASK_NOTHING)) | (questions == 0) | (questions > dns.MAX_QUESTIONS))
        answering = (header[:, 1] & 0x8000 != 0) & (header[:, 3] > 0)
        simple = whole & (questions == 1)
        asked, answered = [], []
        known = self._verdicts.get
        find = data.find
        columns = (which, body, end, nothing, simple, answering)
        for place, start, stop, idle, one, answers in zip(*(c.tolist() for c in columns), strict=True):
            if idle:
                continue
            close = find(b"\0", start + 12, stop) + 5
            if not one or close < start + 17 or close > stop:
                asked.append(place)
                continue
            question = bytes(data[start + 12 : close])
            wanted = known(question)
            if wanted is None:
                wanted = self._judge(question)
            if wanted or (answers and self._points(question, data, close, stop)):
                asked.append(place)
            elif answers:
                answered.append(place)
        return asked, answered

    def _points(self, question: bytes, data: bytearray, start: int, stop: int) -> bool:
        """Whether what stands behind a PTR question may call the address by a name of interest."""
        if self._pointing is None or question[-4:-2] != _PTR:
            return False
        return self._pointing.search(data, start, stop) is not None

    def _judge(self, question: bytes) -> bool:
        """Whether a message with this question has to be read; remembered where its bytes alone decide."""
        try:
            name, at = dns.read_name(question, 0)
        except dns.Malformed:
            return True
        if at + 4 != len(question) or max(question[:at]) >= 0xC0:
            return True
        if len(self._verdicts) >= MOST_VERDICTS:
            self._verdicts.clear()
        self._verdicts[question] = wanted = self._names(name)
        return wanted
