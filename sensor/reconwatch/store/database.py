"""One SQLite file that one process writes: opened, locked, healed; its errors are named, its transactions whole.

Write-ahead log with `synchronous=FULL`: each commit is on the disk before it returns. A killed process loses nothing in
any mode; with `NORMAL` a power cut could take back commits that Redis had been told of. It costs one fsync a commit.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import stat
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from reconwatch.store import schema
from reconwatch.store.contract import Clock, Reason, StoreError, Warn

MODE: Final = 0o640
"""Of the file and of those beside it: a group may read it, nobody else; notices name people."""

PATIENCE: Final = 1.0
"""Seconds that another writer (`db dead --retry`) is waited for; longer, and detection would stand still."""

LOOKED_THROUGH: Final = 256_000_000
"""Bytes up to which a file is looked through at each start (about a second); of a larger one `db check` does it."""

_LOG_LEFT: Final = 64_000_000
"""Bytes that the write-ahead log may keep once it is empty; a large snapshot has made it large."""

_MAGIC: Final = b"SQLite format 3\0"
_REASONS: Final[dict[int, Reason]] = {
    sqlite3.SQLITE_BUSY: "busy",
    sqlite3.SQLITE_LOCKED: "busy",
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_READONLY: "read-only",
    sqlite3.SQLITE_CORRUPT: "corrupt",
    sqlite3.SQLITE_NOTADB: "corrupt",
    sqlite3.SQLITE_CANTOPEN: "missing",
    sqlite3.SQLITE_PERM: "read-only",
}
_ADVICE: Final[dict[Reason, str]] = {
    "busy": "another program is writing to it; tried again",
    "full": "no room is left on its disk; free some",
    "read-only": "it may not be written; make it, its folder and its file system writable for this user",
    "corrupt": "it is damaged",
    "missing": "it cannot be opened; see that its folder exists and may be entered by this user",
    "failed": "its disk or file system fails",
}


def failure(path: Path, error: sqlite3.Error) -> StoreError:
    """What an error of SQLite's means, in one line."""
    code = getattr(error, "sqlite_errorcode", None)
    reason = "failed" if code is None else _REASONS.get(code & 0xFF, "failed")
    return StoreError(reason, f"{path}: {_ADVICE[reason]} ({error})")


class Database:
    """A connection that comes back: after an error the next transaction opens the file anew if need be."""

    def __init__(self, path: Path, *, warn: Warn, clock: Clock = time.time) -> None:
        self.path = path
        self.generation = 0
        """Rises when what was kept is gone, and all begins anew."""
        self.undone = 0
        """How many transactions were taken back."""
        self._warn = warn
        self._clock = clock
        self._lock: int | None = None
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._within = False
        self._closed = False

    def open(self) -> None:
        """Take the file for this process alone. Raises StoreError; a damaged file is set aside and begun anew."""
        self._take_lock()
        try:
            self._connect()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Release everything. Idempotent."""
        self._closed = True
        self._disconnect()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; one within another is part of it. Raises StoreError."""
        if self._within:
            yield
            return
        self._require()
        self.execute("BEGIN IMMEDIATE")
        self._within = True
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise
        finally:
            self._within = False

    def execute(self, sql: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Run one statement. Raises StoreError."""
        if self._within and self._connection is None:
            raise StoreError("failed", f"{self.path}: this transaction has failed already")
        connection = self._connection or self._require()
        try:
            return connection.execute(sql, values)
        except sqlite3.Error as error:
            raise self._told(error) from None
        except (OverflowError, ValueError) as error:  # a value that is larger than SQLite takes
            raise StoreError("failed", f"{self.path}: {error}") from None

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query. Raises StoreError."""
        if not self._within:
            self._require()
        cursor = self.execute(sql, values)
        try:
            return cursor.fetchall()
        except sqlite3.Error as error:
            raise self._told(error) from None

    def _told(self, error: sqlite3.Error) -> StoreError:
        """Name an error, and leave the connection fit for the next attempt."""
        told = failure(self.path, error)
        if told.reason == "corrupt":
            self._disconnect()
            return StoreError("corrupt", self._set_aside(str(error)))
        if told.reason in ("read-only", "failed", "missing"):
            self._disconnect()  # the file may be writable, or another one, when it is opened again
        return told

    def _roll_back(self) -> None:
        self.undone += 1
        if self._connection is not None and self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except sqlite3.Error:
                self._disconnect()

    def _require(self) -> sqlite3.Connection:
        """The connection to the file that is at the path now."""
        if self._closed:
            raise StoreError("failed", f"{self.path}: it was closed")
        if self._connection is not None and self._identity != _identity(self.path):
            self._warn(f"{self.path}: it was removed or replaced while it was used; what it held is no longer there")
            self._disconnect()
        if self._connection is None:
            self._connect()
        assert self._connection is not None
        return self._connection

    def _take_lock(self) -> None:
        """Beside the file, for closing any handle of a file takes SQLite's own locks off it (sqlite.org/howtocorrupt).

        A lock of `lockf` belongs to the process: workers that it forked do not hold it after its death.
        """
        path = self.path.with_name(self.path.name + ".lock")
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, MODE)
        except OSError as error:
            reason: Reason = "missing" if isinstance(error, FileNotFoundError | NotADirectoryError) else "read-only"
            raise StoreError(reason, f"{self.path}: {_ADVICE[reason]} ({error.strerror})") from None
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            raise StoreError("busy", f"{self.path}: another reconwatch is writing to it; stop that one first") from None
        self._lock = handle

    def _connect(self) -> None:
        try:
            self._connect_once()
        except StoreError as error:
            if error.reason != "corrupt":
                raise
            self._warn(str(error))
            self._connect_once()

    def _connect_once(self) -> None:
        """Open the file at the path, or make it; a damaged one is set aside and StoreError raised."""
        begun = self._prepare()
        try:
            self._connection = connection = sqlite3.connect(
                f"{self.path.as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=PATIENCE
            )
            self._set_up(connection, begun)
        except sqlite3.Error as error:
            raise self._told(error) from None
        except BaseException:
            self._disconnect()
            raise
        identity = _identity(self.path)
        if begun or identity != self._identity:
            self.generation += 1
        self._identity = identity

    def _set_up(self, connection: sqlite3.Connection, begun: bool) -> None:
        if begun:
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # holds only before the first table
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA journal_size_limit = {_LOG_LEFT}")
        if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
            raise StoreError("failed", f"{self.path}: its file system cannot hold it; choose a folder on a local disk")
        self._refuse_others(connection)
        if not begun and self.path.stat().st_size <= LOOKED_THROUGH:
            found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if found != "ok":
                self._disconnect()
                raise StoreError("corrupt", self._set_aside(" ".join(found.split())))
        for version in schema.migrate(connection):
            if not begun:
                self._warn(f"{self.path}: brought to version {version}")

    def _prepare(self) -> bool:
        """See that there is a file, whose it is, and who may read it; whether it is a new one."""
        try:
            with contextlib.suppress(FileExistsError):
                handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE)
                os.fchmod(handle, MODE)  # whatever the umask; SQLite makes the files beside it the same
                os.close(handle)
                return True
            mode = self.path.stat().st_mode
            if not stat.S_ISREG(mode):
                raise StoreError("foreign", f"{self.path}: it is no file")
            if mode & 0o007:
                with contextlib.suppress(PermissionError):  # somebody else's file, who may mean it
                    self.path.chmod(mode & 0o770)
                    self._warn(f"{self.path}: everybody could open it; now only its owner and its group can")
            with self.path.open("rb") as file:
                header = file.read(100)
        except OSError as error:
            reason: Reason = "missing" if isinstance(error, FileNotFoundError | NotADirectoryError) else "read-only"
            raise StoreError(reason, f"{self.path}: {_ADVICE[reason]} ({error.strerror})") from None
        if header[:16] != _MAGIC:
            if header:
                raise StoreError("corrupt", self._set_aside("it does not begin as a database"))
            return True
        # Both are read before SQLite touches the file: https://www.sqlite.org/fileformat2.html#the_database_header
        if int.from_bytes(header[68:72]) not in (0, schema.APPLICATION):
            raise StoreError("foreign", f"{self.path}: it is another program's database; name another file")
        _refuse_newer(self.path, int.from_bytes(header[60:64]))
        return False

    def _refuse_others(self, connection: sqlite3.Connection) -> None:
        """What the header did not show yet, because it lay in the write-ahead log; and what has no mark of ours."""
        version = schema.version_of(connection)
        _refuse_newer(self.path, version)
        mark = connection.execute("PRAGMA application_id").fetchone()[0]
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if mark != schema.APPLICATION and (mark or version or tables):
            raise StoreError("foreign", f"{self.path}: it is another program's database; name another file")

    def _set_aside(self, why: str) -> str:
        """Rename a damaged file, which needs no room on the disk; what to tell of it."""
        moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._clock()))
        aside = self.path.with_name(f"{self.path.name}.corrupt-{moment}")
        number = 1
        while aside.exists():
            number += 1
            aside = self.path.with_name(f"{self.path.name}.corrupt-{moment}-{number}")
        try:
            self.path.rename(aside)
            with contextlib.suppress(FileNotFoundError):
                Path(f"{self.path}-wal").rename(f"{aside}-wal")
            Path(f"{self.path}-shm").unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(
                "read-only", f"{self.path}: it is damaged ({why}) and cannot be set aside: {error}"
            ) from None
        self._identity = None
        return (
            f"{self.path}: DAMAGED ({why}): it is now {aside.name}, and a new one is begun from the logs that are"
            " there; notices may be told again, and what a sink had not had from it is only in that file"
        )

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()


def _refuse_newer(path: Path, version: int) -> None:
    if version > schema.VERSION:
        raise StoreError(
            "newer",
            f"{path}: it is of version {version}, this reconwatch knows {schema.VERSION}; use the reconwatch that wrote"
            " it, or name another file",
        )


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
