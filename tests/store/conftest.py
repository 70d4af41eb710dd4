"""Notices that are easily told apart, a clock that is set by hand, and stores that close themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconwatch.notices import Notice, Reason
from reconwatch.sightings import Actor, Evidence, Target
from reconwatch.store import Store

NOON = 1_795_521_600.0  # 2026-11-24T12:00:00Z


def notice(number: int = 1, rev: int = 1, **facts: object) -> Notice:
    """The notice of a number: another number is another id, a minute later."""
    ts = NOON + 60 * number
    values = {
        "id": f"rw-{number:016x}",
        "rev": rev,
        "state": "open",
        "ts": ts,
        "note": "Targeted_Search",
        "direction": "lookup",
        "actor": Actor(ip="10.20.1.11"),
        "services": ("shodan",),
        "techniques": ("T1596.005",),
        "targets": (Target("ip", "203.0.113.10", "203.0.113.0/24"),),
        "first": ts,
        "last": ts,
        "count": 1,
        "counted": "http requests",
        "kinds": ("http",),
        "score": 65,
        "verdict": "escalate",
        "reasons": (Reason(65, "names an owned address", (1,)),),
        "evidence": (
            Evidence(ts, "http", "zeek/http", "C1", "10.20.1.11", "198.18.4.2", "api.shodan.io", "GET /x?key=***"),
        ),
        "evidence_total": 1,
        "msg": f"10.20.1.11 looked up 203.0.113.10 in Shodan ({number})",
        "next": ("Ask who uses 10.20.1.11.",),
    }
    return Notice(**values | facts)  # type: ignore[arg-type]


class Clock:
    """Time stands until it is told to go on."""

    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The clock of people and of pauses."""
    return Clock()


@pytest.fixture
def said() -> list[str]:
    """What the store warns of."""
    return []


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store is to be."""
    return tmp_path / "reconwatch.db"


@pytest.fixture
def opened(path: Path, clock: Clock, said: list[str]) -> Iterator[Callable[..., Store]]:
    """Opens the store at `path`; all that were opened are closed at the end."""
    stores = []

    def open_(**options: object) -> Store:
        stores.append(Store.open(path, **{"warn": said.append, "clock": clock, **options}))  # type: ignore[arg-type]
        return stores[-1]

    yield open_
    for store in stores:
        store.close()
