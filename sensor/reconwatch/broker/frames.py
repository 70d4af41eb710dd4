"""The frames of Zeek's WebSocket API v1: hello, acknowledgement, error, event."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from reconwatch.broker.values import BadValueError, Value, count, decoded, encoded, shortened, text, vector

LARGEST: Final = 4 * 1024 * 1024
"""Bytes of a frame: a row, whose texts broker.zeek cuts, has a tenth of that at most."""

# Broker escapes a vertical tab as C does (format/json.hh), which no JSON knows; pairs of backslashes go by.
_find_escapes = re.compile(r"\\(.)", re.DOTALL)


class BadFrameError(ValueError):
    """A frame that is none of the API's; the text says what is wrong with it."""


class Ack(msgspec.Struct, frozen=True):
    """The subscriptions are active."""

    endpoint: str
    version: str
    """Of Zeek."""


class Trouble(msgspec.Struct, frozen=True):
    """Zeek could not do what was sent; it does not say with which frame."""

    code: str
    context: str


class Event(msgspec.Struct, frozen=True):
    """An event and its arguments."""

    topic: str
    name: str
    arguments: tuple[Value, ...]


def hello(topics: Sequence[str]) -> str:
    """What a client says first: prefixes of the topics that it wants."""
    return json.dumps(list(topics))


def written(event: Event) -> str:
    """An event as a frame. Raises BadValueError for an argument that the encoding cannot say."""
    content = vector(count(1), count(1), vector(text(event.name), vector(*event.arguments)))
    return json.dumps({"type": "data-message", "topic": event.topic, **encoded(content)}, ensure_ascii=True)


def read(frame: bytes) -> Ack | Trouble | Event:
    """What Zeek sent. Raises BadFrameError."""
    message = _parsed(frame)
    match message.get("type"):
        case "ack":
            return Ack(_text(message, "endpoint"), _text(message, "version"))
        case "error":
            return Trouble(_text(message, "code"), _text(message, "context"))
        case "data-message":
            return _event(message)
    raise BadFrameError(f"a frame of an unknown type: {shortened(message.get('type'))}")


def _parsed(frame: bytes) -> dict[str, Any]:
    source = frame.decode("utf-8", "surrogateescape")
    if r"\v" in source:
        source = _find_escapes.sub(lambda found: r"\u000b" if found[1] == "v" else found[0], source)
    try:
        message = json.loads(source, strict=False, parse_constant=_refused)  # control characters come as they are
    except (ValueError, RecursionError):
        raise BadFrameError("a frame that is not JSON") from None
    if not isinstance(message, dict):
        raise BadFrameError("a frame that is no object")
    return message


def _refused(word: str) -> float:
    raise ValueError(word)


def _text(message: dict[str, Any], key: str) -> str:
    value = message.get(key)
    if not isinstance(value, str):
        raise BadFrameError(f"a frame of type {message['type']} without its {key}")
    return value


def _event(message: dict[str, Any]) -> Event:
    topic = _text(message, "topic")
    try:
        content = decoded(message, "the event")
    except BadValueError as error:
        raise BadFrameError(f"an event with a bad value: {error}") from None
    # A third element of the inner vector is metadata.
    match content:
        case Value("vector", (Value("count", 1), Value("count", 1), Value("vector", (called, given, *_)))):
            if called.kind == "string" and given.kind == "vector":
                return Event(topic, called.data, given.data)
    raise BadFrameError("a data message that is no event")
