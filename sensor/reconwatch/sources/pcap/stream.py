"""TCP: one direction's bytes put in order, and handed to whoever reads them."""

from __future__ import annotations

from typing import Protocol

from reconwatch.sources.pcap.tell import Ends, Teller, ends, turned

DNS_PORT = b"\x00\x35"
MODULUS = 1 << 32
BEHIND = 1 << 31
"""Sequence numbers this far ahead are behind (RFC 9293 section 3.4)."""

MAX_WAITING_SEGMENTS = 64
MAX_WAITING_BYTES = 96 << 10
"""Segments kept while an earlier one is missing. Reordering spans a few segments; beyond a whole hello (64 KiB) and
then some, the missing one was not captured, and what follows is worth more than the wait."""


class Reader(Protocol):
    """Reads one direction of a connection, bytes in order."""

    held: int
    """Bytes kept for later."""

    def feed(self, chunk: bytes, ts: float) -> Reader | None:
        """Read on; `chunk` is never empty, `ts` the time of its packet.

        Gives who reads what follows: None if nobody needs to.
        """
        ...

    def gap(self) -> Reader | None:
        """Bytes were lost here. Gives who reads what follows."""
        ...

    def end(self) -> None:
        """Nothing follows: tell what can be told of what was held."""
        ...


class Flow:
    """One TCP connection."""

    __slots__ = (
        "answered", "asked", "banner", "closed", "down", "ended", "established", "followed", "opened", "service",
        "start", "teller", "up",
    )  # fmt: skip

    def __init__(self, teller: Teller, start: float, client_key: bytes, opened: bool, followed: bool) -> None:
        self.teller = teller
        self.start = start
        self.followed = followed
        """It is to be told as a Connection, whatever it carries."""
        self.up = Stream(self, client_key)
        """From the client, as far as is known."""
        self.down = Stream(self, turned(client_key))
        self.opened = opened
        """The handshake told who the client is."""
        self.asked = False
        """A SYN without ACK was seen."""
        self.answered = False
        """A SYN/ACK was seen."""
        self.banner: str | None = None
        """The first words of the server, of one that is followed."""
        self.established = False
        self.ended = False
        """Both sides said FIN, or one RST."""
        self.closed = False
        """Forgotten by the table."""
        self.service: str | None = None

    def end(self) -> None:
        """Tell the connection, once."""
        if not self.ended:
            self.ended = True
            if self.followed:
                self.teller.connection(self)

    def close(self) -> bool:
        """Read what still waits, as nothing follows, and tell the connection; whether a message was left half read.

        It has no directions any more: what refers to each other is freed by its counts only if somebody lets go.
        """
        self.closed = True
        unfinished = self.up.size > 0 or self.down.size > 0
        if unfinished:
            self.up.finish()
            self.down.finish()
        self.end()
        self.up.reader = self.down.reader = None
        del self.up, self.down
        return unfinished


class Stream:
    """One direction of a connection.

    Of overlapping bytes the first to come win, so that a later packet cannot rewrite what was read.
    """

    __slots__ = (
        "extra",
        "finished",
        "first",
        "flow",
        "key",
        "next",
        "reader",
        "rest",
        "size",
        "spoke",
        "waiting",
        "woken",
    )

    def __init__(self, flow: Flow, key: bytes) -> None:
        self.flow = flow
        self.key = key
        """Source, destination, source port, destination port."""
        self.extra = False
        """No name of interest stands in it: what is missing of it is not counted."""
        self.next: int | None = None
        """Sequence number of the next byte to be read."""
        self.first: int | None = None
        """That of its first byte, as far as is known."""
        self.reader: Reader | None = None
        self.rest = b""
        """What a reader that gave up left of its chunk for the next one. Not passed on by a call: what repeats a
        hundred times in one segment must not nest a hundred calls deep."""
        self.waiting: list[tuple[int, bytes, float]] = []
        """Segments (sequence number, bytes, time) behind a missing one, in order, not overlapping."""
        self.woken = False
        """It is read though nobody had read it any more, and whoever steps over its packets does not know yet."""
        self.spoke = False
        self.finished = False
        self.size = 0
        """Bytes kept for this direction, as last counted by the table."""

    @property
    def peer(self) -> Stream:
        """The other direction."""
        return self.flow.down if self is self.flow.up else self.flow.up

    def claim(self, service: str | None) -> Ends:
        """The ends, once content has shown that this direction comes from the client."""
        flow = self.flow
        if service is not None:
            flow.service = service
        if not flow.opened:
            if flow.up is not self:
                flow.up, flow.down = self, flow.up
            if self.key[-2:] != DNS_PORT:  # of which both directions are read
                flow.down.reader, flow.down.waiting = None, []
            flow.opened = True
        return ends(self.key)

    def watch(self, reader: Reader) -> None:
        """Have the other direction read by `reader` from its next segment on, if nobody reads it."""
        peer = self.peer
        if peer.reader is None or peer.extra:
            peer.extra = False
            peer.reader, peer.next, peer.waiting, peer.woken = reader, None, [], True

    def held(self) -> int:
        """Bytes kept right now."""
        held = self.reader.held if self.reader is not None else 0
        return held + sum([len(segment[1]) for segment in self.waiting]) if self.waiting else held

    def take(self, seq: int, payload: bytes, ts: float) -> None:
        """A segment's payload, in whatever order it came."""
        if self.reader is None:
            return
        if self.next is None:
            self.next = seq
        ahead = (seq - self.next) % MODULUS
        if ahead:
            if ahead < BEHIND:
                self._wait(ahead, payload, ts)
                return
            payload = payload[MODULUS - ahead :]
            if not payload:
                return
        self.next = (self.next + len(payload)) % MODULUS
        self.reader = self.reader.feed(payload, ts)
        if self.rest:
            self._read_rest(ts)
        if self.waiting:
            self._go_on()

    def lost(self, count: int) -> None:
        """The next `count` bytes were on the wire and are not in the capture (a packet cut by snaplen)."""
        if self.reader is not None and self.next is not None:
            self.next = (self.next + count) % MODULUS
            self._gap()
            self._go_on()

    def finish(self) -> None:
        """Nothing follows: read what waits behind gaps, and end."""
        while self.waiting and self.reader is not None:
            self._jump()
        self.waiting = []
        if self.reader is not None:
            self.reader.end()
            self.reader = None

    def _gap(self) -> None:
        if self.reader is not None:
            if not self.extra:
                self.flow.teller.account.blind["tcp_gaps"] += 1
            self.reader = self.reader.gap()

    def _jump(self) -> None:
        """Give the missing bytes up."""
        self.next = self.waiting[0][0]
        self._gap()
        self._go_on()

    def _go_on(self) -> None:
        """Read what waits and is now in order."""
        while self.waiting and self.reader is not None and self.next is not None:
            seq, payload, ts = self.waiting[0]
            ahead = (seq - self.next) % MODULUS
            if 0 < ahead < BEHIND:
                return
            del self.waiting[0]
            payload = payload[(MODULUS - ahead) % MODULUS :]
            if payload:
                self.next = (self.next + len(payload)) % MODULUS
                self.reader = self.reader.feed(payload, ts)
                self._read_rest(ts)
        if self.reader is None:
            self.waiting = []

    def _read_rest(self, ts: float) -> None:
        while self.rest:
            rest, self.rest = self.rest, b""
            if self.reader is not None:
                self.reader = self.reader.feed(rest, ts)

    def _wait(self, ahead: int, payload: bytes, ts: float) -> None:
        pieces = [(ahead, payload)]
        assert self.next is not None
        for seq, held, _ in self.waiting:
            start = (seq - self.next) % MODULUS
            pieces = [part for piece in pieces for part in _outside(*piece, start, start + len(held))]
        self.waiting += [((self.next + at) % MODULUS, piece, ts) for at, piece in pieces]
        origin = self.next
        self.waiting.sort(key=lambda segment: (segment[0] - origin) % MODULUS)
        if len(self.waiting) > MAX_WAITING_SEGMENTS or sum(len(s[1]) for s in self.waiting) > MAX_WAITING_BYTES:
            self._jump()


def _outside(at: int, piece: bytes, start: int, stop: int) -> list[tuple[int, bytes]]:
    """The parts of `piece`, which begins at `at`, that lie outside start..stop."""
    if at + len(piece) <= start or at >= stop:
        return [(at, piece)]
    parts = []
    if at < start:
        parts.append((at, piece[: start - at]))
    if at + len(piece) > stop:
        parts.append((stop, piece[stop - at :]))
    return parts
