"""What several inputs told of one event: counted once, with everyone who told it."""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import msgspec

from reconwatch.events import AnyEvent, DnsAnswer, DnsQuery, Hello, HttpRequest, WhoisQuery

WITNESS_SPAN = 60.0
"""Seconds: two inputs' records of one event are stamped at most this far apart (EVE stamps http at the response)."""
MOST_TELLINGS = 30_000
"""Flows that several inputs may tell of, 1 kB each. The oldest go first, and are counted."""

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


class Witnesses:
    """Tells new events from such as another input has told. Events come in order of time."""

    def __init__(self) -> None:
        self._tellings: OrderedDict[tuple[Any, ...], Telling] = OrderedDict()
        self.unmatched = 0
        """Flows too many at once to remember what the inputs told of them: some may be counted twice."""
        self.merged = 0
        """Records that told an event which another input had told already."""

    def observe(self, event: AnyEvent, name: str) -> Observation | None:
        """A new observation, or None if another input has told this event: then it is one more witness of it."""
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
            if event.source not in (observation.event.source, *observation.also):
                observation.also += (event.source,)
            self.merged += 1
            return None
        observation = Observation(event, name)
        known.append(observation)
        telling.told[event.input] = telling.forgotten + len(known)
        return observation

    def forget(self, now: float) -> None:
        """Nobody will tell again what is older than this."""
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
        case DnsAnswer(name=name, qtype=qtype, rcode=rcode, walked=walked):
            # Zeek does not log the authority section: what only another input shows is no repetition.
            return (name, qtype, rcode, walked)
    return ()


def _rotated(known: AnyEvent, event: AnyEvent) -> bool:
    """Whether two inputs' records are two events of one engine, whose log was rotated between them."""
    return known.source == event.source and known.uid == event.uid is not None and known.ts != event.ts
