"""Who watches the service sees it as it is, and never slows it down."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from reconwatch.live import Live
from reconwatch.notify import Notify
from reconwatch.service import Service
from reconwatch.sources.live import Chunk
from reconwatch.sources.live.files import FilesFeed
from reconwatch.status import read, status_file
from reconwatch.store import Delivery, Store
from reconwatch.vitals import Made
from reconwatch.watched import Watched
from tests.story import CATALOG, NOON, SITE

LINE = b'{"timestamp":"2026-11-24T12:00:00.000000+0000","event_type":"dns"}\n'


class Told(Notify):
    """Remembers what systemd would hear."""

    def __init__(self) -> None:
        super().__init__({})
        self.heard: list[str] = []

    def _tell(self, text: str) -> None:
        self.heard.append(text.partition("\n")[0])


class Scene:
    def __init__(self, folder: Path) -> None:
        self.folder, self.now, self.said, self.notify = folder, 100.0, [], Told()
        self.log = folder / "eve.json"
        self.log.write_bytes(LINE + b"not json\n")
        self.store = Store.open(folder / "store" / "reconwatch.db")
        feed = FilesFeed("eve", [str(self.log)], [], clock=lambda: self.now)
        self.service = Service(Live(CATALOG, SITE), [feed], self.store, Delivery(self.store, []), say=self.said.append)
        self.watched = Watched(
            self.service, Made("2026-11-24"), None, say=self.said.append, notify=self.notify,
            ticks=lambda: self.now, clock=lambda: NOON + self.now,
        )  # fmt: skip

    @property
    def file(self) -> Path:
        return status_file(self.folder / "store" / "reconwatch.db")

    def turn(self, seconds: float = 1.0) -> None:
        self.now += seconds
        self.service.turn()
        self.watched.turned()


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    (tmp_path / "store").mkdir()
    made = Scene(tmp_path)
    made.service.begin()
    yield made
    made.watched.close()
    made.store.close()


def test_the_loop_is_looked_at_once_a_second_however_often_it_turns(scene: Scene) -> None:
    scene.watched.begun()
    first = scene.watched.board.vitals
    for _ in range(9):
        scene.turn(0.1)
        assert scene.watched.board.vitals is first
        assert scene.watched.board.turned == scene.now
    scene.turn(0.2)
    assert scene.watched.board.vitals is not first


def test_it_is_ready_once_all_that_was_there_is_read_and_stays_so(scene: Scene) -> None:
    for _ in range(5):
        scene.turn()
    vitals = scene.watched.board.vitals
    assert vitals is not None
    assert (vitals.ready, vitals.caught_up, vitals.bytes) == (True, True, len(LINE) + 9)
    assert vitals.skipped["not a JSON object"] == 1
    with scene.log.open("ab") as log:
        log.write(b"{}\n" * 5_000_000)
    scene.turn()
    vitals = scene.watched.board.vitals
    assert vitals is not None
    assert (vitals.ready, vitals.caught_up) == (True, False)
    assert vitals.lag > 0


def test_the_status_file_is_written_every_five_seconds_and_after_a_reload(scene: Scene) -> None:
    scene.turn()
    first = read(scene.file)
    scene.turn()
    assert read(scene.file) == first
    scene.watched.reloading()
    scene.watched.reloaded(Made("2026-11-25"), ["owned domains: 0 instead of 3"])
    assert read(scene.file).reload.refused == ("owned domains: 0 instead of 3",)
    assert read(scene.file).vitals.made.catalog == "2026-11-25"
    scene.turn(6.0)
    assert read(scene.file).vitals.at > first.vitals.at + 5


def test_a_status_file_that_cannot_be_written_is_told_once_and_stops_nothing(scene: Scene) -> None:
    scene.turn()
    scene.file.unlink()
    (scene.file / "in the way").mkdir(parents=True)
    for _ in range(4):
        scene.turn(6.0)
    assert [line.partition(" cannot")[0] for line in scene.said if "cannot be written" in line] == [f"{scene.file}:"]
    (scene.file / "in the way").rmdir()
    scene.file.rmdir()
    scene.turn(6.0)
    assert read(scene.file).vitals.ready


def test_systemd_hears_of_the_whole_life(scene: Scene) -> None:
    scene.watched.begun()
    scene.turn()
    scene.watched.reloading()
    scene.watched.reloaded(Made(""), [])
    scene.watched.ending()
    heard = [line for line in scene.notify.heard if not line.startswith("STATUS=")]
    assert heard == ["READY=1", "RELOADING=1", "READY=1", "STOPPING=1"]
    assert "STATUS=0 notices kept" in scene.notify.heard


def test_what_could_not_be_read_stays_counted_when_its_file_is_over_and_after_a_reload() -> None:
    live = Live(CATALOG, SITE)
    live.read(Chunk("one", "one", LINE + b"not json\n", 0, 1, LINE, last=True))
    live.read(Chunk("two", "two", LINE + b"not json\n", 0, 1, LINE))
    assert live.unreadable["not a JSON object"] == 2
    other = Live(CATALOG, SITE)
    other.take_over(live)
    assert other.unreadable == live.unreadable
