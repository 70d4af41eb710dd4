"""EVE through a real Redis: moved aside, given out, forgotten when kept; each record once over kills and outages."""

from __future__ import annotations

import json
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import ROOT
from tests.sources.live import suricata
from tests.sources.live.redis_server import free_port, serving
from tests.sources.live.taking import Clock, Service

from reconwatch.sources.live.redis_feed import MISSING, Login
from reconwatch.sources.live.redis_lists import ListFeed
from reconwatch.sources.live.redis_streams import StreamFeed


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    port = free_port()
    with serving(tmp_path_factory.mktemp("redis"), port):
        yield port


@pytest.fixture
def server(port: int) -> Iterator[Any]:
    redis = pytest.importorskip("redis")
    client = redis.Redis(port=port)
    client.flushall()
    yield client
    client.close()


Reading = Callable[..., Service]


@pytest.fixture
def read(port: int) -> Iterator[Reading]:
    services: list[Service] = []

    def reading(kind: str, at: int = port, **options: Any) -> Service:
        clock = Clock()
        login = Login(f"redis://127.0.0.1:{at}")

        def make() -> ListFeed | StreamFeed:
            if kind == "stream":
                return StreamFeed("suricata", login, clock=clock, **options)
            return ListFeed("suricata", login, kind, clock=clock, **options)

        services.append(Service(make, clock))
        return services[-1]

    yield reading
    for service in services:
        service.killed()


PAGE = ROOT / "docs" / "site.md"
KINDS = ["lpush", "rpush", "stream"]


def write(server: Any, kind: str, first: int, last: int) -> list[bytes]:
    """As Suricata does in this mode."""
    written = [b'{"event_type":"dns","n":%06d}' % number for number in range(first, last + 1)]
    for record in written:
        if kind == "stream":
            server.xadd("suricata", {"eve": record})
        else:
            getattr(server, kind)("suricata", record)
    return written


@pytest.mark.parametrize("kind", KINDS)
def test_records_come_as_lines_in_the_order_in_which_they_were_sent(server: Any, read: Reading, kind: str) -> None:
    service = read(kind)
    service.takes(1)
    written = write(server, kind, 1, 500)
    taken = service.takes(2, room=4000)
    assert b"".join(chunk.data for chunk in taken).splitlines() == written
    assert len({chunk.stream for chunk in taken}) == 1
    assert {chunk.name for chunk in taken} == {"redis:suricata"}
    assert max(len(chunk.data) for chunk in taken) <= 4000
    assert (taken[1].line, taken[1].head) == (1 + taken[0].data.count(b"\n"), taken[0].data)
    assert service.problems == []


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_kept_is_forgotten_and_what_is_not_is_taken_again(server: Any, read: Reading, kind: str) -> None:
    service = read(kind)
    written = write(server, kind, 1, 50)
    service.takes(1)
    assert waiting(server, kind) == 50
    service.keeps()
    assert waiting(server, kind) == 0
    written += write(server, kind, 51, 60)
    service.takes(1)
    service.restarts()
    again = service.takes(1)
    assert (again[0].offset, again[0].line, again[0].data.splitlines()) == (50 * 32, 51, written[50:])
    assert service.lines == written


def waiting(server: Any, kind: str) -> int:
    """Records that were given out and that Redis still holds for us."""
    if kind == "stream":
        return int(server.xpending("suricata", "reconwatch")["pending"])
    return int(server.llen("suricata:reconwatch"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_mark_that_was_stored_just_before_we_died_counts_although_redis_was_not_told(
    server: Any, read: Reading, kind: str
) -> None:
    service = read(kind)
    written = write(server, kind, 1, 20)
    service.takes(1)
    service.marks()
    service.restarts()
    assert service.takes(1) == []
    written += write(server, kind, 21, 30)
    service.takes(1)
    service.keeps()
    assert service.lines == written
    assert waiting(server, kind) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_every_record_is_read_once_over_kills_at_random(server: Any, read: Reading, kind: str) -> None:
    chance = random.Random(8)
    service = read(kind)
    written: list[bytes] = []
    for _ in range(300):
        match chance.choice(("write", "write", "take", "take", "mark", "keep", "kill")):
            case "write":
                written += write(server, kind, len(written) + 1, len(written) + chance.randint(1, 20))
            case "take":
                service.clock.passes(1)
                service.step(room=chance.choice((1, 200, 5000)))
            case "mark":
                service.marks()
            case "keep":
                service.keeps()
            case "kill":
                service.restarts()
    service.takes(3)
    assert Counter(service.lines) == Counter(written)
    assert b"".join(bytes(data) for data in service.streams.values()).splitlines() == written
    assert service.problems == []
    assert service.gaps == []


@pytest.mark.parametrize("kind", KINDS)
def test_an_outage_of_redis_is_told_and_nothing_is_lost_if_it_persists(
    tmp_path: Path, read: Reading, kind: str
) -> None:
    redis = pytest.importorskip("redis")
    port = free_port()
    service = read(kind, port)
    with serving(tmp_path, port), redis.Redis(port=port) as client:
        written = write(client, kind, 1, 30)
        service.takes(1, room=100)
        service.keeps()
        written += write(client, kind, 31, 60)
        service.step(room=100)
    service.takes(100)
    (told,) = service.problems
    assert told.startswith("redis:suricata: Redis cannot be used: ")
    with serving(tmp_path, port), redis.Redis(port=port) as client:
        service.takes(60)
        written += write(client, kind, 61, 70)
        service.takes(2)
        service.keeps()
        assert service.lines == written
        assert waiting(client, kind) == 0
        service.killed()
    assert [problem for problem in service.problems[1:] if "is well again" in problem] == service.problems[1:]
    assert service.gaps == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_redis_that_lost_everything_is_told_as_a_gap(server: Any, read: Reading, kind: str) -> None:
    service = read(kind)
    write(server, kind, 1, 30)
    service.takes(1)
    service.keeps()
    server.flushall()
    service.restarts()
    service.clock.passes(60)
    write(server, kind, 31, 40)
    service.takes(5)
    assert len(service.lines) == 40 if kind != "stream" else 10
    assert len(service.gaps) == 1
    assert "Redis has lost what it held" in service.problems[0]


def test_what_suricata_trimmed_before_it_was_read_is_told_as_a_gap(server: Any, read: Reading) -> None:
    service = read("stream")
    write(server, "stream", 1, 30)
    service.takes(1)
    service.keeps()
    write(server, "stream", 31, 60)
    server.xtrim("suricata", maxlen=10, approximate=False)
    service.takes(5)
    service.keeps()
    assert len(service.lines) == 40
    assert len(service.gaps) == 1
    assert [problem for problem in service.problems if "20 entries were cut off before they were read" in problem]


def test_an_entry_that_is_no_eve_is_left_out_and_told(server: Any, read: Reading) -> None:
    server.xadd("suricata", {"other": "x"})
    service = read("stream")
    written = write(server, "stream", 1, 2)
    service.takes(1)
    service.keeps()
    assert service.lines == written
    assert service.problems == ["redis:suricata: 1 entries have no field eve and were left out; is it EVE?"]
    assert waiting(server, "stream") == 0


def test_a_record_with_newlines_in_it_is_one_line(server: Any, read: Reading) -> None:
    server.lpush("suricata", b'{"a":1}\n{"b":2}\r\n')
    service = read("lpush")
    service.takes(1)
    assert service.lines == [b'{"a":1} {"b":2}']


def test_the_wrong_kind_of_key_is_told_with_what_to_write(server: Any, read: Reading) -> None:
    write(server, "stream", 1, 1)
    service = read("lpush")
    service.takes(40)
    assert service.problems == [
        "redis:suricata: the key is of another kind; list: for Suricata's modes list, lpush and rpush, stream: for xadd"
    ]
    server.delete("suricata")
    written = write(server, "lpush", 1, 2)
    service.takes(40)
    assert service.lines == written


def test_a_password_is_needed_and_never_told(tmp_path: Path) -> None:
    pytest.importorskip("redis")
    port = free_port()
    clock = Clock()
    words = [None, "wrong", "hunter2"]
    with serving(tmp_path, port, "--requirepass", "hunter2"):
        feed = ListFeed("suricata", Login(f"redis://127.0.0.1:{port}", lambda: words.pop(0)), clock=clock)
        for _ in range(3):
            feed.take(100)
            clock.passes(30)
        told = feed.problems()
        feed.close()
    assert told == [
        "redis:suricata: Redis does not let us in; password_file: or password_env:, and the user before the @ of the"
        " URL",
        "redis:suricata: is well again (was: Redis does not let us in)",
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_a_user_who_may_do_no_more_than_the_page_says_is_enough(server: Any, port: int, kind: str) -> None:
    row = "stream" if kind == "stream" else "list"
    (needed,) = re.findall(rf"^\| `{row}` .* A user needs `([a-z| ]+)` on", PAGE.read_text(), re.MULTILINE)
    commands = [f"+{command}" for command in needed.split()]
    server.acl_setuser("reader", enabled=True, passwords=["+hunter2"], keys=["suricata*"], commands=commands)
    written = write(server, kind, 1, 5)
    clock = Clock()
    login = Login(f"redis://reader@127.0.0.1:{port}", lambda: "hunter2")

    def make() -> ListFeed | StreamFeed:
        if kind == "stream":
            return StreamFeed("suricata", login, clock=clock)
        return ListFeed("suricata", login, kind, clock=clock)

    service = Service(make, clock)
    service.takes(1)
    service.keeps()
    service.restarts()
    service.takes(1)
    assert service.problems == []
    assert service.lines == written
    assert waiting(server, kind) == 0
    service.killed()


def test_without_the_package_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ModuleNotFoundError, match=r"^EVE through Redis needs the redis package: pip install") as caught:
        ListFeed("suricata", Login("redis://127.0.0.1"))
    assert str(caught.value) == MISSING


@pytest.mark.parametrize("mode", ["list", "lpush", "rpush", "xadd"])
def test_suricata_s_eve_comes_whole_through_redis_over_kills(
    server: Any, read: Reading, port: int, tmp_path: Path, mode: str
) -> None:
    kind = {"list": "lpush", "xadd": "stream"}.get(mode, mode)
    service = read(kind)
    redis = {"server": "127.0.0.1", "port": port, "mode": mode, "key": "suricata"}
    process = suricata.started(
        tmp_path, {"filetype": "redis", "redis": redis}, {"filetype": "regular", "filename": "eve.json"}
    )
    chance = random.Random(mode)
    while process.poll() is None:
        service.clock.passes(1)
        service.step(room=2000)
        if chance.random() < 0.1:
            service.keeps()
        if chance.random() < 0.1:
            service.restarts()
    if mode == "xadd" and b"Suricata version 7" in (tmp_path / "suricata.txt").read_bytes():
        pytest.skip("this Suricata knows no streams; 8 does")
    assert process.returncode == 0, (tmp_path / "suricata.txt").read_text()
    service.takes(3)
    written = (tmp_path / "eve.json").read_bytes().splitlines()
    assert len(written) > 20
    assert Counter(map(without_host, service.lines)) == Counter(map(without_host, written))
    assert service.problems == []


def without_host(line: bytes) -> str:
    """A record without the name of the host, which Suricata adds for Redis only."""
    record = json.loads(line)
    record.pop("host", None)
    return json.dumps(record)
