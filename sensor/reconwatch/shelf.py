"""Keeps keyed values until their time is over: in memory while they are few, on disk when there are many."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import msgspec

Value = TypeVar("Value")

MOST_VALUES = 20_000
"""Values in memory at once: 2 kB each and more."""
MOST_BYTES = 24_000_000
"""Of all values in memory, packed; unpacked they take three to four times as much."""
PAGE_CACHE = 8_000
"""kB of SQLite's own memory."""

Place = tuple[float, int, bytes]
"""When the value's time is over (UTC epoch seconds), the number of its kind, and its packed key."""


class Shelf(Generic[Value]):
    """Values by place. What is taken down may be changed in place, until the next call of `grew`.

    When memory is full everything goes to disk at once, in the order of the places, which costs a few microseconds a
    value; what is asked for again comes back. `decoders` read the values of each kind. OSError if the disk is full.
    """

    def __init__(self, decoders: Sequence[Callable[[bytes], Value]], most_values: int = MOST_VALUES) -> None:
        self._decoders = decoders
        self._encoder = msgspec.msgpack.Encoder()
        self._most_values = most_values
        self._near: dict[Place, Value] = {}
        self._bytes = 0
        self._far: sqlite3.Connection | None = None
        self._ends: set[float] = set()
        self._soonest = float("inf")

    def place(self, end: float, kind: int, key: object) -> Place:
        """The place of a key."""
        return end, kind, self._encoder.encode(key)

    def get(self, place: Place) -> Value | None:
        """The value there; None if there is none."""
        value = self._near.get(place)
        if value is None and self._far is not None:
            question = "SELECT value FROM shelf WHERE ends = ? AND kind = ? AND key = ?"
            row = self._ask(question, place).fetchone()
            if row is not None:
                self._bytes += len(row[0])
                value = self._near[place] = self._decoders[place[1]](row[0])
        return value

    def put(self, place: Place, value: Value) -> None:
        """Keep a value there."""
        self._near[place] = value
        if place[0] not in self._ends:
            self._ends.add(place[0])
            self._soonest = min(self._ends)

    def drop(self, place: Place) -> None:
        """Forget the value there, if there is one."""
        self._near.pop(place, None)
        if self._far is not None:
            self._ask("DELETE FROM shelf WHERE ends = ? AND kind = ? AND key = ?", place)

    def grew(self, size: int) -> None:
        """The values in memory took in that many packed bytes. No value taken down before may be changed after it."""
        self._bytes += size
        if len(self._near) > self._most_values or self._bytes > MOST_BYTES:
            self._put_away()

    def due(self, until: float) -> Iterator[tuple[int, Value]]:
        """Take out all values whose time is over by then, in the order of their places: (kind, value)."""
        while self._ends and self._soonest <= until:
            end = self._soonest
            if self._far is not None:
                self._put_away()
                for kind, packed in self._ask(
                    "SELECT kind, value FROM shelf WHERE ends = ? ORDER BY kind, key", (end,)
                ):
                    yield kind, self._decoders[kind](packed)
            for place in sorted(place for place in self._near if place[0] == end):
                yield place[1], self._near.pop(place)
            self._ends.remove(end)
            self._soonest = min(self._ends, default=float("inf"))
            if not self._ends:
                self.close()
            elif self._far is not None:
                self._ask("DELETE FROM shelf WHERE ends = ?", (end,))

    @property
    def contents(self) -> list[tuple[float, int, bytes, bytes]]:
        """All values: (end, kind, key, packed value). Setting it puts them back into an empty shelf."""
        if self._far is not None:
            self._put_away()
            return list(self._ask("SELECT ends, kind, key, value FROM shelf"))
        return [(*place, self._encoder.encode(value)) for place, value in self._near.items()]

    @contents.setter
    def contents(self, rows: Iterable[tuple[float, int, bytes, bytes]]) -> None:
        for end, kind, key, packed in rows:
            self.put((end, kind, key), self._decoders[kind](packed))
            self.grew(len(packed))

    def close(self) -> None:
        """Give memory and disk back."""
        self._near, self._bytes = {}, 0
        if self._far is not None:
            self._far.close()
            self._far = None

    def _put_away(self) -> None:
        if self._far is None:
            self._far = self._opened()
        rows = ((*place, self._encoder.encode(self._near[place])) for place in sorted(self._near))
        self._ask("INSERT OR REPLACE INTO shelf VALUES (?, ?, ?, ?)", rows, many=True)
        self._near, self._bytes = {}, 0

    def _opened(self) -> sqlite3.Connection:
        """An unnamed temporary database that goes with the process."""
        self._far = sqlite3.connect("", isolation_level=None)
        self._ask("PRAGMA journal_mode = OFF")
        self._ask(f"PRAGMA cache_size = -{PAGE_CACHE}")
        self._ask(
            "CREATE TABLE shelf (ends REAL, kind INTEGER, key BLOB, value BLOB, PRIMARY KEY (ends, kind, key))"
            " WITHOUT ROWID"
        )
        self._ask("BEGIN")  # one transaction for all: nothing here is to survive
        return self._far

    def _ask(self, question: str, values: Iterable[Any] = (), *, many: bool = False) -> sqlite3.Cursor:
        assert self._far is not None
        try:
            return self._far.executemany(question, values) if many else self._far.execute(question, tuple(values))
        except sqlite3.Error as error:
            raise OSError(errno.EIO, f"temporary database: {error}") from error
