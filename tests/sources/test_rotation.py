"""Captures that follow each other are read as one, and each keeps its own account."""

from __future__ import annotations

import gzip
from itertools import pairwise
from pathlib import Path

import pytest
from tests.sources.pcap.wire import ACK, START, Talk, Timed, hello, pcap

from reconwatch.account import Account
from reconwatch.events import AnyEvent, Hello
from reconwatch.interest import Interest, Lookout
from reconwatch.sources.inputs import Inputs, read_inputs
from reconwatch.sources.rotation import GAP, OVERLAP, SHORTEST, Capture, goes_on, rotations

HELLO = hello("www.shodan.io", ("h2", "http/1.1"))
FOLDER = Path("/captures")


def captures(*named: tuple[str, float], kind: str = "pcap 1") -> list[Capture]:
    return [Capture(FOLDER / name, begins, kind) for name, begins in named]


def names(rotation: list[list[Capture]]) -> list[list[str]]:
    return sorted([capture.path.name for capture in each] for each in rotation)


def told(*paths: Path) -> tuple[list[AnyEvent], list[Account], list[str]]:
    warned: list[str] = []
    accounts: list[Account] = []
    lookout = Lookout(Interest(names=frozenset({"shodan.io"})))
    shared = Inputs(lookout, funnel=True, warn=warned.append, progress=lambda done: None)
    return list(read_inputs(paths, shared, accounts)), accounts, warned


def hellos(*paths: Path) -> list[Hello]:
    return [event for event in told(*paths)[0] if isinstance(event, Hello)]


def written(folder: Path, *files: tuple[str, list[Timed]]) -> list[Path]:
    for name, frames in files:
        content = pcap(frames)
        (folder / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return [folder / name for name, _ in files]


def split_hello(at: int, gap: float = 1.5) -> tuple[list[Timed], list[Timed]]:
    """The packets of a connection whose hello is cut at `at`, and with it the capture."""
    talk = Talk()
    before = [(n / 10, frame) for n, frame in enumerate([*talk.handshake(), talk.up(HELLO[:at])])]
    behind = [(gap + n / 10, frame) for n, frame in enumerate([talk.up(HELLO[at:]), *talk.ending()])]
    return before, behind


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("eth0.pcap", "eth0.pcap1"),
        ("eth0.pcap.gz", "eth0.pcap1.gz"),
        ("cap_00001_20261124120000.pcap", "cap_00002_20261124120100.pcap"),
        ("log.pcap.1795488645", "log.pcap.1795488705"),
        ("2026-11-24T10:00.pcap", "2026-11-24T11:00.pcap"),
    ],
)
def test_a_hello_across_the_border_of_two_files_is_told(first: str, second: str, tmp_path: Path) -> None:
    before, behind = split_hello(60)
    (event,) = hellos(*written(tmp_path, (first, before), (second, behind)))
    assert event.name == "www.shodan.io"


@pytest.mark.parametrize("cut", range(1, len(HELLO), 7))
def test_the_border_may_lie_anywhere(cut: int, tmp_path: Path) -> None:
    before, behind = split_hello(cut)
    assert [event.name for event in hellos(*written(tmp_path, ("c1", before), ("c2", behind)))] == ["www.shodan.io"]


def test_a_folder_is_searched_for_rotations_too(tmp_path: Path) -> None:
    before, behind = split_hello(60)
    written(tmp_path, ("c1", before), ("c2", behind))
    assert [event.name for event in hellos(tmp_path)] == ["www.shodan.io"]


def test_what_is_told_behind_the_border_belongs_to_the_later_file(tmp_path: Path) -> None:
    before, behind = split_hello(60)
    events, accounts, _ = told(*written(tmp_path, ("c1", before), ("c2", behind)))
    assert [event.input for event in events if isinstance(event, Hello)] == [1]
    assert [(Path(account.path).name, account.records) for account in accounts] == [("c1", 4), ("c2", 4)]
    assert sum(account.events for account in accounts) == len(events)


def test_damage_is_located_in_the_file_that_holds_it(tmp_path: Path) -> None:
    before, behind = split_hello(60)
    first, second = written(tmp_path, ("c1", before), ("c2", behind))
    second.write_bytes(second.read_bytes()[:-10])
    _, accounts, warned = told(first, second)
    assert warned
    assert all(line.startswith(f"{second}: packet 4") for line in warned)
    assert not accounts[0].skipped
    assert accounts[1].skipped["the last record is cut"] == 1


def test_nothing_is_carried_over_a_gap(tmp_path: Path) -> None:
    before, behind = split_hello(60, gap=GAP + 10)
    assert hellos(*written(tmp_path, ("c1", before), ("c2", behind))) == []


def test_nothing_is_carried_into_a_capture_of_the_same_time(tmp_path: Path) -> None:
    """Two taps saw one connection: each tells its own hello, and no byte of one is taken for the other's."""
    talk = Talk()
    frames = [(n * 2.0, frame) for n, frame in enumerate(talk.whole(HELLO))]
    late = [(after + SHORTEST + 0.5, frame) for after, frame in frames]
    assert [event.input for event in hellos(*written(tmp_path, ("tap1", frames), ("tap2", late)))] == [0, 1]


def test_a_file_of_the_rotation_that_cannot_be_read_ends_alone(tmp_path: Path) -> None:
    before, behind = split_hello(60)
    talk = Talk(client_port=40_500)
    last = [(3 + n / 10, frame) for n, frame in enumerate(talk.whole(HELLO))]
    first, second, third = written(tmp_path, ("c1", before), ("c2", behind), ("c3", last))
    second.write_bytes(second.read_bytes()[:40])
    events, accounts, _ = told(first, second, third)
    assert [event.client_port for event in events if isinstance(event, Hello)] == [40_500]
    assert [account.records for account in accounts] == [4, 1, 8]


def test_files_that_differ_in_more_than_numbers_are_no_rotation() -> None:
    found = rotations(captures(("a.pcap", 0.0), ("b.pcap", 100.0)))
    assert names(found) == [["a.pcap"], ["b.pcap"]]


def test_files_of_another_kind_are_no_rotation() -> None:
    found = rotations([*captures(("c1", 0.0)), *captures(("c2", 100.0), kind="pcap 113")])
    assert names(found) == [["c1"], ["c2"]]


def test_interfaces_are_told_apart_by_beginning_at_once() -> None:
    found = rotations(captures(("eth0.pcap", 0.0), ("eth1.pcap", 0.0), ("eth2.pcap", SHORTEST / 2)))
    assert names(found) == [["eth0.pcap"], ["eth1.pcap"], ["eth2.pcap"]]


def test_interfaces_that_rotate_side_by_side_are_a_rotation_each() -> None:
    found = rotations(captures(*((f"eth{n}-{k}.pcap", 60.0 * k + n / 10) for n in range(2) for k in range(3))))
    assert names(found) == [[f"eth{n}-{k}.pcap" for k in range(3)] for n in range(2)]


def test_a_rotation_is_in_order_of_time_also_where_a_ring_has_begun_anew() -> None:
    (found,) = rotations(captures(("ring0", 300.0), ("ring1", 400.0), ("ring2", 100.0), ("ring3", 200.0)))
    assert all(later.begins > earlier.begins for earlier, later in pairwise(found))


def test_a_file_goes_on_where_another_ended_give_or_take_little() -> None:
    assert goes_on(START, START)
    assert goes_on(START, START - OVERLAP)
    assert goes_on(START, START + GAP)
    assert not goes_on(START, START - OVERLAP - 1)
    assert not goes_on(START, START + GAP + 1)
    assert not goes_on(START, float("inf"))


def test_a_capture_without_packets_breaks_no_run(tmp_path: Path) -> None:
    before, _ = split_hello(60)
    _, accounts, warned = told(*written(tmp_path, ("c1", before), ("c2", []), ("c3", [(9.0, Talk().up(flags=ACK))])))
    assert [account.failed for account in accounts] == [False, False, False]
    assert warned == []
