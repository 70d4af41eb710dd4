"""Notices that are easily told apart, a clock that is set by hand, and stores that close themselves."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from reconwatch.notices import Notice, Reason
from reconwatch.sightings import Actor, Evidence, Target
from reconwatch.store import Delivery, Store
from reconwatch.store.output import Output, Refused, Unreachable

NOON = 1_795_521_600.0  # 2026-11-24T12:00:00Z
FOREVER = 1e18
"""A deadline that never comes."""


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


class Sink:
    """Takes what it is given, or fails as it is told."""

    slow = False

    def __init__(self, name: str = "sink") -> None:
        self.name = name
        self.got: list[int] = []
        self.asked = 0
        self.down: str | None = None
        self.refuses: set[int] = set()
        self.final = False
        self.wants: Callable[[Notice], bool] = lambda notice: True
        self.resumed: list[bytes | None] = []

    def accepts(self, notice: Notice) -> bool:
        return self.wants(notice)

    def resume(self, place: bytes | None) -> None:
        self.resumed.append(place)

    def send(self, notices: Sequence[Notice]) -> None:
        self.asked += 1
        if self.down is not None:
            raise Unreachable(self.down)
        for taken, each in enumerate(notices):
            number = int(each.id[3:], 16)
            if number in self.refuses:
                raise Refused(f"no {number}", taken, final=self.final)
            self.got.append(number)

    def place(self) -> bytes:
        return b"%d" % len(self.got)

    def problems(self) -> list[str]:
        return []

    def close(self) -> None:
        pass


def numbered(*numbers: int) -> list[Notice]:
    return [notice(number) for number in numbers]


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
def public() -> Iterator[Path]:
    """A folder that other users may enter, as those of pytest may not be."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


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


@pytest.fixture
def deliver(opened: Callable[..., Store], clock: Clock) -> Callable[..., tuple[Store, Delivery]]:
    """A store and the delivery from it; half of the jitter."""

    def made(*outputs: Output, **options: object) -> tuple[Store, Delivery]:
        store = opened()
        return store, Delivery(
            store,
            outputs,
            ticks=clock,
            clock=clock,
            jitter=lambda: 1.0,
            **options,  # type: ignore[arg-type]
        )

    return made
