"""Sources of which only a row is kept: which of our addresses each tried, in 59 bytes, for up to a million of them.

Exact where no more than 256 addresses are ours, for each has a bit of its own; else a sketch by linear counting (Whang
et al. 1990), whose standard error is 5 % at 256 addresses of one source, less below, and 10 % at 700.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import NamedTuple

import numpy as np

from reconwatch.detectors.contacts import SLOTS, Row, estimate

MOST_ROWS = 1 << 20
AT_ONCE = 1 << 16
"""Rows whose bits are counted at once: a count takes several times the memory of its rows."""
_FOUR = 1 << 40
"""Marks a key of IPv4: such upper halves of IPv6 addresses (0:1xx:...) are not routed."""


class Tried(NamedTuple):
    """One source's contact, as far as a row knows it."""

    key: str
    number: int
    """Of the address that was tried."""
    port: int
    ts: float


class Rows:
    """Rows of sources, by their addresses in order: an IPv4 address, or the upper half of one of IPv6, is the key."""

    def __init__(self, exact: bool) -> None:
        """`exact`: each address of ours can have a bit of its own."""
        self._exact = exact
        self._keys = np.zeros(0, np.uint64)
        self._bits = np.zeros((0, SLOTS // 64), np.uint64)
        self._first = np.zeros(0)
        self._last = np.zeros(0)
        self._port = np.zeros(0, np.uint16)
        self._turns = np.zeros(0, np.uint8)
        """How often a source tried another port than before."""
        self.refused = 0
        """Contacts of sources for which there was no room."""

    def __len__(self) -> int:
        return len(self._keys)

    def bits(self, key: str) -> int:
        """The addresses that a source tried, a bit each."""
        at = int(np.searchsorted(self._keys, np.uint64(packed(key))))
        if at == len(self._keys) or int(self._keys[at]) != packed(key):
            return 0
        return int.from_bytes(self._bits[at].tobytes(), "little")

    def take(self, tried: Sequence[Tried], busy: int) -> list[str]:
        """Take contacts, in any order; the sources among them that tried `busy` addresses, or ports, by now."""
        keys = np.array([packed(each.key) for each in tried], np.uint64)
        self._make_room(np.unique(keys))
        at = np.minimum(np.searchsorted(self._keys, keys), max(len(self._keys) - 1, 0))
        kept = np.flatnonzero(self._keys[at] == keys) if len(self._keys) else np.zeros(0, np.int64)
        self.refused += len(keys) - len(kept)
        at = at[kept]
        number, port, ts = (np.array([each[field] for each in tried])[kept] for field in (1, 2, 3))
        slot = number if self._exact else _mixed(number)
        np.bitwise_or.at(self._bits, (at, slot >> 6), np.uint64(1) << (slot & 63).astype(np.uint64))
        np.minimum.at(self._first, at, ts)
        np.maximum.at(self._last, at, ts)
        np.add.at(self._turns, at[(port != self._port[at]) & (self._turns[at] < 200)], 1)
        self._port[at] = port
        touched = np.unique(at)
        often = (self._counts(self._bits[touched]) >= busy) | (self._turns[touched] >= busy)
        return [text(int(key)) for key in self._keys[touched[often]]]

    def _make_room(self, keys: np.typing.NDArray[np.uint64]) -> None:
        fresh = keys[~np.isin(keys, self._keys, assume_unique=True)][: MOST_ROWS - len(self._keys)]
        if not len(fresh):
            return
        at = np.searchsorted(self._keys, fresh)
        self._keys = np.insert(self._keys, at, fresh)
        self._bits = np.insert(self._bits, at, 0, axis=0)
        self._first = np.insert(self._first, at, math.inf)
        self._last = np.insert(self._last, at, -math.inf)
        self._port = np.insert(self._port, at, 0)
        self._turns = np.insert(self._turns, at, 0)

    @staticmethod
    def _counts(bits: np.typing.NDArray[np.uint64]) -> np.typing.NDArray[np.int64]:
        counts = np.zeros(len(bits), np.int64)
        for start in range(0, len(bits), AT_ONCE):
            octets = np.ascontiguousarray(bits[start : start + AT_ONCE]).view(np.uint8)
            counts[start : start + AT_ONCE] = _ONES[octets].sum(axis=1, dtype=np.int64)
        return counts

    def tried(self, least: int) -> Iterator[Row]:
        """The sources that tried at least so many addresses."""
        for at in np.flatnonzero(self._counts(self._bits) >= min(least, SLOTS)).tolist():
            bits = int.from_bytes(self._bits[at].tobytes(), "little")
            count = estimate(bits.bit_count(), self._exact)
            if count >= least:
                yield Row(text(int(self._keys[at])), count, bits, float(self._first[at]), float(self._last[at]))

    def plans(self, members: int, least: int, lit: Collection[int] = ()) -> Iterator[tuple[list[str], Row]]:
        """Networks of which so many sources share so many addresses out: (sources, what they tried together).

        Only addresses that are not among `lit` (numbers) count: where others are answered, visits fail too. Sources
        of a network are neighbours in the order of keys.
        """
        dark = self._dark(lit)
        network = self._keys >> np.where(self._keys >> np.uint64(40) == 1, np.uint64(8), np.uint64(16))
        borders = np.append(np.flatnonzero(network[1:] != network[:-1]) + 1, len(network))
        start = 0
        while start < len(network):
            stop = int(borders[min(int(np.searchsorted(borders, start + AT_ONCE)), len(borders) - 1)])
            yield from self._plans_among(slice(start, stop), network[start:stop], dark, members, least)
            start = stop

    def _plans_among(
        self, rows: slice, network: np.typing.NDArray[np.uint64], dark: tuple[np.typing.NDArray[np.uint64], int],
        members: int, least: int,
    ) -> Iterator[tuple[list[str], Row]]:  # fmt: skip
        """`plans` of some of the rows, which are those of whole networks."""
        masked, room = self._bits[rows] & dark[0], dark[1]
        trying = np.flatnonzero(masked.any(axis=1))
        if not len(trying):
            return
        keys, bits, network = self._keys[rows][trying], masked[trying], network[trying]
        counts, first, last = self._counts(bits), self._first[rows][trying], self._last[rows][trying]
        starts = np.flatnonzero(np.concatenate(([True], network[1:] != network[:-1])))
        sizes = np.diff(np.append(starts, len(network)))
        each = np.add.reduceat(counts, starts) * (1 if self._exact else SLOTS / room)
        union = self._counts(np.bitwise_or.reduceat(bits, starts, axis=0))
        for group in np.flatnonzero((sizes >= members) & (union > 0)).tolist():
            tried = estimate(int(union[group]), self._exact, room)
            if tried < least or 2 * each[group] > 3 * tried:
                continue
            its = slice(int(starts[group]), int(starts[group] + sizes[group]))
            together = int.from_bytes(np.bitwise_or.reduce(bits[its], axis=0).tobytes(), "little")
            sources = [text(int(key)) for key in keys[its]]
            yield sources, Row(sources[0], tried, together, float(first[its].min()), float(last[its].max()))

    def _dark(self, lit: Collection[int]) -> tuple[np.typing.NDArray[np.uint64], int]:
        """The bits that no address of `lit` has, and how many they are."""
        numbers = np.fromiter(lit, np.int64, len(lit))
        slots = set((numbers if self._exact else _mixed(numbers)).tolist())
        mask = (1 << SLOTS) - 1 - sum(1 << slot for slot in slots)
        return np.frombuffer(mask.to_bytes(SLOTS // 8, "little"), np.uint64), SLOTS - len(slots)


def _mixed(numbers: np.typing.NDArray[np.int64]) -> np.typing.NDArray[np.int64]:
    """A bit for each address, as if by chance: neighbours must not get neighbouring ones."""
    mixed = numbers.astype(np.uint64)
    for factor in (0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93):
        mixed = mixed * np.uint64(factor)
        mixed ^= mixed >> np.uint64(32)
    return (mixed % np.uint64(SLOTS)).astype(np.int64)


_ONES = np.array([bin(octet).count("1") for octet in range(256)], np.uint8)


def packed(key: str) -> int:
    """A source's key as a number."""
    if ":" in key:
        return int.from_bytes(inet_pton(AF_INET6, key.partition("/")[0])[:8], "big")
    return _FOUR | int.from_bytes(inet_pton(AF_INET, key), "big")


def text(number: int) -> str:
    """The key of a number."""
    if number >> 40 == 1:
        return inet_ntop(AF_INET, (number & 0xFFFFFFFF).to_bytes(4, "big"))
    return inet_ntop(AF_INET6, number.to_bytes(8, "big") + bytes(8)) + "/64"
