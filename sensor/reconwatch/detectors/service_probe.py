"""`Service_Probe`: scanners, by what they say of themselves and by what they ask our web servers for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

import msgspec

from reconwatch.detectors.detector import Key, Threshold
from reconwatch.detectors.probed import NetworkProbed, ProbeDetector, Words, network
from reconwatch.notices import Reason
from reconwatch.prose import counted, shortened
from reconwatch.sightings import Probe
from reconwatch.windows import DAY, window_start

VULNERABILITY_SCANNING, WORDLIST_SCANNING = "T1595.002", "T1595.003"


class Asked(NetworkProbed):
    """What one source asked for that scanners ask for, in one day. Bounded by the catalog."""

    requests: int = 0
    tools: dict[str, int] = msgspec.field(default_factory=dict)
    """Name -> requests that give it away."""
    strong: dict[str, str] = msgspec.field(default_factory=dict)
    """Catalog id -> what it looks for: things that only a scanner asks for."""
    weak: dict[str, str] = msgspec.field(default_factory=dict)
    served: set[str] = msgspec.field(default_factory=set)
    """Of the strong: what was answered with success."""
    answers_all: bool = False
    """A path that no server has was answered with success: then success means nothing."""


class ServiceProbe(ProbeDetector[Asked]):
    """Every web server is asked for a file of secrets every hour; what counts is how broadly one source looks."""

    note = "Service_Probe"
    state: ClassVar[type[msgspec.Struct]] = Asked
    thresholds: ClassVar[Mapping[str, Threshold]] = {
        "weak": Threshold(3, "kinds of things that people use too: nobody uses so many different ones of them"),
        "strong": Threshold(
            3, "kinds of things that only scanners ask for: fewer are the rain that falls on everybody"
        ),
    }

    def keys(self, sighting: Probe) -> tuple[Key, ...]:
        """One state per source (of IPv6 its /64) and UTC day; none for parties that forward what others ask."""
        if sighting.kind not in ("http", "http2") or not (sighting.tool or sighting.paths):
            return ()
        if sighting.asset is None or sighting.inside:
            return ()
        if sighting.actor.stands_for_others or "balancer" in sighting.actor.role:
            return ()
        if sighting.scanner is not None and sighting.scanner.sure:
            return ()  # what a crawler collects, Scanner_Crawl tells
        return (Key(network(sighting), window_start(sighting.ts, DAY), DAY),)

    def fresh(self, key: Key) -> Asked:
        """See `Detector.fresh`."""
        return Asked(key)

    def remember(self, state: Asked, sighting: Probe) -> None:
        """See `KeyedDetector.remember`."""
        state.gather(sighting)
        state.target(sighting)
        state.requests += 1
        if sighting.tool is not None:
            state.tools[sighting.tool] = state.tools.get(sighting.tool, 0) + 1
        state.techniques.add(WORDLIST_SCANNING if sighting.wordlist else VULNERABILITY_SCANNING)
        for path in sighting.paths:
            (state.strong if path.strong else state.weak)[path.id] = path.what
            if path.strong and sighting.status is not None and 200 <= sighting.status < 300:
                state.served.add(path.id)
                state.answers_all |= path.test

    def words(self, state: Asked, *, closing: bool) -> Words | None:
        """A scanner's name or one thing that only scanners ask for; of what people ask for too, several."""
        if not state.tools and not state.strong and len(state.weak) < self.limits["weak"]:
            return None
        assert state.actor is not None
        every = tuple(range(1, len(state.evidence.items) + 1))
        tools = sorted(state.tools)
        looked = _named({**state.weak, **state.strong}.values())
        servers = counted(len(state.targets.items), "web server")
        return Words(
            count=state.requests,
            counted="http requests",
            reasons=tuple(self._reasons(state, tools, every)),
            msg=f"{state.actor.ip} probed {servers} of ours"
            + (f" with {shortened(tools)}" if tools else "")
            + (f", looking for {looked}" if looked else ""),
            services=(),
            evidence=tuple(state.evidence.items),
            evidence_total=state.evidence.total,
            targets=tuple(state.targets.items),
        )

    def _reasons(self, state: Asked, tools: list[str], every: tuple[int, ...]) -> list[Reason]:
        reasons = []
        if tools:
            requests = counted(sum(state.tools.values()), "request")
            reasons.append(Reason(25, f"{requests} with the agent or path of {shortened(tools)}", every))
        if state.strong:
            points = 20 if len(state.strong) < self.limits["strong"] else 35
            looked = _named(state.strong.values())
            reasons.append(Reason(points, f"asked for what only a scanner asks for: {looked}", every))
        if len(state.weak) >= self.limits["weak"]:
            points = 10 if len(state.weak) < 2 * self.limits["weak"] else 20
            reasons.append(Reason(points, f"asked for many things by turns: {_named(state.weak.values())}", every))
        if state.served and not state.answers_all:
            # No points: captures do not tell the status, and a verdict should not depend on who saw the request.
            found = _named(state.strong[name] for name in state.served)
            reasons.append(Reason(0, f"was answered with success where it asked for {found}: see what it got"))
        return reasons


def _named(things: Iterable[str]) -> str:
    return shortened(sorted(things))
