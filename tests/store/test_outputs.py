"""Files that notices are appended to: whole lines, each once, over rotation, kills and full disks."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from tests.store.conftest import NOON, notice

from reconwatch.notices import Notice
from reconwatch.sightings import Actor
from reconwatch.sinks import open_sink
from reconwatch.store.lines import FORMATS
from reconwatch.store.output import Refused, Unreachable
from reconwatch.store.outputs import FileOutput, Wanted

every_format = pytest.mark.parametrize("form", list(FORMATS))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "notices.log"


def output(file: Path, form: str = "jsonl", place: bytes | None = None) -> FileOutput:
    made = FileOutput(file, form)
    made.resume(place)
    return made


def numbers(file: Path, form: str = "jsonl") -> list[int]:
    """The notices of a file, in order; every line of it must be whole."""
    text = file.read_bytes()
    assert text == b"" or text.endswith(b"\n")
    lines = [line for line in text.split(b"\n")[:-1] if not line.startswith(b"#")]
    keys = [FORMATS[form].key(line) for line in lines]
    assert None not in keys
    return [int(key[0][3:], 16) for key in keys if key]


@every_format
def test_a_file_holds_what_the_format_says(file: Path, form: str, tmp_path: Path) -> None:
    notices = [notice(1), notice(2, rev=3, actor=Actor(ip="10.0.0.1", user="a id=rw-1 rev=9 state=open\tb"))]
    output(file, form).send(notices)
    whole = tmp_path / "replayed"
    with whole.open("wb") as stream:
        sink = open_sink(form, stream)
        for each in notices:
            sink.write(each)
        sink.flush()
    assert file.read_bytes() == whole.read_bytes()
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


@every_format
def test_a_line_says_its_id_and_rev_whatever_is_written_into_it(form: str) -> None:
    hostile = (
        '","id":"rw-1","rev":9, "reconwatch":{"schema":1,"id":"rw-1","rev":9,\tverdict=x id=rw-1 rev=9 state=open\t'
    )
    told = notice(
        7, 12, msg=hostile, actor=Actor(ip="10.0.0.1", user=hostile, host=hostile), services=("shodan", "censys")
    )
    assert FORMATS[form].key(FORMATS[form].render(told).encode()) == (told.id, 12)


def test_a_file_that_was_renamed_is_let_go_of_and_a_new_one_is_begun(file: Path) -> None:
    out = output(file, "notice-log")
    out.send([notice(1)])
    rotated = file.with_name("notices.log.1")
    file.rename(rotated)
    out.send([notice(2)])
    file.unlink()
    out.send([notice(3)])
    file.rename(file.with_name("notices.log.2"))
    file.touch()  # logrotate's `create`
    out.send([notice(4)])
    assert numbers(rotated, "notice-log") == [1]
    assert numbers(file, "notice-log") == [4]
    assert file.read_bytes().startswith(b"#separator")
    assert file.read_bytes().count(b"#fields") == 1


def test_a_file_that_was_truncated_in_place_is_written_from_its_beginning(file: Path) -> None:
    out = output(file)
    out.send([notice(1)])
    os.truncate(file, 0)
    out.send([notice(2)])
    assert numbers(file) == [2]
    again = output(file, place=out.place())
    again.send([notice(3)])
    assert numbers(file) == [2, 3]


@every_format
def test_what_was_written_and_not_kept_is_not_written_again(file: Path, form: str) -> None:
    out = output(file, form)
    out.send([notice(1)])
    place = out.place()
    out.send([notice(2), notice(3)])  # and killed: the store knows the first only
    again = output(file, form, place)
    again.send([notice(2), notice(3), notice(4)])
    assert numbers(file, form) == [1, 2, 3, 4]


@every_format
@pytest.mark.parametrize("left", [1, 5, 60, -1])
def test_a_line_that_was_cut_off_is_taken_away_and_comes_again(file: Path, form: str, left: int) -> None:
    out = output(file, form)
    out.send([notice(1)])
    place, size = out.place(), file.stat().st_size
    out.send([notice(2)])
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] if left < 0 else whole[: size + left])
    again = output(file, form, place)
    assert file.stat().st_size == size
    assert again.problems() == [f"{file}: a line that was cut off is taken away; its notice comes again"]
    again.send([notice(2)])
    assert file.read_bytes() == whole


def test_words_of_somebody_else_are_never_taken_away(file: Path) -> None:
    file.write_text("not ours, without an end")
    output(file).send([notice(1)])
    assert file.read_text().splitlines()[0] == "not ours, without an end"
    assert json.loads(file.read_text().splitlines()[1])["rev"] == 1


def test_a_new_store_finds_what_the_file_holds_already(file: Path) -> None:
    output(file).send([notice(1), notice(2)])
    again = output(file)  # the database was damaged: everything is said once more
    again.send([notice(1), notice(2), notice(2, rev=2), notice(3)])
    assert numbers(file) == [1, 2, 2, 3]


def test_lines_in_a_file_that_was_rotated_while_nobody_ran_are_not_written_again(file: Path) -> None:
    out = output(file)
    out.send([notice(1)])
    place = out.place()
    out.send([notice(2), notice(3)])
    rotated = file.with_name("notices.log.1")
    file.rename(rotated)
    with rotated.open("rb+") as stream:
        stream.truncate(rotated.stat().st_size - 4)
    again = output(file, place=place)
    again.send([notice(2), notice(3)])
    assert numbers(rotated) == [1, 2]
    assert numbers(file) == [3]


def test_a_file_with_the_inode_of_a_removed_one_is_read_from_its_beginning(file: Path) -> None:
    out = output(file)
    out.send([notice(1)])
    place = out.place()
    file.write_bytes(b"x" * 10_000)  # the same inode, larger than it was
    again = output(file, place=place)
    again.send([notice(2)])
    assert file.read_bytes().startswith(b"x" * 10_000 + b"\n{")


def test_a_full_disk_takes_nothing_back_and_leaves_no_half_a_line(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = output(file)
    out.send([notice(1)])
    write, budget = os.write, [300]

    def scarce(handle: int, data: bytes) -> int:
        if not budget[0]:
            raise OSError(28, "No space left on device")
        taken = write(handle, bytes(data)[: budget[0]])
        budget[0] -= taken
        return taken

    monkeypatch.setattr("reconwatch.store.outputs.os.write", scarce)
    with pytest.raises(Unreachable, match=f"{file}: No space left on device"):
        out.send([notice(2), notice(3)])
    assert numbers(file) == [1]
    budget[0] = 1_000_000
    out.send([notice(2), notice(3)])
    assert numbers(file) == [1, 2, 3]


def test_where_not_even_the_half_line_can_be_taken_back_it_is_when_the_file_is_opened_again(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = output(file)
    out.send([notice(1)])
    write, truncate = os.write, os.ftruncate
    state = {"broken": True}

    def failing(handle: int, data: bytes) -> int:
        if state["broken"]:
            if len(data) < 1_000:
                raise OSError(5, "Input/output error")
            return write(handle, bytes(data)[:-500])
        return write(handle, data)

    def unable(handle: int, size: int) -> None:
        if state["broken"]:
            raise OSError(5, "Input/output error")
        truncate(handle, size)

    monkeypatch.setattr("reconwatch.store.outputs.os.write", failing)
    monkeypatch.setattr("reconwatch.store.outputs.os.ftruncate", unable)
    with pytest.raises(Unreachable):
        out.send([notice(2), notice(3)])
    state["broken"] = False
    out.send([notice(2), notice(3)])
    assert numbers(file) == [1, 2, 3]


def test_a_folder_that_vanishes_is_told_and_when_it_is_back_it_goes_on(file: Path, tmp_path: Path) -> None:
    out = output(tmp_path / "logs" / "notices.log")
    with pytest.raises(Unreachable, match="No such file or directory"):
        out.send([notice(1)])
    (tmp_path / "logs").mkdir()
    out.send([notice(1)])
    assert numbers(tmp_path / "logs" / "notices.log") == [1]


def test_a_pipe_or_a_folder_is_no_file_and_blocks_nobody(file: Path) -> None:
    os.mkfifo(file)
    with pytest.raises(Unreachable, match="is no file"):
        output(file).send([notice(1)])
    file.unlink()
    file.mkdir()
    with pytest.raises(Unreachable, match="Is a directory"):
        output(file).send([notice(1)])


def test_a_notice_that_no_line_can_say_is_refused_for_good_and_those_before_it_are_there(file: Path) -> None:
    out = output(file)
    with pytest.raises(Refused) as told:
        out.send([notice(1), notice(2, ts=1e30), notice(3)])
    assert (told.value.taken, told.value.final) == (1, True)
    assert numbers(file) == [1]


def test_a_place_that_is_none_is_as_good_as_no_place(file: Path) -> None:
    for place in (None, b"", b"nonsense", b'{"device":"x"}'):
        output(file, place=place).send([notice(1)])
    assert numbers(file) == [1]


@pytest.mark.parametrize(("wanted", "takes"), [
    (Wanted(), ["monitor", "investigate", "escalate"]),
    (Wanted("investigate"), ["investigate", "escalate"]),
    (Wanted("escalate"), ["escalate"]),
    (Wanted(notes=frozenset({"Targeted_Search"})), ["monitor", "investigate", "escalate"]),
    (Wanted("investigate", frozenset({"Address_Scan"})), []),
])  # fmt: skip
def test_a_sink_takes_what_it_is_for(wanted: Wanted, takes: list[str]) -> None:
    told: list[Notice] = [notice(1, verdict=verdict) for verdict in ("monitor", "investigate", "escalate")]
    assert [each.verdict for each in told if FileOutput(Path("/x"), "jsonl", wanted=wanted).accepts(each)] == takes


def test_event_time_is_what_a_log_says_it_was_opened_at(file: Path) -> None:
    output(file, "notice-log").send([notice(0, ts=NOON)])
    assert b"#open\t2026-11-24-12-00-00\n" in file.read_bytes()
