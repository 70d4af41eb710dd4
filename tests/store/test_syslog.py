"""Notices over syslog, to listeners of our own: a message each, bounded, and nothing in it can pass for another."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.store.conftest import notice

from reconwatch.sightings import Actor, Target
from reconwatch.store.output import Refused, Unreachable
from reconwatch.store.outputs import Wanted
from reconwatch.store.syslog import LONGEST, SyslogOutput

HEAD = re.compile(rb"<(\d+)>1 2026-11-24T12:01:00\.000000Z [!-~]+ reconwatch \d+ Targeted_Search - ")


@pytest.fixture
def udp() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        yield listener


@pytest.fixture
def tcp() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


Made = Callable[[str], SyslogOutput]


@pytest.fixture
def output() -> Iterator[Made]:
    """Makes sinks that are closed at the end."""
    made = []

    def output_(address: str) -> SyslogOutput:
        made.append(SyslogOutput(address, Wanted()))
        return made[-1]

    yield output_
    for each in made:
        each.close()


def port(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


def framed(stream: bytes) -> list[bytes]:
    """Messages of a stream with octet counts."""
    found = []
    while stream:
        count, _, rest = stream.partition(b" ")
        found.append(rest[: int(count)])
        stream = rest[int(count) :]
    return found


def test_over_udp_each_notice_is_a_message_of_rfc_5424(udp: socket.socket, output: Made) -> None:
    out = output(f"udp://127.0.0.1:{port(udp)}")
    out.send([notice(1), notice(1, rev=2, verdict="investigate"), notice(1, rev=3, verdict="monitor")])
    heads = []
    for rev in (1, 2, 3):
        message = udp.recv(65_536)
        head = HEAD.match(message)
        assert head is not None
        heads.append(int(head[1]))
        told = json.loads(message[head.end() :])
        assert (told["id"], told["rev"], told["actor"]) == (notice(1).id, rev, "10.20.1.11")
        assert told["targets"] == ["203.0.113.10"]
    assert heads == [130, 132, 134]  # local0: critical, warning, informational


def test_over_tcp_messages_are_counted_so_that_none_holds_the_end_of_another(tcp: socket.socket, output: Made) -> None:
    out = output(f"tcp://127.0.0.1:{port(tcp)}")
    out.send([notice(1, msg="a\n<130>1 forged"), notice(1, rev=2)])
    peer, _ = tcp.accept()
    out.close()
    with peer:
        messages = framed(b"".join(iter(lambda: peer.recv(65_536), b"")))
    assert [json.loads(each[each.index(b"{") :])["rev"] for each in messages] == [1, 2]
    assert all(b"\n" not in each for each in messages)


def test_a_peer_that_went_is_connected_to_again(tcp: socket.socket, output: Made) -> None:
    out = output(f"tcp://127.0.0.1:{port(tcp)}")
    out.send([notice(1)])
    peer, _ = tcp.accept()
    peer.recv(65_536)
    peer.close()
    out.send([notice(2)])
    peer, _ = tcp.accept()
    with peer:
        assert notice(2).id.encode() in peer.recv(65_536)


def test_the_local_syslog_gets_what_its_programs_write(tmp_path: Path, output: Made) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "log"))
        out = output(str(tmp_path / "log"))
        out.send([notice(1)])
        assert re.match(rb'<130>reconwatch\[\d+\]: \{"id":"rw-0000000000000001","rev":1,', listener.recv(65_536))


def test_who_does_not_listen_is_unreachable(tmp_path: Path, tcp: socket.socket, output: Made) -> None:
    with pytest.raises(Unreachable, match="No such file or directory"):
        output(str(tmp_path / "log")).send([notice(1)])
    closed = port(tcp)
    tcp.close()
    with pytest.raises(Unreachable, match="Connection refused"):
        output(f"tcp://127.0.0.1:{closed}").send([notice(1)])


def test_a_message_is_never_longer_than_every_receiver_takes(udp: socket.socket, output: Made) -> None:
    out = output(f"udp://127.0.0.1:{port(udp)}")
    many = tuple(Target("domain", "ü" * 60 + f"{number}.acme.com", "acme.com") for number in range(500))
    hostile = "\u202e" * 5_000
    out.send([notice(1, targets=many, msg=hostile, actor=Actor(ip="10.20.1.11", user=hostile), services=(hostile,))])
    message = udp.recv(65_536)
    assert len(message) <= LONGEST
    told = json.loads(message[message.index(b"{") :])
    assert (told["id"], told["targets_total"]) == (notice(1).id, 500)
    assert "\u202e" not in message.decode()


def test_a_notice_of_no_calendar_is_refused_for_good(udp: socket.socket, output: Made) -> None:
    with pytest.raises(Refused) as told:
        output(f"udp://127.0.0.1:{port(udp)}").send([notice(1), notice(2, ts=1e30)])
    assert (told.value.taken, told.value.final) == (1, True)
