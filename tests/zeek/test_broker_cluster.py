"""A cluster with `@load reconwatch/broker`: rows of every worker come once, a notice is raised by one node, once."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconwatch.broker.connection import Connection, Login
from reconwatch.broker.frames import Event
from reconwatch.broker.values import count
from reconwatch.sources.live.zeek_feed import ZeekFeed
from reconwatch.store.zeek import ZeekOutput
from tests.sources.live.taking import Clock, Service
from tests.store.conftest import notice
from tests.zeek.test_broker import PACKAGE, sends
from tests.zeek_server import until

NODES = {"manager": "MANAGER", "logger-1": "LOGGER", "proxy-1": "PROXY", "worker-1": "WORKER", "worker-2": "WORKER"}
ROWS = 25

SCRIPT = """
@load {package}
@load {package}/broker.zeek
@load policy/frameworks/cluster/experimental
redef ReconWatch::broker_listen_port = {port}/tcp;
redef ReconWatch::broker_listen_on_manager = T;
redef LogAscii::use_json = T;
redef Log::default_rotation_interval = 0secs;

global see: event(rows: count);

event zeek_init() {{
    if ( Cluster::local_node_type() == Cluster::WORKER )
        Cluster::subscribe("/test/see");
}}

event see(rows: count) {{
    local i = 0;
    while ( i < rows ) {{
        ReconWatch::sight(ReconWatch::Info($ts=double_to_time(1795521600.0 + i), $uid=fmt("%s.%d", Cluster::node, i),
            $direction="lookup", $kind="dns", $actor=10.1.1.1, $actor_role=set("host"), $technique="T1596.005"));
        ++i;
    }}
}}

event Cluster::Experimental::cluster_started() {{
    local ready = open("ready");
    close(ready);
}}
"""


def _free_ports(number: int) -> list[int]:
    held = [socket.socket() for _ in range(number)]
    for each in held:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


class Cluster:
    """A manager, a logger, a proxy and two workers on loopback, each in a folder of its name."""

    def __init__(self, zeek: str, folder: Path) -> None:
        self._folder = folder
        port, *ports = _free_ports(1 + len(NODES))
        self.url = f"ws://127.0.0.1:{port}"
        nodes = "".join(
            f'["{name}"] = [$node_type=Cluster::{kind}, $ip=127.0.0.1, $p={own}/tcp'
            + ("" if kind == "MANAGER" else ', $manager="manager"')
            + "],\n"
            for (name, kind), own in zip(NODES.items(), ports, strict=True)
        )
        (folder / "cluster-layout.zeek").write_text(
            "@load policy/frameworks/cluster/backend/broker\n"
            f"redef Cluster::manager_is_logger = F;\nredef Cluster::nodes = {{\n{nodes}}};\n"
        )
        (folder / "local.zeek").write_text(SCRIPT.format(package=PACKAGE, port=port))
        paths = subprocess.run(["zeek-config", "--zeekpath"], capture_output=True, text=True, check=True).stdout.strip()
        self._running = []
        for name in NODES:
            (folder / name).mkdir()
            with (folder / name / "output").open("wb") as output:
                self._running.append(
                    subprocess.Popen(
                        [zeek, folder / "local.zeek"],
                        cwd=folder / name,
                        stdout=output,
                        stderr=output,
                        env=os.environ | {"CLUSTER_NODE": name, "ZEEKPATH": f"{folder}:{paths}"},
                    )
                )

    def is_ready(self) -> bool:
        assert all(each.poll() is None for each in self._running), self.said()
        return (self._folder / "manager" / "ready").exists()

    def said(self) -> str:
        """What its nodes printed."""
        return "\n".join((self._folder / name / "output").read_text() for name in NODES)

    def log(self, name: str) -> list[dict[str, object]]:
        """The rows of a log: all are written by the logger."""
        path = self._folder / "logger-1" / f"{name}.log"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def ends(self) -> None:
        for each in self._running:
            each.send_signal(signal.SIGKILL)
            each.wait(60)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    zeek = shutil.which("zeek")
    if zeek is None:
        pytest.skip("NO ZEEK HERE: what comes of a cluster over the WebSocket was not tried")
    made = Cluster(zeek, tmp_path)
    try:
        assert until(made.is_ready), made.said()
        yield made
    finally:
        made.ends()


def test_rows_of_all_workers_come_once_and_a_notice_is_raised_once(cluster: Cluster) -> None:
    clock = Clock()
    service = Service(lambda: ZeekFeed(Login(cluster.url), clock), clock)
    asks = Connection(Login(cluster.url), [])
    expected = Counter({f"{worker}.{row}": 1 for worker in ("worker-1", "worker-2") for row in range(ROWS)})

    def all_came() -> bool:
        service.step()
        return len(service.lines) >= sum(expected.values())

    assert until(lambda: service.step() is None and _listens(service))
    asks.send(Event("/test/see", "see", (count(ROWS),)))
    assert until(all_came)
    assert until(lambda: len(cluster.log("reconwatch")) >= sum(expected.values()))

    output = ZeekOutput(Login(cluster.url), lambda each: True)
    notices = [notice(number) for number in range(1, 11)]
    sends(output, notices)
    sends(output, notices)
    assert until(lambda: len(cluster.log("notice")) >= len(notices))

    service.step()
    assert Counter(json.loads(line)["uid"] for line in service.lines) == expected
    assert Counter(row["uid"] for row in cluster.log("reconwatch")) == expected
    subs = Counter(" ".join(str(row["sub"]).split()[:3]) for row in cluster.log("notice"))
    assert subs == Counter({f"reconwatch id={each.id} rev=1": 1 for each in notices})
    assert [row for row in cluster.log("reporter") if row["level"] != "Reporter::INFO"] == []
    service.killed()
    asks.close()
    output.close()


def _listens(service: Service) -> bool:
    feed = service.feed
    assert isinstance(feed, ZeekFeed)
    return feed._number == 1
