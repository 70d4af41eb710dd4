"""What `reconwatch status` and `reconwatch reload` say of a service that runs, has ended, or is another's."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from reconwatch.cli import main
from reconwatch.status import (
    STALE,
    Reload,
    Status,
    StatusError,
    faults,
    lines,
    process_of,
    process_to_signal,
    read,
    status_file,
    write,
)
from tests.conftest import ROOT
from tests.story import NOON
from tests.vitals import VITALS

OURS = Status(msgspec.structs.replace(VITALS, pid=os.getpid()), Reload(), process_of(os.getpid()) or "")


def but(status: Status, **changes: object) -> Status:
    return msgspec.structs.replace(status, vitals=msgspec.structs.replace(status.vitals, **changes))


def test_a_status_comes_back_as_it_was_written_for_its_group_and_nobody_else(tmp_path: Path) -> None:
    path = status_file(tmp_path / "reconwatch.db")
    old = os.umask(0)
    try:
        write(path, OURS)
    finally:
        os.umask(old)
    assert read(path) == OURS
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [each.name for each in tmp_path.iterdir()] == ["reconwatch.db.status"]


def test_a_link_that_somebody_left_there_is_replaced_and_not_followed(tmp_path: Path) -> None:
    path, other = tmp_path / "x.status", tmp_path / "precious"
    other.write_text("precious")
    path.symlink_to(other)
    (tmp_path / ".x.status.new").symlink_to(other)
    write(path, OURS)
    assert other.read_text() == "precious"
    assert read(path) == OURS


@pytest.mark.parametrize(("content", "message"), [
    (None, "no service has run here; start it by `reconwatch run`"),
    (b"{}", "is no status of this version"),
    (b"\x1b[2J", "is no status of this version"),
    (b"[" * 5_000_000, "is no status of this version"),
])  # fmt: skip
def test_what_is_no_status_is_said_in_one_line(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "x.status"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StatusError, match=message) as told:
        read(path)
    assert str(told.value).isprintable()


def test_a_service_that_is_well_has_no_faults() -> None:
    well = but(OURS, sinks=(), made=msgspec.structs.replace(VITALS.made, lists=()))
    assert faults(well, NOON + 5) == []


def test_what_is_wrong_comes_first_and_plainly() -> None:
    told = faults(but(OURS, trouble="no room is left"), NOON + STALE + 10)
    assert told == [
        f"STALE: process {os.getpid()} is there, but last said something 70 s ago",
        "TROUBLE: no room is left; nothing is read until that is well",
        "SINK DOWN: siem: connection refused",
        "INDICATORS: gone was refused; the last good one goes on",
    ]
    assert faults(Status(VITALS, Reload(), "x"), NOON + 90)[0] == (
        "NOT RUNNING: process 4000000 has ended; last heard of 90 s ago"
    )


def test_a_process_that_has_the_number_of_an_earlier_one_is_not_it(tmp_path: Path) -> None:
    path = tmp_path / "x.status"
    earlier = msgspec.structs.replace(OURS, process="another-boot 12345")
    write(path, earlier)
    with pytest.raises(StatusError, match=rf"process {os.getpid()}, which wrote .*, has ended"):
        process_to_signal(path, earlier)
    assert process_to_signal(path, OURS) == os.getpid()


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a file to another user")
def test_a_process_of_another_user_than_the_files_is_not_signalled(tmp_path: Path) -> None:
    path = tmp_path / "x.status"
    write(path, OURS)
    os.chown(path, 65_534, 65_534)
    with pytest.raises(StatusError, match="is not signalled"):
        process_to_signal(path, OURS)


def test_all_facts_are_told_a_line_each() -> None:
    told = list(lines(msgspec.structs.replace(OURS, reload=Reload(2, NOON, ("owned domains: 0 instead of 3",))), NOON))
    text = "\n".join(told)
    assert all("\n" not in line for line in told)
    for fact in (
        "running    since 2026-11-24T11:00:00Z",
        "  feed     eve.json: 4,096 bytes behind",
        "  skipped  7: not JSON",
        "  events   3 out of order, 4 too late, 5 ahead of time",
        "  lost     1 gap, 12 s in all; last eve.json from 2026-11-24T11:58:20Z to 2026-11-24T11:58:32Z",
        "  last     2026-11-24T11:59:00Z escalate Targeted_Search rw-0011223344556677 rev 2: 10.20.1.11 looked up",
        "  sink     siem: 3 sent, 9 wait, 5 passed over",
        "state      0.1 MB in 0.25 s, 10 s ago; 100 MB of memory",
        "  list     gone: changed nobody knows when",
        "reload     2026-11-24T12:00:00Z refused: owned domains: 0 instead of 3",
    ):
        assert fact in text, fact


# -- a real one

SITE = """\
owned: {{domains: [acme-widgets.com], ranges: [203.0.113.0/24]}}
inside: [10.0.0.0/8]
sources: [{{eve: {folder}/eve.json}}]
sinks: [{{file: {folder}/notices.jsonl}}]
store: {{file: {folder}/reconwatch.db}}
service: {{listen: "{listen}"}}
"""


class Running:
    """`reconwatch run` in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.site = folder, folder / "site.yaml"
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.place = f"127.0.0.1:{free.getsockname()[1]}"
        self.site.write_text(SITE.format(folder=folder, listen=self.place))
        self.site_text = self.site.read_text()
        (folder / "eve.json").write_bytes(b"not json\n")
        self.process: subprocess.Popen[str] | None = None

    def start(self, *words: str) -> None:
        command = [sys.executable, "-m", "reconwatch", "run", "--site", str(self.site), *words]
        environment = os.environ | {"PYTHONPATH": str(ROOT / "sensor")}
        self.process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)

    def waits_for(self, condition: Callable[[], bool]) -> None:
        for _ in range(600):
            if condition():
                return
            assert self.process is not None
            assert self.process.poll() is None, self.process.stderr.read() if self.process.stderr else ""
            time.sleep(0.05)
        pytest.fail("it did not come to that")

    def ask(self, *words: str) -> Result:
        return CliRunner().invoke(main, [*words, "--site", str(self.site)])

    def is_up(self) -> bool:
        path = status_file(self.folder / "reconwatch.db")
        return path.exists() and read(path).vitals.ready

    def end(self) -> str:
        assert self.process is not None
        self.process.terminate()
        _, told = self.process.communicate(timeout=30)
        return told


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    made = Running(tmp_path)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.kill()
        made.process.communicate()


def test_a_service_that_runs_is_asked_reloaded_refused_and_ended(running: Running) -> None:
    assert running.ask("status").exit_code == 2
    running.start("--log-format", "json")
    running.waits_for(running.is_up)
    with urllib.request.urlopen(f"http://{running.place}/readyz", timeout=5) as answer:
        assert answer.read() == b"ready\n"
    well = running.ask("status")
    assert (well.exit_code, "all there was" in well.stdout) == (0, True), well.output

    running.site.write_text(running.site_text + "canaries: [{name: a1.acme-widgets.com, planted: ct}]\n")
    taken = running.ask("reload")
    assert (taken.exit_code, taken.stderr.splitlines()[-1]) == (0, "reloaded: site, catalog and feeds of indicators")

    running.site.write_text(running.site_text.replace(".0/24", ".0/30"))
    refused = running.ask("reload")
    assert refused.exit_code == 2
    assert "reload refused: owned addresses: 4 instead of 256; restart the service if that is meant" in refused.stderr
    assert "taken" not in running.ask("status").stdout

    said = [json.loads(line) for line in running.end().splitlines()]
    assert all(set(line) == {"ts", "level", "event"} for line in said)
    assert ("warning", "reload refused: owned addresses: 4 instead of 256; restart the service if that is meant") in {
        (line["level"], line["event"]) for line in said
    }
    ended = running.ask("status")
    assert ended.exit_code == 1
    assert ended.stdout.startswith("NOT RUNNING: process ")
    assert running.ask("reload").exit_code == 2
    notices = [json.loads(line)["note"] for line in (running.folder / "notices.jsonl").read_text().splitlines()]
    assert notices == ["Heartbeat"]


def test_a_port_in_use_ends_the_start_with_one_sentence(running: Running) -> None:
    with socket.create_server(("127.0.0.1", int(running.place.rpartition(":")[2]))):
        running.start()
        assert running.process is not None
        _, told = running.process.communicate(timeout=60)
    assert running.process.returncode == 2
    assert told.splitlines()[-1] == (
        f"reconwatch: {running.site}: cannot listen at {running.place}: address already in use;"
        " write another `service.listen`, or `off`"
    )


def test_what_is_wrong_with_a_new_site_is_told_without_asking_the_service(running: Running) -> None:
    running.site.write_text("owned: {domians: [acme.com]}\n")
    told = running.ask("reload")
    assert told.exit_code == 2
    assert "unknown key 'domians'" in told.stderr
