"""A log in a folder of its own, an archive beside it, and a service that follows it by a clock that a test sets."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.sources.live.eve_lines import Following
from tests.sources.live.taking import Clock, Service

from reconwatch.sources.live.files import FilesFeed
from reconwatch.sources.live.places import archive_of


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / "logs").mkdir()
    (tmp_path / "old").mkdir()
    return tmp_path / "logs" / "eve.json"


@pytest.fixture
def follow(log: Path, clock: Clock) -> Following:
    def following(live: str = "eve.json", archive: str | None = None, start: str = "start") -> Service:
        pattern = str(log.parent / live)
        where = archive or str(log.parent.parent / "old") + "/"

        def make() -> FilesFeed:
            return FilesFeed("eve", [pattern], [*archive_of(pattern), *archive_of(pattern, where)], start, clock)

        service = Service(make, clock)
        service.keeps()
        return service

    return following
