"""Short ways to read a text log in a test: always with the funnel and without, which must agree."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from reconwatch.account import Account
from reconwatch.events import AnyEvent, Hello, HttpRequest
from reconwatch.interest import Interest, Lookout
from reconwatch.sources.opener import open_content, source_of
from reconwatch.sources.source import Opening
from reconwatch.sources.textlog.declared import Declared

SAMPLES = Path(__file__).parent / "samples"
"""A log of each format: Squid's, nginx's, HAProxy's and Apache's were written by the servers of `test_real_proxies.py`
with the addresses and names of this project; those of IIS, ProxySG, Envoy and mitmproxy by hand after their manuals."""

INTEREST = Interest(
    names=frozenset({"crt.sh", "shodan.io"}),
    paths=frozenset({("search.example", "/lookup")}),
    networks=frozenset({"203.0.113.0/24", "2001:db8:acc::/48"}),
    relays=frozenset({"10.20.0.80/32", "10.20.0.81/32"}),
)
WEB = "203.0.113.10"

NEW_YEAR = 1_798_761_600.0
"""2027-01-01T00:00:00Z."""


def read(
    content: str | bytes, declared: Declared | None = None, *, modified: float = NEW_YEAR
) -> tuple[list[AnyEvent], Account]:
    """(events, account) of a log."""
    raw = content.encode() if isinstance(content, str) else content
    told = []
    for funnel in (True, False):
        warned: list[str] = []
        account = Account("access.log", warned.append)
        opened = open_content(io.BytesIO(raw), account, declared)
        assert opened is not None, account.skipped
        dialect, stream = opened
        opening = Opening(stream, Lookout(INTEREST), account, 3, funnel, declared, modified)
        source = source_of(dialect, opening)
        told.append((list(source), account, warned))
        source.close()
    (events, account, warned), (naive, naive_account, naive_warned) = told
    assert events == naive
    assert account.holds == naive_account.holds
    assert account.blind == naive_account.blind
    assert account.unreadable == naive_account.skipped
    assert sorted(warned) == sorted(naive_warned)
    return events, account


def warnings(content: str, declared: Declared | None = None) -> list[str]:
    """What is warned of while a log is read."""
    told: list[str] = []
    account = Account("access.log", told.append)
    opened = open_content(io.BytesIO(content.encode()), account, declared)
    assert opened is not None
    for _ in source_of(opened[0], Opening(opened[1], Lookout(INTEREST), account, 3, True, declared, NEW_YEAR)):
        pass
    return told


def one(line: str, declared: Declared | None = None) -> Any:
    """The one event of a log of one line."""
    events, account = read(line + "\n", declared)
    assert not account.unreadable
    (event,) = events
    return event


def sample(name: str, **said: Any) -> tuple[list[AnyEvent], Account]:
    """A sample, with what its owner says of it."""
    return read((SAMPLES / name).read_bytes(), Declared(name, **said) if said else None)


def words(events: list[AnyEvent]) -> list[str]:
    """Each event in one line: client, user, and what was asked of whom."""
    told = []
    for event in events:
        who = event.client if event.user is None else f"{event.client} ({event.user})"
        if isinstance(event, Hello):
            told.append(f"{who} {event.transport} {event.name}")
        else:
            assert isinstance(event, HttpRequest)
            told.append(f"{who} {event.method} {event.host or event.server}{event.uri}")
    return told
