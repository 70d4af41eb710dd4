"""Rows of conn.log straight to events: the one log of which not a few rows matter but, where networks do, every fifth.

What is out of the ordinary is left to the careful way (`Header.row`, `Row`, `Teller`), which gives the same events at
several times the cost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from operator import itemgetter
from typing import Literal, NamedTuple

import msgspec

from reconwatch.events import Connection
from reconwatch.passing import Doors, Passed
from reconwatch.sources.arrivals import Arrivals, Facts
from reconwatch.sources.sieve import LONGEST_PORT
from reconwatch.sources.spelling import canonical

ONE = ("ts", "uid", "orig_h", "orig_p")
"""What tells a connection from others like it, by the names of `Row`."""
ALIKE = ("resp_h", "resp_p", "proto", "service", "conn_state", "history")
"""What else it is made of."""

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


_Alike = tuple[str | None, int | None, str | None, str | None, str | None, str | None]
"""What is the same of connections that are alike: `resp_h`, `resp_p`, `proto`, `service`, `conn_state`, `history`."""


def _facts(alike: _Alike) -> Facts | None:
    """What alike connections have in common; None for what has to be read with care."""
    server, port, proto, service, state, history = alike
    server = canonical(server) if server is not None else None
    if server is None or (service is not None and ("," in service or not service)):
        return None
    facts = {"server": server, "server_port": port, "source": "zeek/conn", "proto": proto, "service": service}
    if proto == "tcp":
        return {**facts, **handshake(history, state)._asdict()}
    if proto == "udp":
        return {**facts, "answered": replied(history, state)}
    return None


Reading = Callable[[bytes], Connection | Passed | None]
"""Reads a row: its event, or that a passer-by needs none; None for what has to be read with care."""


class TsvConnections:
    """Reads rows under one header."""

    def __init__(self, places: Mapping[str, int], width: int, separator: str, unset: str, empty: str) -> None:
        self._places = places
        self._width = width
        self._separator = separator
        self._unset = unset
        self._empty = empty

    def reading(self, position: int, doors: Doors | None) -> Reading:
        """What reads the rows of an input. With care have to be read escapes, whatever is no number, headers."""
        width, separator, unset, empty = self._width, self._separator, self._unset, self._empty
        pick_one, pick_alike = (itemgetter(*(self._places[name] for name in names)) for names in (ONE, ALIKE))
        needed = max(self._places[name] for name in (*ONE, *ALIKE)) + 1  # columns behind these are only counted
        arrivals = Arrivals(self._facts, position, doors)

        def read(line: bytes) -> Connection | Passed | None:
            if b"\\" in line:
                return None
            try:
                values = line.decode("ascii").split(separator, needed)
                if len(values) + values[-1].count(separator) != width:
                    return None
                ts, uid, client, port = pick_one(values)
                arrival = arrivals[pick_alike(values)]
                if arrival is None or uid == empty or len(port) > LONGEST_PORT:
                    return None
                return arrival(float(ts), client, int(port), uid if uid != unset else None)
            except ValueError:
                return None

        return read

    def _facts(self, texts: tuple[str, ...]) -> Facts | None:
        """Raises ValueError where the port is no number."""
        server, written, proto, *others = texts
        port = int(written)
        if str(port) != written or self._empty in others:
            return None
        service, state, history = (None if text == self._unset else text for text in others)
        return _facts((server, port, proto, service, state, history))


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


def json_reading(position: int, doors: Doors | None) -> Reading:
    """What reads the rows of an input of JSON. With care have to be read other logs, lists, other keys."""
    arrivals = Arrivals(_facts, position, doors)

    def read(line: bytes) -> Connection | Passed | None:
        if b'"conn_state"' not in line:
            return None
        try:
            row = _decoder.decode(line)
        except (ValueError, RecursionError):
            return None
        arrival = arrivals[row.resp_h, row.resp_p, row.proto, row.service, row.conn_state, row.history]
        if arrival is None or row.orig_h is None:
            return None
        return arrival(row.ts, row.orig_h, row.orig_p, row.uid)

    return read
