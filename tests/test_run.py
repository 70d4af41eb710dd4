"""`reconwatch run` as a person starts it: it follows, reloads, refuses and ends, and says each in a line."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_service import lines

SITE = """\
owned: {{domains: [acme-widgets.com], ranges: [203.0.113.0/24]}}
sources: [{{eve: {folder}/eve.json}}]
sinks: [{{file: {folder}/notices.jsonl}}]
store: {{file: {folder}/reconwatch.db}}
service: {{listen: off}}
"""


class Running:
    """The program, and what it says."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.site = folder, folder / "site.yaml"
        self.site.write_text(SITE.format(folder=folder))
        self.said: list[str] = []
        command = [sys.executable, "-m", "reconwatch", "run", "--site", str(self.site)]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        self.said += []
        for line in self.process.stderr:
            self.said.append(line.rstrip("\n"))

    def waits_for(self, words: str) -> str:
        """The line that holds these words, once it was said."""
        until = time.monotonic() + 30
        while time.monotonic() < until:
            for line in self.said:
                if words in line:
                    return line
            time.sleep(0.01)
        raise AssertionError(f"{words!r} was not said: {self.said}")

    def ends(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(30)
        self._reader.join(30)
        return status


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    service = Running(tmp_path)
    yield service
    if service.process.poll() is None:
        service.process.kill()
    service.process.wait()
    service._reader.join(30)
    assert service.process.stderr is not None
    service.process.stderr.close()


def notices(folder: Path) -> list[dict[str, object]]:
    path = folder / "notices.jsonl"
    told = map(json.loads, path.read_text().splitlines()) if path.exists() else ()
    return [notice for notice in told if notice["direction"] != "sensor"]


def test_it_follows_reloads_refuses_what_is_wrong_and_ends_when_it_is_told_to(running: Running) -> None:
    running.waits_for("following")
    (running.folder / "eve.json").write_bytes(b"".join(lines(1_000, seed=1)))
    until = time.monotonic() + 30
    while not notices(running.folder) and time.monotonic() < until:
        time.sleep(0.05)
    assert any(each["actor"]["ip"].startswith("10.20.1.") for each in notices(running.folder))  # type: ignore[index]

    running.process.send_signal(signal.SIGHUP)
    running.waits_for("reloaded")
    running.site.write_text("owned: {domains: [acme-widgets.com], range: []}\n")
    running.process.send_signal(signal.SIGHUP)
    running.waits_for("site.yaml:1: unknown key 'range'")
    running.waits_for("reload refused")
    running.site.write_text(SITE.format(folder=running.folder).replace(", ranges: [203.0.113.0/24]", ""))
    running.said.clear()
    running.process.send_signal(signal.SIGHUP)
    assert "owned addresses: 0 instead of 256" in running.waits_for("reload refused")

    assert running.ends() == 0
    assert "the next run goes on from there" in running.said[-1]


def test_what_is_wrong_with_an_input_is_told_under_its_path_once(running: Running) -> None:
    assert running.waits_for("no file fits").count("eve.json") == 1


def test_a_second_service_on_the_same_store_is_refused_in_a_sentence(running: Running) -> None:
    running.waits_for("following")
    command = [sys.executable, "-m", "reconwatch", "run", "--site", str(running.site)]
    second = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode == 2
    assert len(second.stderr.splitlines()) == 1
    assert "reconwatch.db" in second.stderr
    assert running.ends() == 0


def test_a_site_that_follows_nothing_is_bad_usage(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text("owned: {domains: [acme-widgets.com]}\n")
    command = [sys.executable, "-m", "reconwatch", "run", "--site", str(site)]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (told.returncode, told.stdout) == (2, "")
    assert "`sources` is empty, so there is nothing to follow" in told.stderr


@pytest.mark.parametrize("places", [
    "sources: [{{websocket: 'ws://127.0.0.1:1'}}]\nsinks: [{{file: {folder}/notices.jsonl}}]",
    "sources: [{{eve: {folder}/eve.json}}]\nsinks: [{{zeek: 'ws://127.0.0.1:1'}}]",
])  # fmt: skip
def test_a_zeek_without_the_package_for_it_is_bad_usage_in_a_sentence(tmp_path: Path, places: str) -> None:
    site = tmp_path / "site.yaml"
    rest = f"store: {{file: {tmp_path}/reconwatch.db}}\nservice: {{listen: off}}\n"
    site.write_text(f"owned: {{domains: [acme-widgets.com]}}\n{places.format(folder=tmp_path)}\n{rest}")
    absent = "import sys; sys.modules['websockets'] = None; from reconwatch.cli import run; run()"
    command = [sys.executable, "-c", absent, "run", "--site", str(site)]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (told.returncode, told.stdout) == (2, "")
    assert (
        told.stderr == "reconwatch: Zeek's WebSocket API needs the websockets package: pip install 'reconwatch[zeek]'\n"
    )
