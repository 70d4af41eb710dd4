"""From the outbox to the sinks: in order, at least once, each at its own pace, and nothing is dropped unsaid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from tests.store.conftest import FOREVER, Clock, Sink, notice, numbered

from reconwatch.notices import Notice
from reconwatch.store import Backlog, Delivery, Store
from reconwatch.store.contract import Position
from reconwatch.store.lane import FIRST_PAUSE, LONGEST_PAUSE, REFUSALS
from reconwatch.store.outputs import FileOutput

Open = Callable[..., Store]


def test_each_sink_gets_all_it_wants_in_order(deliver: Callable[..., tuple[Store, Delivery]]) -> None:
    all_, few = Sink("all"), Sink("few")
    few.wants = lambda notice: notice.rev > 1
    store, delivery = deliver(all_, few)
    store.emit(numbered(*range(1, 451)))
    store.emit([notice(500, rev=2)])
    assert not delivery.step(FOREVER)
    assert all_.got == [*range(1, 451), 500]
    assert few.got == [500]
    assert delivery.problems() == []
    assert [(each.sent, each.waiting) for each in delivery.standings()] == [(451, 0), (1, 0)]


def test_a_step_ends_at_its_deadline_and_every_sink_has_had_a_turn(
    deliver: Callable[..., tuple[Store, Delivery]], clock: Clock
) -> None:
    sinks = [Sink(str(number)) for number in range(3)]
    store, delivery = deliver(*sinks)
    store.emit(numbered(*range(1, 301)))
    assert delivery.step(clock())
    assert [len(each.got) for each in sinks] == [100, 100, 100]
    while delivery.step(clock()):
        pass
    assert [len(each.got) for each in sinks] == [300, 300, 300]


def test_after_a_restart_a_sink_goes_on_where_it_was(
    opened: Open, deliver: Callable[..., tuple[Store, Delivery]]
) -> None:
    first = Sink()
    store, delivery = deliver(first)
    store.emit(numbered(1, 2))
    delivery.step(FOREVER)
    store.emit(numbered(3))
    store.close()
    second = Sink()
    _, delivery = deliver(second)
    delivery.step(FOREVER)
    assert (first.resumed, second.resumed) == ([None], [b"2"])
    assert second.got == [3]


def test_a_sink_that_is_new_gets_what_comes_from_now_on(deliver: Callable[..., tuple[Store, Delivery]]) -> None:
    store, delivery = deliver()
    store.emit(numbered(1, 2))
    store.close()
    sink = Sink()
    store, delivery = deliver(sink)
    store.emit(numbered(3))
    delivery.step(FOREVER)
    assert sink.got == [3]


def test_a_sink_that_site_yaml_names_no_more_is_forgotten_and_that_is_told(
    deliver: Callable[..., tuple[Store, Delivery]],
) -> None:
    gone = Sink("gone")
    gone.down = "away"
    store, delivery = deliver(gone)
    store.emit(numbered(1, 2))
    store.close()
    store, delivery = deliver(Sink("other"))
    delivery.step(FOREVER)
    assert delivery.problems() == ["sink gone: site.yaml does not name it any more; 2 notices had waited for it"]
    assert list(store.sinks.positions()) == ["other"]


def test_a_sink_that_is_down_is_tried_again_after_pauses_that_double_and_stops_no_other(
    deliver: Callable[..., tuple[Store, Delivery]], clock: Clock
) -> None:
    down, well = Sink("down"), Sink("well")
    down.down = "connection refused"
    store, delivery = deliver(down, well)
    store.emit(numbered(1))
    pauses = []
    for _ in range(12):
        asked, since = down.asked, clock.now
        while down.asked == asked:
            delivery.step(FOREVER)
            clock.now += 0.5
        pauses.append(clock.now - 0.5 - since)
    assert pauses[1:5] == pytest.approx([FIRST_PAUSE * 2**n for n in range(4)], abs=0.51)
    assert max(pauses) == pytest.approx(LONGEST_PAUSE, abs=0.51)
    store.emit(numbered(2))
    delivery.step(FOREVER)
    assert (down.got, well.got) == ([], [1, 2])
    assert delivery.problems() == ["sink down: connection refused; it is tried again, and what is to come waits"]
    assert delivery.standings()[0].problem == "connection refused"
    down.down = None
    clock.now += LONGEST_PAUSE
    delivery.step(FOREVER)
    assert down.got == [1, 2]
    assert delivery.problems() == ["sink down: it takes notices again; 2 had waited"]
    assert delivery.standings()[0].failures == 0


def test_pauses_are_spread_by_chance(opened: Open, clock: Clock) -> None:
    sink = Sink()
    sink.down = "away"
    store = opened()
    delivery = Delivery(store, [sink], ticks=clock, clock=clock, jitter=lambda: 0.0)
    delivery.step(FOREVER)
    store.emit(numbered(1))
    delivery.step(FOREVER)
    clock.now += FIRST_PAUSE / 2
    delivery.step(FOREVER)
    assert sink.asked == 2


def go_on(delivery: Delivery, clock: Clock, times: int) -> None:
    for _ in range(times):
        delivery.step(FOREVER)
        clock.now += LONGEST_PAUSE


def test_one_that_is_refused_again_and_again_while_others_are_taken_is_given_up(
    deliver: Callable[..., tuple[Store, Delivery]], clock: Clock
) -> None:
    sink = Sink()
    sink.refuses = {2, 3}
    store, delivery = deliver(sink)
    store.emit(numbered(1, 2, 3, 4, 5))
    go_on(delivery, clock, REFUSALS)
    assert sink.got == [1]
    go_on(delivery, clock, 2)
    assert sink.got == [1, 4, 5]
    dead = store.sinks.dead()
    assert [(each.id, each.reason, each.sink) for each in dead] == [
        (notice(2).id, "no 2", "sink"),
        (notice(3).id, "no 3", "sink"),
    ]
    assert any("rw-0000000000000002 rev 1 is given up: no 2;" in line for line in delivery.problems())
    assert store.sinks.position("sink") is not None
    assert store.sinks.position("sink").seq == 5  # type: ignore[union-attr]


def test_a_sink_that_refuses_everything_is_down_and_nothing_is_given_up(
    deliver: Callable[..., tuple[Store, Delivery]], clock: Clock
) -> None:
    sink = Sink()
    sink.refuses = set(range(100))
    store, delivery = deliver(sink)
    store.emit(numbered(*range(1, 21)))
    go_on(delivery, clock, 60)
    assert store.sinks.dead() == []
    sink.refuses = set()
    go_on(delivery, clock, 1)
    assert sink.got == list(range(1, 21))


def test_the_only_one_there_is_is_not_given_up_before_another_was_taken(
    deliver: Callable[..., tuple[Store, Delivery]], clock: Clock
) -> None:
    sink = Sink()
    sink.refuses = {1}
    store, delivery = deliver(sink)
    store.emit(numbered(1))
    go_on(delivery, clock, 20)
    assert store.sinks.dead() == []
    assert sink.asked == 20
    store.emit(numbered(2))
    go_on(delivery, clock, 2)
    assert sink.got == [2]
    assert [each.id for each in store.sinks.dead()] == [notice(1).id]


def test_one_that_no_sink_of_its_kind_can_ever_say_is_given_up_at_once(
    deliver: Callable[..., tuple[Store, Delivery]],
) -> None:
    sink = Sink()
    sink.refuses, sink.final = {2}, True
    store, delivery = deliver(sink)
    store.emit(numbered(1, 2, 3))
    delivery.step(FOREVER)
    assert sink.got == [1, 3]
    assert [each.id for each in store.sinks.dead()] == [notice(2).id]


def test_dead_letters_are_sent_once_more_when_somebody_asks(
    deliver: Callable[..., tuple[Store, Delivery]], clock: Clock
) -> None:
    sink = Sink()
    sink.refuses, sink.final = {1, 2}, True
    store, delivery = deliver(sink)
    store.emit(numbered(1, 2, 3))
    delivery.step(FOREVER)
    delivery.problems()
    sink.refuses = {2}
    assert store.sinks.retry() == 2
    clock.now += 10
    delivery.step(FOREVER)
    assert sink.got == [3, 1]
    assert [(each.id, each.again) for each in store.sinks.dead()] == [(notice(2).id, False)]
    assert delivery.problems() == [
        f"sink sink: {notice(1).id} rev 1 was sent after all",
        f"sink sink: {notice(2).id} rev 1 is refused again: no 2",
    ]


def test_dead_letters_of_a_sink_that_is_down_stay_asked_for(
    deliver: Callable[..., tuple[Store, Delivery]], clock: Clock
) -> None:
    sink = Sink()
    sink.refuses, sink.final = {1}, True
    store, delivery = deliver(sink)
    store.emit(numbered(1))
    delivery.step(FOREVER)
    sink.down, sink.refuses = "away", set()
    store.sinks.retry()
    clock.now += 10
    delivery.step(FOREVER)
    assert [each.again for each in store.sinks.dead()] == [True]
    sink.down = None
    clock.now += 10
    delivery.step(FOREVER)
    assert sink.got == [1]


def test_a_fault_in_a_sinks_own_code_is_one_more_way_to_be_down(
    deliver: Callable[..., tuple[Store, Delivery]],
) -> None:
    class Faulty(Sink):
        def send(self, notices: Sequence[Notice]) -> None:
            raise KeyError("oops")

    well = Sink("well")
    store, delivery = deliver(Faulty("faulty"), well)
    store.emit(numbered(1))
    delivery.step(FOREVER)
    assert well.got == [1]
    assert delivery.problems() == ["sink faulty: KeyError: 'oops'; it is tried again, and what is to come waits"]


def test_too_much_that_waits_is_told_before_it_is_dropped_and_what_is_dropped_is_counted(
    deliver: Callable[..., tuple[Store, Delivery]], clock: Clock
) -> None:
    sink = Sink()
    sink.down = "away"
    store, delivery = deliver(sink, backlogs={"sink": Backlog(notices=100)})
    told: list[list[str]] = []
    for number in range(1, 151):
        store.emit(numbered(number))
        delivery.step(FOREVER)
        told.append(delivery.problems())
    first = next(n for n, lines in enumerate(told, 1) if any("wait for it; from 100" in line for line in lines))
    dropped = [n for n, lines in enumerate(told, 1) if any("DROPPED" in line for line in lines)]
    assert (first, dropped[0]) == (50, 101)
    assert len(dropped) < 6
    assert any("DROPPED the 11 oldest notices that waited, 11 so far;" in line for line in told[100])
    sink.down = None
    clock.now += LONGEST_PAUSE
    delivery.step(FOREVER)
    lost = delivery.standings()[0].dropped
    assert sink.got == list(range(lost + 1, 151))
    assert store.sinks.position("sink").dropped == lost  # type: ignore[union-attr]
    assert len(list(store.notices())) == 150


def test_what_waits_is_bounded_in_bytes_as_well(deliver: Callable[..., tuple[Store, Delivery]]) -> None:
    sink = Sink()
    sink.down = "away"
    store, delivery = deliver(sink, backlogs={"sink": Backlog(bytes=50_000)})
    store.emit(notice(number, msg="x" * 10_000) for number in range(1, 11))
    delivery.step(FOREVER)
    delivery.step(FOREVER)
    standing = delivery.standings()[0]
    assert standing.waiting_bytes <= 50_000
    assert standing.waiting + standing.dropped == 10


def test_a_store_that_fails_is_told_once_and_nothing_is_sent_twice_when_it_heals(
    deliver: Callable[..., tuple[Store, Delivery]], monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = Sink()
    store, delivery = deliver(sink)
    store.emit(numbered(1))
    store._database.execute("PRAGMA query_only = 1")
    for _ in range(3):
        assert not delivery.step(FOREVER)
        store._database._require().execute("PRAGMA query_only = 1")
    assert sink.asked == 1
    assert len(delivery.problems()) == 1
    store._database._require().execute("PRAGMA query_only = 0")
    delivery.step(FOREVER)
    store.emit(numbered(2))
    delivery.step(FOREVER)
    assert sink.got == [1, 2]


def test_a_store_that_began_anew_gives_its_sinks_all_it_holds(
    deliver: Callable[..., tuple[Store, Delivery]], path: Path
) -> None:
    sink = Sink()
    store, delivery = deliver(sink)
    store.emit(numbered(1, 2))
    delivery.step(FOREVER)
    for each in path.parent.glob("reconwatch.db*"):
        each.unlink()
    store.emit(numbered(3))
    delivery.step(FOREVER)
    assert sink.got == [1, 2, 3]


def test_what_is_told_again_after_the_store_was_lost_is_not_written_to_a_file_again(
    deliver: Callable[..., tuple[Store, Delivery]], path: Path, tmp_path: Path
) -> None:
    file = FileOutput(tmp_path / "notices.jsonl", "jsonl")
    store, delivery = deliver(file)
    store.emit(numbered(1, 2))
    delivery.step(FOREVER)
    path.unlink()  # and what lay beside it is of no use to the new one
    assert store.emit(numbered(1, 2, 3)) == numbered(1, 2, 3)
    delivery.step(FOREVER)
    lines = file.path.read_bytes().splitlines()
    assert [int(line[line.index(b"rw-") + 3 :][:16], 16) for line in lines] == [1, 2, 3]
    assert store._database.rows("PRAGMA integrity_check") == [("ok",)]


def test_positions_of_a_store_that_is_gone_are_not_kept_in_the_new_one(
    deliver: Callable[..., tuple[Store, Delivery]], path: Path
) -> None:
    class Removing(Sink):
        """The store vanishes while it is written to."""

        def send(self, notices: Sequence[Notice]) -> None:
            super().send(notices)
            if len(self.got) == 3:
                path.unlink()

    sink = Removing()
    store, delivery = deliver(sink)
    store.emit(numbered(1, 2, 3))
    for _ in range(3):
        delivery.step(FOREVER)
    store.emit(numbered(4))
    delivery.step(FOREVER)
    assert sink.got == [1, 2, 3, 4]
    assert store.sinks.position("sink") == Position(1, b"4")
