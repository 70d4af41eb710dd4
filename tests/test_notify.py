"""systemd hears of the service what sd_notify(3) asks for."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconwatch.notify import Notify


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.setblocking(False)
        yield listening


def heard(manager: socket.socket) -> list[str]:
    told = []
    try:
        while True:
            told.append(manager.recv(4096).decode())
    except BlockingIOError:
        return told


def test_a_life_of_a_service_is_told_in_order(manager: socket.socket) -> None:
    notify = Notify({"NOTIFY_SOCKET": manager.getsockname()}, ticks=lambda: 12.5)
    notify.ready()
    notify.reloading()
    notify.ready()
    notify.stopping()
    assert heard(manager) == ["READY=1", "RELOADING=1\nMONOTONIC_USEC=12500000", "READY=1", "STOPPING=1"]


def test_the_watchdog_hears_of_it_four_times_within_its_limit_and_no_more(manager: socket.socket) -> None:
    now = [0.0]
    environment = {
        "NOTIFY_SOCKET": manager.getsockname(),
        "WATCHDOG_USEC": "20000000",
        "WATCHDOG_PID": str(os.getpid()),
    }
    notify = Notify(environment, ticks=lambda: now[0])
    for second in range(21):
        now[0] = float(second)
        notify.alive("")
    assert heard(manager) == ["WATCHDOG=1"] * 5


def test_a_watchdog_of_another_process_is_not_answered(manager: socket.socket) -> None:
    environment = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1"}
    Notify(environment).alive("")
    assert heard(manager) == []


def test_a_status_is_one_line_and_told_when_it_changes(manager: socket.socket) -> None:
    notify = Notify({"NOTIFY_SOCKET": manager.getsockname()})
    for status in ("well", "well", "eve.json\nREADY=1", "well"):
        notify.alive(status)
    assert heard(manager) == ["STATUS=well", "STATUS=eve.json READY=1", "STATUS=well"]


@pytest.mark.parametrize("where", ["", "relative", "/nowhere/at/all", "@nobody-listens-here"])
def test_where_nobody_listens_nothing_happens(where: str) -> None:
    notify = Notify({"NOTIFY_SOCKET": where, "WATCHDOG_USEC": "not a number"})
    said = [notify.ready(), notify.alive("well"), notify.stopping()]
    assert said == [None, None, None]  # and nothing was raised


def test_an_abstract_socket_is_found() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0reconwatch-test-{os.getpid()}")
        listening.setblocking(False)
        Notify({"NOTIFY_SOCKET": f"@reconwatch-test-{os.getpid()}"}).ready()
        assert heard(listening) == ["READY=1"]
