"""Where each sink stands, and what each has refused for good."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from reconwatch.store.contract import Dead, Position
from reconwatch.store.database import PATIENCE, Database, failure

MOST_DEAD = 10_000
"""Dead letters that are kept of one sink; the oldest go. A sink that refuses so many is set up wrongly."""

DEAD = "sink, seq, id, rev, reason, failures, died, body, again"
"""The columns of a dead letter, in the order of `letter_of`."""

_ASK_AGAIN = "UPDATE dead SET again = 1 WHERE again = 0 AND (?1 IS NULL OR sink = ?1)"


class Book:
    """`SinkBook` in the tables of a database. All raise StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def position(self, sink: str) -> Position | None:
        """Where a sink stands; None if it was never here."""
        found = self._database.rows("SELECT seq, place, dropped FROM sinks WHERE name = ?", (sink,))
        return Position(*found[0]) if found else None

    def positions(self) -> dict[str, Position]:
        """Where every sink stands."""
        return {name: Position(*rest) for name, *rest in self._database.rows("SELECT * FROM sinks ORDER BY name")}

    def commit(self, positions: Mapping[str, Position], dead: Iterable[Dead] = ()) -> None:
        """Keep where sinks stand, and what they refused for good, at once."""
        with self._database.transaction():
            for name, position in positions.items():
                self._database.execute(
                    "INSERT INTO sinks VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET seq = excluded.seq,"
                    " place = excluded.place, dropped = excluded.dropped",
                    (name, position.seq, position.place, position.dropped),
                )
            self.bury(dead)

    def forget(self, keep: Iterable[str]) -> dict[str, int]:
        """Forget the sinks that are not among `keep`; those that were forgotten, and how many notices each lacked."""
        kept = set(keep)
        with self._database.transaction():
            newest = self._database.rows("SELECT ifnull(max(seq), 0) FROM notices")[0][0]
            gone = {name: max(newest - at.seq, 0) for name, at in self.positions().items() if name not in kept}
            for name in gone:
                self._database.execute("DELETE FROM sinks WHERE name = ?", (name,))
        return gone

    def dead(self, *, again: bool = False, limit: int = -1) -> list[Dead]:
        """Dead letters, the oldest first; with `again` only those to be tried once more."""
        asked = "WHERE again = 1" if again else ""
        rows = self._database.rows(f"SELECT {DEAD} FROM dead {asked} ORDER BY seq, sink LIMIT ?", (limit,))
        return [letter_of(row) for row in rows]

    def retry(self, sink: str | None = None) -> int:
        """Have dead letters (of one sink) tried once more; how many."""
        with self._database.transaction():
            return self._database.execute(_ASK_AGAIN, (sink,)).rowcount

    def bury(self, letters: Iterable[Dead]) -> None:
        """Keep what came of trying once more: they are refused as before."""
        letters = list(letters)
        with self._database.transaction():
            for each in letters:
                self._database.execute(
                    f"INSERT OR REPLACE INTO dead ({DEAD}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)",
                    (each.sink, each.seq, each.id, each.rev, each.reason, each.failures, each.died, each.body),
                )
            for sink in {each.sink for each in letters}:
                self._database.execute(
                    "DELETE FROM dead WHERE sink = ?1 AND seq <= (SELECT seq FROM dead WHERE sink = ?1"
                    " ORDER BY seq DESC LIMIT 1 OFFSET ?2)",
                    (sink, MOST_DEAD),
                )

    def revive(self, letters: Iterable[Dead]) -> None:
        """Their sinks have them now."""
        with self._database.transaction():
            for each in letters:
                self._database.execute("DELETE FROM dead WHERE sink = ? AND seq = ?", (each.sink, each.seq))


def ask_again(path: Path, sink: str | None = None) -> int:
    """Have the dead letters of a store tried once more, beside a service that runs; how many. Raises StoreError."""
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=5 * PATIENCE)
        with contextlib.closing(connection), connection:
            return connection.execute(_ASK_AGAIN, (sink,)).rowcount
    except sqlite3.Error as error:
        raise failure(path, error) from None


def letter_of(row: tuple[Any, ...]) -> Dead:
    """A row of `dead`, by its columns in order."""
    letter = Dead(*row)
    return replace(letter, again=bool(letter.again))
