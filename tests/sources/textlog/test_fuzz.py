"""Whatever stands in a log: nothing crashes, and the funnel tells what the oracle tells."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.sources.textlog.reading import SAMPLES, read
from tests.sources.textlog.test_formats import NGINX, OWN

from reconwatch.sources.textlog.declared import Declared

SAID = {
    "squid-own.log": Declared(format="squid", pattern=OWN),
    "nginx-forwarded.log": Declared(format="combined", fields={"forwarded": "1", "host": "2"}),
    "nginx.json": Declared(format="json", fields=NGINX),
    "mitmproxy.json": Declared(format="json", fields={"ts": "time", "client": "client.0", "url": "request.url"}),
    "envoy.json": Declared(
        format="json",
        fields={"ts": "start_time", "client": "downstream_remote_address", "host": "authority", "uri": "path"},
    ),
    "haproxy-rfc3164.log": Declared(format="haproxy", fields={"host": "1", "forwarded": "2"}),
    "haproxy-rfc5424.log": Declared(server="203.0.113.10"),
}
LOGS = sorted(path.name for path in SAMPLES.iterdir())

PIECES = st.sampled_from([
    b"crt.sh", b"api.shodan.io", b"SHODAN.IO", b"shod\\x61n.io", b"shod\\u0061n.io", b"shod#61n.io", b"shod%61n.io",
    b"203.0.113.10", b"::ffff:203.0.113.10", b"[2001:db8:acc::1]:443", b"10.20.0.80", b"10.20.1.99, 10.20.0.81",
    b"\"", b"\\\"", b"\\", b"[", b"]", b"{", b"}", b"|", b" ", b"  ", b"-", b"\t", b"\r", b"\n", b"\x00", b"\xff",
    b"\x1b[2J",
    b"#Fields: date time c-ip cs-uri s-ip\n", b"CONNECT", b"http://crt.sh/?q=a", b"error:", b"99999999999", b"<BADREQ>",
    b"Nov 24 02:49:01 host squid[1]: ", b"24/Feb/2026:25:61:61 +9999", b"http://search.example/lookup?q", b"[::1",
    b"http://[", b"@", b"\xe2\x84\xaa", b"1e400", b"NaN", b"null",
])  # fmt: skip
EDITS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 12), st.one_of(PIECES, st.binary(max_size=6))), max_size=6)


Edits = list[tuple[float, int, bytes]]
"""(place as a share of the log, how many bytes are gone there, what stands there instead)."""


def damaged(content: bytes, edits: Edits) -> bytes:
    """The log with pieces put in, each in the place of some bytes."""
    for place, gone, piece in edits:
        at = int(place * len(content))
        content = content[:at] + piece + content[at + gone :]
    return content


@pytest.mark.parametrize("name", LOGS)
@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=60)
@given(edits=EDITS, order=st.randoms(use_true_random=False))
def test_the_funnel_tells_what_the_oracle_tells(
    name: str, edits: list[tuple[float, int, bytes]], order: random.Random
) -> None:
    content = (SAMPLES / name).read_bytes()
    lines = content.splitlines(keepends=True)
    if not lines[0].startswith(b"#"):
        order.shuffle(lines)
    head = lines[0]
    # The first line stays, so that the log is told for what it is.
    _, account = read(head + damaged(b"".join(lines), edits), SAID.get(name))  # both ways, and compares
    assert account.records >= 1
