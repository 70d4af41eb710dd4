"""Bounded, mergeable, event-time memory for detectors: what it holds does not depend on the order of arrival."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator

import msgspec

from reconwatch.sightings import EVIDENCE_ENDS, Evidence, Place, Target

MINUTE = 60.0
DAY = 86_400.0

MOST_TARGETS = 1_000
"""Distinct targets that one notice lists; a walked /16 has more, and its first thousand say as much."""


def window_start(ts: float, width: float) -> float:
    """The start of the window of event time that `ts` lies in; aligned to the epoch, never to a first event."""
    return ts // width * width


class Ends(msgspec.Struct):
    """The first and the last `EVIDENCE_ENDS` of any number of pieces of evidence."""

    items: list[Evidence] = []
    total: int = 0

    def add(self, evidence: Iterable[Evidence], total: int) -> None:
        """Take the pieces that were kept of `total` events."""
        self.total += total
        for piece in evidence:
            insort(self.items, piece, key=_place)
            if len(self.items) > 2 * EVIDENCE_ENDS:
                del self.items[EVIDENCE_ENDS]


def _place(evidence: Evidence) -> Place:
    return evidence.place


class Smallest(msgspec.Struct):
    """The smallest `MOST_TARGETS` of any number of targets."""

    items: list[Target] = []

    def add(self, targets: Iterable[Target]) -> None:
        """Take targets, each once."""
        for target in targets:
            at = bisect_left(self.items, target.place, key=_target_place)
            if self.items[at : at + 1] != [target]:
                self.items.insert(at, target)
        del self.items[MOST_TARGETS:]


def _target_place(target: Target) -> tuple[str, tuple[int | str, ...], str]:
    return target.place


def spans_with(minute: int, span: int) -> Iterator[range]:
    """Every run of `span` consecutive minutes that `minute` lies in, by its last minute.

    What only grows can be judged as it grows: a span is whole when the last of its minutes was added to.
    """
    return (range(last - span + 1, last + 1) for last in range(minute, minute + span))
