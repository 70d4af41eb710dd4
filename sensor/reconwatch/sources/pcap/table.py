"""Flows by their keys, bounded: two generations, of which the older one goes when the younger is full.

A flow that is met again moves to the younger generation, so what goes is what was not met for longest: nearly a
least-recently-used order, without paying for one at every packet.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from reconwatch.sources.pcap.tell import turned

Kept = TypeVar("Kept")


class Table(Generic[Kept]):
    """Values by key. `young` may be asked directly (and never rebound) on the hot path."""

    __slots__ = ("_evict", "_limit", "_old", "young")

    def __init__(self, limit: int, evict: Callable[[Kept], None]) -> None:
        """At most `2 * limit` keys are held; `evict` is called with each value that goes."""
        self._limit = limit
        self._evict = evict
        self.young: dict[bytes, Kept] = {}
        self._old: dict[bytes, Kept] = {}

    def find(self, key: bytes) -> Kept | None:
        """The value of `key`, which counts as met now, and so does that of the opposite direction."""
        kept = self.young.get(key)
        if kept is None and self._old:
            kept = self._old.pop(key, None)
            if kept is not None:
                self.young[key] = kept
                back = turned(key)
                other = self._old.pop(back, None)
                if other is not None:
                    self.young[back] = other
        return kept

    def put(self, key: bytes, value: Kept) -> None:
        """Keep `value`, making room if need be."""
        if len(self.young) >= self._limit:
            self.age()
        self.young[key] = value

    def drop(self, key: bytes) -> None:
        """Forget `key`; the value is not evicted."""
        self.young.pop(key, None)
        self._old.pop(key, None)

    def age(self) -> None:
        """Evict the older generation; the younger one becomes it."""
        going = list(self._old.values())
        self._old.clear()
        self._old.update(self.young)
        self.young.clear()
        for value in going:
            self._evict(value)

    def clear(self) -> None:
        """Evict everything, oldest first."""
        self.age()
        self.age()
