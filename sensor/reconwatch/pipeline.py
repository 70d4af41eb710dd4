"""The one place where all rooms meet: inputs in, judged notices and an honest account out."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

from reconwatch.account import Account, Warn
from reconwatch.blindness import Blindness
from reconwatch.catalog import Catalog
from reconwatch.catalog.reverse import reverse_service
from reconwatch.catalog.world import Facts, Tool, World
from reconwatch.desk import Desk
from reconwatch.detectors import detectors, probe_detectors
from reconwatch.detectors.certificate_exposed import CertificateExposed
from reconwatch.detectors.contacts import Contacts
from reconwatch.detectors.corroborating import corroborated
from reconwatch.detectors.joining import Joining
from reconwatch.detectors.runner import Runner
from reconwatch.detectors.scans import Scans
from reconwatch.events import AnyEvent, Certificate, Connection, DnsQuery, told_name
from reconwatch.interest import Lookout
from reconwatch.meet import Meet
from reconwatch.notices import Finding, Notice
from reconwatch.ordering import Sorter
from reconwatch.probing import Probing, contact_words, interest_of
from reconwatch.prose import counted
from reconwatch.published import Publishing
from reconwatch.sift import Sift
from reconwatch.sightings import Exposed, Probe, Sighting
from reconwatch.site import Site
from reconwatch.sources.inputs import WORTH_WORKERS, Inputs, read_inputs
from reconwatch.sources.textlog.declared import Declared

if TYPE_CHECKING:
    from reconwatch.intel import Intelligence  # numpy: 100 ms that a run without feeds need not spend

MOST_EXPOSED = 100_000
"""Names of ours that certificates made known, at 500 bytes each; only they are told to be probed after it."""

CONNECTING = frozenset({"tls", "http", "conn"})
"""Kinds of event that show a service was used: where an input holds them, a resolved name alone is no use."""


@dataclass
class Replay:
    """One run over finite inputs, which together are one time-line.

    `inputs` are paths of files and folders, or an open stream. `funnel=False` decodes everything (the oracle).
    Use: `for notice in replay.notices(): ...`, then `replay.account()`.
    """

    inputs: Sequence[Path | BinaryIO]
    catalog: Catalog
    site: Site
    world: World | None = None
    """Who else is out there: tools to attribute to; without it none is."""
    funnel: bool = True
    warn: Warn = lambda line: None
    progress: Callable[[int], None] = lambda done: None
    """Told how many more bytes of the inputs were read."""
    jobs: int = 1
    """Processes that read at the same time; the notices and the account do not depend on it."""
    worth_workers: int = WORTH_WORKERS
    """Bytes of input from which others than this process read."""
    intelligence: Intelligence | None = None
    """What others know to be bad; without it nothing is."""
    watch_probe: Callable[[Probe], None] = lambda probe: None
    """Told every probe from outside that is more than one of many openings, in order of time."""
    accounts: list[Account] = field(default_factory=list)

    def __post_init__(self) -> None:
        world = self.world = self.world or World(Facts())
        self._watched = Catalog([*self.catalog.services.values(), reverse_service(self.site.owned.ranges)])
        self._blindness = Blindness(self.catalog)
        self._meet = Meet(self._watched, self.site.roles_of, self.site.is_inside)
        self._probing = Probing(self.site, world, self.intelligence.touched if self.intelligence else lambda event: ())
        self._contacts = Contacts(contact_words, sum(network.num_addresses for network in self.site.owned.ranges))
        self._scans = Scans(
            self._contacts, self._probing.actor, self.site.owned_range, self._probing.crawls, self.site.thresholds
        )
        self._runner = Runner(
            detectors(self.site.thresholds, lambda used, order: _named(world.likely_tools(used, order)))
        )
        self._probe_runner = Runner(probe_detectors(self.site.thresholds))
        self._joining = Joining()

    def notices(self) -> Iterator[Notice]:
        """The last word on every notice, in order of time."""
        with (
            Sorter[AnyEvent](AnyEvent, _when) as events,
            Sorter[AnyEvent](AnyEvent, _when) as probes,
            Sorter[AnyEvent](AnyEvent, _when) as certificates,
            closing(self._events()) as told,
        ):
            for event in told:
                if isinstance(event, Certificate):
                    certificates.add(event)
                    continue
                if self._probing.comes_to_us(event):
                    known = self._probing.knows(event.client)
                    if self._probing.from_outside(event, known):
                        if not isinstance(event, Connection) or self._contact(event, known):
                            probes.add(event)
                        continue
                self._blindness.watch(event)
                events.add(event)
                if self._probing.touches_bait(event) or self._is_listed(event):
                    probes.add(event)
            with Sorter[Sighting](Sighting, lambda s: (s.ts, s.service, s.actor.ip)) as sightings:
                for sighting in self._sightings(events):
                    sightings.add(sighting)
                with Sorter[Notice](Notice, lambda n: (n.ts, n.note, n.services, n.id)) as notices:
                    found = chain(
                        self._publications(certificates),  # first: probes are judged by what was known of a name
                        self._findings(sightings),
                        self._probe_findings(probes),
                        self._scans.findings(),
                    )
                    for notice in _last_words(map(self._corroborated, self._joined(found))):
                        notices.add(notice)
                    yield from notices

    def _events(self) -> Generator[AnyEvent, None, None]:
        interest = self.catalog.interest() | self._watched.interest() | interest_of(self.site)
        lookout = Lookout(interest | self.intelligence.interest() if self.intelligence else interest)
        declared = tuple(
            Declared(log.files, log.format, log.server, log.zone, log.pattern, log.fields) for log in self.site.logs
        )
        shared = Inputs(
            lookout, self.funnel, self.warn, self.progress, self.jobs, self.worth_workers,
            declared=declared, passerby=self._passes,
        )  # fmt: skip
        return read_inputs(self.inputs, shared, self.accounts)

    def _sightings(self, events: Iterable[AnyEvent]) -> Iterator[Sighting]:
        holds = set().union(*(account.holds for account in self.accounts))
        sees_connections = not CONNECTING.isdisjoint(holds)
        sift = Sift(self._watched, self.site, world=self.world, sees_connections=sees_connections)
        self._meet.one_input = len(self.accounts) == 1
        for visit in self._meet.visits(events):
            sighting = sift.sighting(visit)
            if sighting is not None:
                yield sighting

    def _findings(self, sightings: Iterable[Sighting]) -> Iterator[Finding]:
        for sighting in sightings:
            yield from self._runner.advance(sighting.ts)
            yield from self._runner.observe(sighting)
        yield from self._runner.close()

    def _contact(self, event: Connection, known: bool) -> bool:
        """Count a connection from outside among the contacts; whether there is more to it."""
        counted = self._count(
            event.ts, event.client, event.client_port, event.server, event.server_port, event.proto,
            event.opening, event.answered, event.established, event.spoke, event.source, event.uid,
        )  # fmt: skip
        if not counted:
            return self._probing.touches_bait(event)
        return self._is_listed(event) or self._probing.says_more(event, known)

    def _is_listed(self, event: AnyEvent) -> bool:
        """Whether an event is one that intelligence lists, and no reply."""
        if self.intelligence is None or (isinstance(event, Connection) and not self._probing.begins(event)):
            return False
        return self.intelligence.touches(event)

    def _corroborated(self, finding: Finding) -> Finding:
        return corroborated(finding, self.intelligence.of_text) if self.intelligence else finding

    def _passes(
        self, ts: float, client: str, client_port: int | None, server: str, server_port: int | None,
        proto: Literal["tcp", "udp"], opening: bool | None, answered: bool | None, established: bool | None,
        spoke: bool | None, source: str, uid: str | None,
    ) -> bool:  # fmt: skip
        """See `Passerby`: what `notices` does with a stranger's connection."""
        if not self._probing.is_strangers(client, server):
            return False
        if self.intelligence is not None and self.intelligence.has_address(client):
            return False
        self._count(
            ts, client, client_port, server, server_port, proto, opening, answered, established, spoke, source, uid
        )
        return True

    def _count(
        self, ts: float, client: str, client_port: int | None, server: str, server_port: int | None, proto: str,
        opening: bool | None, answered: bool | None, established: bool | None, spoke: bool | None, source: str,
        uid: str | None,
    ) -> bool:  # fmt: skip
        """Whether a connection from outside is a contact; then it is counted."""
        contact = self._probing.contact(proto, client_port, server_port, opening, answered, spoke)
        if contact is None:
            return False
        told = (source, uid, proto, server_port, answered, established, spoke)
        self._contacts.add(ts, client, server, proto, server_port, *contact, told)
        return True

    def _publications(self, certificates: Iterable[AnyEvent]) -> Iterator[Finding]:
        """What certificates say of us; our names that they made known are noted, each with the first time."""
        runner, publishing = Runner((CertificateExposed(),)), Publishing(self.site)
        exposed = self._probing.exposed
        for event in certificates:
            assert isinstance(event, Certificate)
            publication = publishing.publication(event)
            if publication is None:
                continue
            for target in publication.names:
                if len(exposed) < MOST_EXPOSED and not target.value.startswith("*"):
                    exposed.setdefault(target.value, Exposed(event.ts, event.source, event.published))
            yield from runner.advance(publication.ts)
            yield from runner.observe(publication)
        yield from runner.close()

    def _probe_findings(self, probes: Iterable[AnyEvent]) -> Iterator[Finding]:
        self._probing.one_input = len(self.accounts) == 1
        watched = False
        for probe in self._probing.probes(probes):
            if not watched:
                watched = True
                self._probing.watched_since(probe.ts)
            self.watch_probe(probe)
            yield from self._probe_runner.advance(probe.ts)
            yield from self._probe_runner.observe(probe)
        yield from self._probe_runner.close()

    def _joined(self, findings: Iterable[Finding]) -> Iterator[Finding]:
        """All findings; last words that others may join wait until there are no more."""
        with Sorter[Finding](Finding, lambda finding: finding.id) as waiting:
            for finding in findings:
                if finding.closing and self._joining.add(finding):
                    waiting.add(finding)
                else:
                    yield finding
            yield from map(self._joining.joined, waiting)

    @property
    def unreadable(self) -> bool:
        """Not one of the inputs could be read."""
        return all(account.failed for account in self.accounts)

    def account(self) -> list[str]:
        """After the run: what was read, what was counted once though told twice, and what could not be seen."""
        read = [account for account in self.accounts if not account.failed]
        by_unit: dict[str, int] = {}
        for account in read:
            by_unit[account.unit] = by_unit.get(account.unit, 0) + account.records
        amounts = " and ".join(f"{count:,} {unit}" for unit, count in sorted(by_unit.items()))
        others = sum(account.passed_over for account in self.accounts)
        told = [f"read {amounts or 'nothing'} from {len(read)} of {counted(len(self.accounts) - others, 'input')}"]
        if others:
            told.append(f"{counted(others, 'file')} of another kind {'were' if others > 1 else 'was'} passed over")
        merged = self._meet.merged + self._probing.merged
        if merged:
            told.append(f"{merged:,} records told what another input had told: counted once")
        if not (self.site.owned.domains or self.site.owned.ranges or self.site.owned.asns or self.site.owned.brands):
            told.append("no site: nothing is known to be ours, so no search can be told to be about us (--site)")
        if self._meet.evicted:
            told.append(f"{self._meet.evicted:,} visits were closed early because too many were open at once")
        if self._meet.unmatched:
            told.append(
                f"{self._meet.unmatched:,} flows were too many at once to compare what the inputs told: some of it may"
                " be counted twice"
            )
        if self._contacts.uncounted:
            told.append(f"{self._contacts.uncounted:,} contacts came from more sources than can be kept: not counted")
        if self.intelligence and self.intelligence.out_of_time:
            told.append(
                f"{counted(self.intelligence.out_of_time, 'event')} touched only indicators that were not valid then"
            )
        if self._joining.dropped:
            told.append(
                f"{self._joining.dropped:,} notices were too many to see which lookups and probes belong together"
            )
        return told + [f"not seen: {line}" for line in self._blindness.lines(self.accounts)]


def _when(event: AnyEvent) -> tuple[float, bool, str, str, str, int]:
    """By time; of one instant, questions first: Zeek stamps an answer with the time of its question."""
    return (event.ts, event.kind != DnsQuery.kind, event.kind, event.client, told_name(event) or "", event.input)


def _named(tools: Iterable[tuple[Tool, float]]) -> list[tuple[str, float]]:
    return [(tool.name, score) for tool, score in tools]


def _last_words(findings: Iterable[Finding]) -> Iterator[Notice]:
    """What is said at the close of each window; a replay waits for it."""
    desk = Desk(last_words=True)
    return filter(None, map(desk.consider, findings))
