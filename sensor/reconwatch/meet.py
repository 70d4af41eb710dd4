"""Joins what belongs together: names for bare addresses, witnesses of one event, upstream views, and visits.

Events come in order of time (`ordering.py` sees to it); everything kept here expires by event time and is bounded.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from sys import intern

from reconwatch.catalog import Catalog, Service
from reconwatch.events import (
    WHOIS_PORT,
    AnyEvent,
    Connection,
    DnsAnswer,
    DnsQuery,
    HttpRequest,
    WhoisQuery,
    told_name,
)
from reconwatch.interest import NAMED_BY_THEMSELVES
from reconwatch.visits import LAYERS, NAMES, VISIT_EVENTS, VISIT_GAP, VISIT_SPAN, Visit, Witnessed
from reconwatch.witnesses import Observation, Witnesses

UPSTREAM_SPAN = 5.0
"""Seconds: a resolver or proxy asks the world on behalf of a client within this time."""
SHORTEST_TTL = 60.0
"""Seconds: stub resolvers and browsers use an answer at least so long, whatever TTL it carries (Chromium: 60 s)."""
MOST_LABELS = 10
MOST_ASKS = 256
"""Asks for one name among which a resolver's client is sought; in a flood, one of the last will do."""
MOST_NAMES = 200_000
MOST_ASKED = 30_000
MOST_OPEN = 40_000
"""Bounds on what is remembered at once: names, 300 bytes each; asks; and
events of open visits, 1 kB. The oldest go first; where that may show, it is counted (`evicted`, `unmatched`)."""
LONG_TEXT = 1_024
"""Characters of a request that weigh as much as one more event."""

_ANYBODY = "*"
_OTHER_FAMILY = {"4": "6", "6": "4"}


@dataclass(slots=True)
class _Given:
    """The name that an answer gave an address, until when, and to whom: to several, if None."""

    name: str
    until: float
    client: str | None


@dataclass(slots=True)
class _OpenVisit:
    client: str
    service: str
    first: float
    last: float
    continues: bool = False
    observations: list[Observation] = field(default_factory=list)
    weight: int = 0


@dataclass(slots=True)
class _Ask:
    """Somebody asked for a name: what an upstream view may have been made for."""

    ts: float
    rank: int
    name: str
    visit: tuple[str, str]


class Meet:
    """Events in, visits out.

    `roles` gives the roles of an address (`Site.roles_of`): resolvers' and proxies' events are held for a moment and
    then folded into the visit of the client on whose behalf they were made, if there is one. `inside` tells our own
    addresses (`Site.is_inside`): a WHOIS server of ours that no catalog knows is no database of the world.
    """

    KEPT = ("_names", "_witnesses", "_asks", "_asking", "_asked", "_held", "_open", "_weight", "evicted")

    def __init__(
        self,
        catalog: Catalog,
        roles: Callable[[str], tuple[str, ...]],
        inside: Callable[[str], bool] = lambda ip: False,
    ) -> None:
        self._catalog = catalog
        self._roles = roles
        self._inside = inside
        self._names: OrderedDict[tuple[str, str], _Given] = OrderedDict()
        self._witnesses = Witnesses()
        self._asks: dict[tuple[str, int], deque[_Ask]] | None = None
        self._asking: Counter[tuple[str, str]] = Counter()
        self._asked: deque[_Ask] = deque()
        self._held: deque[tuple[Observation, str]] = deque()
        self._open: OrderedDict[tuple[str, str], _OpenVisit] = OrderedDict()
        self._weight = 0
        self.one_input = False
        """There is nobody to tell an event a second time."""
        self.evicted = 0
        """Visits closed early because there were too many at once."""

    @property
    def unmatched(self) -> int:
        """Flows too many at once to remember what the inputs told of them: some may be counted twice."""
        return self._witnesses.unmatched

    @property
    def merged(self) -> int:
        """Records that told an event which another input had told already."""
        return self._witnesses.merged

    def visits(self, events: Iterable[AnyEvent]) -> Iterator[Visit]:
        """All visits of a finite stream of events in order of time."""
        for event in events:
            yield from self.feed(event)
        yield from self.close()

    def feed(self, event: AnyEvent) -> Iterator[Visit]:
        """Take one event; yield the visits that are over by then.

        A live run may have to take one that is older than the one before: it joins the visit that is open, if any.
        """
        yield from self._advance(event.ts)
        if isinstance(event, DnsAnswer):
            self._learn(event)
            if self._asked_for(event):
                return
            event = _question(event)
        name = self._name(event)
        service = self._claim(event, name)
        if service is None:
            return
        server = name or event.server or ""
        observation = Observation(event, server) if self.one_input else self._witnesses.observe(event, server)
        if observation is None:
            return
        rank = self._rank(event.client)
        self._remember(_Ask(event.ts, rank, observation.name, (event.client, service.id)))
        if rank:
            self._held.append((observation, service.id))
            if len(self._held) > MOST_OPEN:
                yield from self._settle(*self._held.popleft())
        else:
            yield from self._fold(observation, service.id)

    def close(self) -> Iterator[Visit]:
        """The end of all events: yield the visits still open."""
        yield from self._advance(float("inf"))

    # -- names

    def _learn(self, answer: DnsAnswer) -> None:
        name, client = intern(answer.name), intern(answer.client)
        for address, ttl in answer.addresses:
            until = answer.ts + max(ttl, SHORTEST_TTL)
            askers = (client, _ANYBODY, _family(client))
            for asker in askers[:2] if self._rank(client) else askers:
                place = (asker, intern(address))
                known = self._names.get(place)
                alone = known is None or known.until < answer.ts or known.client == client
                self._names[place] = _Given(name, until, client if alone else None)
                self._names.move_to_end(place)
        while self._names and (len(self._names) > MOST_NAMES or next(iter(self._names.values())).until < answer.ts):
            self._names.popitem(last=False)

    def _name(self, event: AnyEvent) -> str | None:
        """The event's own name, or what DNS called the server: by its source, else by the last answer to this client.

        A host with two address families asks over one what it visits over the other, so an answer to the only client
        of the other family that asked will do; and at port 43, which serves one registry an address, any answer.
        """
        name = told_name(event) or event.called
        if name is not None or event.server is None:
            return name
        given = self._names.get((event.client, event.server))
        if given is not None and event.ts <= given.until:
            return given.name
        if event.server_port == WHOIS_PORT:
            given = self._names.get((_ANYBODY, event.server))
        else:
            given = self._names.get((_OTHER_FAMILY[_family(event.client)], event.server))
            given = given if given is not None and given.client is not None else None
        return given.name if given is not None and event.ts <= given.until else None

    def _asked_for(self, answer: DnsAnswer) -> bool:
        """Whether the question was seen; a tap on one direction has nothing but the answer to tell of it."""
        return (answer.name, answer.client) in self._asking

    def _claim(self, event: AnyEvent, name: str | None) -> Service | None:
        match event:
            case HttpRequest(host=host, uri=uri):
                return self._catalog.by_url(host or name or "", uri)
            case Connection() if not _names_a_server(event):
                return None
            case WhoisQuery() | Connection():
                claimed = self._catalog.by_name(name) if name else None
                return claimed or (None if self._is_ours(event.server) else self._catalog.by_port(event.server_port))
        return self._catalog.by_name(name) if name else None

    def _is_ours(self, server: str | None) -> bool:
        return server is not None and self._inside(server)

    # -- upstream views

    def _rank(self, client: str) -> int:
        roles = self._roles(client)
        return 2 if "resolver" in roles else 1 if "proxy" in roles else 0

    def _remember(self, ask: _Ask) -> None:
        """Under the name and all its parents: resolvers minimise what they ask upstream (RFC 9156)."""
        self._asked.append(ask)
        self._asking[ask.name, ask.visit[0]] += 1
        if self._asks is None and ask.rank:
            self._asks = {}  # there are upstream views: from now on somebody will search among the asks
            for each in self._asked:
                self._index(self._asks, each)
        elif self._asks is not None:
            self._index(self._asks, ask)

    def _index(self, asks: dict[tuple[str, int], deque[_Ask]], ask: _Ask) -> None:
        for name in _with_parents(ask.name):
            asks.setdefault((name, ask.rank), deque()).append(ask)

    def _unindex(self, asks: dict[tuple[str, int], deque[_Ask]], oldest: _Ask) -> None:
        for name in _with_parents(oldest.name):
            same = asks[name, oldest.rank]
            same.popleft()
            if not same:
                del asks[name, oldest.rank]

    def _forget(self, before: float) -> None:
        while self._asked and (self._asked[0].ts < before or len(self._asked) > MOST_ASKED):
            ask = self._asked.popleft()
            self._asking[ask.name, ask.visit[0]] -= 1
            if not self._asking[ask.name, ask.visit[0]]:
                del self._asking[ask.name, ask.visit[0]]
            if self._asks is not None:
                self._unindex(self._asks, ask)

    def _settle(self, observation: Observation, service: str) -> Iterator[Visit]:
        """Give a held observation to the client it was made for; else it is the resolver's or proxy's own visit."""
        client = self._on_whose_behalf(observation)
        if client is None:
            yield from self._fold(observation, service)
            return
        visit = self._open.get(client.visit)
        if visit is not None and len(visit.observations) < VISIT_EVENTS:
            observation.upstream = True
            self._add(visit, observation)

    def _on_whose_behalf(self, observation: Observation) -> _Ask | None:
        """The nearest ask for the name by a client further from the world: a host's before a proxy's."""
        ts, minimised = observation.event.ts, isinstance(observation.event, DnsQuery)
        for rank in range(self._rank(observation.event.client)):
            asks = islice(reversed((self._asks or {}).get((observation.name, rank), ())), MOST_ASKS)
            near = [
                ask for ask in asks if abs(ask.ts - ts) <= UPSTREAM_SPAN and (minimised or ask.name == observation.name)
            ]
            if near:
                return min(near, key=lambda ask: abs(ask.ts - ts))
        return None

    # -- visits

    def _fold(self, observation: Observation, service: str) -> Iterator[Visit]:
        event = observation.event
        key = (event.client, service)
        visit = self._open.get(key)
        if visit is not None and (
            event.ts - visit.last >= VISIT_GAP
            or event.ts - visit.first >= VISIT_SPAN
            or len(visit.observations) >= VISIT_EVENTS
        ):
            yield self._close(key)
            cut = event.ts - visit.last < VISIT_GAP
            visit = self._open[key] = _OpenVisit(event.client, service, event.ts, event.ts, cut)
        if visit is None:
            visit = self._open[key] = _OpenVisit(event.client, service, event.ts, event.ts)
        self._add(visit, observation)
        visit.first, visit.last = min(visit.first, event.ts), max(visit.last, event.ts)
        self._open.move_to_end(key)
        while self._weight > MOST_OPEN:
            self.evicted += 1
            yield self._close(next(iter(self._open)))

    def _add(self, visit: _OpenVisit, observation: Observation) -> None:
        weight = 1 + _length(observation.event) // LONG_TEXT
        visit.observations.append(observation)
        visit.weight += weight
        self._weight += weight

    def _close(self, key: tuple[str, str]) -> Visit:
        visit = self._open.pop(key)
        self._weight -= visit.weight
        return _closed(visit)

    def _advance(self, now: float) -> Iterator[Visit]:
        while self._held and self._held[0][0].event.ts + UPSTREAM_SPAN < now:
            yield from self._settle(*self._held.popleft())
        while self._open:
            key, visit = next(iter(self._open.items()))
            if visit.last + VISIT_GAP + UPSTREAM_SPAN >= now:
                break
            yield self._close(key)
        self._forget(now - 2 * UPSTREAM_SPAN)
        self._witnesses.forget(now)


def _question(answer: DnsAnswer) -> DnsQuery:
    """The question that must have gone before an answer."""
    return DnsQuery(
        ts=answer.ts,
        client=answer.client,
        client_port=answer.client_port,
        server=answer.server,
        server_port=answer.server_port,
        source=answer.source,
        input=answer.input,
        uid=answer.uid,
        name=answer.name,
    )


def _length(event: AnyEvent) -> int:
    """Characters of what a client may make as long as it likes."""
    match event:
        case HttpRequest(uri=uri):
            return len(uri)
        case WhoisQuery(line=line):
            return len(line)
    return 0


def _family(address: str) -> str:
    return "6" if ":" in address else "4"


def _names_a_server(connection: Connection) -> bool:
    """Whether the address of this connection may speak for it: it came about, and nothing else says a name."""
    if connection.established is False:
        return False
    if connection.server_port == WHOIS_PORT:
        return connection.proto == "tcp"
    if connection.service in NAMED_BY_THEMSELVES:
        return False
    return connection.proto == "tcp" or (connection.proto == "udp" and connection.server_port == 443)


def _with_parents(name: str) -> Iterator[str]:
    """The name, and its parents of at most `MOST_LABELS` labels: RFC 9156 section 2.3 minimises no further."""
    yield name
    labels = name.split(".")
    for count in range(min(MOST_LABELS, len(labels) - 1), 1, -1):
        yield ".".join(labels[-count:])


def _closed(visit: _OpenVisit) -> Visit:
    best = min(_layer(o.event) for o in visit.observations if not o.upstream)
    for observation in visit.observations:
        # What only the resolver or proxy could show (the request behind a client's query) is the client's own.
        observation.upstream = observation.upstream and _layer(observation.event) >= best
    units: dict[object, float] = {}
    own = [o.event for o in visit.observations if not o.upstream]
    best = min(map(_layer, own))
    for number, event in enumerate(own):
        if _layer(event) == best:
            units.setdefault(_unit(event, number), event.ts)
    events = sorted(visit.observations, key=lambda o: o.event.ts)
    return Visit(
        client=visit.client,
        service=visit.service,
        first=visit.first,
        last=visit.last,
        count=len(units),
        counted=LAYERS[best],
        minutes=tuple(sorted(Counter(int(ts // 60) for ts in units.values()).items())),
        names=tuple(sorted(str(unit) for unit in units)) if LAYERS[best] == NAMES else (),
        continues=visit.continues,
        events=tuple(Witnessed(o.event, o.name, o.also, o.upstream) for o in events),
    )


def _layer(event: AnyEvent) -> int:
    """The place of an event's layer in `LAYERS`, the best first."""
    return 0 if isinstance(event, HttpRequest) else 2 if isinstance(event, DnsQuery) else 1


def _unit(event: AnyEvent, number: int) -> object:
    """What is counted once: a request, a flow, a name."""
    match event:
        case HttpRequest():
            return number
        case DnsQuery(name=name):
            return name
    if event.client_port is None:
        return number  # a proxy's log: a record a flow
    return (event.client, event.client_port, event.server, event.server_port)
