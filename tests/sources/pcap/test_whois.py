"""WHOIS lines as they were sent."""

import pytest
from tests.sources.pcap.wire import ACK, FIN, START, Talk, events


def lines(*payloads: bytes, port: int = 43) -> list[str]:
    return [event.line for event in events(Talk(port).whole(*payloads), "whois")]


@pytest.mark.parametrize(
    ("sent", "line"),
    [
        ([b"domain acme-widgets.com\r\n"], "domain acme-widgets.com"),
        ([b"acme", b"-widgets.com\r", b"\n"], "acme-widgets.com"),
        ([b"n + 203.0.113.10\n"], "n + 203.0.113.10"),
        ([b"no line feed"], "no line feed"),
        ([b"m\xe4rz.de\r\n"], r"m\xe4rz.de"),
        ([b"x" * 5000], "x" * 512),
        ([b"first\r\nsecond\r\n"], "first"),
    ],
)
def test_the_first_line_of_the_client_is_told(sent: list[bytes], line: str) -> None:
    assert lines(*sent) == [line]


def test_only_port_43_speaks_whois() -> None:
    assert lines(b"acme-widgets.com\r\n", port=4343) == []
    assert lines() == []


def test_the_time_is_that_of_the_first_byte() -> None:
    talk = Talk(43)
    frames = [(0.1 * n, frame) for n, frame in enumerate(talk.handshake())]
    (event,) = events([*frames, (1.0, talk.up(b"acme")), (2.0, talk.up(b".com\r\n", FIN | ACK))], "whois")
    assert event.ts == pytest.approx(START + 1.0)
