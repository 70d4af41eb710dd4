"""DNS messages (RFC 1035): questions, and the addresses that answers give for them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from struct import unpack_from

from reconwatch.sources.dns_codes import PTR, pointed
from reconwatch.sources.pcap.stream import Reader, Stream
from reconwatch.sources.pcap.tell import Answer, Ends, Teller, address, ends, turned
from reconwatch.sources.spelling import dns_label

PORT = 53
A, CNAME, AAAA, NSEC, NSEC3, SVCB, HTTPS = 1, 5, 28, 47, 50, 64, 65
ECH = 5
"""The SvcParam key of `ech` (RFC 9848)."""

OPCODE = 0x7800
ASK_NOTHING = frozenset({0x0800, 0x2800})
"""An inverse query (RFC 1035 section 6.4) has an answer to which a question is sought, an update (RFC 2136) a zone."""

MAX_QUESTIONS = 16
"""No resolver sends more than one; a few test tools do."""

MAX_RECORDS = 1024
"""Records read of one answer: more than any set of addresses has, few enough for names made to be slow."""

MAX_POINTERS = 32
"""Jumps followed in one name: an honest one has one or two, and each must point backwards or forwards only so often."""

MAX_NAME = 255

ASKED_LIFE = 60.0
"""Seconds that an answer may come behind its query: resolvers give up after some 30 (BIND's resolver-query-timeout)."""

MOST_ASKED = 16_384
"""Queries for names of interest that are remembered; at some 300 bytes each this is 5 MB."""
_POINTER_TO_QUESTION = b"\xc0\x0c"
_KELVIN = "\u212a".encode()


class Malformed(Exception):
    """The message breaks RFC 1035 where we need it."""


def read_name(message: bytes, at: int) -> tuple[str, int]:
    """The name at `at` and the offset behind it; raises Malformed on loops, and on names that run off or are long."""
    labels: list[str] = []
    behind, jumps, length = -1, 0, 0
    size = len(message)
    while at < size:
        count = message[at]
        if count == 0:
            return ".".join(labels), at + 1 if behind < 0 else behind
        if count < 64:
            length += count + 1
            if length > MAX_NAME or at + count >= size:
                break
            labels.append(dns_label(message[at + 1 : at + 1 + count]))
            at += count + 1
        elif count >= 0xC0 and at + 1 < size and jumps < MAX_POINTERS:
            jumps += 1
            if behind < 0:
                behind = at + 2
            at = (count & 0x3F) << 8 | message[at + 1]
        else:
            break
    raise Malformed


class Questions:
    """Reads question sections, remembering those it saw: names repeat, and a dictionary is faster than a walk."""

    __slots__ = ("_seen",)

    SIZE = 8192
    """Question sections remembered; at some 300 bytes each this is 2.5 MB."""

    def __init__(self) -> None:
        self._seen: dict[bytes, tuple[str, int, int]] = {}

    def first(self, message: bytes) -> tuple[str, int, int]:
        """(name, type, offset behind) of the first question; raises Malformed."""
        # The first zero byte ends an honest name: it and the four bytes behind it decide everything. Where a label
        # holds a zero, or a pointer may lead elsewhere, the key would not tell all, and nothing is remembered.
        stop = message.find(b"\0", 12) + 5
        key = message[12:stop]
        known = self._seen.get(key)
        if known is not None:
            return known
        name, at = read_name(message, 12)
        if at + 4 > len(message):
            raise Malformed
        question = (name, message[at] << 8 | message[at + 1], at + 4)
        if at + 4 == stop and max(key) < 0xC0:
            if len(self._seen) >= self.SIZE:
                self._seen.clear()
            self._seen[key] = question
        return question


def read_records(message: bytes, at: int, count: int) -> Iterator[tuple[str | None, int, float, int, int]]:
    """(owner, type, TTL, start and end of the data) of `count` records; owner None: the name of the first question."""
    size = len(message)
    for _ in range(min(count, MAX_RECORDS)):
        owner: str | None = None
        if message[at : at + 2] == _POINTER_TO_QUESTION:
            at += 2
        else:
            owner, at = read_name(message, at)
        if at + 10 > size:
            raise Malformed
        kind, _, ttl, length = unpack_from(">HHIH", message, at)
        at += 10
        if at + length > size:
            raise Malformed
        yield owner, kind, float(ttl), at, at + length
        at += length


def has_ech(message: bytes, at: int, end: int) -> bool:
    """Whether the data of an SVCB or HTTPS record (RFC 9460 section 2.2) holds the `ech` parameter."""
    _, at = read_name(message, at + 2)
    while at + 4 <= end:
        key, length = unpack_from(">HH", message, at)
        if key == ECH:
            return True
        at += 4 + length
    return False


def read_answers(message: bytes, name: str, at: int, count: int) -> tuple[tuple[tuple[str, float], ...], bool]:
    """The addresses for `name`, through CNAMEs, and whether `ech` was offered. A cut message gives what it has."""
    found: list[tuple[str, str, float]] = []
    aliases: dict[str, str] = {}
    ech = False
    try:
        for owner, kind, ttl, start, end in read_records(message, at, count):
            if kind in (A, AAAA) and end - start == (4 if kind == A else 16):
                found.append((name if owner is None else owner, address(message[start:end]), ttl))
            elif kind == CNAME:
                aliases[name if owner is None else owner] = read_name(message, start)[0]
            elif kind in (HTTPS, SVCB):
                ech = ech or has_ech(message, start, end)
    except Malformed:
        pass
    chain = {name}
    while name in aliases and aliases[name] not in chain:
        name = aliases[name]
        chain.add(name)
    return tuple(dict.fromkeys((text, ttl) for owner, text, ttl in found if owner in chain)), ech


def read_pointers(message: bytes, at: int, count: int) -> tuple[str, ...]:
    """What the answers to a PTR question call the address. A cut message gives what it has."""
    names: list[str] = []
    try:
        for _, kind, _, start, _ in read_records(message, at, count):
            if kind == PTR:
                names.append(read_name(message, start)[0])
    except Malformed:
        pass
    return pointed(names)


def pointing(names: Iterable[str]) -> re.Pattern[bytes] | None:
    """What stands in every message that holds one of some names, or a name below one; None for no names.

    Compression (RFC 1035 section 4.1.4) may take a name apart between labels, never within: so one label of each is
    sought, the longest. Or a Kelvin sign, whose lower case is a `k`.
    """
    labels = {max(name.removeprefix("=").split("."), key=len) for name in names}
    wire = sorted(re.escape(bytes((len(label),)) + label.encode()) for label in labels)
    return re.compile(b"|".join((*wire, _KELVIN)), re.IGNORECASE) if wire else None


def names_next(message: bytes, at: int, answers: int) -> bool:
    """Whether NSEC or NSEC3 records stand behind the answers: they say which name comes next (RFC 4034, RFC 5155)."""
    authorities = int.from_bytes(message[8:10], "big")
    try:
        kinds = [kind for _, kind, _, _, _ in read_records(message, at, answers + authorities)]
    except Malformed:
        return False
    return not {NSEC, NSEC3}.isdisjoint(kinds[answers:])


class Messages:
    """Tells what DNS messages say."""

    __slots__ = ("_asked", "_questions", "_teller")

    def __init__(self, teller: Teller) -> None:
        self._teller = teller
        self._questions = Questions()
        self._asked: dict[tuple[bytes, bytes, str, int], float] = {}
        """Queries that were seen, by client and server, identifier, name and type: when."""

    def name(self, message: bytes) -> str:
        """The name in the first question; raises Malformed."""
        return self._questions.first(message)[0]

    def read(self, message: bytes, ts: float, key: bytes) -> None:
        """Tell one message that went from the source of `key` to its destination.

        Where the query of a response was not seen, the response stands for it: it repeats the question.
        """
        if len(message) < 12:
            raise Malformed
        flags, questions, answers = unpack_from(">HHH", message, 2)
        if flags & OPCODE in ASK_NOTHING or not 1 <= questions <= MAX_QUESTIONS:
            return
        name, qtype, at = self._questions.first(message)
        response = bool(flags & 0x8000)
        asker = turned(key) if response else key
        at_ends = ends(asker)
        self._question(ts, at_ends, name, qtype, (asker, message[:2], name, qtype), response)
        for _ in range(questions - 1):
            other, at = read_name(message, at)
            kind = int.from_bytes(message[at : at + 2], "big")
            self._question(ts, at_ends, other, kind, (asker, message[:2], other, kind), response)
            at += 4
        if response:
            ours = self._teller.ours(at_ends[2])
            addresses, ech = read_answers(message, name, at, answers) if answers else ((), False)
            pointers = read_pointers(message, at, answers) if answers and qtype == PTR else ()
            if addresses or ech or pointers or ours:
                walked = ours and names_next(message, at, answers)
                self._teller.answer(
                    ts, at_ends, Answer(name, qtype, flags & 15, answers, addresses, ech, walked, pointers)
                )

    def _question(
        self, ts: float, at: Ends, name: str, qtype: int, query: tuple[bytes, bytes, str, int], response: bool
    ) -> None:
        if not self._teller.names(name) and not self._teller.ours(at[2]):
            return
        if response and abs(ts - self._asked.get(query, -ASKED_LIFE)) < ASKED_LIFE:
            return
        self._teller.query(ts, at, name, qtype)
        if not response:
            if len(self._asked) >= MOST_ASKED:
                del self._asked[next(iter(self._asked))]
            self._asked[query] = ts


class MessageReader:
    """DNS over TCP (RFC 7766): messages behind their lengths, either direction."""

    __slots__ = ("_data", "_messages", "_since", "_stream", "held")

    def __init__(self, stream: Stream, messages: Messages) -> None:
        self._stream = stream
        self._messages = messages
        self._data = b""
        self._since = 0.0
        self.held = 0

    def feed(self, chunk: bytes, ts: float) -> Reader | None:
        """Read on."""
        if not self._data:
            self._since = ts
        data = self._data + chunk if self._data else chunk
        at = 0
        while at + 2 <= len(data):
            end = at + 2 + (data[at] << 8 | data[at + 1])
            if end > len(data):
                break
            if not self._message(data[at + 2 : end]):
                return None
            at, self._since = end, ts
        self._data = data[at:]
        self.held = len(self._data)
        return self

    def _message(self, message: bytes) -> bool:
        stream = self._stream
        try:
            self._messages.read(message, self._since, stream.key)
        except Malformed:
            stream.flow.teller.account.skip("a DNS message is malformed", f"packet {stream.flow.teller.place}")
            return False
        stream.flow.service = "dns"
        return True

    def gap(self) -> Reader | None:
        """The next segment is taken for the beginning of a message: its first bytes show whether it is."""
        self._data = b""
        self.held = 0
        return self

    def end(self) -> None:
        """Half a message tells nothing that its flow does not."""
