"""Addresses of interest, for a look at many packets at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network
from socket import AF_INET, AF_INET6, inet_pton

import numpy as np

from reconwatch.interest import Marks
from reconwatch.sources.pcap.batch import Flags, Ints, rows
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


class Networks:
    """Some networks, as ends of connections. Those of IPv6 that are longer than /64 count as their /64."""

    def __init__(self, networks: Iterable[str] = (), marks: Marks | None = None) -> None:
        each = [ip_network(network) for network in networks]
        four = collapse_addresses(network for network in each if isinstance(network, IPv4Network))
        halves = (network if network.prefixlen <= 64 else network.supernet(new_prefix=64)
                  for network in each if isinstance(network, IPv6Network))  # fmt: skip
        six = collapse_addresses(halves)
        self._four = _bounds([(int(one[0]), int(one[-1])) for one in four], np.uint32)
        self._six = _bounds([(int(one[0]) >> 64, int(one[-1]) >> 64) for one in six], np.uint64)
        if marks is not None and marks.most_networks:
            self._four = _joined(self._four, marks.network_bounds(4))
            self._six = _joined(self._six, marks.network_bounds(6))

    def __bool__(self) -> bool:
        return len(self._four[0]) + len(self._six[0]) > 0

    def ends(self, data: bytearray, packets: Columns) -> Flags:
        """Which packets go to or come from one of the networks."""
        found = np.zeros(len(packets), bool)
        four = packets.head - packets.ip == 20
        for chosen, bounds, at, width, kind in (
            (np.flatnonzero(four), self._four, 12, 4, ">u4"),
            (np.flatnonzero(~four), self._six, 8, 16, ">u8"),
        ):
            if len(chosen) and len(bounds[0]):
                pair = rows(data, packets.ip[chosen] + at, 2 * width).view(kind)
                for column in (0, pair.shape[1] // 2):
                    found[chosen] |= _within(pair[:, column].astype(bounds[0].dtype), bounds)
        return found


Bounds = tuple[np.typing.NDArray[np.unsignedinteger], np.typing.NDArray[np.unsignedinteger]]
"""First and last addresses of networks that do not overlap, ascending."""


def _bounds(spans: list[tuple[int, int]], kind: type[np.unsignedinteger]) -> Bounds:
    return np.array([first for first, _ in spans], kind), np.array([last for _, last in spans], kind)


def _joined(bounds: Bounds, more: tuple[Sequence[int], Sequence[int]]) -> Bounds:
    """Both without overlaps."""
    kind = bounds[0].dtype
    first, last = (np.concatenate([one, np.asarray(other, kind)]) for one, other in zip(bounds, more, strict=True))
    order = np.argsort(first, kind="stable")
    first, last = first[order], np.maximum.accumulate(last[order])
    if not len(first):
        return bounds
    begins = np.concatenate([[True], first[1:] > last[:-1]])
    return first[begins], last[np.append(np.flatnonzero(begins)[1:] - 1, len(first) - 1)]


def _within(numbers: np.typing.NDArray[np.unsignedinteger], bounds: Bounds) -> Flags:
    first, last = bounds
    at = np.searchsorted(first, numbers, "right") - 1
    found: Flags = (at >= 0) & (numbers <= last[at])
    return found
