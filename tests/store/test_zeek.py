"""A Zeek as a sink: each notice acknowledged, and what happens if it is not."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.store.conftest import Clock as StoreClock
from tests.store.conftest import Sink, notice
from tests.zeek_server import answer, asked, serving, subscribed, until

from reconwatch.broker.connection import MISSING, Connection, Login
from reconwatch.broker.values import Value, count, text
from reconwatch.sightings import Actor
from reconwatch.sources.live.zeek_feed import ZeekFeed
from reconwatch.store import Delivery, Store
from reconwatch.store.lane import LONGEST_PAUSE
from reconwatch.store.output import Refused, Unreachable
from reconwatch.store.zeek import RAISED, ZeekOutput, raising

Says = Callable[[Any, tuple[str, int]], None]


@contextmanager
def sink(says: Says, *, patience: float = 1.0) -> Iterator[tuple[ZeekOutput, list[tuple[str, int]]]]:
    """A sink, and what it asked a server that does `says` for each."""
    heard: list[tuple[str, int]] = []

    def zeek(connection: Any) -> None:
        assert subscribed(connection) == [RAISED]
        for frame in connection:
            heard.append(asked(frame))
            says(connection, heard[-1])

    with serving(zeek) as url:
        login = Login(url)
        output = ZeekOutput(
            login, lambda each: True, patience=patience, connect=lambda: Connection(login, [RAISED], patience=patience)
        )
        try:
            yield output, heard
        finally:
            output.close()


def raised(connection: Any, key: tuple[str, int]) -> None:
    connection.send(answer("raised", text(key[0]), count(key[1])))


NOTICES = [notice(1), notice(2), notice(2, rev=2)]
KEYS = [(each.id, each.rev) for each in NOTICES]


def test_each_is_raised_and_acknowledged_over_one_connection() -> None:
    with sink(raised) as (output, heard):
        output.send(NOTICES)
        output.send([notice(3)])
        assert heard == [*KEYS, (notice(3).id, 1)]
        assert output.name.startswith("zeek:ws://127.0.0.1:")


def test_acknowledgements_of_others_and_garbage_are_no_answer() -> None:
    def says(connection: Any, key: tuple[str, int]) -> None:
        connection.send("garbage{")
        raised(connection, ("rw-0000000000000000", 9))
        connection.send(answer("raised", text(key[0])))
        connection.send(answer("other", text(key[0]), count(key[1])))
        if key[0] == KEYS[0][0]:
            raised(connection, key)

    with sink(says) as (output, _), pytest.raises(Unreachable, match="does not acknowledge within 1 s") as failed:
        output.send(NOTICES)
    assert failed.value.taken == 1


def test_a_lost_acknowledgement_is_asked_for_again() -> None:
    lost = [KEYS[1]]

    def says(connection: Any, key: tuple[str, int]) -> None:
        if key in lost:
            lost.remove(key)
        else:
            raised(connection, key)

    with sink(says) as (output, heard):
        with pytest.raises(Unreachable) as failed:
            output.send(NOTICES)
        assert failed.value.taken == 1
        output.send(NOTICES[1:])
        assert heard == [*KEYS, *KEYS[1:]]


def test_what_zeek_refuses_for_good_is_refused_for_good() -> None:
    def says(connection: Any, key: tuple[str, int]) -> None:
        if key == KEYS[1]:
            words = (text("Zeek's package knows no such note\x1b[31m"), Value("boolean", True))
            connection.send(answer("refused", text(key[0]), count(key[1]), *words))
        else:
            raised(connection, key)

    with sink(says) as (output, _), pytest.raises(Refused, match="knows no such note") as failed:
        output.send(NOTICES)
    assert (failed.value.taken, failed.value.final) == (1, True)
    assert str(failed.value).isprintable()


def test_an_error_of_zeek_does_not_say_which_so_the_next_try_sends_them_one_by_one() -> None:
    def says(connection: Any, key: tuple[str, int]) -> None:
        if key == KEYS[1]:
            connection.send('{"type":"error","code":"deserialization_failed","context":"failed to create Zeek event"}')
        else:
            raised(connection, key)

    with sink(says) as (output, heard):
        with pytest.raises(Unreachable, match="failed to create Zeek event"):
            output.send(NOTICES)
        with pytest.raises(Refused, match="failed to create Zeek event") as failed:
            output.send(NOTICES)
        assert failed.value.taken == 1
        assert [heard.count(key) for key in KEYS][::2] == [2, 1]  # the one behind it was not sent again
        assert not failed.value.final


def test_a_connection_that_ended_meanwhile_is_no_failure() -> None:
    def says(connection: Any, key: tuple[str, int]) -> None:
        raised(connection, key)
        connection.close()

    with sink(says) as (output, heard):
        output.send(NOTICES[:1])
        output.send(NOTICES[1:2])
        assert list(dict.fromkeys(heard)) == KEYS[:2]  # the old connection may have heard of the second, too late


def test_a_zeek_that_goes_in_between_keeps_what_it_acknowledged() -> None:
    def says(connection: Any, key: tuple[str, int]) -> None:
        if key == KEYS[1]:
            connection.socket.shutdown(2)
        else:
            raised(connection, key)

    with sink(says) as (output, _), pytest.raises(Unreachable) as failed:
        output.send(NOTICES)
    assert failed.value.taken <= 1  # the first acknowledgement may have been overtaken by the end


def test_nobody_there_is_unreachable_and_says_what_to_do() -> None:
    output = ZeekOutput(Login("ws://127.0.0.1:1"), lambda each: True)
    with pytest.raises(Unreachable, match="connection refused; does Zeek run"):
        output.send(NOTICES)
    output.close()
    assert threading.active_count() < 50


def test_hostile_text_is_bounded_and_printable() -> None:
    told = notice(1, msg="\x1b[31m\n" + "x" * 100_000, actor=Actor(ip=""))
    given = raising(told).arguments
    assert all(argument.data.isprintable() for argument in given if argument.kind == "string")
    assert all(len(str(argument.data)) < 20_000 for argument in given)
    assert given[5].data == ""


def test_a_slow_acknowledgement_is_no_answer_to_the_next_batch() -> None:
    held: list[tuple[str, int]] = []

    def says(connection: Any, key: tuple[str, int]) -> None:
        if key == KEYS[0] and not held:
            held.append(key)
            return
        for each in held[:1]:
            raised(connection, each)  # late, and before the answer to what was asked now
        raised(connection, key)

    with sink(says) as (output, heard):
        with pytest.raises(Unreachable) as failed:
            output.send(NOTICES[:1])
        assert failed.value.taken == 0
        output.send(NOTICES[:2])
        assert heard == [KEYS[0], *KEYS[:2]]


def test_without_the_package_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in sys.modules if each.partition(".")[0] == "websockets"]:
        monkeypatch.setitem(sys.modules, name, None)
    for made in (lambda: ZeekOutput(Login("ws://127.0.0.1:1"), bool), lambda: ZeekFeed(Login("ws://127.0.0.1:1"))):
        with pytest.raises(ModuleNotFoundError) as caught:
            made()
        assert str(caught.value) == MISSING


def _goes_on(delivery: Delivery, done: Callable[[], bool]) -> bool:
    def step() -> bool:
        delivery.step(0.0)
        return done()

    return until(step)


def _position(store: Store, output: ZeekOutput) -> int:
    position = store.sinks.position(output.name)
    assert position is not None
    return position.seq


def test_a_zeek_that_is_away_holds_up_nothing_and_its_position_moves_only_when_it_has_acknowledged(
    deliver: Callable[..., tuple[Store, Delivery]], clock: StoreClock
) -> None:
    answers = threading.Event()

    def says(connection: Any, key: tuple[str, int]) -> None:
        if answers.is_set():
            raised(connection, key)
        else:
            connection.close()

    with sink(says) as (output, heard):
        other = Sink("other")
        store, delivery = deliver(output, other)
        for number in (1, 2, 3):
            store.emit([notice(number)])
            assert _goes_on(delivery, lambda number=number: other.got == list(range(1, number + 1)))  # type: ignore[misc]
            clock.now += LONGEST_PAUSE
            assert _goes_on(delivery, lambda number=number: len(heard) >= number)  # type: ignore[misc]
            assert _position(store, output) == 0
        answers.set()

        def taken() -> bool:
            clock.now += LONGEST_PAUSE
            return _position(store, output) == 3

        assert _goes_on(delivery, taken)
        assert set(heard) == {(notice(number).id, 1) for number in (1, 2, 3)}
        delivery.close()
