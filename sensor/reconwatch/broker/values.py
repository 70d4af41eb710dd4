"""The typed values of Broker's JSON encoding, as Zeek's WebSocket API v1 sends and takes them.

Source: libbroker/broker/format/json.hh and internal/json.cc of Zeek 8.2. What its encoder writes is not always JSON:
bytes of strings stand there as they are, UTF-8 or not, and so do control characters. So a string's text may hold lone
surrogates (PEP 383), which stand for such bytes; `raw` gives the bytes back.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final, Literal

import msgspec

Kind = Literal[
    "none", "boolean", "count", "integer", "real", "string", "address", "subnet", "port", "timestamp", "timespan",
    "enum-value", "vector", "set", "table",
]  # fmt: skip

DEEPEST: Final = 16
"""Vectors in vectors that are followed; an event of ours has five."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = 1_000_000_000
_UNITS: Final = {
    "ns": 1, "us": 1_000, "ms": 1_000_000, "s": _SECOND, "min": 60 * _SECOND, "h": 3600 * _SECOND, "d": 86400 * _SECOND,
}  # fmt: skip
_find_timespan = re.compile(r"(-?[0-9]{1,19})(ns|us|ms|s|min|h|d)")
_find_timestamp = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?")
_find_port = re.compile(r"([0-9]{1,5})/(tcp|udp|icmp|unknown|\?)")


class BadValueError(ValueError):
    """What stands there is no value of the kind that it says; the text says where it stands."""


class Port(msgspec.Struct, frozen=True):
    """A port and its transport."""

    number: int
    protocol: str


class Value(msgspec.Struct, frozen=True):
    """One value. Equal if kind and content are."""

    kind: Kind
    data: Any = None
    """By `kind`: None, bool, int, int, float, str, IPv4Address or IPv6Address, IPv4Network or IPv6Network, `Port`,
    nanoseconds since the epoch (UTC), nanoseconds, the name, a tuple of values (vector and set), a tuple of pairs."""


NONE: Final = Value("none")


def count(number: int) -> Value:
    """Zeek's `count`."""
    return Value("count", number)


def text(word: str) -> Value:
    """Zeek's `string`."""
    return Value("string", word)


def vector(*values: Value) -> Value:
    """Zeek's `vector`, and the fields of a record."""
    return Value("vector", values)


def raw(word: str) -> bytes:
    """The bytes of a string that was received."""
    return word.encode("utf-8", "surrogateescape")


def encoded(value: Value) -> dict[str, Any]:
    """A value as an object of JSON. Raises BadValueError for what the encoding cannot say."""
    return {"@data-type": value.kind, "data": _content(value)}


def _content(value: Value) -> Any:
    data = value.data
    match value.kind:
        case "none":
            return {}
        case "vector" | "set":
            return [encoded(each) for each in data]
        case "table":
            return [{"key": encoded(key), "value": encoded(held)} for key, held in data]
        case "port":
            return f"{data.number}/{data.protocol}"
        case "address" | "subnet":
            return str(data)
        case "timestamp":
            return _stamp(data)
        case "timespan":
            return _span(data)
        case "real":
            if not math.isfinite(data):
                raise BadValueError(f"JSON has no number {data}")
        case "string":
            # Zeek's parser refuses a whole frame for a lone surrogate.
            return raw(data).decode("utf-8", "backslashreplace") if _has_surrogates(data) else data
    return data


def _has_surrogates(word: str) -> bool:
    return not word.isascii() and any("\ud800" <= sign <= "\udfff" for sign in word)


def _stamp(nanoseconds: int) -> str:
    milliseconds, rest = divmod(nanoseconds, 1_000_000)
    if rest:
        raise BadValueError("a timestamp has milliseconds; what is finer is to be sent as a real")
    moment = _EPOCH + timedelta(milliseconds=milliseconds)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}"


def _span(nanoseconds: int) -> str:
    """In the largest unit that loses nothing, as Broker does: never above seconds."""
    for unit in ("s", "ms", "us"):
        if nanoseconds % _UNITS[unit] == 0:
            return f"{nanoseconds // _UNITS[unit]}{unit}"
    return f"{nanoseconds}ns"


def decoded(value: Any, where: str = "the value", depth: int = 0) -> Value:
    """A value from an object of JSON. Raises BadValueError, which says where it stands by `where`."""
    if not isinstance(value, Mapping) or not isinstance(value.get("@data-type"), str) or "data" not in value:
        raise BadValueError(f"{where} has no type and data")
    kind, data = value["@data-type"], value["data"]
    if depth > DEEPEST:
        raise BadValueError(f"{where} lies deeper than {DEEPEST} vectors")
    read = _READ.get(kind)
    if read is not None:
        try:
            return Value(kind, read(data))
        except (ValueError, TypeError, OverflowError):
            raise BadValueError(f"{where} is no {kind}: {shortened(data)}") from None
    if kind not in ("vector", "set", "table"):
        raise BadValueError(f"{where} is of an unknown type: {shortened(kind)}")
    if not isinstance(data, list):
        raise BadValueError(f"{where} is no {kind}: {shortened(data)}")
    if kind == "table":
        return Value(kind, tuple(_pair(each, f"{where}[{index}]", depth) for index, each in enumerate(data)))
    return Value(kind, tuple(decoded(each, f"{where}[{index}]", depth + 1) for index, each in enumerate(data)))


def _pair(held: Any, where: str, depth: int) -> tuple[Value, Value]:
    if not isinstance(held, Mapping) or not {"key", "value"} <= held.keys():
        raise BadValueError(f"{where} is no key with a value")
    return decoded(held["key"], f"the key of {where}", depth + 1), decoded(held["value"], where, depth + 1)


def shortened(data: Any) -> str:
    """What stands there instead, in a few printable signs."""
    return ascii(data[:60] if isinstance(data, str) else type(data).__name__)


def _typed(
    kind: type[bool] | type[int] | type[str], least: float = float("-inf"), most: float = float("inf")
) -> Callable[[Any], Any]:
    def read(data: Any) -> Any:
        if type(data) is not kind or (isinstance(data, int) and not least <= data <= most):
            raise TypeError
        return data

    return read


def _read_none(data: Any) -> None:
    if data not in ({}, None):
        raise TypeError


def _read_real(data: Any) -> float:
    if type(data) not in (float, int):
        raise TypeError
    number = float(data)
    if not math.isfinite(number):
        raise ValueError
    return number


def _read_address(data: Any) -> IPv4Address | IPv6Address:
    return ip_address(_string(data))


def _read_subnet(data: Any) -> IPv4Network | IPv6Network:
    if "/" not in _string(data):
        raise ValueError
    return ip_network(data)


def _read_port(data: Any) -> Port:
    found = _find_port.fullmatch(_string(data))
    if found is None or int(found[1]) > 65535:
        raise ValueError
    return Port(int(found[1]), found[2])


def _read_timestamp(data: Any) -> int:
    found = _find_timestamp.fullmatch(_string(data))
    if found is None:
        raise ValueError
    whole = datetime.strptime(found[1], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC) - _EPOCH
    return (whole.days * 86400 + whole.seconds) * _SECOND + int((found[2] or "").ljust(9, "0"))


def _read_timespan(data: Any) -> int:
    found = _find_timespan.fullmatch(_string(data))
    if found is None:
        raise ValueError
    return int(found[1]) * _UNITS[found[2]]


def _string(data: Any) -> str:
    if not isinstance(data, str):
        raise TypeError
    return data


_READ: Final[dict[str, Callable[[Any], Any]]] = {
    "none": _read_none,
    "boolean": _typed(bool),
    "count": _typed(int, 0, 2**64 - 1),
    "integer": _typed(int, -(2**63), 2**63 - 1),
    "real": _read_real,
    "string": _typed(str),
    "address": _read_address,
    "subnet": _read_subnet,
    "port": _read_port,
    "timestamp": _read_timestamp,
    "timespan": _read_timespan,
    "enum-value": _typed(str),
}
