"""What a server says first is read of connections to our networks, if it is text."""

from __future__ import annotations

from unittest import mock

import pytest
from tests.sources.pcap.test_funnel import told
from tests.sources.pcap.wire import Talk

from reconwatch.sources.pcap import blocks
from reconwatch.sources.pcap.banner import banner


@pytest.mark.parametrize(
    ("said", "read"),
    [
        (b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", "SSH-2.0-OpenSSH_9.2p1 Debian-2"),
        (b"220 mail.acme-widgets.com ESMTP\r\n250 more", "220 mail.acme-widgets.com ESMTP"),
        (b"HTTP/1.1 200 OK\r\nDate: now\r\nServer: nginx/1.22.1\r\n\r\nbody", "HTTP/1.1 200 OK, nginx/1.22.1"),
        (b"HTTP/1.0 404 Not Found\r\n\r\nserver: a page", "HTTP/1.0 404 Not Found"),
        (b"HTTP/1.1 200 OK\r\nserver: \x1b[31m\r\n\r\n", "HTTP/1.1 200 OK"),
        (b"x" * 500, "x" * 96),
        (b"\x16\x03\x03\x00\x7a\x02", None),
        (b"\x1b]0;title\x07\n", None),
        (b"caf\xc3\xa9\n", None),
        (b"\n", None),
        (b"", None),
    ],
)
def test_a_banner_is_the_first_line_of_text(said: bytes, read: str | None) -> None:
    assert banner(said) == read


def test_it_is_told_with_the_connection() -> None:
    talk = Talk(22)
    frames = [*talk.handshake(), talk.down(b"SSH-2.0-x\r\n"), talk.up(b"\0"), talk.down(b"more\r\n"), *talk.ending()]
    assert [one.banner for one in told(*frames)] == ["SSH-2.0-x"]


def test_it_is_told_wherever_batches_end() -> None:
    talk = Talk(22)
    frames = [*talk.handshake(), talk.up(b"\0"), talk.down(b"SSH-2.0-x\r\n"), *talk.ending()]
    with mock.patch.object(blocks, "BLOCK", 300):
        assert [one.banner for one in told(*frames)] == ["SSH-2.0-x"]


def test_a_server_that_says_nothing_has_none() -> None:
    talk = Talk(22)
    assert [one.banner for one in told(*talk.handshake(), *talk.ending())] == [None]
