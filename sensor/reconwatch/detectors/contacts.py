"""Remembers who contacted which of our addresses and ports on a day: what scans are told by.

Contacts come by the million, in any order, and most sources come once: of such the one contact is kept, and nothing is
counted. Of the others each distinct contact is kept while there is room. When there are too many sources, those that
did little shrink to a row each (`sketch`). What is found does not depend on the order, but for who shrinks.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterator
from socket import AF_INET6, inet_ntop, inet_pton
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from reconwatch.windows import DAY

if TYPE_CHECKING:
    from reconwatch.detectors.sketch import Rows

MOST_ONCE = 50_000
"""Sources of which one contact is known, at 500 bytes."""
MOST_SOURCES = 20_000
"""Sources whose contacts are kept one by one, at 1 to 4 kB each."""
MOST_CONTACTS = 300_000
"""Distinct contacts that are kept in all, at some 100 bytes each: the ports of four hosts."""
BUSY = 4
"""Distinct contacts of a source that does not shrink, and addresses or ports of one that is kept again."""
CROWD_SLOTS = 1 << 20
STAYS = 8
"""Conversations with another address than the last from which a source is no passer-by."""
ENDS = 10
"""As many of a source's first contacts, and of its last ones, are kept as evidence."""

NOTABLE = 10
"""Distinct contacts of a source from which each doubling is worth a look before the day is over (`grown`)."""

SLOTS = 256
"""Bits of a row's addresses."""

TCP, UDP, ICMP = 1, 2, 3
PROTOCOLS = {"tcp": TCP, "udp": UDP, "icmp": ICMP}
NAMES: dict[int, Literal["tcp", "udp", "icmp"]] = {TCP: "tcp", UDP: "udp", ICMP: "icmp"}

Words = Callable[[Any], tuple[str, str | None, str]]
"""Of what was contacted, as it was told: (source, uid, detail)."""


class Contact(NamedTuple):
    """One contact, as evidence."""

    ts: float
    client: str
    server: str
    source: str
    uid: str | None
    detail: str

    @property
    def place(self) -> tuple[float, str, str, str, str, str]:
        """What contacts are sorted by."""
        return self.ts, self.client, self.server, self.source, self.uid or "", self.detail


class Row(NamedTuple):
    """What is left of a source."""

    key: str
    tried: int
    """Distinct addresses tried; an estimate where more than `SLOTS` addresses are ours."""
    bits: int
    first: float
    last: float


class First(NamedTuple):
    """All that is known of a source that came once."""

    number: int
    """Of the contact (see `Contacts`)."""
    ts: float
    client: str
    server: str
    probing: bool
    told: Any


class Contacted(NamedTuple):
    """A contact of one source, told afterwards."""

    ts: float
    server: str
    proto: Literal["tcp", "udp", "icmp"]
    port: int
    spoke: bool
    """It was a conversation."""
    answered: bool | None
    """It was a conversation, or somebody got an answer there that day."""
    source: str
    """Who told one of the contacts of the source."""


class Seen:
    """What one source did on one day, contact by contact."""

    __slots__ = ("actors", "earlier", "ends", "first", "full", "last", "probed", "total", "visited")

    def __init__(self, earlier: int = 0) -> None:
        self.probed: dict[int, float] = {}
        """Contacts that were no conversation -> the first time."""
        self.visited: dict[int, float] = {}
        """Contacts at which both sides spoke -> the first time."""
        self.ends: list[Contact] = []
        self.actors: set[str] = set()
        """The addresses that it used: several, if it is an IPv6 network."""
        self.first = math.inf
        self.last = -math.inf
        self.total = 0
        self.earlier = earlier
        """Bits of addresses that were tried while it was a row."""
        self.full = False
        """There was no room for more: counts are at least what they say."""

    @property
    def does_little(self) -> bool:
        """Whether a row is enough for it."""
        return len(self.probed) + self.earlier.bit_count() < BUSY

    def trim(self) -> None:
        """Keep the ends only, in order of time."""
        self.ends.sort(key=lambda contact: contact.place)
        del self.ends[ENDS:-ENDS]


class Crowd:
    """Visitors of a day that has more than can be kept: one slot a source, which few share by accident.

    Whoever talked to one address after the other is no passer-by any more. A slot that is shared lets too much through,
    never too little.
    """

    def __init__(self) -> None:
        self._slots = array("I", bytes(4 * CROWD_SLOTS))
        """The address last talked to, and in the lowest four bits how often it was another one than before."""

    def __reduce__(self) -> tuple[type[Crowd], tuple[()]]:
        """Slots are those of one process (`hash`): in another one passers-by are counted anew."""
        return Crowd, ()

    def passes(self, client: str, address: int) -> bool:
        """Whether the source of a conversation with one of our addresses is a passer-by so far."""
        place = hash(client) & (CROWD_SLOTS - 1)
        slot = self._slots[place]
        if slot >> 4 != address:
            slot = self._slots[place] = address << 4 | min((slot & 0xF) + 1, STAYS)
        return slot & 0xF < STAYS


class Day:
    """All sources of one UTC day."""

    def __init__(self, start: float) -> None:
        self.start = start
        self.once: dict[str, First] = {}
        self.sources: dict[str, Seen] = {}
        self.pending: list[tuple[str, int, float]] = []
        """(source, contact, time) of what is to go to rows."""
        self.answering: set[int] = set()
        """Numbers of addresses of ours from which anything came back."""
        self.open: set[int] = set()
        """Contacts that anybody was answered at: ports that are open."""
        self.rows: Rows | None = None
        self.crowd: Crowd | None = None
        self.busy: set[str] = set()
        """Sources with a row that are to be kept one by one when they come again."""


class Contacts:
    """Contacts in, days of sources out.

    A contact is a number: that of our address (in order of appearance) behind protocol and port.
    """

    KEPT = ("_days", "_numbers", "addresses", "_sources", "_kept", "_full", "grown", "uncounted")

    def __init__(self, words: Words, owned: int) -> None:
        """`owned`: how many addresses are ours."""
        self._words = words
        self.exact = owned <= SLOTS
        """Rows tell the very addresses."""
        self._days: dict[float, Day] = {}
        self._numbers: dict[str, int] = {}
        self.addresses: list[str] = []
        """Our addresses by their numbers."""
        self._sources = self._kept = 0
        self._full = False
        """All sources that are kept one by one did a lot: what others do goes to rows."""
        self.grown: set[tuple[float, str]] = set()
        """(day, source) of those that have done twice as much as when they were last here."""
        self.uncounted = 0
        """Contacts of sources for which there was no room."""

    def number(self, server: str, proto: str, port: int | None) -> int:
        """The number of contacts with a port of one of our addresses: the same as long as this lives."""
        address = self._numbers.get(server)
        if address is None:
            address = self._numbers[server] = len(self.addresses)
            self.addresses.append(server)
        return address << 18 | PROTOCOLS[proto] << 16 | (port or 0)

    def take(self, ts: float, client: str, number: int, probing: bool, answered: bool, told: Any) -> None:
        """Take one contact, by its number. `probing`: it was no conversation; `told` is what `words` are made of."""
        start = ts // DAY * DAY
        day = self._days.get(start)
        if day is None:
            day = self._days[start] = Day(start)
        address = number >> 18
        if answered and number not in day.open:
            day.answering.add(address)
            if len(day.open) < MOST_CONTACTS:  # a trap answers at every port
                day.open.add(number)
        if not probing and day.crowd is not None and day.crowd.passes(client, address) and client not in day.sources:
            return
        server = self.addresses[address]
        key = network_of(client) if ":" in client else client
        seen = day.sources.get(key)
        if seen is None:
            earlier = day.once.get(key)
            if earlier is None and key not in day.busy:
                day.once[key] = First(number, ts, client, server, probing, told)
                if len(day.once) > MOST_ONCE:
                    self._fold(day)
                return
            if earlier is not None and earlier.number == number and earlier.probing == probing:
                return  # the same again: no second contact
            seen = self._fresh(day, key)
            if seen is None:
                if probing:
                    day.pending.append((key, number, ts))
                    if len(day.pending) > MOST_ONCE:
                        self._fold(day)
                return
            if earlier is not None:
                del day.once[key]
                self._note(seen, *earlier)
        self._note(seen, number, ts, client, server, probing, told)

    def _note(self, seen: Seen, number: int, ts: float, client: str, server: str, probing: bool, told: Any) -> None:
        contacts = seen.probed if probing else seen.visited
        before = contacts.get(number)
        seen.total += 1
        if ts < seen.first:
            seen.first = ts
        if ts > seen.last:
            seen.last = ts
        if before is None:
            if self._kept >= MOST_CONTACTS:
                seen.full = True
                return
            self._kept += 1
            contacts[number] = ts
            many, rest = divmod(len(contacts), NOTABLE)
            if not rest and many.bit_count() == 1:
                self.grown.add((ts // DAY * DAY, network_of(client) if ":" in client else client))
            seen.actors.add(client)
            seen.ends.append(Contact(ts, client, server, *self._words(told)))
            if len(seen.ends) > 2 * ENDS + 4:
                seen.trim()
        elif ts < before:
            contacts[number] = ts

    def _fresh(self, day: Day, key: str) -> Seen | None:
        """A place for a source that came again; None if there is none."""
        if self._sources >= MOST_SOURCES and not self._full:
            self._shrink()
        if self._full:
            return None
        day.busy.discard(key)
        seen = day.sources[key] = Seen(day.rows.bits(key) if day.rows is not None else 0)
        self._sources += 1
        return seen

    def _shrink(self) -> None:
        """Make rows of the sources that did little."""
        for day in self._days.values():
            tried: list[tuple[str, int, float]] = []
            for key in [key for key, seen in day.sources.items() if seen.does_little]:
                seen = day.sources.pop(key)
                self._sources -= 1
                self._kept -= len(seen.probed) + len(seen.visited)
                tried += [(key, number, ts) for number, ts in seen.probed.items()]
            self._to_rows(day, tried)
        self._full = self._sources > MOST_SOURCES * 0.9

    def _fold(self, day: Day) -> None:
        """Make rows of the sources that came once; whose one contact was a conversation is forgotten."""
        once = [(key, first.number, first.ts) for key, first in day.once.items() if first.probing]
        self._to_rows(day, once + day.pending)
        day.once, day.pending = {}, []
        if day.crowd is None:
            day.crowd = Crowd()

    def _to_rows(self, day: Day, contacts: list[tuple[str, int, float]]) -> None:
        from reconwatch.detectors.sketch import Rows, Tried  # numpy: 80 ms that few runs need

        if day.rows is None:
            day.rows = Rows(self.exact)
        if contacts:
            before = day.rows.refused
            tried = [Tried(key, number >> 18, number & 0xFFFF, ts) for key, number, ts in contacts]
            busy = day.rows.take(tried, BUSY)
            room = 0 if self._full else max(0, MOST_SOURCES - self._sources - len(day.busy))
            day.busy.update(busy[:room])
            self.uncounted += day.rows.refused - before

    def notable(self) -> Iterator[tuple[Day, str, Seen]]:
        """The sources that have done much more since this was last asked, of days that are not over."""
        grown, self.grown = self.grown, set()
        for start, key in sorted(grown):
            day = self._days.get(start)
            seen = day.sources.get(key) if day is not None else None
            if day is not None and seen is not None:
                yield day, key, seen

    def has_closing(self, before: float) -> bool:
        """Whether there are days that are over by `before` and were not closed yet."""
        return any(start + DAY <= before for start in self._days)

    def of(self, ip: str, before: float = math.inf) -> Iterator[Contacted]:
        """What an address did on days that are over by `before`, as far as it is still kept contact by contact.

        Each contact is told once, as first made.

        Of IPv6 only where no neighbour in its network is known: they are kept together.
        """
        key = network_of(ip) if ":" in ip else ip
        for start, day in self._days.items():
            if start + DAY > before:
                continue
            if (first := day.once.get(key)) is not None and first.client == ip:
                yield self._contacted(day, first.ts, first.number, first.probing, self._words(first.told)[0])
            seen = day.sources.get(key)
            if seen is None or seen.actors != {ip}:
                continue
            source = min(contact.source for contact in seen.ends)
            for probing, contacts in ((True, seen.probed), (False, seen.visited)):
                for number, ts in contacts.items():
                    yield self._contacted(day, ts, number, probing, source)

    def _contacted(self, day: Day, ts: float, number: int, probing: bool, source: str) -> Contacted:
        proto, port = NAMES[number >> 16 & 3], number & 0xFFFF
        answered = None if probing and proto == "icmp" else not probing or number in day.open
        return Contacted(ts, self.addresses[number >> 18], proto, port, not probing, answered, source)

    def alone(self, first: First) -> Seen:
        """What a source did that came once."""
        seen = Seen()
        self._note(seen, *first)
        self._kept -= 1  # it is not kept like the others
        return seen

    def close(self, before: float = math.inf) -> Iterator[Day]:
        """The days that are over by `before`, the oldest first; they are forgotten."""
        for start in sorted(self._days):
            if start + DAY <= before:
                day = self._days.pop(start)
                if day.rows is not None:
                    self._fold(day)
                self._sources -= len(day.sources)
                self._kept -= sum(len(seen.probed) + len(seen.visited) for seen in day.sources.values())
                self._full = False
                yield day


def network_of(ip: str) -> str:
    """The /64 of an IPv6 address: one host has as many addresses there as it likes."""
    return inet_ntop(AF_INET6, inet_pton(AF_INET6, ip)[:8] + bytes(8)) + "/64"


def estimate(bits: int, exact: bool, room: int = SLOTS) -> int:
    """How many addresses set so many of `room` bits; `exact`: each has a bit of its own."""
    if exact:
        return bits
    return round(-SLOTS * math.log(1 - min(bits, room - 0.5) / room))
