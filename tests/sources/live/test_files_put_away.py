"""Files that were put away while they were not followed: found by content, finished, and never read again."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
from tests.sources.live.eve_lines import Following, append, lines, put_away, text
from tests.sources.live.taking import Clock

from reconwatch.sources.live.files import GRACE


@pytest.mark.parametrize("packing", ["gzip", "zstd", "none"])
@pytest.mark.parametrize("rotated", ["eve.json.1", "eve.json-20261124", "../old/eve.2026-11-24.json"])
def test_a_file_that_was_put_away_while_we_were_down_is_found_and_finished(
    log: Path, follow: Following, packing: str, rotated: str
) -> None:
    service = follow()
    append(log, text(1, 200))
    service.takes()
    service.keeps()
    service.killed()
    append(log, text(201, 400))
    put_away(log, log.parent / rotated, packing)
    append(log, text(401, 410))
    service.starts()
    taken = service.takes(2 * GRACE)
    assert service.lines == lines(1, 410)
    assert [chunk.data for chunk in taken if chunk.data] == [text(201, 400), text(401, 410)]
    assert len(service.ended) == 1
    service.keeps()
    service.restarts()
    assert service.takes(2 * GRACE) == []
    assert service.gaps == []


def test_files_that_came_and_went_while_we_were_down_are_read_whole_and_those_before_are_not(
    log: Path, follow: Following, clock: Clock
) -> None:
    old = log.parent.parent / "old"
    long_ago = old / "eve.2026-11-23.json.gz"
    long_ago.write_bytes(gzip.compress(text(9001, 9002)))
    os.utime(long_ago, (clock.now - 3600, clock.now - 3600))
    append(log, text(1, 2))
    service = follow()
    service.takes()
    service.keeps()
    service.killed()
    for number in range(3):
        append(log, text(10 * number + 3, 10 * number + 9))
        os.utime(log, (clock.now + 60 * number + 1, clock.now + 60 * number + 1))
        put_away(log, old / f"eve.2026-11-2{number + 4}.json", ("gzip", "none", "zstd")[number])
    append(log, text(100, 101))
    service.starts()
    taken = service.takes(4 * GRACE)
    assert [chunk.data for chunk in taken if chunk.data] == [text(3, 9), text(13, 19), text(23, 29), text(100, 101)]
    service.keeps()
    service.restarts()
    assert service.takes(4 * GRACE) == []


def test_what_was_finished_is_not_read_again_when_it_is_packed_and_moved_later(log: Path, follow: Following) -> None:
    service = follow()
    append(log, text(1, 9))
    service.takes()
    log.rename(log.with_name("eve.json.1"))
    append(log, text(10, 12))
    service.takes(2 * GRACE)
    put_away(log.with_name("eve.json.1"), log.parent.parent / "old" / "eve.json.1", "gzip")
    assert service.takes(2 * GRACE) == []
    service.keeps()
    service.restarts()
    assert service.takes(2 * GRACE) == []
    assert service.lines == lines(1, 12)


@pytest.mark.parametrize("packing", ["gzip", "none"])
def test_what_a_slow_writer_added_after_a_file_was_finished_is_read(log: Path, follow: Following, packing: str) -> None:
    service = follow()
    append(log, text(1, 9))
    service.takes()
    log.rename(log.with_name("eve.json.1"))
    append(log, text(10, 12))
    service.takes(2 * GRACE)
    assert len(service.ended) == 1
    append(log.with_name("eve.json.1"), text(13, 14))
    put_away(log.with_name("eve.json.1"), log.with_name("eve.json.2"), packing)
    taken = service.takes(2 * GRACE)
    assert [chunk.data for chunk in taken if chunk.data] == [text(13, 14)]
    assert service.lines == lines(1, 14)
