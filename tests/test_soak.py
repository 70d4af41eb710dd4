"""A few seconds of `make soak`: all 24 hours, with few lines in each."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import soak


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc to measure memory")
def test_a_day_of_little_traffic_leaves_memory_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The process of a test run has grown by other tests: only what this day adds counts.
    before = soak.anonymous()
    monkeypatch.setattr(soak, "MOST_MEMORY", before + 100_000_000)
    measured = list(soak.hours(tmp_path, an_hour=120))
    assert len(measured) == soak.HOURS
    assert measured[-1].lines == 120 * soak.HOURS
    assert measured[-1].events > 300
    told = soak.findings(measured)
    # So few lines say little of what the state comes to: it is small whatever they are.
    assert [line for line in told if "memory" in line] == []
    assert measured[-1].state < 300_000


def test_what_grows_is_found() -> None:
    def day(*anonymous: int, state: int = 1_000) -> list[soak.Hour]:
        halves = (1_000, state)
        return [soak.Hour(n + 1, each, halves[n * 2 // len(anonymous)], 0, 0) for n, each in enumerate(anonymous)]

    assert soak.findings(day(50_000_000, 60_000_000, 60_000_000, 61_000_000)) == []
    assert soak.findings(day(50_000_000, 50_000_000, 70_000_000, 90_000_000)) == [
        "memory grew from 50 to 90 MB in the second half"
    ]
    assert soak.findings(day(50_000_000, 310_000_000, 300_000_000, 300_000_000)) == [
        "memory came to 310 MB; 300 are allowed"
    ]
    assert soak.findings(day(50_000_000, 50_000_000, state=2_000)) == [
        "the state grew from 1,000 to 2,000 bytes in the second half"
    ]
