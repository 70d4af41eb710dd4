"""Real servers on loopback, started by a test with a configuration of its own; they end with it."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

PATIENCE = 20.0
"""Seconds that a server may take to listen, or a log to hold what was asked."""


def program(name: str, folder: str = "/usr/sbin") -> str:
    """The path of a program that these tests need."""
    path = shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", ""), folder)))
    if path is None and os.environ.get("CI") == "true":
        pytest.fail(f"{name} is not installed, and CI must have it")
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


@contextlib.contextmanager
def workplace() -> Iterator[Path]:
    """A folder in which servers that drop the rights they were started with can write; pytest's own are closed."""
    folder = Path(tempfile.mkdtemp(prefix="reconwatch-"))
    folder.chmod(0o777)  # the servers run as several users
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    """A port of loopback where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(done: Callable[[], bool], what: str) -> None:
    """Wait for something that a server does by itself."""
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < deadline, f"waited {PATIENCE:.0f} s for {what}"
        time.sleep(0.05)


def listens(port: int) -> bool:
    """Whether somebody listens at a port of loopback."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def running(command: list[str], *ports: int, folder: Path) -> Iterator[None]:
    """A server in the foreground, from when it listens."""
    with (folder / "output.txt").open("wb") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output, cwd=folder)
    try:
        for port in ports:
            until(lambda port=port: listens(port) or server.poll() is not None, f"{command[0]} at {port}")
        assert server.poll() is None, (folder / "output.txt").read_text()
        yield
    finally:
        server.terminate()
        try:
            server.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


class _Origin(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"ok\n")

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


@contextlib.contextmanager
def origin() -> Iterator[int]:
    """The port of a web server that has an answer to everything."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Origin)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def curl(*arguments: str) -> None:
    """A request of the real client, which need not be answered with success."""
    subprocess.run([program("curl"), "-s", "-o", os.devnull, "--max-time", "20", *arguments], check=False)
