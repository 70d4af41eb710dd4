"""Addresses of interest, for a look at many packets at once."""

from __future__ import annotations

from collections.abc import Iterable
from socket import AF_INET, AF_INET6, inet_pton

import numpy as np

from reconwatch.sources.pcap.batch import Flags, Ints
from reconwatch.sources.pcap.columns import Columns, Hashes, address_hashes

_BITS = 20
_SPREAD = np.uint32(0x9E3779B1)
"""Knuth's multiplicative hashing: neighbouring addresses fall far apart."""


def packed(address: str) -> bytes:
    """The 4 or 16 bytes of an address."""
    return inet_pton(AF_INET6 if ":" in address else AF_INET, address)


class Watch:
    """Some addresses, as ends of connections and as bytes of DNS answers."""

    def __init__(self, addresses: Iterable[str] = ()) -> None:
        wire = [packed(address) for address in addresses]
        self._hashes = np.unique(address_hashes(wire)) if wire else np.zeros(0, np.uint64)
        self._near = np.zeros(1 << _BITS, bool)
        self._tails = np.zeros(1 << _BITS, bool)
        if wire:
            self._near[self._high(self._hashes)] = True
            tails = np.frombuffer(b"".join(address[-4:] for address in wire), ">u4").astype(np.uint32)
            self._tails[self._spread(tails)] = True

    def __bool__(self) -> bool:
        return len(self._hashes) > 0

    def ends(self, packets: Columns) -> Flags:
        """Which packets go to or come from one of the addresses."""
        found = self._near[self._high(packets.source)] | self._near[self._high(packets.destination)]
        near = np.flatnonzero(found)
        if len(near):
            found[near] = self._holds(packets.source[near]) | self._holds(packets.destination[near])
        return found

    def _holds(self, hashes: Hashes) -> Flags:
        at = np.searchsorted(self._hashes, hashes)
        held: Flags = self._hashes[np.minimum(at, len(self._hashes) - 1)] == hashes
        return held

    @staticmethod
    def _high(hashes: Hashes) -> Ints:
        return (hashes >> np.uint64(64 - _BITS)).astype(np.int64)

    @staticmethod
    def _spread(words: np.typing.NDArray[np.uint32]) -> Ints:
        return ((words * _SPREAD) >> np.uint32(32 - _BITS)).astype(np.int64)

    def within(self, texts: list[bytes]) -> list[int]:
        """Indices of the texts that may hold the bytes of one of the addresses: none is missed, few are too many."""
        if not texts or not self:
            return []
        joined = np.frombuffer(b"".join(texts), np.uint8).astype(np.uint32)
        if len(joined) < 4:
            return []
        words = (joined[:-3] << 24 | joined[1:-2] << 16 | joined[2:-1] << 8 | joined[3:]).astype(np.uint32)
        hits = np.flatnonzero(self._tails[self._spread(words)])
        ends = np.cumsum([len(text) for text in texts])
        found: list[int] = np.unique(np.searchsorted(ends, hits, "right")).tolist()
        return found
