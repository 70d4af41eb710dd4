"""What the service says of itself: each thing once, and through the store like everything else."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconwatch.catalog import Catalog
from reconwatch.live import Live
from reconwatch.notices import Notice
from reconwatch.said_of_itself import DAY, Diary, Tally, heartbeat, input_gap, self_test_failed
from reconwatch.self_test import self_test
from reconwatch.service import Service
from reconwatch.sinks.eve import event
from reconwatch.sinks.jsonl import contract, read_jsonl
from reconwatch.sinks.wire_text import json_line
from reconwatch.sources.live import Chunk
from reconwatch.store import Delivery, Reader, Store
from tests.story import CATALOG, NOON, SITE


class Gaps:
    """A feed that has nothing but gaps."""

    name = "eve.sock"

    def __init__(self) -> None:
        self.lost: list[tuple[float, float]] = []

    def take(self, room: int, come: object = None) -> Chunk | None:
        return None

    def waiting(self) -> list[str]:
        return []

    def mark(self) -> bytes:
        return b""

    def resume(self, mark: bytes) -> None:
        pass

    def kept(self) -> None:
        pass

    def lag(self) -> int:
        return 0

    def problems(self) -> list[str]:
        return []

    def gaps(self) -> list[tuple[float, float]]:
        lost, self.lost = self.lost, []
        return lost

    def close(self) -> None:
        pass


class Sensor:
    def __init__(self, folder: Path) -> None:
        self.database, self.now, self.said, self.fails = folder / "reconwatch.db", NOON, [], None

    @contextlib.contextmanager
    def service(self) -> Iterator[tuple[Service, Gaps]]:
        feed = Gaps()
        with Store.open(self.database) as store:
            live = Live(CATALOG, SITE)
            diary = Diary(1, lambda: self.fails)
            service = Service(
                live, [feed], store, Delivery(store, []), say=self.said.append, diary=diary, clock=lambda: self.now
            )
            service.begin()
            yield service, feed

    def turns(self, service: Service) -> None:
        for _ in range(3):
            service.turn()

    def told(self, note: str) -> list[Notice]:
        with Reader.open(self.database) as reader:
            return [notice for notice in reader.notices() if notice.note == note]


@pytest.fixture
def sensor(tmp_path: Path) -> Sensor:
    return Sensor(tmp_path)


def test_a_heartbeat_comes_once_a_day_however_often_the_service_is_started(sensor: Sensor) -> None:
    for _ in range(3):
        with sensor.service() as (service, _feed):
            sensor.turns(service)
            service.end()
    assert [notice.msg for notice in sensor.told("Heartbeat")] == [
        "reconwatch begins to watch 1 feed; its self-test passed"
    ]
    sensor.now += DAY
    with sensor.service() as (service, _feed):
        sensor.turns(service)
    assert [notice.msg for notice in sensor.told("Heartbeat")][1:] == [
        "reconwatch lives: since 2026-11-24T12:00:00Z it read 0 events in 0.0 MB of 1 feed and told 1 notice;"
        " its self-test passed"
    ]


def test_what_was_read_before_a_restart_is_in_the_next_heartbeat() -> None:
    first, second = Diary(2, lambda: None), Diary(2, lambda: None)
    assert len(first.due(NOON, Tally())) == 1
    second.restore(first.state(Tally(events=1_000, bytes=2_000_000, notices=3)))
    assert second.due(NOON + 60, Tally(events=1)) == []
    said = second.due(NOON + DAY, Tally(events=500, bytes=1_000_000, notices=1, gaps=1))
    assert "read 1,500 events in 3.0 MB of 2 feeds, with 1 gap and told 4 notices" in said[0].msg
    assert second.due(NOON + 2 * DAY, Tally(events=500))[0].count == 0


def test_a_clock_that_goes_back_says_nothing_twice() -> None:
    diary = Diary(1, lambda: None)
    assert len(diary.due(NOON, Tally())) == 1
    assert diary.due(NOON - DAY, Tally()) == []
    assert diary.due(NOON, Tally()) == []


def test_a_damaged_diary_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        Diary(1, lambda: None).restore(b"\x80")


def test_a_gap_is_one_notice_with_its_span(sensor: Sensor) -> None:
    with sensor.service() as (service, feed):
        feed.lost = [(NOON, NOON + 600)]
        sensor.turns(service)
        assert service.counts.gaps == 1
        (gap,) = sensor.told("Input_Gap")
    assert (gap.first, gap.last, gap.count, gap.verdict, gap.rev) == (NOON, NOON + 600, 600, "investigate", 1)
    assert "eve.sock may have lost what came from 2026-11-24T12:00:00Z to 2026-11-24T12:10:00Z" in gap.msg


def test_a_gap_that_comes_again_after_a_crash_is_told_again_only_if_it_has_grown(sensor: Sensor) -> None:
    for end in (10.0, 10.0, 25.0, 25.0):
        with sensor.service() as (service, feed):
            feed.lost = [(NOON + 0.25, NOON + end)]
            sensor.turns(service)  # and no snapshot after it
    assert [(gap.rev, gap.last - NOON) for gap in sensor.told("Input_Gap")] == [(1, 10.0), (2, 25.0)]


def test_gaps_of_one_second_are_two() -> None:
    assert input_gap("a", NOON + 0.1, NOON + 0.2).id != input_gap("a", NOON + 0.5, NOON + 90).id


def test_a_failed_self_test_is_a_notice_and_a_line_once_a_day(sensor: Sensor) -> None:
    sensor.fails = "of 0 events read, 0 notices came"
    for _ in range(2):
        with sensor.service() as (service, _feed):
            sensor.turns(service)
            service.replace(Live(CATALOG, SITE))  # is tested again
            sensor.turns(service)
    assert [(notice.verdict, notice.rev) for notice in sensor.told("Self_Test_Failed")] == [("investigate", 1)]
    assert sensor.told("Heartbeat")[0].msg.endswith("ITS SELF-TEST FAILED")
    assert set(sensor.said) == {"reconwatch failed its self-test: of 0 events read, 0 notices came"}


def test_the_self_test_passes_with_a_catalog_that_knows_shodan_and_fails_with_none() -> None:
    assert self_test(CATALOG) is None
    assert self_test(Catalog([])) == "of 0 events read, 0 notices came, and no Targeted_Search"


@pytest.mark.parametrize("notice", [
    heartbeat(NOON, NOON, None, Tally(), 1, well=True),
    input_gap("eve.sock", NOON, NOON + 10),
    input_gap("eve.sock", -1e30, 1e30),
    self_test_failed(NOON, NOON, "why"),
])  # fmt: skip
def test_what_it_says_can_be_written_and_read_back_in_every_format(notice: Notice) -> None:
    if abs(notice.first) > 1e20:
        with pytest.raises(ValueError, match="no time"):
            contract(notice)
        return
    assert read_jsonl(json_line(contract(notice))) == notice
    assert contract(notice)["actor"]["ip"] is None
    alert = event(notice)["alert"]
    assert alert["signature_id"] > 1596020
    assert "mitre_tactic_id" not in alert["metadata"]
