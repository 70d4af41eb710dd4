"""A named reason in every notice that is about what threat intelligence lists. A pure function of finding and feeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from reconwatch.detectors.indicator_match import HIGH, LOW, SAID, IndicatorMatch, listed_by
from reconwatch.notices import Finding, Reason
from reconwatch.sightings import Indicated

STRONG, SOME, NONE = 15, 8, 0
"""Points of high, medium and low confidence. Others' word for it adds to what was seen; it decides nothing alone."""
MOST_NAMED = 3
"""Indicators that one notice names, the surest first."""

Listed = Callable[[str, float, float], tuple[Indicated, ...]]
"""The indicators that a name or address touches, of those that are valid at any time of a span."""


def corroborated(finding: Finding, listed: Listed) -> Finding:
    """The finding with what is listed of its actor, its services' hosts and its targets; the same one if nothing is.

    The points are those of the surest; the others are named.
    """
    if finding.note == IndicatorMatch.note:
        return finding
    found: dict[Indicated, str] = {}
    for text, what in _texts(finding):
        for each in listed(text, finding.first, finding.last):
            found.setdefault(each, what)
    reasons: list[Reason] = []
    for each in sorted(found, key=lambda each: (-each.confidence, each))[:MOST_NAMED]:
        resting = tuple(
            n for n, one in enumerate(finding.evidence, 1) if _shows(each, one.src, one.dst, one.host, listed)
        )
        worth = NONE if reasons else _points(each.confidence)
        reasons.append(
            Reason(worth, f"{found[each]} is listed: {SAID[each.kind]} {each.value}, {listed_by(each)}", resting)
        )
    return msgspec.structs.replace(finding, reasons=(*finding.reasons, *reasons)) if reasons else finding


def _points(confidence: int) -> int:
    return STRONG if confidence >= HIGH else SOME if confidence >= LOW else NONE


def _texts(finding: Finding) -> Iterator[tuple[str, str]]:
    """What a finding is about, each with its part in it; the same whatever was the order of its evidence."""
    for address in (finding.actor.ip, *finding.actor.members):
        yield address, "the actor"
    for target in finding.targets:
        if target.kind in ("domain", "ip"):
            yield target.value, "a target"
    if finding.direction == "lookup":
        for host in sorted({each.host for each in finding.evidence if each.host}):
            yield host, "a host of the service"
        for server in sorted({each.dst for each in finding.evidence if each.dst}):
            yield server, "an address of the service"


def _shows(found: Indicated, src: str | None, dst: str | None, host: str | None, listed: Listed) -> bool:
    """Whether a piece of evidence holds what is listed."""
    return any(
        (each.kind, each.value) == (found.kind, found.value)
        for text in (src, dst, host)
        if text
        for each in listed(text, float("-inf"), float("inf"))
    )
