"""`sources` of site.yaml: what is followed, and what is refused, with its line and what to write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reconwatch.site import check, load_site

NOW = 1_795_521_600.0
OWNED = "owned:\n  domains: [acme.com]\nsources:\n"
FULL = f"""\
{OWNED}  - {{zeek: /opt/zeek/logs/current, archive: /opt/zeek/logs}}
  - {{eve: "/var/log/suricata/eve*.json", archive: /var/log/suricata/old/, from: end}}
  - {{logs: /var/log/squid/access.log}}
  - {{unix: /run/reconwatch/eve.sock, mode: "0660"}}
  - {{redis: "redis://127.0.0.1:6379", list: suricata, push: rpush, password_env: REDIS_PASSWORD}}
  - {{redis: "rediss://reader@redis.acme.com/2", stream: suricata, from: start, password_file: /etc/reconwatch/redis}}
  - {{websocket: "ws://127.0.0.1:27759"}}
  - {{websocket: "wss://[2001:DB8::1]:443/v1/messages/json", ca_file: /etc/reconwatch/zeek.pem}}
  - {{captures: /var/spool/reconwatch}}
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Writes a site.yaml into the working directory."""
    monkeypatch.chdir(tmp_path)

    def written(text: str) -> Path:
        Path("site.yaml").write_text(text)
        return Path("site.yaml")

    return written


def test_what_is_followed_is_read_and_comes_back_from_the_cache(write: Callable[[str], Path]) -> None:
    path = write(FULL)
    for _ in range(2):
        assert load_site(path, now=NOW).sources == (
            {"zeek": "/opt/zeek/logs/current", "archive": "/opt/zeek/logs"},
            {"eve": "/var/log/suricata/eve*.json", "archive": "/var/log/suricata/old/", "from": "end"},
            {"logs": "/var/log/squid/access.log"},
            {"unix": "/run/reconwatch/eve.sock", "mode": "0660"},
            {"redis": "redis://127.0.0.1:6379", "list": "suricata", "push": "rpush", "password_env": "REDIS_PASSWORD"},
            {
                "redis": "rediss://reader@redis.acme.com/2", "stream": "suricata", "from": "start",
                "password_file": "/etc/reconwatch/redis",
            },
            {"websocket": "ws://127.0.0.1:27759"},
            {"websocket": "wss://[2001:db8::1]:443", "ca_file": "/etc/reconwatch/zeek.pem"},
            {"captures": "/var/spool/reconwatch"},
        )  # fmt: skip


@pytest.mark.parametrize(("item", "message"), [
    ("{}", "a source without an input; write one of zeek, eve, logs, unix, redis, websocket, captures"),
    ("zeek: /a, eve: /b", "one source has zeek and eve; write one source for each"),
    ("zeke: /a", "unknown key 'zeke'; write 'zeek'"),
    ("zeek: logs/current", "'logs/current' is no absolute path, and a service has no folder of its own; write it from"
     " / on"),
    ("zeek: 5", "5 is not a path; write one like /opt/zeek/logs/current"),
    ("eve: /var/../etc/x", "'/var/../etc/x' goes up with '..'; write the path itself"),
    ("logs: /var/log/squid/", "'/var/log/squid/' fits no file; write '/var/log/squid/*.log'"),
    ("eve: /a, from: now", "'now' is not one of start, end"),
    ("eve: /a, mode: '0600'", "'mode' says nothing of eve: it is for unix:; write the source without mode"),
    ("unix: /run/a.sock, from: end", "'from' says nothing of unix: it is for zeek:, eve:, logs:, redis:, captures:;"
     " write the source without from"),
    ("unix: /run/a/", "'/run/a/' is a folder; write '/run/a/eve.sock'"),
    ("unix: /run/*.sock", "'/run/*.sock' is a pattern; this is one place; write an item of sources for each"),
    (f"unix: /run/{'x' * 120}", "a socket's path has at most 107 bytes; write a shorter one, such as below /run"),
    ("unix: /run/a, mode: 0666", 'mode 0666 lets everybody write events; write "0600" or "0660"'),
    ("unix: /run/a, mode: 0060", 'mode 0060 keeps us out ourselves; write "0600" or "0660"'),
    ("unix: /run/a, mode: rw", "'rw' is not a mode; write \"0600\" (this user alone) or \"0660\" (its group, too)"),
    ("websocket: 'ws://127.0.0.1'", "'ws://127.0.0.1' is not the address of Zeek's WebSocket API; write one like"
     " ws://127.0.0.1:27759"),
    ("websocket: 'http://h:1'", "'http://h:1' is not the address of Zeek's WebSocket API; write one like"
     " ws://127.0.0.1:27759"),
    ("websocket: 5", "5 is not the address of Zeek's WebSocket API; write one like ws://127.0.0.1:27759"),
    ("websocket: 'ws://u:hunter2@h:1'", "Zeek asks nobody who he is; write it without a user, like"
     " ws://127.0.0.1:27759"),
    ("websocket: 'ws://h:99999'", "this is not the address of Zeek's WebSocket API; write one like"
     " ws://127.0.0.1:27759"),
    ("websocket: 'ws://h:1/v2'", "Zeek closes every path but /v1/messages/json; write it without a path"),
    ("websocket: 'ws://h:1', ca_file: /a", "'ca_file' says nothing of ws://, which is not encrypted; write wss://, or"
     " no ca_file"),
    ("websocket: 'ws://h:1', from: end", "'from' says nothing of websocket: it is for zeek:, eve:, logs:, redis:,"
     " captures:; write the source without from"),
    ("redis: 'redis://h'", "redis needs the key to read; write list: (Suricata's modes list, lpush, rpush) or stream:"
     " (its mode xadd)"),
    ("redis: 'redis://h', list: a, stream: b", "one source has list and stream; write list: (Suricata's modes list,"
     " lpush, rpush) or stream: (its mode xadd)"),
    ("redis: 'redis://u:hunter2@h', list: a", "a password does not belong into site.yaml; write password_file: or"
     " password_env: beside it"),
    ("redis: 'redis://h?password=hunter2', list: a", "a password does not belong into site.yaml; write password_file:"
     " or password_env: beside it"),
    ("redis: 'redis://h', list: a, password_env: 'hunter 2'", "this is not the name of an environment variable; write"
     " one like REDIS_PASSWORD"),
    ("redis: 'redis://h', list: a, password_env: A, password_file: /b", "the password is in two places; write"
     " password_file or password_env"),
    ("redis: '127.0.0.1', list: a", "'127.0.0.1' is not the address of a Redis; write one like redis://127.0.0.1:6379"),
    ("redis: 'redis://h:99999', list: a", "this is not the address of a Redis; write one like redis://127.0.0.1:6379"),
    ("redis: 'redis:///', list: a", "'redis:///' names no host and database; write it like redis://127.0.0.1:6379/0"),
    ("redis: 'unix:redis.sock', list: a", "'unix:redis.sock' names no socket; write it like"
     " unix:///run/redis/redis.sock"),
    ("redis: 'redis://h', stream: a, push: lpush", "'push' says nothing of a stream; write it with list:, or not"),
    ("redis: 'redis://h', list: a, from: end", "'from' says nothing of a list: what is in it was not read; write it"
     " with stream:, or not"),
    ("redis: 'redis://h', list: 5", "5 is not a name; write what suricata.yaml has as key, by default suricata"),
    ("captures: /in, archive: /old", "'archive' says nothing of captures: it is for zeek:, eve:, logs:; write the"
     " source without archive"),
])  # fmt: skip
def test_what_is_wrong_is_told_with_its_line_and_what_to_write(
    write: Callable[[str], Path], item: str, message: str
) -> None:
    item = item if item.startswith("{") else f"{{{item}}}"
    assert [str(problem) for problem in check(write(f"{OWNED}  - {item}\n"), now=NOW)] == [f"site.yaml:4: {message}"]
