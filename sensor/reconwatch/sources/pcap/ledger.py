"""What is known of connections that nobody has to read with care: a row of numbers each, for numpy to work on."""

from __future__ import annotations

import numpy as np

from reconwatch.sources.pcap.batch import Ints

OPENED, CLIENT, ENDED, CAREFUL, FOLLOWED, QUIET = 1, 2, 4, 8, 16, 32
"""Bits of a row: the handshake told who the client is; the client is side 1; both said FIN or one RST; the flow is
being read with care; and will be told as a connection. Of UDP: its payloads can tell nothing any more."""
LOOK, KNOWN, DONE, HTTP = 64, 256, 1024, 4096
"""Bits of side 0, and shifted left by one of side 1: its payloads may matter; its next sequence number is known; it
said FIN; each of its payloads was an HTTP request, from its first one on."""
BOTH = LOOK | LOOK << 1
FIRST = 16_384
"""The client's first sequence number is known."""

MOST_ROWS = 131_072
"""Rows of one generation, more than packets of a batch. Two full ones take 35 MB; a busy 10 Gbit/s link opens some
20,000 flows a second."""


class Ledger:
    """Rows by the hash of their flow (`Columns.flow` without its lowest bit), bounded by two generations (see `Table`).

    Columns of the arrays are the two sides of a flow: what its packets' lowest bit of the hash says.
    """

    def __init__(self) -> None:
        self._limit = MOST_ROWS
        self._young: dict[int, int] = {}
        self._old: dict[int, int] = {}
        self._free: list[int] = []
        self._unused = 0
        """From this row on none was ever used."""
        size = 2 * self._limit
        self.bits = np.zeros(size, np.int32)
        self.next = np.zeros((size, 2), np.uint32)
        """Sequence number of the next byte to be looked at, where KNOWN."""
        self.left = np.zeros((size, 2), np.int16)
        """Segments that are still looked at (`recognise.MAX_SEGMENTS`)."""
        self.first = np.zeros(size, np.uint32)
        """The client's first sequence number, where FIRST."""
        self.last = np.zeros(size, np.float64)
        """UDP: time of the last packet."""

    def find(self, flows: list[int]) -> Ints:
        """The row of each flow, which counts as met now; -1 where there is none."""
        get = self._young.get
        found = [get(flow, -1) for flow in flows]
        if self._old:
            for place, row in enumerate(found):
                if row < 0:
                    row = self._old.pop(flows[place], -1)
                    if row >= 0:
                        self._young[flows[place]] = found[place] = row
        return np.array(found, np.int64)

    def add(self, flows: list[int]) -> Ints:
        """New rows for flows that have none: no bit is set, and the rest is whatever it was."""
        if len(self._young) + len(flows) > self._limit:
            self._age()
        recycled = min(len(flows), len(self._free))
        added = [self._free.pop() for _ in range(recycled)]
        unused = range(self._unused, self._unused + len(flows) - recycled)
        self._unused = unused.stop
        added += unused
        self._young.update(zip(flows, added, strict=True))
        fresh = np.array(added, np.int64)
        self.bits[fresh] = 0
        return fresh

    def drop(self, flow: int) -> None:
        """Forget a flow, if it is known."""
        row = self._young.pop(flow, None)
        if row is None:
            row = self._old.pop(flow, None)
        if row is not None:
            self._free.append(row)

    def _age(self) -> None:
        """Forget the older generation. What is read with care goes on where it is read, and is found there again."""
        self._free += self._old.values()
        self._old, self._young = self._young, {}
