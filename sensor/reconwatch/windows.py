"""Bounded, mergeable, event-time memory for detectors: what it holds does not depend on the order of arrival."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Any, TypeVar

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
        self.items += evidence
        # Sightings mostly come in order of time, and a place costs 1 us to compare by.
        if any(a.ts >= b.ts for a, b in pairwise(self.items)):
            self.items.sort(key=_place)
        del self.items[EVIDENCE_ENDS:-EVIDENCE_ENDS]


def _place(evidence: Evidence) -> Place:
    return evidence.place


class Smallest(msgspec.Struct):
    """The smallest `MOST_TARGETS` of any number of targets."""

    items: list[Target] = []

    def add(self, targets: Iterable[Target]) -> None:
        """Take targets, each once."""
        for target in targets:
            at = bisect_left(self.items, _target_place(target), key=_target_place)
            if self.items[at : at + 1] != [target]:
                self.items.insert(at, target)
        del self.items[MOST_TARGETS:]


T = TypeVar("T")


def keep_smallest(items: list[T], item: T, most: int, place: Callable[[T], Any] = lambda item: item) -> bool:
    """Put an item into a sorted list of the `most` smallest distinct ones; whether it was put there.

    What has gone never comes back, for those that are smaller stay: so the list does not depend on the order.
    """
    at = bisect_left(items, place(item), key=place)
    if at == most or items[at : at + 1] == [item]:
        return False
    items.insert(at, item)
    del items[most:]
    return True


@lru_cache(maxsize=4_096)
def _target_place(target: Target) -> tuple[str, tuple[int | str, ...], str]:
    return target.place


def spans_with(minute: int, span: int) -> Iterator[range]:
    """Every run of `span` consecutive minutes that `minute` lies in, by its last minute.

    What only grows can be judged as it grows: a span is whole when the last of its minutes was added to.
    """
    return (range(last - span + 1, last + 1) for last in range(minute, minute + span))


def around(minute: int, span: int) -> range:
    """All minutes of the spans that `minute` lies in."""
    return range(minute - span + 1, minute + span)


def most_counted(counts: Mapping[int, int], minute: int, span: int) -> int:
    """The most that the spans with `minute` hold together, of `counts` by minute."""
    if len(counts) == 1:
        return counts.get(minute, 0)
    here = [counts.get(each, 0) for each in around(minute, span)]
    most = held = sum(here[:span])
    for leaves, enters in zip(here, here[span:], strict=False):
        held += enters - leaves
        most = max(most, held)
    return most


def most_distinct(members: Mapping[int, Collection[Hashable]], minute: int, span: int, known: int = 0) -> int:
    """The most distinct members that the spans with `minute` hold, of `members` by minute; `known` if none has more."""
    here = [members.get(each, ()) for each in around(minute, span)]
    if sum(map(len, here)) <= known:
        return known
    held: Counter[Hashable] = Counter()
    most = known
    for at, enters in enumerate(here):
        held.update(enters)
        if at >= span:
            for member in here[at - span]:
                held[member] -= 1
                if not held[member]:
                    del held[member]
        most = max(most, len(held))
    return most
