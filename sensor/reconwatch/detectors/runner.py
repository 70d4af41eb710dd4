"""Runs detectors inside one process: the states live in a dictionary, and go when their window is over."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from reconwatch.detectors.detector import Detector, Key
from reconwatch.notices import Finding
from reconwatch.sightings import Sighting

MOST_STATES = 200_000
"""States at once; a state is a few kB. The oldest windows are closed first, and counted."""


class Runner:
    """Feeds sightings to detectors. Sightings may come in any order above the watermark."""

    def __init__(self, detectors: Iterable[Detector[Any]], most_states: int = MOST_STATES) -> None:
        self._detectors = tuple(detectors)
        self._states: dict[tuple[int, Key], msgspec.Struct] = {}
        self._ends: list[tuple[float, int, Key]] = []
        self._most_states = most_states
        self._watermark = float("-inf")
        self.evicted = 0
        """Windows closed before their time because there were too many at once."""
        self.late = 0
        """Sightings for windows that were closed already."""

    def observe(self, sighting: Sighting) -> Iterator[Finding]:
        """What the sighting makes the detectors say."""
        for number, detector in enumerate(self._detectors):
            for key in detector.keys(sighting):
                if key.end <= self._watermark:
                    self.late += 1
                    continue
                state = self._states.get((number, key))
                if state is None:
                    state = self._states[number, key] = detector.fresh(key)
                    heapq.heappush(self._ends, (key.end, number, key))
                yield from detector.observe(state, sighting)
        while len(self._states) > self._most_states:
            self.evicted += 1
            yield from self._close_first(float("inf"))

    def advance(self, watermark: float) -> Iterator[Finding]:
        """No sighting older than `watermark` will come any more: the closing words of all windows before it."""
        self._watermark = max(self._watermark, watermark)
        while self._ends and self._ends[0][0] <= watermark:
            yield from self._close_first(watermark)

    def close(self) -> Iterator[Finding]:
        """The end of all sightings."""
        return self.advance(float("inf"))

    def _close_first(self, watermark: float) -> Iterator[Finding]:
        _, number, key = heapq.heappop(self._ends)
        yield from self._detectors[number].expire(self._states.pop((number, key)), watermark)
