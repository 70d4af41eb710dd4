"""`Exposed_Name_Probed`: a name of ours was published with its certificate, and who came to it then."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from reconwatch.detectors.detector import Key
from reconwatch.detectors.probed import Probed, ProbeDetector, Words
from reconwatch.notices import Reason
from reconwatch.prose import counted, shortened
from reconwatch.sightings import Actor, Exposed, Probe, Target
from reconwatch.windows import DAY, window_start

SOON = 3 * DAY
"""Seconds after its publication in which a visit may be for it. Scanners that read the logs come within minutes; whom
somebody tells the name comes any day."""
AT_ONCE = 3600.0
MANY = 3
MOST_VISITORS = 256
_VISITS = frozenset({"tls", "quic", "http", "http2"})


class Visitor(msgspec.Struct, frozen=True):
    """Who came to a name."""

    ts: float
    actor: Actor
    scanner: str | None
    tool: bool


class Visited(Probed):
    """Visits of one name around the time of its publication."""

    exposed: Exposed | None = None
    name: str = ""
    known_before: bool = False
    """Somebody came to it before: it was no secret."""
    visitors: dict[str, Visitor] = msgspec.field(default_factory=dict)
    """Address -> its first visit."""


class ExposedNameProbed(ProbeDetector[Visited]):
    """Ordinary visitors of a new site are told, too, and weigh little; scanners and crawlers weigh more."""

    note = "Exposed_Name_Probed"
    state: ClassVar[type[msgspec.Struct]] = Visited

    def keys(self, probe: Probe) -> tuple[Key, ...]:
        """One state per name and UTC day of its publication."""
        if probe.exposed is None or probe.kind not in _VISITS or probe.inside or probe.name is None:
            return ()
        if probe.actor.trusted is not None or not -DAY <= probe.ts - probe.exposed.ts <= SOON:
            return ()
        start = window_start(probe.exposed.ts, DAY)
        return (Key((probe.name,), start, DAY + SOON),)

    def fresh(self, key: Key) -> Visited:
        """See `Detector.fresh`."""
        return Visited(key)

    def remember(self, state: Visited, probe: Probe) -> None:
        """See `KeyedDetector.remember`. What came before says only that the name was known."""
        assert probe.exposed is not None
        state.exposed, state.name = probe.exposed, probe.name or ""
        if probe.ts < probe.exposed.ts:
            state.known_before = True
            return
        state.gather(probe)
        state.target(probe)
        scanner = probe.scanner.name if probe.scanner is not None else None
        scans = probe.tool is not None or any(path.strong for path in probe.paths)
        came = Visitor(probe.ts, probe.actor, scanner, scans)
        known = state.visitors.get(probe.actor.ip)
        if known is not None:
            came = Visitor(min(known.ts, came.ts), came.actor, known.scanner or came.scanner, known.tool or came.tool)
        elif len(state.visitors) >= MOST_VISITORS:
            return
        state.visitors[probe.actor.ip] = came

    def words(self, state: Visited, *, closing: bool) -> Words | None:
        """Below the threshold if it was known before, or cannot be known not to have been."""
        exposed = state.exposed
        if exposed is None or state.known_before or not state.visitors or not (exposed.published or exposed.watched):
            return None
        first = min(state.visitors.values(), key=lambda came: (came.ts, came.actor.ip))
        after = first.ts - exposed.ts
        state.actor = first.actor
        every = tuple(range(1, len(state.evidence.items) + 1))
        ago = _span(after)
        how = f"its certificate was published ({exposed.source})"
        reasons = [Reason(15, f"the first came {ago} after {how}", every)]
        if after <= AT_ONCE:
            reasons.append(Reason(5, "so soon comes who reads the logs"))
        if len(state.visitors) >= MANY:
            most = "at least " if len(state.visitors) >= MOST_VISITORS else ""
            reasons.append(Reason(5, f"{most}{len(state.visitors)} sources came within {_span(SOON)}"))
        crawlers = sorted({came.scanner for came in state.visitors.values() if came.scanner is not None})
        if crawlers:
            reasons.append(Reason(5, f"crawlers of {shortened(crawlers)} came, too: the name is in their databases"))
        if any(came.tool for came in state.visitors.values()):
            reasons.append(Reason(15, "scanners were among them, by their agents or what they asked for", every))
        if not exposed.watched:
            reasons.append(Reason(0, "whether it was visited before, the inputs do not reach back far enough to say"))
        sources = counted(len(state.visitors), "source")
        return Words(
            count=len(state.visitors),
            counted="sources",
            reasons=tuple(reasons),
            msg=f"{state.name} was visited by {sources}, the first {ago} after {how}",
            services=(),
            evidence=tuple(state.evidence.items),
            evidence_total=state.evidence.total,
            targets=(Target("domain", state.name, state.name),),
            techniques=("T1596.003",),
        )


def _span(seconds: float) -> str:
    """A span in words: `40 seconds`, `3 hours`."""
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            return counted(int(seconds // size), unit)
    return counted(int(seconds), "second")
