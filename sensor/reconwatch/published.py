"""Gives a certificate its meaning, or drops it: which of our names it shows, and who means to be taken for us. Pure."""

from __future__ import annotations

from functools import cached_property

from reconwatch.events import Certificate
from reconwatch.lookalike import Lookalikes
from reconwatch.sightings import Alike, Bait, Evidence, Publication, Target
from reconwatch.site import Site

MOST_SHOWN = 5
"""Names of a certificate that its evidence spells out."""


class Publishing:
    """A function of certificate and site."""

    def __init__(self, site: Site) -> None:
        self._site = site
        names = [each for each in site.canaries if each.kind == "name"]
        self._baits = {each.value: Bait(each.kind, each.value, each.planted) for each in names}

    @cached_property
    def _alike(self) -> Lookalikes:
        """Made for the first certificate: most runs have none, and the Public Suffix List takes its time."""
        return Lookalikes(self._site.owned.domains, self._site.owned.brands)

    def publication(self, event: Certificate) -> Publication | None:
        """What a certificate publishes of us; None if it names nothing of ours and nothing like it."""
        ours: list[Target] = []
        alike: list[Alike] = []
        for name in event.names:
            owned = self._site.owned_domain(name.removeprefix("*."))
            if owned is not None:
                ours.append(Target("domain", name, owned))
            elif (found := self._alike.resembles(name)) is not None:
                alike.append(Alike(name, *found))
        baits = tuple(self._baits[name] for name in event.names if name in self._baits)
        if not ours and not alike and not baits:
            return None
        issuers = self._site.owned.issuers
        issuer = (event.issuer or "").lower()
        return Publication(
            ts=event.ts,
            names=tuple(ours),
            alike=tuple(alike),
            baits=baits,
            issuer=event.issuer,
            serial=event.serial,
            unexpected=bool(ours and issuers and issuer) and not any(each in issuer for each in issuers),
            published=event.published,
            evidence=_evidence(event),
        )


def _evidence(event: Certificate) -> Evidence:
    names = ", ".join(event.names[:MOST_SHOWN])
    more = f" and {len(event.names) - MOST_SHOWN} more" if len(event.names) > MOST_SHOWN else ""
    by = f", issued by {event.issuer}" if event.issuer else ""
    return Evidence(
        ts=event.ts, kind=event.kind, source=event.source, uid=event.uid, src=event.client or None, dst=event.server,
        host=event.names[0], detail=f"certificate for {names}{more}{by}",
    )  # fmt: skip
