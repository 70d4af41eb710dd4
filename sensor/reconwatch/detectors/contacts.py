"""Remembers who contacted which of our addresses and ports on a day: what scans are told by.

Contacts come by the million, in any order, and most sources come once. Of each source the distinct contacts are kept
while there is room; when there are too many sources, those that are no scan so far shrink to a row of plain arrays
each: which addresses they tried, exactly for the first 256 of ours, and beyond that as a sketch (linear counting,
Whang 1990), whose standard error is 5 % at 256 addresses of one source and less below. Nothing depends on the order.
"""

from __future__ import annotations

import math
import secrets
from array import array
from collections.abc import Callable, Iterator
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import NamedTuple

from reconwatch.windows import DAY

MOST_SOURCES = 60_000
"""Sources whose contacts are kept one by one, at 1 kB and more each."""
MOST_CONTACTS = 500_000
"""Distinct contacts that are kept in all, at some 100 bytes each: more than the ports of seven hosts."""
MOST_ROWS = 1 << 20
"""Sources that are kept as rows, at some 90 bytes each; what comes beyond is counted, not kept."""
KEPT_AT_LEAST = 4
"""Distinct addresses, or contacts, from which a source does not shrink."""
SLOTS = 256
"""Bits of a row's addresses."""
ENDS = 10
"""As many of a source's first contacts, and of its last ones, are kept as evidence."""

TCP, UDP, ICMP = 1, 2, 3
PROTOCOLS = {"tcp": TCP, "udp": UDP, "icmp": ICMP}
NAMES = {number: name for name, number in PROTOCOLS.items()}


class Contact(NamedTuple):
    """One contact, as evidence."""

    ts: float
    client: str
    server: str
    source: str
    uid: str | None
    detail: str


class Seen:
    """What one source did on one day, contact by contact."""

    __slots__ = ("actors", "earlier", "ends", "first", "full", "last", "probed", "total", "visited")

    def __init__(self) -> None:
        self.probed: dict[int, float] = {}
        """Contacts (see `Contacts.number`) that were no conversation -> the first time."""
        self.visited: dict[int, float] = {}
        """Contacts at which both sides spoke -> the first time."""
        self.ends: list[Contact] = []
        self.actors: set[str] = set()
        """The addresses that it used: several, if it is an IPv6 network."""
        self.first = math.inf
        self.last = -math.inf
        self.total = 0
        self.earlier = 0
        """Bits of addresses that were tried while it was a row."""
        self.full = False
        """There was no room for more: counts are at least what they say."""

    def note(self, contact: Contact) -> None:
        """Keep a contact, if it is one of the first or the last."""
        self.ends.append(contact)
        if len(self.ends) > 4 * ENDS:
            self.trim()

    def trim(self) -> None:
        """Only the ends, in order of time."""
        self.ends.sort()
        del self.ends[ENDS:-ENDS]


class Row(NamedTuple):
    """What is left of a source that shrank."""

    ip: str
    addresses: int
    """Distinct addresses tried: exact up to 256 addresses of ours, else an estimate."""
    bits: int
    first: float
    last: float


class Day:
    """All sources of one UTC day."""

    def __init__(self, start: float) -> None:
        self.start = start
        self.sources: dict[str, Seen] = {}
        self.answering: set[int] = set()
        """Numbers of addresses of ours from which anything came back."""
        self.rows = _Rows()


class Contacts:
    """Contacts in, days of sources out."""

    def __init__(self) -> None:
        self._days: dict[float, Day] = {}
        self._numbers: dict[str, int] = {}
        """Address of ours -> its number, in order of appearance."""
        self.addresses: list[str] = []
        self._kept = self._sources = 0
        self._full = False
        """All sources that are kept one by one did a lot: who comes now is a row."""
        self.uncounted = 0
        """Contacts of sources for which there was no room."""

    def add(
        self, ts: float, client: str, server: str, proto: str, port: int | None,
        probing: bool, answered: bool, told: Callable[[], tuple[str, str | None, str]],
    ) -> None:  # fmt: skip
        """Take one contact. `probing`: it was no conversation; `told` gives (source, uid, words) for evidence."""
        start = ts // DAY * DAY
        day = self._days.get(start)
        if day is None:
            day = self._days[start] = Day(start)
        number = self._numbers.get(server)
        if number is None:
            number = self._numbers[server] = len(self.addresses)
            self.addresses.append(server)
        if answered:
            day.answering.add(number)
        key = network_of(client) if ":" in client else client
        seen = day.sources.get(key)
        if seen is None:
            seen = self._fresh(day, key, number, port or 0, ts)
            if seen is None:
                return
        contact = number << 18 | PROTOCOLS[proto] << 16 | (port or 0)
        contacts = seen.probed if probing else seen.visited
        before = contacts.get(contact)
        seen.total += 1
        if before is None:
            if self._kept >= MOST_CONTACTS:
                seen.full = True
                return
            self._kept += 1
            contacts[contact] = ts
            seen.actors.add(client)
            seen.note(Contact(ts, client, server, *told()))
        elif ts < before:
            contacts[contact] = ts
        if ts < seen.first:
            seen.first = ts
        if ts > seen.last:
            seen.last = ts

    def _fresh(self, day: Day, key: str, number: int, port: int, ts: float) -> Seen | None:
        """The place of a source that is not kept one by one; None if it stays a row."""
        if self._sources >= MOST_SOURCES and not self._full:
            self._shrink()
        rows = day.rows
        if self._full or (len(rows) and not rows.busy(key)):
            self.uncounted += not rows.touch(key, number, port, ts)
            return None
        seen = day.sources[key] = Seen()
        seen.earlier = rows.bits(key)
        self._sources += 1
        return seen

    def _shrink(self) -> None:
        """Make rows of the sources that tried little."""
        for day in self._days.values():
            few = [key for key, seen in day.sources.items() if _little(seen)]
            for key in few:
                seen = day.sources.pop(key)
                self._sources -= 1
                self._kept -= len(seen.probed) + len(seen.visited)
                for contact, ts in seen.probed.items():
                    self.uncounted += not day.rows.touch(key, contact >> 18, contact & 0xFFFF, ts)
        self._full = self._sources > MOST_SOURCES * 0.9

    def close(self, before: float = math.inf) -> Iterator[Day]:
        """The days that are over by `before`, the oldest first; they are forgotten."""
        for start in sorted(self._days):
            if start + DAY <= before:
                day = self._days.pop(start)
                self._sources -= len(day.sources)
                self._kept -= sum(len(seen.probed) + len(seen.visited) for seen in day.sources.values())
                self._full = False
                yield day


def _little(seen: Seen) -> bool:
    return len(seen.probed) < KEPT_AT_LEAST


def network_of(ip: str) -> str:
    """The /64 of an IPv6 address: one host has as many addresses there as it likes."""
    return inet_ntop(AF_INET6, inet_pton(AF_INET6, ip)[:8] + bytes(8)) + "/64"


class _Rows:
    """Sources as rows of arrays, found by open addressing: 2^21 slots of 8 bytes, and 59 bytes a source.

    A key is the address of IPv4 or the upper half of one of IPv6, so no hash stands for another source.
    """

    def __init__(self) -> None:
        self._keys = array("Q")
        self._places = array("I")
        self._bits = bytearray()
        self._first = array("d")
        self._last = array("d")
        self._order = array("Q")
        self._ports = array("H")
        """The port that each tried last."""
        self._turns = array("B")
        """How often it tried another port than before."""

    def __len__(self) -> int:
        return len(self._order)

    def bits(self, key: str) -> int:
        """The addresses that a source tried, a bit each."""
        place = self._find(_packed(key))
        return 0 if place < 0 else int.from_bytes(self._bits[place * 32 : place * 32 + 32], "little")

    def busy(self, key: str) -> bool:
        """Whether a source did so much that its contacts are to be kept from now on."""
        place = self._find(_packed(key))
        return place >= 0 and (self.bits(key).bit_count() >= KEPT_AT_LEAST or self._turns[place] >= KEPT_AT_LEAST)

    def touch(self, key: str, number: int, port: int, ts: float) -> bool:
        """A source tried a port of an address; whether there was room to note it."""
        packed = _packed(key)
        place = self._find(packed)
        if place < 0:
            if len(self._order) >= MOST_ROWS:
                return False
            place = self._add(packed, port, ts)
        if port != self._ports[place]:
            self._ports[place] = port
            self._turns[place] = min(255, self._turns[place] + 1)
        self._bits[place * 32 + (number % SLOTS >> 3)] |= 1 << (number & 7)
        if ts < self._first[place]:
            self._first[place] = ts
        if ts > self._last[place]:
            self._last[place] = ts
        return True

    def _find(self, packed: int) -> int:
        if not self._keys:
            return -1
        keys, slot = self._keys, _slot(packed)
        while keys[slot]:
            if keys[slot] == packed:
                return self._places[slot]
            slot = (slot + 1) & _MASK
        return -1

    def _add(self, packed: int, port: int, ts: float) -> int:
        if not self._keys:
            self._keys = array("Q", bytes(8 * (_MASK + 1)))
            self._places = array("I", bytes(4 * (_MASK + 1)))
        slot = _slot(packed)
        while self._keys[slot]:
            slot = (slot + 1) & _MASK
        place = len(self._order)
        self._keys[slot], self._places[slot] = packed, place
        self._order.append(packed)
        self._bits += bytes(32)
        self._ports.append(port)
        self._turns.append(0)
        self._first.append(ts)
        self._last.append(ts)
        return place

    def tried(self, least: int, owned: int) -> Iterator[Row]:
        """The sources that tried at least so many addresses, of `owned` that appeared."""
        for place, packed in enumerate(self._order):
            bits = int.from_bytes(self._bits[place * 32 : place * 32 + 32], "little")
            count = estimate(bits.bit_count(), owned)
            if count >= least:
                yield Row(_text(packed), count, bits, self._first[place], self._last[place])


_MASK = 2 * MOST_ROWS - 1
_ODD = secrets.randbits(64) | 1
"""Without knowing it nobody can make sources collide. It decides no result, only where a row is found."""
_FOUR = 1 << 40
"""Marks a key of IPv4: such upper halves of IPv6 addresses (0:1xx:...) are not routed."""


def estimate(bits: int, owned: int) -> int:
    """How many addresses set so many of the bits: exact while each address has a bit of its own."""
    if owned <= SLOTS:
        return bits
    return round(-SLOTS * math.log(1 - min(bits, SLOTS - 0.5) / SLOTS))


def _slot(packed: int) -> int:
    return (packed * _ODD >> 43) & _MASK


def _packed(key: str) -> int:
    if ":" in key:
        return int.from_bytes(inet_pton(AF_INET6, key.partition("/")[0])[:8], "big") or 1
    return _FOUR | int.from_bytes(inet_pton(AF_INET, key), "big")


def _text(packed: int) -> str:
    if packed >> 40 == 1:
        return inet_ntop(AF_INET, (packed & 0xFFFFFFFF).to_bytes(4, "big"))
    return inet_ntop(AF_INET6, packed.to_bytes(8, "big") + bytes(8)) + "/64"
