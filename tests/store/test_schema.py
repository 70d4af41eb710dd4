"""A file that any released version wrote is read by this one, and a step that fails changes nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.store.conftest import notice

from reconwatch.store import Reader, Store, StoreError, schema

Open = Callable[..., Store]

FILES = sorted(Path(__file__).parent.glob("version-*.sql"))
"""What `sqlite3 FILE .dump` says of a small store of each version, written by that version."""


def made_of(dump: Path, path: Path) -> None:
    raw = sqlite3.connect(path, isolation_level=None)
    raw.executescript(dump.read_text())
    raw.close()


def shape(path: Path) -> list[tuple[str, str, str]]:
    """Tables and indices, whatever the blanks in the words that made them."""
    raw = sqlite3.connect(path)
    found = raw.execute("SELECT type, name, ifnull(sql, '') FROM sqlite_master ORDER BY name").fetchall()
    raw.close()
    return [(kind, name, " ".join(sql.split())) for kind, name, sql in found]


def test_there_is_a_file_of_each_version() -> None:
    assert [file.stem for file in FILES] == [f"version-{number}" for number in range(1, schema.VERSION + 1)]


@pytest.mark.parametrize("dump", FILES, ids=lambda file: file.stem)
def test_a_store_of_each_version_holds_what_it_held(dump: Path, opened: Open, path: Path, tmp_path: Path) -> None:
    made_of(dump, path)
    store = opened(state_version="1")
    assert list(store.notices()) == [notice(1), notice(1, rev=2, state="closed"), notice(2, verdict="monitor")]
    snapshot = store.restored()
    assert snapshot is not None
    assert (snapshot.parts, snapshot.marks) == ({"desk": b"\x00\xff state"}, {"eve": b"4096"})
    position = store.sinks.position("file:/var/log/reconwatch/notices.jsonl")
    assert position is not None
    assert (position.seq, position.place, position.dropped) == (2, b'{"device":1,"inode":2,"size":3}', 0)
    assert [(each.sink, each.seq, each.reason, each.failures) for each in store.sinks.dead()] == [("siem", 1, "no", 5)]
    assert store.emit([notice(1), notice(3)]) == [notice(3)]
    assert store.newest()[0] == 4
    store.close()
    Store.open(tmp_path / "new.db").close()
    assert shape(path) == shape(tmp_path / "new.db")


def test_each_step_is_taken_once_and_told(
    opened: Open, path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened().close()

    def second(connection: sqlite3.Connection) -> None:
        connection.execute("ALTER TABLE notices ADD COLUMN host TEXT")

    monkeypatch.setattr(schema, "VERSION", 2)
    monkeypatch.setattr(schema.migrate, "__defaults__", ((*schema.STEPS, second),))
    opened().close()
    store = opened()
    assert store._database.rows("SELECT host FROM notices") == []
    assert said == [f"{path}: brought to version 2"]


def test_a_step_that_fails_leaves_the_version_before_whole(
    opened: Open, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened()
    store.emit([notice(1)])
    store.close()

    def second(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM notices")
        connection.execute("INSERT INTO nowhere VALUES (1)")

    with monkeypatch.context() as patch:
        patch.setattr(schema, "VERSION", 2)
        patch.setattr(schema.migrate, "__defaults__", ((*schema.STEPS, second),))
        with pytest.raises(StoreError, match="no such table: nowhere"):
            opened()
    assert list(opened().notices()) == [notice(1)]


def test_a_file_of_an_older_version_is_not_looked_at_before_the_service_has_brought_it_up(
    opened: Open, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened().close()
    monkeypatch.setattr(schema, "VERSION", 2)
    with pytest.raises(StoreError, match="it is of version 1, not 2; `reconwatch run` brings it up to date"):
        Reader.open(path)
