"""Connections by the few things that make them alike: where they go, and how it went.

Where networks matter connections come by the million, to a few doors, and nearly all that differs is who came and
when. So what a record says of the rest is worked out once for all records that say the same.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, Protocol, TypeVar

from reconwatch.events import Connection
from reconwatch.passing import Door, Doors, Passed
from reconwatch.sources.spelling import LAST_TIME, canonical

MOST_ALIKE = 8_192
"""Kinds of arrival that are remembered, at about 1 kB each: some ports of two /24, in a few states."""

Facts = Mapping[str, Any]
"""Fields of a `Connection`: all but who came and when. `server`, `proto` and `source`, and the rest as far as known."""

Key = TypeVar("Key", bound=Hashable)


class Arrival(Protocol):
    """Makes events of connections that are alike."""

    def __call__(
        self, ts: float, client: str, client_port: int | None, uid: str | None
    ) -> Connection | Passed | None:  # fmt: skip
        """The event of one, or that a passer-by needs none; None for what has to be read with care."""
        ...


def _arrival(facts: Facts, position: int, doors: Doors | None) -> Arrival:
    """`position`: that of the input. `doors`: see `Lookout.doors`."""
    door: Door | None = None
    if doors is not None:
        told = facts.get
        door = doors(
            facts["server"], told("server_port"), facts["proto"],
            told("opening"), told("answered"), told("established"), told("spoke"), facts["source"],
        )  # fmt: skip
    passed_by = Passed.BY

    def arrive(ts: float, client: str, client_port: int | None, uid: str | None) -> Connection | Passed | None:
        if not 0 <= ts < LAST_TIME:
            return None
        if ":" in client:
            client = canonical(client) or ""
        if door is not None and door(ts, client, client_port, uid):
            return passed_by
        known = canonical(client)
        if known is None:
            return None
        return Connection(ts=ts, client=known, client_port=client_port, uid=uid, input=position, **facts)

    return arrive


class Arrivals(dict[Key, Arrival | None]):
    """The arrival for what a record says of it; None for what has to be read with care."""

    def __init__(self, facts: Callable[[Key], Facts | None], position: int, doors: Doors | None) -> None:
        """`facts`: what a key stands for. May raise ValueError, and so does looking the key up, each time."""
        self._facts = facts
        self._position = position
        self._doors = doors

    def __missing__(self, key: Key) -> Arrival | None:
        facts = self._facts(key)
        if len(self) >= MOST_ALIKE:
            self.clear()
        arrival = self[key] = None if facts is None else _arrival(facts, self._position, self._doors)
        return arrival
