"""What several inputs told of one event: counted once, with everyone who told it."""

from __future__ import annotations

import re
from collections import OrderedDict, deque
from collections.abc import Hashable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from urllib.parse import unquote

import msgspec

from reconwatch.events import AnyEvent, Connection, DnsAnswer, DnsQuery, Hello, HttpRequest, Listed, WhoisQuery

WITNESS_SPAN = 60.0
"""Seconds: two inputs' records of one event are stamped at most this far apart (EVE stamps http at the response)."""
MOST_TELLINGS = 30_000
"""Flows that several inputs may tell of, 1 kB each. The oldest go first, and are counted."""

MOST_ALIKE = 256
"""Observations of one client, kind and name among which one is sought that a log without ports means; in a flood, one
of the last will do."""

_BYTE = re.compile(r"\\x[0-9a-f]{2}")
"""Zeek's spelling of a byte that is no UTF-8."""


@dataclass(slots=True)
class Observation:
    """One event, and all who told it."""

    event: AnyEvent
    name: str
    also: tuple[str, ...] = ()
    upstream: bool = False


@dataclass(slots=True)
class Telling:
    """What the inputs told of one flow, kind and name: the n-th record of each input is the n-th observation."""

    last: float
    observations: list[Observation] = field(default_factory=list)
    forgotten: int = 0
    """Observations too old to be told again, gone from the front."""
    told: dict[int, int] = field(default_factory=dict)


@dataclass(slots=True)
class Entry:
    """An observation as logs without ports may tell of it."""

    observation: Observation
    inputs: set[int]
    """Which of them told it."""
    whole: bool
    """An input that knows the ports told it."""


class Entries:
    """Observations by what a log knows that knows no ports: a proxy's or resolver's own.

    Of one client, kind and name each record of such a log is one more witness of the nearest observation that this log
    has not told yet.
    """

    def __init__(self) -> None:
        self._by_label: dict[Hashable, list[Entry]] = {}
        self._oldest: deque[tuple[Hashable, Entry]] = deque()

    def add(self, observation: Observation, *, whole: bool) -> None:
        """A new observation."""
        key, entry = _loose_key(observation.event), Entry(observation, {observation.event.input}, whole)
        self._by_label.setdefault(key, []).append(entry)
        self._oldest.append((key, entry))

    def nearest(self, event: AnyEvent, *, whole: bool) -> Entry | None:
        """The one that an event is a witness of; `whole`: the event knows its ports, so one is sought without."""
        fitting = [
            entry
            for entry in islice(reversed(self._by_label.get(_loose_key(event), ())), MOST_ALIKE)
            if not (entry.whole if whole else event.input in entry.inputs)
            and abs(entry.observation.event.ts - event.ts) <= WITNESS_SPAN
            and _may_be_one(entry.observation.event, event)
        ]
        return min(fitting, key=lambda entry: abs(entry.observation.event.ts - event.ts), default=None)

    def forget(self, before: float) -> int:
        """Let go what was observed before a time, and the oldest of too many; return how many those were."""
        evicted = 0
        while self._oldest:
            key, entry = self._oldest[0]
            crowded = len(self._oldest) > MOST_TELLINGS
            if entry.observation.event.ts >= before and not crowded:
                break
            evicted += crowded and entry.observation.event.ts >= before
            self._oldest.popleft()
            same = self._by_label[key]
            same.remove(entry)
            if not same:
                del self._by_label[key]
        return evicted


class Witnesses:
    """Tells new events from such as another input has told. Events come in order of time."""

    def __init__(self) -> None:
        self._tellings: OrderedDict[tuple[Any, ...], Telling] = OrderedDict()
        self._entries: Entries | None = None
        """None until a log without ports tells something: most runs have none."""
        self.unmatched = 0
        """Flows too many at once to remember what the inputs told of them: some may be counted twice."""
        self.merged = 0
        """Records that told an event which another input had told already."""

    def observe(self, event: AnyEvent, name: str) -> Observation | None:
        """A new observation, or None if another input has told this event: then it is one more witness of it."""
        if not isinstance(event, Connection) and None in (event.client_port, event.server, event.server_port):
            return self._observe_loosely(event, name)
        key = (event.client, event.client_port, event.server, event.server_port, event.kind, *_label(event))
        telling = self._tellings.get(key)
        if telling is None:
            telling = self._tellings[key] = Telling(event.ts)
            if len(self._tellings) > MOST_TELLINGS:
                self._tellings.popitem(last=False)
                self.unmatched += 1
        telling.last = event.ts
        self._tellings.move_to_end(key)
        known = telling.observations
        while known and event.ts - known[0].event.ts > WITNESS_SPAN:
            del known[0]
            telling.forgotten += 1
        ordinal = max(telling.told.get(event.input, 0), telling.forgotten)
        observation = known[ordinal - telling.forgotten] if ordinal < telling.forgotten + len(known) else None
        if observation is not None and not _rotated(observation.event, event):
            telling.told[event.input] = ordinal + 1
            if isinstance(event, Hello) and event.transport == "quic":
                # Zeek's ssl.log has a row for a QUIC session too, which does not say that it is one.
                observation.event = msgspec.structs.replace(observation.event, transport="quic")
            self._also(observation, event)
            return None
        told = self._entries.nearest(event, whole=True) if self._entries is not None else None
        if told is not None:
            # It knows more than the log that told of it first.
            observation, told.whole = told.observation, True
            first, observation.event = observation.event, event
            self._also(observation, first)
        else:
            observation = Observation(event, name)
            if self._entries is not None:
                self._entries.add(observation, whole=True)
        known.append(observation)
        telling.told[event.input] = telling.forgotten + len(known)
        return None if told is not None else observation

    def _observe_loosely(self, event: AnyEvent, name: str) -> Observation | None:
        if self._entries is None:
            self._entries = Entries()
            known = [each for telling in self._tellings.values() for each in telling.observations]
            for each in sorted(known, key=lambda each: each.event.ts):
                self._entries.add(each, whole=True)
        told = self._entries.nearest(event, whole=False)
        if told is not None:
            told.inputs.add(event.input)
            self._also(told.observation, event)
            return None
        observation = Observation(event, name)
        self._entries.add(observation, whole=False)
        return observation

    def _also(self, observation: Observation, event: AnyEvent) -> None:
        """Note another witness. Only logs name users, whoever else told of it."""
        if event.source not in (observation.event.source, *observation.also):
            observation.also += (event.source,)
        if event.user is not None and observation.event.user is None:
            observation.event = msgspec.structs.replace(observation.event, user=event.user)
        self.merged += 1

    def forget(self, now: float) -> None:
        """Nobody will tell again what is older than this."""
        if self._entries is not None:
            self.unmatched += self._entries.forget(now - WITNESS_SPAN)
        while self._tellings:
            telling = next(iter(self._tellings.values()))
            if telling.last + WITNESS_SPAN >= now:
                break
            self._tellings.popitem(last=False)


def _label(event: AnyEvent) -> tuple[object, ...]:
    """What tells apart the events of one flow and kind, spelt alike for all sources."""
    match event:
        case DnsQuery(name=name, qtype=qtype):
            return (name, qtype)
        case Hello(name=name, transport=transport):
            return (name, transport == "connect")
        case HttpRequest(method=method, host=host, uri=uri, decoded=decoded):
            return (method, host, _BYTE.sub("\ufffd", uri) if decoded else unquote(uri))
        case WhoisQuery(line=line):
            return (line,)
        case Listed():
            return (event.indicator, event.type, event.where)
        case DnsAnswer(name=name, qtype=qtype, rcode=rcode, walked=walked):
            # Zeek does not log the authority section: what only another input shows is no repetition.
            return (name, qtype, rcode, walked)
    return ()


def _loose_key(event: AnyEvent) -> Hashable:
    """What a log without ports knows of an event, as far as all such logs do."""
    label = _label(event)
    if isinstance(event, HttpRequest):
        # Squid leaves out what stands behind the question mark (`strip_query_terms`), a web server whom it was sent to.
        label = (label[0], str(label[2]).partition("?")[0])
    return (event.client, event.kind, *label)


def _may_be_one(known: AnyEvent, event: AnyEvent) -> bool:
    """Whether two records of the same client, kind and name, but for ports, may be of one event."""
    if known.source == event.source and known.ts != event.ts:
        return False  # of one program, whose log was rotated between them
    for one, other in (
        (known.server, event.server),
        (known.client_port, event.client_port),
        (known.server_port, event.server_port),
        (known.user, event.user),
    ):
        if one != other and None not in (one, other):
            return False
    if isinstance(known, HttpRequest) and isinstance(event, HttpRequest):
        if known.host != event.host and ((known.host and event.host) or known.server is None or event.server is None):
            return False
        asked = [str(_label(each)[2]) for each in (known, event)]
        return asked[0] == asked[1] or any(not uri.partition("?")[2] for uri in asked)
    return True


def _rotated(known: AnyEvent, event: AnyEvent) -> bool:
    """Whether two inputs' records are two events of one engine, whose log was rotated between them."""
    return known.source == event.source and known.uid == event.uid is not None and known.ts != event.ts
