"""A unix socket to which somebody writes, goes away and comes back."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.sources.live import suricata
from tests.sources.live.taking import Clock, Service

from reconwatch.sources.lines import LONGEST_LINE
from reconwatch.sources.live.unix_socket import MISSED, PIECE, SocketFeed


@pytest.fixture
def path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders have too long a name for a socket
        yield Path(folder) / "eve.sock"


@pytest.fixture
def service(path: Path) -> Iterator[Service]:
    clock = Clock()
    service = Service(lambda: SocketFeed(path, clock=clock), clock)
    service.keeps()
    service.takes(2)
    yield service
    service.killed()


@contextlib.contextmanager
def writer(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect(str(path))
        yield client


def test_lines_are_given_whole_and_those_of_each_connection_are_a_stream(path: Path, service: Service) -> None:
    with writer(path) as one, writer(path) as two:
        one.sendall(b'{"n":1}\n{"n"')
        two.sendall(b'{"n":2}\n')
        service.takes(1)
        one.sendall(b":3}\n")
        service.takes(1)
        assert sorted(bytes(data) for data in service.streams.values()) == [b'{"n":1}\n{"n":3}\n', b'{"n":2}\n']
        assert {chunk.name for chunk in service.chunks} == {f"unix:{path}"}
        assert not service.ended
    service.takes(1)
    assert len(service.ended) == 2
    assert service.gaps == []


def test_half_a_line_of_a_writer_that_went_comes_with_the_last_chunk(path: Path, service: Service) -> None:
    with writer(path) as one:
        one.sendall(b'{"n":1}\n{"n"')
    (chunk,) = service.takes(1)
    assert (chunk.data, chunk.last, chunk.head) == (b'{"n":1}\n{"n"', True, b'{"n":1}\n')


def test_a_time_in_which_nobody_was_connected_is_one_gap(path: Path, service: Service) -> None:
    with writer(path) as one:
        one.sendall(b"1\n")
        service.takes(1)
    heard = service.clock.now
    service.takes(30)
    with writer(path) as two:
        service.takes(10)
        two.sendall(b"2\n")
        service.takes(10)
        two.sendall(b"3\n")
        service.takes(10)
    ((since, until),) = service.gaps
    assert since <= heard
    assert since >= heard - 1.5
    assert until == pytest.approx(heard + 40, abs=2)
    assert len([problem for problem in service.problems if "what was sent then is lost" in problem]) == 1


def test_a_time_in_which_we_were_down_is_one_gap_and_nothing_is_told_twice(path: Path, service: Service) -> None:
    with writer(path) as one:
        one.sendall(b"1\n")
        service.takes(1)
        service.keeps()
        one.sendall(b"2\n")
        kept_at = service.clock.now
        service.takes(1)
        service.killed()
    service.clock.passes(100)
    service.starts()
    (end,) = service.takes(1)
    assert (end.last, end.data, end.offset) == (True, b"", 2)
    with writer(path) as two:
        two.sendall(b"3\n")
        service.takes(1)
    assert service.lines == [b"1", b"3"]
    ((since, until),) = service.gaps
    assert since <= kept_at <= until - 100


def test_that_nobody_ever_connects_is_told(path: Path, service: Service) -> None:
    service.takes(2 * MISSED)
    assert service.problems == [
        f"{path}: nobody is connected; does Suricata run with filetype: unix_stream and filename: {path}?"
    ]
    with writer(path):
        service.takes(1)
    assert service.problems[1:] == [f"{path}: is well again (was: nobody is connected)"]


def test_a_line_longer_than_any_log_has_is_left_out_and_told(path: Path, service: Service) -> None:
    with writer(path) as one:
        one.setblocking(False)
        waiting = b"1\n" + b"x" * (LONGEST_LINE + PIECE) + b"\n2\n"
        while waiting:
            with contextlib.suppress(BlockingIOError):
                waiting = waiting[one.send(waiting) :]
            service.step()
        service.takes(1)
    assert service.lines == [b"1", b"2"]
    assert [problem for problem in service.problems if "left out" in problem] == service.problems


def test_who_may_write_is_decided_by_the_mode(path: Path) -> None:
    feed = SocketFeed(path, 0o660)
    feed.take(1)
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    feed.close()
    assert not path.exists()
    feed.close()


def test_the_socket_of_a_dead_process_is_replaced(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(path))
    assert path.exists()
    feed = SocketFeed(path)
    feed.take(1)
    with writer(path) as one:
        one.sendall(b"1\n")
        chunk = feed.take(10)
        assert chunk is not None
        assert chunk.data == b"1\n"
    assert feed.problems() == []
    feed.close()


def test_a_socket_at_which_somebody_listens_is_left_alone(path: Path) -> None:
    clock = Clock()
    first, second = SocketFeed(path, clock=clock), SocketFeed(path, clock=clock)
    first.take(1)
    for _ in range(5):
        second.take(1)
        clock.passes(2)
    assert second.problems() == [f"{path}: cannot listen: another program listens there; does another reconwatch run?"]
    first.close()
    second.take(1)
    assert second.problems() == [f"{path}: is well again (was: cannot listen: another program listens there)"]
    second.close()


@pytest.mark.parametrize("what", ["link", "file"])
def test_what_is_no_socket_is_neither_followed_nor_removed(path: Path, what: str) -> None:
    target = path.with_name("target")
    target.write_text("mine")
    if what == "link":
        path.symlink_to(target)
    else:
        path.write_text("mine")
    feed = SocketFeed(path)
    feed.take(1)
    (problem,) = feed.problems()
    assert problem.endswith("lies there; remove it, or name another path")
    feed.close()
    assert (target.read_text(), path.read_text()) == ("mine", "mine")


def test_a_socket_that_was_removed_is_put_back(path: Path, service: Service) -> None:
    path.unlink()
    service.takes(3)
    with writer(path) as one:
        one.sendall(b"1\n")
        service.takes(1)
    assert service.lines == [b"1"]
    assert service.problems == [f"{path}: the socket was removed or replaced by another program; put back"]


def test_a_folder_that_is_missing_is_told_and_a_path_that_is_too_long(path: Path) -> None:
    for wrong, what in (
        (path.with_name("no") / "eve.sock", "no such file or directory; make its folder (systemd: RuntimeDirectory=)"),
        (path.with_name("x" * 120), "a socket's path has at most 107 bytes; it is tried again every second"),
    ):
        feed = SocketFeed(wrong)
        feed.take(1)
        assert feed.problems() == [f"{wrong}: cannot listen: {what}"]
        feed.close()


def test_suricata_s_eve_comes_whole_over_the_socket_again_and_again(path: Path, service: Service) -> None:
    outputs: list[dict[str, object]] = [
        {"filetype": "unix_stream", "filename": str(path)},
        {"filetype": "regular", "filename": "eve.json"},
    ]
    for run in range(1, 4):
        process = suricata.started(path.parent, *outputs)
        while process.poll() is None:
            service.step()
            os.sched_yield()
        assert process.returncode == 0, (path.parent / "suricata.txt").read_text()
        service.takes(1)
        written = (path.parent / "eve.json").read_bytes().splitlines()
        assert len(written) > 20
        assert service.lines == sorted(written)  # the file is appended to
        assert len(service.gaps) == run - 1
