"""What the tests of probe detectors share: probes in, last words out, in any order."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

import msgspec

from reconwatch.desk import Desk
from reconwatch.detectors.probed import ProbeDetector
from reconwatch.detectors.runner import Runner
from reconwatch.notices import Notice
from reconwatch.partitioned import PartitionedRunner
from reconwatch.sightings import Probe


def emitted(detector: ProbeDetector, probes: Iterable[Probe], partitions: int = 0) -> list[Notice]:
    """Every emission, in order."""
    runner = PartitionedRunner([detector], partitions) if partitions else Runner([detector])
    desk = Desk()
    findings = [finding for each in probes for finding in runner.observe(each)] + list(runner.close())
    return [notice for finding in findings if (notice := desk.consider(finding)) is not None]


def last_words(detector: ProbeDetector, probes: Iterable[Probe]) -> list[Notice]:
    """What is said at the close."""
    return [notice for notice in emitted(detector, probes) if notice.state == "closed"]


def one(detector: ProbeDetector, probes: Iterable[Probe]) -> Notice:
    """The only notice."""
    (notice,) = last_words(detector, probes)
    return notice


def told(notices: Iterable[Notice]) -> dict[str, Notice]:
    """Everything but what the order of arrival may change: the number of revisions, and which one crossed."""
    return {each.id: msgspec.structs.replace(each, rev=0, ts=0.0) for each in notices if each.state == "closed"}


def assert_any_order(detector: ProbeDetector, probes: Sequence[Probe]) -> None:
    """Shuffled or in partitions, the same; and nothing is left open."""
    expected = told(emitted(detector, probes))
    assert expected
    for seed in range(5):
        shuffled = random.Random(seed).sample(probes, len(probes))
        for partitions in (0, 1 + seed):
            notices = emitted(detector, shuffled, partitions)
            assert told(notices) == expected
            assert {each.id for each in notices} == expected.keys()
