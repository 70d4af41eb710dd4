"""A folder into which captures are put while it is watched, in the ways people do that."""

from __future__ import annotations

import gzip
import os
import shutil
from pathlib import Path

import pytest
from tests.conftest import ROOT
from tests.sources.live.taking import Clock, Service

from reconwatch.sources.live.drop_folder import QUIET, DropFolder

PCAPS = ROOT / "pcaps"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


@pytest.fixture
def service(folder: Path) -> Service:
    clock = Clock()
    return Service(lambda: DropFolder(folder, clock=clock), clock)


def captures(chunks: list) -> list[str]:
    return [chunk.capture.name for chunk in chunks]


def test_a_capture_is_taken_when_it_has_been_quiet(folder: Path, service: Service) -> None:
    data = (PCAPS / "lookups.pcap").read_bytes()
    path = folder / "a.pcap"
    for end in (0, 1000, 2000, len(data)):
        path.write_bytes(data[:end])
        assert service.takes(QUIET - 2) == []
    (chunk,) = service.takes(2 * QUIET)
    assert (chunk.capture, chunk.data, chunk.last, chunk.head) == (path, b"", True, data[: 64 * 1024])
    assert service.takes(2 * QUIET) == []


def test_what_was_renamed_in_is_taken_at_once_and_unfinished_names_are_not(folder: Path, service: Service) -> None:
    part = folder / "a.pcap.part"
    shutil.copy(PCAPS / "lookups.pcap", part)
    shutil.copy(PCAPS / "lookups.pcap", folder / ".hidden.pcap")
    (folder / "link.pcap").symlink_to(PCAPS / "bulk.pcap")
    (folder / "deeper").mkdir()
    assert service.takes(3 * QUIET) == []
    part.rename(folder / "a.pcap")
    assert captures(service.takes(2)) == ["a.pcap"]
    assert service.problems == []


def test_a_capture_is_read_once_whatever_it_is_called_and_however_it_is_packed(folder: Path, service: Service) -> None:
    data = (PCAPS / "lookups.pcap").read_bytes()
    (folder / "a.pcap").write_bytes(data)
    service.takes(2 * QUIET)
    service.keeps()
    (folder / "a.pcap").rename(folder / "b.pcap")
    (folder / "c.pcap.gz").write_bytes(gzip.compress(data))
    shutil.copy(PCAPS / "bulk.pcap", folder / "d.pcap")
    service.restarts()
    assert captures(service.takes(3 * QUIET)) == ["d.pcap"]
    service.restarts()
    assert captures(service.takes(3 * QUIET)) == ["d.pcap"], "it was not marked: it is taken again"


def test_captures_come_in_the_order_in_which_they_were_written(folder: Path, service: Service) -> None:
    for age, name in enumerate(("lookups", "bulk", "modern")):
        shutil.copy(PCAPS / f"{name}.pcap", folder / f"{name}.pcap")
        os.utime(folder / f"{name}.pcap", (1000 - age, 1000 - age))
    assert captures(service.takes(3)) == ["modern.pcap", "bulk.pcap", "lookups.pcap"]


def test_what_is_no_capture_is_told_once(folder: Path, service: Service) -> None:
    (folder / "notes.txt").write_text("buy milk\n")
    assert service.takes(5 * QUIET) == []
    assert service.problems == [
        f"{folder / 'notes.txt'}: is no capture and is left alone; logs are followed by zeek: or eve:"
    ]


@pytest.mark.parametrize("first", [2000, 400_000])
def test_a_capture_that_grows_after_it_was_read_is_told(folder: Path, service: Service, first: int) -> None:
    data = (PCAPS / "modern.pcap").read_bytes()
    data = data + data[24:] * (600_000 // len(data))
    path = folder / "a.pcap"
    path.write_bytes(data[:first])
    service.takes(2 * QUIET)
    path.write_bytes(data)
    assert service.takes(2 * QUIET) == []
    assert len(service.problems) == 1
    assert "has grown since it was read" in service.problems[0]


def test_captures_of_before_the_first_start_can_be_passed_over(folder: Path) -> None:
    shutil.copy(PCAPS / "lookups.pcap", folder / "old.pcap")
    clock = Clock()
    service = Service(lambda: DropFolder(folder, "end", clock), clock)
    service.keeps()
    service.restarts()
    shutil.copy(PCAPS / "bulk.pcap", folder / "new.pcap")
    assert captures(service.takes(3 * QUIET)) == ["new.pcap"]


def test_a_folder_that_vanishes_is_told_once_and_its_return(folder: Path, service: Service) -> None:
    folder.rmdir()
    service.takes(30)
    folder.mkdir()
    service.takes(5)
    assert service.problems == [
        f"{folder}: no such file or directory; is it mounted, and may this user read it?",
        f"{folder}: is well again (was: no such file or directory)",
    ]
