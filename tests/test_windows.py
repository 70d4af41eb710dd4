"""Bounded memory that does not care about the order of arrival."""

from hypothesis import given
from hypothesis import strategies as st

from reconwatch.sightings import Evidence, Target
from reconwatch.windows import DAY, Ends, Smallest, keep_smallest, most_counted, most_distinct, spans_with, window_start


def evidence(ts: float) -> Evidence:
    return Evidence(ts, "tls", "capture", None, "10.20.1.11", "198.18.4.2", None, "")


@given(st.lists(st.integers(0, 1000), max_size=120).flatmap(lambda ts: st.tuples(st.just(ts), st.permutations(ts))))
def test_the_ends_of_any_order_are_the_same(both: tuple[list[int], list[int]]) -> None:
    kept = []
    for order in both:
        ends = Ends()
        for ts in order:
            ends.add([evidence(ts)], 1)
        kept.append([piece.ts for piece in ends.items])
        assert ends.total == len(order)
    expected = sorted(both[0])
    assert kept == [expected if len(expected) <= 20 else expected[:10] + expected[-10:]] * 2


@given(st.lists(st.integers(0, 3000), max_size=200))
def test_targets_are_kept_once_in_the_order_of_their_addresses(hosts: list[int]) -> None:
    smallest = Smallest()
    smallest.add(Target("ip", f"10.0.{host // 256}.{host % 256}", "10.0.0.0/16") for host in hosts)
    assert [t.value for t in smallest.items] == [f"10.0.{host // 256}.{host % 256}" for host in sorted(set(hosts))]


def test_the_number_of_targets_is_bounded() -> None:
    smallest = Smallest()
    smallest.add(Target("ip", f"10.0.{n // 256}.{n % 256}", "10.0.0.0/16") for n in range(5000))
    assert len(smallest.items) == 1000
    assert smallest.items[-1].value == "10.0.3.231"


def test_addresses_of_both_families_ranges_and_names_sort_together() -> None:
    targets = [
        Target("range", "203.0.113.0/24", "a"), Target("ip", "2001:db8::a", "a"), Target("ip", "203.0.113.9", "a"),
        Target("ip", "203.0.113.10", "a"), Target("domain", "www.acme-widgets.com", "b"), Target("asn", "AS64496", "c"),
    ]  # fmt: skip
    smallest = Smallest()
    smallest.add(targets)
    assert [t.value for t in smallest.items] == [
        "AS64496", "www.acme-widgets.com", "203.0.113.9", "203.0.113.10", "2001:db8::a", "203.0.113.0/24",
    ]  # fmt: skip


def test_the_spans_of_a_minute_are_all_runs_that_it_lies_in() -> None:
    assert [list(span) for span in spans_with(7, 3)] == [[5, 6, 7], [6, 7, 8], [7, 8, 9]]


def test_windows_are_aligned_to_the_epoch() -> None:
    assert window_start(1_795_521_600.5, DAY) == 1_795_478_400
    assert window_start(1_795_478_400, DAY) == 1_795_478_400


@given(st.lists(st.integers(0, 30)), st.integers(1, 9))
def test_the_smallest_are_kept_each_once_and_sorted(items: list[int], most: int) -> None:
    kept: list[int] = []
    put = [keep_smallest(kept, item, most) for item in items]
    assert kept == sorted(set(items))[:most]
    assert sum(put) >= len(kept)


minutes = st.dictionaries(st.integers(0, 40), st.integers(1, 9), max_size=20)


@given(minutes, st.integers(0, 40), st.integers(1, 12))
def test_the_most_of_a_minute_s_spans_is_their_greatest_sum(counts: dict[int, int], minute: int, span: int) -> None:
    counts[minute] = counts.get(minute, 0) + 1
    sums = [sum(counts.get(each, 0) for each in run) for run in spans_with(minute, span)]
    assert most_counted(counts, minute, span) == max(sums)


@given(
    st.dictionaries(st.integers(0, 40), st.sets(st.integers(0, 12)), max_size=20),
    st.integers(0, 40), st.integers(1, 12), st.integers(0, 9),
)  # fmt: skip
def test_members_of_a_span_are_counted_once(members: dict[int, set[int]], minute: int, span: int, known: int) -> None:
    distinct = [len(set().union(*(members.get(each, set()) for each in run))) for run in spans_with(minute, span)]
    assert most_distinct(members, minute, span, known) == max(*distinct, known)
