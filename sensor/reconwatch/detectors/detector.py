"""The contract of a detector: a keyed state machine over sightings, without clock, files or memory of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Generic, NamedTuple, Protocol, TypeVar

import msgspec

from reconwatch.notices import Finding
from reconwatch.sightings import Alarm, Probe, Publication, Sighting


class Key(msgspec.Struct, frozen=True, order=True):
    """What a state belongs to: the parts of the detector's key, and the window it speaks of."""

    parts: tuple[str, ...]
    start: float
    """UTC epoch seconds; a whole multiple of `width`."""
    width: float

    @property
    def end(self) -> float:
        """When the window is over."""
        return self.start + self.width


class Threshold(NamedTuple):
    """A number that site.yaml may change under `thresholds:`, and why it is what it is."""

    default: float
    why: str


State = TypeVar("State", bound=msgspec.Struct)
Item = TypeVar("Item", bound=Sighting | Probe | Publication | Alarm, contravariant=True)


class Detector(Protocol, Generic[State, Item]):
    """One behaviour.

    Its state is a plain serialisable value, bounded whatever is observed, and a function of the *set* of sightings
    observed: any order gives the same findings in the end. That makes it fit for every runner (`runner.py`,
    `partitioned.py`).
    """

    note: ClassVar[str]
    version: ClassVar[int]
    """Of the state's layout: a state of another version is not read."""
    state: ClassVar[type[msgspec.Struct]]
    thresholds: ClassVar[Mapping[str, Threshold]]

    def keys(self, sighting: Item) -> tuple[Key, ...]:
        """The states that the sighting belongs to; none if it is nothing to this detector."""
        ...

    def fresh(self, key: Key) -> State:
        """The state of a key of which nothing was seen yet."""
        ...

    def observe(self, state: State, sighting: Item) -> tuple[Finding, ...]:
        """Take the sighting into the state; say what is found now, nothing below the threshold."""
        ...

    def expire(self, state: State, watermark: float) -> tuple[Finding, ...]:
        """No sighting older than `watermark` will come any more: the closing words, if the window lies before it."""
        ...
