"""Rows of reconwatch.log as Zeek publishes them: what arrives as an event becomes the line that the log would hold."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

from reconwatch.broker.frames import Event
from reconwatch.broker.values import Kind, Value, raw

TOPIC: Final = "/zeek/reconwatch/sighted"
EVENT: Final = "ReconWatch::published"
VERSION: Final = 1
"""Of the event's arguments: version, columns, time, row (zeek-scripts/broker.zeek)."""
_ARGUMENTS: Final = ("count", "string", "real", "vector")

COLUMNS: Final[dict[str, Kind]] = {
    "ts": "timestamp", "uid": "string", "id": "vector", "direction": "string", "kind": "string", "actor": "address",
    "actor_role": "set", "trusted": "string", "service": "string", "technique": "string", "targets": "vector",
    "host": "string", "qtype": "count", "method": "string", "uri": "string", "user_agent": "string",
    "status_code": "count", "query": "string", "tool": "string", "canary": "string", "server_name": "string",
    "proto": "enum-value",
}  # fmt: skip
"""ReconWatch::Info (zeek-scripts/main.zeek). Columns that are not here pass as they come."""
REQUIRED: Final = frozenset({"ts", "direction", "kind", "actor", "actor_role", "technique"})
_CONNECTION: Final[tuple[tuple[str, Kind], ...]] = (
    ("id.orig_h", "address"), ("id.orig_p", "port"), ("id.resp_h", "address"), ("id.resp_p", "port"),
)  # fmt: skip
"""Of a conn_id the fields that are logged; what follows them is not (`proto`, `ctx`)."""

# What a field of a record may be called; nothing that could name another log (`_path`) or part of a connection.
_find_name = re.compile(r"(?:[a-zA-Z][a-zA-Z0-9_]*)?")
# What Zeek lets stand in JSON: see `as_logged`.
_find_escaped = re.compile(r"[\x00-\x07\x0b\x0e-\x1f\x7f-\x9f\ue000-\uf8ff\ufff0-\uffff]")


class MisfitError(ValueError):
    """The event is none that this reconwatch understands; the text says why, in one line."""


def line_of(event: Event) -> bytes:
    """The line, with its newline. Raises MisfitError."""
    if event.name != EVENT or event.topic != TOPIC:
        raise MisfitError(f"an event that is none of ours: {event.name[:60]!a}")
    _check_arguments(event)
    columns, moment, row = (argument.data for argument in event.arguments[1:])
    names = columns.split(",")
    if len(names) != len(row):
        raise MisfitError(f"a row of {len(row)} values for {len(names)} columns")
    if not all(map(_find_name.fullmatch, names)):
        raise MisfitError("a row with a column that no record has")
    if len({*names} - {""}) < len([name for name in names if name]):
        raise MisfitError("a row with two columns of one name")
    lacking = REQUIRED - {name for name, value in zip(names, row, strict=True) if value.kind != "none"}
    if lacking:
        raise MisfitError(f"a row without its {', '.join(sorted(lacking))}")
    line: dict[str, Any] = {"_path": "reconwatch", "ts": moment}
    for name, value in zip(names, row, strict=True):
        if name not in ("", "ts") and value.kind != "none":
            line |= _column(name, value)
    return msgspec.json.encode(line) + b"\n"


def _check_arguments(event: Event) -> None:
    version = event.arguments[0] if event.arguments else None
    if version is None or version.kind != "count":
        raise MisfitError(f"an event {EVENT} without its version")
    if version.data != VERSION:
        raise MisfitError(f"an event {EVENT} of version {version.data}, not {VERSION}")
    if tuple(argument.kind for argument in event.arguments) != _ARGUMENTS:
        raise MisfitError(f"an event {EVENT} with other arguments than {', '.join(_ARGUMENTS)}")


def _column(name: str, value: Value) -> dict[str, Any]:
    expected = COLUMNS.get(name)
    if expected is not None and value.kind != expected:
        raise MisfitError(f"a row whose {name!a} is a {value.kind}, not a {expected}")
    if name == "id":
        return _connection(value)
    return {as_logged(name): _plain(value)}


def _connection(value: Value) -> dict[str, Any]:
    if tuple(field.kind for field in value.data[:4]) != tuple(kind for _, kind in _CONNECTION):
        raise MisfitError("a row whose 'id' is no conn_id")
    return {name: _plain(field) for (name, _), field in zip(_CONNECTION, value.data, strict=False)}


def _plain(value: Value) -> Any:
    """A value as Zeek's JSON writer puts it."""
    plain = _PLAIN.get(value.kind)
    return value.data if plain is None else plain(value.data)


def as_logged(text: str) -> str:
    r"""A text as Zeek's JSON writer puts it (util.cc, escape_utf8 with ESCAPE_UNPRINTABLE_CONTROLS).

    Text with control characters other than \b \f \n \r \t, of a private use area, or that is no UTF-8 has all its
    bytes but ASCII as the text `\xNN`.
    """
    data = raw(text)
    try:
        whole = data.decode()
    except UnicodeDecodeError:
        return _spelled(data)
    return _spelled(data) if _find_escaped.search(whole) else whole


def _spelled(data: bytes) -> str:
    return "".join(chr(byte) if 32 <= byte < 127 or byte in b"\b\f\n\r\t" else f"\\x{byte:02x}" for byte in data)


_PLAIN: Final[dict[str, Callable[[Any], Any]]] = {
    "string": as_logged,
    "enum-value": as_logged,
    "address": str,
    "subnet": str,
    "port": lambda port: port.number,
    "timestamp": lambda nanoseconds: nanoseconds / 1e9,
    "timespan": lambda nanoseconds: nanoseconds / 1e9,
    "vector": lambda values: [_plain(value) for value in values],
    "set": lambda values: [_plain(value) for value in values],
    "table": lambda pairs: [[_plain(key), _plain(value)] for key, value in pairs],
}
