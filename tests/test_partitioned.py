"""The first test of the design: any number of partitions, any order within the lateness, the same notices."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconwatch.desk import Desk
from reconwatch.detectors import detectors
from reconwatch.detectors.runner import Runner
from reconwatch.notices import Notice
from reconwatch.partitioned import Partition, PartitionedRunner, StateVersionError
from reconwatch.sightings import Sighting
from tests.story import sighting

LATENESS = 600.0
"""Seconds of disorder that a live run allows; see DESIGN.md on time."""

ROLES = {"10.20.1.11": "host", "10.20.1.12": "host", "10.20.9.9": "host", "10.20.0.80": "proxy"}

sightings = st.builds(
    lambda at, actor, **kwargs: sighting(at, actor=actor, role=ROLES[actor], **kwargs),
    st.one_of(st.floats(0, 3000), st.floats(42_600, 43_800), st.floats(0, 200_000)),
    service=st.sampled_from(["shodan", "crt-sh", "censys", "fofa", "zoomeye", "netlas", "leakix"]),
    actor=st.sampled_from(sorted(ROLES)),
    trusted=st.sampled_from([None, None, "team"]),
    count=st.integers(1, 20),
    counted=st.sampled_from(["http requests", "connections", "dns names"]),
    technique=st.just("T1596.005"),
    targets=st.lists(st.sampled_from(["203.0.113.1", "203.0.113.2", "203.0.113.10"]), max_size=2, unique=True).map(
        tuple
    ),
    connected=st.booleans(),
    tools=st.sampled_from([(), (), ("subfinder",), ("Amass", "subfinder")]),
    walked=st.lists(st.integers(0, 60), max_size=40).map(lambda hosts: tuple(f"203.0.113.{host}" for host in hosts)),
    ct=st.sampled_from([None, None, "log", "search"]),
    starts=st.lists(st.integers(0, 9), max_size=7).map(tuple),
)


def last_words(runner: Runner | PartitionedRunner, arrivals: list[Sighting], lateness: float) -> dict[str, Notice]:
    """Id -> last emission, with the watermark `lateness` behind the newest sighting."""
    desk, last = Desk(), {}
    newest = float("-inf")
    for each in arrivals:
        newest = max(newest, each.ts)
        for finding in (*runner.observe(each), *runner.advance(newest - lateness)):
            if (notice := desk.consider(finding)) is not None:
                last[notice.id] = notice
    for finding in runner.close():
        if (notice := desk.consider(finding)) is not None:
            last[notice.id] = notice
    assert runner.late == 0
    return last


def compared(notices: dict[str, Notice]) -> dict[str, object]:
    """Everything but what the order of arrival may change: the number of revisions, and which one crossed."""
    return {key: msgspec.structs.replace(notice, rev=0, ts=0.0) for key, notice in notices.items()}


@settings(max_examples=150, deadline=None)
@given(st.lists(sightings, max_size=40), st.integers(1, 7), st.data())
def test_partitions_and_disorder_change_nothing(items: list[Sighting], partitions: int, data: st.DataObject) -> None:
    in_order = sorted(items, key=lambda each: each.ts)
    delays = data.draw(st.lists(st.floats(0, LATENESS * 0.99), min_size=len(items), max_size=len(items)))
    shuffled = [each for _, each in sorted(zip(delays, in_order, strict=True), key=lambda pair: pair[0] + pair[1].ts)]
    embedded = last_words(Runner(detectors()), in_order, LATENESS)
    disordered = last_words(Runner(detectors()), shuffled, LATENESS)
    partitioned = last_words(PartitionedRunner(detectors(), partitions), shuffled, LATENESS)
    assert compared(embedded) == compared(disordered) == compared(partitioned)
    assert {n.row for n in embedded.values()} == {n.row for n in partitioned.values()}


def test_every_state_is_plain_bytes_between_two_sightings() -> None:
    runner = PartitionedRunner(detectors(), 3)
    for n in range(50):
        list(runner.observe(sighting(n, service=f"service-{n % 9}", targets=("203.0.113.1",))))
    stored = [state for partition in runner.partitions for _, state in partition.stored.values()]
    assert len(stored) == 9 + 9 + 9 + 1
    assert all(type(state) is bytes for state in stored)
    assert all(partition.stored for partition in runner.partitions)


def test_a_partition_is_taken_up_where_another_process_left_it() -> None:
    first, second = Partition(detectors()), Partition(detectors())
    detector = detectors()[0]
    (key,) = detector.keys(sighting())
    first.observe(detector.note, key, sighting(0))
    second.stored = dict(first.stored)
    (finding,) = second.observe(detector.note, key, sighting(60))
    assert finding.count == 2


def test_state_of_another_version_is_refused() -> None:
    partition = Partition(detectors())
    detector = detectors()[0]
    (key,) = detector.keys(sighting())
    partition.stored[detector.note, key] = (0, b"")
    with pytest.raises(StateVersionError, match="state of version 0, this is 1"):
        partition.observe(detector.note, key, sighting())
