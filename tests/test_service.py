"""The service over a log that is tortured while it runs: killed at any moment, it loses nothing and repeats nothing."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import json
import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import pytest

from reconwatch.catalog import Catalog
from reconwatch.live import Live
from reconwatch.notices import Notice
from reconwatch.service import Service
from reconwatch.snapshot import VERSION
from reconwatch.sources.live import Chunk, Feed
from reconwatch.sources.live.files import FilesFeed
from reconwatch.sources.live.redis_feed import Login
from reconwatch.sources.live.redis_lists import ListFeed
from reconwatch.sources.live.redis_streams import StreamFeed
from reconwatch.store import Delivery, Reader, Store, StoreError
from reconwatch.store.outputs import FileOutput
from tests.sources.live.redis_server import free_port, serving
from tests.story import CATALOG, NOON, SITE

HOSTS = ("www.shodan.io", "api.shodan.io", "crt.sh", "www.example.org", "update.example.net")


def lines(count: int, seed: int) -> list[bytes]:
    """EVE of three hours: clients that search, clients that do not, strangers that come to us."""
    chance = random.Random(seed)
    return [record(NOON + number * 10_800 / count, number, chance) for number in range(count)]


def record(ts: float, number: int, chance: random.Random) -> bytes:
    client, host = f"10.20.1.{chance.randrange(10, 16)}", chance.choice(HOSTS)
    event = {
        "timestamp": datetime.fromtimestamp(ts, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f+0000"), "flow_id": number,
        "src_ip": client, "src_port": 1024 + number % 60_000, "dest_ip": "198.18.4.2", "dest_port": 443, "proto": "TCP",
    }  # fmt: skip
    match chance.randrange(4):
        case 0:
            target = f"203.0.113.{chance.randrange(1, 6)}" if chance.random() < 0.2 else "8.8.8.8"
            uri = f"/shodan/host/{target}?q={target}"
            event |= {"event_type": "http", "dest_port": 80}
            event["http"] = {"hostname": host, "url": uri, "http_method": "GET", "http_user_agent": "curl/8"}
        case 1:
            event |= {"event_type": "dns", "dest_port": 53, "proto": "UDP", "dest_ip": "10.20.0.53"}
            event["dns"] = {"type": "query", "id": number % 65_536, "rrname": host, "rrtype": "A", "tx_id": 0}
        case 2:
            event |= {"event_type": "tls"}
            event["tls"] = {"sni": host, "version": "TLS 1.3"}
        case _:
            event |= {"event_type": "flow", "src_ip": f"192.0.2.{chance.randrange(1, 4)}"}
            event |= {"dest_ip": f"203.0.113.{chance.randrange(1, 60)}", "dest_port": chance.randrange(20, 60)}
            event["flow"] = {"start": event["timestamp"], "pkts_toserver": 1, "pkts_toclient": 0, "state": "new"}
            event["tcp"] = {"tcp_flags_ts": "02", "tcp_flags_tc": "00", "syn": True}
    return json.dumps(event).encode() + b"\n"


def whole(all_lines: list[bytes]) -> list[Notice]:
    """What a run says that reads all lines at once."""
    live = Live(CATALOG, SITE)
    live.read(Chunk("eve", "eve.json", b"".join(all_lines), 0, 1, b"".join(all_lines[:20])))
    live.wait_for(())
    return list(live.notices())


def uninterrupted(all_lines: list[bytes]) -> set[tuple[str, int]]:
    return {(notice.id, notice.rev) for notice in whole(all_lines)}


def a_second_a_look() -> Callable[[], float]:
    """The clock by which the feed waits for what may come: lives last for milliseconds, and machines may be slow."""
    passed = itertools.count(int(time.time()))
    return lambda: float(next(passed))


class Sensor:
    """A folder with a log that is written and rotated, and a service over it."""

    def __init__(self, folder: Path, catalog: Catalog = CATALOG) -> None:
        self.log, self.archive = folder / "log" / "eve.json", folder / "old"
        self.log.parent.mkdir()
        self.archive.mkdir()
        self.database, self.out = folder / "store" / "reconwatch.db", folder / "notices.jsonl"
        self.database.parent.mkdir()
        self._catalog, self._rotations = catalog, 0

    def feed(self) -> Feed:
        return FilesFeed("eve", [str(self.log)], [f"{self.archive}/*"], clock=a_second_a_look())

    @contextlib.contextmanager
    def service(self, say: Callable[[str], None] = lambda line: None) -> Iterator[Service]:
        with Store.open(self.database) as store:
            feed = self.feed()
            delivery = Delivery(store, [FileOutput(self.out, "jsonl")])
            live = Live(self._catalog, SITE, now=time.time)
            # Little is read at once, so that a process which lives for milliseconds gets somewhere.
            service = Service(live, [feed], store, delivery, say=say, snapshot_every=0.0, room=10_000)
            service.begin()
            yield service

    def killed_after(self, turns: int, write: Iterator[None], chance: random.Random) -> None:
        """Run the service in a process of its own while `write` goes on, and kill it within a later turn."""
        told, tell = os.pipe()
        child = os.fork()
        if not child:
            with self.service() as service:
                while True:
                    if not service.turn():
                        time.sleep(0.001)
                    os.write(tell, b".")
        os.close(tell)
        os.set_blocking(told, False)
        while turns > 0:
            next(write, None)
            time.sleep(0.001)
            with contextlib.suppress(BlockingIOError):
                turns -= len(os.read(told, turns))
        time.sleep(chance.uniform(0, 0.02))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(told)

    def writes(self, all_lines: list[bytes], chance: random.Random) -> Iterator[None]:
        """Append everything, in pieces that end anywhere, and rotate now and then."""
        data, done = b"".join(all_lines), 0
        while done < len(data):
            size = chance.randrange(1, 4_000)
            with self.log.open("ab") as file:
                file.write(data[done : done + size])
            done += size
            if chance.random() < 0.01 and data[:done].endswith(b"\n"):
                self.rotate(chance)
            elif chance.random() < 0.02 and done < len(data):
                rest = data.find(b"\n", done) + 1
                with self.log.open("ab") as file:
                    file.write(data[done:rest])
                done = rest
                self.rotate(chance)
            yield

    def rotate(self, chance: random.Random) -> None:
        self._rotations += 1
        name = f"eve.json-{self._rotations:04}"
        moved = self.log.rename((self.archive if chance.random() < 0.5 else self.log.parent) / name)
        if chance.random() < 0.6:
            with moved.open("rb") as plain, gzip.open(f"{moved}.part", "wb") as packed:
                shutil.copyfileobj(plain, packed)
            Path(f"{moved}.part").rename(self.archive / f"{name}.gz")
            moved.unlink()
        elif moved.parent != self.archive:
            moved.rename(self.archive / name)

    def cut_in_place(self, chance: random.Random) -> None:
        """As logrotate's `copytruncate`; nothing is written between the copy and the cut."""
        self._rotations += 1
        shutil.copyfile(self.log, self.archive / f"eve.json-{self._rotations:04}")
        os.truncate(self.log, 0)

    def stored(self) -> list[tuple[str, int]]:
        with Reader.open(self.database) as reader:
            return [(notice.id, notice.rev) for notice in reader.notices()]

    def written(self) -> list[tuple[str, int]]:
        return [(each["id"], each["rev"]) for each in map(json.loads, self.out.read_text().splitlines())]


def killed(sensor: Sensor, write: Iterator[None]) -> set[tuple[str, int]]:
    """Kill the service two hundred times while `write` goes on; what was said in the end, each once."""
    chance = random.Random(11)
    for _ in range(200):
        sensor.killed_after(chance.randrange(16), write, chance)
    before = len(sensor.stored())
    for _ in write:
        pass
    with sensor.service() as service:
        settles(service)
        assert service.live.disordered == 0
        service.end()
    stored = sensor.stored()
    assert before > 50  # much was said by services that were killed
    assert len(stored) == len(set(stored))
    assert sorted(sensor.written()) == sorted(stored)
    return set(stored)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three hours pass in seconds: what is found late by those comes late by minutes."""
    monkeypatch.setattr("reconwatch.service.SNAPSHOT_SHARE", 0)
    monkeypatch.setattr("reconwatch.live.REORDER", 2_000.0)


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("how", ["renamed and packed", "copytruncate"])
def test_killed_while_its_log_is_rotated_it_loses_and_repeats_nothing(tmp_path: Path, how: str) -> None:
    sensor, chance, all_lines = Sensor(tmp_path), random.Random(7), lines(10_000, seed=7)
    if how == "copytruncate":
        sensor.rotate = sensor.cut_in_place  # type: ignore[method-assign]
    expected = uninterrupted(all_lines)  # before the forks: what is compiled here need not be there

    def writes() -> Iterator[None]:
        yield from sensor.writes(all_lines, chance)
        sensor.rotate(chance)

    assert killed(sensor, writes()) == expected


class ByRedis(Sensor):
    """The same, told through Redis as Suricata does: a list that it pushes to, or a stream."""

    def __init__(self, folder: Path, port: int, kind: str) -> None:
        super().__init__(folder)
        self._login, self._kind, self._port = Login(f"redis://127.0.0.1:{port}", lambda: None), kind, port

    def feed(self) -> Feed:
        return ListFeed("suricata", self._login) if self._kind == "list" else StreamFeed("suricata", self._login)

    def pushes(self, all_lines: list[bytes]) -> Iterator[None]:
        import redis

        with redis.Redis(port=self._port) as client:
            for start in range(0, len(all_lines), 8):
                pipe = client.pipeline()
                for line in all_lines[start : start + 8]:
                    record = line.rstrip(b"\n")
                    if self._kind == "list":
                        pipe.lpush("suricata", record)
                    else:
                        pipe.xadd("suricata", {"eve": record})
                pipe.execute()
                yield


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("kind", ["list", "stream"])
def test_killed_while_redis_is_pushed_to_it_loses_and_repeats_nothing(tmp_path: Path, kind: str) -> None:
    pytest.importorskip("redis")
    all_lines = lines(10_000, seed=8)
    expected, port = uninterrupted(all_lines), free_port()
    (tmp_path / "redis").mkdir()
    with serving(tmp_path / "redis", port):
        sensor = ByRedis(tmp_path, port, kind)
        assert killed(sensor, sensor.pushes(all_lines)) == expected


@pytest.fixture
def sensor(tmp_path: Path) -> Sensor:
    return Sensor(tmp_path)


def settles(service: Service) -> None:
    """All that is there is read, and what there is to say is kept."""
    idle = 0
    while idle < 100:
        idle = 0 if service.turn() else idle + 1
        time.sleep(0 if idle < 10 else 0.005)


def test_what_is_under_way_survives_a_reload_of_the_settings(sensor: Sensor) -> None:
    all_lines = lines(3_000, seed=3)
    half = len(all_lines) // 2
    with sensor.service() as service:
        sensor.log.write_bytes(b"".join(all_lines[:half]))
        settles(service)
        service.replace(Live(CATALOG, SITE, now=time.time))
        with sensor.log.open("ab") as log:
            log.write(b"".join(all_lines[half:]))
        settles(service)
        service.end()
    assert set(sensor.stored()) == uninterrupted(all_lines)


def test_a_service_of_the_catalog_that_is_gone_after_a_reload_ends_nothing_else(sensor: Sensor) -> None:
    all_lines = lines(2_000, seed=4)
    half = len(all_lines) // 2
    fewer = Catalog([each for each in CATALOG.services.values() if each.id != "crt-sh"])
    with sensor.service() as service:
        sensor.log.write_bytes(b"".join(all_lines[:half]))
        settles(service)
        service.replace(Live(fewer, SITE, now=time.time))
        with sensor.log.open("ab") as log:
            log.write(b"".join(all_lines[half:]))
        settles(service)
        service.end()
    shodan = {notice.id for notice in whole(all_lines) if notice.services == ("shodan",)}
    assert shodan <= {id for id, _ in sensor.stored()}


def test_while_the_store_can_keep_nothing_nothing_is_read_and_then_everything_is(sensor: Sensor) -> None:
    all_lines, said = lines(1_000, seed=5), []
    with sensor.service() as service:
        service._say = said.append
        settles(service)
        before = service.counts.bytes
        service._ticks = iter(range(10**6)).__next__  # a second a look: it is asked again at once
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(service.store, "emit", refused)
            sensor.log.write_bytes(b"".join(all_lines))
            for _ in range(50):
                service.turn()
            read = service.counts.bytes
            for _ in range(50):
                service.turn()
            assert service.counts.bytes == read
            assert read - before < len(b"".join(all_lines))
            assert "the disk is full" in (service.trouble or "")
        settles(service)
        service.end()
    assert set(sensor.stored()) == uninterrupted(all_lines)
    assert [line for line in said if "nothing more is read" in line or "reading goes on" in line] == [
        "the disk is full; nothing more is read until the store keeps notices again",
        "the store keeps notices again: reading goes on",
    ]


def refused(notices: object) -> NoReturn:
    raise StoreError("full", "the disk is full")


def test_a_state_of_another_version_is_told_and_reading_goes_on_where_it_ended(sensor: Sensor) -> None:
    all_lines, said = lines(500, seed=6), []
    sensor.log.write_bytes(b"".join(all_lines))
    with sensor.service() as service:
        settles(service)
        service.end()
    with sensor.service(say=said.append) as service:
        assert said == []
        settles(service)
        assert service.counts.bytes == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("reconwatch.snapshot.VERSION", VERSION + 1)
        with sensor.service(say=said.append) as service:
            settles(service)
            assert service.counts.bytes == 0
    (told,) = said
    assert f"it is of version {VERSION}, this is {VERSION + 1}; reading goes on where it ended" in told


def test_input_that_comes_faster_than_it_is_judged_is_told_and_so_is_its_end(sensor: Sensor) -> None:
    said: list[str] = []
    with sensor.service(say=said.append) as service, pytest.MonkeyPatch.context() as patch:
        settles(service)
        said.clear()
        service._ticks = itertools.count(time.monotonic() + 10.0).__next__  # a second a look
        waiting = [200 << 20] * 300 + [0] * 10
        patch.setattr(service, "lag", lambda: {"eve": waiting.pop(0) if waiting else 0})
        for _ in range(310):
            service._watch_lag()
    assert len(said) == 2
    assert "200 MiB have waited to be read for a minute and more" in said[0]
    assert said[1] == "input has been caught up with"
