"""Runs detectors inside one process: states in memory, on disk when there are many, until their window ends."""

from __future__ import annotations

import heapq
import sqlite3
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from reconwatch.detectors.detector import Detector, Key
from reconwatch.notices import Finding
from reconwatch.sightings import Sighting

MOST_STATES = 20_000
"""States in memory at once, of a few kB each; those touched longest ago wait on disk."""

Address = tuple[int, Key]


class Runner:
    """Feeds sightings to detectors. Sightings may come in any order above the watermark."""

    def __init__(self, detectors: Iterable[Detector[Any]], most_states: int = MOST_STATES) -> None:
        self._detectors = tuple(detectors)
        self._warm: OrderedDict[Address, msgspec.Struct] = OrderedDict()
        self._cold = _Cold(self._detectors)
        self._ends: list[tuple[float, int, Key]] = []
        self._most_states = most_states
        self._watermark = float("-inf")
        self.late = 0
        """Sightings for windows that were closed already."""

    def observe(self, sighting: Sighting) -> Iterator[Finding]:
        """What the sighting makes the detectors say."""
        for number, detector in enumerate(self._detectors):
            for key in detector.keys(sighting):
                if key.end <= self._watermark:
                    self.late += 1
                    continue
                yield from detector.observe(self._state((number, key)), sighting)
        while len(self._warm) > self._most_states:
            self._cold.put(*self._warm.popitem(last=False))

    def advance(self, watermark: float) -> Iterator[Finding]:
        """No sighting older than `watermark` will come any more: the closing words of all windows before it."""
        self._watermark = max(self._watermark, watermark)
        while self._ends and self._ends[0][0] <= watermark:
            _, number, key = heapq.heappop(self._ends)
            state = self._warm.pop((number, key), None) or self._cold.take((number, key))
            yield from self._detectors[number].expire(state, watermark)

    def close(self) -> Iterator[Finding]:
        """The end of all sightings."""
        yield from self.advance(float("inf"))
        self._cold.close()

    def _state(self, address: Address) -> Any:
        state = self._warm.get(address) or self._cold.take(address)
        if state is None:
            number, key = address
            state = self._detectors[number].fresh(key)
            heapq.heappush(self._ends, (key.end, number, key))
        self._warm[address] = state
        self._warm.move_to_end(address)
        return state


class _Cold:
    """States that wait on disk, in an unnamed temporary database that goes with the process."""

    def __init__(self, detectors: tuple[Detector[Any], ...]) -> None:
        self._encoder = msgspec.msgpack.Encoder()
        self._decoders = [msgspec.msgpack.Decoder(detector.state) for detector in detectors]
        self._database: sqlite3.Connection | None = None

    def put(self, address: Address, state: msgspec.Struct) -> None:
        """Let a state wait."""
        if self._database is None:
            self._database = sqlite3.connect("", isolation_level=None)
            self._database.execute("PRAGMA journal_mode = OFF")
            self._database.execute("CREATE TABLE states (address BLOB PRIMARY KEY, state BLOB) WITHOUT ROWID")
        row = (self._encoder.encode(address), self._encoder.encode(state))
        self._database.execute("INSERT OR REPLACE INTO states VALUES (?, ?)", row)

    def take(self, address: Address) -> Any:
        """The state that waits there, which waits no longer; None if there is none."""
        if self._database is None:
            return None
        row = self._database.execute(
            "DELETE FROM states WHERE address = ? RETURNING state", (self._encoder.encode(address),)
        ).fetchone()
        return None if row is None else self._decoders[address[0]].decode(row[0])

    def close(self) -> None:
        """Give the disk back."""
        if self._database is not None:
            self._database.close()
            self._database = None
