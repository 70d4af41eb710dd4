r"""Finds, in a block of text lines, those that an Interest may want, before anything is decoded.

The law: whatever the Lookout wants of a line's events, the sieve hits the line. Too much is allowed, too little
never. So names are searched for anywhere in a line, in any case, and a line is let through whenever an escape in it
could hide a letter of a name: `\u002e` in JSON, `\x2e` in Zeek's TSV. No other escape can: names and paths are
printable ASCII, and the one other character whose lower case is an ASCII letter is the Kelvin sign (U+212A).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple, Protocol
from weakref import WeakSet

import msgspec

from reconwatch.account import Account
from reconwatch.cache import cached, stamp
from reconwatch.interest import Interest, Lookout, Marks
from reconwatch.sources.crowd import Crowd
from reconwatch.sources.lines import Block
from reconwatch.sources.spelling import Spelling, beginnings, spellings

MOST_NAMES = 30_000
"""Names beyond which compiling takes seconds and hundreds of MB: every line is decoded and names looked up in a set."""

MOST_NETWORKS = 30_000
"""Addresses and ranges of `Interest.marks` beyond which every line is decoded. Each is a literal or a few."""

LONGEST_PORT = 5
"""Bytes of a port's column, unset or not."""

MOST_LESSONS = 16
"""Lines of one block that may teach addresses: each costs a compilation, as much time as decoding fifty lines.

A block that teaches more is decoded to its end, and what it taught compiled once.
"""

_COLONS = (b":", b": ", b" :", b" : ")
"""Between a key and its value, as JSON is written. Literals: a repeated blank would wake the automaton at each."""
_ODD = (b"  ", b":  ", b" :  ")
"""Behind a key: more spaces than those; such a line is let through. Of tabs and the like see `_odd_blanks`."""

_ENDS_OF_NUMBERS = (b",", rb"\}", b" ", rb"\.", b"e")
"""What may stand behind the digits of a number in JSON, as regular expressions; of other blanks see `_odd_blanks`."""

_JSON: frozenset[Spelling] = frozenset({"json", "eve"})

_KELVIN = rb"\xe2\x84\xaa"
_JSON_ESCAPES = (rb"\\u(?:00|212a)", _KELVIN)
_MARKS: dict[Spelling, tuple[bytes, ...]] = {
    # Headers; and printable ASCII written as an escape (Zeek src/Desc.cc), but for the comma, which is in many lists.
    "tsv": (rb"(?:^|\x00)#", rb"\\x(?:2[0-9abd-f]|[3-7][0-9a-f]|e2\\x84\\xaa)", _KELVIN),
    "json": _JSON_ESCAPES,
    "eve": _JSON_ESCAPES,
    # Headers; and whatever a format writes as an escape: `\x2e`, `\046` or `\u002e`, the last two of BIND and of JSON.
    "text": (rb"(?:^|\x00)#", rb"\\(?:x|u00|u212a|[0-9]{3})", _KELVIN),
}


class Layout(NamedTuple):
    """How an input spells what is looked for."""

    spelling: Spelling
    separator: bytes = b"\t"
    """Of the columns of TSV."""
    port_first: bool = False
    """TSV: the column before the server's address is a port, of at most LONGEST_PORT bytes, as Zeek writes it."""
    labelled: bool = False
    """Text: names may also be written as `(6)shodan(2)io(0)`."""
    marks: tuple[bytes, ...] = ()
    """Text: regular expressions of further lines that are to be decoded."""
    named: bool = True
    """TSV: a row can hold the name of a server."""


class Sifting(Protocol):
    """Gives the lines of a block that are to be decoded, as (start, end) without the newline, in order, each once."""

    def lines(self, block: Block) -> Iterator[tuple[int, int]]:
        """What lines there are may change while they are taken: a sieve looks for what the last one taught."""
        ...


class EveryLine:
    """The sieve that holds nothing back: the oracle, and the fallback without Hyperscan."""

    def lines(self, block: Block) -> Iterator[tuple[int, int]]:
        """Every line of the block."""
        return block.lines(block.start, block.end)


class Sieve:
    """A Hyperscan sieve over raw lines. Not for use by two threads at once (its scratch is its own).

    It grows with `lookout.addresses`: the addresses that a decoded line has just taught are looked for in the rest of
    the same block. Learned addresses live in tiers of their own, each at least twice as large as the next, so that
    learning n of them compiles each only log n times.
    """

    def __init__(self, lookout: Lookout, layout: Layout, *, crowd: bool = False) -> None:
        """`crowd`: there are too many names of `Interest.marks` to be patterns: those in the lines are looked up."""
        self._lookout = lookout
        self._spelling = layout.spelling
        self._base = _Net(_shared(lookout.interest, layout, crowd))
        self._crowd = Crowd(lookout.names) if crowd and layout.spelling in _JSON else None
        self._tiers: list[tuple[frozenset[str], _Net]] = []
        self._known: set[str] = set()
        self._seen = (0, 0)
        """How many addresses the lookout had, and had let go, when it was last asked."""

    def lines(self, block: Block) -> Iterator[tuple[int, int]]:
        """The lines that hit; those taught by a line just given are found behind it."""
        self._settle()
        if self._spelling in ("json", "eve") and _odd_blanks(block):
            yield from EveryLine().lines(block)
            return
        addresses, crowded = self._lookout.addresses, self._lookout.crowded
        data, position, stop = block.data, block.start, block.end
        ends = self._base.ends(data, position, stop)
        if self._crowd is not None:
            ends = sorted(ends + self._crowd.ends(data, position, stop))
        if self._tiers:
            ends = sorted(ends + [end for _, net in self._tiers for end in net.ends(data, position, stop)])
        index = lessons = 0
        while index < len(ends):
            hit = ends[index]
            index += 1
            if hit < position:
                continue
            start = data.rfind(b"\n", position, hit) + 1 or position
            end = data.find(b"\n", hit, stop)
            if end < 0:
                end = stop
            yield start, end
            position = end + 1
            if (len(addresses), len(crowded)) != self._seen and (taught := self._learn()) is not None:
                lessons += 1
                if lessons == MOST_LESSONS:
                    yield from EveryLine().lines(block.rest(position))
                    return
                ends = sorted(ends[index:] + taught.ends(data, position, stop))
                index = 0

    def _learn(self) -> _Net | None:
        """Compile what the lookout has learned since; None if nothing."""
        seen = (len(self._lookout.addresses), len(self._lookout.crowded))
        if seen == self._seen:
            return None
        self._seen = seen
        fresh = frozenset(self._lookout.addresses - self._known)
        if not fresh:
            return None
        self._known |= fresh
        net = self._net(fresh)
        self._tiers.append((fresh, net))
        return net

    def _settle(self) -> None:
        """Between blocks: learn, drop what the lookout has let go, and join the small tiers."""
        self._learn()
        for place, (addresses, _) in reversed(list(enumerate(self._tiers))):
            left = addresses - self._lookout.crowded
            if not left:
                del self._tiers[place]
            elif len(left) < len(addresses):
                self._tiers[place] = left, self._net(left)
        if len(self._tiers) < 2:
            return
        joined, net = self._tiers.pop()
        size = len(joined)
        while self._tiers and len(self._tiers[-1][0]) <= 2 * len(joined):
            joined |= self._tiers.pop()[0]
        self._tiers.append((joined, net if len(joined) == size else self._net(joined)))

    def _net(self, addresses: frozenset[str]) -> _Net:
        texts = {text for address in addresses for text in spellings(address, self._spelling)}
        return _Net(_database([_literal(text) for text in sorted(texts)]))


class _Net:
    """One compiled database and its scratch."""

    def __init__(self, database: Any) -> None:
        import hyperscan  # here: 30 ms that a run without text logs need not spend

        self._database = database
        self._scratch = hyperscan.Scratch(database)

    def ends(self, data: bytearray, start: int, stop: int) -> list[int]:
        """Where matches end in `data[start:stop]`, ascending: the index of each one's last byte, never a newline's."""
        found: list[int] = []
        if start >= stop:
            return found
        append = found.append
        offset = start - 1

        def note(_id: int, _from: int, end: int, _flags: int, _context: object) -> None:
            append(end + offset)  # anything true returned here would end the scan

        with memoryview(data) as whole, whole[start:stop] as view:
            self._database.scan(view, match_event_handler=note, scratch=self._scratch)
        return found


def _patterns(interest: Interest, layout: Layout, crowd: bool = False) -> list[bytes]:
    found = _plain_patterns(interest, layout)
    marks: Marks | None = interest.marks
    if marks is not None:
        networks = marks.spelt_networks() if marks.most_networks else ()
        begun = {text for network in networks for text in beginnings(network)}
        told = () if crowd else sorted(marks.spelt_names())
        names = [_literal(name) for name in told]
        if layout.labelled:
            names += [_literal(_labelled(name)) for name in told]
        if crowd and marks.has_requests:
            names += _REQUESTS.get(layout.spelling, [])
        # Literals, wherever they stand: with the columns around them thousands would take minutes to compile.
        found += [*names, *(_literal(text) for text in sorted(begun))]
    return found


_REQUESTS = {
    "json": [rb"\"uri\""],
    "eve": [rb"_type\"%b\"%b\"" % (colon, kind) for colon in _COLONS for kind in (b"alert", b"http")],
}
"""What a line has that may tell a request."""


def _plain_patterns(interest: Interest, layout: Layout) -> list[bytes]:
    names = {name.removeprefix("=").lower() for name in interest.names | interest.asides | interest.pointers}
    found = [_literal(name) for name in sorted(names) if name]
    for host, prefix in sorted(interest.paths):
        # Either alone would hit all day: `www.google.com`, `/api/`. Their order is the writer's.
        # A text log may have what stands behind the question mark in another column.
        name, path = _literal(host), _path(prefix.partition("?")[0] if layout.spelling == "text" else prefix)
        found += [rb"%b[^\n]*%b" % (name, path), rb"%b[^\n]*%b" % (path, name)]
    columns = {"tsv": _tsv_columns, "text": _text_words}.get(layout.spelling, _json_fields)
    return [*found, *columns(interest, layout), *_MARKS[layout.spelling]]


def _labelled(name: str) -> str:
    """As Windows' name server writes a name."""
    return "".join(f"({len(label)}){label}" for label in name.split("."))


def _text_words(interest: Interest, layout: Layout) -> Iterator[bytes]:
    """Addresses of networks anywhere in the line: where in it a server's stands is the format's."""
    yield from layout.marks
    if layout.labelled:
        names = {name.removeprefix("=").lower() for name in interest.names | interest.asides | interest.pointers}
        yield from (_literal(_labelled(name)) for name in sorted(names))
    if interest.networks:
        # `::ffff:192.0.2.1` is how a server writes an IPv4 address that listens for both.
        yield rb"(?:^|[^0-9A-Za-z.:]|:ffff:)(?:%b)" % b"|".join(_beginnings(interest))


def _tsv_columns(interest: Interest, layout: Layout) -> Iterator[bytes]:
    separator = _literal(layout.separator.decode("latin-1"))
    yield rb"(?:^|%b)PRI(?:%b|\r|$)" % (separator, separator)
    if interest.ports:
        yield rb"(?:^|%b)(?:%b)(?:%b|\r|$)" % (separator, _ports(interest), separator)
    # Behind a port the server's address is told from the client's, which follows the long `uid`.
    port = rb"[^%b\n]{1,%d}%b" % (separator, LONGEST_PORT, separator) if layout.port_first else b""
    if interest.networks:
        yield rb"(?:^|%b)%b(?:%b)" % (separator, port, b"|".join(_beginnings(interest)))


def _json_fields(interest: Interest, layout: Layout) -> Iterator[bytes]:
    zeek = layout.spelling == "json"
    port, server = (rb"resp_p\"", rb"resp_h\"") if zeek else (rb"_port\"", rb"dest_ip\"")
    # Literals again: with a class behind it, every port in every line would be looked at twice.
    values = {port: [b"%d%b" % (number, end) for number in sorted(interest.ports) for end in _ENDS_OF_NUMBERS]}
    values[port] += [rb"\"%d\"" % number for number in sorted(interest.ports)]
    values[server] = [rb"\"%b" % text for text in _beginnings(interest)]
    if zeek:
        values[rb"\"method\""] = [rb"\"PRI\""]
        # Of x509.log every row counts, and what was found inside Zeek.
        yield rb"\"certificate\.serial\""
        yield rb"\"actor_role\""
        yield rb"\"note\""
        yield rb"\"seen\.indicator\""
    else:
        # What blindness is told by: the sensor's drops, and QUIC whose hello stayed unread.
        values[rb"_type\""] = [rb"\"stats\"", rb"\"quic\""]
        # Version 3 of DNS gives a response the direction of its packet. Their order is the writer's.
        answers, answer = rb"src_ip\"", rb"\"response\""
        for text in _beginnings(interest):
            for colon in _COLONS:
                source = answers + colon + rb"\"" + text
                yield rb"%b[^\n]*%b" % (source, answer)
                yield rb"%b[^\n]*%b" % (answer, source)
        if interest.networks:
            yield from (answers + odd for odd in _ODD)
    for key, sought in values.items():
        if sought:
            yield from (key + colon + value for colon in _COLONS for value in sought)
            yield from (key + odd for odd in _ODD)


def _odd_blanks(block: Block) -> bool:
    """Whether JSON has tabs or carriage returns between its parts, as no common writer puts there; strings escape them.

    Looked for apart, which takes a twentieth of the scan's time; as patterns behind every key they took a fifth.
    """
    data, start, end = block.data, block.start, block.end
    if data.find(b"\t", start, end) >= 0:
        return True
    if data.find(b"\r", start, end) < 0:
        return False
    return data.count(b"\r", start, end) != data.count(b"\r\n", start, end) + data.endswith(b"\r", start, end)


def _ports(interest: Interest) -> bytes:
    return "|".join(str(port) for port in sorted(interest.ports)).encode()


def _beginnings(interest: Interest) -> list[bytes]:
    texts = {text for network in interest.networks for text in beginnings(network)}
    return [_literal(text) or rb"[^\n]" for text in sorted(texts)]


def _path(prefix: str) -> bytes:
    """A regular expression for a path: JSON may escape its slashes, and an absolute form may lack the first of them."""
    if prefix[1:2] in ("?", "#"):
        prefix = prefix[1:]
    return _literal(prefix).replace(b"\\x2f", rb"\\?/")


_NO_ALPHANUMERIC = re.compile(rb"[^0-9A-Za-z]")


def _literal(text: str) -> bytes:
    """A regular expression for the text itself. Hyperscan's `literal=True` ends a pattern at its first NUL."""
    return _NO_ALPHANUMERIC.sub(lambda found: b"\\x%02x" % ord(found[0]), text.encode("utf-8", "surrogateescape"))


@lru_cache(maxsize=8)
def _shared(interest: Interest, layout: Layout, crowd: bool = False) -> Any:
    """Compiled once for all inputs of a run: databases are read-only, only the scratch is not.

    And for later runs: compiling takes 100 ms, to read what was compiled takes none.
    """
    import hyperscan

    patterns = _patterns(interest, layout, crowd)
    content = {"engine": stamp(str(hyperscan.__file__)).encode(), "patterns": msgspec.msgpack.encode(patterns)}
    return cached("sieve", content, _loaded, hyperscan.dumpb, lambda: _database(patterns))


def _loaded(raw: bytes) -> Any:
    """A database that was kept. Raises ValueError if it is damaged (it has a checksum) or of another processor."""
    import hyperscan

    try:
        return hyperscan.loadb(raw, mode=hyperscan.HS_MODE_BLOCK)
    except hyperscan.error as error:
        raise ValueError("no database of this machine") from error


def _database(patterns: list[bytes]) -> Any:
    import hyperscan

    # Never SINGLEMATCH: it would report a name once a block. MULTILINE: ^ and $ are those of lines.
    flags = hyperscan.HS_FLAG_CASELESS | hyperscan.HS_FLAG_MULTILINE
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    count = len(patterns)
    database.compile(expressions=patterns, ids=list(range(count)), elements=count, flags=[flags] * count)
    return database


_told: WeakSet[Lookout] = WeakSet()
"""The runs (each has one Lookout) that were already told why every line is decoded."""


def sieve_for(lookout: Lookout, account: Account, layout: Layout, *, funnel: bool = True) -> Sifting:
    """The sieve for one input.

    `EveryLine` without the funnel; also, said once a run, without Hyperscan and for more than MOST_NAMES names.
    """
    if not funnel:
        return EveryLine()
    interest = lookout.interest
    several = (interest.names, interest.asides, interest.pointers, interest.paths, interest.networks)
    if sum(map(len, several)) > MOST_NAMES:
        return _fallback(lookout, account, f"more than {MOST_NAMES} names and networks are looked for")
    crowd = _is_crowd(interest)
    if interest.marks is not None and interest.marks.most_networks > MOST_NETWORKS:
        return _fallback(lookout, account, f"more than {MOST_NETWORKS} addresses and ranges are looked for")
    if crowd and layout.spelling not in _JSON and layout.named:
        return _fallback(lookout, account, _CROWD, "every line of a log of names")
    try:
        import hyperscan
    except ImportError:
        return _fallback(lookout, account, "hyperscan is not installed")
    try:
        sieve = Sieve(lookout, layout, crowd=crowd)
    except hyperscan.error as error:
        return _fallback(lookout, account, f"hyperscan cannot be used here ({error})")
    if crowd and layout.spelling in _JSON and lookout not in _told:
        _told.add(lookout)
        account.warn(f"{_CROWD}: each name in a line is looked up (slower, same result)")
    return sieve


_CROWD = f"more than {MOST_NAMES} names are looked for"


def _is_crowd(interest: Interest) -> bool:
    """Whether `Interest.marks` has too many names."""
    return interest.marks is not None and interest.marks.most_names > MOST_NAMES


def _fallback(lookout: Lookout, account: Account, why: str, what: str = "every line") -> EveryLine:
    if lookout not in _told:
        _told.add(lookout)
        account.warn(f"{why}: {what} is decoded (slower, same result)")
    return EveryLine()
