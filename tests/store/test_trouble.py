"""What disks and people do to a database: a named error of one line, nothing half-written, and it goes on by itself."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.store.conftest import Clock, notice

from reconwatch.store import Reader, Store, StoreError
from reconwatch.store.schema import VERSION

Open = Callable[..., Store]


def reason_of(act: Callable[[], object]) -> str:
    with pytest.raises(StoreError) as told:
        act()
    assert "\n" not in str(told.value)
    return told.value.reason


def ids(store: Store | Reader) -> list[int]:
    return [int(each.id[3:], 16) for each in store.notices()]


def test_a_database_that_may_grow_no_more_says_full_and_goes_on_when_it_may(opened: Open, path: Path) -> None:
    store = opened()
    store.emit([notice(1)])
    store.snapshot({"desk": b"1"}, {"eve": b"1"})
    store._database.execute("PRAGMA max_page_count = 20")
    large = [notice(number, msg="x" * 5_000) for number in range(2, 40)]
    assert reason_of(lambda: store.emit(large)) == "full"
    assert reason_of(lambda: store.snapshot({"desk": b"2" * 200_000}, {"eve": b"2"})) == "full"
    assert ids(store) == [1]
    snapshot = store.restored()
    assert snapshot is not None
    assert (snapshot.parts, snapshot.marks) == ({"desk": b"1"}, {"eve": b"1"})
    store._database.execute("PRAGMA max_page_count = 100000")
    assert len(store.emit(large)) == 38


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte; who may not mount has none."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(disk: Path) -> Path:
    ballast = disk / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    return ballast


def test_a_full_disk_is_told_and_when_there_is_room_again_nothing_is_missing(small_disk: Path) -> None:
    said: list[str] = []
    with Store.open(small_disk / "reconwatch.db", warn=said.append) as store:
        store.emit([notice(1)])
        ballast = fill(small_disk)
        many = [notice(number, msg="x" * 500) for number in range(2, 40)]
        assert reason_of(lambda: store.emit(many)) == "full"
        assert ids(store) == [1]
        ballast.unlink()
        assert store.emit(many) == many
        assert ids(store) == list(range(1, 40))
    assert said == []


def test_a_store_on_a_disk_that_is_full_from_the_start_can_be_tried_again(small_disk: Path) -> None:
    ballast = fill(small_disk)
    path = small_disk / "reconwatch.db"
    assert reason_of(lambda: Store.open(path)) in {"full", "failed"}
    ballast.unlink()
    with Store.open(path) as store:
        assert store.emit([notice(1)]) == [notice(1)]


def test_a_disk_that_turns_read_only_is_told_and_goes_on_when_it_can_be_written_again(small_disk: Path) -> None:
    with Store.open(small_disk / "reconwatch.db") as store:
        store.emit([notice(1)])
        store.close()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    assert reason_of(lambda: Store.open(small_disk / "reconwatch.db")) == "read-only"
    with Reader.open(small_disk / "reconwatch.db") as reader:
        assert ids(reader) == [1]
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    with Store.open(small_disk / "reconwatch.db") as store:
        assert store.emit([notice(2)]) == [notice(2)]
        assert ids(store) == [1, 2]


def test_a_file_that_this_user_may_not_write_is_read_only(public: Path) -> None:
    """As another user where this one is root, who may write anywhere."""
    path = public / "reconwatch.db"
    Store.open(path).close()
    path.chmod(0o444)
    path.with_name("reconwatch.db.lock").chmod(0o666)
    code = (
        "import os, sys; sys.path[:0] = sys.argv[2:]\nfrom pathlib import Path\n"
        "from reconwatch.store import Store, StoreError\n"
        "if os.geteuid() == 0: os.setgid(65534); os.setuid(65534)\n"
        "try: Store.open(Path(sys.argv[1]))\nexcept StoreError as error: print(error.reason)"
    )
    told = subprocess.run([sys.executable, "-c", code, path, *sys.path], capture_output=True, text=True, check=False)
    assert (told.stdout, told.stderr) == ("read-only\n", "")


def test_while_another_program_writes_it_is_busy_and_then_goes_on(
    opened: Open, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconwatch.store.database.PATIENCE", 0.0)
    store = opened()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert reason_of(lambda: store.emit([notice(1)])) == "busy"
    other.execute("ROLLBACK")
    other.close()
    assert store.emit([notice(1)]) == [notice(1)]


def test_without_its_folder_it_is_missing_and_with_it_there(path: Path, opened: Open, said: list[str]) -> None:
    store = opened()
    store.emit([notice(1)])
    away = path.parent.with_name("away")
    path.parent.rename(away)
    assert reason_of(lambda: store.emit([notice(2)])) == "missing"
    assert reason_of(lambda: store.emit([notice(2)])) == "missing"
    away.rename(path.parent)
    generation = store.generation
    assert store.emit([notice(2)]) == [notice(2)]
    assert ids(store) == [1, 2]
    assert store.generation == generation  # it is the same file
    assert said == [f"{path}: it was removed or replaced while it was used; what it held is no longer there"]
    assert reason_of(lambda: Store.open(path.parent / "no" / "reconwatch.db")) == "missing"


def test_a_file_that_was_removed_under_the_service_is_begun_anew_and_told(
    path: Path, opened: Open, said: list[str]
) -> None:
    store = opened()
    store.emit([notice(1)])
    generation = store.generation
    for each in path.parent.glob("reconwatch.db*"):
        each.unlink()
    assert store.emit([notice(2)]) == [notice(2)]
    assert ids(store) == [2]
    assert store.generation == generation + 1
    assert said == [f"{path}: it was removed or replaced while it was used; what it held is no longer there"]


def test_a_snapshot_that_finds_its_file_removed_is_whole_in_the_new_one(path: Path, opened: Open) -> None:
    store = opened()
    store.snapshot({"rests": b"1", "changes": b"1"}, {"eve": b"1"})
    path.unlink()
    store.snapshot({"rests": b"1", "changes": b"2"}, {"eve": b"2"})
    snapshot = store.restored()
    assert snapshot is not None
    assert (snapshot.parts, snapshot.marks) == ({"rests": b"1", "changes": b"2"}, {"eve": b"2"})


def many(store: Store) -> None:
    store.emit(notice(number, msg="x" * 3_000) for number in range(1, 200))
    store.snapshot({"desk": b"1"}, {"eve": b"1"})


@pytest.mark.parametrize("damage", ["overwritten", "zeros", "cut", "text"])
def test_a_damaged_database_is_set_aside_and_begun_anew(opened: Open, path: Path, said: list[str], damage: str) -> None:
    store = opened()
    many(store)
    store.close()
    whole = path.read_bytes()
    path.write_bytes(
        {
            "overwritten": whole[:8192] + os.urandom(len(whole) - 16384) + whole[-8192:],
            "zeros": b"\0" * len(whole),
            "cut": whole[: len(whole) // 2],
            "text": b"2026-11-24 something else wrote here\n",
        }[damage]
    )
    damaged = path.read_bytes()
    store = opened()
    assert store.restored() is None
    assert ids(store) == []
    assert store.emit([notice(1)]) == [notice(1)]
    aside = path.with_name("reconwatch.db.corrupt-20261124T120000Z")
    assert aside.read_bytes() == damaged
    assert len(said) == 1
    assert "\n" not in said[0]
    assert said[0].startswith(f"{path}: DAMAGED (")
    assert f"it is now {aside.name}, and a new one is begun from the logs that are there" in said[0]


def test_damage_that_shows_only_in_use_is_told_once_and_the_next_call_goes_to_a_new_one(
    opened: Open, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconwatch.store.database.LOOKED_THROUGH", 0)
    store = opened()
    many(store)
    store.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:8192] + b"\xff" * (len(whole) - 8192))
    store = opened()
    generation = store.generation

    def use() -> None:
        store.emit([notice(1, rev=7)])
        list(store.notices())

    assert reason_of(use) == "corrupt"
    assert store.generation == generation
    assert store.emit([notice(1)]) == [notice(1)]
    assert store.generation == generation + 1
    assert len(list(path.parent.glob("*.corrupt-*Z"))) == 1


def test_a_second_damage_in_the_same_second_takes_no_other_name_away(opened: Open, path: Path, clock: Clock) -> None:
    for _ in range(3):
        path.write_text("x" * 100)
        opened().close()
    assert [each.name for each in sorted(path.parent.glob("*.corrupt-*"))] == [
        "reconwatch.db.corrupt-20261124T120000Z",
        "reconwatch.db.corrupt-20261124T120000Z-2",
        "reconwatch.db.corrupt-20261124T120000Z-3",
    ]


def test_a_database_of_a_newer_reconwatch_is_refused_and_left_untouched(opened: Open, path: Path) -> None:
    opened().close()
    raw = sqlite3.connect(path, isolation_level=None)
    raw.execute(f"PRAGMA user_version = {VERSION + 1}")
    raw.close()
    before = {each.name: each.read_bytes() for each in path.parent.iterdir()}
    with pytest.raises(StoreError, match=f"it is of version {VERSION + 1}, this reconwatch knows {VERSION}") as told:
        opened()
    assert told.value.reason == "newer"
    assert {each.name: each.read_bytes() for each in path.parent.iterdir()} == before
    assert reason_of(lambda: Reader.open(path)) == "newer"


@pytest.mark.parametrize("marked", [True, False])
def test_another_programs_database_is_refused_and_left_untouched(opened: Open, path: Path, marked: bool) -> None:
    raw = sqlite3.connect(path, isolation_level=None)
    raw.execute("CREATE TABLE bookmarks (url)")
    if marked:
        raw.execute("PRAGMA application_id = 7")
    raw.close()
    assert reason_of(opened) == "foreign"
    assert reason_of(lambda: Reader.open(path)) == "foreign"
    raw = sqlite3.connect(path)
    assert raw.execute("SELECT name FROM sqlite_master").fetchall() == [("bookmarks",)]
    raw.close()


def test_a_folder_or_a_pipe_is_no_store(opened: Open, path: Path) -> None:
    os.mkfifo(path)
    assert reason_of(opened) == "foreign"
    path.unlink()
    path.mkdir()
    assert reason_of(opened) == "foreign"
    assert reason_of(lambda: Reader.open(path)) == "missing"


def test_an_empty_file_becomes_a_store(opened: Open, path: Path) -> None:
    path.touch()
    assert opened().emit([notice(1)]) == [notice(1)]


def test_a_part_too_large_for_a_database_is_refused_in_a_line(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    store = opened()
    store._database._require().setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 1_000_000)
    assert reason_of(lambda: store.snapshot({"desk": b"x" * 2_000_000}, {})) == "failed"
    store.snapshot({"desk": b"x"}, {})


def test_after_close_it_says_so(opened: Open) -> None:
    store = opened()
    store.close()
    store.close()
    assert reason_of(lambda: store.emit([notice(1)])) == "failed"
