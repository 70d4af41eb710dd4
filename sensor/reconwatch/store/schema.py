"""The tables of the store, and how an older file becomes one of today.

`PRAGMA user_version` says how many of the `STEPS` a file has taken. A step is never changed once released: what is to
be different is a further step, and tests/store/ holds a file of every version.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Final

APPLICATION: Final = 0x7265636F
"""`PRAGMA application_id`, "reco": another program's database is not ours to change."""

Step = Callable[[sqlite3.Connection], None]


def _first(connection: sqlite3.Connection) -> None:
    # Sinks stand by `seq`: it has no gaps, and none is given twice, for the last notice is never deleted.
    for statement in (
        """CREATE TABLE notices (
            seq INTEGER PRIMARY KEY, id TEXT NOT NULL, rev INTEGER NOT NULL, ts REAL NOT NULL,
            note TEXT NOT NULL, verdict TEXT NOT NULL, actor TEXT NOT NULL, stored REAL NOT NULL,
            through INTEGER NOT NULL, body BLOB NOT NULL, UNIQUE (id, rev))""",
        "CREATE INDEX notices_by_time ON notices (ts)",
        "CREATE TABLE marks (feed TEXT PRIMARY KEY, mark BLOB NOT NULL)",
        "CREATE TABLE parts (name TEXT PRIMARY KEY, body BLOB NOT NULL)",
        """CREATE TABLE snapshot (
            one INTEGER PRIMARY KEY CHECK (one = 1), version TEXT NOT NULL, taken REAL NOT NULL,
            seq INTEGER NOT NULL)""",
        """CREATE TABLE sinks (
            name TEXT PRIMARY KEY, seq INTEGER NOT NULL, place BLOB NOT NULL, dropped INTEGER NOT NULL)""",
        """CREATE TABLE dead (
            sink TEXT NOT NULL, seq INTEGER NOT NULL, id TEXT NOT NULL, rev INTEGER NOT NULL, reason TEXT NOT NULL,
            failures INTEGER NOT NULL, died REAL NOT NULL, body BLOB NOT NULL, again INTEGER NOT NULL,
            PRIMARY KEY (sink, seq))""",
    ):
        connection.execute(statement)


STEPS: Final[Sequence[Step]] = (_first,)
VERSION: Final = len(STEPS)


def version_of(connection: sqlite3.Connection) -> int:
    """How many steps a database has taken."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate(connection: sqlite3.Connection, steps: Sequence[Step] = STEPS) -> list[int]:
    """Take the steps that are missing, each whole or not at all; the versions that were reached."""
    reached = []
    for number in range(version_of(connection), len(steps)):
        connection.execute("BEGIN IMMEDIATE")
        try:
            steps[number](connection)
            connection.execute(f"PRAGMA user_version = {number + 1}")
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        reached.append(number + 1)
    return reached
