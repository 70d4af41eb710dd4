"""Every kind of value goes to a real Zeek and comes back as it went."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from ipaddress import ip_address, ip_network

import pytest

from reconwatch.broker.connection import Connection, Login
from reconwatch.broker.frames import Event
from reconwatch.broker.values import Port, Value, count, text, vector
from tests.zeek.test_broker import Zeek
from tests.zeek_server import until

KINDS = {
    "b: bool": [Value("boolean", True), Value("boolean", False)],
    "c: count": [count(0), count(2**63)],
    "i: int": [Value("integer", -(2**63)), Value("integer", 2**63 - 1)],
    "d: double": [Value("real", -1.5), Value("real", 1_795_521_600.123456), Value("real", 1e300)],
    "s: string": [text(""), text('ü "quoted" \\ \n \x0b \x00 \x7f €😀')],
    "a: addr": [Value("address", ip_address("192.0.2.1")), Value("address", ip_address("2001:db8::1"))],
    "n: subnet": [Value("subnet", ip_network("192.0.2.0/24")), Value("subnet", ip_network("2001:db8::/32"))],
    "p: port": [Value("port", Port(53, "udp")), Value("port", Port(8, "icmp"))],
    "t: time": [Value("timestamp", 1_795_521_600_123_000_000), Value("timestamp", 0)],
    "v: interval": [Value("timespan", number) for number in (1_000, 5_000_000, 300 * 10**9, -7_000, 3_600 * 10**9)],
    "e: Notice::Type": [Value("enum-value", "ReconWatch::Campaign")],
    "l: vector of string": [vector(), vector(text("x"), text("y"))],
    "k: set[count]": [Value("set", ()), Value("set", (count(1), count(2)))],
    "m: table[string] of count": [Value("table", ()), Value("table", ((text("x"), count(1)), (text("y"), count(2))))],
}


def script() -> str:
    """Zeek sends back what it was given."""
    events = []
    for number, declared in enumerate(KINDS):
        events += [
            f"global there_{number}: event({declared});",
            f"global back_{number}: event({declared});",
            f"event there_{number}({declared}) {{",
            f'    Cluster::publish("/test/back", back_{number}, {declared[0]});',
            "}",
        ]
    return "\n".join([*events, 'event zeek_init() { Cluster::subscribe("/test/there"); }', ""])


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    zeek = Zeek(tmp_path_factory.mktemp("echo"), script())
    zeek.starts()
    connection = Connection(Login(zeek.url), ["/test/back"])
    yield connection
    connection.close()
    zeek.ends(signal.SIGKILL)


@pytest.mark.parametrize(("number", "value"), [
    (number, value) for number, values in enumerate(KINDS.values()) for value in values
], ids=str)  # fmt: skip
def test_a_value_comes_back_from_zeek_as_it_went(echo: Connection, number: int, value: Value) -> None:
    echo.send(Event("/test/there", f"there_{number}", (value,)))
    came: list[object] = []

    def answered() -> bool:
        if not came and (message := echo.receive(1.0)) is not None:
            came.append(message)
        return bool(came)

    assert until(answered)
    assert came[0] == Event("/test/back", f"back_{number}", (value,))
