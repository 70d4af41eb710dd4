"""Runs detectors as a distributed engine would: partitions by key, state as bytes between any two sightings.

It exists to prove the design, and to be what an adapter for such an engine looks like: the same notices come out as
from `detectors.runner.Runner`, whatever the number of partitions and the order of arrival.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import Any, Generic, TypeVar

import msgspec

from reconwatch.detectors.detector import Detector, Key
from reconwatch.notices import Finding
from reconwatch.sightings import Alarm, Probe, Sighting

Item = TypeVar("Item", bound=Sighting | Probe | Alarm)


class StateVersionError(ValueError):
    """Stored state of another version of its detector: it is not guessed at."""


class Partition(Generic[Item]):
    """A share of the keys. Holds nothing but bytes between calls, so it can be stored, moved and taken up again."""

    def __init__(self, detectors: Iterable[Detector[Any, Item]]) -> None:
        self._detectors = {detector.note: detector for detector in detectors}
        self._decoders = {note: msgspec.msgpack.Decoder(d.state) for note, d in self._detectors.items()}
        self._encoder = msgspec.msgpack.Encoder()
        self.stored: dict[tuple[str, Key], tuple[int, bytes]] = {}
        """(note, key) -> (version of the state's layout, the state)."""

    def observe(self, note: str, key: Key, sighting: Item) -> tuple[Finding, ...]:
        """One sighting for one key."""
        state = self._load(note, key)
        found = self._detectors[note].observe(state, sighting)
        self.stored[note, key] = (self._detectors[note].version, self._encoder.encode(state))
        return found

    def advance(self, watermark: float) -> Iterator[Finding]:
        """Close the windows before `watermark`."""
        for note, key in sorted(k for k in self.stored if k[1].end <= watermark):
            yield from self._detectors[note].expire(self._load(note, key), watermark)
            del self.stored[note, key]

    def _load(self, note: str, key: Key) -> Any:
        stored = self.stored.get((note, key))
        if stored is None:
            return self._detectors[note].fresh(key)
        version, state = stored
        if version != self._detectors[note].version:
            raise StateVersionError(f"{note}: state of version {version}, this is {self._detectors[note].version}")
        return self._decoders[note].decode(state)


class PartitionedRunner(Generic[Item]):
    """N partitions behind one door, with the face of `Runner`."""

    def __init__(self, detectors: Iterable[Detector[Any, Item]], partitions: int) -> None:
        self._detectors = tuple(detectors)
        self.partitions = [Partition(self._detectors) for _ in range(partitions)]
        self._watermark = float("-inf")
        self.late = 0
        """Sightings for windows that were closed already."""

    def observe(self, sighting: Item) -> Iterator[Finding]:
        """Send the sighting to each key's partition."""
        for detector in self._detectors:
            for key in detector.keys(sighting):
                if key.end <= self._watermark:
                    self.late += 1
                    continue
                yield from self._of(detector.note, key).observe(detector.note, key, sighting)

    def advance(self, watermark: float) -> Iterator[Finding]:
        """Tell every partition how far time has come."""
        self._watermark = max(self._watermark, watermark)
        for partition in self.partitions:
            yield from partition.advance(watermark)

    def close(self) -> Iterator[Finding]:
        """The end of all sightings."""
        return self.advance(float("inf"))

    def _of(self, note: str, key: Key) -> Partition[Item]:
        # Not hash(): it differs from process to process.
        digest = zlib.crc32("\x1f".join((note, *key.parts, repr(key.start))).encode("utf-8", "surrogatepass"))
        return self.partitions[digest % len(self.partitions)]
