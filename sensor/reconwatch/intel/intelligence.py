"""All feeds of a site as one: what of an event is listed, by whom, and with what confidence at its time.

How what is listed is compared (docs/site.md says it to the site's owner):
- a domain stands for all names under it, by whole labels; one under which a company gives names to its customers
  (github.io) for itself alone. Zeek's framework knows only the name itself, so a feed made for it matches more here;
- every range that holds an address counts, as in Zeek; a range is never taken for a host;
- what is not valid at the event's time is no indicator then (STIX 2.1 section 4.7); `valid_until` itself is outside;
- what a list of benign things holds, and what is the site's own, is no indicator whoever lists it.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from ipaddress import ip_address, ip_network
from socket import AF_INET, AF_INET6, inet_pton

import numpy as np

from reconwatch.document import Problem
from reconwatch.events import AnyEvent, DnsAnswer, Hello, HttpRequest, told_name
from reconwatch.intel.compiled import Compiled, Facts, joined
from reconwatch.intel.feeds import LoadedFeed, load_feed
from reconwatch.intel.indicator import AGENT, FOUR, HOST, JA3, JA4, NAME, SIX, URL, kind_of, url_text, value_of
from reconwatch.intel.seen import Span, note_seen
from reconwatch.interest import LONGEST_NAME, Interest
from reconwatch.sightings import Indicated
from reconwatch.site import Site

MOST_SOURCES = 5
"""Feeds and their own sources that a notice names for one indicator."""

By = str


class Intelligence:
    """The indicators of a site. Questions are cached; nothing changes but what has `matched`."""

    def __init__(self, feeds: Iterable[LoadedFeed] = (), site: Site | None = None) -> None:
        self.feeds = tuple(feeds)
        self._site = site or Site()
        self._listed = joined([feed.indicators for feed in self.feeds if not feed.benign])
        self._benign = joined([feed.indicators for feed in self.feeds if feed.benign])
        self._parts = [text for feed in self.feeds if feed.benign for how, text in feed.patterns if how == "substring"]
        self._lengths = {
            kind: _lengths(self._listed, kind, size) | _lengths(self._benign, kind, size)
            for kind, size in ((FOUR, 4), (SIX, 16))
        }
        self._spans = {4: self._joined_spans(4), 6: self._joined_spans(6)}
        self.excused = lru_cache(maxsize=65_536)(self._excused)
        self._names = lru_cache(maxsize=65_536)(self._listed_names)
        self._addresses = lru_cache(maxsize=65_536)(self._listed_addresses)
        self.out_of_time = 0
        """Events that touched only indicators which were not valid at their time."""
        self.matched: dict[bytes, Span] = {}
        """Key -> when it first and last matched in this run."""
        counts = self._listed.counts()
        self.most_names = counts[NAME] + counts[HOST] + counts[URL]
        self.most_networks = counts[FOUR] + counts[SIX]
        self.has_requests = counts[URL] > 0
        self._traits = {kind: counts[kind] > 0 for kind in (AGENT, JA3, JA4)}

    @classmethod
    def of(cls, site: Site) -> Intelligence:
        """That of a site's feeds, from their files or what was kept of them."""
        return cls([load_feed(feed, site.path) for feed in site.intel], site)

    def __bool__(self) -> bool:
        """Whether there is any indicator."""
        return len(self._listed) > 0

    def problems(self) -> tuple[Problem, ...]:
        """Feeds that were refused, what stands in feeds and is no indicator, and what of the site is listed."""
        told = [feed.refused for feed in self.feeds if feed.refused is not None]
        for feed in self.feeds:
            told += feed.passed
        return (*told, *self.own())

    def remember(self) -> None:
        """Keep what has matched, for `check` to tell what never did."""
        for feed in self.feeds:
            if not feed.benign:
                note_seen(feed.feed, {key: span for key, span in self.matched.items() if key in feed.indicators})

    def interest(self) -> Interest:
        """What sources are to let through; nothing without indicators."""
        return Interest(marks=self if self else None)

    # -- what sources ask (`interest.Marks`)

    def spelt_names(self) -> frozenset[str]:
        """See `Marks`."""
        found = set()
        for row in self._listed.of_kind(NAME, HOST, URL).tolist():
            key = self._listed.key(row)
            if not self.excused(key):
                value = key[1:].decode("utf-8", "surrogateescape")
                found.add(value.partition("/")[0] if key[0] == URL else value)
        return frozenset(found)

    def spelt_networks(self) -> frozenset[str]:
        """See `Marks`."""
        keys = (self._listed.key(row) for row in self._listed.of_kind(FOUR, SIX).tolist())
        return frozenset(value_of(key) for key in keys if not self.excused(key))

    def network_bounds(self, version: int) -> tuple[Sequence[int], Sequence[int]]:
        """See `Marks`."""
        return self._spans[version]

    def has_name(self, name: str) -> bool:
        """See `Marks`."""
        return bool(self._names(name.lower().rstrip(".")))

    def has_request(self, host: str, uri: str) -> bool:
        """See `Marks`."""
        return self.has_requests and any(True for _ in self._listed_url(host, uri))

    def has_address(self, address: str) -> bool:
        """See `Marks`."""
        return bool(self._addresses(address))

    # -- what is listed

    def touched(self, event: AnyEvent) -> tuple[Indicated, ...]:
        """The indicators that an event touches and that are valid at its time."""
        found: dict[tuple[bytes, By], list[Facts]] = {}
        for key, by in self._touched_keys(event):
            for row in self._listed.rows(key):
                facts = self._listed.facts(row)
                if facts.since <= event.ts < facts.until:
                    found.setdefault((key, by), []).append(facts)
        return tuple(sorted(_indicated(key, by, facts) for (key, by), facts in found.items()))

    def touches(self, event: AnyEvent) -> bool:
        """Whether an event touches any; notes what it did."""
        keys = list(self._touched_keys(event))
        if not keys:
            return False
        found = False
        for key, _ in keys:
            if any(self._valid(row, event.ts, event.ts) for row in self._listed.rows(key)):
                first, last = self.matched.get(key, (event.ts, event.ts))
                self.matched[key] = min(first, event.ts), max(last, event.ts)
                found = True
        self.out_of_time += not found
        return found

    def of_text(self, text: str, first: float, last: float) -> tuple[Indicated, ...]:
        """The indicators that a name or address touches and that are valid at any time of a span."""
        keys = self._addresses(text) if _is_address(text) else self._names(text.lower().rstrip("."))
        found = []
        for key in keys:
            facts = [self._listed.facts(row) for row in self._listed.rows(key) if self._valid(row, first, last)]
            if facts:
                found.append(_indicated(key, "server" if key[0] in (FOUR, SIX) else "name", facts))
        return tuple(sorted(found))

    def _valid(self, row: int, first: float, last: float) -> bool:
        return bool(self._listed.since[row] <= last and first < self._listed.until[row])

    def _touched_keys(self, event: AnyEvent) -> Iterator[tuple[bytes, By]]:
        if isinstance(event, DnsAnswer):
            return  # its question was it that touched something
        name = told_name(event)
        if name:
            yield from ((key, "name") for key in self._names(name.rstrip(".")))
        for address, by in ((event.server, "server"), (event.client, "client")):
            if address:
                yield from ((key, by) for key in self._addresses(address))
        if isinstance(event, HttpRequest):
            if self.has_requests:
                yield from ((key, "url") for key in self._listed_url(event.host, event.uri))
            if self._traits[AGENT] and event.user_agent:
                yield from self._trait(AGENT, event.user_agent, "agent")
        elif isinstance(event, Hello):
            if self._traits[JA3] and event.ja3:
                yield from self._trait(JA3, event.ja3, "ja3")
            if self._traits[JA4] and event.ja4:
                yield from self._trait(JA4, event.ja4, "ja4")

    def _trait(self, kind: int, value: str, by: By) -> Iterator[tuple[bytes, By]]:
        key = b"%c%b" % (kind, value.strip().lower().encode("utf-8", "surrogateescape"))
        if key in self._listed:
            yield key, by

    def _listed_names(self, name: str) -> tuple[bytes, ...]:
        if not name or len(name) > LONGEST_NAME:
            return ()
        return tuple(key for key in _name_keys(name) if key in self._listed and not self.excused(key))

    def _listed_addresses(self, address: str) -> tuple[bytes, ...]:
        packed = _packed(address)
        if packed is None or not self._near(packed):
            return ()
        return tuple(key for key in self._network_keys(packed) if key in self._listed and not self.excused(key))

    def _listed_url(self, host: str, uri: str) -> Iterator[bytes]:
        host = host.rstrip(".")
        for text in {url_text(host, uri), url_text(host, uri, decoded=True)} if host else ():
            key = b"%c%b" % (URL, text.partition("#")[0].encode("utf-8", "replace"))
            if key in self._listed and not self.excused(key):
                yield key

    def _near(self, packed: bytes) -> bool:
        """Whether an address may be listed at all: nearly none is, and this costs a tenth of looking it up."""
        firsts, lasts = self._spans[4 if len(packed) == 4 else 6]
        number = int.from_bytes(packed[:8], "big")
        at = bisect_right(firsts, number) - 1
        return at >= 0 and number <= lasts[at]

    def _network_keys(self, packed: bytes, longest: int = 128) -> Iterator[bytes]:
        kind, bits = (FOUR, 32) if len(packed) == 4 else (SIX, 128)
        number = int.from_bytes(packed, "big")
        for length in sorted(self._lengths[kind]):
            if length <= longest:
                masked = number >> (bits - length) << (bits - length)
                yield b"%c%b%c" % (kind, masked.to_bytes(len(packed), "big"), length)

    def _joined_spans(self, version: int) -> tuple[array[int], array[int]]:
        """First and last addresses of all listed networks, joined; of IPv6 the upper halves of them."""
        kind, size, bits = (FOUR, 4, 32) if version == 4 else (SIX, 16, 64)
        packed, lengths = self._listed.packed_networks(kind, size)
        numbers = np.zeros(len(packed), np.uint64)
        for column in range(min(size, 8)):
            numbers = numbers << np.uint64(8) | packed[:, column].astype(np.uint64)
        hosts = np.maximum(0, bits - lengths).astype(np.uint64)
        ones = np.where(hosts >= 64, np.uint64(0), hosts)  # no range is so broad (`indicator.BROADEST`)
        last = numbers | ((np.uint64(1) << ones) - np.uint64(1))
        order = np.argsort(numbers, kind="stable")
        first, last = numbers[order], np.maximum.accumulate(last[order]) if len(last) else last
        begins = np.concatenate([[True], first[1:] > last[:-1]]) if len(first) else np.zeros(0, bool)
        ends = np.append(np.flatnonzero(begins)[1:] - 1, len(first) - 1) if len(first) else np.zeros(0, np.int64)
        return array("Q", first[begins].tobytes()), array("Q", last[ends].tobytes())

    # -- what is listed and is none

    def _excused(self, key: bytes) -> bool:
        """Whether a listed thing is no indicator: benign, or the site's own."""
        return self._is_own(key) or self._is_benign(key)

    def _is_benign(self, key: bytes) -> bool:
        if not len(self._benign) and not self._parts:
            return False
        value = key[1:].decode("utf-8", "replace")
        if key[0] in (FOUR, SIX):
            return any(each in self._benign for each in self._network_keys(key[1:-1], key[-1]))
        if key[0] in (NAME, HOST, URL):
            host = value.partition("/")[0]
            if any(part in value for part in self._parts) or key in self._benign:
                return True
            # What is benign below a listed name does not clear the name: only the name itself, or what is above it.
            return any(each in self._benign for each in _name_keys(host))
        return key in self._benign

    def _is_own(self, key: bytes) -> bool:
        if key[0] in (FOUR, SIX):
            network = ip_network((key[1:-1], key[-1]))
            ranges = (*self._site.owned.ranges, *self._site.inside)
            return any(network.version == one.version and network.overlaps(one) for one in ranges)
        if key[0] not in (NAME, HOST, URL):
            return False
        host = key[1:].decode("utf-8", "replace").partition("/")[0]
        if _is_address(host):
            return self._site.owns(host)
        above = key[0] == NAME and any(own.endswith("." + host) for own in self._site.owned.domains)
        return above or self._site.owned_domain(host) is not None

    def own(self) -> Iterator[Problem]:
        """What of the site somebody lists: no indicator, but worth knowing."""
        for row in self._own_rows():
            key = self._listed.key(row)
            source = self._listed.facts(row).source
            message = f"{value_of(key)} is ours or holds what is ours, and {source} lists it: passed over"
            yield Problem(self._site.path or source, None, message, "", "warning")

    def _own_rows(self) -> Iterator[int]:
        for domain in self._site.owned.domains:
            for key in _name_keys(domain):
                yield from self._listed.rows(key)
        for network in self._site.owned.ranges:
            for key in self._network_keys(network.network_address.packed, network.prefixlen):
                yield from self._listed.rows(key)

    def taken_out(self) -> Counter[str]:
        """How many listed things are none, by why. Looks at all of them: a second for a hundred thousand."""
        found: Counter[str] = Counter()
        for row in range(len(self._listed)):
            key = self._listed.key(row)
            if self._is_own(key):
                found["ours"] += 1
            elif self._is_benign(key):
                found["benign"] += 1
        return found


def _indicated(key: bytes, by: By, facts: Sequence[Facts]) -> Indicated:
    sources = sorted({each.source for each in facts})[:MOST_SOURCES]
    return Indicated(kind_of(key), value_of(key), max(each.confidence for each in facts), tuple(sources), by)  # type: ignore[arg-type]


def _name_keys(name: str) -> Iterator[bytes]:
    """The keys by which a name may be listed: its own, and of all names above it."""
    raw = name.encode("utf-8", "replace")
    yield b"%c%b" % (HOST, raw)
    while raw:
        yield b"%c%b" % (NAME, raw)
        raw = raw.partition(b".")[2]


def _lengths(compiled: Compiled, kind: int, size: int) -> frozenset[int]:
    return frozenset(np.unique(compiled.packed_networks(kind, size)[1]).tolist())


def _packed(address: str) -> bytes | None:
    try:
        packed = inet_pton(AF_INET6 if ":" in address else AF_INET, address)
    except (OSError, ValueError):
        return None
    return packed[12:] if packed.startswith(b"\0" * 10 + b"\xff\xff") else packed


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
