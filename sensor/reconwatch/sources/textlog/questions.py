"""Questions that a name server's log tells of, until it tells what came of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

from reconwatch.interest import Lookout

MOST_ASKED = 16_384
"""Questions that are remembered, 300 bytes each; the oldest go first."""

Known = TypeVar("Known")


class Questions(Generic[Known]):
    """What is known of the questions that were asked last.

    Only of such as are wanted: those are in lines that every sieve hits, so that what is remembered does not depend on
    how much of a log was decoded.
    """

    def __init__(self, lookout: Lookout) -> None:
        self._lookout = lookout
        self._known: OrderedDict[Hashable, Known] = OrderedDict()

    def note(self, key: Hashable, known: Known, name: str, server: str | None) -> None:
        """Remember what is known of a question for `name` to `server`, under whatever its answer will repeat."""
        if not self._lookout.wants_message(name, server):
            return
        self._known[key] = known
        self._known.move_to_end(key)
        if len(self._known) > MOST_ASKED:
            self._known.popitem(last=False)

    def known(self, key: Hashable) -> Known | None:
        """What was noted last under a key."""
        return self._known.get(key)

    def settle(self, key: Hashable) -> Known | None:
        """The same, and forget it: its answer has come."""
        return self._known.pop(key, None)
