"""What the detectors of probes remember of one key."""

from __future__ import annotations

from abc import ABC
from bisect import insort
from ipaddress import ip_network
from typing import ClassVar, Literal, TypeVar

import msgspec

from reconwatch.detectors.keyed import Kept, KeyedDetector, Words, with_users
from reconwatch.sightings import Actor, Probe, Target

__all__ = ["NetworkProbed", "ProbeDetector", "Probed", "Words", "network", "prober"]

MOST_MEMBERS = 256
"""Addresses of a network that a notice lists."""


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
        if probe.server is not None and probe.asset is not None:
            self.targets.add((Target("ip", probe.server, probe.asset),))


class NetworkProbed(Probed):
    """What the addresses of one `network` did together; the first part of its key is that network."""

    members: list[str] = msgspec.field(default_factory=list)
    """The smallest `MOST_MEMBERS`."""

    def take_actor(self, actor: Actor) -> None:
        """One address is named as it is; of several the network is the actor."""
        if actor.ip not in self.members:
            insort(self.members, actor.ip)
            del self.members[MOST_MEMBERS:]
        one = len(self.members) == 1
        known = min(filter(None, (self.actor, actor)), key=lambda actor: (actor.trusted or "", actor.role))
        self.actor = msgspec.structs.replace(
            with_users(known, self.actor, actor),
            ip=self.members[0] if one else self.key.parts[0],
            members=() if one else tuple(self.members),
        )


G = TypeVar("G", bound=Probed)


class ProbeDetector(KeyedDetector[G, Probe], ABC):
    """A detector of probes."""

    direction: ClassVar[Literal["lookup", "probe"]] = "probe"


def prober(probe: Probe) -> tuple[str, str]:
    """The actor as part of a key: a party whose trust begins or ends has another notice from then on."""
    return (probe.actor.ip, "trusted" if probe.actor.trusted is not None else "")


def network(probe: Probe) -> tuple[str, str]:
    """As `prober`, for what is cheap to share out over addresses: of IPv6 the /64, which one host has to itself."""
    ip, trusted = prober(probe)
    return (str(ip_network(f"{ip}/64", strict=False)) if ":" in ip else ip, trusted)
