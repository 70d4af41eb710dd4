"""The outbox and the snapshot: what is kept is kept once and whole, and another process may read it."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.store.conftest import NOON, Clock, notice

from reconwatch.sightings import Actor
from reconwatch.store import Outbox, Reader, Store, StoreError

Open = Callable[..., Store]


def test_an_id_and_rev_is_kept_once_and_the_first_word_stands(opened: Open) -> None:
    store = opened()
    assert store.emit([notice(1), notice(2)]) == [notice(1), notice(2)]
    assert store.emit([notice(1, msg="otherwise"), notice(1, rev=2), notice(1, rev=2)]) == [notice(1, rev=2)]
    assert list(store.notices()) == [notice(1), notice(2), notice(1, rev=2)]
    assert (store.last_rev(notice(1).id), store.last_rev(notice(2).id), store.last_rev("rw-none")) == (2, 1, 0)


def test_the_store_is_an_outbox(opened: Open) -> None:
    outbox: Outbox = opened()
    assert outbox.newest() == (0, 0)


def test_numbers_have_no_gaps_and_say_how_many_bytes_lie_between(opened: Open) -> None:
    store = opened()
    for number in (1, 1, 2, 1, 3):
        store.emit([notice(number)])
    items = store.after(0, 10)
    assert [item.seq for item in items] == [1, 2, 3]
    assert [item.through for item in items] == [sum(len(each.body) for each in items[: n + 1]) for n in range(3)]
    assert store.newest() == (3, items[2].through)
    assert [store.through(seq) for seq in (0, 1, 2, 3, 9)] == [0, *(item.through for item in items), items[2].through]
    assert [item.seq for item in store.after(1, 1)] == [2]


def test_a_transaction_that_fails_leaves_nothing_behind(opened: Open) -> None:
    store = opened()
    store.snapshot({"a": b"old"}, {"feed": b"1"})
    with contextlib.suppress(KeyError), store.transaction():
        store.emit([notice(1)])
        store.snapshot({"a": b"new"}, {"feed": b"2"})
        raise KeyError
    assert list(store.notices()) == []
    snapshot = store.restored()
    assert snapshot is not None
    assert (snapshot.parts, snapshot.marks) == ({"a": b"old"}, {"feed": b"1"})


def test_after_a_transaction_that_failed_an_unchanged_part_is_written_all_the_same(opened: Open) -> None:
    store = opened()
    with contextlib.suppress(KeyError), store.transaction():
        store.snapshot({"a": b"1"}, {})
        raise KeyError
    store.snapshot({"a": b"1"}, {})
    snapshot = store.restored()
    assert snapshot is not None
    assert snapshot.parts == {"a": b"1"}


def test_what_hostile_traffic_put_into_a_notice_comes_back(opened: Open) -> None:
    store = opened()
    hostile = notice(1, msg="a\x1b[31m\n\u202e'; DROP TABLE notices; --", actor=Actor(ip="2001:db8::1", user="x\ty"))
    store.emit([hostile])
    assert list(store.notices()) == [hostile]


def test_a_notice_of_no_calendar_is_told_and_keeps_no_other_back(opened: Open, said: list[str]) -> None:
    store = opened()
    assert store.emit([notice(1, ts=1e30), notice(2)]) == [notice(2)]
    assert len(said) == 1
    assert "notice rw-0000000000000001 rev 1 is left out: 1e+30 is no time" in said[0]


def test_a_snapshot_is_replaced_whole(opened: Open, clock: Clock) -> None:
    store = opened()
    assert store.restored() is None
    store.snapshot({"meet": b"1", "desk": b"x" * 9_000_000}, {"eve": b"10", "zeek": b"7"})
    clock.now += 30
    store.snapshot({"meet": b"2", "scans": b"3"}, {"eve": b"11"})
    store.close()
    snapshot = opened().restored()
    assert snapshot is not None
    assert (snapshot.parts, snapshot.marks) == ({"meet": b"2", "scans": b"3"}, {"eve": b"11"})
    assert snapshot.taken == NOON + 30


def test_a_part_that_has_not_changed_is_not_written_again(opened: Open) -> None:
    store = opened()
    store.snapshot({"large": b"x" * 1_000_000, "small": b"1"}, {})
    wal = store.path.with_name("reconwatch.db-wal")
    watcher = sqlite3.connect(store.path)
    watcher.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.snapshot({"large": b"x" * 1_000_000, "small": b"2"}, {})
    assert wal.stat().st_size < 100_000
    watcher.close()
    snapshot = store.restored()
    assert snapshot is not None
    assert snapshot.parts == {"large": b"x" * 1_000_000, "small": b"2"}


def test_a_state_of_another_form_is_told_and_only_its_marks_are_given(opened: Open, said: list[str]) -> None:
    store = opened(state_version="1")
    store.snapshot({"desk": b"1"}, {"eve": b"10"})
    store.close()
    snapshot = opened(state_version="2").restored()
    assert snapshot is not None
    assert (snapshot.parts, snapshot.marks) == (None, {"eve": b"10"})
    assert len(said) == 1
    assert "the state of the last run has another form (1, not 2): what was being watched is forgotten" in said[0]


def test_notices_are_found_by_time_note_verdict_actor_and_id(opened: Open) -> None:
    store = opened()
    other = notice(4, note="Address_Scan", actor=Actor(ip="192.0.2.7"), verdict="investigate")
    store.emit([notice(1), notice(2, verdict="monitor"), notice(3), other])

    def found(**wanted: object) -> list[int]:
        return [int(each.id[3:], 16) for each in store.notices(**wanted)]  # type: ignore[arg-type]

    assert found() == [1, 2, 3, 4]
    assert found(since=NOON + 120, until=NOON + 180) == [2]
    assert found(note="Address_Scan") == [4]
    assert found(verdict="investigate") == [1, 3, 4]
    assert found(verdict="escalate", since=NOON + 180) == [3]
    assert found(actor="192.0.2.7") == [4]
    assert found(id=notice(3).id) == [3]
    assert found(id="rw-none") == []


def test_more_notices_than_are_read_at_once_come_in_order(opened: Open) -> None:
    store = opened()
    store.emit(notice(number) for number in range(1, 501))
    assert [each.id for each in store.notices()] == [notice(number).id for number in range(1, 501)]


def test_another_process_reads_while_the_service_writes(opened: Open, path: Path) -> None:
    store = opened()
    store.emit([notice(1)])
    with Reader.open(path) as reader:
        assert list(reader.notices()) == [notice(1)]
        with store.transaction():
            store.emit([notice(2)])
            assert list(reader.notices()) == [notice(1)]
        assert list(reader.notices(verdict="escalate")) == [notice(1), notice(2)]
        with pytest.raises(StoreError, match="readonly"):
            reader.rows("DELETE FROM notices")


def test_a_store_whose_service_has_ended_is_read_by_who_may_not_write_there(public: Path) -> None:
    """As another user where this one is root, who may write anywhere."""
    path = public / "reconwatch.db"
    with Store.open(path) as store:
        store.emit([notice(1)])
    path.chmod(0o644)
    code = (
        "import os, sys; sys.path[:0] = sys.argv[2:]\nfrom pathlib import Path\nfrom reconwatch.store import Reader\n"
        "if os.geteuid() == 0: os.setgid(65534); os.setuid(65534)\n"
        "print([each.rev for each in Reader.open(Path(sys.argv[1])).notices()])"
    )
    public.chmod(0o555)
    told = subprocess.run([sys.executable, "-c", code, path, *sys.path], capture_output=True, text=True, check=False)
    public.chmod(0o755)
    assert (told.stdout, told.stderr) == ("[1]\n", "")


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_its_files_are_for_its_user_and_group_whatever_the_umask(opened: Open, path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        opened().emit([notice(1)])
    finally:
        os.umask(before)
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
    assert modes == {
        "reconwatch.db": 0o640,
        "reconwatch.db-wal": 0o640,
        "reconwatch.db-shm": 0o640,
        "reconwatch.db.lock": 0o640 & ~umask,
    }


def test_a_store_that_everybody_could_read_is_closed_to_them_and_that_is_told(
    opened: Open, path: Path, said: list[str]
) -> None:
    opened().close()
    path.chmod(0o664)
    opened()
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert said == [f"{path}: everybody could open it; now only its owner and its group can"]


def test_a_second_service_is_refused_and_the_first_goes_on(opened: Open, path: Path) -> None:
    store = opened()
    code = (
        "import sys; sys.path[:0] = sys.argv[2:]\nfrom pathlib import Path\n"
        "from reconwatch.store import Store, StoreError\n"
        "try: Store.open(Path(sys.argv[1]))\nexcept StoreError as error:\n print(error.reason, error)"
    )
    told = subprocess.run([sys.executable, "-c", code, path, *sys.path], capture_output=True, text=True, check=False)
    assert told.stdout == f"busy {path}: another reconwatch is writing to it; stop that one first\n"
    assert store.emit([notice(1)]) == [notice(1)]
    store.close()
    told = subprocess.run([sys.executable, "-c", code, path, *sys.path], capture_output=True, text=True, check=False)
    assert (told.stdout, told.stderr) == ("", "")


def test_each_commit_is_on_the_disk_before_it_returns(opened: Open) -> None:
    store = opened()
    read = store._database.rows  # what SQLite says of itself
    assert read("PRAGMA journal_mode") == [("wal",)]
    assert read("PRAGMA synchronous") == [(2,)]  # FULL
    assert read("PRAGMA auto_vacuum") == [(2,)]  # INCREMENTAL
