"""What all detectors over a keyed, gathering state share: what belongs together, what to remember, what it means."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Generic, Literal, TypeVar

import msgspec

from reconwatch.detectors.detector import Key, Threshold
from reconwatch.notices import Finding, Reason, notice_id
from reconwatch.sightings import Actor, Alarm, Evidence, Probe, Publication, Sighting, Target, joined_users
from reconwatch.windows import Ends, Smallest


class Kept(msgspec.Struct):
    """The common part of a state."""

    key: Key
    actor: Actor | None = None
    first: float = float("inf")
    last: float = float("-inf")
    crossed: float | None = None
    """The sighting that crossed the threshold."""
    techniques: set[str] = set()
    kinds: set[str] = set()
    targets: Smallest = msgspec.field(default_factory=Smallest)
    evidence: Ends = msgspec.field(default_factory=Ends)

    def take_actor(self, actor: Actor) -> None:
        """The same actor whatever the order of arrival, should the reason of its trust have been reworded."""
        self.actor = with_users(min(filter(None, (self.actor, actor)), key=_reworded), self.actor, actor)


def _reworded(actor: Actor) -> str:
    return actor.trusted or ""


def with_users(actor: Actor, *others: Actor | None) -> Actor:
    """The actor with all users that others of the same address had."""
    if actor.user is None and not any(other.user for other in others if other is not None):
        return actor
    user = joined_users([actor.user, *(other.user for other in others if other is not None)])
    return msgspec.structs.replace(actor, user=user)


class Words(msgspec.Struct, frozen=True):
    """What a detector says of a state above its threshold."""

    count: int
    counted: str
    reasons: tuple[Reason, ...]
    msg: str
    services: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    evidence_total: int
    targets: tuple[Target, ...] = ()
    techniques: tuple[str, ...] | None = None
    """None: all that were gathered."""
    span: tuple[float, float] | None = None
    """First and last; None: of all that was gathered."""
    direction: Literal["lookup", "probe"] | None = None
    """None: the detector's own; a detector of both says it of each finding."""


G = TypeVar("G", bound=Kept)
Item = TypeVar("Item", bound=Sighting | Probe | Publication | Alarm)


class KeyedDetector(ABC, Generic[G, Item]):
    """A detector over a `Kept`: a subclass says what belongs together, what to remember, and what it means."""

    note: ClassVar[str]
    direction: ClassVar[Literal["lookup", "probe"]]
    """Of every finding whose `Words` say no other."""
    version: ClassVar[int] = 1
    state: ClassVar[type[msgspec.Struct]]
    thresholds: ClassVar[Mapping[str, Threshold]] = {}

    def __init__(self, thresholds: Mapping[str, float] | None = None) -> None:
        self.limits = {name: each.default for name, each in self.thresholds.items()} | dict(thresholds or {})

    @abstractmethod
    def keys(self, sighting: Item) -> tuple[Key, ...]:
        """See `Detector.keys`."""

    @abstractmethod
    def fresh(self, key: Key) -> G:
        """See `Detector.fresh`."""

    @abstractmethod
    def remember(self, state: G, sighting: Item) -> None:
        """Take the sighting into the state."""

    @abstractmethod
    def words(self, state: G, *, closing: bool) -> Words | None:
        """What the state means; None below the threshold. `closing`: the window is over, the state is whole."""

    def observe(self, state: G, sighting: Item) -> tuple[Finding, ...]:
        """See `Detector.observe`."""
        self.remember(state, sighting)
        words = self.words(state, closing=False)
        if words is None:
            return ()
        if state.crossed is None:
            state.crossed = sighting.ts
        return (self._finding(state, words, closing=False),)

    def expire(self, state: G, watermark: float) -> tuple[Finding, ...]:
        """See `Detector.expire`."""
        words = self.words(state, closing=True) if state.key.end <= watermark else None
        return () if words is None else (self._finding(state, words, closing=True),)

    def _finding(self, state: G, words: Words, *, closing: bool) -> Finding:
        assert state.actor is not None
        first, last = words.span or (state.first, state.last)
        return Finding(
            id=notice_id(self.note, state.key.parts, state.key.start),
            closing=closing,
            ts=last if state.crossed is None else state.crossed,
            note=self.note,
            direction=words.direction or self.direction,
            actor=state.actor,
            services=words.services,
            techniques=tuple(sorted(state.techniques)) if words.techniques is None else words.techniques,
            targets=words.targets,
            first=first,
            last=last,
            count=words.count,
            counted=words.counted,
            kinds=tuple(sorted(state.kinds)),
            reasons=words.reasons,
            evidence=words.evidence,
            evidence_total=words.evidence_total,
            msg=words.msg,
        )
