"""Any number of items comes out in order, with a bounded number of them in memory."""

import random

from hypothesis import given
from hypothesis import strategies as st

from reconwatch.events import AnyEvent
from reconwatch.ordering import Sorter
from tests.story import answer, connection, get, hello, query, whois


def sorter(run_length: int) -> Sorter[AnyEvent]:
    return Sorter[AnyEvent](AnyEvent, lambda event: (event.ts, event.kind), run_length)


@given(st.lists(st.integers(0, 50), max_size=60), st.integers(1, 7))
def test_what_was_spilled_comes_out_in_order_and_whole(times: list[int], run_length: int) -> None:
    events = [hello(ts, "crt.sh", port=n) for n, ts in enumerate(times)]
    with sorter(run_length) as spilling:
        for event in events:
            spilling.add(event)
        assert list(spilling) == sorted(events, key=lambda event: event.ts)


def test_many_runs_are_merged_before_the_files_are_too_many() -> None:
    with sorter(1) as spilling:
        for n in random.Random(3).sample(range(300), 300):
            spilling.add(hello(n, "crt.sh", port=n))
        assert sum(map(len, spilling._levels)) < 70
        assert [event.client_port for event in spilling] == list(range(300))


def test_every_kind_of_event_survives_the_disk() -> None:
    events: list[AnyEvent] = [
        query(0, "crt.sh"), answer(1, "crt.sh"), hello(2, None), get(3, "crt.sh", "/?q=%FF"),
        whois(4, "acme-widgets.com"), connection(5, 43),
    ]  # fmt: skip
    with sorter(1) as spilling:
        for event in random.Random(1).sample(events, len(events)):
            spilling.add(event)
        assert list(spilling) == events
