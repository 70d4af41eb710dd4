"""Name servers' logs read from bytes, as a run reads them, and what is asked of all their formats."""

from __future__ import annotations

import io
from datetime import UTC, datetime

from reconwatch.account import Account
from reconwatch.events import AnyEvent, DnsAnswer, DnsQuery
from reconwatch.interest import Interest, Lookout
from reconwatch.sources.opener import open_content, source_of
from reconwatch.sources.source import Opening
from reconwatch.sources.textlog.declared import Declared

INTEREST = Interest(names=frozenset({"shodan.io", "=crt.sh"}), networks=frozenset({"203.0.113.0/24"}))
MODIFIED = datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp()


def read(
    *lines: str | bytes, funnel: bool = True, declared: Declared | None = None, modified: float = MODIFIED,
    interest: Interest = INTEREST,
) -> tuple[list[AnyEvent], Account, list[str]]:  # fmt: skip
    """(events, account, warnings) of a log."""
    content = b"".join((line.encode() if isinstance(line, str) else line) + b"\n" for line in lines)
    return read_bytes(content, funnel=funnel, declared=declared, modified=modified, interest=interest)


def read_bytes(
    content: bytes, *, funnel: bool = True, declared: Declared | None = None, modified: float = MODIFIED,
    interest: Interest = INTEREST,
) -> tuple[list[AnyEvent], Account, list[str]]:  # fmt: skip
    """The same of any content."""
    told: list[str] = []
    account = Account("dns.log", told.append)
    found = open_content(io.BytesIO(content), account, declared)
    if found is None:
        return [], account, told
    dialect, stream = found
    source = source_of(dialect, Opening(stream, Lookout(interest), account, 0, funnel, declared, modified))
    return list(source), account, told


def both(*lines: str | bytes, **how: object) -> tuple[list[AnyEvent], Account, list[str]]:
    """The same with and without the funnel, which must agree."""
    with_funnel = read(*lines, **how)
    without = read(*lines, **how, funnel=False)
    assert with_funnel[0] == without[0]
    assert with_funnel[1].unreadable == without[1].unreadable
    assert with_funnel[2] == without[2]
    return with_funnel


def asked(events: list[AnyEvent]) -> list[tuple[str, str, int | None]]:
    """(client, name, type) of the questions."""
    return [(event.client, event.name, event.qtype) for event in events if isinstance(event, DnsQuery)]


def answered(events: list[AnyEvent]) -> list[DnsAnswer]:
    """The answers."""
    return [event for event in events if isinstance(event, DnsAnswer)]


def at(text: str) -> float:
    """UTC epoch seconds of an ISO time; UTC if it names no zone."""
    known = datetime.fromisoformat(text)
    return (known if known.tzinfo is not None else known.replace(tzinfo=UTC)).timestamp()
