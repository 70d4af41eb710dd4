"""What an item of `sources` opens."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
from tests.sources.live.taking import Clock, Service

from reconwatch.sources.live import open_feed
from reconwatch.sources.live.drop_folder import DropFolder
from reconwatch.sources.live.files import FilesFeed
from reconwatch.sources.live.redis_feed import Login
from reconwatch.sources.live.redis_lists import ListFeed
from reconwatch.sources.live.redis_streams import StreamFeed
from reconwatch.sources.live.unix_socket import SocketFeed

HEADER = b"#separator \\x09\n#path\t%s\n#open\t2026-11-24-%d-00-00\n#fields\tts\tuid\n"


def zeek(path: bytes, hour: int, *records: bytes) -> bytes:
    return HEADER % (path, hour) + b"".join(record + b"\n" for record in records)


@pytest.mark.parametrize(("entry", "kind"), [
    ({"zeek": "/opt/zeek/logs/current"}, FilesFeed),
    ({"eve": "/var/log/suricata/eve.json"}, FilesFeed),
    ({"logs": "/var/log/squid/access.log"}, FilesFeed),
    ({"unix": "/run/reconwatch/eve.sock"}, SocketFeed),
    ({"captures": "/var/spool/reconwatch"}, DropFolder),
])  # fmt: skip
def test_each_kind_is_opened_and_nothing_is_touched_before_the_first_take(
    entry: dict[str, str], kind: type[object]
) -> None:
    feed = open_feed(entry)
    assert isinstance(feed, kind)
    assert feed.problems() == []
    feed.close()


def test_redis_is_a_list_or_a_stream() -> None:
    pytest.importorskip("redis")
    assert isinstance(open_feed({"redis": "redis://127.0.0.1:1", "list": "suricata"}), ListFeed)
    assert isinstance(open_feed({"redis": "redis://127.0.0.1:1", "stream": "suricata"}), StreamFeed)


def test_a_password_comes_from_a_file_or_the_environment_and_its_absence_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("redis")
    logins: list[Login] = []
    monkeypatch.setattr("reconwatch.sources.live.open.ListFeed", lambda key, login, *rest: logins.append(login))
    (tmp_path / "word").write_text("hunter2\n")
    monkeypatch.setenv("THE_WORD", "hunter3")
    for where in ({"password_file": str(tmp_path / "word")}, {"password_env": "THE_WORD"}, {}, {"password_env": "NO"}):
        open_feed({"redis": "redis://127.0.0.1:1", "list": "a", **where})
    assert [login.password() for login in logins[:3]] == ["hunter2", "hunter3", None]
    with pytest.raises(OSError, match="the environment has no NO"):
        logins[3].password()


def test_the_logs_of_zeekctl_are_followed_into_its_archive_of_days(tmp_path: Path) -> None:
    logs, spool = tmp_path / "logs", tmp_path / "spool"
    (logs / "2026-11-24").mkdir(parents=True)
    spool.mkdir()
    (logs / "current").symlink_to(spool)
    clock = Clock()
    service = Service(lambda: open_feed({"zeek": str(logs / "current")}, clock), clock)
    (spool / "dns.log").write_bytes(zeek(b"dns", 18, b"1\tC1"))
    (spool / "stdout.txt").write_text("no log\n")
    (logs / "2026-11-24" / "dns.17:00:00-18:00:00.log.gz").write_bytes(gzip.compress(zeek(b"dns", 17, b"0\tC0")))
    os.utime(logs / "2026-11-24" / "dns.17:00:00-18:00:00.log.gz", (clock.now - 900, clock.now - 900))
    service.takes()
    service.keeps()
    service.killed()
    for path in (b"dns", b"conn"):
        name = path.decode()
        whole = zeek(path, 18, b"1\tC1", b"2\tC2")
        (logs / "2026-11-24" / f"{name}.18:00:00-19:00:00.log.gz").write_bytes(gzip.compress(whole))
        (spool / f"{name}.log").unlink(missing_ok=True)
    (spool / "dns.log").write_bytes(zeek(b"dns", 19, b"3\tC3"))
    service.starts()
    service.takes(90)
    assert sorted(bytes(data) for data in service.streams.values()) == [
        zeek(b"conn", 18, b"1\tC1", b"2\tC2"), zeek(b"dns", 18, b"1\tC1", b"2\tC2"), zeek(b"dns", 19, b"3\tC3"),
    ]  # fmt: skip


def test_a_folder_of_suricata_is_its_eve_files_those_of_its_threads_too(tmp_path: Path) -> None:
    clock = Clock()
    service = Service(lambda: open_feed({"eve": str(tmp_path)}, clock), clock)
    for name in ("eve.json", "eve.1.json", "eve.2.json", "fast.log", "stats.json"):
        (tmp_path / name).write_text(f'{{"event_type":"dns","file":"{name}"}}\n')
    service.takes()
    assert sorted(chunk.name for chunk in service.chunks) == [
        str(tmp_path / name) for name in ("eve.1.json", "eve.2.json", "eve.json")
    ]


def test_another_output_beside_the_one_that_is_followed_is_left_alone(tmp_path: Path) -> None:
    clock = Clock()
    service = Service(lambda: open_feed({"eve": str(tmp_path / "eve.json")}, clock), clock)
    (tmp_path / "eve.json").write_text('{"event_type":"dns"}\n')
    service.keeps()
    (tmp_path / "eve.alerts.json").write_text('{"event_type":"alert"}\n')
    service.takes(60)
    assert {chunk.name for chunk in service.chunks} == {str(tmp_path / "eve.json")}
