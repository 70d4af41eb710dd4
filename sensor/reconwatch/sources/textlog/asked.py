"""What a line of a proxy's or web server's log says that a client asked for, made an event."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, NamedTuple

from reconwatch.events import AnyEvent, Hello, HttpRequest
from reconwatch.interest import Lookout
from reconwatch.sources.spelling import canonical, host_only, request_target
from reconwatch.sources.textlog.line import BadLineError, LineFormat

LONGEST_USER = 128
"""Characters of a user name; a client may send as many as it likes."""

_METHOD = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")
_NO_TRAFFIC = ("ICP_", "HTCP_")
"""Methods under which Squid logs what neighbouring caches ask each other."""
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as a log tells it; what it does not tell is None."""

    ts: float
    """UTC epoch seconds."""
    client: str
    """As written: an address, with or without a port, brackets, a zone."""
    method: str
    target: str
    """Any form of RFC 9112 section 3.2; raw, as the client sent it."""
    host: str | None = None
    """Of the Host header or the virtual host, with or without its port."""
    client_port: int | None = None
    server: str | None = None
    server_port: int | None = None
    agent: str | None = None
    status: int | None = None
    user: str | None = None
    forwarded: str | None = None
    """X-Forwarded-For."""
    sni: str | None = None
    """The name in the hello of TLS, where whoever logs has ended it or looked into it."""


def told(format: LineFormat, asked: Asked) -> list[AnyEvent]:
    """The event; none for what is no request, or one that nobody wants, which nearly all are.

    Raises BadLineError without a usable address of the client.
    """
    client, port = endpoint(asked.client)
    if client is None:
        raise BadLineError("no usable address")
    server = format.context.declared.server or (endpoint(asked.server)[0] if asked.server is not None else None)
    if asked.method == "CONNECT" or (not asked.method and asked.sni):
        return _hello(format, asked, _Ends(client, port, server))
    if not _METHOD.fullmatch(asked.method) or asked.method.startswith(_NO_TRAFFIC) or not asked.target:
        return []
    if asked.target.startswith("error:"):
        return []  # Squid's word for a connection without a request
    lookout = format.context.lookout
    # The host of an absolute form is the one that is meant (RFC 9112 section 3.2.2), whatever the virtual host.
    host, uri = request_target(None if is_absolute(asked.target) else asked.host, asked.target)
    if not host and not (server is not None and lookout.ours(server)):
        return []  # of a server that is nobody's concern
    if not lookout.wants_request(host, uri, server):
        return []
    facts = _facts(format, asked, _Ends(client, port, server))
    masked = lookout.mask(host, uri)
    return [
        HttpRequest(
            method=asked.method,
            host=host,
            uri=masked,
            user_agent=asked.agent,
            status=asked.status,
            sni=asked.sni.lower().rstrip(".") or None if asked.sni else None,
            **facts,
        )
    ]


class _Ends(NamedTuple):
    """Both sides of a request; the client's is the one that the log's writer saw."""

    client: str
    client_port: int | None
    server: str | None


def _hello(format: LineFormat, asked: Asked, ends: _Ends) -> list[AnyEvent]:
    """A tunnel names a server as a hello does; and where a log has nothing but the server name it is one."""
    name, tunnel = host_only(asked.target), asked.method == "CONNECT"
    if asked.sni and (not name or canonical(name) is not None):
        name = asked.sni.lower()
    if not name or not format.context.lookout.wants_hello(name, ends.server):
        return []
    return [Hello(name=name, transport="connect" if tunnel else "tls", **_facts(format, asked, ends))]


def _facts(format: LineFormat, asked: Asked, ends: _Ends) -> dict[str, Any]:
    behind = _behind(format.context.lookout, ends.client, asked.forwarded)
    return format.facts(
        asked.ts,
        behind,
        client_port=(asked.client_port or ends.client_port) if behind == ends.client else None,
        server=ends.server,
        server_port=asked.server_port,
        user=user_name(asked.user),
    )


def is_absolute(target: str) -> bool:
    """Whether a target names its host: what a client sends to a forward proxy."""
    return _ABSOLUTE.match(target) is not None


def request_line(text: str) -> tuple[str, str]:
    """(method, target) of a request line as it was sent; blanks within the target are part of it."""
    method, _, rest = text.partition(" ")
    target, blank, version = rest.rpartition(" ")
    return method, target if blank and version.startswith("HTTP/") else rest


def endpoint(text: str) -> tuple[str | None, int | None]:
    """(canonical address, port) of `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]:4711`, `fe80::1%eth0`.

    An IPv4 client of a socket for both is IPv4: `::ffff:192.0.2.1`. (None, None) for what is no address.
    """
    known, port = canonical(text), None
    if known is None:
        host, tail = text, ""
        if text.startswith("["):
            host, _, tail = text[1:].partition("]")
        elif text.count(":") == 1:
            host, _, tail = text.partition(":")
            tail = ":" + tail
        known = canonical(host.partition("%")[0])
        port = number(tail[1:]) if tail.startswith(":") else None
    if known is not None and known.startswith("::ffff:") and "." in text:
        known = known.removeprefix("::ffff:")
    return known, port if known is not None else None


def number(text: object) -> int | None:
    """A port or status; None for what is none."""
    digits = str(text)
    return int(digits) if digits.isascii() and digits.isdigit() and 0 < len(digits) < 6 and int(digits) else None


def user_name(text: str | None) -> str | None:
    """The name of a user in one spelling: at most `LONGEST_USER` characters, no comma before a blank (`Actor.user`)."""
    name = (text or "").strip()[:LONGEST_USER].replace(", ", ",")
    return None if name in ("", "-") else name


def _behind(lookout: Lookout, client: str, forwarded: str | None) -> str:
    """For whom a declared proxy or balancer asked: the nearest address that is no such itself.

    Anybody may send the header, and who passes it on adds at its end whom he had it from. So it is read from there,
    as long as who added it is declared.
    """
    hops = [] if forwarded is None else forwarded.split(",")
    while hops and lookout.relays(client):
        hop, _ = endpoint(hops.pop().strip())
        if hop is None:
            break
        client = hop
    return client
