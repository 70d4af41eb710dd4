"""The one place where all rooms meet: inputs in, judged notices and an honest account out."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from reconwatch.account import Account, Warn
from reconwatch.assembly import Assembly, Way
from reconwatch.blindness import SIGHTED, Blindness
from reconwatch.catalog import Catalog
from reconwatch.catalog.world import World
from reconwatch.desk import Desk
from reconwatch.events import CONNECTING, AnyEvent, Certificate, Raised, when
from reconwatch.interest import Lookout
from reconwatch.notices import Finding, Notice
from reconwatch.ordering import Sorter
from reconwatch.prose import counted
from reconwatch.sift import Sift
from reconwatch.sightings import Probe, Sighting
from reconwatch.site import Site
from reconwatch.sources.inputs import WORTH_WORKERS, Inputs, read_inputs

if TYPE_CHECKING:
    from reconwatch.intel import Intelligence  # numpy: 100 ms that a run without feeds need not spend


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
        self._rooms = Assembly(self.catalog, self.site, self.world, self.intelligence)
        self._rooms.seconding.waits = True
        self._blindness = Blindness(self.catalog)

    def notices(self) -> Iterator[Notice]:
        """The last word on every notice, in order of time."""
        with (
            Sorter[AnyEvent](AnyEvent, when) as events,
            Sorter[AnyEvent](AnyEvent, when) as probes,
            Sorter[AnyEvent](AnyEvent, when) as certificates,
            Sorter[AnyEvent](AnyEvent, when) as alarms,
            closing(self._events()) as told,
        ):
            for event in told:
                way = self._rooms.way(event)
                if way is Way.CERTIFICATE:
                    certificates.add(event)
                    continue
                if way is Way.ALARM:
                    alarms.add(event)
                    continue
                if way in (Way.LOOKUP, Way.BOTH):
                    self._blindness.watch(event)
                    events.add(event)
                if way in (Way.PROBE, Way.BOTH):
                    probes.add(event)
            for event in self._rooms.by_name():
                probes.add(event)
            with Sorter[Sighting](Sighting, lambda s: (s.ts, s.service, s.actor.ip)) as sightings:
                for sighting in self._sightings(events):
                    sightings.add(sighting)
                with Sorter[Notice](Notice, lambda n: (n.ts, n.note, n.services, n.id)) as notices:
                    judged = chain(
                        self._publications(certificates),  # first: probes are judged by what was known of a name
                        self._findings(sightings),
                        self._probe_findings(probes),
                        self._rooms.scans.findings(),
                    )
                    found = self._with_alarms(alarms, judged)
                    for notice in _last_words(map(self._rooms.corroborated, self._joined(found))):
                        notices.add(notice)
                    yield from notices

    def _events(self) -> Generator[AnyEvent, None, None]:
        shared = Inputs(
            Lookout(self._rooms.interest), self.funnel, self.warn, self.progress, self.jobs, self.worth_workers,
            declared=self._rooms.declared, doors=self._rooms.doors,
        )  # fmt: skip
        return read_inputs(self.inputs, shared, self.accounts)

    def _sightings(self, events: Iterable[AnyEvent]) -> Iterator[Sighting]:
        holds = set().union(*(account.holds for account in self.accounts))
        sees_connections = not CONNECTING.isdisjoint(holds)
        sift = Sift(self._rooms.watched, self.site, world=self._rooms.world, sees_connections=sees_connections)
        self._rooms.meet.one_input = self._one_witness
        for visit in self._rooms.meet.visits(events):
            sighting = sift.sighting(visit)
            if sighting is not None:
                yield sighting

    @property
    def _one_witness(self) -> bool:
        """Whether nobody can tell an event a second time; rows of reconwatch.log may stand beside other logs."""
        return len(self.accounts) == 1 and SIGHTED not in self.accounts[0].holds

    def _findings(self, sightings: Iterable[Sighting]) -> Iterator[Finding]:
        for sighting in sightings:
            yield from self._rooms.lookups.advance(sighting.ts)
            yield from self._rooms.lookups.observe(sighting)
        yield from self._rooms.lookups.close()

    def _publications(self, certificates: Iterable[AnyEvent]) -> Iterator[Finding]:
        """What certificates say of us; see `Assembly.published`."""
        for event in certificates:
            assert isinstance(event, Certificate)
            publication = self._rooms.published(event)
            if publication is not None:
                yield from self._rooms.publications.advance(publication.ts)
                yield from self._rooms.publications.observe(publication)
        yield from self._rooms.publications.close()

    def _with_alarms(self, alarms: Iterable[AnyEvent], findings: Iterable[Finding]) -> Iterator[Finding]:
        """The findings, with what Zeek raised to the same and of the same actors; then what it alone has raised."""
        rooms = self._rooms
        for event in alarms:
            assert isinstance(event, Raised)
            rooms.raised(event)
        yield from map(rooms.seconding.seconded, findings)
        yield from rooms.unmatched_alarms()

    def _probe_findings(self, probes: Iterable[AnyEvent]) -> Iterator[Finding]:
        self._rooms.probing.one_input = self._one_witness
        watched = False
        for probe in self._rooms.probing.probes(probes):
            if not watched:
                watched = True
                self._rooms.probing.watched_since(probe.ts)
            self.watch_probe(probe)
            yield from self._rooms.probes.advance(probe.ts)
            yield from self._rooms.probes.observe(probe)
        yield from self._rooms.probes.close()

    def _joined(self, findings: Iterable[Finding]) -> Iterator[Finding]:
        """All findings; last words that others may join wait until there are no more."""
        with Sorter[Finding](Finding, lambda finding: finding.id) as waiting:
            for finding in findings:
                if finding.closing and self._rooms.joining.add(finding):
                    waiting.add(finding)
                else:
                    yield finding
            yield from map(self._rooms.joining.joined, waiting)

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
        rooms = self._rooms
        merged = rooms.meet.merged + rooms.probing.merged
        if merged:
            told.append(f"{merged:,} records told what another input had told: counted once")
        if not (self.site.owned.domains or self.site.owned.ranges or self.site.owned.asns or self.site.owned.brands):
            told.append("no site: nothing is known to be ours, so no search can be told to be about us (--site)")
        if rooms.meet.evicted:
            told.append(f"{rooms.meet.evicted:,} visits were closed early because too many were open at once")
        if rooms.meet.unmatched:
            told.append(
                f"{rooms.meet.unmatched:,} flows were too many at once to compare what the inputs told: some of it may"
                " be counted twice"
            )
        if rooms.contacts.uncounted:
            told.append(f"{rooms.contacts.uncounted:,} contacts came from more sources than can be kept: not counted")
        if self.intelligence and self.intelligence.out_of_time:
            told.append(
                f"{counted(self.intelligence.out_of_time, 'event')} touched only indicators that were not valid then"
            )
        if rooms.raising.unknown:
            told.append(
                f"{counted(rooms.raising.unknown, 'notice')} of the package inside Zeek mean nothing to this run"
            )
        if rooms.seconding.dropped:
            told.append(f"{rooms.seconding.dropped:,} notices of Zeek were too many to be kept: not told")
        if rooms.joining.dropped:
            told.append(
                f"{rooms.joining.dropped:,} notices were too many to see which lookups and probes belong together"
            )
        return told + [f"not seen: {line}" for line in self._blindness.lines(self.accounts)]


def _last_words(findings: Iterable[Finding]) -> Iterator[Notice]:
    """What is said at the close of each window; a replay waits for it."""
    desk = Desk(last_words=True)
    return filter(None, map(desk.consider, findings))
