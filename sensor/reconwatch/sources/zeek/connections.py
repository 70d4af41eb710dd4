"""Rows of conn.log straight to events: the one log of which not a few rows matter but, where networks do, every fifth.

What is out of the ordinary is left to the careful way (`Header.row`, `Row`, `Teller`), which gives the same events at
several times the cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from operator import itemgetter
from typing import Literal, NamedTuple

import msgspec

from reconwatch.events import Connection
from reconwatch.interest import Passed, Passerby
from reconwatch.sources.sieve import LONGEST_PORT
from reconwatch.sources.spelling import LAST_TIME, canonical

COLUMNS = ("ts", "uid", "orig_h", "orig_p", "resp_h", "resp_p", "proto", "service", "conn_state", "history")
"""What a connection is made of, by the names of `Row`."""

_COMPLETED = frozenset({"SF", "S1", "S2", "S3", "RSTO", "RSTR"})
"""States of a connection that was opened both ways (Zeek base/protocols/conn/main.zeek)."""
_OPENED = frozenset({"S0", "REJ", "RSTOS0", "SH"})
"""States of one that was opened by its client only."""


class Handshake(NamedTuple):
    """How far a TCP connection came; the fields of `Connection`."""

    opening: bool
    answered: bool
    established: bool
    spoke: bool


@lru_cache(maxsize=4096)
def handshake(history: str | None, state: str | None) -> Handshake:
    """What Zeek saw of a handshake: SYN, SYN-ACK, anything but a reset from the client, and its data.

    RSTO alone does not say that it was completed: a half-open scan of an open port has that state with the history
    `ShR`. Letters are upper-case for the originator (and stay so when Zeek has swapped the sides, `^`); see
    conn/main.zeek.
    """
    if not history:
        completed = state in _COMPLETED
        return Handshake(completed or state in _OPENED, completed, completed, completed)
    letters = frozenset(history)
    if "s" in letters and "H" in letters:
        return Handshake(True, True, not letters.isdisjoint("adf"), "d" in letters)
    answered = "S" in letters and "h" in letters
    return Handshake("S" in letters, answered, answered and not letters.isdisjoint("ADF"), "D" in letters)


@lru_cache(maxsize=4096)
def replied(history: str | None, state: str | None) -> bool:
    """Whether a datagram came back."""
    return "d" in history if history else state == "SF"


def echo_request(kind: int | None) -> bool:
    """Whether an ICMP or ICMPv6 type, which Zeek logs as the originator's port, is that of a ping."""
    return kind in (8, 128)


def connection(
    ts: float,
    uid: str | None,
    client: str | None,
    client_port: int | None,
    server: str | None,
    server_port: int | None,
    proto: str | None,
    service: str | None,
    state: str | None,
    history: str | None,
    position: int,
    passerby: Passerby | None,
) -> Connection | Passed | None:
    """The event, or that a passer-by needs none; None for what has to be read with care."""
    if client is None or server is None or not 0 <= ts < LAST_TIME:
        return None
    client, server = canonical(client), canonical(server)
    if client is None or server is None:
        return None
    if service is not None and ("," in service or not service):
        return None
    if proto == "tcp":
        opening, answered, established, spoke = handshake(history, state)
        if passerby is not None and passerby(
            ts, client, client_port, server, server_port, "tcp", opening, answered, established, spoke, "zeek/conn", uid
        ):
            return Passed.BY
        return Connection(
            ts=ts, client=client, client_port=client_port, server=server, server_port=server_port, source="zeek/conn",
            input=position, uid=uid, proto="tcp", opening=opening, answered=answered, established=established,
            spoke=spoke, service=service,
        )  # fmt: skip
    if proto == "udp":
        answered = replied(history, state)
        if passerby is not None and passerby(
            ts, client, client_port, server, server_port, "udp", None, answered, None, None, "zeek/conn", uid
        ):
            return Passed.BY
        return Connection(
            ts=ts, client=client, client_port=client_port, server=server, server_port=server_port, source="zeek/conn",
            input=position, uid=uid, proto="udp", answered=answered, service=service,
        )  # fmt: skip
    return None


class TsvConnections:
    """Reads rows under one header."""

    def __init__(self, places: Mapping[str, int], width: int, separator: str, unset: str, empty: str) -> None:
        self._pick = itemgetter(*(places[name] for name in COLUMNS))
        self._width = width
        self._needed = max(places[name] for name in COLUMNS) + 1
        """Columns behind these are only counted."""
        self._separator = separator
        self._unset = unset
        self._empty = empty

    def read(self, line: bytes, position: int, passerby: Passerby | None) -> Connection | Passed | None:
        """The event of a row, or that a passer-by needs none.

        None for what has to be read with care: escapes, whatever is no number, headers.
        """
        if b"\\" in line:
            return None
        try:
            values = line.decode("ascii").split(self._separator, self._needed)
            if len(values) + values[-1].count(self._separator) != self._width:
                return None
            ts, uid, client, client_port, server, server_port, proto, service, state, history = self._pick(values)
            unset, empty = self._unset, self._empty
            if empty in (uid, service, history):
                return None
            if len(client_port) > LONGEST_PORT:
                return None
            port = int(server_port)
            if str(port) != server_port:
                return None
            return connection(
                float(ts),
                uid if uid != unset else None,
                client,
                int(client_port),
                server,
                port,
                proto,
                service if service != unset else None,
                state if state != unset else None,
                history if history != unset else None,
                position,
                passerby,
            )
        except ValueError:
            return None


class _Row(msgspec.Struct, gc=False, rename={
    "orig_h": "id.orig_h", "orig_p": "id.orig_p", "resp_h": "id.resp_h", "resp_p": "id.resp_p", "path": "_path",
}):  # fmt: skip
    ts: float
    conn_state: str
    uid: str | None = None
    orig_h: str | None = None
    orig_p: int | None = None
    resp_h: str | None = None
    resp_p: int | None = None
    proto: str | None = None
    service: str | None = None
    history: str | None = None
    path: Literal["conn"] | None = None
    client_initial_dcid: None = None
    client_scid: None = None


_decoder = msgspec.json.Decoder(_Row)


def read_json(line: bytes, position: int, passerby: Passerby | None) -> Connection | Passed | None:
    """The event of a JSON row of conn.log, or that a passer-by needs none.

    None for what has to be read with care: other logs, lists, other keys.
    """
    if b'"conn_state"' not in line:
        return None
    try:
        row = _decoder.decode(line)
    except (ValueError, RecursionError):
        return None
    return connection(
        row.ts, row.uid, row.orig_h, row.orig_p, row.resp_h, row.resp_p,
        row.proto, row.service, row.conn_state, row.history, position, passerby,
    )  # fmt: skip
