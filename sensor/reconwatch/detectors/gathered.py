"""What the detectors of lookups remember of one key, and how they put it into words."""

from __future__ import annotations

from abc import ABC
from typing import ClassVar, Literal, TypeVar

import msgspec

from reconwatch.detectors.keyed import Kept, KeyedDetector, Words
from reconwatch.sightings import Sighting
from reconwatch.visits import LAYERS

__all__ = ["Gathered", "LookupDetector", "Words", "party"]


class Gathered(Kept):
    """The common part of a lookup detector's state."""

    counts: dict[str, int] = msgspec.field(default_factory=dict)
    """Units of `visits.LAYERS` -> how many."""
    services: dict[str, str] = msgspec.field(default_factory=dict)
    """Catalog id -> name."""

    def gather(self, sighting: Sighting) -> None:
        """Take what every lookup notice tells of a sighting: who, what, when, and the evidence."""
        self.take_actor(sighting.actor)
        self.first = min(self.first, sighting.ts)
        self.last = max(self.last, sighting.last)
        self.counts[sighting.counted] = self.counts.get(sighting.counted, 0) + sighting.count
        self.services[sighting.service] = sighting.service_name
        self.techniques.add(sighting.technique)
        self.kinds.update(sighting.kinds)
        self.evidence.add(sighting.evidence, sighting.evidence_total)

    def counted(self) -> tuple[int, str]:
        """(count, unit) of the best layer seen."""
        return next((self.counts[unit], unit) for unit in LAYERS if unit in self.counts)


G = TypeVar("G", bound=Gathered)


class LookupDetector(KeyedDetector[G, Sighting], ABC):
    """A detector of lookups."""

    direction: ClassVar[Literal["lookup", "probe"]] = "lookup"


def party(sighting: Sighting) -> tuple[str, str]:
    """The actor as part of a key: a party whose trust begins or ends has another notice from then on.

    That it is trusted, not why: a reason that is reworded makes no new notice.
    """
    return (sighting.actor.ip, "trusted" if sighting.actor.trusted is not None else "")
