"""Files that are written, rotated, packed, moved, cut and removed while they are followed, and while they are not."""

from __future__ import annotations

import gzip
import os
import shutil
from pathlib import Path

import pytest
from tests.sources.live.eve_lines import Following, append, lines, put_away, text
from tests.sources.live.taking import Clock

from reconwatch.sources.lines import LONGEST_LINE
from reconwatch.sources.live.files import GRACE, LONGEST_AWAY, MISSED


def test_lines_are_given_whole_and_half_a_line_waits_for_its_newline(log: Path, follow: Following) -> None:
    service = follow()
    append(log, text(1, 2) + b'{"event')
    (chunk,) = service.takes()
    assert (chunk.data, chunk.offset, chunk.line, chunk.last) == (text(1, 2), 0, 1, False)
    assert chunk.name == str(log)
    assert chunk.head == chunk.data
    append(log, b'_type":"tls"}\n')
    (chunk,) = service.takes()
    assert (chunk.data, chunk.line, chunk.head) == (b'{"event_type":"tls"}\n', 3, text(1, 2))


def test_a_chunk_holds_about_what_there_is_room_for(log: Path, follow: Following) -> None:
    service = follow()
    append(log, text(1, 10_000))
    taken = service.takes(room=8192)
    assert max(len(chunk.data) for chunk in taken) <= 8192
    assert service.lines == lines(1, 10_000)
    assert [chunk.line for chunk in taken[:2]] == [1, 1 + taken[0].data.count(b"\n")]


def test_a_line_longer_than_the_room_comes_whole(log: Path, follow: Following) -> None:
    service = follow()
    append(log, text(1, 1) + b"x" * 200_000 + b"\n" + text(2, 2))
    assert [len(chunk.data) for chunk in service.takes(room=4096)] == [len(text(1, 1)), 200_001, len(text(2, 2))]


def test_a_line_longer_than_any_log_has_is_left_out_and_told(log: Path, follow: Following) -> None:
    service = follow()
    append(log, text(1, 1) + b"x" * (2 * LONGEST_LINE))
    service.takes()
    append(log, b"x" * LONGEST_LINE)
    service.takes()
    service.keeps()
    service.restarts()
    append(log, b"xxx\n" + text(2, 2))
    (chunk,) = service.takes()
    assert (chunk.data, chunk.line) == (text(2, 2), 3)
    assert service.told == [f"{log}: line 2 is longer than {LONGEST_LINE:,} bytes and is left out; is this a text log?"]


def test_what_was_there_before_the_first_start_is_read_or_passed_over(log: Path, follow: Following) -> None:
    append(log, text(1, 5) + b'{"half')
    service = follow(start="end")
    service.takes()
    append(log, b'":1}\n' + text(6, 6))
    (chunk,) = service.takes()
    assert chunk.data == b'{"half":1}\n' + text(6, 6)
    assert (chunk.offset, chunk.line, chunk.head) == (len(text(1, 5)), 6, text(1, 5))
    from_the_start = follow()
    from_the_start.takes()
    assert len(from_the_start.lines) == 7


def test_a_file_that_is_not_there_is_waited_for_and_that_is_told_once(log: Path, follow: Following) -> None:
    service = follow()
    service.takes(30)
    assert service.problems == [f"{log}: no file fits; is the path right? it is looked for every second"]
    append(log, text(1, 1))
    service.takes()
    assert service.lines == lines(1, 1)
    assert service.problems[1:] == [f"{log}: is well again (was: no file fits)"]


def test_a_renamed_file_is_read_to_its_end_before_the_new_one(log: Path, follow: Following) -> None:
    service = follow()
    append(log, text(1, 3))
    service.takes()
    append(log, text(4, 5))
    writer = log.open("ab")
    log.rename(log.with_name("eve.json.1"))
    append(log, text(7, 8))
    writer.write(text(6, 6))
    writer.flush()
    taken = service.takes()
    assert [chunk.data for chunk in taken] == [text(4, 6), text(7, 8)]
    with writer:
        writer.write(text(9, 9))
    assert [chunk.data for chunk in service.takes()] == [text(9, 9)]
    (last,) = service.takes(2 * GRACE)
    assert (last.stream, last.last, last.data) == (taken[0].stream, True, b"")
    assert service.lines == lines(1, 9)
    assert service.told == []
    assert service.gaps == []


def test_a_writer_that_was_not_told_of_the_rotation_is_followed_under_the_new_name(
    log: Path, follow: Following
) -> None:
    service = follow()
    append(log, text(1, 1))
    service.takes()
    log.rename(log.with_name("eve.json.1"))
    service.takes(3 * GRACE)
    append(log.with_name("eve.json.1"), text(2, 2))
    service.takes()
    assert service.lines == lines(1, 2)
    assert not service.ended


def test_half_a_line_at_the_end_of_a_file_comes_with_its_last_chunk(log: Path, follow: Following) -> None:
    service = follow()
    append(log, text(1, 1) + b"half")
    service.takes()
    log.rename(log.with_name("eve.json.1"))
    append(log, text(2, 2))
    taken = service.takes(2 * GRACE)
    assert [(chunk.data, chunk.last) for chunk in taken] == [(text(2, 2), False), (b"half", True)]


def test_a_file_that_is_deleted_while_it_is_open_is_read_to_its_end(log: Path, follow: Following) -> None:
    service = follow()
    append(log, text(1, 1))
    service.takes()
    with log.open("ab") as writer:
        log.unlink()
        writer.write(text(2, 3))
    taken = service.takes(2 * GRACE)
    assert [(chunk.data, chunk.last) for chunk in taken] == [(text(2, 3), False), (b"", True)]
    assert service.gaps == []


def test_a_log_that_zeek_creates_with_its_next_record_is_awaited(log: Path, follow: Following) -> None:
    service = follow("*.log", archive=str(log.parent.parent / "old") + "/")
    header = b"#separator \\x09\n#path\tdns\n#open\t2026-11-24-18-00-00\n#fields\tts\tuid\n"
    dns = log.with_name("dns.log")
    append(dns, header + b"1\tC1\n")
    service.takes()
    dns.rename(log.parent.parent / "old" / "dns.18:00:00-19:00:00.log")
    service.takes(600)
    append(dns, header.replace(b"18-00", b"19-00") + b"2\tC2\n")
    taken = service.takes(2 * GRACE)
    assert [(chunk.data[-5:], chunk.last) for chunk in taken] == [(b"", True), (b"2\tC2\n", False)]


def test_a_rotated_file_without_successor_is_finished_after_an_hour(log: Path, follow: Following) -> None:
    service = follow()
    append(log, text(1, 1))
    service.takes()
    log.rename(log.with_name("eve.json.1"))
    taken = service.takes(LONGEST_AWAY + GRACE, step=20)
    assert [chunk.last for chunk in taken] == [True]


def test_a_file_that_is_cut_in_place_is_told_and_its_copy_is_finished(log: Path, follow: Following) -> None:
    service = follow()
    append(log, text(1, 3))
    service.takes()
    append(log, text(4, 6))
    shutil.copy(log, log.with_name("eve.json.1"))
    os.truncate(log, 0)
    append(log, text(7, 7))
    service.takes(3 * GRACE)
    assert service.lines == lines(1, 7)
    assert len(service.gaps) == 1
    assert [problem for problem in service.problems if "was cut in place" in problem] == service.told
    service.keeps()
    service.restarts()
    assert service.takes(3 * GRACE) == []


def test_a_cut_file_that_has_already_grown_beyond_where_we_were_is_noticed(log: Path, follow: Following) -> None:
    service = follow()
    append(log, text(1, 3))
    service.takes()
    os.truncate(log, 0)
    append(log, text(4, 50))
    service.takes(3 * GRACE)
    assert service.lines == lines(1, 50)
    assert len(service.gaps) == 1


def test_a_file_that_was_cut_while_we_were_down_is_told_if_its_copy_shows_it(log: Path, follow: Following) -> None:
    service = follow()
    append(log, text(1, 3))
    service.takes()
    service.keeps()
    service.killed()
    append(log, text(4, 6))
    shutil.copy(log, log.with_name("eve.json.1"))
    os.truncate(log, 0)
    append(log, text(7, 7))
    service.starts()
    service.takes(3 * GRACE)
    assert service.lines == lines(1, 7)
    assert len(service.gaps) == 1


def test_the_hole_that_a_cut_leaves_under_a_writer_that_does_not_append_is_passed_over(
    log: Path, follow: Following
) -> None:
    service = follow()
    with log.open("wb", buffering=0) as writer:
        writer.write(text(1, 3))
        service.takes()
        os.truncate(log, 0)
        service.takes(1)
        writer.write(text(4, 6))
        service.takes()
        writer.write(text(7, 7))
        service.takes()
    assert service.lines == lines(1, 7)


def test_a_copy_beside_a_file_that_is_still_written_is_not_read(log: Path, follow: Following) -> None:
    service = follow("eve*.json")
    append(log, text(1, 3))
    service.takes()
    shutil.copy(log, log.with_name("eve.copy.json"))
    append(log, text(4, 4))
    service.takes()
    assert service.lines == lines(1, 4)


def test_a_file_that_was_removed_before_it_was_read_is_told_as_a_gap(log: Path, follow: Following) -> None:
    service = follow()
    append(log, text(1, 3))
    service.takes()
    service.keeps()
    service.killed()
    append(log, text(4, 5))
    log.unlink()
    service.starts()
    began = service.clock.now
    (last,) = service.takes(2 * MISSED)
    assert (last.last, last.data) == (True, b"")
    ((since, until),) = service.gaps
    assert since < began <= until
    assert [problem for problem in service.problems if "was removed before it was read" in problem]


def test_another_file_with_the_same_inode_is_another_stream(log: Path, follow: Following) -> None:
    service = follow()
    append(log, text(1, 3))
    service.takes()
    service.keeps()
    service.killed()
    put_away(log, log.with_name("eve.json.1"), "gzip")
    log.write_bytes(text(4, 9))  # most file systems give it the inode that has just become free
    service.starts()
    service.takes(2 * GRACE)
    assert service.lines == lines(1, 9)
    assert service.gaps == []


def test_a_packed_file_that_is_still_being_written_is_read_when_it_is_whole(log: Path, follow: Following) -> None:
    service = follow()
    append(log, text(1, 500))
    service.takes(room=1000, seconds=1)
    service.keeps()
    service.killed()
    whole = gzip.compress(text(1, 1000))
    packed = log.with_name("eve.json.1.gz")
    log.unlink()
    packed.write_bytes(whole[:600])
    service.starts()
    service.takes(20)
    packed.write_bytes(whole)
    service.takes(20)
    assert service.lines == lines(1, 1000)
    assert service.problems[-1].endswith("is well again (was: ends within its compression, damaged or still being"
                                         " written: what it holds was read)")  # fmt: skip


def test_a_folder_that_vanishes_and_comes_back_is_told_once_each(log: Path, follow: Following) -> None:
    service = follow()
    append(log, text(1, 3))
    service.takes()
    service.problems.clear()
    log.parent.rename(log.parent.with_name("elsewhere"))
    service.takes(30)
    log.parent.with_name("elsewhere").rename(log.parent)
    append(log, text(4, 4))
    service.takes(30)
    assert service.lines == lines(1, 4)
    assert service.told == [
        f"{log.parent}: no such file or directory; is it mounted, and may this user read it? it is looked for every"
        " second",
        f"{log.parent}: is well again (was: no such file or directory)",
    ]


def test_a_file_that_may_not_be_read_is_told_once_and_read_when_it_may(
    log: Path, follow: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(log, text(1, 3))
    allowed = False

    def refused(path: Path) -> int:
        if not allowed:
            raise PermissionError(13, "Permission denied", str(path))
        return os.open(path, os.O_RDONLY)

    monkeypatch.setattr("reconwatch.sources.live.roll.opened", refused)
    service = follow()
    service.takes()
    allowed = True
    service.takes()
    assert service.lines == lines(1, 3)
    assert [problem for problem in service.problems if "no file" not in problem] == [
        f"{log}: cannot be read: permission denied; let this user read it (its group, or an ACL)",
        f"{log}: is well again (was: cannot be read: permission denied)",
    ]


def test_a_link_to_a_folder_that_is_turned_to_another_is_followed(log: Path, follow: Following) -> None:
    for name in ("spool1", "spool2"):
        (log.parent / name).mkdir()
    current = log.parent / "current"
    current.symlink_to("spool1")
    service = follow("current/*.json", archive=str(log.parent / "archive") + "/")
    append(log.parent / "spool1" / "eve.json", text(1, 3))
    service.takes()
    current.unlink()
    current.symlink_to("spool2")
    append(log.parent / "spool2" / "eve.json", text(5, 6))
    append(log.parent / "spool1" / "eve.json", text(4, 4))
    service.takes()
    assert service.lines == lines(1, 6)


def test_the_files_of_several_writers_are_read_in_turns(log: Path, follow: Following) -> None:
    service = follow("eve*.json")
    for number in range(3):
        append(log.with_name(f"eve.{number}.json"), text(1000 * number, 1000 * number + 499))
    taken = service.takes(room=5000)
    assert len({chunk.stream for chunk in taken[:3]}) == 3
    assert len(service.lines) == 1500


def test_logs_of_two_loggers_that_begin_with_the_same_header_are_two(log: Path, follow: Following) -> None:
    service = follow("logger-*/conn.log")
    header = b"#separator \\x09\n#path\tconn\n#open\t2026-11-24-18-00-00\n#fields\tts\tuid\n"
    for number in (1, 2):
        (log.parent / f"logger-{number}").mkdir()
        append(log.parent / f"logger-{number}" / "conn.log", header)
    service.takes()
    for number in (2, 1):
        append(log.parent / f"logger-{number}" / "conn.log", f"{number}\tC{number}\n".encode())
        service.takes()
    assert sorted(bytes(data) for data in service.streams.values()) == [header + b"1\tC1\n", header + b"2\tC2\n"]


def test_the_clock_of_the_host_may_be_set_back(log: Path, follow: Following, clock: Clock) -> None:
    service = follow()
    append(log, text(1, 3))
    service.takes()
    clock.passes(-7200)
    append(log, text(4, 6))
    service.takes()
    assert service.lines == lines(1, 6)


def test_the_lag_is_what_was_not_given_out_yet(log: Path, follow: Following) -> None:
    service = follow()
    append(log, text(1, 100))
    service.clock.passes(1)
    service.step(room=1)
    assert service.feed.lag() == len(text(1, 100)) - len(service.chunks[0].data)
    service.takes()
    assert service.feed.lag() == 0


def test_what_is_no_mark_is_refused(follow: Following) -> None:
    service = follow()
    for wrong in (b"", b"nonsense", b"\x93\xa5redis\x01\x80"):
        with pytest.raises(ValueError, match="mark"):
            service.feed.resume(wrong)


def test_an_empty_file_is_one_and_not_told_to_be_missing(log: Path, follow: Following) -> None:
    log.touch()
    service = follow()
    assert service.takes() == []
    assert service.problems == []
