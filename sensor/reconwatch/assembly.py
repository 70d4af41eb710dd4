"""The rooms of a run, put together: what a replay and a service have in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum
from math import inf
from typing import TYPE_CHECKING

from reconwatch.catalog import Catalog
from reconwatch.catalog.reverse import reverse_service
from reconwatch.catalog.world import Facts, Tool, World
from reconwatch.detectors import detectors, probe_detectors
from reconwatch.detectors.alarm_raised import AlarmRaised
from reconwatch.detectors.certificate_exposed import CertificateExposed
from reconwatch.detectors.contacts import Contacts
from reconwatch.detectors.corroborating import corroborated
from reconwatch.detectors.joining import Joining
from reconwatch.detectors.runner import Runner
from reconwatch.detectors.scans import Scans
from reconwatch.detectors.seconding import Seconding
from reconwatch.doors import Doors
from reconwatch.events import AnyEvent, Certificate, Connection, DnsAnswer, Listed, Presented, Raised
from reconwatch.interest import Interest
from reconwatch.meet import Meet
from reconwatch.notices import Finding
from reconwatch.probing import Probing, contact_words, interest_of
from reconwatch.published import Publishing
from reconwatch.raised import Raising
from reconwatch.sightings import Alarm, Exposed, Publication
from reconwatch.site import Site
from reconwatch.sources.textlog.declared import Declared

if TYPE_CHECKING:
    from reconwatch.intel import Intelligence  # numpy: 100 ms that a run without feeds need not spend

MOST_EXPOSED = 100_000
"""Names of ours that certificates made known, at 500 bytes each; only they are told to be probed after it."""


class Way(Enum):
    """Where an event goes on."""

    NOWHERE = 0
    LOOKUP = 1
    PROBE = 2
    BOTH = 3
    CERTIFICATE = 4
    ALARM = 5


class Assembly:
    """All that judges events, made of catalog, site, world and intelligence."""

    def __init__(
        self, catalog: Catalog, site: Site, world: World | None = None, intelligence: Intelligence | None = None
    ) -> None:
        self.catalog, self.site, self.intelligence = catalog, site, intelligence
        self.world = world or World(Facts())
        self.watched = Catalog([*catalog.services.values(), reverse_service(site.owned.ranges)])
        self.meet = Meet(self.watched, site.roles_of, site.is_inside)
        self.probing = Probing(site, self.world, intelligence.touched if intelligence else lambda event: ())
        self.contacts = Contacts(contact_words, sum(network.num_addresses for network in site.owned.ranges))
        self.doors = Doors(self.probing, self.contacts, intelligence.has_address if intelligence else None)
        self.scans = Scans(self.contacts, self.probing.actor, site.owned_range, self.probing.crawls, site.thresholds)
        self.lookups = Runner(
            detectors(site.thresholds, lambda used, order: _named(self.world.likely_tools(used, order)))
        )
        self.probes = Runner(probe_detectors(site.thresholds))
        self.publications = Runner[Publication]((CertificateExposed(),))
        self.alarms = Runner[Alarm]((AlarmRaised(),))
        self.seconding = Seconding()
        self.joining = Joining()
        self.raising = Raising(site)
        self._publishing = Publishing(site)

    @property
    def interest(self) -> Interest:
        """What to look for."""
        interest = self.catalog.interest() | self.watched.interest() | interest_of(self.site, self.world)
        return interest | self.intelligence.interest() if self.intelligence else interest

    @property
    def declared(self) -> tuple[Declared, ...]:
        """What the owners of text logs say of them."""
        return tuple(
            Declared(log.files, log.format, log.server, log.zone, log.pattern, log.fields) for log in self.site.logs
        )

    def way(self, event: AnyEvent) -> Way:
        """Where an event goes on; a connection from outside is counted among the contacts here."""
        if isinstance(event, Certificate):
            return Way.CERTIFICATE
        if isinstance(event, Presented):
            return self._presented(event)
        if isinstance(event, Raised):
            return Way.ALARM
        if isinstance(event, Listed):
            return Way.PROBE if self.probing.concerns(event) else Way.NOWHERE
        if self.probing.comes_to_us(event):
            known = self.probing.knows(event.client)
            if self.probing.from_outside(event, known):
                if not isinstance(event, Connection) or self._contact(event, known):
                    return Way.PROBE
                return Way.NOWHERE
        if isinstance(event, DnsAnswer):
            self.probing.names.learn(event)
        return Way.BOTH if self.probing.touches_bait(event) or self.is_listed(event) else Way.LOOKUP

    def _presented(self, event: Presented) -> Way:
        """Of certificates that our servers showed, those shown to strangers go on."""
        if event.server is None:
            self.probing.describe(event)
            return Way.NOWHERE
        outside = self.probing.comes_to_us(event) and self.probing.from_outside(event, self.probing.knows(event.client))
        return Way.PROBE if outside else Way.NOWHERE

    def by_name(self, before: float = inf) -> Iterator[Connection]:
        """What connections of a day tell of addresses that turned out to be called as crawlers are.

        When they came they were strangers' and counted as contacts only; to be asked once for the days that are over by
        `before`, as long as they are kept.
        """
        for ip in self.probing.names.called() if self.contacts.has_closing(before) else ():
            if self.probing.knows(ip):
                continue  # what it did was told
            for contact in self.contacts.of(ip, before):
                event = Connection(
                    ts=contact.ts, client=ip, server=contact.server, source=contact.source, proto=contact.proto,
                    server_port=None if contact.proto == "icmp" else contact.port,
                    opening=None if contact.proto == "udp" else True, answered=contact.answered,
                    spoke=contact.spoke if contact.proto == "tcp" else None,
                )  # fmt: skip
                if not (self.probing.touches_bait(event) or self.is_listed(event)):
                    yield event

    def is_listed(self, event: AnyEvent) -> bool:
        """Whether an event is one that intelligence lists, and no reply."""
        if self.intelligence is None or (isinstance(event, Connection) and not self.probing.begins(event)):
            return False
        return self.intelligence.touches(event)

    def _contact(self, event: Connection, known: bool) -> bool:
        """Count a connection from outside among the contacts; whether there is more to it."""
        if not self.doors.count(event):
            return self.probing.touches_bait(event)
        return self.is_listed(event) or self.probing.says_more(event, known)

    def raised(self, event: Raised) -> None:
        """Hold what Zeek raised, or keep it for what is told of its actor."""
        alarm = self.raising.alarm(event)
        if alarm is None:
            return
        if not alarm.ours:
            self.seconding.note(alarm)
        for finding in self.alarms.observe(alarm):
            self.seconding.hold(finding)

    def unmatched_alarms(self, before: float = inf) -> Iterator[Finding]:
        """The last words on what Zeek raised on days that are over, where no detector here came to the same."""
        for finding in self.alarms.advance(before):
            self.seconding.hold(finding)
        yield from self.seconding.left(before)

    def published(self, event: Certificate) -> Publication | None:
        """What a certificate says of us; our names that it makes known are noted, each with the first time."""
        publication = self._publishing.publication(event)
        if publication is None:
            return None
        exposed = self.probing.exposed
        for target in publication.names:
            if len(exposed) < MOST_EXPOSED and not target.value.startswith("*"):
                exposed.setdefault(target.value, Exposed(event.ts, event.source, event.published))
        return publication

    def corroborated(self, finding: Finding) -> Finding:
        """The finding, with what intelligence says of its actor and targets."""
        return corroborated(finding, self.intelligence.of_text) if self.intelligence else finding


def _named(tools: Iterable[tuple[Tool, float]]) -> list[tuple[str, float]]:
    return [(tool.name, score) for tool, score in tools]
