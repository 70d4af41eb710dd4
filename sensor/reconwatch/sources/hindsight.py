"""What one input taught of addresses, applied to those read beside it: a second reading, where it matters."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from reconwatch.events import Connection, Event
from reconwatch.interest import Interest, Learned, Lookout, Met

NAMELESS = frozenset({"tls", "http", "conn", "whois"})
"""Kinds of event that may carry no name, so that only an address tells whom they went to."""


@dataclass(frozen=True)
class Outcome:
    """What a reading leaves behind, besides its events."""

    learned: Learned = field(default_factory=Learned)
    met: bytes = b""
    """A `Met`, packed; empty if nothing was noted."""
    unseen: frozenset[str] = frozenset()
    """See `Source.unseen`."""
    whole: bool = True
    """It came to its end."""


@dataclass(frozen=True)
class Again:
    """What a second reading is for."""

    first: Learned
    """What the first one learned itself."""
    more: frozenset[str]
    """Addresses that only others learned."""


class Hindsight(Lookout):
    """Wants what the first reading would have, had it begun with more, and did not.

    `interest` holds nothing and `addresses` everything either reading knows, so that sieves look for addresses alone:
    they see whatever may differ, and all that changed what the first reading knew.
    """

    def __init__(self, lookout: Lookout, began: Learned, again: Again) -> None:
        """`began`: what the first reading began with."""
        super().__init__(Interest(relays=lookout.interest.relays))
        self._then = lookout.begun(began)
        self._now = lookout.begun(Learned(began.addresses | again.more, began.others, began.crowded))
        self.addresses = set(began.addresses | again.first.addresses | again.more)
        self._decided_early = False

    def follows(self, *ends: str) -> bool:
        """Whether the second reading would follow a connection that the first did not."""
        self._decided_early = True
        return self._now.follows(*ends) and not self._then.follows(*ends)

    def wants(self, event: Event) -> bool:
        """Whether the second reading may need the event and the first did not tell it."""
        then, now = self._then.wants(event), self._now.wants(event)
        if isinstance(event, Connection) and self._decided_early:
            # What the first reading followed for its address is not followed now.
            return now and not self._then.wants_by_itself(event)
        return now and not then

    def wants_connection(self, event: Connection) -> bool:
        """See `wants`."""
        return self.wants(event)

    def wants_hello(self, name: str | None, server: str | None) -> bool:
        """See `wants`."""
        return not self._then.wants_hello(name, server) and self._now.wants_hello(name, server)

    def wants_request(self, host: str, uri: str, server: str | None) -> bool:
        """See `wants`."""
        return not self._then.wants_request(host, uri, server) and self._now.wants_request(host, uri, server)

    def mask(self, host: str, uri: str, *, decoded: bool = False) -> str:
        """As the first reading masked it."""
        return self._now.mask(host, uri, decoded=decoded)


class Judge:
    """Says which of a run's inputs are to be read again, after all were read once.

    Not those which met no address that others named; and an answer that gives such an address to another name matters
    only if anything that carries no name went to that address.
    """

    def __init__(self, outcomes: list[tuple[Outcome, frozenset[str]]]) -> None:
        """The outcome of every reading, each with the addresses that only others learned."""
        self._bare: set[str] = set()
        """Servers, among the addresses in question, of events without a name."""
        self._blurred = False
        """It is not known what else may be among them."""
        asked = frozenset().union(*(more for _, more in outcomes))
        for outcome, more in outcomes:
            met = _unpacked(outcome)
            self._bare |= asked & (met.bare | met.unknown)
            self._blurred |= met.full or bool(more and outcome.unseen & NAMELESS)

    def is_concerned(self, outcome: Outcome, more: frozenset[str]) -> bool:
        """Whether a reading might have told more, had it known the addresses that only others learned."""
        if not more or not outcome.whole:
            return False
        met = _unpacked(outcome)
        if met.full or outcome.unseen & NAMELESS or not more.isdisjoint(met.unknown):
            return True
        renamed = more if "answer" in outcome.unseen else more & met.renamed
        return bool(renamed) if self._blurred else not renamed.isdisjoint(self._bare)


def _unpacked(outcome: Outcome) -> Met:
    return msgspec.msgpack.decode(outcome.met, type=Met) if outcome.met else Met()
