"""`Certificate_Exposed`: a certificate that nobody of ours should have, as transparency logs or the wire show it."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from reconwatch.detectors.canary_touched import leak_of
from reconwatch.detectors.detector import Key
from reconwatch.detectors.keyed import Kept, KeyedDetector, Words
from reconwatch.notices import Reason
from reconwatch.prose import counted
from reconwatch.sightings import Actor, Publication, Target
from reconwatch.windows import DAY, window_start

OBTAINED = ("T1588.004",)
"""Obtain Capabilities: Digital Certificates."""
SEARCHABLE = ("T1596.003",)

MOST_COUNTED = 1_000

NOBODY = Actor(ip="")
"""Who asked for a certificate stands in no log."""


class Issued(Kept):
    """The certificates of one authority for one name on one day."""

    publication: Publication | None = None
    serials: set[str] = msgspec.field(default_factory=set)


class CertificateExposed(KeyedDetector[Issued, Publication]):
    """Of what the world can read about our names that which needs somebody to look at it.

    A name of ours by itself, with an authority that we use, is none: it is what `Exposed_Name_Probed` counts from.
    """

    note = "Certificate_Exposed"
    direction = "probe"
    state: ClassVar[type[msgspec.Struct]] = Issued

    def keys(self, publication: Publication) -> tuple[Key, ...]:
        """One state per name that is wrong, what is wrong with it, authority, and UTC day."""
        day = window_start(publication.ts, DAY)
        wrong = [("alike", each.name) for each in publication.alike]
        wrong += [("bait", bait.value) for bait in publication.baits]
        if publication.unexpected:
            wrong += [("issuer", target.value) for target in publication.names]
        return tuple(Key((*each, publication.issuer or ""), day, DAY) for each in wrong)

    def fresh(self, key: Key) -> Issued:
        """See `Detector.fresh`."""
        return Issued(key, actor=NOBODY)

    def remember(self, state: Issued, publication: Publication) -> None:
        """A precertificate and its certificate have one number, and are one."""
        state.first = min(state.first, publication.ts)
        state.last = max(state.last, publication.ts)
        state.kinds.add(publication.evidence.kind)
        state.evidence.add((publication.evidence,), 1)
        if len(state.serials) < MOST_COUNTED:
            state.serials.add(publication.serial or str(publication.ts))
        known = state.publication
        if known is None or (publication.ts, publication.serial or "") < (known.ts, known.serial or ""):
            state.publication = publication

    def words(self, state: Issued, *, closing: bool) -> Words | None:
        """One is enough."""
        publication, (what, name, issuer) = state.publication, state.key.parts
        assert publication is not None
        every = tuple(range(1, len(state.evidence.items) + 1))
        by = f" by {issuer}" if issuer else ""
        where = "in a certificate transparency log" if publication.published else "on the wire"
        techniques, targets = OBTAINED, tuple(each for each in publication.names if each.value == name)
        if what == "alike":
            alike = next(each for each in publication.alike if each.name == name)
            targets = (Target("domain", alike.domain, alike.domain),)
            reason = Reason(alike.points, f"{name} {alike.how}, and is not ours", every)
        elif what == "bait":
            bait = next(each for each in publication.baits if each.value == name)
            techniques = SEARCHABLE
            if leak_of(bait) == SEARCHABLE[0]:
                reason = Reason(0, f"the bait {name} is published, as it was planted", every)
            else:
                planted = f"it was planted in {bait.planted}" if bait.planted else "nobody asked for one"
                reason = Reason(60, f"somebody had a certificate issued for the bait {name}: {planted}", every)
        else:
            reason = Reason(40, f"issued{by}, none of the authorities that we use (owned.issuers)", every)
        number = counted(len(state.serials), "certificate")
        return Words(
            count=len(state.serials),
            counted="certificates",
            reasons=(reason,),
            msg=f"{number} for {name} issued{by}, seen {where}",
            services=(),
            evidence=tuple(state.evidence.items),
            evidence_total=state.evidence.total,
            targets=targets,
            techniques=techniques,
        )
