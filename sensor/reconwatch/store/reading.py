"""Reading the store: by the service itself, and by any other process while the service writes."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from reconwatch.notices import Notice, Verdict
from reconwatch.sinks.jsonl import read_jsonl
from reconwatch.store import schema
from reconwatch.store.contract import Dead, Position, Reason, StoreError
from reconwatch.store.database import PATIENCE, failure
from reconwatch.store.sinkbook import DEAD, letter_of

VERDICTS: tuple[Verdict, ...] = ("monitor", "investigate", "escalate")
_AT_ONCE = 200
"""Notices that are read in one go: about a megabyte."""

Rows = Callable[[str, tuple[Any, ...]], list[tuple[Any, ...]]]


def selected(
    rows: Rows,
    *,
    since: float | None = None,
    until: float | None = None,
    note: str | None = None,
    verdict: Verdict | None = None,
    actor: str | None = None,
    id: str | None = None,
) -> Iterator[Notice]:
    """Emissions in the order in which they were kept. See `Store.notices`."""
    tests: list[tuple[str, Any]] = [
        ("ts >= ?", since),
        ("ts < ?", until),
        ("note = ?", note),
        ("actor = ?", actor),
        ("id = ?", id),
    ]
    asked = [(test, value) for test, value in tests if value is not None]
    where = " AND ".join(["seq > ?", *(test for test, _ in asked)])
    worse: tuple[Verdict, ...] = () if verdict is None else VERDICTS[VERDICTS.index(verdict) :]
    if worse:
        where += f" AND verdict IN ({', '.join('?' * len(worse))})"
    values = [value for _, value in asked] + list(worse)
    seq = 0
    while found := rows(f"SELECT seq, body FROM notices WHERE {where} ORDER BY seq LIMIT {_AT_ONCE}", (seq, *values)):
        for seq, body in found:
            yield read_jsonl(body, seq)


class Reader:
    """A store that is only looked at: nothing is locked, nothing is changed, and the service writes on."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open it. Raises StoreError: there is none, it may not be read, another version or program made it."""
        if not path.is_file():
            raise StoreError("missing", f"{path}: no such file")
        address = f"{path.absolute().as_uri()}?mode=ro"
        try:
            try:
                connection = _opened(address)
            except sqlite3.OperationalError:
                # Nobody writes, and this user may not make the index of the log that even a reader wants: the file is
                # then whole in itself, and stays as it is.
                if Path(f"{path}-wal").exists():
                    raise
                connection = _opened(address + "&immutable=1")
            reader = cls(path, connection)
            reader._check()
        except sqlite3.Error as error:
            raise failure(path, error) from None
        return reader

    def _check(self) -> None:
        version = schema.version_of(self._connection)
        mark = self._connection.execute("PRAGMA application_id").fetchone()[0]
        if mark != schema.APPLICATION:
            self.close()
            raise StoreError("foreign", f"{self.path}: it is no store of reconwatch")
        if version != schema.VERSION:
            self.close()
            kind: Reason = "newer" if version > schema.VERSION else "foreign"
            advice = "use the reconwatch that wrote it" if kind == "newer" else "`reconwatch run` brings it up to date"
            raise StoreError(kind, f"{self.path}: it is of version {version}, not {schema.VERSION}; {advice}")

    def rows(self, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query. Raises StoreError."""
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise failure(self.path, error) from None

    def notices(self, **wanted: Any) -> Iterator[Notice]:
        """As `Store.notices`."""
        return selected(self.rows, **wanted)

    def lines(self, beginning: str) -> Iterator[bytes]:
        """The emissions whose id begins so, with or without its `rw-`, each as its line of JSON."""
        for begin in (beginning, f"rw-{beginning}"):
            asked = "SELECT body FROM notices WHERE id BETWEEN ? AND ?"
            try:
                for (body,) in self._connection.execute(asked, (begin, begin + "\U0010ffff")):
                    yield body
            except sqlite3.Error as error:
                raise failure(self.path, error) from None

    def positions(self) -> dict[str, Position]:
        """Where every sink stands."""
        return {name: Position(*rest) for name, *rest in self.rows("SELECT * FROM sinks ORDER BY name")}

    def dead(self) -> list[Dead]:
        """Dead letters, the oldest first."""
        return [letter_of(row) for row in self.rows(f"SELECT {DEAD} FROM dead ORDER BY seq, sink")]

    def close(self) -> None:
        """Let go of it. Idempotent."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _opened(address: str) -> sqlite3.Connection:
    connection = sqlite3.connect(address, uri=True, isolation_level=None, timeout=PATIENCE)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection
