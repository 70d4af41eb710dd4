"""What the detectors of probes remember of one key."""

from __future__ import annotations

from abc import ABC
from typing import ClassVar, Literal, TypeVar

from reconwatch.detectors.keyed import Kept, KeyedDetector, Words
from reconwatch.sightings import Probe, Target

__all__ = ["ProbeDetector", "Probed", "Words", "prober"]


class Probed(Kept):
    """The common part of a probe detector's state."""

    def gather(self, probe: Probe) -> None:
        """Take what every probe notice tells: who, when, on which asset, and the evidence."""
        self.take_actor(probe.actor)
        self.first = min(self.first, probe.ts)
        self.last = max(self.last, probe.ts)
        self.kinds.add(probe.kind)
        self.evidence.add((probe.evidence,), 1)

    def target(self, probe: Probe) -> None:
        """Name the address that was probed."""
        if probe.asset is not None:
            self.targets.add((Target("ip", probe.server, probe.asset),))


G = TypeVar("G", bound=Probed)


class ProbeDetector(KeyedDetector[G, Probe], ABC):
    """A detector of probes."""

    direction: ClassVar[Literal["lookup", "probe"]] = "probe"


def prober(probe: Probe) -> tuple[str, str]:
    """The actor as part of a key: a party whose trust begins or ends has another notice from then on."""
    return (probe.actor.ip, "trusted" if probe.actor.trusted is not None else "")
