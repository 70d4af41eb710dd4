"""`reconwatch db check`, `db dead` and `explain --store`, while a service has the store open."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

from click.testing import CliRunner, Result
from tests.store.conftest import NOON, notice

from reconwatch.cli import main
from reconwatch.store import Delivery, Store
from reconwatch.store.contract import Dead, Position

Open = Callable[..., Store]


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def filled(opened: Open) -> Store:
    store = opened()
    store.emit([notice(1), notice(1, rev=2), notice(2)])
    store.snapshot({"desk": b"x" * 2_000_000, "meet": b"1"}, {"eve": b"1", "zeek": b"2"})
    letter = Dead("siem", 1, notice(1).id, 1, "no\x1b[31m room", 5, NOON, store.after(0, 1)[0].body)
    store.sinks.commit({"siem": Position(1, b"", 7), "file:/x": Position(3)}, [letter])
    return store


def test_a_sound_store_is_told_in_full(opened: Open, path: Path) -> None:
    filled(opened)
    told = run("db", "check", path)
    lines = told.stdout.splitlines()
    assert (told.exit_code, told.stderr) == (0, "")
    assert lines[0].startswith(f"file       {path}, version 1, ")
    assert lines[1].startswith("notices    3, 0.0 MB with their evidence, told from 2026-11-24T12:00:00")
    assert lines[2].endswith("form 1, 2.0 MB")
    assert lines[3:] == [
        "  part     desk: 2.0 MB",
        "  part     meet: 0.0 MB",
        "  feed     eve",
        "  feed     zeek",
        "sink       file:/x: has 3 of 3, 0 (0.0 MB) wait",
        "sink       siem: has 1 of 3, 2 (0.0 MB) wait, 7 were dropped, 1 dead letter",
        "sound",
    ]


def test_a_store_that_holds_nothing_yet_is_sound(opened: Open, path: Path) -> None:
    opened()
    told = run("db", "check", path)
    assert told.exit_code == 0
    assert told.stdout.splitlines()[1:] == ["notices    0, 0.0 MB with their evidence", "snapshot   none yet", "sound"]


def test_faults_are_told_and_the_exit_status_says_it(opened: Open, path: Path) -> None:
    filled(opened).close()
    raw = sqlite3.connect(path)
    raw.execute("UPDATE notices SET body = replace(body, '\"rev\":1', '\"rev\":9') WHERE seq = 1")
    raw.execute("DELETE FROM notices WHERE seq = 2")
    raw.commit()
    raw.close()
    told = run("db", "check", path)
    assert told.exit_code == 1
    assert told.stderr.splitlines() == [
        f"{path}: notice number 1 is kept as rw-0000000000000001 rev 1 and says otherwise",
        f"{path}: notice number 3 does not follow number 1",
    ]


def test_a_damaged_file_is_told_and_stays_where_it_is(opened: Open, path: Path) -> None:
    store = opened()
    store.emit(notice(number, msg="x" * 3_000) for number in range(1, 100))
    store.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:40_000] + b"\xff" * 80_000 + whole[120_000:])
    damaged = path.read_bytes()
    told = run("db", "check", path)
    assert told.exit_code == 1
    assert "damaged" in told.stderr
    assert path.read_bytes() == damaged


def test_what_is_no_store_is_a_usage_error_of_one_line(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello, this is no database at all\n" * 10)
    for command in ("check", "dead"):
        for name, why in (("none", "no such file"), ("text", "it is damaged (file is not a database)")):
            told = run("db", command, tmp_path / name)
            assert (told.exit_code, told.stderr) == (2, f"reconwatch: {tmp_path / name}: {why}\n")


def test_dead_letters_are_listed_and_nothing_in_them_reaches_the_terminal(opened: Open, path: Path) -> None:
    filled(opened)
    told = run("db", "dead", path)
    assert told.stdout == (
        "siem  rw-0000000000000001 rev 1  given up 2026-11-24T12:00:00.000000Z after 5 refusals: no\\x1b[31m room\n"
    )
    assert run("db", "dead", path, "--sink", "other").stderr == "no sink has refused a notice for good\n"


def test_the_service_sends_them_once_more_when_asked_while_it_runs(
    opened: Open, path: Path, tmp_path: Path, clock: Callable[[], float]
) -> None:
    from reconwatch.store.outputs import FileOutput

    store = filled(opened)
    file = tmp_path / "siem.jsonl"
    delivery = Delivery(store, [FileOutput(file, "jsonl", name="siem")], ticks=clock, clock=clock)
    told = run("db", "dead", path, "--retry")
    assert told.stderr == "1 notice will be sent once more by the service; it says what comes of it\n"
    assert run("db", "dead", path).stdout.endswith("; to be sent once more\n")
    delivery.step(1e18)
    assert file.read_bytes().count(b"\n") == 3
    assert run("db", "dead", path).stderr == "no sink has refused a notice for good\n"


def test_explain_finds_a_notice_in_the_store_of_a_running_service(opened: Open, path: Path) -> None:
    filled(opened)
    for beginning in ("rw-0000000000000001", "0000000000000001"):
        told = run("explain", beginning, "--store", path)
        assert told.exit_code == 0
        assert told.stdout.startswith("rw-0000000000000001 rev 2 (open)  Targeted_Search")
    several = run("explain", "rw-0", "--store", path)
    assert several.exit_code == 2
    assert "rw-0 begins 2 notices" in several.stderr
    assert run("explain", "rw-7", "--store", path).stderr == f"reconwatch: {path}: no notice rw-7 in this file\n"


def test_explain_is_told_where_to_look_exactly_once(path: Path) -> None:
    for words in (("explain", "rw-1"), ("explain", "rw-1", "--from", "-", "--store", path)):
        told = run(*words)
        assert (told.exit_code, told.stderr) == (2, "reconwatch: either --from FILE.jsonl or --store FILE is needed\n")
    assert run("explain", "rw-1", "--store", path).stderr == f"reconwatch: {path}: no such file\n"
