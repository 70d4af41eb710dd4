"""What the package inside Zeek logs (zeek-scripts/): rows of reconwatch.log and whois.log to events.

A row of reconwatch.log is one event, as a capture would have told it; what the package made of it is not believed but
made anew, by the catalog and the site of this run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal, cast

from reconwatch.account import Account
from reconwatch.events import AnyEvent, Connection, DnsQuery, Hello, HttpRequest, WhoisQuery, told_name
from reconwatch.interest import Lookout
from reconwatch.sources.spelling import canonical, dns_name, host_only
from reconwatch.sources.zeek.row import Row

SIGHTED: Final = "sighted"
"""Beside the kinds that an account holds: they come from a log that has nothing but what Zeek took for ours."""

UNKNOWN_SERVICES: Final = "unknown_services"
"""Of `Account.blind`: rows of reconwatch.log that mean nothing to this run."""

LONGEST_ID: Final = 80
"""Characters of a service's id that a warning repeats; those of the catalog have 40 at most."""


class UnusableRowError(ValueError):
    """A row that lacks what its event needs; its text is the reason."""


def whois(row: Row, facts: dict[str, Any]) -> list[AnyEvent]:
    """The line that a row of whois.log tells."""
    return [WhoisQuery(line=row.query, called=_called(row.server_name), **facts)] if row.query else []


def sighted(row: Row, facts: dict[str, Any], lookout: Lookout) -> AnyEvent:
    """The event that a row of reconwatch.log stands for. Raises UnusableRowError."""
    telling = _BY_KIND.get(row.kind or "")
    if telling is None:
        raise UnusableRowError("a kind that is unknown" if row.kind else "no kind")
    if row.direction not in ("lookup", "probe"):
        raise UnusableRowError("a direction that is unknown" if row.direction else "no direction")
    return telling(row, facts, lookout)


def count_unknown(event: AnyEvent, row: Row, lookout: Lookout, account: Account, where: Callable[[], str]) -> None:
    """Count a row whose event says a name, and nobody here wants it: Zeek has another catalog, or another site.

    What says none, and is of a log that knows no `server_name` yet, may be told whose it is by other inputs.
    """
    if (told_name(event) or event.called) is None or lookout.wants(event):
        return
    service = row.service[:LONGEST_ID] if isinstance(row.service, str) else "none"
    account.hidden(UNKNOWN_SERVICES, where, f"a row of service {service!a}, which means nothing to this run")


def _dns(row: Row, facts: dict[str, Any], lookout: Lookout) -> AnyEvent:
    # Without a type it is what only an answer told of: `meet` makes a question of such an answer, too.
    name = _named(row)
    if name is None:
        raise UnusableRowError("no name")
    return DnsQuery(name=dns_name(name), qtype=row.qtype, **facts)


def _tls(row: Row, facts: dict[str, Any], lookout: Lookout) -> AnyEvent:
    transport: Literal["tls", "connect"] = "connect" if row.method == "CONNECT" else "tls"
    return Hello(name=_called(_named(row)), transport=transport, called=_called(row.server_name), **facts)


def _quic(row: Row, facts: dict[str, Any], lookout: Lookout) -> AnyEvent:
    return Hello(name=_called(_named(row)), transport="quic", called=_called(row.server_name), **facts)


def _http(row: Row, facts: dict[str, Any], lookout: Lookout) -> AnyEvent:
    if row.method is None or row.uri is None:
        if row.direction == "lookup" and row.canary is None:
            raise UnusableRowError("no request")
        # Of a crawler, and of who touched a bait, the package says that they came, and not what they sent.
        if facts["server"] is None:
            raise UnusableRowError("no usable address")
        return Connection(opening=True, answered=True, established=True, spoke=True, **facts)
    host = host_only(row.host or "")
    decoded = row.direction == "probe"  # what comes to us the package takes from http.log
    return HttpRequest(
        method=row.method,
        host=host,
        uri=lookout.mask(host, row.uri, decoded=decoded),  # once more: another catalog may know more credentials
        decoded=decoded,
        user_agent=row.user_agent,
        status=row.status_code,
        called=_called(row.server_name),
        **facts,
    )


def _whois(row: Row, facts: dict[str, Any], lookout: Lookout) -> AnyEvent:
    if not row.query:
        raise UnusableRowError("no line")
    return WhoisQuery(line=row.query, called=_called(row.host), **facts)


def _conn(row: Row, facts: dict[str, Any], lookout: Lookout) -> AnyEvent:
    if facts["server"] is None:
        raise UnusableRowError("no usable address")
    proto = row.proto or "tcp"  # a log of the package before it had this column
    if proto not in ("tcp", "udp", "icmp"):
        raise UnusableRowError("a protocol that is unknown")
    if proto == "icmp":
        facts = facts | {"client_port": None, "server_port": None}
    # Of a lookup over TCP the package tells none whose handshake was not completed; of a probe any that was begun.
    known = row.direction == "lookup" and proto == "tcp"
    return Connection(
        proto=cast(Literal["tcp", "udp", "icmp"], proto),
        opening=None if proto == "udp" else True,
        answered=True if known else None,
        established=True if known else None,
        called=_called(row.host),
        **facts,
    )


def _named(row: Row) -> str | None:
    """The name that a row is about; of a bait that is one, the package may say it as that only."""
    if row.host is None and row.canary and "/" not in row.canary and canonical(row.canary) is None:
        return row.canary
    return row.host


def _called(text: str | None) -> str | None:
    return text.lower().removesuffix(".") if text else None


_BY_KIND: dict[str, Callable[[Row, dict[str, Any], Lookout], AnyEvent]] = {
    "dns": _dns, "tls": _tls, "quic": _quic, "http": _http, "whois": _whois, "conn": _conn,
}  # fmt: skip
