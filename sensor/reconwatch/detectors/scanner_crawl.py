"""`Scanner_Crawl`: a scan database's crawler collected from our addresses: what the world can now look up about us."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from typing import ClassVar

import msgspec

from reconwatch.detectors.detector import Key
from reconwatch.detectors.keyed import with_users
from reconwatch.detectors.probed import Probed, ProbeDetector, Words, prober
from reconwatch.notices import Finding, Reason
from reconwatch.prose import counted, shortened
from reconwatch.sightings import Actor, Identity, Probe
from reconwatch.touched import doors_in_words, touched
from reconwatch.windows import DAY, keep_smallest, window_start

SCAN_DATABASES, ACTIVE_SCANNING = "T1596.005", "T1595.001"

MOST_ANSWERS = 5_000
"""Ports of addresses that a day's state keeps as collected."""
MOST_PORTS = 2_000
MOST_SOURCES = 256
"""Addresses of a crawler that a notice lists."""
MOST_NAMES = 100
DELIVERING = 25
"""Port at which a reverse name alone tells no crawler: whoever has the name also sends mail."""
MOST_STATUSES = 200


class Source(msgspec.Struct):
    """One address of a crawler."""

    ip: str
    actor: Actor
    sure: bool


class Crawl(Probed):
    """What one crawler did to one of our ranges on one day. Lists are the smallest of all, sorted."""

    name: str = ""
    kind: str = ""
    databases: tuple[str, ...] = ()
    sources: list[Source] = msgspec.field(default_factory=list)
    answers: list[tuple[str, int]] = msgspec.field(default_factory=list)
    """(our address, port as a number) of what was collected."""
    collected: list[int] = msgspec.field(default_factory=list)
    """Its ports."""
    tried: list[int] = msgspec.field(default_factory=list)
    """The ports that were tried, collected or not."""
    statuses: list[tuple[int, int]] = msgspec.field(default_factory=list)
    """(port, HTTP status)."""
    conversations: int = 0
    """Of listed crawlers: of others each contact is known once, however often they came."""
    shown: list[tuple[int, Identity]] = msgspec.field(default_factory=list)
    """(port, certificate) of handshakes."""
    agents: bool = False
    """A user agent said who it is."""
    called: list[tuple[str, bool]] = msgspec.field(default_factory=list)
    """Reverse names that say who it is, and whether the name was seen to give the address back."""
    nameless: list[str] = msgspec.field(default_factory=list)
    """Our addresses at which a TLS hello asked for no name."""
    names: list[str] = msgspec.field(default_factory=list)
    """Our names that it asked for."""

    def take_actor(self, actor: Actor) -> None:
        """A crawler is many addresses: who acted is told by `sources`."""


class ScannerCrawl(ProbeDetector[Crawl]):
    """Crawlers come every day; the notice is for the record, unless one is not who it says."""

    note = "Scanner_Crawl"
    state: ClassVar[type[msgspec.Struct]] = Crawl

    def keys(self, probe: Probe) -> tuple[Key, ...]:
        """One state per crawler, line of site.yaml and UTC day.

        Who is known and who only says so are two, lest an impostor's doings be told as the crawler's. A listed
        address that changes hands is with the listed: whether its agent agrees shows only in some of its probes.
        """
        if probe.scanner is None or probe.server is None or probe.asset is None or touched(probe) is None:
            return ()
        if probe.port == DELIVERING and probe.scanner.by == ("name",):
            return ()
        standing = "listed" if probe.scanner.known else "claimed"
        parts = (probe.scanner.id, standing, prober(probe)[1], probe.asset)
        return (Key(parts, window_start(probe.ts, DAY), DAY),)

    def fresh(self, key: Key) -> Crawl:
        """See `Detector.fresh`."""
        return Crawl(key)

    def observe(self, state: Crawl, probe: Probe) -> tuple[Finding, ...]:
        """See `Detector.observe`. Most probes add nothing to what was collected: no word is made of them."""
        before = len(state.answers)
        self.remember(state, probe)
        if len(state.answers) == before:
            return ()
        if state.crossed is None:
            state.crossed = probe.ts
        return (self._finding(state, self._told(state), closing=False),)

    def remember(self, state: Crawl, probe: Probe) -> None:
        """See `KeyedDetector.remember`."""
        scanner, found = probe.scanner, touched(probe)
        assert scanner is not None
        assert found is not None
        assert probe.server is not None
        if probe.certificate is not None:
            # What came with a hello, which tells all the rest.
            keep_smallest(state.shown, (found.door, probe.certificate.identity), MOST_NAMES)
            return
        state.gather(probe)
        state.name, state.kind, state.databases = scanner.name, scanner.kind, scanner.databases
        state.techniques.add(SCAN_DATABASES if scanner.kind == "database" else ACTIVE_SCANNING)
        _take_source(state, probe, sure=scanner.sure)
        keep_smallest(state.tried, found.door, MOST_PORTS)
        state.conversations += found.conversed and "range" in scanner.by
        state.agents |= "agent" in scanner.by
        if scanner.called is not None:
            keep_smallest(state.called, (scanner.called, scanner.confirmed), MOST_NAMES)
        if found.collected:
            keep_smallest(state.collected, found.door, MOST_PORTS)
            keep_smallest(state.answers, (probe.server, found.door), MOST_ANSWERS)
            state.target(probe)
        if probe.status is not None:
            keep_smallest(state.statuses, (found.door, probe.status), MOST_STATUSES)
        if probe.kind == "tls" and probe.name is None:
            keep_smallest(state.nameless, probe.server, MOST_PORTS)
        if probe.name is not None and probe.zone is not None:
            keep_smallest(state.names, probe.name, MOST_NAMES)

    def words(self, state: Crawl, *, closing: bool) -> Words | None:
        """Below the threshold while nothing was collected: a port that did not answer is in no database."""
        return self._told(state) if state.answers else None

    def _told(self, state: Crawl) -> Words:
        return Words(
            count=len(state.answers),
            counted="answering ports",
            reasons=tuple(_reasons(state)),
            msg=_message(state),
            services=state.databases,
            evidence=tuple(state.evidence.items),
            evidence_total=state.evidence.total,
            targets=tuple(state.targets.items),
        )


def _take_source(state: Crawl, probe: Probe, *, sure: bool) -> None:
    """Note the address; the lowest is the actor, and the others are with it."""
    actor = probe.actor
    known = next((source for source in state.sources if source.ip == actor.ip), None)
    if known is not None:
        known.sure |= sure
        lesser = min(known.actor, actor, key=lambda each: each.trusted or "")
        known.actor = with_users(lesser, known.actor, actor)
    elif not keep_smallest(state.sources, Source(actor.ip, actor, sure), MOST_SOURCES, place=_address):
        return
    lowest = state.sources[0].actor
    members = tuple(source.ip for source in state.sources) if len(state.sources) > 1 else ()
    state.actor = msgspec.structs.replace(lowest, members=members)


def _address(source: Source) -> tuple[int, int]:
    address = ip_address(source.ip)
    return address.version, int(address)


def _message(state: Crawl) -> str:
    who = state.name
    from_ = _from(state)
    ours = shortened([target.value for target in state.targets.items])
    more = len(set(state.tried) - set(state.collected))
    at_least = "at least " if len(state.tried) == MOST_PORTS else ""
    tried = f"; tried {at_least}{more:,} more" if more else ""
    what = f"{ours}: {doors_in_words(state.collected)}{tried}"
    if state.key.parts[1] == "claimed":
        said = f"claims to be {who}" if state.agents else f"calls itself {shortened(_calls(state))} ({who})"
        return f"{from_} {said} and collected {what}"
    if state.kind == "on-demand":
        return f"{who} ({from_}) looked at {what}"
    return f"{who} ({from_}) collected {what}"


def _from(state: Crawl) -> str:
    first, *others = [source.ip for source in state.sources]
    at_least = "at least " if len(others) + 1 == MOST_SOURCES else ""
    return f"{first} and {at_least}{counted(len(others), 'other')}" if others else first


def _reasons(state: Crawl) -> Iterable[Reason]:
    every = tuple(range(1, len(state.evidence.items) + 1))
    if state.key.parts[1] == "claimed" and state.agents:
        why = f"claims to be {state.name} from an address not known as its: somebody pretends, or the list is old"
        yield Reason(15, why, every)
    elif state.key.parts[1] == "claimed":
        why = f"only its reverse name says that it is {state.name}, and whoever holds an address writes what he likes"
        yield Reason(10, why, every)
    elif state.kind == "database":
        yield Reason(5, f"what {state.name} collects, everybody can look up there", every)
    elif state.kind == "survey":
        yield Reason(5, f"{state.name} surveys the whole internet; its operator keeps what it finds", every)
    else:
        yield Reason(10, f"{state.name} comes only when somebody asks it to look at us", every)
    if state.key.parts[1] == "listed" and (unsure := sum(not source.sure for source in state.sources)):
        of = f"{unsure} of its {len(state.sources)} addresses" if len(state.sources) > 1 else "its address"
        yield Reason(0, f"listed, but {of} may have changed hands: nothing else says who it is")
    yield from _names_told(state)
    if received := _received(state):
        yield Reason(0, received)
    if shown := _certificates(state):
        yield Reason(0, f"was shown {shown}")
    if state.nameless:
        yield Reason(0, f"asked for no name at {len(state.nameless)} of our addresses")
    if state.names:
        yield Reason(0, f"knows our names: asked for {shortened(state.names)}")


def _certificates(state: Crawl) -> str:
    """What it was shown; of a port at which one certificate is known, those that no input describes are no news."""
    described = {door for door, identity in state.shown if identity.is_described}
    doors: dict[Identity, list[int]] = {}
    for door, identity in state.shown:
        if identity.is_described or door not in described:
            doors.setdefault(identity, []).append(door)
    return ", ".join(f"{identity.in_words} at {doors_in_words(sorted(at))}" for identity, at in sorted(doors.items()))


def _calls(state: Crawl) -> list[str]:
    return sorted({name for name, _ in state.called})


def _names_told(state: Crawl) -> Iterable[Reason]:
    """What its addresses are called, by DNS answers among the inputs, and whether the names agree."""
    confirmed = sorted({name for name, confirmed in state.called if confirmed})
    others = [name for name in _calls(state) if name not in confirmed]
    if confirmed:
        yield Reason(0, f"called {shortened(confirmed)} in reverse DNS, and the name was seen to give the address back")
    if others:
        yield Reason(0, f"called {shortened(others)} in reverse DNS; no input shows whether the name gives it back")


def _received(state: Crawl) -> str:
    """What came back, as far as the input holds it."""
    said = []
    if state.conversations:
        said.append(f"talked in {counted(state.conversations, 'connection')}")
    by_status: dict[int, list[int]] = {}
    for door, status in state.statuses:
        by_status.setdefault(status, []).append(door)
    said += [f"HTTP {status} from {doors_in_words(doors)}" for status, doors in sorted(by_status.items())]
    return ", ".join(said)
