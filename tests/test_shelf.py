"""What is put on a shelf comes back whole, whenever it was put away meanwhile, and leaves when its time is over."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconwatch.shelf import Shelf


class Tally(msgspec.Struct):
    count: int = 0


def shelf(most_values: int) -> Shelf[Tally]:
    decode = msgspec.msgpack.Decoder(Tally).decode
    return Shelf([decode, decode], most_values)


steps = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 1), st.integers(0, 9)), max_size=80)


@given(steps, st.integers(1, 7), st.integers(0, 5))
def test_a_small_memory_counts_like_a_large_one(counted: list[tuple[int, int, int]], most: int, until: int) -> None:
    told = []
    for each in (shelf(most), shelf(1_000)):
        for end, kind, key in counted:
            place = each.place(float(end), kind, key)
            tally = each.get(place) or Tally()
            tally.count += 1
            each.put(place, tally)
            each.grew(1)
        told.append([list(each.due(until)), list(each.due(float("inf")))])
    assert told[0] == told[1]
    assert sum(tally.count for part in told[0] for _, tally in part) == len(counted)


def test_what_is_large_is_put_away_however_few_it_is() -> None:
    large = shelf(1_000)
    large.put(large.place(1.0, 0, "a"), Tally(7))
    large.grew(100_000_000)
    assert not large._near
    assert large.get(large.place(1.0, 0, "a")) == Tally(7)


@pytest.mark.parametrize("most", [1, 100])
def test_what_was_dropped_is_gone_from_memory_and_disk(most: int) -> None:
    small = shelf(most)
    places = [small.place(1.0, 0, key) for key in range(5)]
    for place in places:
        small.put(place, Tally(1))
        small.grew(1)
    small.drop(places[0])
    small.drop(places[4])
    assert small.get(places[0]) is None
    assert len(list(small.due(1.0))) == 3


def test_a_full_disk_is_an_error_of_the_system() -> None:
    full = shelf(0)
    full.put(full.place(1.0, 0, "a"), Tally(1))
    full.grew(1)
    assert full._far is not None
    full._ask("PRAGMA max_page_count = 3")
    full.put(full.place(1.0, 0, "b" * 100_000), Tally(2))
    with pytest.raises(OSError, match="temporary database: database or disk is full"):
        full.grew(1)
