"""Name servers as Debian has them, started on loopback with configurations of their own, and questions to them."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

START_LIMIT = 15.0
"""Seconds that a server may take until it answers, and for an answer; they take less than one."""

SURE = 5
"""Answers one after the other by which a server is up: BIND has a socket a core, and opens them one by one."""

_taken: set[int] = set()
"""Ports that were given out, whether their servers listen yet or not."""

BIND = """
options {{
    directory "{folder}"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; pid-file "named.pid";
    session-keyfile "session.key"; managed-keys-directory "{folder}"; recursion no; dnssec-validation no;
    allow-transfer {{ none; }}; allow-query {{ any; }}; querylog yes; {options}
}};
controls {{ }};
logging {{
    channel told {{ file "{folder}/named.log"; severity info; {print} }};
    category default {{ told; }}; category queries {{ told; }}; category security {{ told; }};
    category xfer-out {{ told; }}; category query-errors {{ told; }};
}};
{zones}
"""
ZONE = 'zone "{name}" {{ type primary; file "{name}.zone"; {options} }};'
RECORDS = """$TTL 300
@ IN SOA ns1 admin 1 3600 900 604800 300
@ IN NS ns1
ns1 IN A 127.0.0.1
"""
UNBOUND = """
server:
  interface: 127.0.0.1@{port}
  username: ""
  chroot: ""
  directory: "{folder}"
  pidfile: "{folder}/unbound.pid"
  logfile: "{folder}/unbound.log"
  use-syslog: no
  do-not-query-localhost: no
  module-config: "iterator"
  {options}
forward-zone:
  name: "."
  forward-addr: 127.0.0.1@{upstream}
remote-control:
  control-enable: no
"""


def program(name: str, folder: Path) -> str:
    """A copy of an installed server: what confines the installed one (AppArmor) would not let it read our files."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if path is None and os.environ.get("CI") == "true":
        pytest.fail(f"{name} is not installed, and CI must have it")
    if path is None:
        pytest.skip(f"{name} is not installed")
    return str(shutil.copy(path, folder / name))


def free_port() -> int:
    """A port of loopback that is free for both UDP and TCP."""
    for _ in range(50):
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            port = int(tcp.getsockname()[1])
            try:
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
            if port not in _taken:
                _taken.add(port)
                return port
    raise OSError("no port is free")


@contextmanager
def running(command: Sequence[str], folder: Path, port: int) -> Iterator[int]:
    """Run a server until the block ends; it answers by the time the block begins."""
    output = folder / "output"
    with output.open("wb") as told:
        server = subprocess.Popen(command, stdout=told, stderr=told, cwd=folder)
        try:
            give_up = time.monotonic() + START_LIMIT
            answered = 0
            while answered < SURE:
                if server.poll() is not None or time.monotonic() > give_up:
                    pytest.fail(f"{command[0]} does not answer: {output.read_text()}")
                # Not version.bind: of that BIND answers three a second.
                answered = answered + 1 if ask("127.0.0.1", port, [b"ready", b"example"], 1, wait=1.0) else 0
                time.sleep(0.05)
            yield port
        finally:
            server.terminate()
            server.wait(START_LIMIT)


def bind(folder: Path, zones: dict[str, tuple[str, str]], *, print: str, options: str = "") -> list[str]:
    """The command for BIND in a folder; `zones`: name -> (records, options). Ends with the port to listen at."""
    port = free_port()
    for name, (records, _) in zones.items():
        (folder / f"{name}.zone").write_text(RECORDS + records)
    text = "\n".join(ZONE.format(name=name, options=more) for name, (_, more) in zones.items())
    configuration = BIND.format(folder=folder, port=port, options=options, print=print, zones=text)
    (folder / "named.conf").write_text(configuration)
    return [program("named", folder), "-f", "-c", str(folder / "named.conf"), "-p", str(port)]


def unbound(folder: Path, upstream: int, options: Sequence[str]) -> tuple[list[str], int]:
    """The command for Unbound in a folder, and where it will listen."""
    port = free_port()
    configuration = UNBOUND.format(folder=folder, port=port, upstream=upstream, options="\n  ".join(options))
    (folder / "unbound.conf").write_text(configuration)
    return [program("unbound", folder), "-d", "-c", str(folder / "unbound.conf")], port


def dnsmasq(folder: Path, upstream: int, *options: str) -> tuple[list[str], int]:
    """The command for dnsmasq in a folder, and where it will listen."""
    port = free_port()
    user = pwd.getpwuid(os.getuid()).pw_name
    return [
        program("dnsmasq", folder), "-k", "-C", "/dev/null", f"--port={port}", "--listen-address=127.0.0.1",
        "--bind-interfaces", "--no-resolv", "--no-hosts", f"--server=127.0.0.1#{upstream}", f"--user={user}",
        f"--log-facility={folder}/dnsmasq.log", f"--pid-file={folder}/dnsmasq.pid", *options,
    ], port  # fmt: skip


def ask(
    client: str, port: int, labels: Sequence[bytes], qtype: int, *, tcp: bool = False, wait: float = START_LIMIT,
) -> bytes:  # fmt: skip
    """Ask a question from an address of loopback; the answer, `b""` if none comes."""
    name = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    message = struct.pack(">6H", 0x1234, 0x0100, 1, 0, 0, 0) + name + struct.pack(">HH", qtype, 1)
    with socket.socket(type=socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM) as here:
        here.settimeout(wait)
        try:
            here.bind((client, 0))
            here.connect(("127.0.0.1", port))
            here.sendall(struct.pack(">H", len(message)) + message if tcp else message)
            return here.recv(65_535)
        except OSError:
            return b""
