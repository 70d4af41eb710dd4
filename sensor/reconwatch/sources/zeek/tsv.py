"""Zeek's ASCII format: headers, and rows under them.

After src/threading/formatters/Ascii.cc and src/Desc.cc: values are compared raw with the unset and empty marks, and
unescaped only then; a value that equals a mark has its first byte escaped. Rows are split on the declared separator
and never stripped: empty first and last columns are legal. Columns are found by name, never by position.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from reconwatch.sources.lines import Block
from reconwatch.sources.sieve import LONGEST_PORT
from reconwatch.sources.zeek.connections import ALIKE, ONE, TsvConnections
from reconwatch.sources.zeek.row import Kind, Row, kind_of

_ESCAPE = re.compile(rb"\\(?:\\|x([0-9a-fA-F]{2}))")
_ID = re.compile(r"(?:.*[^A-Za-z0-9])?id[^A-Za-z0-9]((?:orig|resp)_[hp])")
# JSON keeps these as real characters (util::json_escape_utf8) and writes the other controls as the text `\xNN`.
_PLAIN_CONTROLS = frozenset(b"\b\t\n\f\r")

_USED: dict[Kind, frozenset[str]] = {
    "dns": frozenset({"query", "qtype", "rcode", "answers", "ttls"}),
    "ssl": frozenset({"server_name", "next_protocol", "cert_chain_fps", "cert_chain_fuids", "subject", "issuer"}),
    "quic": frozenset({"server_name", "client_protocol"}),
    "http": frozenset({"method", "host", "uri", "user_agent", "version", "status_code"}),
    "conn": frozenset({"proto", "service", "conn_state", "history"}),
    "x509": frozenset(
        {
            "fingerprint",
            "file_id",
            "cert_serial",
            "cert_subject",
            "cert_issuer",
            "cert_valid",
            "san_dns",
        }
    ),
    "notice": frozenset({"note", "msg", "sub", "src", "dst", "n"}),
    "intel": frozenset({"seen_indicator", "seen_indicator_type", "seen_where", "sources"}),
    "whois": frozenset({"query", "server_name"}),
    "reconwatch": frozenset(
        {
            "direction",
            "canary",
            "actor",
            "kind",
            "service",
            "host",
            "server_name",
            "proto",
            "qtype",
            "method",
            "uri",
            "user_agent",
            "status_code",
            "query",
        }
    ),
}
_RENAMED = {
    "TTLs": "ttls",
    "certificate.serial": "cert_serial",
    "certificate.subject": "cert_subject",
    "certificate.issuer": "cert_issuer",
    "certificate.not_valid_before": "cert_valid",
    "san.dns": "san_dns",
    "id": "file_id",
    "seen.indicator": "seen_indicator",
    "seen.indicator_type": "seen_indicator_type",
    "seen.where": "seen_where",
}
"""Columns that `Row` calls otherwise."""
_OF_LOSSES = frozenset({"percent_lost"})
_ALWAYS = frozenset({"ts", "uid", "orig_h", "orig_p", "resp_h", "resp_p"})


class ShortRowError(ValueError):
    """A row with fewer or more columns than its header names: a line cut by a crash, or two run together."""


def unescaped(raw: bytes) -> str:
    r"""A value's text. Bytes that are not UTF-8, and control characters, stay the text `\xNN`."""
    if b"\\" in raw:
        raw = _ESCAPE.sub(_byte, raw)
    return raw.decode("utf-8", "backslashreplace")


def _byte(found: re.Match[bytes]) -> bytes:
    digits = found[1]
    if digits is None:
        return b"\\"
    byte = int(digits, 16)
    if byte == 0x7F or (byte < 0x20 and byte not in _PLAIN_CONTROLS):
        return found[0]
    return bytes((byte,))


class Header:
    """What the `#` lines of a stream say. One stream may hold several headers, one after another."""

    def __init__(self, separator: bytes = b"\t") -> None:
        self.separator = separator
        self.kind: Kind | None = None
        self.path: str | None = None
        self.known = False
        """Whether a `#fields` line was seen."""
        self.tells_loss = False
        """Whether the rows are those of capture_loss.log."""
        self._set_separator = b","
        self._empty = b"(empty)"
        self._unset = b"-"
        self._columns = 0
        self._plan: list[tuple[int, str, Callable[[bytes], Any]]] = []
        self.connections: TsvConnections | None = None
        """Reads the ordinary among the rows, if they are of conn.log."""

    def read(self, line: bytes) -> None:
        """Take in one line that begins with `#`, other than `#separator`."""
        key, _, value = line.partition(self.separator)
        if key == b"#set_separator":
            self._set_separator = _ESCAPE.sub(_any_byte, value) or b","
        elif key == b"#empty_field":
            self._empty, self.connections = value, None
        elif key == b"#unset_field":
            self._unset, self.connections = value, None
        elif key == b"#path":
            self.path = unescaped(value)
        elif key == b"#fields":
            self._lay_out(value.split(self.separator))

    @property
    def port_first(self) -> bool:
        """Whether the client's port is the column before the server's address, as Zeek writes them."""
        places = {name: place for place, name, _ in self._plan}
        before = places.get("orig_p", -1) + 1
        return "resp_h" not in places or (0 < before == places["resp_h"] and len(self._unset) <= LONGEST_PORT)

    def row(self, line: bytes) -> Row:
        """One row. Raises ShortRowError, or ValueError for a number that is none."""
        values = line.split(self.separator)
        if len(values) != self._columns:
            raise ShortRowError
        row = Row()
        for column, name, convert in self._plan:
            raw = values[column]
            if raw != self._unset:
                setattr(row, name, convert(raw))
        return row

    def suspects(self, block: Block, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """Of the lines in `data[start:stop]` those that have not as many columns as their header, or no header at all.

        Blank lines are among them.
        """
        if self.known and self.kind is None:
            return
        separator, separators = self.separator, self._columns - 1
        counts = [line.count(separator) for line in block.data[start:stop].removesuffix(b"\n").split(b"\n")]
        if self.known and counts.count(separators) == len(counts):
            return
        for count, line in zip(counts, block.lines(start, stop), strict=True):
            if count != separators or not self.known:
                yield line

    def _lay_out(self, fields: list[bytes]) -> None:
        names = [attribute(unescaped(field)) for field in fields]
        self.known = True
        self._columns = len(names)
        self.kind = kind_of(self.path, names)
        self.tells_loss = self.kind is None and "percent_lost" in names
        used = _ALWAYS | _USED[self.kind] if self.kind else _OF_LOSSES if self.tells_loss else frozenset()
        self._plan = [(n, name, self._converter(name)) for n, name in enumerate(names) if name in used]
        places = {name: n for n, name, _ in self._plan}
        marks = self._unset + self._empty
        if self.kind == "conn" and places.keys() >= {*ONE, *ALIKE} and (self.separator + marks).isascii():
            separator, unset, empty = self.separator.decode(), self._unset.decode(), self._empty.decode()
            self.connections = TsvConnections(places, len(names), separator, unset, empty)

    def _converter(self, name: str) -> Callable[[bytes], Any]:
        match name:
            case "ts" | "percent_lost" | "cert_valid":
                return float
            case "orig_p":
                return _short
            case "resp_p":
                return _port
            case "qtype" | "rcode" | "status_code" | "n":
                return int
            case "answers" | "san_dns" | "sources" | "cert_chain_fps" | "cert_chain_fuids":
                return self._texts
            case "ttls":
                return self._numbers
        return self._text

    def _text(self, raw: bytes) -> str:
        return "" if raw == self._empty else unescaped(raw)

    def _items(self, raw: bytes) -> list[bytes | None]:
        if raw == self._empty:
            return []
        return [None if item == self._unset else item for item in raw.split(self._set_separator)]

    def _texts(self, raw: bytes) -> list[str | None]:
        return [None if item is None else unescaped(item) for item in self._items(raw)]

    def _numbers(self, raw: bytes) -> list[float | None]:
        return [None if item is None else float(item) for item in self._items(raw)]


def _short(raw: bytes) -> int:
    """A client's port, as long as the sieve expects it to be."""
    if len(raw) > LONGEST_PORT:
        raise ValueError
    return int(raw)


def _port(raw: bytes) -> int:
    """A server's port as Zeek writes it, and as the sieve looks for it: `int` also takes `+43`, ` 43` and `0_43`."""
    port = int(raw)
    if b"%d" % port != raw:
        raise ValueError
    return port


SEPARATOR = b"#separator"


def declared_separator(line: bytes) -> bytes:
    """What a `#separator` line declares: written after a space, for the separator is not yet known."""
    return _ESCAPE.sub(_any_byte, line[len(SEPARATOR) :].lstrip(b" ")) or b"\t"


def _any_byte(found: re.Match[bytes]) -> bytes:
    return b"\\" if found[1] is None else bytes((int(found[1], 16),))


def attribute(field: str) -> str:
    """The `Row` attribute of a column: `id.orig_h`, `id_orig_h` (another scope separator) and `x.id.orig_h` alike."""
    found = _ID.fullmatch(field)
    if found is not None:
        return found[1]
    return _RENAMED.get(field, field)
