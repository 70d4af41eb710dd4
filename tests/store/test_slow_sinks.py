"""Sinks that wait for others have a thread of their own, and nobody waits for them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.store.conftest import FOREVER, Clock, Sink, numbered

from reconwatch.notices import Notice
from reconwatch.store import Delivery, Store
from reconwatch.store.lane import LONGEST_PAUSE
from reconwatch.store.outputs import FileOutput


class Slow(Sink):
    """Waits until it is let go on."""

    slow = True

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.begun, self.go, self.ended = (threading.Semaphore(0) for _ in range(3))

    def send(self, notices: Sequence[Notice]) -> None:
        self.begun.release()
        self.go.acquire()
        try:
            super().send(notices)
        finally:
            self.ended.release()


def until(done: Callable[[], bool], delivery: Delivery) -> bool:
    """Steps until something is so, for a thread needs its moments; False if it is not for a long time."""
    patience = time.monotonic() + 30
    while not done() and time.monotonic() < patience:
        delivery.step(0.0)
    return done()


def test_a_slow_sink_has_a_thread_of_its_own_and_stops_nobody(
    deliver: Callable[..., tuple[Store, Delivery]], clock: Clock
) -> None:
    slow, quick = Slow("slow"), Sink("quick")
    store, delivery = deliver(slow, quick)
    store.emit(numbered(1))
    delivery.step(FOREVER)
    slow.begun.acquire()
    store.emit(numbered(2))
    assert not delivery.step(FOREVER)
    assert (slow.got, quick.got) == ([], [1, 2])
    assert store.sinks.position("slow").seq == 0  # type: ignore[union-attr]
    slow.go.release()
    assert until(lambda: store.sinks.position("slow").seq == 1, delivery)  # type: ignore[union-attr]
    slow.go.release()
    assert until(lambda: slow.got == [1, 2] and store.sinks.position("slow").seq == 2, delivery)  # type: ignore[union-attr]
    delivery.close()


def test_a_slow_sink_that_fails_is_tried_again(deliver: Callable[..., tuple[Store, Delivery]], clock: Clock) -> None:
    slow = Slow("slow")
    slow.down = "timed out"
    store, delivery = deliver(slow)
    store.emit(numbered(1))
    delivery.step(FOREVER)
    slow.go.release()
    assert until(lambda: delivery.standings()[0].failures == 1, delivery)
    slow.down = None
    slow.go.release()
    clock.now += LONGEST_PAUSE
    assert until(lambda: slow.got == [1] and delivery.standings()[0].failures == 0, delivery)
    delivery.close()


def test_what_a_slow_sink_was_given_of_a_store_that_is_gone_moves_no_position(
    deliver: Callable[..., tuple[Store, Delivery]], path: Path
) -> None:
    slow = Slow("slow")
    store, delivery = deliver(slow)
    store.emit(numbered(1, 2, 3))
    delivery.step(FOREVER)
    slow.begun.acquire()
    for each in path.parent.glob("reconwatch.db*"):
        each.unlink()
    store.emit(numbered(7))
    delivery.step(FOREVER)
    slow.go.release()
    slow.go.release()
    assert until(lambda: slow.got == [1, 2, 3, 7] and store.sinks.position("slow").seq == 1, delivery)  # type: ignore[union-attr]
    delivery.close()


def test_at_the_end_what_can_be_sent_is_sent_and_a_hanging_sink_is_not_waited_for(
    deliver: Callable[..., tuple[Store, Delivery]], tmp_path: Path
) -> None:
    slow, file = Slow("slow"), FileOutput(tmp_path / "notices.jsonl", "jsonl")
    store, delivery = deliver(slow, file)
    store.emit(numbered(1))
    delivery.close()
    assert file.path.read_bytes().count(b"\n") == 1
    assert store.sinks.position(file.name).seq == 1  # type: ignore[union-attr]
    assert store.sinks.position("slow").seq == 0  # type: ignore[union-attr]
    slow.go.release()
