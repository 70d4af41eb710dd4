"""A small server that speaks Zeek's WebSocket API as a test says, on a port of its own."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

pytest.importorskip("websockets")

from websockets.sync.server import ServerConnection, serve

from reconwatch.broker.frames import Event, written
from reconwatch.broker.values import Value, count, text, vector

ACK = '{"type":"ack","endpoint":"e","version":"8.2.2"}'
COLUMNS = "ts,uid,id,direction,kind,actor,actor_role,technique,targets,uri"


@contextmanager
def serving(handler: Callable[[ServerConnection], None], **options: Any) -> Iterator[str]:
    """Serve each connection by `handler`; gives the URL."""
    with serve(handler, "127.0.0.1", 0, **options) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        finally:
            server.shutdown()
            thread.join()


def subscribed(connection: ServerConnection) -> list[str]:
    """The topics that a client asks for; acknowledged."""
    topics: list[str] = json.loads(connection.recv())
    connection.send(ACK)
    return topics


def row(uri: str = "/", **changed: Any) -> Event:
    """A sighting as Zeek publishes it."""
    fields: dict[str, Value] = {
        "ts": Value("timestamp", 1_795_521_600_123_000_000),
        "uid": text("C1"),
        "id": vector(*map(_of, ["10.1.1.1", 5, "2001:db8::1", 443]), count(6), vector()),
        "direction": text("lookup"),
        "kind": text("http"),
        "actor": _of("10.1.1.1"),
        "actor_role": Value("set", (text("host"),)),
        "technique": text("T1596.005"),
        "targets": vector(text("ip:203.0.113.10")),
        "uri": text(uri),
    }
    fields |= changed
    arguments = (count(1), text(",".join(fields)), Value("real", 1_795_521_600.123456), vector(*fields.values()))
    return Event("/zeek/reconwatch/sighted", "ReconWatch::published", arguments)


def _of(plain: str | int) -> Value:
    from ipaddress import ip_address

    from reconwatch.broker.values import Port

    return Value("address", ip_address(plain)) if isinstance(plain, str) else Value("port", Port(plain, "tcp"))


def answer(name: str, *arguments: Value) -> str:
    """An answer to what a sink asked."""
    return written(Event("/zeek/reconwatch/raised", f"ReconWatch::{name}", arguments))


def asked(frame: str | bytes) -> tuple[str, int]:
    """(id, rev) of what a sink asks to be raised."""
    called = json.loads(frame)["data"][2]["data"]
    assert called[0]["data"] == "ReconWatch::raise"
    return called[1]["data"][0]["data"], called[1]["data"][1]["data"]


def until(done: Callable[[], bool]) -> bool:
    """Whether something becomes so in a long time: threads need their moments."""
    patience = time.monotonic() + 60
    while not done() and time.monotonic() < patience:
        time.sleep(0.01)
    return done()
