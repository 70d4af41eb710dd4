"""How long notices are kept, and how room is given back without stopping."""

from __future__ import annotations

from typing import Final

import msgspec

from reconwatch.store.database import Database

AT_ONCE: Final = 200
"""Notices that one step deletes: some milliseconds, in which detection waits."""
PAGES_AT_ONCE: Final = 256
"""Pages (of 4 KiB) that one step gives back to the file system, and that may stay free in any case."""
SLACK: Final = 0.1
"""Share of free pages that stays: each snapshot frees and takes as much as it is large."""
_DAY: Final = 86_400.0


class Retention(msgspec.Struct, frozen=True):
    """What may be forgotten. Never what a sink has not had, nor what was told after the last snapshot."""

    days: int = 400
    """Since it was told. A year and a month: the same month of last year can be looked at."""
    bytes: int = 2_000_000_000
    """Of notices with their evidence, some 500,000 emissions; a busy sensor tells some hundreds a day."""


def tidied(database: Database, retention: Retention, now: float) -> bool:
    """One step: delete a few, or else give back a few pages; whether there is more to do. Raises StoreError."""
    with database.transaction():
        if _forgotten(database, retention, now):
            return True
    return _given_back(database)


def _forgotten(database: Database, retention: Retention, now: float) -> int:
    """Delete the oldest; how many.

    What was told after the last snapshot may be told once more after a crash, with the same (id, rev): it must still be
    here then. Only the oldest in a row go, and never all, so that what lies between two numbers is their difference.
    """
    limits = database.rows(
        "SELECT (SELECT max(seq) - 1 FROM notices), ifnull((SELECT seq FROM snapshot), 0) UNION ALL"
        " SELECT min(seq), min(seq) FROM sinks"
    )
    floor = min((limit for row in limits for limit in row if limit is not None), default=0)
    if floor < 1:
        return 0
    newest = database.rows("SELECT through FROM notices ORDER BY seq DESC LIMIT 1")[0][0]
    rows = database.rows(
        "SELECT seq, stored, through - length(body) FROM notices WHERE seq <= ? ORDER BY seq LIMIT ?", (floor, AT_ONCE)
    )
    last = 0
    for seq, stored, begins in rows:
        if stored >= now - retention.days * _DAY and begins >= newest - retention.bytes:
            break
        last = seq
    return database.execute("DELETE FROM notices WHERE seq <= ?", (last,)).rowcount if last else 0


def _given_back(database: Database) -> bool:
    pages, free = pages_of(database)
    spare = free - max(int(pages * SLACK), PAGES_AT_ONCE)
    if spare <= 0:
        return False
    with database.transaction():
        for _ in range(min(spare, PAGES_AT_ONCE)):  # sqlite3 takes a single step of this statement: one page
            database.execute("PRAGMA incremental_vacuum(1)")
    return spare > PAGES_AT_ONCE


def pages_of(database: Database) -> tuple[int, int]:
    """Pages of the file, and those of them that are free."""
    return database.rows("PRAGMA page_count")[0][0], database.rows("PRAGMA freelist_count")[0][0]
