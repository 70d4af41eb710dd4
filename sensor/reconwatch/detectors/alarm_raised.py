"""What the package inside Zeek raised, as findings: where nobody here comes to the same, they are told as they are."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_network
from typing import ClassVar

import msgspec

from reconwatch.detectors.detector import Key
from reconwatch.detectors.keyed import Kept, KeyedDetector, Words
from reconwatch.notices import Finding, Reason, notice_id
from reconwatch.sightings import EVIDENCE_ENDS, Actor, Alarm, Evidence
from reconwatch.windows import DAY, keep_smallest, window_start

BY_SERVICE = frozenset({"Database_Lookup", "Targeted_Search", "Bulk_Search", "CT_Log_Scraping", "Scanner_Crawl"})
"""Notes that are told of each service by itself; of others the services are what was found so far, row after row."""

BY_TARGET = frozenset({"Port_Scan", "Zone_Transfer", "Canary_Touched"})
"""Notes that are told of each asset by itself."""

_find_listed = re.compile(r"\blisted (.*?)(?: \(by |$)", re.DOTALL)


class Alarms(Kept):
    """What Zeek raised of one note and actor on one day."""

    rows: list[Evidence] = msgspec.field(default_factory=list)
    """The smallest, each once: several inputs may be copies of one log."""
    services: set[str] = msgspec.field(default_factory=set)
    direction: str = "lookup"
    best: tuple[int, int, str] = (-1, 0, "")
    """Score, count and message of the gravest: Zeek raises the same again only when it has become graver."""
    count: int = 0


class AlarmRaised(KeyedDetector[Alarms, Alarm]):
    """Findings of other notes than its own name: each bears the note that Zeek gave it."""

    note = "Alarm_Raised"
    direction = "lookup"
    state: ClassVar[type[msgspec.Struct]] = Alarms

    def keys(self, sighting: Alarm) -> tuple[Key, ...]:
        """One state per note, party, UTC day, and service or asset where the note tells them apart."""
        if not sighting.ours:
            return ()
        service = ",".join(sighting.services) if sighting.note in BY_SERVICE else ""
        target = ",".join(each.value for each in sighting.targets) if sighting.note in BY_TARGET else ""
        parts = (
            sighting.note,
            party_of(sighting.actor.ip),
            service,
            target or indicator_in(sighting.note, sighting.msg),
        )
        return (Key(parts, window_start(sighting.ts, DAY), DAY),)

    def fresh(self, key: Key) -> Alarms:
        """See `Detector.fresh`."""
        return Alarms(key)

    def remember(self, state: Alarms, sighting: Alarm) -> None:
        """See `KeyedDetector.remember`."""
        state.actor = min(filter(None, (state.actor, sighting.actor)), key=_first_of)
        state.first = min(state.first, sighting.ts)
        state.last = max(state.last, sighting.ts)
        state.kinds.add(sighting.evidence.kind)
        state.techniques.update(sighting.techniques)
        state.targets.add(sighting.targets)
        state.services.update(sighting.services)
        state.direction = max(state.direction, sighting.direction)
        state.best = max(state.best, (sighting.score, sighting.count, sighting.msg))
        state.count = max(state.count, sighting.count)
        keep_smallest(state.rows, sighting.evidence, 2 * EVIDENCE_ENDS, lambda each: each.place)

    def words(self, state: Alarms, *, closing: bool) -> Words:
        """Zeek has judged."""
        score, _, msg = state.best
        return Words(
            count=state.count,
            counted="by Zeek",
            reasons=(Reason(score, f"Zeek raised it: {msg}", tuple(range(1, len(state.rows) + 1))),),
            msg=msg,
            services=tuple(sorted(state.services)),
            evidence=tuple(state.rows),
            evidence_total=len(state.rows),
            targets=tuple(state.targets.items),
            direction="lookup" if state.direction == "lookup" else "probe",
        )

    def _finding(self, state: Alarms, words: Words, *, closing: bool) -> Finding:
        note = state.key.parts[0]
        named = notice_id(note, ("zeek", *state.key.parts[1:]), state.key.start)
        # When it was crossed is when Zeek first raised it, in whatever order the rows come.
        return msgspec.structs.replace(
            super()._finding(state, words, closing=closing), note=note, id=named, ts=state.first
        )


def indicator_in(note: str, msg: str) -> str:
    """The indicator that an `Indicator_Match` is about, as both Zeek's and ours word it; nothing of other notes."""
    found = _find_listed.search(msg) if note == "Indicator_Match" else None
    return found[1] if found is not None else ""


def _first_of(actor: Actor) -> tuple[str, ...]:
    """A key to sort by: of a network of IPv6 the smallest address is named, whatever the order of arrival."""
    return (actor.ip, actor.trusted or "", actor.user or "", *actor.role)


@lru_cache(maxsize=4_096)
def party_of(ip: str) -> str:
    """The actor as part of a key: of IPv6 the /64, for which Zeek names its first address."""
    if ":" not in ip:
        return ip
    return str(ip_network(f"{ip.partition('/')[0]}/64", strict=False))
