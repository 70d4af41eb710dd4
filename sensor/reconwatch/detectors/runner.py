"""Runs detectors inside one process: states in memory, on disk when there are many, until their window ends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Generic, TypeVar

import msgspec

from reconwatch.detectors.detector import Detector, Key
from reconwatch.notices import Finding
from reconwatch.shelf import MOST_VALUES, Shelf
from reconwatch.sightings import Alarm, Probe, Publication, Sighting

Item = TypeVar("Item", bound=Sighting | Probe | Publication | Alarm)


class Runner(Generic[Item]):
    """Feeds sightings to detectors. Sightings may come in any order above the watermark."""

    KEPT = ("_watermark", "late", "states")

    def __init__(self, detectors: Iterable[Detector[Any, Item]], most_states: int = MOST_VALUES) -> None:
        self._detectors = tuple(detectors)
        decoders = [msgspec.msgpack.Decoder(detector.state).decode for detector in self._detectors]
        self._states = Shelf[Any](decoders, most_states)
        self._encoder = msgspec.msgpack.Encoder()
        self._watermark = float("-inf")
        self.late = 0
        """Sightings for windows that were closed already."""

    def observe(self, sighting: Item) -> Iterator[Finding]:
        """What the sighting makes the detectors say."""
        for number, detector in enumerate(self._detectors):
            for key in detector.keys(sighting):
                if key.end <= self._watermark:
                    self.late += 1
                    continue
                yield from detector.observe(self._state(number, key), sighting)
        self._states.grew(len(self._encoder.encode(sighting)))

    def advance(self, watermark: float) -> Iterator[Finding]:
        """No sighting older than `watermark` will come any more: the closing words of all windows before it."""
        self._watermark = max(self._watermark, watermark)
        for number, state in self._states.due(watermark):
            yield from self._detectors[number].expire(state, watermark)

    def flush(self) -> Iterator[Finding]:
        """The closing words of all windows there are; none is over, should more come for it."""
        for number, state in self._states.due(float("inf")):
            yield from self._detectors[number].expire(state, float("inf"))

    def close(self) -> Iterator[Finding]:
        """The end of all sightings."""
        yield from self.advance(float("inf"))

    @property
    def states(self) -> list[tuple[float, int, bytes, bytes]]:
        """Everything that is remembered; see `Shelf.contents`."""
        return self._states.contents

    @states.setter
    def states(self, rows: list[tuple[float, int, bytes, bytes]]) -> None:
        self._states.contents = rows

    def _state(self, number: int, key: Key) -> Any:
        place = self._states.place(key.end, number, key)
        state = self._states.get(place)
        if state is None:
            state = self._detectors[number].fresh(key)
            self._states.put(place, state)
        return state
