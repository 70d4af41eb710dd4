"""A feed of what Zeek publishes: who answers is a small server that does what a test says."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from tests.sources.live.taking import Clock, Service
from tests.zeek_server import COLUMNS, row, serving, subscribed, until

from reconwatch.broker.connection import Connection, Login
from reconwatch.broker.frames import Event, written
from reconwatch.broker.values import Value, count, text, vector
from reconwatch.sources.live.zeek_feed import TOLD, ZeekFeed
from reconwatch.sources.live.zeek_rows import TOPIC, MisfitError, as_logged, line_of


@contextmanager
def followed(url: str) -> Iterator[Service]:
    clock = Clock()

    def make() -> ZeekFeed:
        login = Login(url)
        return ZeekFeed(
            login, clock, jitter=lambda: -1.0, connect=lambda: Connection(login, [TOPIC], quiet=1.0, patience=2.0)
        )

    service = Service(make, clock)
    try:
        yield service
    finally:
        service.killed()


def taken(service: Service, done: Callable[[], bool]) -> bool:
    def step() -> bool:
        service.step()
        return done()

    return until(step)


def test_a_row_becomes_the_line_that_the_log_would_hold() -> None:
    line = json.loads(line_of(row("/shodan/host/203.0.113.10?key=***")))
    assert list(line) == [
        "_path", "ts", "uid", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "direction", "kind", "actor",
        "actor_role", "technique", "targets", "uri",
    ]  # fmt: skip
    assert line["_path"] == "reconwatch"
    assert line["ts"] == 1_795_521_600.123456
    assert (line["id.orig_p"], line["id.resp_h"], line["actor_role"]) == (5, "2001:db8::1", ["host"])
    assert ",".join(dict.fromkeys("id" if name.startswith("id.") else name for name in list(line)[1:])) == COLUMNS


@pytest.mark.parametrize(("raw", "spelled"), [
    (b"/a\n\t\"\\", "/a\n\t\"\\"), (b"\xc3\xbc", "ü"), (b"a\xe4\x00\x1b\xc3\xbc\n", "a\\xe4\\x00\\x1b\\xc3\\xbc\n"),
    (b"\x7f", "\\x7f"), (b"\xc2\x85", "\\xc2\\x85"), (b"\xee\x8b\xa0", "\\xee\\x8b\\xa0"),
    (b"\xed\xa0\x80", "\\xed\\xa0\\x80"),
])  # fmt: skip
def test_hostile_bytes_are_spelled_as_zeek_spells_them_in_its_log(raw: bytes, spelled: str) -> None:
    assert as_logged(raw.decode("utf-8", "surrogateescape")) == spelled


def test_a_field_that_was_added_at_the_end_is_no_misfit() -> None:
    assert json.loads(line_of(row(added=vector(text("x"), count(3)))))["added"] == ["x", 3]
    assert "uid" not in json.loads(line_of(row(uid=Value("none"))))


def _of(*arguments: Value, name: str = "ReconWatch::published") -> Event:
    return Event(TOPIC, name, arguments)


@pytest.mark.parametrize(("event", "told"), [
    (_of(name="Other::event"), "none of ours"),
    (_of(), "without its version"),
    (_of(count(2)), "of version 2, not 1"),
    (_of(count(1), text("ts")), "with other arguments"),
    (_of(count(1), text("ts,uid"), Value("real", 1.0), vector(text("x"))), "a row of 1 values for 2 columns"),
    (_of(count(1), text("uid"), Value("real", 1.0), vector(text("x"))), "a row without its actor, actor_role"),
    (row(direction=count(1)), "'direction' is a count, not a string"),
    (row(id=vector(text("x"))), "no conn_id"),
    (row(actor=Value("none")), "a row without its actor"),
    (row(_path=text("conn")), "a column that no record has"),
    (row(**{"id.orig_h": text("10.9.9.9")}), "a column that no record has"),
])  # fmt: skip
def test_a_package_that_does_not_fit_is_told_plainly(event: Event, told: str) -> None:
    with pytest.raises(MisfitError, match=told):
        line_of(event)


def test_rows_come_in_order_and_a_connection_is_a_stream() -> None:
    asked: list[list[str]] = []
    end = threading.Event()

    def zeek(connection: object) -> None:
        asked.append(subscribed(connection))  # type: ignore[arg-type]
        for number in range(3):
            connection.send(written(row(f"/{number}")))  # type: ignore[attr-defined]
        end.wait(60)

    with serving(zeek) as url, followed(url) as service:
        try:
            assert taken(service, lambda: len(service.lines) == 3)
        finally:
            end.set()
        assert [json.loads(line)["uri"] for line in service.lines] == ["/0", "/1", "/2"]
        assert asked[0] == [TOPIC]
        assert service.gaps == []


def test_hostile_frames_are_told_with_their_number_and_the_rest_is_read() -> None:
    end = threading.Event()
    turns: list[int] = []

    def zeek(connection: object) -> None:
        turns.append(1)
        subscribed(connection)  # type: ignore[arg-type]
        send = connection.send  # type: ignore[attr-defined]
        send("garbage{")
        send(b"\xff\x00")
        send('{"type":"error","code":"c","context":"\\u001b[31m"}')
        send(written(row(direction=count(1))))
        for _ in range(5 * TOLD):
            send("{}")
        send(written(row("/read")))
        end.wait(60)

    with serving(zeek) as url, followed(url) as service:
        try:
            assert taken(service, lambda: len(service.lines) == 1)
        finally:
            end.set()
        assert taken(service, lambda: any("could not be read" in told for told in service.problems))
        frames = [told for told in service.problems if ": frame " in told]
        assert TOLD <= len(frames) <= TOLD * len(turns)  # of each connection so many
        assert f"websocket:{url}: frame 1: a frame that is not JSON" in frames[0]
        assert "frame 4: a row whose 'direction' is a count" in frames[3]
        assert all(told.isprintable() for told in service.problems)
        assert any(f"{5 * TOLD + 4} frames of this connection could not be read" in told for told in service.problems)


def test_a_disconnection_is_one_gap_and_nothing_comes_twice() -> None:
    turns: list[int] = []
    end = threading.Event()

    def zeek(connection: object) -> None:
        turns.append(1)
        subscribed(connection)  # type: ignore[arg-type]
        connection.send(written(row(f"/{len(turns)}")))  # type: ignore[attr-defined]
        if len(turns) == 1:
            connection.recv_messages  # noqa: B018
            connection.socket.shutdown(2)  # type: ignore[attr-defined]  # in the middle of a frame, for all it knows
            return
        end.wait(60)

    with serving(zeek) as url, followed(url) as service:
        try:
            service.keeps()
            assert taken(service, lambda: len(service.lines) == 2)
        finally:
            end.set()
        assert len(service.gaps) == 1
        since, until_ = service.gaps[0]
        assert since <= until_
        assert [json.loads(line)["uri"] for line in service.lines] == ["/1", "/2"]
        assert sum("what was sighted then is lost" in told for told in service.problems) == 1


def test_a_restart_is_a_gap_from_what_was_kept_and_streams_of_before_are_over() -> None:
    end = threading.Event()

    def zeek(connection: object) -> None:
        subscribed(connection)  # type: ignore[arg-type]
        connection.send(written(row("/x")))  # type: ignore[attr-defined]
        end.wait(60)

    with serving(zeek) as url, followed(url) as service:
        try:
            assert taken(service, lambda: len(service.lines) == 1)
            service.keeps()
            before, kept_at = set(service.streams), service.clock.now
            service.clock.passes(100)
            service.restarts()
            assert taken(service, lambda: len(service.lines) == 2)
        finally:
            end.set()
        assert before <= service.ended
        assert service.gaps == [(kept_at, kept_at + 100)]


def test_what_came_before_the_second_mark_and_was_lost_by_a_kill_is_a_gap_too() -> None:
    end = threading.Event()

    def zeek(connection: object) -> None:
        subscribed(connection)  # type: ignore[arg-type]
        connection.send(written(row("/x")))  # type: ignore[attr-defined]
        end.wait(60)

    with serving(zeek) as url, followed(url) as service:
        try:
            service.keeps()
            began = service.clock.now
            service.clock.passes(10)
            assert taken(service, lambda: len(service.lines) == 1)
            assert service.gaps == []
            service.restarts()
            assert taken(service, lambda: len(service.lines) == 1)
        finally:
            end.set()
        assert service.gaps == [(began, began + 10)]


@pytest.mark.parametrize(("behaviour", "told"), [
    ("silence", "does not acknowledge"),
    ("error", "Zeek refuses"),
    ("garbage", "does not speak Zeek's WebSocket API"),
])  # fmt: skip
def test_who_does_not_acknowledge_is_told_once_and_tried_again(behaviour: str, told: str) -> None:
    turns: list[int] = []
    end = threading.Event()

    def zeek(connection: object) -> None:
        turns.append(1)
        connection.recv()  # type: ignore[attr-defined]
        if behaviour == "error":
            connection.send('{"type":"error","code":"deserialization_failed","context":"subscriptions not an array"}')  # type: ignore[attr-defined]
        if behaviour == "garbage":
            connection.send("hello")  # type: ignore[attr-defined]
        end.wait(60)

    with serving(zeek) as url, followed(url) as service:
        try:
            assert taken(service, lambda: len(turns) > 1)
        finally:
            end.set()
        assert len([line for line in service.problems if told in line]) == 1
        assert service.lines == []


def test_a_fault_of_our_own_is_told_and_the_next_connection_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    end, faults = threading.Event(), [ZeroDivisionError("a fault")]

    def faulty(event: Event) -> bytes:
        if faults:
            raise faults.pop()
        return line_of(event)

    def zeek(connection: object) -> None:
        subscribed(connection)  # type: ignore[arg-type]
        connection.send(written(row("/x")))  # type: ignore[attr-defined]
        end.wait(60)

    monkeypatch.setattr("reconwatch.sources.live.zeek_feed.line_of", faulty)
    with serving(zeek) as url, followed(url) as service:
        try:
            assert taken(service, lambda: len(service.lines) == 1)
        finally:
            end.set()
        assert any("ZeroDivisionError: a fault" in told for told in service.problems)


def test_nobody_there_is_told_in_one_line_with_what_to_do() -> None:
    with followed("ws://127.0.0.1:1") as service:
        assert taken(service, lambda: bool(service.problems))
        assert "connection refused; does Zeek run, with @load reconwatch/broker?" in service.problems[0]
        assert service.gaps == []


def test_a_mark_of_another_feed_is_refused() -> None:
    feed = ZeekFeed(Login("ws://127.0.0.1:1"))
    with pytest.raises(ValueError, match="mark"):
        feed.resume(b"x")
    assert feed.mark()
