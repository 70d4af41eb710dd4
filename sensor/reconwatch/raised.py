"""Gives a notice that Zeek raised its meaning, or drops it: about whom of ours, and what of ours. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from reconwatch.events import Raised
from reconwatch.notices import NOTES, Direction
from reconwatch.sift import as_user
from reconwatch.sightings import Actor, Alarm, Evidence, Target
from reconwatch.site import Site
from reconwatch.targets import Assets, Named

MODULE = "ReconWatch::"
"""Of the package inside Zeek."""

LOOKUPS = frozenset({
    "Database_Lookup", "Targeted_Search", "Bulk_Search", "Enumeration_Sweep", "CT_Log_Scraping", "Reverse_Sweep",
    "Recon_Tool",
})  # fmt: skip
"""What only people of ours do."""
EITHER = frozenset({"Indicator_Match", "Canary_Touched"})
"""What people of ours do as well as strangers."""

SENSOR = frozenset({"CaptureLoss", "PacketFilter", "SSL", "Software", "Stats", "Weird"})
"""Modules of Zeek whose notices say something of the sensor, of servers or of what is installed: nothing of what the
party that they name is up to."""

MOST_ASSETS = 1_000
"""Assets of one notice that are read; a notice lists no more (`windows.MOST_TARGETS`)."""


class Raising:
    """A function of notice and site."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._assets = Assets(site.owned.domains, site.owned.ranges, site.owned.asns, site.owned.brands)
        self._brands = {" ".join(brand.lower().split()): brand for brand in site.owned.brands}
        self.unknown = 0
        """Notices of the package that reconwatch does not know, or about lookups by somebody who is none of ours."""

    def alarm(self, event: Raised) -> Alarm | None:
        """What a notice says; None if it means nothing here."""
        ours = event.score is not None
        note = event.note.removeprefix(MODULE) if ours else event.note
        inside = self._site.is_inside(event.client)
        if ours and (note not in NOTES or (note in LOOKUPS and not inside)):
            self.unknown += 1
            return None
        if not ours and note.partition("::")[0] in SENSOR:
            return None
        lookup = note in LOOKUPS or (inside and (not ours or note in EITHER))
        return Alarm(
            ts=event.ts,
            note=note,
            ours=ours,
            direction="lookup" if lookup else "probe",
            actor=self._actor(event, "lookup" if lookup else "probe"),
            msg=event.msg,
            evidence=_evidence(event),
            count=max(1, event.count or 1),
            score=min(event.score or 0, 100),
            techniques=event.techniques,
            services=event.services,
            targets=tuple(sorted(set(self._targets(event)), key=lambda target: target.place)),
        )

    def _actor(self, event: Raised, direction: Direction) -> Actor:
        trust = self._site.trust(event.client, event.ts, direction)
        return Actor(
            ip=event.client,
            role=self._site.roles_of(event.client),
            trusted=trust.reason if trust is not None else None,
            user=event.user,
        )

    def _targets(self, event: Raised) -> Iterator[Target]:
        """Assets that are ours by this site too: Zeek may have been given another."""
        for asset in event.assets[:MOST_ASSETS]:
            kind, _, value = asset.partition(":")
            try:
                match kind:
                    case "brand" if value in self._brands:
                        yield Target("brand", self._brands[value], self._brands[value])
                    case "domain" | "ip" | "range" | "asn":
                        yield from self._assets.of(Named(kind, value))
            except ValueError:
                continue  # no number, no address


def _evidence(event: Raised) -> Evidence:
    return Evidence(
        ts=event.ts, kind=event.kind, source=event.source, uid=event.uid, src=event.client, dst=event.server, host=None,
        detail=f"{event.note}: {event.msg}{as_user(event)}",
    )  # fmt: skip
