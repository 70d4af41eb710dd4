"""What is old or too much goes, a little at a time, and never what somebody still needs."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.store.conftest import Clock, notice

from reconwatch.store import Retention, Store
from reconwatch.store.contract import Position
from reconwatch.store.retention import AT_ONCE, pages_of

Open = Callable[..., Store]
DAY = 86_400.0
MONTH = Retention(days=30)


def revs(store: Store) -> list[int]:
    return [each.rev for each in store.notices()]


def tidy(store: Store, retention: Retention) -> int:
    steps = 0
    while store.tidy(retention):
        steps += 1
    return steps


@pytest.fixture
def aged(opened: Open, clock: Clock) -> Store:
    """Ten emissions, one each ten days, all of them in a snapshot; the last is of today."""
    store = opened()
    for rev in range(1, 11):
        store.emit([notice(1, rev=rev)])
        clock.now += 10 * DAY
    clock.now -= 10 * DAY
    store.snapshot({}, {})
    return store


def test_what_was_told_long_ago_goes(aged: Store) -> None:
    tidy(aged, MONTH)
    assert revs(aged) == [7, 8, 9, 10]
    tidy(aged, MONTH)
    assert revs(aged) == [7, 8, 9, 10]


def test_what_a_sink_has_not_had_stays(aged: Store) -> None:
    aged.sinks.commit({"quick": Position(10), "slow": Position(3)})
    tidy(aged, MONTH)
    assert revs(aged) == [4, 5, 6, 7, 8, 9, 10]


def test_what_was_told_after_the_last_snapshot_stays_for_it_may_be_told_again(opened: Open, clock: Clock) -> None:
    store = opened()
    store.emit([notice(1, rev=1)])
    store.snapshot({}, {})
    store.emit([notice(1, rev=2), notice(1, rev=3)])
    clock.now += 400 * DAY
    tidy(store, MONTH)
    assert revs(store) == [2, 3]
    assert store.emit([notice(1, rev=2)]) == []
    store.snapshot({}, {})
    tidy(store, MONTH)
    assert revs(store) == [3]


def test_without_a_snapshot_nothing_goes(opened: Open, clock: Clock) -> None:
    store = opened()
    store.emit([notice(1), notice(2)])
    clock.now += 1000 * DAY
    assert tidy(store, MONTH) == 0
    assert len(revs(store)) == 2


def test_the_last_one_stays_so_that_numbers_go_on(aged: Store, clock: Clock) -> None:
    clock.now += 1000 * DAY
    tidy(aged, MONTH)
    assert revs(aged) == [10]
    aged.emit([notice(2)])
    assert aged.newest()[0] == 11


def test_what_is_too_much_goes_the_oldest_first(aged: Store) -> None:
    size = aged.newest()[1] // 10
    tidy(aged, Retention(days=1000, bytes=4 * size + size // 2))
    assert revs(aged) == [7, 8, 9, 10]
    assert aged.through(0) == aged.after(0, 1)[0].through - len(aged.after(0, 1)[0].body)


def test_a_clock_that_steps_back_takes_nothing_young_away(opened: Open, clock: Clock) -> None:
    store = opened()
    store.emit([notice(1, rev=1)])
    clock.now -= 100 * DAY
    store.emit([notice(1, rev=2)])
    clock.now += 101 * DAY
    store.emit([notice(1, rev=3)])
    store.snapshot({}, {})
    tidy(store, MONTH)
    assert revs(store) == [1, 2, 3]  # the first is a day old, and only the oldest in a row go


def test_room_is_given_back_a_little_at_a_time_and_the_store_is_used_in_between(opened: Open, clock: Clock) -> None:
    store = opened()
    store.emit(notice(number, msg="x" * 8_000) for number in range(1, 1001))
    clock.now += 400 * DAY
    store.emit([notice(2000)])
    store.snapshot({}, {})
    pages, _ = pages_of(store._database)
    steps = 0
    while store.tidy(MONTH):
        steps += 1
        store.emit([notice(2000 + steps)])
    assert steps > 1000 / AT_ONCE
    left, free = pages_of(store._database)
    assert left < pages / 3
    assert free <= 300
    assert len(revs(store)) == 1 + steps
    assert store._database.rows("PRAGMA integrity_check") == [("ok",)]
