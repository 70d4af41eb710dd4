"""The outbox of notices, the snapshot of the service, and where the sinks stand: one SQLite file."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from reconwatch.notices import Notice, Verdict
from reconwatch.sinks.jsonl import contract
from reconwatch.sinks.wire_text import json_line
from reconwatch.store.contract import Clock, Snapshot, Stored, Warn
from reconwatch.store.database import Database
from reconwatch.store.reading import selected
from reconwatch.store.retention import Retention, tidied
from reconwatch.store.sinkbook import Book

DEFAULT_PATH: Final = Path("/var/lib/reconwatch/reconwatch.db")
"""Where systemd's `StateDirectory=reconwatch` is."""


class Store:
    """An `Outbox`. One thread of one process writes; `Reader` is for everybody else.

    Every method raises StoreError, whose text is one line that says what to do, and has then changed nothing. Calling
    again is right: once the cause has gone it works, without a restart. A damaged file is set aside by its name, `warn`
    is told, and the next call goes to a new one (`generation` has risen).
    """

    def __init__(self, database: Database, *, state_version: str, warn: Warn, clock: Clock) -> None:
        self._database = database
        self._state_version = state_version
        self._warn = warn
        self._clock = clock
        self._kept: tuple[tuple[int, int], dict[str, bytes]] = ((0, 0), {})
        """Digests of the parts that were written, and what must not have changed since for them to lie there."""
        self.sinks = Book(database)

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        state_version: str = "1",
        warn: Warn = lambda line: None,
        clock: Clock = time.time,
    ) -> Self:
        """Open the store at a path for this process alone, and make it if it is not there.

        `state_version` names the form of what `snapshot` is given: parts of another form are not restored. Raises
        StoreError: a second service has it, a newer reconwatch or another program made it (it is left untouched), or
        its folder may not be written.
        """
        database = Database(Path(os.path.abspath(path)), warn=warn, clock=clock)  # noqa: PTH100  # links stay links
        database.open()
        return cls(database, state_version=state_version, warn=warn, clock=clock)

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self._database.path

    @property
    def generation(self) -> int:
        """Rises when what was kept is gone and all begins anew."""
        return self._database.generation

    def transaction(self) -> AbstractContextManager[None]:
        """What is done within is kept together when it ends, and not at all if it ends with an exception."""
        return self._database.transaction()

    def emit(self, notices: Iterable[Notice]) -> list[Notice]:
        """Put notices into the outbox; those that are new. What is there already, by (id, rev), stays as it is.

        One whose time no calendar has cannot be written in any format: it is told, and left out.
        """
        new = []
        with self.transaction():
            seq, through = self.newest()
            for notice in notices:
                try:
                    body = json_line(contract(notice)).encode()
                except ValueError as error:
                    self._warn(f"{self.path}: notice {notice.id} rev {notice.rev} is left out: {error}")
                    continue
                added = self._database.execute(
                    "INSERT INTO notices (seq, id, rev, ts, note, verdict, actor, stored, through, body)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id, rev) DO NOTHING",
                    (
                        seq + 1, notice.id, notice.rev, notice.ts, notice.note, notice.verdict, notice.actor.ip,
                        self._clock(), through + len(body), body,
                    ),
                )  # fmt: skip
                if added.rowcount == 1:
                    seq, through = seq + 1, through + len(body)
                    new.append(notice)
        return new

    def snapshot(self, parts: Mapping[str, bytes], marks: Mapping[str, bytes]) -> None:
        """Replace the snapshot, whole. Of parts only what has changed is written: most of a state rests."""
        digests = {name: hashlib.blake2b(part, digest_size=16).digest() for name, part in parts.items()}
        with self.transaction():
            as_of, kept = self._kept
            if as_of != self._as_of:  # asked in here: to begin may have opened another file
                kept = {}
            execute = self._database.execute
            if not kept:
                execute("DELETE FROM parts")
            for name in kept.keys() - digests.keys():
                execute("DELETE FROM parts WHERE name = ?", (name,))
            for name, part in parts.items():
                if kept.get(name) != digests[name]:
                    execute("INSERT OR REPLACE INTO parts VALUES (?, ?)", (name, part))
            execute("DELETE FROM marks")
            for feed, mark in marks.items():
                execute("INSERT INTO marks VALUES (?, ?)", (feed, mark))
            execute(
                "INSERT OR REPLACE INTO snapshot VALUES (1, ?, ?, ?)",
                (self._state_version, self._clock(), self.newest()[0]),
            )
        self._kept = (self._as_of, digests)

    @property
    def _as_of(self) -> tuple[int, int]:
        return self._database.generation, self._database.undone

    def restored(self) -> Snapshot | None:
        """The last snapshot, None if there is none. A state of another form is told, and only its marks are given."""
        with self.transaction():
            found = self._database.rows("SELECT version, taken FROM snapshot")
            if not found:
                return None
            version, taken = found[0]
            marks = dict(self._database.rows("SELECT feed, mark FROM marks"))
            if version != self._state_version:
                self._warn(
                    f"{self.path}: the state of the last run has another form ({version}, not {self._state_version}):"
                    " what was being watched is forgotten, reading goes on where it ended"
                )
                return Snapshot(marks, None, taken)
            return Snapshot(marks, dict(self._database.rows("SELECT name, body FROM parts")), taken)

    def last_rev(self, id: str) -> int:
        """The highest rev of a notice that is kept; 0 if there is none."""
        return int(self._database.rows("SELECT ifnull(max(rev), 0) FROM notices WHERE id = ?", (id,))[0][0])

    def notices(
        self,
        *,
        since: float | None = None,
        until: float | None = None,
        note: str | None = None,
        verdict: Verdict | None = None,
        actor: str | None = None,
        id: str | None = None,
    ) -> Iterator[Notice]:
        """Emissions that are kept, in the order in which they came.

        `since` (included) and `until` (not) are event time, in UTC epoch seconds; `verdict` is the least; `actor` an
        address. May be read over any time: what comes meanwhile is told, too.
        """
        return selected(self._database.rows, since=since, until=until, note=note, verdict=verdict, actor=actor, id=id)

    def newest(self) -> tuple[int, int]:
        """(seq, through) of the last that was put in; (0, 0) before the first."""
        found = self._database.rows("SELECT seq, through FROM notices ORDER BY seq DESC LIMIT 1")
        return (found[0][0], found[0][1]) if found else (0, 0)

    def after(self, seq: int, limit: int) -> Sequence[Stored]:
        """The next few behind a place, in order."""
        return [
            Stored(*row)
            for row in self._database.rows(
                "SELECT seq, through, id, rev, body FROM notices WHERE seq > ? ORDER BY seq LIMIT ?", (seq, limit)
            )
        ]

    def through(self, seq: int) -> int:
        """`Stored.through` of a place; of one that retention took, where the first that is kept begins."""
        found = self._database.rows("SELECT seq, through, length(body) FROM notices WHERE seq >= ? LIMIT 1", (seq,))
        if not found:
            return self.newest()[1]
        at, through, size = found[0]
        return int(through if at == seq else through - size)

    def tidy(self, retention: Retention) -> bool:
        """One short step of housekeeping; whether there is more to do. Call it between other work."""
        return tidied(self._database, retention, self._clock())

    def close(self) -> None:
        """Let go of it. Idempotent."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
